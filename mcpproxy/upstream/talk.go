package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// talk is a conversation over one connection that carries all messages of both sides, in whatever order: the standard
// streams of a child, an event stream and what is posted, or a WebSocket. One that is shared belongs to nobody in
// particular.
type talk struct {
	*hub
	pen    pen
	reader *reader       // nil where callers do not read
	done   chan struct{} // closed when the server says nothing any more
}

// pen writes messages to a server. Any goroutine may use it.
type pen interface {
	// write writes a message; where k is not nil, the request k or its cancellation, under the names that the server knows
	// it by.
	write(ctx context.Context, f *wire.Frame, k *call) error
}

// Send writes one message. For a request it returns what the hub brings back.
func (t *talk) Send(ctx context.Context, out *Outgoing) (Stream, error) {
	f := out.Frame
	if f.Kind != wire.KindRequest {
		return nil, t.tell(ctx, f)
	}
	k := &call{talk: t, starts: isMethod(f, methodInitialize), subscribes: isMethod(f, methodSubscribe)}
	k.inbox = inbox{hub: t.hub, wake: make(chan struct{}, 1)}
	if !k.subscribes { // which would have the chair for ever
		k.reader = t.reader
	}
	k.id.set(f.Get(wire.ID))
	k.token.set(f.Get(wire.MetaProgressToken))
	if err := t.add(k); err != nil {
		return nil, err
	}
	if err := t.pen.write(ctx, f, k); err != nil {
		k.end(!unsent(err))
		return nil, err
	}
	return k, nil
}

// tell writes what has no answer.
func (t *talk) tell(ctx context.Context, f *wire.Frame) error {
	var k *call
	switch {
	case t.shared && f.Response():
		return fmt.Errorf("%w: a shared server asks nothing", ErrInvalid)
	case t.shared && isMethod(f, methodCancelled):
		return fmt.Errorf("%w: a request is cancelled on its stream", ErrInvalid)
	case f.Response():
		t.mu.Lock()
		t.withdraw(f.Get(wire.ID))
		t.mu.Unlock()
	case isMethod(f, methodCancelled):
		t.mu.Lock()
		k = t.alias(f.Get(wire.ParamsRequestID))
		t.mu.Unlock()
	}
	return t.pen.write(ctx, f, k)
}

// take brings what the server said to the one whom it is for, and reports whether it was a message. It owns m.
func (t *talk) take(m *message) bool {
	if !t.parse(m) {
		return false
	}
	t.dispatch(m)
	return true
}

// parse reads what the server said, and reports whether it was a message. What is none it owns.
func (t *talk) parse(m *message) bool {
	err := wire.Parse(&m.Frame, m.buf, wire.FromUpstream, &t.limits)
	if err == nil {
		return true
	}
	if len(bytes.TrimSpace(m.buf)) > 0 {
		t.counts.malformed.Add(1)
	}
	if fault, ok := errors.AsType[*wire.Fault](err); ok && fault.ID != nil {
		t.reject(fault.ID, fault)
	}
	m.free()
	return false
}

// Listen returns what is for nobody in particular, beginning with what has been kept of it.
func (t *talk) Listen(context.Context) (Stream, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.over != nil:
		return nil, ErrSessionEnded
	case t.listening:
		return nil, fmt.Errorf("%w: the link has a listener already", ErrInvalid)
	}
	t.listening = true
	return &tap{inbox: &t.rest}, nil
}

// Done is closed when nothing can be sent any more.
func (t *talk) Done() <-chan struct{} { return t.done }

// call is a request that a server has got, and what comes back for it.
type call struct {
	inbox
	talk          *talk
	id, token     ident  // as the request has them
	key, tokenKey string // as the hub finds them
	renamed       bool   // key is the id that the server knows it by, and not its own
	subscribes    bool   // answers only when the subscription ends
	starts        bool   // initialize
	older, newer  *call  // under way
}

// Cancel tells the server. Its answer may still come.
func (k *call) Cancel(ctx context.Context, reason string) error {
	t := k.talk
	t.mu.Lock()
	waiting := t.byID[k.key] == k
	t.mu.Unlock()
	if !waiting || k.starts {
		return nil
	}
	id := k.id.raw
	if k.renamed {
		id = []byte(k.key)
	}
	return t.pen.write(ctx, &wire.Frame{Raw: appendCancellation(nil, id, reason), Kind: wire.KindNotification}, nil)
}

// Close forgets the request. An answer that comes now is nobody's.
func (k *call) Close() { k.end(true) }

// end is Close; sent says whether the server may have got the request.
func (k *call) end(sent bool) {
	t := k.talk
	t.mu.Lock()
	defer t.mu.Unlock()
	k.release()
	if sent {
		t.owe(k)
	}
	t.remove(k)
	t.forget(&k.inbox)
	k.fail(errClosed)
}

// tap is the listener of a conversation.
type tap struct {
	*inbox
	closed bool
}

func (t *tap) Next(ctx context.Context) (*Incoming, error) {
	if t.closed {
		return nil, errClosed
	}
	return t.inbox.Next(ctx)
}

// Try is Next where that need not wait; see [Patient].
func (t *tap) Try(ctx context.Context, wake func()) (*Incoming, error) {
	if t.closed {
		return nil, errClosed
	}
	t.release()
	switch m, err := t.take(); {
	case m != nil:
		t.current = m
		return &m.Incoming, nil
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, because(ctx, ErrUnknownOutcome, ctx.Err())
	}
	go func() { // it is shallow, and so is its stack
		select {
		case <-t.wake:
		case <-ctx.Done():
		}
		wake()
	}()
	return nil, nil
}

// Cancel does nothing: there is no request to cancel.
func (t *tap) Cancel(context.Context, string) error { return nil }

// Close leaves what waits to the next listener.
func (t *tap) Close() {
	if t.closed {
		return
	}
	t.closed = true
	t.hub.mu.Lock()
	defer t.hub.mu.Unlock()
	t.release()
	t.hub.listening = false
}
