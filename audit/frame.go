package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"iter"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/hopgate/hopgate/store"
)

const (
	frameMagic  = "HgF\x01"
	frameHeader = 4 + 4 + 8 + 4
	entryHeader = 4 + 1

	// maxPayload bounds what a reader believes. A batch ends at maxBatch and may then hold one more entry of each kind.
	maxPayload = 4 << 20
	maxBatch   = 256 << 10
)

// Types of entries. A record's is 0, the prefix of a leaf in RFC 6962.
const (
	entryRecord byte = iota
	entryPut
	entryDelete
	entryOpen
)

// frame is one batch. Its buffer begins with the chain before it, so that hash and file are two slices of it:
//
//	chain before [32] | header [20] | payload | chain after [32]
type frame struct {
	buf     []byte
	first   uint64 // sequence number of the first record
	records uint32

	segment uint64 // first record of the segment that it is written to
	off     int64  // where it begins there
}

// begin starts a frame over.
func (f *frame) begin(chain hash, first uint64) {
	f.first, f.records = first, 0
	f.buf = append(f.buf[:0], chain[:]...)
	f.buf = append(f.buf, frameMagic...)
	f.buf = append(f.buf, make([]byte, frameHeader-len(frameMagic))...)
}

// open starts an entry and returns where it starts; the caller appends its bytes to buf and then calls shut.
func (f *frame) open(kind byte) (start int) {
	start = len(f.buf)
	f.buf = append(f.buf, 0, 0, 0, 0, kind)
	return start
}

func (f *frame) shut(start int) {
	binary.BigEndian.PutUint32(f.buf[start:], uint32(len(f.buf)-start-entryHeader)) // bounded by maxPayload
}

// record adds a record and returns its leaf.
func (f *frame) record(e *entry, seq uint64, now *stamp) tlog.Hash {
	start := f.open(entryRecord)
	f.buf = e.appendTo(f.buf, seq, now)
	f.shut(start)
	f.records++
	return sha256.Sum256(f.buf[start+entryHeader-1:])
}

// put adds a change of state.
func (f *frame) put(p store.Put) {
	if p.Value == nil {
		start := f.open(entryDelete)
		f.buf = append(f.buf, p.Key...)
		f.shut(start)
		return
	}
	start := f.open(entryPut)
	f.buf = binary.BigEndian.AppendUint16(f.buf, uint16(len(p.Key))) // at most store.MaxKey
	f.buf = append(f.buf, p.Key...)
	f.buf = append(f.buf, p.Value...)
	f.shut(start)
}

// empty reports whether nothing was put into a frame that is not sealed.
func (f *frame) empty() bool { return len(f.buf) == sha256.Size+frameHeader }

// seal ends a frame and returns the chain after it.
func (f *frame) seal() hash {
	b := f.buf[sha256.Size+len(frameMagic):]
	binary.BigEndian.PutUint32(b, uint32(len(f.buf)-sha256.Size-frameHeader)) // bounded by maxPayload
	binary.BigEndian.PutUint64(b[4:], f.first)
	binary.BigEndian.PutUint32(b[12:], f.records)
	chain := sha256.Sum256(f.buf)
	f.buf = append(f.buf, chain[:]...)
	return chain
}

// bytes returns what a sealed frame is in the file.
func (f *frame) bytes() []byte { return f.buf[sha256.Size:] }

// payload returns the entries of a sealed frame.
func (f *frame) payload() []byte {
	return f.buf[sha256.Size+frameHeader : len(f.buf)-sha256.Size]
}

// end returns the sequence number after the frame's last record.
func (f *frame) end() uint64 { return f.first + uint64(f.records) }

// entries yields type and bytes of the entries of a frame that was sealed here or has passed check.
func (f *frame) entries() iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		for b := f.payload(); len(b) > 0; {
			end := entryHeader + int(binary.BigEndian.Uint32(b))
			if !yield(b[4], b[entryHeader:end:end]) {
				return
			}
			b = b[end:]
		}
	}
}

// leaves yields the leaf of each record. Type and bytes of an entry lie together, so they are hashed where they lie.
func (f *frame) leaves() iter.Seq[tlog.Hash] {
	return func(yield func(tlog.Hash) bool) {
		for b := f.payload(); len(b) > 0; {
			end := entryHeader + int(binary.BigEndian.Uint32(b))
			if b[4] == entryRecord && !yield(sha256.Sum256(b[entryHeader-1:end])) {
				return
			}
			b = b[end:]
		}
	}
}

// glances yields what the journal needs to know of each record. It is valid until the next step.
func (f *frame) glances() iter.Seq2[*glance, error] {
	return func(yield func(*glance, error) bool) {
		for kind, rec := range f.entries() {
			if kind != entryRecord {
				continue
			}
			g, err := glanceAt(rec)
			if !yield(&g, err) || err != nil {
				return
			}
		}
	}
}

// cutPut splits the bytes of a put.
func cutPut(b []byte) store.Put {
	n := 2 + int(binary.BigEndian.Uint16(b))
	return store.Put{Key: b[2:n:n], Value: b[n:len(b):len(b)]}
}

// readFrameHeader reads the header of a frame. It reports false where no frame begins so.
func readFrameHeader(b []byte) (length int, first uint64, records uint32, ok bool) {
	if len(b) < frameHeader || !bytes.HasPrefix(b, []byte(frameMagic)) {
		return 0, 0, 0, false
	}
	n := binary.BigEndian.Uint32(b[4:])
	return int(n), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint32(b[16:]), n <= maxPayload
}

// check verifies the inside of a frame whose hash is right. What fails here was written by no Hopgate.
func (f *frame) check() error {
	records := uint32(0)
	for b := f.payload(); len(b) > 0; {
		if len(b) < entryHeader || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-entryHeader) {
			return errors.New("an entry leads outside its frame")
		}
		end := entryHeader + int(binary.BigEndian.Uint32(b))
		if err := checkEntry(b[4], b[entryHeader:end]); err != nil {
			return err
		}
		if b[4] == entryRecord {
			records++
		}
		b = b[end:]
	}
	if records != f.records {
		return errors.New("a frame does not hold as many records as it says")
	}
	return nil
}

func checkEntry(kind byte, b []byte) error {
	switch kind {
	case entryRecord, entryOpen:
		if len(b) == 0 || b[0] != '{' || !json.Valid(b) {
			return errors.New("a record is not a JSON object")
		}
		return nil
	case entryPut:
		if len(b) < 2 || int(binary.BigEndian.Uint16(b)) > len(b)-2 {
			return errors.New("a put has no key")
		}
		p := cutPut(b)
		return p.Check()
	case entryDelete:
		p := store.Put{Key: b}
		return p.Check()
	default:
		return errors.New("an entry has an unknown type")
	}
}

// validAfter looks for a sound frame anywhere behind the start of b. b begins with the chain before the frame that was
// expected there. A sound frame bears witness by itself: the 32 bytes before it are the chain before it. The frame right
// behind a damaged chain has only the chain as it should have been.
func validAfter(b []byte) bool {
	should := hash{}
	next := -1
	if length, _, _, ok := readFrameHeader(b[sha256.Size:]); ok {
		if end := sha256.Size + frameHeader + length; end+sha256.Size <= len(b) {
			should, next = sha256.Sum256(b[:end]), end+sha256.Size
		}
	}
	for at := sha256.Size + 1; ; at++ {
		i := bytes.Index(b[at:], []byte(frameMagic))
		if i < 0 {
			return false
		}
		at += i
		length, _, _, ok := readFrameHeader(b[at:])
		end := at + frameHeader + length
		if !ok || end+sha256.Size > len(b) {
			continue
		}
		if sound(b[at-sha256.Size:at], b[at:end], b[end:]) || at == next && sound(should[:], b[at:end], b[end:]) {
			return true
		}
	}
}

func sound(chain, frame, after []byte) bool {
	h := sha256.New()
	_, _ = h.Write(chain) // a hash returns no error
	_, _ = h.Write(frame)
	return bytes.HasPrefix(after, h.Sum(nil))
}
