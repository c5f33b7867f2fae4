package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	segmentMagic  = "HOPGATEJ"
	formatVersion = 1
	fixedHeader   = 8 + 4 + 16 + 8 + 8 + 32 // bytes before the edge
	segmentSuffix = ".seg"
)

type (
	hash   = [sha256.Size]byte
	stream = [16]byte // random name of a journal
)

// genesis is the chain before the first segment of a journal.
func genesis(s stream) hash {
	return sha256.Sum256(append([]byte("hopgate journal v1\n"), s[:]...))
}

// segment is what the name and the header of a segment say to those who need not read on.
type segment struct {
	first   uint64 // sequence number of its first record
	created time.Time
}

func (s segment) name() string { return fmt.Sprintf("%020d%s", s.first, segmentSuffix) }

// header is the start of a segment.
type header struct {
	stream  stream
	created time.Time
	chain   hash // before the header
	tree    tree // over all records before the segment; its size is the segment's first record
}

func (h *header) encode() []byte {
	b := append(make([]byte, 0, fixedHeader+len(h.tree.edge)*tlog.HashSize), segmentMagic...)
	b = binary.BigEndian.AppendUint32(b, formatVersion)
	b = append(b, h.stream[:]...)
	b = binary.BigEndian.AppendUint64(b, h.tree.size)
	b = binary.BigEndian.AppendUint64(b, uint64(h.created.UnixNano())) // after 1970
	b = append(b, h.chain[:]...)
	for i := range h.tree.edge {
		b = append(b, h.tree.edge[i][:]...)
	}
	return b
}

// readHeader reads the header at the start of r, and returns its bytes too.
func readHeader(r io.ReaderAt) (h header, raw []byte, err error) {
	raw = make([]byte, fixedHeader, fixedHeader+64*tlog.HashSize)
	if _, err := r.ReadAt(raw, 0); err != nil {
		return h, nil, fmt.Errorf("reading a segment header: %w", err)
	}
	if !bytes.HasPrefix(raw, []byte(segmentMagic)) {
		return h, nil, errors.New("this is no journal segment")
	}
	b := raw[len(segmentMagic):]
	if v := binary.BigEndian.Uint32(b); v != formatVersion {
		return h, nil, fmt.Errorf("format version %d is not known", v)
	}
	b = b[4+copy(h.stream[:], b[4:]):]
	h.tree.size = binary.BigEndian.Uint64(b)
	h.created = time.Unix(0, int64(binary.BigEndian.Uint64(b[8:]))).UTC()
	copy(h.chain[:], b[16:])

	n := bits.OnesCount64(h.tree.size)
	raw = raw[:fixedHeader+n*tlog.HashSize]
	if _, err := r.ReadAt(raw[fixedHeader:], fixedHeader); err != nil {
		return h, nil, fmt.Errorf("reading a segment header: %w", err)
	}
	h.tree.edge = make([]tlog.Hash, n)
	for i := range h.tree.edge {
		copy(h.tree.edge[i][:], raw[fixedHeader+i*tlog.HashSize:])
	}
	return h, raw, nil
}

// openSegment opens a segment of a folder for reading.
func openSegment(dir string, s segment) (*os.File, header, []byte, error) {
	f, err := os.Open(filepath.Join(dir, s.name()))
	if err != nil {
		return nil, header{}, nil, fmt.Errorf("opening a segment: %w", err)
	}
	h, raw, err := readHeader(f)
	if err != nil {
		_ = f.Close() // read only
		return nil, header{}, nil, &Damage{Segment: s.name(), Seq: s.first, What: err.Error()}
	}
	return f, h, raw, nil
}

// listSegments returns the segments of a folder in order. Only names are read.
func listSegments(dir string) ([]segment, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing the journal: %w", err)
	}
	var segs []segment
	for _, e := range names {
		digits, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(digits, 10, 64)
		s := segment{first: first}
		if err != nil || s.name() != e.Name() {
			return nil, &Damage{Segment: e.Name(), What: "this is no name of a segment"}
		}
		segs = append(segs, s)
	}
	slices.SortFunc(segs, func(a, b segment) int { // names of equal length sort so already; a ReadDir need not
		return strings.Compare(a.name(), b.name())
	})
	return segs, nil
}
