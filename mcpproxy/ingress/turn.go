package ingress

import (
	"bytes"
	"context"
	"sync"
)

// turn is one message's turn.
type turn struct {
	*conversation
	load
	line   bytes.Buffer
	msg    Message
	alone  bool // nothing may overtake the message
	answer bool // it has room of its own
	passed bool // the next message may go
}

var turns = sync.Pool{New: func() any { return new(turn) }}

func newTurn(d *conversation) *turn {
	t, _ := turns.Get().(*turn)
	t.conversation = d
	return t
}

// start waits until it is the message's turn, and deals with it in a goroutine of its own.
func (t *turn) start(ctx context.Context) error {
	select {
	case t.room() <- struct{}{}:
	case <-ctx.Done():
		t.drop()
		return context.Cause(ctx)
	}
	switch {
	case t.passed: // it has overtaken the others
	case t.alone:
		t.order.Lock()
	default:
		t.order.RLock()
	}
	t.begin()
	t.hands.deal(ctx, t)
	return nil
}

// startNow is start where there is nothing to wait for, and reports whether that is so. A single message is left to the one
// who has read it.
func (t *turn) startNow(ctx context.Context) bool {
	select {
	case t.room() <- struct{}{}:
	default:
		return false
	}
	if ctx.Err() != nil || t.alone && !t.order.TryLock() || !t.alone && !t.order.TryRLock() {
		<-t.room()
		return false
	}
	t.begin()
	if t.single() && t.quick() {
		t.mine = t
	} else {
		t.hands.deal(ctx, t)
	}
	return true
}

func (t *turn) begin() {
	if t.alone && !t.passed {
		t.held.Store(mayBeGreeting(t.line.Bytes()))
	}
	t.work.Add(1)
	t.msg = Message{Raw: t.line.Bytes(), turn: t}
}

// quick reports whether it may be thought that a turn is quickly done. It is asked by who reads.
func (d *conversation) quick() bool {
	if d.slow > 0 {
		d.slow--
		return false
	}
	return true
}

// single reports whether the message is all that the peer has said by now and has no answer to.
func (t *turn) single() bool {
	return !t.alone && !t.passed && len(t.slots) == 1 && len(t.answers) == 0 && !t.in.ahead()
}

// room bounds the messages of a kind that are dealt with.
func (t *turn) room() chan struct{} {
	if t.answer {
		return t.answers
	}
	return t.slots
}

func (t *turn) run(ctx context.Context) {
	d, room := t.conversation, t.room()
	defer func() {
		t.pass()
		t.drop()
		if t.line.Cap() <= leastLoad { // it may come to wait on a connection that says nothing for hours
			t.conversation, t.msg, t.load = nil, Message{}, load{}
			turns.Put(t)
		}
		<-room
		d.work.Done()
	}()
	d.guest.Post(ctx, &t.msg, plainReply{d.out})
}

// pass lets the next message go.
func (t *turn) pass() {
	switch {
	case t.passed:
	case t.alone:
		t.passed = true
		t.held.Store(false)
		t.order.Unlock()
	default:
		t.passed = true
		t.order.RUnlock()
	}
}
