package ingress

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// errLine tells of a line that was longer than the limit. It was read to its end and dropped.
var errLine = errors.New("line too long")

// readLine reads one line into buf, without its line break. Empty lines are passed over. At the end of the input it
// returns io.EOF, with what the input held of an unfinished line in buf; an unfinished line that is too long comes first.
// A line for which holds finds no room is dropped too, as errLoad.
func readLine(in *bufio.Reader, buf *bytes.Buffer, limit int, holds *load) error {
	buf.Reset()
	var dropped error
	for {
		part, err := in.ReadSlice('\n')
		n := buf.Len() + len(part)
		switch {
		case dropped != nil:
		case n > limit+2:
			dropped = errLine
		case n > leastLoad && !holds.grow(n):
			dropped = errLoad
		default:
			buf.Write(part)
		}
		if dropped != nil {
			*buf = bytes.Buffer{} // it may be large
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case dropped != nil && (err == nil || errors.Is(err, io.EOF)):
			return dropped
		case err != nil:
			return err
		}
		buf.Truncate(len(bytes.TrimRight(buf.Bytes(), "\r\n")))
		if buf.Len() > 0 {
			return nil
		}
	}
}

// lineWriter writes whole lines; several goroutines share it.
type lineWriter struct {
	slot chan struct{} // held while one writes; guards the rest
	gone chan struct{} // closed when nobody waits for the slot any more
	w    io.Writer
	buf  []byte
	err  error // of the first write that failed; nothing is written after it
}

func newLineWriter(w io.Writer) *lineWriter {
	return &lineWriter{slot: make(chan struct{}, 1), gone: make(chan struct{}), w: w}
}

// give lets nobody wait for the slot any more.
func (l *lineWriter) give() { close(l.gone) }

func (l *lineWriter) send(frame []byte) error {
	select {
	case l.slot <- struct{}{}:
	case <-l.gone:
		return errGone
	}
	defer func() { <-l.slot }()
	if l.err != nil {
		return l.err
	}
	l.buf = append(appendLine(l.buf[:0], frame), '\n')
	_, l.err = l.w.Write(l.buf)
	if cap(l.buf) > keepBody {
		l.buf = nil
	}
	return l.err
}

// appendLine appends a message as one line. Line breaks between its tokens become spaces; inside strings JSON has none.
func appendLine(dst, frame []byte) []byte {
	at := len(dst)
	dst = append(dst, frame...)
	wire.OneLine(dst[at:])
	return dst
}
