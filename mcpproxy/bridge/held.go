package bridge

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// hold keeps a call until the client answers, and returns its name; false where too many are held.
func (l *ToLegacy) hold(k *legacyCall, open []asked) (state string, ok bool) {
	state = l.next()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.held) >= maxHeld {
		return "", false
	}
	k.asked = open
	k.expire = time.AfterFunc(holdTime, func() { l.drop(state) })
	l.held[state] = k
	return state, true
}

// take returns a held call, where the method is its own; an empty one is anybody's. Each is taken once.
func (l *ToLegacy) take(state, method string) *legacyCall {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.held[state]
	if k == nil || method != "" && k.method != method {
		return nil // a state that is brought back with another call leaves its own where it is
	}
	delete(l.held, state)
	k.expire.Stop()
	return k
}

// drop gives up a held call: the server hears that its question has no answer, and that nobody waits for its own.
func (l *ToLegacy) drop(state string) {
	if k := l.take(state, ""); k != nil {
		k.abandon()
	}
}

func (k *legacyCall) abandon() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.t.l.Life), takeTime)
	defer cancel()
	for _, q := range k.asked {
		_ = k.t.say(ctx, failure(q.id, codeInternal, "Nobody answered.")) // nor is it of any use to a server that is gone
	}
	_ = k.inner.Cancel(ctx, "no answer awaited")
	k.stop()
}

// goOn takes a client's answer to the call that waits for it.
func (l *ToLegacy) goOn(ctx context.Context, f *wire.Frame) (upstream.Stream, error) {
	state, _ := f.Text(wire.ParamsRequestState)
	k := l.take(string(state), method(f))
	if k == nil {
		return l.said(failure(f.Get(wire.ID), codeParams, "The requestState is not of a call that waits."))
	}
	s := &legacyStream{k: k, id: bytes.Clone(f.Get(wire.ID)), token: bytes.Clone(f.Get(wire.MetaProgressToken))}
	var left []asked
	for _, q := range k.asked {
		e, ok := wire.Lookup(f.Get(wire.ParamsInputResponses), q.name)
		if !ok || !isObject(e.Value) {
			left = append(left, q)
			continue
		}
		if err := k.t.say(ctx, result(q.id, e.Value)); err != nil {
			k.stop()
			return nil, fmt.Errorf("%w: %w", upstream.ErrUnknownOutcome, err)
		}
	}
	if left == nil {
		return s, nil
	}
	in, err := s.asks(left) // once more
	if in == nil && err == nil {
		err = errBusy
	}
	if err != nil {
		k.asked = left
		k.abandon()
		return nil, err
	}
	return &one{in}, nil
}

// errBusy says that too many calls wait for their clients.
var errBusy = fmt.Errorf("%w: too many calls wait for answers", upstream.ErrUnknownOutcome)
