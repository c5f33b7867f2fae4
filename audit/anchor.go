package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/mod/sumdb/note"
)

const (
	// maxAnchor bounds what is read of an anchor: some hundred thousand marks.
	maxAnchor = 64 << 20
	// restoredName is a file that says that the journal was put back from a backup.
	restoredName = "restored"

	whyUnknown = "the journal has an anchor, and none is configured"
)

// ErrAnchor says that the anchor cannot be where it should be, or cannot be written there.
var ErrAnchor = errors.New("the anchor outside the state directory")

// anchorKey is there once an anchor was written: from then on one that is missing is a rollback.
var anchorKey = []byte("journal/anchored")

// anchor is what stands outside the state directory to tell an older copy of it from the newest. In the file it is a
// signed note (C2SP tlog-checkpoint, with the extension lines "chain HEX" and "marks HEX", the SHA-256 of what follows),
// an empty line, and the marks as JSON.
type anchor struct {
	checkpoint
	chain hash
	marks json.RawMessage // the owner's; empty where there are none
}

// encode signs an anchor.
func (a *anchor) encode(s note.Signer) ([]byte, error) {
	sum := sha256.Sum256(a.marks)
	text := a.text(s.Name()) + "chain " + hex.EncodeToString(a.chain[:]) + "\nmarks " + hex.EncodeToString(sum[:]) + "\n"
	b, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		return nil, fmt.Errorf("signing the anchor: %w", err)
	}
	return append(append(b, '\n'), a.marks...), nil
}

// openAnchor reads an anchor. Where it is of another journal, or its signature is not right, there is an error, and the
// marks are returned nevertheless if they are whole: counters are raised by them and never lowered.
func openAnchor(b []byte, v note.Verifier) (a anchor, err error) {
	n := noteLength(b)
	if n < 0 {
		return a, errors.New("it is cut short")
	}
	head, marks := b[:n-1], b[n:]
	lines := strings.Split(string(head), "\n")
	sum := sha256.Sum256(marks)
	if len(lines) < 6 || lines[4] != "marks "+hex.EncodeToString(sum[:]) || len(marks) > 0 && !json.Valid(marks) {
		return a, errors.New("its marks are not those that it was written with")
	}
	a.marks = marks
	if _, err := note.Open(head, note.VerifierList(v)); err != nil {
		if lines[0] != v.Name() {
			return a, errors.New("it is the anchor of another journal")
		}
		return a, errors.New("its signature is not right")
	}
	if a.checkpoint, err = readCheckpoint(lines, v); err != nil {
		return a, err
	}
	text, ok := strings.CutPrefix(lines[3], "chain ")
	if !ok || !decodeHex(a.chain[:], text) {
		return a, errors.New("its chain is malformed")
	}
	return a, nil
}

// readAnchor reads the anchor at a path. An error is about the file; what is wrong with what it holds is in wrong.
func readAnchor(path string, v note.Verifier) (a anchor, wrong, err error) {
	f, err := os.Open(path)
	if err != nil {
		return a, nil, err
	}
	defer func() { _ = f.Close() }() // read only
	b, err := io.ReadAll(io.LimitReader(f, maxAnchor+1))
	switch {
	case err != nil:
		return a, nil, err
	case len(b) > maxAnchor:
		return a, errors.New("it is too long"), nil
	}
	a, wrong = openAnchor(b, v)
	return a, wrong, nil
}

// checkAnchorPath keeps the anchor out of the directory that it is there to watch.
func checkAnchorPath(dir, path string) error {
	dir, errDir := filepath.Abs(dir)
	path, errPath := filepath.Abs(path)
	if err := errors.Join(errDir, errPath); err != nil {
		return err
	}
	if in, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(in) {
		return errors.New("it lies in the state directory, where whatever is done to the state is done to it too")
	}
	return nil
}

// witness holds a journal against its anchor, while a cursor walks over the end of the journal.
type witness struct {
	path    string // empty for none
	anchor  anchor
	why     string // what is wrong with the anchor itself
	missing bool
	held    bool // whether the journal says that it has an anchor
	met     bool // whether it is, where the anchor was written, what the anchor says
}

// newWitness reads the anchor.
func newWitness(path string, v note.Verifier) *witness {
	w := &witness{path: path}
	if path == "" {
		w.missing = true
		return w
	}
	a, wrong, err := readAnchor(path, v)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.missing = true
	case err != nil: // it is there, and nobody can say what it holds
		w.why = "the anchor cannot be read"
	case wrong != nil:
		w.anchor.marks, w.why = a.marks, "the anchor cannot be believed: "+wrong.Error()
	default:
		w.anchor = a
	}
	return w
}

// sound reports whether there is an anchor to compare with.
func (w *witness) sound() bool { return !w.missing && w.why == "" }

// from returns the index of the segment from which the walk must begin, at most last.
func (w *witness) from(segs []segment, last int) int {
	if !w.sound() {
		return last
	}
	for last > 0 && segs[last].first > w.anchor.size {
		last--
	}
	return last
}

// look compares where the cursor stands.
func (w *witness) look(c *cursor) {
	if !w.sound() || c.tree.size != w.anchor.size || w.met {
		return
	}
	w.met = (c.chain == w.anchor.chain || c.before == w.anchor.chain) && c.tree.root() == w.anchor.root
}

// read takes note of a change of state in the journal.
func (w *witness) read(kind byte, b []byte) {
	if kind == entryPut {
		w.held = w.held || bytes.Equal(cutPut(b).Key, anchorKey)
	}
}

// conclude returns what the walk has shown; nil where the journal is the newest that the anchor knows of.
func (w *witness) conclude(records uint64, restored bool) *Rollback {
	r := &Rollback{Records: records, Anchored: w.anchor.size, Marks: w.anchor.marks}
	switch {
	case restored:
		r.Why = "the state was put back from a backup"
	case w.path == "" && w.held:
		r.Why = whyUnknown
	case w.missing && w.held:
		r.Why = "the anchor is missing"
	case w.why != "":
		r.Why = w.why
	case w.missing:
		return nil
	case records < w.anchor.size:
		r.Why = "the journal is shorter than the anchor says"
	case !w.met:
		r.Why = "the journal is not the one that the anchor was written for"
	default:
		return nil
	}
	return r
}

// keeper writes the anchor, on the goroutine of the notary.
type keeper struct {
	files  Files
	path   string // empty for none
	signer note.Signer
	held   atomic.Bool // not to be written, because it says more than the journal does
	source atomic.Pointer[func() (json.RawMessage, error)]
	marks  json.RawMessage // that stand until there is a source
}

// write writes the anchor for the end of the journal.
func (k *keeper) write(c checkpoint, chain hash) error {
	if k.path == "" {
		return nil
	}
	if source := k.source.Load(); source != nil {
		marks, err := (*source)()
		if err != nil {
			return fmt.Errorf("the marks of the anchor: %w", err)
		}
		k.marks = marks
	}
	a := anchor{checkpoint: c, chain: chain, marks: k.marks}
	b, err := a.encode(k.signer)
	if err == nil && len(b) > maxAnchor {
		err = errors.New("writing the anchor: it is too long")
	}
	if err != nil {
		return err
	}
	return publish(k.files, k.path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// checkAnchor keeps the anchor out of the directory that it watches, and makes the one that it lies in.
func (c *Config) checkAnchor() error {
	if c.Anchor == "" {
		return nil
	}
	err := checkAnchorPath(c.Dir, c.Anchor)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(c.Anchor), 0o700)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAnchor, err)
	}
	return nil
}
