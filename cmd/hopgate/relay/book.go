package relay

import (
	"bytes"
	"errors"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// limits are wider than any that can be configured: what is too large is the owner's to refuse.
var limits = wire.Limits{Frame: maxLine, Depth: 1 << 16, Keys: maxLine, Name: maxLine}

// greeting is how a client began its session.
type greeting struct {
	id           string // of initialize, raw
	hello, ready []byte // initialize and notifications/initialized, as they were sent, each a line
	version      string // agreed on; empty while there is none
}

// initialized notes that the client says so. Of a batch that alone is kept: what came with it is never sent twice.
func (g *greeting) initialized(raw []byte) {
	if g.hello != nil && g.ready == nil {
		g.ready = line(raw)
	}
}

// line is a copy of a message, with a line end.
func line(raw []byte) []byte { return append(bytes.Clone(raw), '\n') }

// book knows what of a conversation is open: whose requests wait, and what a new owner has to be told.
type book struct {
	mu     sync.Mutex          // guards all
	open   map[string]struct{} // raw ids of requests that the client has sent
	asked  map[string]struct{} // raw ids of requests that this owner has sent
	stale  map[string]struct{} // those that an owner before has sent, and that this one knows nothing of
	said   greeting            // agreed on
	saying greeting            // sent, and not answered
}

func newBook() *book {
	return &book{open: map[string]struct{}{}, asked: map[string]struct{}{}, stale: map[string]struct{}{}}
}

// members calls f for a message, or for each message of a batch, and with its bytes. What cannot be read is left out.
func members(text []byte, from wire.Side, f func(m *wire.Frame, raw []byte)) {
	var frame wire.Frame
	var fault *wire.Fault
	switch err := wire.Parse(&frame, text, from, &limits); {
	case err == nil:
		f(&frame, bytes.TrimSpace(text))
	case errors.As(err, &fault) && fault.Problem == wire.Batch:
		for _, raw := range wire.Elements(bytes.TrimSpace(text)) {
			if wire.Parse(&frame, raw, from, &limits) == nil {
				f(&frame, raw)
			}
		}
	}
}

// sent notes what the client says. It reports false where that is not to be sent: an answer to an owner that is gone would
// be one that nobody asked for.
func (b *book) sent(text []byte) (send bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	send = true
	members(text, wire.FromAgent, func(f *wire.Frame, raw []byte) {
		id := f.Get(wire.ID)
		switch f.Kind {
		case wire.KindRequest:
			b.open[string(id)] = struct{}{}
			if f.String(wire.Method) == "initialize" {
				b.saying = greeting{id: string(id), hello: line(raw)}
			}
		case wire.KindNotification:
			switch f.String(wire.Method) {
			case "notifications/cancelled":
				delete(b.open, string(f.Get(wire.ParamsRequestID)))
			case "notifications/initialized":
				b.said.initialized(raw)
				b.saying.initialized(raw) // some clients do not wait for the answer
			}
		default:
			if _, gone := b.stale[string(id)]; gone {
				delete(b.stale, string(id))
				send = false
			}
			delete(b.asked, string(id))
		}
	})
	return send
}

// received notes what the owner says.
func (b *book) received(text []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	members(text, wire.FromUpstream, func(f *wire.Frame, _ []byte) {
		id := string(f.Get(wire.ID))
		switch {
		case f.Kind == wire.KindRequest:
			b.asked[id] = struct{}{}
			delete(b.stale, id)
		case f.Response():
			delete(b.open, id)
			if b.saying.hello != nil && b.saying.id == id {
				if f.Kind == wire.KindResult {
					b.said = b.saying
					b.said.version = f.String(wire.ResultProtocolVersion)
				}
				b.saying = greeting{}
			}
		}
	})
}

// lost calls f for each request that waits, and forgets them. What the owner has asked is stale from now on.
func (b *book) lost(f func(id []byte)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := range b.open {
		f([]byte(id))
	}
	for id := range b.asked {
		b.stale[id] = struct{}{}
	}
	clear(b.open)
	clear(b.asked)
	b.saying = greeting{}
}

// refuse calls f for each request in what the client says, with nil where its id cannot be read.
func (b *book) refuse(text []byte, f func(id []byte)) {
	if len(bytes.TrimSpace(text)) == 0 {
		return
	}
	read := false
	members(text, wire.FromAgent, func(m *wire.Frame, _ []byte) {
		read = true
		if m.Kind == wire.KindRequest {
			f(m.Get(wire.ID))
		}
	})
	if !read {
		f(nil)
	}
}

// greeting is what a new owner has to be told.
func (b *book) greeting() greeting {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.said
}
