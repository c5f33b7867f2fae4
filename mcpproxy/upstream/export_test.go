package upstream

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// TestOnlyResponse reads a whole response as a call does.
var TestOnlyResponse = func(r io.Reader, limit int) (status int, keep bool, content []byte, err error) {
	br := bufio.NewReaderSize(r, lineSize)
	var h head
	if err := h.read(br); err != nil {
		return 0, false, nil, err
	}
	b := newBody(br, &h)
	content, err = b.readAll(nil, limit, limit+1)
	return h.status, h.keep, content, err
}

// TestOnlyEvent is an event that carries a message, and what the stream has said by then.
type TestOnlyEvent struct {
	Data, ID string
	Retry    time.Duration
}

// TestOnlyEvents reads a stream to its end.
var TestOnlyEvents = func(r io.Reader, limit int) (events []TestOnlyEvent, ignored uint64, err error) {
	var n counts
	e := &eventReader{buf: make([]byte, 64)}
	e.reset(r, limit, &n)
	for {
		if err := e.next(); err != nil {
			return events, n.malformed.Load(), err
		}
		e.idle = 0
		events = append(events, TestOnlyEvent{string(e.data), string(e.id), e.retry})
	}
}

// TestOnlyViolation reports whether an error blames the server.
var TestOnlyViolation = blames

// TestOnlyReader returns a function that reads responses with the memory of the one before, as a connection does.
var TestOnlyReader = func() func(raw []byte) error {
	src := bytes.NewReader(nil)
	br := bufio.NewReaderSize(src, lineSize)
	var h head
	var buf []byte
	return func(raw []byte) error {
		src.Reset(raw)
		br.Reset(src)
		if err := h.read(br); err != nil {
			return err
		}
		b := newBody(br, &h)
		var err error
		buf, err = b.readAll(buf[:0], len(raw), len(raw)+1)
		return err
	}
}

// TestOnlyEventLoop returns a function that reads one event of a stream that repeats it for ever.
var TestOnlyEventLoop = func(event string) func() error {
	e := &eventReader{buf: make([]byte, 4<<10)}
	e.reset(&forever{s: event}, 1<<20, new(counts))
	return e.next
}

type forever struct {
	s  string
	at int
}

func (f *forever) Read(p []byte) (int, error) {
	n := copy(p, f.s[f.at:])
	f.at = (f.at + n) % len(f.s)
	return n, nil
}

// TestOnlyDispatch gives lines of a child to a hub at which requests wait, and returns what each of them gets, and the
// listener last.
var TestOnlyDispatch = func(shared bool, requests, lines []string) (got [][]string) {
	h := newHub(shared, wire.DefaultLimits, 1, new(counts))
	var boxes []*inbox
	for _, raw := range requests {
		var f wire.Frame
		if err := wire.Parse(&f, []byte(raw), wire.FromAgent, &wire.DefaultLimits); err != nil {
			panic(err)
		}
		k := &call{subscribes: isMethod(&f, methodSubscribe), inbox: inbox{hub: h, wake: make(chan struct{}, 1)}}
		k.id.set(f.Get(wire.ID))
		k.token.set(f.Get(wire.MetaProgressToken))
		if err := h.add(k); err != nil {
			panic(err)
		}
		boxes = append(boxes, &k.inbox)
	}
	for _, line := range lines {
		m := newMessage()
		m.buf = append(m.buf, line...)
		if wire.Parse(&m.Frame, m.buf, wire.FromUpstream, &h.limits) == nil {
			h.dispatch(m)
		}
	}
	for _, b := range append(boxes, &h.rest) {
		var texts []string
		for m := b.pop(); m != nil; m = b.pop() {
			texts = append(texts, string(m.Frame.Raw))
		}
		got = append(got, texts)
	}
	return got
}

// TestOnlyDialer opens connections for the host of a URL.
var TestOnlyDialer = (*Config).dialer

// TestOnlyReaches reports whether a host may have an address.
var TestOnlyReaches = func(host string, listed []netip.Prefix, a netip.Addr) bool {
	return (&reach{host: host, listed: listed}).allows(a)
}

// TestOnlyStderr returns what is logged of a child's stderr, line by line.
var TestOnlyStderr = func(text string, veil func(string) string) (all []string) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	d := diagnostics{log: zerolog.New(&out), clock: func() time.Time { return now }, veil: veil}
	d.copy(strings.NewReader(text))
	for line := range strings.Lines(out.String()) {
		var entry struct{ Line string }
		_ = json.Unmarshal([]byte(line), &entry) // zerolog writes JSON
		all = append(all, entry.Line)
	}
	return all
}

// TestOnlySettle reads so many bytes of a chunked body, settles, and returns what is then left in the buffer, and the rest
// of the body.
var TestOnlySettle = func(raw string, n int) (buffered int, rest string, err error) {
	b := body{br: bufio.NewReader(strings.NewReader(raw)), chunked: true}
	if _, err := io.ReadFull(&b, make([]byte, n)); err != nil {
		return 0, "", err
	}
	b.settle()
	buffered = b.br.Buffered()
	all, err := io.ReadAll(&b)
	return buffered, string(all), err
}

// TestOnlyMaxOwed is how many ids are remembered that are owed an answer.
const TestOnlyMaxOwed = maxOwed

// TestOnlyOwed returns how many ids of a link are owed an answer, and how many requests go under an alias.
var TestOnlyOwed = func(l Link) (owed, aliased int) {
	var h *hub
	switch l := l.(type) {
	case *child:
		h = l.hub
	case *remote:
		h = l.hub
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.owed), len(h.aliased)
}

// TestOnlyOutlet returns what breaks a read of a living process's output off, and what reads it: rung says that the read was
// broken off, and silent that the process was thought to say nothing more.
var TestOnlyOutlet = func(out *os.File) (ring func(), read func() (rung, silent bool)) {
	o := newOutlet(&process{out: out, exited: make(chan struct{})}, out, time.Now)
	return o.ring, func() (rung, silent bool) {
		_, err := o.Read(make([]byte, 1))
		return errors.Is(err, errRung), o.silent
	}
}
