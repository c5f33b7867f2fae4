package upstream

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// maxAsked bounds the requests of a server that a hub remembers until they are answered.
const maxAsked = 256

// hub brings what one child says to the ones whom it is for. All messages of a child share one stream, so whom one is
// for has to be told from the message.
type hub struct {
	shared bool // ids and tokens on the stream are our own; the child belongs to nobody in particular
	limits wire.Limits
	stall  time.Duration
	counts *counts
	space  chan struct{} // holds one token where a consumer has taken a message
	ending chan struct{} // closed when nothing is waited for any more

	mu        sync.Mutex        // guards what follows, and all inboxes
	byID      map[string]*call  // by keyOf the id that the child knows
	byToken   map[string]*call  // by keyOf the progress token that the child knows
	aliased   map[string]*call  // of byID those that go under an alias, by keyOf their own id
	owed      map[string]bool   // ids of requests that were given up, and may still be answered; by keyOf
	asked     map[string]*inbox // whom a request of the server went to, by keyOf its id
	newest    *call             // of byID, without subscriptions; the others hang on it
	plain     int               // how many these are
	rest      inbox             // what is for nobody in particular
	listening bool              // rest has a consumer
	serial    uint64            // of the last request with an id of our own
	over      error             // why nothing can be sent any more

	edits wire.Edits // of the goroutine that dispatches
}

func newHub(shared bool, limits wire.Limits, stall time.Duration, n *counts) *hub {
	h := &hub{
		shared: shared, limits: limits, stall: stall, counts: n, space: make(chan struct{}, 1), ending: make(chan struct{}),
		byID: map[string]*call{}, byToken: map[string]*call{}, asked: map[string]*inbox{},
	}
	h.rest = inbox{hub: h, wake: make(chan struct{}, 1)}
	return h
}

// add registers a request before it is sent.
func (h *hub) add(k *call) error {
	var buf [64]byte
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over != nil {
		return ErrSessionEnded
	}
	if err := h.name(k); err != nil {
		return err
	}
	h.byID[k.key] = k
	if len(k.token.raw) > 0 {
		k.tokenKey = k.key
		if !h.shared {
			k.tokenKey = string(keyOf(k.token.raw, buf[:0]))
		}
		h.byToken[k.tokenKey] = k // of two that say the same, the newer is meant
	}
	if !k.subscribes {
		h.plain++
		if k.older = h.newest; k.older != nil {
			k.older.newer = k
		}
		h.newest = k
	}
	return nil
}

// remove forgets a request, if it is under way.
func (h *hub) remove(k *call) {
	if h.byID[k.key] != k {
		return
	}
	delete(h.byID, k.key)
	h.unname(k)
	if h.byToken[k.tokenKey] == k {
		delete(h.byToken, k.tokenKey)
	}
	if k.subscribes {
		return
	}
	h.plain--
	if k.newer == nil {
		h.newest = k.older
	} else {
		k.newer.older = k.older
	}
	if k.older != nil {
		k.older.newer = k.newer
	}
	k.older, k.newer = nil, nil
}

// dispatch brings a message to the one whom it is for, and waits for room there. It owns the message from then on. One
// goroutine calls it.
func (h *hub) dispatch(m *message) {
	if to, left := h.bring(m); left != nil {
		h.deliver(to, left)
	}
}

// bring brings a message to the one whom it is for. It owns the message from then on, but for one that it returns: there is
// no room for it, and somebody has to deliver it before the next one. One goroutine at a time calls it.
func (h *hub) bring(m *message) (to *inbox, left *message) {
	h.mu.Lock()
	to, of := h.route(&m.Frame)
	final := of != nil && m.Frame.Response()
	if final {
		h.remove(of)
	}
	m.loose = of == nil && !m.Frame.Response()
	h.edits = h.edits[:0]
	if of != nil {
		h.restore(of, &m.Frame)
	}
	h.mu.Unlock()
	if to == nil {
		h.counts.stray.Add(1)
		m.free()
		return nil, nil
	}
	m, err := h.rewrite(m)
	switch {
	case final:
		h.answer(to, m, err)
	case err != nil:
		h.counts.malformed.Add(1)
	case !h.offer(to, m):
		return to, m
	}
	return nil, nil
}

// underWay reports whether requests wait for their answers.
func (h *hub) underWay() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.byID) > 0
}

// restore notes what a message says of a request otherwise than the request was written.
func (h *hub) restore(of *call, f *wire.Frame) {
	switch {
	case f.Response():
		h.edit(f.Span(wire.ID), f.Raw, of.id.raw)
		if !of.subscribes {
			return
		}
		var buf [64]byte
		if e, ok := wire.Lookup(f.Get(wire.ResultMeta), keySubscription); ok && string(keyOf(e.Value, buf[:0])) == of.key {
			at := f.Span(wire.ResultMeta).Lo
			h.edit(wire.Span{Lo: at + e.ValueAt.Lo, Hi: at + e.ValueAt.Hi}, f.Raw, of.id.raw)
		}
	case isMethod(f, methodProgress):
		h.edit(f.Span(wire.ParamsProgressToken), f.Raw, of.token.raw)
	case isMethod(f, methodCancelled):
		h.edit(f.Span(wire.ParamsRequestID), f.Raw, of.id.raw)
	default:
		h.edit(f.Span(wire.MetaSubscriptionID), f.Raw, of.id.raw)
	}
}

func (h *hub) edit(at wire.Span, raw, want []byte) {
	if !bytes.Equal(raw[at.Lo:at.Hi], want) {
		h.edits = append(h.edits, wire.Edit{At: at, New: want})
	}
}

// rewrite makes the noted edits. The message is given back where it cannot.
func (h *hub) rewrite(m *message) (*message, error) {
	if len(h.edits) == 0 {
		return m, nil
	}
	out := newMessage()
	var err error
	if out.buf, err = h.edits.Splice(out.buf, m.buf); err == nil {
		roomy := h.limits
		roomy.Frame += len(out.buf) - min(len(m.buf), len(out.buf)) // it was within the limit as it came
		err = wire.Parse(&out.Frame, out.buf, wire.FromUpstream, &roomy)
	}
	m.free()
	if err != nil {
		out.free()
		return nil, err
	}
	return out, nil
}

// answer hands over what ends a request. There is always room for it.
func (h *hub) answer(to *inbox, m *message, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err != nil:
		to.fail(fmt.Errorf("%w: %w", ErrProtocol, err))
	case to.closed:
		h.counts.stray.Add(1)
		m.free()
	default:
		to.push(m)
		to.fail(io.EOF)
	}
}

// deliver hands over a message that is no answer. Where the consumer has no room, a child that belongs to it alone is
// kept waiting for a while.
func (h *hub) deliver(to *inbox, m *message) {
	if h.offer(to, m) {
		return
	}
	timer := time.NewTimer(h.stall)
	defer timer.Stop()
	for waiting := true; waiting; {
		select {
		case <-h.space:
		case <-timer.C:
			waiting = false
		case <-h.ending:
			waiting = false
		}
		if h.offer(to, m) {
			return
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	to.stuck = true
	h.counts.lost.Add(1)
	m.free()
}

// offer reports whether a message is dealt with: it waits for its consumer, or it is lost because nobody may be kept
// waiting for that one.
func (h *hub) offer(to *inbox, m *message) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if to.closed && m.loose {
		to = &h.rest
	}
	switch {
	case to.closed:
		h.counts.stray.Add(1)
		m.free()
	case to.room(len(m.buf)):
		to.push(m)
	case to == &h.rest && !h.listening:
		for !to.room(len(m.buf)) {
			to.pop().free() // of what nobody listens to the oldest goes
			h.counts.lost.Add(1)
		}
		to.push(m)
	case h.shared || to.stuck:
		h.counts.lost.Add(1)
		m.free()
	default:
		return false
	}
	return true
}

// signal wakes the one who waits for room.
func (h *hub) signal() {
	select {
	case h.space <- struct{}{}:
	default: // it will look anyway
	}
}

// reject fails the request whose answer could not be read.
func (h *hub) reject(id []byte, why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if k := h.find(h.byID, id); k != nil {
		h.remove(k)
		k.fail(fmt.Errorf("%w: %w", ErrProtocol, why))
	}
}

// hangUp fails all who wait: requests with what it means to them, the listener with the end of the session.
func (h *hub) hangUp(what error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = what
	for _, k := range h.byID {
		h.remove(k)
		k.fail(what)
	}
	h.rest.fail(ErrSessionEnded)
}
