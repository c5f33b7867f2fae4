package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/hopgate/hopgate/store"
)

// ErrNoRollback says that there is no rollback to accept.
var ErrNoRollback = errors.New("the state was not rolled back")

// Rollback says that the state may be older than what was done under it: an older copy was put back, or the anchor that
// would tell is missing. What counters say is then too low.
type Rollback struct {
	Why      string          `json:"why"`                // a sentence, without content
	Records  uint64          `json:"records"`            // that the journal held when it was found
	Anchored uint64          `json:"anchored,omitempty"` // that the anchor covers; 0 where that is not known
	Marks    json.RawMessage `json:"marks,omitempty"`    // that the anchor holds; nil where they cannot be read
}

// RolledBack returns how the state was found to be older than the anchor, or nil. While it is not nil nothing that must not be
// repeated may be done by what the state says: who keeps counters refuses. It is safe for concurrent use.
func (j *Journal) RolledBack() *Rollback { return j.rollback.Load() }

// AttachMarks has the anchor hold what source returns: JSON that says what must not be forgotten with the state. source
// is called from now on whenever the anchor is written, from another goroutine, and must not call the journal. Without a
// source the anchor keeps the marks that it had.
func (j *Journal) AttachMarks(source func() (json.RawMessage, error)) { j.keeper.source.Store(&source) }

// AcceptRollback ends the state of a rollback. raise is handed the marks of the anchor, where they could be read, and
// brings the state up to them; then the reason is put on record together with what that has changed, and the anchor is
// written anew. Where any of it fails, the rollback stands.
func (j *Journal) AcceptRollback(ctx context.Context, reason string, raise func(json.RawMessage) error) error {
	j.accepting.Lock()
	defer j.accepting.Unlock()
	r := j.rollback.Load()
	switch {
	case r == nil:
		return ErrNoRollback
	case reason == "":
		return errors.New("accepting a rollback: there is no reason")
	case r.Why == whyUnknown:
		return errors.New("accepting a rollback: " + whyUnknown)
	}
	if len(r.Marks) > 0 {
		if err := raise(r.Marks); err != nil {
			return fmt.Errorf("accepting a rollback: by the marks of the anchor: %w", err)
		}
	}
	fields := r.fields()
	fields["why"], fields["detail"] = r.Why, reason
	if err := j.Event(ctx, eventAccepted, fields, j.keeper.puts()); err != nil {
		return err
	}
	done := make(chan error, 1)
	if !j.writer.ask(nil, done) {
		return j.refused(ctx)
	}
	if err := <-done; err != nil {
		return fmt.Errorf("accepting a rollback: %w", err)
	}
	if err := removeRestored(j.keeper.files, j.dir); err != nil {
		return fmt.Errorf("accepting a rollback: %w", err)
	}
	j.keeper.held.Store(false)
	j.rollback.Store(nil)
	return nil
}

func (r *Rollback) fields() map[string]string {
	f := map[string]string{"records": strconv.FormatUint(r.Records, 10)}
	if r.Anchored > 0 {
		f["anchored"] = strconv.FormatUint(r.Anchored, 10)
	}
	return f
}

// puts returns the change of state that says that there is an anchor.
func (k *keeper) puts() []store.Put {
	if k.path == "" {
		return nil
	}
	return []store.Put{{Key: anchorKey, Value: []byte{1}}}
}

// CheckAnchor holds the journal of a state directory against an anchor, as [Open] does, and changes nothing. It may run
// while a process writes.
func CheckAnchor(dir, path string) (*Rollback, error) {
	dir = filepath.Join(dir, folderName)
	_, key, err := readPublicKey(dir)
	if err != nil {
		return nil, err
	}
	w := newWitness(path, key) // before the segments: what it covers is durable
	segs, err := listSegments(dir)
	if err != nil {
		return nil, err
	}
	if len(segs) == 0 {
		return nil, &Damage{Segment: segment{}.name(), What: "there are no segments"}
	}
	c, err := newCursor(dir, segs, w.from(segs, len(segs)-1))
	if err != nil {
		return nil, err
	}
	defer c.close()
	for w.look(c); ; w.look(c) {
		err := c.next()
		var torn *Torn
		if errors.As(err, &torn) || errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for kind, b := range c.frame.entries() {
			w.read(kind, b)
		}
	}
	restored, err := wasRestored(dir)
	if err != nil {
		return nil, err
	}
	return w.conclude(c.seq(), restored), nil
}

// wasRestored reports whether a journal was put back from a backup and nobody has accepted it.
func wasRestored(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, restoredName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func removeRestored(files Files, dir string) error {
	if is, err := wasRestored(dir); err != nil || !is {
		return err
	}
	if err := files.Remove(filepath.Join(dir, restoredName)); err != nil {
		return err
	}
	return files.SyncDir(dir)
}
