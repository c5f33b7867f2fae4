package ingress

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	holdAnswer = 32 << 10        // bytes of an answer without a length that wait for a Flush
	joinAnswer = 64 << 10        // bytes that are copied behind their head, so that both go in one write
	slackTime  = 5 * time.Second // by which a write deadline may be earlier than asked for
)

// answer is the ResponseWriter of a plain request. It works as that of net/http does, save that it guesses no content
// type. An answer that is not a stream goes out when the handler has returned, head and content in one piece.
type answer struct {
	conn    *plain
	header  http.Header
	keys    []string
	status  int   // 0: none yet
	length  int64 // of the content; -1: not known
	written int64
	sent    bool // the head is
	last    bool // no request may follow on the connection
	held    []byte
	out     []byte
	err     error
}

func (a *answer) begin() {
	clear(a.header)
	_ = a.SetWriteDeadline(a.conn.server.clock().Add(writeTime)) // where that fails, so does the write
	a.status, a.length, a.written, a.sent, a.last, a.err, a.held = 0, -1, 0, false, false, nil, a.held[:0]
}

// Header returns the headers that will be sent.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader settles status and headers.
func (a *answer) WriteHeader(status int) {
	if a.status != 0 {
		return
	}
	a.status = status
	if v := a.header["Content-Length"]; len(v) == 1 {
		a.length = parseLength(v[0])
	}
}

// Write takes a part of the content.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.written += int64(len(p))
	switch {
	case a.err != nil:
		return 0, a.err
	case a.length < 0:
		if a.held = append(a.held, p...); len(a.held) > holdAnswer {
			a.err = a.FlushError()
		}
	case a.written > a.length:
		return 0, http.ErrContentLength
	case !a.sent && len(a.held)+len(p) <= joinAnswer:
		a.held = append(a.held, p...)
	default:
		if !a.sent {
			a.send(append(a.head(), a.held...))
			a.held = a.held[:0]
		}
		if a.written == a.length {
			a.conn.unheed() // the peer may answer the last byte with a request, of which the watch would take the first
		}
		a.send(p)
	}
	if a.err != nil {
		return 0, a.err
	}
	return len(p), nil
}

// FlushError sends what is held back. An answer of which no length is known by then goes in chunks.
func (a *answer) FlushError() error {
	a.WriteHeader(http.StatusOK)
	out := a.out[:0]
	if !a.sent {
		out = a.head()
		a.conn.heedNow()
	}
	switch {
	case len(a.held) == 0:
	case a.length >= 0:
		out = append(out, a.held...)
		a.held = a.held[:0]
	default:
		out = append(strconv.AppendInt(out, int64(len(a.held)), 16), "\r\n"...)
		out = append(append(out, a.held...), "\r\n"...)
		a.held = a.held[:0]
	}
	if len(out) > 0 {
		a.send(out)
	}
	return a.err
}

// finish sends what is left, and reports whether another request may follow.
func (a *answer) finish() bool {
	a.WriteHeader(http.StatusOK)
	switch {
	case a.length < 0 && a.sent:
		if a.FlushError() == nil {
			a.send(append(a.out[:0], "0\r\n\r\n"...))
		}
	case !a.sent:
		if a.length < 0 {
			a.length = a.written
		}
		a.send(append(a.head(), a.held...))
	}
	if cap(a.out) > joinAnswer {
		a.out = nil
	}
	if cap(a.held) > joinAnswer {
		a.held = nil
	}
	return a.err == nil && !a.last && (a.length < 0 || a.length == a.written)
}

// head writes the head of the answer.
func (a *answer) head() []byte {
	a.sent = true
	b := append(a.out[:0], "HTTP/1.1 "...)
	b = append(strconv.AppendInt(b, int64(a.status), 10), ' ')
	b = append(append(b, http.StatusText(a.status)...), "\r\nDate: "...)
	b = append(append(b, a.conn.server.today()...), "\r\n"...)
	a.keys = slices.AppendSeq(a.keys[:0], maps.Keys(a.header))
	slices.Sort(a.keys)
	for _, name := range a.keys {
		for _, v := range a.header[name] {
			switch {
			case name == "Content-Length" || !isPrintable(v):
				continue // the one is written below; the other no handler of ours sets
			case name == "Connection":
				a.last = a.last || strings.EqualFold(v, "close")
				continue
			}
			b = append(append(b, name...), ": "...)
			b = append(append(b, v...), "\r\n"...)
		}
	}
	select {
	case <-a.conn.server.leaving:
		a.last = true
	default:
	}
	if a.last {
		b = append(b, "Connection: close\r\n"...)
	}
	if a.length < 0 {
		return append(b, "Transfer-Encoding: chunked\r\n\r\n"...)
	}
	b = strconv.AppendInt(append(b, "Content-Length: "...), a.length, 10)
	return append(b, "\r\n\r\n"...)
}

func (a *answer) send(b []byte) {
	if a.err == nil {
		_, a.err = a.conn.nc.Write(b)
	}
	if cap(b) > cap(a.out) && cap(b) <= joinAnswer {
		a.out = b[:0]
	}
}

// SetReadDeadline bounds the reading of the content. It costs nothing where that is in the buffer.
func (a *answer) SetReadDeadline(t time.Time) error {
	a.conn.wantReadBy = t
	return nil
}

// SetWriteDeadline bounds the writing. A deadline that is a little earlier stays: to set one for every answer costs as much
// as to write its head.
func (a *answer) SetWriteDeadline(t time.Time) error {
	c := a.conn
	if !c.writeBy.After(t) && !c.writeBy.Before(t.Add(-slackTime)) {
		return nil
	}
	c.writeBy = t
	return c.nc.SetWriteDeadline(t)
}
