package audit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/hopgate/hopgate/store"
)

// Verification is what [Verify] found. The journal is what it claims to be where Damage is nil, up to record Signed;
// what comes after that nobody has signed, and whoever can write the file could have written it.
type Verification struct {
	Stream      string    `json:"stream"` // name of the journal
	Segments    int       `json:"segments"`
	Pruned      uint64    `json:"pruned,omitempty"` // records that were removed when their time had come; a record vouches for it
	Records     uint64    `json:"records"`          // all that the journal ever held, the pruned ones included
	From        time.Time `json:"from,omitzero"`    // of the records that are there
	To          time.Time `json:"to,omitzero"`
	Chain       string    `json:"chain"`       // head of the chain, hexadecimal
	Root        string    `json:"root"`        // of the tree over all records, base64
	Checkpoints int       `json:"checkpoints"` // signed, and right
	Signed      uint64    `json:"signed"`      // records that the last of them covers

	Torn    *Torn   `json:"torn,omitempty"`    // an unfinished end; the next start repairs it
	Writing bool    `json:"writing,omitempty"` // the unfinished end is being written: a process owns the directory
	Damage  *Damage `json:"damage,omitempty"`  // the first thing that is wrong
}

// Unsigned returns how many records the last checkpoint does not cover.
func (v *Verification) Unsigned() uint64 { return v.Records - min(v.Signed, v.Records) }

// Verify checks a journal from the first byte to the last: every frame, the chain, the tree, and every checkpoint. It
// needs the segments, the checkpoints and the public key alone, and may run while a process writes. dir is a state
// directory, or a folder with a journal's files; publicKey is the content of key.pub from a place that can be trusted,
// or empty for the one that lies beside the journal, which whoever forged the journal has forged too.
//
// It returns an error where it could not check. What it found wrong is in the Verification.
func Verify(ctx context.Context, dir, publicKey string) (Verification, error) {
	owner := dir
	if folder := filepath.Join(dir, folderName); isDir(folder) {
		dir = folder
	} else {
		owner = filepath.Dir(dir)
	}
	for {
		v := &verifier{dir: dir, chains: map[uint64]hash{}}
		err := v.run(ctx, publicKey)
		if v.out.Torn != nil {
			v.out.Writing = store.Held(owner)
		}
		switch {
		case errors.As(err, &v.out.Damage):
			return v.out, nil
		case errors.Is(err, fs.ErrNotExist) && v.pruning():
			continue // the first segment went while it was read; there are fewer now
		}
		return v.out, err
	}
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// verifier is one walk over a journal.
type verifier struct {
	dir         string
	out         Verification
	checkpoints []checkpoint    // not compared yet
	wrong       *Damage         // the first checkpoint that does not fit
	chains      map[uint64]hash // after the header of each segment, by its first record
	first       uint64          // record that is there
	listed      bool            // whether first is known
	vouched     bool            // whether a record says that those before it were pruned
}

// pruning reports whether the journal begins later now than when the walk began.
func (v *verifier) pruning() bool {
	segs, err := listSegments(v.dir)
	return err == nil && v.listed && len(segs) > 0 && segs[0].first > v.first
}

func (v *verifier) run(ctx context.Context, publicKey string) error {
	s, key, err := v.key(publicKey)
	if err != nil {
		return err
	}
	v.out.Stream = key.Name()
	// The checkpoints are read first: what they cover is durable, so the segments that are read later must hold it.
	if v.checkpoints, v.out.Torn, err = readCheckpoints(v.dir, key); err != nil {
		return err
	}
	segs, err := listSegments(v.dir)
	if err != nil {
		return err
	}
	if len(segs) == 0 {
		return &Damage{Segment: segment{}.name(), What: "there are no segments"}
	}
	v.first, v.listed = segs[0].first, true
	c, err := newCursor(v.dir, segs, 0)
	defer c.close()
	if err != nil {
		return err
	}
	if c.stream != s {
		return c.damage("the journal is not the one that the public key is named after")
	}
	return v.walk(ctx, c)
}

func (v *verifier) key(text string) (stream, note.Verifier, error) {
	if text == "" {
		return readPublicKey(v.dir)
	}
	return parsePublicKey(text)
}

// walk reads all frames, those too that are written meanwhile.
func (v *verifier) walk(ctx context.Context, c *cursor) error {
	defer func() {
		v.out.Segments, v.out.Records, v.out.Pruned = c.at+1, c.seq(), v.first
		v.out.Chain, v.out.Root = hex.EncodeToString(c.chain[:]), c.tree.root().String()
	}()
	v.begin(c)
	for again := true; ; { // again: the end may be further on by now
		if err := context.Cause(ctx); err != nil {
			return fmt.Errorf("verifying the journal: %w", err)
		}
		err := c.next()
		var torn *Torn
		ended := errors.As(err, &torn) || errors.Is(err, io.EOF)
		switch {
		case ended && again:
			again = false
			if err := c.refresh(); err != nil {
				return err
			}
			continue
		case ended:
			if torn != nil {
				v.out.Torn = torn
			}
			return v.conclude(c)
		case err != nil:
			return err
		}
		again = true
		if err := v.read(c); err != nil {
			return err
		}
	}
}

// begin takes the walk to the start of the journal. Of checkpoints from a time that was pruned nothing is left to check.
func (v *verifier) begin(c *cursor) {
	v.chains[c.seq()] = c.chain
	c.entered = func() { v.chains[c.seq()] = c.chain }
	c.added = v.compare
	for len(v.checkpoints) > 0 && v.checkpoints[0].size < v.first {
		v.checkpoints = v.checkpoints[1:]
	}
	v.compare(&c.tree)
}

// compare holds the tree against the checkpoint of its size.
func (v *verifier) compare(t *tree) {
	if len(v.checkpoints) == 0 || v.checkpoints[0].size != t.size {
		return
	}
	if v.wrong == nil && v.checkpoints[0].root != t.root() {
		v.wrong = &Damage{Segment: checkpointsName, Seq: t.size, What: "the records are not those that a checkpoint was signed for"}
	}
	v.out.Checkpoints++
	v.out.Signed = t.size
	v.checkpoints = v.checkpoints[1:]
}

// read looks at the records of a frame.
func (v *verifier) read(c *cursor) error {
	seq := c.frame.first
	for kind, b := range c.frame.entries() {
		if kind != entryRecord {
			continue
		}
		g, err := glanceAt(b)
		switch {
		case err != nil:
			return c.damage(err.Error())
		case g.seq != seq:
			return c.damage("a record has the number of another")
		case v.out.From.IsZero():
			v.out.From = g.time
		}
		seq++
		v.out.To = g.time
		if string(g.event) != eventPruned {
			continue
		}
		first, chain, err := readPruned(b)
		switch is, known := v.chains[first]; {
		case err != nil:
			return c.damage(err.Error())
		case known && is != chain:
			return c.damage("a segment does not begin as the record says that pruned what came before it")
		case known:
			v.vouched = true
		}
	}
	return nil
}

// conclude tells what only the end can tell.
func (v *verifier) conclude(c *cursor) error {
	switch {
	case v.wrong != nil:
		return v.wrong
	case len(v.checkpoints) > 0:
		return c.damage(fmt.Sprintf("a checkpoint was signed for %d records, and the journal ends before", v.checkpoints[0].size))
	case v.first > 0 && !v.vouched:
		return &Damage{Segment: c.segs[0].name(), Seq: v.first, What: "the records before it are missing, and none says that they were pruned"}
	}
	return nil
}
