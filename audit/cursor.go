package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// cursor walks the frames of a journal in order and checks that each follows from the one before. It reads while a
// writer appends: what it has read once never changes.
type cursor struct {
	dir  string
	segs []segment
	at   int // index of the open segment

	file  *os.File
	ahead window
	off   int64 // of the frame to read next
	zeros int64 // at the end of the journal, where next has found it
	known bool  // whether stream, chain and tree are known; the first header is taken at its word

	stream stream
	chain  hash // before the frame to read next
	before hash // before the header of the open segment
	tree   tree
	frame  frame // that next has read

	entered func()      // called when a segment after the first is opened
	added   func(*tree) // called for each record
}

// newCursor starts at the segment with index at. The caller closes it.
func newCursor(dir string, segs []segment, at int) (*cursor, error) {
	c := &cursor{dir: dir, segs: segs, at: at}
	err := c.enter()
	if err != nil {
		c.close()
	}
	return c, err
}

func (c *cursor) close() {
	if c.file != nil {
		_ = c.file.Close() // read only
		c.file = nil
	}
}

// seq returns the sequence number of the record that comes next.
func (c *cursor) seq() uint64 { return c.tree.size }

// enter opens the segment at and checks that it follows from the one before.
func (c *cursor) enter() error {
	c.close()
	seg := c.segs[c.at]
	f, h, raw, err := openSegment(c.dir, seg)
	if err != nil {
		return err
	}
	c.file, c.ahead.len = f, 0
	what := ""
	switch {
	case h.tree.size != seg.first:
		what = "the header does not fit the name"
	case h.tree.size == 0 && h.chain != genesis(h.stream):
		what = "the journal does not begin as it should"
	case c.known && h.stream != c.stream:
		what = "the segment is of another journal"
	case c.known && h.tree.size != c.tree.size:
		what = fmt.Sprintf("records %d to %d are missing", c.tree.size, h.tree.size)
	case c.known && (h.chain != c.chain || !slices.Equal(h.tree.edge, c.tree.edge)):
		what = "the segment does not follow from the one before"
	}
	if what != "" {
		return &Damage{Segment: seg.name(), Seq: c.tree.size, What: what}
	}
	c.segs[c.at].created = h.created
	c.known, c.stream, c.tree, c.before = true, h.stream, h.tree, h.chain
	c.chain, c.off = sha256.Sum256(raw), int64(len(raw))
	return nil
}

// next reads a frame into c.frame. At the end it returns io.EOF or a *Torn, and may be called again when there may be
// more; a *Damage ends the walk.
func (c *cursor) next() error {
	for {
		ok, err := c.read()
		if err != nil {
			return err
		}
		if ok {
			return c.accept()
		}
		c.zeros = 0
		info, err := c.file.Stat()
		if err != nil {
			return fmt.Errorf("reading a segment: %w", err)
		}
		switch last := c.at == len(c.segs)-1; {
		case info.Size() != c.off:
			return c.judge(info.Size(), last)
		case last:
			return io.EOF
		}
		c.at++
		if err := c.enter(); err != nil {
			return err
		}
		if c.entered != nil {
			c.entered()
		}
	}
}

// refresh learns of segments that were begun since the last look.
func (c *cursor) refresh() error {
	segs, err := listSegments(c.dir)
	if err != nil {
		return err
	}
	last := c.segs[len(c.segs)-1].first
	for _, s := range segs {
		if s.first > last {
			c.segs = append(c.segs, s)
		}
	}
	return nil
}

// read reads the bytes of a frame and reports whether they are a sound frame that follows from the chain.
func (c *cursor) read() (ok bool, err error) {
	defer func() {
		if !ok {
			c.ahead.len = 0 // a writer may complete them
		}
	}()
	head, err := c.ahead.at(c.file, c.off, frameHeader)
	if err != nil {
		return false, fmt.Errorf("reading a segment: %w", err)
	}
	length, first, records, sound := readFrameHeader(head)
	if !sound || first != c.tree.size {
		return false, nil
	}
	size := frameHeader + length + sha256.Size
	b, err := c.ahead.at(c.file, c.off, size)
	if err != nil {
		return false, fmt.Errorf("reading a segment: %w", err)
	}
	c.frame = frame{
		buf: append(append(c.frame.buf[:0], c.chain[:]...), b...), first: first, records: records,
		segment: c.segs[c.at].first, off: c.off,
	}
	hashed, after := c.frame.buf[:sha256.Size+len(b)-min(len(b), sha256.Size)], b[len(b)-min(len(b), sha256.Size):]
	return len(b) == size && sha256.Sum256(hashed) == hash(after), nil
}

// window is a part of a file, read in one go: most frames are far shorter than a read should be.
type window struct {
	buf []byte
	off int64 // in the file
	len int   // bytes of buf that were read
}

// readAhead is how many bytes a window has at least.
const readAhead = 256 << 10

// at returns the bytes at a place, fewer where the file ends. They are valid until the next call.
func (w *window) at(f io.ReaderAt, off int64, n int) ([]byte, error) {
	if off < w.off || off+int64(n) > w.off+int64(w.len) {
		w.buf = slices.Grow(w.buf[:0], max(n, readAhead))
		w.buf, w.off = w.buf[:cap(w.buf)], off
		var err error
		if w.len, err = f.ReadAt(w.buf, off); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	start := int(off - w.off)
	return w.buf[start:min(start+n, w.len)], nil
}

// accept takes a sound frame into chain and tree.
func (c *cursor) accept() error {
	if err := c.frame.check(); err != nil {
		return c.damage(err.Error())
	}
	for leaf := range c.frame.leaves() {
		c.tree.add(leaf)
		if c.added != nil {
			c.added(&c.tree)
		}
	}
	copy(c.chain[:], c.frame.buf[len(c.frame.buf)-sha256.Size:])
	c.off += int64(len(c.frame.bytes()))
	return nil
}

// judge says what an invalid end is: torn where it may be, damage where something valid lies behind it.
func (c *cursor) judge(size int64, last bool) error {
	if !last {
		return c.damage("a frame is invalid, and there are segments behind it")
	}
	rest := make([]byte, sha256.Size+size-c.off)
	copy(rest, c.chain[:])
	n, err := c.file.ReadAt(rest[sha256.Size:], c.off)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading a segment: %w", err)
	}
	rest = rest[:sha256.Size+n] // a writer may have cut it meanwhile
	if blank(rest[sha256.Size:]) {
		c.zeros = int64(n)
		return io.EOF
	}
	if !validAfter(rest) {
		torn := int64(len(bytes.TrimRight(rest[sha256.Size:], "\x00")))
		return &Torn{Segment: c.segs[c.at].name(), Offset: c.off, Bytes: torn}
	}
	// A writer may have completed this frame, and written another, since it was read.
	if ok, err := c.read(); err != nil || !ok {
		return errors.Join(err, c.damage("a frame is invalid, and there are valid ones behind it"))
	}
	return c.accept()
}

func (c *cursor) damage(what string) *Damage {
	return &Damage{Segment: c.segs[c.at].name(), Offset: c.off, Seq: c.tree.size, What: what}
}
