package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/http"
)

// maxHead bounds the heads of one response together, informational ones included.
const maxHead = 32 << 10

// maxSession bounds a session id.
const maxSession = 1 << 10

// What a response's head can do wrong.
const (
	errHeadSize   = violation("the head of the response is larger than the limit")
	errHeadLine   = violation("a line of the response's head does not end in CR LF")
	errStatusLine = violation("the status line is malformed")
	errField      = violation("a header of the response is malformed")
	errRepeated   = violation("a header of the response that may stand once stands twice")
	errLength     = violation("the response has no single length")
	errSwitch     = violation("the response switches protocols")
	errEncoded    = violation("the response is compressed, though nothing offered to take it so")
)

// media is what a response's content is.
type media uint8

const (
	mediaNone media = iota
	mediaJSON
	mediaEvents
	mediaOther
)

// head is what counts of a response's head (RFC 9112).
type head struct {
	status  int
	media   media
	length  int64 // of the content; -1: chunked, or to the end of the connection
	chunked bool
	old     bool   // HTTP/1.0
	keep    bool   // the connection can take another request
	patient int64  // seconds for which the server waits for that; 0: it has not said
	session []byte // Mcp-Session-Id as it stands, cut one byte past maxSession
	seen    field
}

// field is a set of headers that may stand once.
type field uint8

const (
	fieldLength field = 1 << iota
	fieldTransfer
	fieldType
	fieldEncoding
	fieldSession
)

// read reads a response's head, past informational ones. It is strict where lenient readers differ from each other: line
// ends, white space around names, repeated headers, two ways to tell the length.
func (h *head) read(br *bufio.Reader) error {
	left := maxHead
	for {
		if err := h.one(br, &left); err != nil {
			return err
		}
		switch {
		case h.status == http.StatusSwitchingProtocols:
			return errSwitch
		case h.status >= 200:
			return nil
		}
	}
}

func (h *head) one(br *bufio.Reader, left *int) error {
	line, err := readLine(br, left)
	if err != nil {
		return err
	}
	*h = head{length: -1, session: h.session[:0]}
	if err := h.statusLine(line); err != nil {
		return err
	}
	for {
		line, err := readLine(br, left)
		switch {
		case err != nil:
			return midway(err)
		case len(line) == 0:
			return h.settle()
		}
		if err := h.field(line); err != nil {
			return err
		}
	}
}

// readLine returns a line without its end. It is valid until the next read.
func readLine(br *bufio.Reader, left *int) ([]byte, error) {
	line, err := br.ReadSlice('\n')
	*left -= len(line)
	switch n := len(line) - 2; {
	case errors.Is(err, bufio.ErrBufferFull) || *left < 0:
		return nil, errHeadSize
	case err != nil && len(line) > 0:
		return nil, midway(err)
	case err != nil:
		return nil, err
	case n < 0 || line[n] != '\r':
		return nil, errHeadLine
	default:
		return line[:n], nil
	}
}

// statusLine reads HTTP/1.1 200 OK.
func (h *head) statusLine(line []byte) error {
	if len(line) < 12 || len(line) > 12 && line[12] != ' ' || !isText(line) {
		return errStatusLine
	}
	switch string(line[:9]) {
	case "HTTP/1.1 ":
	case "HTTP/1.0 ":
		h.old = true
	default:
		return errStatusLine
	}
	h.keep = !h.old
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return errStatusLine
		}
		h.status = 10*h.status + int(c-'0')
	}
	if h.status < 100 || h.status > 599 {
		return errStatusLine
	}
	return nil
}

func (h *head) field(line []byte) error {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || !isToken(name) || !isText(value) {
		return errField
	}
	value = bytes.Trim(value, " \t")
	switch {
	case equalFold(name, "Content-Type"):
		h.media = mediaOf(value)
		return h.once(fieldType)
	case equalFold(name, "Content-Length"):
		if h.length, ok = parseLength(value); !ok {
			return errLength
		}
		return h.once(fieldLength)
	case equalFold(name, "Transfer-Encoding"):
		if !equalFold(value, "chunked") {
			return errLength
		}
		h.chunked = true
		return h.once(fieldTransfer)
	case equalFold(name, "Content-Encoding"):
		return h.once(fieldEncoding)
	case equalFold(name, "Connection"):
		for option := range bytes.SplitSeq(value, []byte(",")) {
			if equalFold(bytes.Trim(option, " \t"), "close") {
				h.keep = false
			}
		}
	case equalFold(name, "Keep-Alive"):
		h.patient = patience(value)
	case equalFold(name, "Mcp-Session-Id"):
		h.session = append(h.session, value[:min(len(value), maxSession+1)]...)
		return h.once(fieldSession)
	}
	return nil
}

// patience reads timeout=5, max=100. It is a hint that no standard has kept; servers that give it close a connection
// when it is over, and a request that crosses that on the way is lost.
func patience(value []byte) int64 {
	for option := range bytes.SplitSeq(value, []byte(",")) {
		if n, ok := bytes.CutPrefix(bytes.Trim(option, " \t"), []byte("timeout=")); ok {
			seconds, _ := parseLength(n)
			return max(seconds, 0)
		}
	}
	return 0
}

func (h *head) once(f field) error {
	if h.seen&f != 0 {
		return errRepeated
	}
	h.seen |= f
	return nil
}

// settle says how long the content is (RFC 9112 section 6.3).
func (h *head) settle() error {
	switch {
	case h.chunked && (h.seen&fieldLength != 0 || h.old):
		return errLength
	case h.status < 200 || h.status == http.StatusNoContent || h.status == http.StatusNotModified:
		h.length, h.chunked = 0, false
	case h.seen&fieldEncoding != 0:
		return errEncoded
	case h.length < 0 && !h.chunked:
		h.keep = false
	}
	return nil
}

// mediaOf tells a media type; its parameters say nothing that is not fixed for JSON and for event streams.
func mediaOf(value []byte) media {
	kind, _, _ := bytes.Cut(value, []byte(";"))
	kind = bytes.TrimRight(kind, " \t")
	switch {
	case equalFold(kind, "application/json"):
		return mediaJSON
	case equalFold(kind, "text/event-stream"):
		return mediaEvents
	default:
		return mediaOther
	}
}

// parseLength reads digits, up to 15 of them.
func parseLength(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 15 {
		return -1, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// equalFold compares ASCII without regard to case.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if lower(c) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// isToken reports whether b is a token of RFC 9110 section 5.6.2.
func isToken[T []byte | string](b T) bool {
	for i := range len(b) {
		if !tokenBytes[b[i]] {
			return false
		}
	}
	return len(b) > 0
}

var tokenBytes = func() (t [256]bool) {
	for _, c := range "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		t[c] = true
	}
	return t
}()

// isText reports whether b is without control characters, as a header's value has to be.
func isText[T []byte | string](b T) bool {
	for i := range len(b) {
		if c := b[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// midway says that an end came where more was announced.
func midway(err error) error {
	return fmt.Errorf("within a response: %w", err)
}
