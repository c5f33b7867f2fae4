package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// legacyCall is one request to the server. It outlives the request of the client where the server asks something: the
// client has an answer then, and brings its own with another request.
type legacyCall struct {
	t      *talk
	id     string // raw, ours; the progress token too
	method string
	level  int // of the logs that the client wants; 0: none
	inner  upstream.Stream
	in     chan arrival
	ctx    context.Context //nolint:containedctx // the call's own life, which the client's requests end before
	stop   context.CancelFunc

	// While the call is held; guarded by the mutex of the bridge.
	asked    []byte // raw id of the server's question
	question []byte // raw, as the client has got it
	expire   *time.Timer
}

// arrival is what comes for a call: a message, or the error that ends it.
type arrival struct {
	in  *upstream.Incoming
	err error
}

// pump moves messages to whoever serves the call at a time.
func (k *legacyCall) pump() {
	defer k.inner.Close()
	defer k.forget()
	for {
		in, err := k.inner.Next(k.ctx)
		a := arrival{err: err}
		if err == nil {
			a.in = clone(in)
		}
		if !k.give(a) || err != nil || in.Frame.Response() {
			return
		}
	}
}

// give hands a message over; false when the call is over.
func (k *legacyCall) give(a arrival) bool {
	select {
	case k.in <- a:
		return true
	case <-k.ctx.Done():
		return false
	}
}

func (k *legacyCall) forget() {
	k.t.mu.Lock()
	defer k.t.mu.Unlock()
	delete(k.t.calls, k)
}

// hold keeps a call until the client answers, and returns its name; false where too many are held.
func (l *ToLegacy) hold(k *legacyCall, asked, question []byte) (state string, ok bool) {
	state = l.next()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.held) >= maxHeld {
		return "", false
	}
	k.asked, k.question = asked, question
	k.expire = time.AfterFunc(holdTime, func() { l.drop(state) })
	l.held[state] = k
	return state, true
}

// take returns a held call. Each is taken once.
func (l *ToLegacy) take(state string) *legacyCall {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.held[state]
	if k != nil {
		delete(l.held, state)
		k.expire.Stop()
	}
	return k
}

// drop gives up a held call: the server hears that its question has no answer, and that nobody waits for its own.
func (l *ToLegacy) drop(state string) {
	if k := l.take(state); k != nil {
		k.abandon()
	}
}

func (k *legacyCall) abandon() {
	ctx, cancel := context.WithTimeout(context.Background(), takeTime)
	defer cancel()
	_ = k.t.say(ctx, failure(k.asked, codeInternal, "Nobody answered.")) // nor is it of any use to a server that is gone
	_ = k.inner.Cancel(ctx, "no answer awaited")
	k.stop()
}

// goOn takes a client's answer to the call that waits for it.
func (l *ToLegacy) goOn(ctx context.Context, f *wire.Frame) (upstream.Stream, error) {
	state, _ := f.Text(wire.ParamsRequestState)
	k := l.take(string(state))
	if k == nil || k.method != method(f) {
		return l.said(failure(f.Get(wire.ID), codeParams, "The requestState is not of a call that waits."))
	}
	s := &legacyStream{k: k, id: bytes.Clone(f.Get(wire.ID)), token: bytes.Clone(f.Get(wire.MetaProgressToken))}
	e, ok := wire.Lookup(f.Get(wire.ParamsInputResponses), inputName)
	if !ok || !isObject(e.Value) { // it is asked once more
		in, err := s.asks(k.asked, k.question)
		if err != nil {
			return nil, err
		}
		return &one{in}, nil
	}
	if err := k.t.say(ctx, result(k.asked, e.Value)); err != nil {
		k.stop()
		return nil, fmt.Errorf("%w: %w", upstream.ErrUnknownOutcome, err)
	}
	return s, nil
}

// inputName names the one question of a result.
const inputName = "hopgate"

// legacyStream is what comes back for one request of a client: the answer of the server, or a question of it.
type legacyStream struct {
	k      *legacyCall
	id     []byte // of the client, raw
	token  []byte // of its progress, raw; nil for none
	repeat []byte // the request, where it may be sent again
	ended  bool   // the answer was there
	held   string // name of the call, where it waits for the client
}

// Next returns the next message; see [upstream.Stream].
func (s *legacyStream) Next(ctx context.Context) (*upstream.Incoming, error) {
	for {
		if s.ended {
			return nil, io.EOF
		}
		var a arrival
		select {
		case a = <-s.k.in:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", upstream.ErrUnknownOutcome, context.Cause(ctx))
		}
		if a.err != nil {
			if next, ok := s.again(ctx, a.err); ok {
				s.k = next.k
				continue
			}
			return nil, unknown(a.err)
		}
		switch f := &a.in.Frame; {
		case f.Response():
			s.ended = true
			return s.translate(a.in)
		case f.Kind == wire.KindRequest && questions[method(f)]:
			in, err := s.asks(bytes.Clone(f.Get(wire.ID)), questionOf(f))
			if in != nil || err != nil {
				return in, err
			}
			s.k.t.refuse(ctx, f)
		case f.Kind == wire.KindRequest:
			s.k.t.refuse(ctx, f)
		default:
			if raw := s.notified(f); raw != nil {
				return s.k.t.l.event(a.in, raw)
			}
		}
	}
}

// unknown is an error of the stream. That a session has ended says nothing to a client that has none, but that nobody
// knows what became of the request.
func unknown(err error) error {
	if errors.Is(err, upstream.ErrSessionEnded) {
		return fmt.Errorf("%w: %w", upstream.ErrUnknownOutcome, err)
	}
	return err
}

// again sends the request in another session, where the server has forgotten this one and the request changes nothing.
func (s *legacyStream) again(ctx context.Context, err error) (*legacyStream, bool) {
	if s.repeat == nil || !errors.Is(err, upstream.ErrSessionEnded) || !Repeatable(s.k.method) {
		return nil, false
	}
	l := s.k.t.l
	f, err := l.read(s.repeat, wire.FromAgent)
	s.repeat = nil
	if err != nil {
		return nil, false
	}
	t, err := l.talk(ctx, f)
	if err != nil {
		return nil, false
	}
	next, err := t.send(ctx, f)
	return next, err == nil
}

// translate makes an answer of the later era.
func (s *legacyStream) translate(in *upstream.Incoming) (*upstream.Incoming, error) {
	l, f := s.k.t.l, &in.Frame
	if f.Kind == wire.KindError {
		raw := f.Get(wire.Error)
		if code, _ := wire.Lookup(raw, "code"); string(code.Value) == codeResource && s.k.method == methodRead {
			raw = replace(raw, "code", []byte(codeParams)) // SEP-2164
		}
		return l.event(in, answer(s.id, "error", raw))
	}
	raw := f.Get(wire.Result)
	if isObject(raw) {
		members := `"resultType":"complete"`
		if cached[s.k.method] {
			members += `,"ttlMs":0,"cacheScope":"private"`
		}
		raw = with(without(raw, "resultType", "ttlMs", "cacheScope", "inputRequests", "requestState"), members)
	}
	return l.event(in, result(s.id, raw))
}

// questionOf is a question of the server as a result holds it.
func questionOf(f *wire.Frame) []byte {
	raw := join(`{"method":`, f.Get(wire.Method))
	if p := f.Get(wire.Params); isObject(p) {
		p = without(p, "task")
		if m, ok := wire.Lookup(p, "_meta"); ok && isObject(m.Value) {
			p = replace(p, "_meta", without(m.Value, "progressToken"))
		}
		raw = join(raw, `,"params":`, p)
	}
	return append(raw, '}')
}

// asks answers the client with a question of the server, and holds the call. Both are nil where it cannot be held.
func (s *legacyStream) asks(id, question []byte) (*upstream.Incoming, error) {
	state, ok := s.k.t.l.hold(s.k, id, question)
	if !ok {
		return nil, nil //nolint:nilnil // the server is told
	}
	s.held, s.ended = state, true
	return s.k.t.l.incoming(result(s.id, join(
		`{"resultType":"input_required","inputRequests":{"`+inputName+`":`, question, `},"requestState":"`+state+`"}`,
	)), 0)
}

// notified is a notification as the client gets it, or nil where it does not: progress under its own token, logs from the
// level on that it wants, and nothing that belongs to no request.
func (s *legacyStream) notified(f *wire.Frame) []byte {
	switch method(f) {
	case methodProgress:
		if token := f.Get(wire.ParamsProgressToken); s.token == nil || key(token) != key([]byte(s.k.id)) {
			return nil
		}
		return splice(f.Raw, wire.Edits{{At: f.Span(wire.ParamsProgressToken), New: s.token}})
	case methodMessage:
		level, _ := f.Text(wire.ParamsLevel)
		if n := levels[string(level)]; s.k.level == 0 || n < s.k.level {
			return nil
		}
		return f.Raw
	default:
		return nil
	}
}

// Cancel gives the call up; see [upstream.Stream]. A question that it waits with is answered with an error.
func (s *legacyStream) Cancel(ctx context.Context, reason string) error {
	if s.held != "" {
		s.k.t.l.drop(s.held)
		return nil
	}
	if s.ended {
		return nil
	}
	return s.k.inner.Cancel(ctx, reason)
}

// Close gives up what is left. A call that is held goes on.
func (s *legacyStream) Close() {
	if s.held == "" {
		s.k.stop()
	}
}
