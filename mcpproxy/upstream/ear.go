package upstream

import (
	"bufio"
	"bytes"
	"errors"
)

// maxNoise bounds the lines in a row that are no messages.
const maxNoise = 256

const (
	errLine  = violation("a line is longer than the limit")
	errBabel = violation("too many lines in a row are no messages")
)

// ear reads what a child says. It belongs to the one who has the chair.
type ear struct {
	child    *child
	outlet   *outlet
	br       *bufio.Reader
	part     *message // whose line is not read to its end; nil: none
	noise    int      // lines in a row that were no messages
	answered bool     // the child has written a message
	response bool     // the last line was an answer
	left     *message // that its consumer has no room for; nil: none
	to       *inbox   // whom it is for
}

// read reads a line and brings it to the one whom it is for. A message that there is no room for is kept for the next read,
// which waits for room.
func (e *ear) read() error {
	if e.left != nil {
		m := e.left
		e.left = nil
		e.child.deliver(e.to, m)
		return nil
	}
	if e.part == nil {
		e.part = newMessage()
	}
	var err error
	if e.part.buf, err = appendLine(e.part.buf, e.br, e.child.limits.Frame); err != nil {
		if !errors.Is(err, errRung) {
			e.part.free()
			e.part = nil
		}
		return err
	}
	m := e.part
	e.part, e.response = nil, false
	if !e.child.parse(m) {
		if e.noise++; e.noise > maxNoise {
			return errBabel
		}
		return nil
	}
	e.noise, e.answered, e.response = 0, true, m.Frame.Response()
	e.to, e.left = e.child.bring(m)
	return nil
}

// calm reports whether nothing is to be read that is known of.
func (e *ear) calm() bool {
	return e.part == nil && e.left == nil && e.br.Buffered() == 0 && !e.child.underWay()
}

// appendLine appends a line without its end. A line that the end of the stream cuts off is none.
func appendLine(dst []byte, br *bufio.Reader, limit int) ([]byte, error) {
	for {
		part, err := br.ReadSlice('\n')
		if len(dst)+len(part) > limit+2 { // the end of a line has two bytes at most
			return dst, errLine
		}
		dst = append(dst, part...)
		switch {
		case err == nil:
			dst = dst[:len(dst)-1]
			return bytes.TrimSuffix(dst, []byte("\r")), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return dst, err
		}
	}
}
