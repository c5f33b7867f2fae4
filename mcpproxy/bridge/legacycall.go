package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
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
	back   chan arrival    // what came while questions were gathered, and is no question
	ctx    context.Context //nolint:containedctx // the call's own life, which the client's requests end before
	stop   context.CancelFunc

	// While the call is held; guarded by the mutex of the bridge.
	asked  []asked
	expire *time.Timer
}

// asked is one question of the server that the client has not answered yet.
type asked struct {
	name     string // in inputRequests
	id       []byte // of the server's request, raw
	question []byte // raw, as the client has got it
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

// offer hands over what came outside the call's own stream; false when nobody takes it in time. A call that is held takes
// nothing, and what others wait for must not wait for it.
func (k *legacyCall) offer(ctx context.Context, a arrival) bool {
	timer := time.NewTimer(hearTime)
	defer timer.Stop()
	select {
	case k.in <- a:
		return true
	case <-k.ctx.Done():
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}

func (k *legacyCall) forget() {
	k.t.mu.Lock()
	defer k.t.mu.Unlock()
	delete(k.t.calls, k)
}

// inputName begins the names of the questions in a result.
const inputName = "hopgate-"

// legacyStream is what comes back for one request of a client: the answer of the server, or a question of it.
type legacyStream struct {
	k      *legacyCall
	id     []byte // of the client, raw
	token  []byte // of its progress, raw; nil for none
	repeat []byte // the request, where it may be sent again
	ended  bool   // the answer was there
	held   string // name of the call, where it waits for the client
	early  *arrival
}

// Next returns the next message; see [upstream.Stream].
func (s *legacyStream) Next(ctx context.Context) (*upstream.Incoming, error) {
	for {
		if s.ended {
			return nil, io.EOF
		}
		var a arrival
		select {
		case a = <-s.k.back:
		case a = <-s.k.in:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", upstream.ErrUnknownOutcome, context.Cause(ctx))
		}
		if a.err != nil {
			if next, ok := s.again(ctx, a.err); ok {
				s.k = next.k
				continue
			}
			return s.broken(a.err)
		}
		if in, err := s.take(ctx, a.in); in != nil || err != nil {
			return in, err
		}
	}
}

// broken is what a stream ends with that broke off.
func (s *legacyStream) broken(err error) (*upstream.Incoming, error) {
	if s.nameless(err) {
		s.ended = true
		return s.k.t.l.incoming(failure(s.id, codeNotFound, textNoSuchMethod))
	}
	return nil, unknown(err)
}

// take makes of a message of the server what the client gets. Both are nil where that is nothing.
func (s *legacyStream) take(ctx context.Context, m *upstream.Incoming) (*upstream.Incoming, error) {
	switch f := &m.Frame; {
	case f.Response():
		s.ended = true
		return s.translate(m)
	case f.Kind == wire.KindRequest && questions[method(f)]:
		open := s.gather(ctx, f)
		in, err := s.asks(open)
		if in != nil || err != nil {
			return in, err
		}
		for _, q := range open {
			_ = s.k.t.say(ctx, failure(q.id, codeLimit, "Too many calls wait for answers.")) // a server that is gone waits for nothing
		}
	case f.Kind == wire.KindRequest:
		s.k.t.refuse(ctx, f)
	default:
		if raw := s.notified(f); raw != nil {
			return s.k.t.l.event(m, raw)
		}
	}
	return nil, nil //nolint:nilnil // there is more to come
}

// nameless reports whether a server refuses, by an HTTP status alone, a method that no revision defines.
func (s *legacyStream) nameless(err error) bool {
	var status *upstream.StatusError
	if !errors.As(err, &status) || !Foreign(status.Code) {
		return false
	}
	room, _, _ := strings.Cut(s.k.method, "/")
	return !rooms[room]
}

// rooms are what the names of the protocol's methods begin with.
var rooms = map[string]bool{"tools": true, "prompts": true, "resources": true, "completion": true, "tasks": true}

// unknown is an error of the stream. That a session has ended, or what HTTP says of one, means nothing to a client that has
// none, but that nobody knows what became of the request.
func unknown(err error) error {
	var status *upstream.StatusError
	if errors.Is(err, upstream.ErrSessionEnded) || errors.As(err, &status) && Foreign(status.Code) {
		return fmt.Errorf("%w: %v", upstream.ErrUnknownOutcome, err) //nolint:errorlint // what it is here, it is not there
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
		return l.incoming(answer(s.id, "error", raw)) // its status, which a stream has not, says it too
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

// gather takes the questions that a server asks at the same time as one: a client gets them together, as many as fit into
// one message. The others wait until these are answered.
func (s *legacyStream) gather(ctx context.Context, f *wire.Frame) []asked {
	open := []asked{s.ask(f)}
	size := len(open[0].question)
	timer := time.NewTimer(gatherTime)
	defer timer.Stop()
	for len(open) < maxAsked {
		select {
		case a := <-s.k.in:
			if a.err != nil || a.in.Frame.Kind != wire.KindRequest || !questions[method(&a.in.Frame)] || size+len(a.in.Frame.Raw) > s.k.t.l.Limits.Frame {
				s.early = &a
				return open
			}
			open = append(open, s.ask(&a.in.Frame))
			size += len(open[len(open)-1].question)
		case <-timer.C:
			return open
		case <-ctx.Done():
			return open
		}
	}
	return open
}

// gatherTime is for how long a server may go on asking at the same time.
const gatherTime = 50 * time.Millisecond

func (s *legacyStream) ask(f *wire.Frame) asked {
	return asked{inputName + s.k.t.l.next(), bytes.Clone(f.Get(wire.ID)), questionOf(f)}
}

// asks answers the client with questions of the server, and holds the call. Both are nil where it cannot be held.
func (s *legacyStream) asks(open []asked) (*upstream.Incoming, error) {
	if s.early != nil {
		s.k.back <- *s.early // has room: there is one at a time, and it is taken before the next
		s.early = nil
	}
	state, ok := s.k.t.l.hold(s.k, open)
	if !ok {
		return nil, nil //nolint:nilnil // the server is told
	}
	s.held, s.ended = state, true
	raw := []byte(`{"resultType":"input_required","inputRequests":{`)
	for i, q := range open {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = join(raw, `"`+q.name+`":`, q.question)
	}
	return s.k.t.l.incoming(result(s.id, append(raw, `},"requestState":"`+state+`"}`...)))
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
