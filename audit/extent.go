package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/hopgate/hopgate/store"
)

// extent is where the records of a block lie: in frames of one segment, each right behind the one before.
type extent struct {
	segment uint64 // its first record
	first   uint64 // record of the extent
	off     int64  // of the first frame
	size    int64  // of all frames
	records uint64
	before  hash // chain before the first frame
	after   hash // and behind the last: nothing else is believed to be what was applied
}

const extentSize = 5*8 + 2*sha256.Size

func (e *extent) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, e.segment)
	b = binary.BigEndian.AppendUint64(b, e.first)
	b = binary.BigEndian.AppendUint64(b, uint64(e.off))  // of a file
	b = binary.BigEndian.AppendUint64(b, uint64(e.size)) // of a file
	b = binary.BigEndian.AppendUint64(b, e.records)
	return append(append(b, e.before[:]...), e.after[:]...)
}

// readExtent reads what append has written.
func readExtent(b []byte) (e extent, err error) {
	if len(b) != extentSize {
		return e, fmt.Errorf("%w: a place in the journal has %d bytes", store.ErrDamaged, len(b))
	}
	e.segment, e.first = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	e.off, e.size = int64(binary.BigEndian.Uint64(b[16:])), int64(binary.BigEndian.Uint64(b[24:])) // read looks at both
	e.records = binary.BigEndian.Uint64(b[32:])
	copy(e.after[:], b[40+copy(e.before[:], b[40:]):])
	return e, nil
}

// frames yields the frames of an extent, each valid until the next step. Where they are not those that were applied there
// is a [Damage] and nothing else. Where the segment is gone, the error matches [fs.ErrNotExist].
func (e *extent) frames(dir string) iter.Seq2[*frame, error] {
	return func(yield func(*frame, error) bool) {
		b, err := e.read(dir)
		if err != nil {
			yield(nil, err)
			return
		}
		var all []frame
		for at := 0; at < len(b)-sha256.Size; {
			length, first, records, ok := readFrameHeader(b[at+sha256.Size:])
			end := at + sha256.Size + frameHeader + length + sha256.Size
			if !ok || end > len(b) || sha256.Sum256(b[at:end-sha256.Size]) != hash(b[end-sha256.Size:end]) {
				yield(nil, e.damage())
				return
			}
			all = append(all, frame{buf: b[at:end:end], first: first, records: records, segment: e.segment, off: e.off + int64(at)})
			at = end - sha256.Size // a frame begins with the chain before it
		}
		if hash(b[len(b)-sha256.Size:]) != e.after {
			yield(nil, e.damage())
			return
		}
		for i := range all {
			if !yield(&all[i], nil) {
				return
			}
		}
	}
}

// read returns the bytes of an extent, behind the chain before them.
func (e *extent) read(dir string) ([]byte, error) {
	f, err := os.Open(filepath.Join(dir, segment{first: e.segment}.name()))
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the journal: %w", err)
	case e.off < 0 || e.size < 0 || e.off > info.Size()-e.size:
		return nil, e.damage()
	}
	b := append(make([]byte, 0, sha256.Size+e.size), e.before[:]...)[:sha256.Size+e.size]
	if _, err := f.ReadAt(b[sha256.Size:], e.off); err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	return b, nil
}

func (e *extent) damage() *Damage {
	return &Damage{
		Segment: segment{first: e.segment}.name(), Offset: e.off, Seq: e.first,
		What: "the records are not those that were written",
	}
}

// block returns the records of a block that pass a glance. A block that was pruned meanwhile has none.
func (j *Journal) block(first uint64, pass func(*glance) bool) ([]Record, error) {
	key := appendBodyKey(nil, first)
	body, err := j.engine.Get(key)
	if err != nil || body == nil {
		return nil, err
	}
	records, err := pick(j.dir, body, pass)
	if errors.Is(err, fs.ErrNotExist) { // a segment goes when the store knows nothing of it any more
		if body, again := j.engine.Get(key); again == nil && body == nil {
			return nil, nil
		}
	}
	return records, err
}

// pick returns the records of a block that pass a glance.
func pick(dir string, body []byte, pass func(*glance) bool) (records []Record, err error) {
	e, err := readExtent(body)
	if err != nil {
		return nil, err
	}
	for f, err := range e.frames(dir) {
		if err != nil {
			return records, err
		}
		for kind, b := range f.entries() {
			if kind != entryRecord {
				continue
			}
			g, err := glanceAt(b)
			if err == nil && !pass(&g) {
				continue
			}
			var r Record
			if err == nil {
				r, err = readRecord(b)
			}
			if err != nil {
				return records, err
			}
			records = append(records, r)
		}
	}
	return records, nil
}
