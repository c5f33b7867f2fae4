package upstream

import (
	"context"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// maxWaiting bounds the messages that wait for one consumer. Their bytes are bounded by the limit of one message.
const maxWaiting = 64

// message is a frame on its way from a child to the one whom it is for.
type message struct {
	Incoming // of which Frame refers to buf
	buf      []byte
	loose    bool // it names no request, and is for the listener where the request that it went to is over
	next     *message
}

var messages = sync.Pool{New: func() any { return new(message) }}

func newMessage() *message {
	m, _ := messages.Get().(*message)
	return m
}

// free gives a message back. Nothing may refer to it any more.
func (m *message) free() {
	if cap(m.buf) <= maxKept {
		m.buf, m.loose, m.next, m.Frame = m.buf[:0], false, nil, wire.Frame{}
		messages.Put(m)
	}
}

// inbox holds what has come for one consumer. All but current is guarded by the mutex of the hub.
type inbox struct {
	hub         *hub
	reader      *reader // from which the consumer reads; nil where it does not
	first, last *message
	n, size     int           // messages and bytes that wait
	wake        chan struct{} // holds one token where there may be something new
	stuck       bool          // the consumer has let a message be lost; it is not waited for until it takes one
	closed      bool          // there is no consumer any more
	err         error         // what comes behind the messages

	current *message // that the consumer has
}

// room reports whether another message fits. One always does.
func (b *inbox) room(size int) bool {
	return b.n == 0 || b.n < maxWaiting && b.size+size <= b.hub.limits.Frame
}

func (b *inbox) push(m *message) {
	if b.last == nil {
		b.first = m
	} else {
		b.last.next = m
	}
	b.last = m
	b.n++
	b.size += len(m.buf)
	b.signal()
}

func (b *inbox) pop() *message {
	m := b.first
	if m == nil {
		return nil
	}
	if b.first = m.next; b.first == nil {
		b.last = nil
	}
	m.next = nil
	b.n--
	b.size -= len(m.buf)
	return m
}

// signal wakes the consumer.
func (b *inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// fail says what comes behind the messages that wait, unless that is settled.
func (b *inbox) fail(err error) {
	if b.err == nil {
		b.err = err
		b.signal()
	}
}

// Next returns the next message, waiting for it.
func (b *inbox) Next(ctx context.Context) (*Incoming, error) {
	b.release()
	for {
		m, err := b.take()
		switch {
		case m != nil:
			b.current = m
			return &m.Incoming, nil
		case err != nil:
			return nil, err
		}
		if b.reader != nil {
			b.reader.wait(ctx, b)
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return nil, because(ctx, ErrUnknownOutcome, ctx.Err())
		}
	}
}

// ready reports whether there is something to take.
func (b *inbox) ready() bool {
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	return b.first != nil || b.err != nil
}

func (b *inbox) take() (*message, error) {
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	m := b.pop()
	if m == nil {
		return nil, b.err
	}
	b.stuck = false
	b.hub.signal()
	return m, nil
}

// release gives the message back that the consumer has.
func (b *inbox) release() {
	if b.current != nil {
		b.current.free()
		b.current = nil
	}
}
