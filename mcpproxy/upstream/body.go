package upstream

import (
	"bufio"
	"errors"
	"io"
	"slices"
)

// chunkLine bounds the line that announces a chunk, extensions included.
const chunkLine = 256

const (
	errChunk   = violation("the chunks of the response are malformed")
	errContent = violation("the content of the response is larger than the limit")
)

// body is the content of one response (RFC 9112 section 6). Its end is io.EOF; where the connection ends before, that is
// io.ErrUnexpectedEOF.
type body struct {
	br      *bufio.Reader
	left    int64 // bytes of the content, or of the chunk, that are not read yet; -1: up to the end of the connection
	chunked bool
	inside  bool // a chunk has begun, and its CR LF is not read
	done    bool
}

func newBody(br *bufio.Reader, h *head) body {
	b := body{br: br, left: h.length, chunked: h.chunked, done: h.length == 0}
	if b.chunked {
		b.left = 0
	}
	return b
}

// here reports whether all that is left has come with the head, so that nobody waits for it.
func (b *body) here() bool {
	return !b.chunked && b.left >= 0 && (b.left == 0 || int64(b.br.Buffered()) >= b.left)
}

func (b *body) Read(p []byte) (int, error) {
	if b.done || len(p) == 0 {
		return 0, b.end()
	}
	if b.chunked && b.left == 0 {
		if err := b.chunk(); err != nil {
			return 0, err
		}
		if b.done {
			return 0, io.EOF
		}
	}
	if b.left >= 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.br.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
		b.done = b.left == 0 && !b.chunked
		err = cutShort(err)
	} else if errors.Is(err, io.EOF) {
		b.done = true
	}
	if n > 0 {
		return n, nil // what went wrong behind them shows again
	}
	return 0, err
}

func (b *body) end() error {
	if b.done {
		return io.EOF
	}
	return nil
}

// chunk reads from the end of one chunk to the beginning of the next, or to the end of the content.
func (b *body) chunk() error {
	budget := chunkLine
	if b.inside {
		line, err := readLine(b.br, &budget)
		if err != nil || len(line) > 0 {
			return b.broken(err)
		}
	}
	line, err := readLine(b.br, &budget)
	if err != nil {
		return b.broken(err)
	}
	size, ok := parseChunk(line)
	switch {
	case !ok:
		return errChunk
	case size > 0:
		b.left, b.inside = size, true
		return nil
	}
	for budget = maxHead; ; { // trailers say nothing that we want to know
		line, err := readLine(b.br, &budget)
		switch {
		case err != nil:
			return b.broken(err)
		case len(line) == 0:
			b.done = true
			return nil
		}
	}
}

// settle takes the end of a chunk that was read, if it is here already. Then nothing of the content is left in the buffer.
func (b *body) settle() {
	if !b.inside || b.left != 0 || b.br.Buffered() < 2 {
		return
	}
	if end, err := b.br.Peek(2); err == nil && string(end) == "\r\n" {
		_, _ = b.br.Discard(2) // they are buffered
		b.inside = false
	}
}

// broken tells a malformed chunk from a connection that failed.
func (b *body) broken(err error) error {
	if err == nil || errors.Is(err, errHeadLine) || errors.Is(err, errHeadSize) {
		return errChunk
	}
	return cutShort(err)
}

// parseChunk reads the size of a chunk, at most 8 hexadecimal digits, before any extension.
func parseChunk(line []byte) (size int64, ok bool) {
	n := 0
	for n < len(line) && n <= 8 {
		c := lower(line[n])
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case n > 0 && (c == ';' || c == ' ' || c == '\t'):
			return size, isText(line)
		default:
			return 0, false
		}
		size = size<<4 | int64(c)
		n++
	}
	return size, n > 0 && n <= 8
}

// cutShort says of an end that it came too early.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// errRoom says that there is room needed for more.
var errRoom = errors.New("no room for more of the answer")

// believed is how many bytes have to come before it is believed how many will.
const believed = 64 << 10

// readAll reads the content behind what dst has of it, up to a limit in bytes. It returns errRoom where more comes than there
// is room for, and is called again then. What the server announces is not believed until some of it comes.
func (b *body) readAll(dst []byte, limit, room int) ([]byte, error) {
	if int64(len(dst))+b.left > int64(limit) {
		return dst, errContent
	}
	for !b.done {
		if len(dst) >= room {
			return dst, errRoom
		}
		if len(dst) == cap(dst) {
			n := 4 << 10
			if len(dst) >= believed && !b.chunked {
				n = max(n, int(b.left))
			}
			dst = slices.Grow(dst, n)
		}
		n, err := b.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > limit:
			return dst, errContent
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
	return dst, nil
}
