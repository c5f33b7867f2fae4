package upstream

import (
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// route says whom a message of a child is for, and of which request it is where it names one. It is for nobody where to
// is nil. The hub's mutex is held.
//
//   - An answer is for the request of its id.
//   - Progress is for the request that gave the token; a notification of a subscription, or the end of one, for the
//     request that opened it; the cancellation of a server's request for whoever has got that.
//   - Anything else names no request. If there is one only, it is of that. Else it is for the listener, and where nobody
//     listens for the newest request; if there is none, it waits for a listener.
//
// A child that is shared sends no requests (2026-07-28, basic/transports/stdio), and what names a request there that is
// not under way is for nobody.
func (h *hub) route(f *wire.Frame) (to *inbox, of *call) {
	switch {
	case f.Response():
		if of = h.find(h.byID, f.Get(wire.ID)); of == nil {
			h.paid(f.Get(wire.ID))
		}
		return h.owner(of)
	case f.Kind == wire.KindRequest && h.shared:
		return nil, nil
	case f.Kind == wire.KindRequest:
		return h.ask(f.Get(wire.ID)), nil
	case isMethod(f, methodProgress):
		of = h.find(h.byToken, f.Get(wire.ParamsProgressToken))
	case isMethod(f, methodCancelled):
		if to := h.withdraw(f.Get(wire.ParamsRequestID)); to != nil {
			return to, nil
		}
		of = h.subscription(f.Get(wire.ParamsRequestID))
	case f.Has(wire.MetaSubscriptionID):
		of = h.subscription(f.Get(wire.MetaSubscriptionID))
	default:
		return h.general(), nil
	}
	if k := h.alias(f.Get(wire.MetaSubscriptionID)); k != nil && k != of {
		return nil, nil // of the subscription that had the id before
	}
	if of == nil && !h.shared {
		return h.general(), nil // a task's progress goes on when its request is answered
	}
	return h.owner(of)
}

func (h *hub) owner(k *call) (*inbox, *call) {
	if k == nil {
		return nil, nil
	}
	return &k.inbox, k
}

func (h *hub) find(in map[string]*call, raw []byte) *call {
	var buf [64]byte
	return in[string(keyOf(raw, buf[:0]))]
}

func (h *hub) subscription(raw []byte) *call {
	if k := h.find(h.byID, raw); k != nil && k.subscribes {
		return k
	}
	return nil
}

// general returns who takes a message that names no request.
func (h *hub) general() *inbox {
	switch {
	case h.plain == 1, h.plain > 1 && !h.listening:
		return &h.newest.inbox
	default:
		return &h.rest
	}
}

// ask remembers where a request of the server goes, so that its cancellation goes there too.
func (h *hub) ask(id []byte) *inbox {
	to := h.general()
	if len(h.asked) < maxAsked {
		var buf [64]byte
		h.asked[string(keyOf(id, buf[:0]))] = to
	}
	return to
}

// withdraw returns where a request of the server has gone that is over now.
func (h *hub) withdraw(id []byte) *inbox {
	var buf [64]byte
	key := keyOf(id, buf[:0])
	to := h.asked[string(key)]
	delete(h.asked, string(key))
	return to
}

// forget drops a consumer that is gone. What waits for it and names no request goes to the listener.
func (h *hub) forget(b *inbox) {
	b.closed = true
	var passed map[string]bool // ids of requests that the listener gets
	for m := b.pop(); m != nil; m = b.pop() {
		switch {
		case !m.loose:
			m.free()
		case !h.rest.room(len(m.buf)):
			h.counts.lost.Add(1)
			m.free()
		default:
			if m.Frame.Kind == wire.KindRequest {
				if passed == nil {
					passed = map[string]bool{}
				}
				passed[string(keyOf(m.Frame.Get(wire.ID), nil))] = true
			}
			h.rest.push(m)
		}
	}
	h.signal()
	for id, to := range h.asked {
		switch {
		case to != b:
		case passed[id]:
			h.asked[id] = &h.rest
		default:
			delete(h.asked, id)
		}
	}
}
