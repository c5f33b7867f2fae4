package audit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	checkpointsName = "checkpoints"
	checkpointsTail = 4 << 10 // bytes that hold several checkpoints
)

// checkpoint is a statement that the journal had this size and this root (C2SP tlog-checkpoint).
type checkpoint struct {
	size uint64
	root tlog.Hash
}

// sign returns a checkpoint as a signed note, and the empty line that keeps it apart from the next.
func (c checkpoint) sign(s note.Signer) ([]byte, error) {
	b, err := note.Sign(&note.Note{Text: c.text(s.Name())}, s)
	if err != nil {
		return nil, fmt.Errorf("signing a checkpoint: %w", err)
	}
	return append(b, '\n'), nil
}

// text returns the lines that every tlog-checkpoint has.
func (c checkpoint) text(origin string) string {
	return origin + "\n" + strconv.FormatUint(c.size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.root[:]) + "\n"
}

// openCheckpoint verifies the signature of a note and reads it.
func openCheckpoint(b []byte, v note.Verifier) (c checkpoint, err error) {
	n, err := note.Open(b, note.VerifierList(v))
	if err != nil {
		return c, fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 {
		return c, errors.New("a checkpoint is not of this journal")
	}
	return readCheckpoint(lines, v)
}

// readCheckpoint reads the lines that every tlog-checkpoint has.
func readCheckpoint(lines []string, v note.Verifier) (c checkpoint, err error) {
	if lines[0] != v.Name() {
		return c, errors.New("a checkpoint is not of this journal")
	}
	c.size, err = strconv.ParseUint(lines[1], 10, 64)
	if err != nil || strconv.FormatUint(c.size, 10) != lines[1] {
		return c, errors.New("a checkpoint has a malformed size")
	}
	c.root, err = tlog.ParseHash(lines[2])
	if err != nil || c.root.String() != lines[2] {
		return c, errors.New("a checkpoint has a malformed root")
	}
	return c, nil
}

// readCheckpoints reads all checkpoints of a folder, in order. torn is set where the last is unfinished.
func readCheckpoints(dir string, v note.Verifier) (list []checkpoint, torn *Torn, err error) {
	b, err := os.ReadFile(filepath.Join(dir, checkpointsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the checkpoints: %w", err)
	}
	for off := 0; off < len(b); {
		n := noteLength(b[off:])
		if n < 0 {
			return list, &Torn{Segment: checkpointsName, Offset: int64(off), Bytes: int64(len(b) - off)}, nil
		}
		c, err := openCheckpoint(b[off:off+n-1], v)
		switch {
		case err != nil:
			return list, nil, &Damage{Segment: checkpointsName, Offset: int64(off), Seq: c.size, What: err.Error()}
		case len(list) > 0 && c.size <= list[len(list)-1].size:
			return list, nil, &Damage{Segment: checkpointsName, Offset: int64(off), Seq: c.size, What: "the checkpoints are out of order"}
		}
		list = append(list, c)
		off += n
	}
	return list, nil, nil
}

// noteLength returns the length of the note at the start of b and of the empty line behind it, or -1 where it does not
// end: the text ends in an empty line, and so do the signatures.
func noteLength(b []byte) int {
	text := bytes.Index(b, []byte("\n\n"))
	if text < 0 {
		return -1
	}
	signatures := bytes.Index(b[text+2:], []byte("\n\n"))
	if signatures < 0 {
		return -1
	}
	return text + 2 + signatures + 2
}

// head is the end of the journal, to be signed.
type head struct {
	checkpoint
	chain  hash
	signed bool         // there is a checkpoint of this size
	accept chan<- error // not nil: the anchor is written whatever it says, and this is told how that went
}

// notary signs checkpoints and writes the anchor, in a goroutine of its own, because a signature and its sync would keep calls waiting.
type notary struct {
	files  *patient
	dir    string
	signer note.Signer
	fail   func(error) error
	keeper *keeper
	heads  chan head     // to sign; closed to end
	trim   chan struct{} // drop checkpoints from before the first segment
	done   chan struct{}
	file   File
	broken bool
}

func (n *notary) run() {
	defer close(n.done)
	for open := true; open; {
		var err error
		select {
		case h, ok := <-n.heads:
			if open = ok; ok {
				err = n.work(func() error { return n.sign(h) })
			}
			if h.accept != nil {
				h.accept <- err
			}
		case <-n.trim:
			err = n.work(n.drop)
		}
		if err != nil {
			n.broken = true
			_ = n.fail(err) // Err of the journal says it
		}
	}
	if err := n.file.Close(); err != nil {
		_ = n.fail(fmt.Errorf("closing the checkpoints: %w", err))
	}
}

// work does nothing after a failure, because behind half a checkpoint none can be read.
func (n *notary) work(do func() error) error {
	if n.broken {
		return ErrFailed
	}
	return do()
}

// sign adds a checkpoint to the file, and then writes the anchor: that never says more than the journal.
func (n *notary) sign(h head) error {
	if !h.signed {
		if err := n.add(h.checkpoint); err != nil {
			return err
		}
	}
	if h.accept == nil && n.keeper.held.Load() {
		return nil
	}
	return n.keeper.write(h.checkpoint, h.chain)
}

func (n *notary) add(c checkpoint) error {
	b, err := c.sign(n.signer)
	if err == nil {
		_, err = n.file.Write(b)
	}
	if err == nil {
		err = n.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("writing a checkpoint: %w", err)
	}
	return nil
}

// drop removes the checkpoints that nothing is left to check against. The others stay as they are, byte for byte.
func (n *notary) drop() error {
	n.files.room()
	segs, err := listSegments(n.dir)
	if err != nil || len(segs) == 0 {
		return err
	}
	name := filepath.Join(n.dir, checkpointsName)
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading the checkpoints: %w", err)
	}
	for length := noteLength(b); length > 0; length = noteLength(b) {
		size, err := strconv.ParseUint(strings.SplitN(string(b[:length]), "\n", 3)[1], 10, 64)
		if err != nil {
			return fmt.Errorf("reading the checkpoints: %w", err)
		}
		if size >= segs[0].first {
			break
		}
		b = b[length:]
	}
	err = publish(n.files, name, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
	if err != nil {
		return err
	}
	file, err := n.files.Append(name)
	if err != nil {
		return fmt.Errorf("opening the checkpoints: %w", err)
	}
	old := n.file
	n.file = file
	if err := old.Close(); err != nil {
		return fmt.Errorf("closing the checkpoints: %w", err)
	}
	return nil
}

// lastCheckpoint returns the last complete checkpoint of a folder, and the torn end behind it. Only the end of the file
// is read, whatever its length.
func lastCheckpoint(dir string, v note.Verifier) (last checkpoint, torn *Torn, err error) {
	f, err := os.Open(filepath.Join(dir, checkpointsName))
	if err != nil {
		return last, nil, fmt.Errorf("reading the checkpoints: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	if err != nil {
		return last, nil, fmt.Errorf("reading the checkpoints: %w", err)
	}
	start := max(info.Size()-checkpointsTail, 0)
	b, err := io.ReadAll(io.NewSectionReader(f, start, info.Size()-start))
	if err != nil {
		return last, nil, fmt.Errorf("reading the checkpoints: %w", err)
	}
	if start > 0 { // begin at a note: each begins with the name of the journal
		i := bytes.Index(b, []byte("\n\n"+v.Name()+"\n"))
		if i < 0 {
			return last, nil, &Damage{Segment: checkpointsName, Offset: start, What: "there is no checkpoint of this journal"}
		}
		b, start = b[i+2:], start+int64(i+2)
	}
	for len(b) > 0 {
		n := noteLength(b)
		if n < 0 {
			return last, &Torn{Segment: checkpointsName, Offset: start, Bytes: int64(len(b))}, nil
		}
		if last, err = openCheckpoint(b[:n-1], v); err != nil {
			return last, nil, &Damage{Segment: checkpointsName, Offset: start, What: err.Error()}
		}
		b, start = b[n:], start+int64(n)
	}
	return last, nil, nil
}
