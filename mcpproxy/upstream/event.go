package upstream

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync"
	"time"
)

const (
	maxEventID = 1 << 10          // a longer id cannot be continued from
	maxRetry   = 30 * time.Second // a server can ask us to stay away
	maxName    = 16               // bytes of a line besides the value

	maxIdleData = 1 << 10 // bytes of memory for data that a stream keeps while nothing is said on it
)

const (
	errEventSize = violation("an event is larger than the limit")
	errNoise     = violation("the stream goes on and on without a message")
)

// eventReader takes an event stream apart (HTML Living Standard, 9.2.6 "Interpreting an event stream"). It never holds
// more than one event.
type eventReader struct {
	src    io.Reader
	limit  int     // bytes of the data of one event, and of all else between two messages
	counts *counts // of events that are no messages

	also  string        // name of further events that next is to find; empty: none
	found bool          // the event is one of these
	data  []byte        // of the event that next has found
	id    []byte        // of the last complete event, empty where the server has no place to continue from
	retry time.Duration // before we come back, as the server wants it; 0: it has not said
	seen  int           // events that were complete and told an id or data
	idle  int           // bytes without a message since the owner set this to 0

	rest   func() error // waits where nothing is buffered, while the buffer serves others, or fails with errQuiet; nil: do not
	buf    []byte
	lo, hi int  // what of buf is not read yet
	cr     bool // the last line ended in CR; an LF now belongs to that
	begun  bool // a line has been read; a byte order mark can no longer come
	paused bool // next has not come to an end, and goes on where it was
	room   int  // bytes of an event that there is room for, with more next fails with errRoom; 0: any

	hasData, hasID, foreign bool // of the event that is being read
	nextID                  []byte
}

var eventReaders = sync.Pool{New: func() any { return new(eventReader) }}

// reset begins another stream. What the last one said of its id and of coming back still holds.
func (e *eventReader) reset(src io.Reader, limit int, c *counts) {
	e.src, e.limit, e.counts, e.rest = src, limit, c, nil
	e.lo, e.hi, e.cr, e.begun, e.paused = 0, 0, false, false, false
	e.nextID = append(e.nextID[:0], e.id...)
	e.clear()
}

// recycle lets another stream of another server use the reader.
func (e *eventReader) recycle() {
	e.id, e.retry, e.seen, e.idle, e.also, e.room = e.id[:0], 0, 0, 0, "", 0
	e.reset(nil, 0, nil)
	if cap(e.buf) <= maxKept && cap(e.data) <= maxKept {
		eventReaders.Put(e)
	}
}

func (e *eventReader) clear() {
	e.data, e.hasData, e.hasID, e.foreign, e.found = e.data[:0], false, false, false, false
}

// next reads to the end of the next event that carries a message. Its text is data then, until next is called again. The
// end of the stream is that of its source; an event that it cuts off is none. After errQuiet and errRoom it is called again.
func (e *eventReader) next() error {
	if !e.paused {
		e.clear()
	}
	e.paused = false
	for {
		line, err := e.line()
		if err != nil {
			return err
		}
		if !e.begun {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
			e.begun = true
		}
		if len(line) > 0 {
			err = e.field(line)
		} else if e.dispatch() {
			return nil
		}
		switch {
		case err != nil:
			return err
		case e.idle > e.limit:
			return errNoise
		}
	}
}

// line returns a line without its end, which is CR, LF or both. It is valid until the next read.
func (e *eventReader) line() ([]byte, error) {
	for at := e.lo; ; {
		if e.cr && at < e.hi {
			e.cr = false
			if e.buf[at] == '\n' {
				at++
				e.lo++
			}
		}
		n := lineEnd(e.buf[at:e.hi])
		if at += n; at < e.hi {
			line := e.buf[e.lo:at]
			e.cr = e.buf[at] == '\r'
			e.lo = at + 1
			return line, nil
		}
		if e.hi-e.lo > e.limit+maxName {
			return nil, errEventSize
		}
		at -= e.lo
		if err := e.more(); err != nil {
			return nil, err
		}
		at += e.lo
	}
}

// lineEnd returns the index of the first CR or LF, or the length.
func lineEnd(b []byte) int {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	if i := bytes.IndexByte(b, '\r'); i >= 0 {
		return i
	}
	return len(b)
}

// more reads something behind what is not read yet.
func (e *eventReader) more() error {
	if e.rest != nil && e.lo == e.hi {
		if err := e.idleness(); err != nil {
			return err
		}
	}
	if e.room > 0 && e.hi-e.lo+len(e.data) > e.room {
		e.paused = true
		return errRoom
	}
	if e.buf == nil {
		next, _ := pages.Get().(*[]byte)
		e.buf = *next
	}
	if e.lo > 0 {
		e.hi = copy(e.buf, e.buf[e.lo:e.hi])
		e.lo = 0
	}
	if e.hi == len(e.buf) {
		e.buf = slices.Grow(e.buf, len(e.buf))
		e.buf = e.buf[:cap(e.buf)]
	}
	for range 100 {
		n, err := e.src.Read(e.buf[e.hi:])
		e.hi += n
		if n > 0 {
			return nil // an error shows again
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// pages serve streams on which something is said.
var pages = sync.Pool{New: func() any { b := make([]byte, 4<<10); return &b }}

// idleness waits for something to read, without a buffer for it.
func (e *eventReader) idleness() error {
	if b := e.buf; b != nil && cap(b) <= maxKept {
		pages.Put(&b)
	}
	e.buf, e.lo, e.hi = nil, 0, 0
	if len(e.data) == 0 && cap(e.data) > maxIdleData {
		e.data = nil
	}
	err := e.rest()
	e.paused = errors.Is(err, errQuiet)
	return err
}

// field takes a line that is not empty. Comments are fields without a name.
func (e *eventReader) field(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "data":
		if e.hasData {
			e.data = append(e.data, '\n')
		}
		e.hasData = true
		if len(e.data)+len(value) > e.limit {
			return errEventSize
		}
		e.data = append(e.data, value...)
		return nil
	case "event":
		e.found = len(e.also) > 0 && string(value) == e.also
		e.foreign = len(value) > 0 && string(value) != "message" && !e.found
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			e.hasID = true
			e.nextID = append(e.nextID[:0], usableID(value)...)
		}
	case "retry":
		if ms, ok := parseLength(value); ok {
			e.retry = time.Duration(min(ms, maxRetry.Milliseconds())) * time.Millisecond
			e.retry = max(e.retry, 1) // 0 would be silence
		}
	}
	e.idle += len(line) + 1
	return nil
}

// usableID returns an id where it can be sent back as a header, nothing elsewhere.
func usableID(id []byte) []byte {
	if len(id) > maxEventID || !isPlain(id) {
		return nil
	}
	return id
}

// dispatch ends an event, and reports whether it carries a message.
func (e *eventReader) dispatch() bool {
	e.idle++
	if e.hasData || e.hasID {
		e.seen++
	}
	e.id = append(e.id[:0], e.nextID...)
	switch {
	case len(e.data) == 0: // only an id, or nothing at all
	case e.foreign:
		e.counts.malformed.Add(1)
		e.idle += len(e.data)
	default:
		return true
	}
	e.clear()
	return false
}
