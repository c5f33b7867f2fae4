package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// question is something that a server asks in a result.
type question struct {
	name   []byte // raw, in inputRequests
	method string
	params []byte // raw, nil for none
	id     []byte // raw, of our request; nil until it is asked
	answer []byte // raw; nil until it is there
}

// take returns what a client has answered as the later era has it; there is no word for an error there, but for that of a
// user who has not answered.
func (q *question) take(f *wire.Frame) []byte {
	switch {
	case f.Kind == wire.KindResult:
		return bytes.Clone(f.Get(wire.Result))
	case q.method == "elicitation/create":
		return []byte(`{"action":"cancel"}`)
	default:
		return []byte("null")
	}
}

// modernStream is what comes back for one request: over several requests, where the server asks.
type modernStream struct {
	l      *ToModern
	id     []byte // of the client, raw
	first  []byte // the client's request
	method string
	level  []byte

	inner   upstream.Stream // one goroutine changes it, under the mutex of l
	round   int
	state   []byte     // raw, of the server; nil for none
	open    []question // guarded by the mutex of l
	answers chan struct{}
	gone    bool // nobody waits any more; guarded by the mutex of l
	done    bool
}

// send sends the request for the next round.
func (s *modernStream) send(ctx context.Context, answers, state []byte) error {
	id := s.id
	if s.round > 0 {
		s.l.mu.Lock()
		s.l.serial++
		id = strconv.AppendQuote(nil, "hopgate-round-"+strconv.Itoa(s.l.serial))
		s.l.mu.Unlock()
	}
	out, err := s.l.later(s.first, id, s.level, answers, state)
	if err != nil {
		return err
	}
	inner, err := s.l.link.Send(ctx, out)
	if err != nil {
		return err
	}
	s.l.mu.Lock()
	s.inner = inner
	gone := s.gone
	s.l.mu.Unlock()
	if gone { // it was cancelled between two rounds
		return inner.Cancel(ctx, "")
	}
	return nil
}

// Next returns the next message; see [upstream.Stream].
func (s *modernStream) Next(ctx context.Context) (*upstream.Incoming, error) {
	for {
		if s.done {
			return nil, io.EOF
		}
		if s.open != nil {
			in, err := s.question(ctx)
			if in != nil || err != nil {
				return in, err
			}
			continue
		}
		in, err := s.inner.Next(ctx)
		switch {
		case err != nil:
			return nil, s.unanswered(err)
		case in.Frame.Kind == wire.KindRequest:
			continue // a server of the later era has none
		case !in.Frame.Response():
			return in, nil
		}
		if in.Frame.Kind == wire.KindResult && in.Frame.String(wire.ResultType) == "input_required" {
			if err := s.begin(&in.Frame); err != nil {
				return nil, err
			}
			continue
		}
		s.done = true
		return s.translate(in)
	}
}

// unanswered is an error of the stream. A status that says to a session that it has ended says nothing of the kind here.
func (s *modernStream) unanswered(err error) error {
	if errors.Is(err, upstream.ErrSessionEnded) {
		return fmt.Errorf("%w: %w", upstream.ErrUnknownOutcome, err)
	}
	return err
}

// translate makes an answer of the earlier era.
func (s *modernStream) translate(in *upstream.Incoming) (*upstream.Incoming, error) {
	f := &in.Frame
	if f.Kind == wire.KindError {
		raw := f.Get(wire.Error)
		code, _ := wire.Lookup(raw, "code")
		data, _ := wire.Lookup(raw, "data")
		_, uri := wire.Lookup(data.Value, "uri")
		switch string(code.Value) {
		case codeParams:
			if s.method == methodRead && uri {
				raw = replace(raw, "code", []byte(codeResource)) // SEP-2164
			}
		case "-32020", "-32021", "-32022":
			raw = replace(raw, "code", []byte(codeInternal)) // of the bridge's own request
		}
		return s.l.event(in, answer(s.id, "error", raw))
	}
	if f.String(wire.ResultType) == "task" { // which the session cannot have declared that its client understands
		return s.l.event(in, failure(s.id, codeInternal, textTask))
	}
	raw := f.Get(wire.Result)
	if isObject(raw) {
		raw = without(raw, "resultType", "ttlMs", "cacheScope")
	}
	return s.l.event(in, result(s.id, raw))
}

// event makes a message of the same kind of stream as another.
func (c *Config) event(like *upstream.Incoming, raw []byte) (*upstream.Incoming, error) {
	in, err := c.incoming(raw)
	if err == nil {
		in.Event = like.Event
	}
	return in, err
}

// begin takes what the server asks.
func (s *modernStream) begin(f *wire.Frame) error {
	if s.round++; s.round > maxRounds {
		return fmt.Errorf("%w: it asks without end", upstream.ErrProtocol)
	}
	s.state = bytes.Clone(f.Get(wire.ResultRequestState))
	var open []question
	for e := range wire.Entries(f.Get(wire.ResultInputRequests)) {
		m, _ := wire.Lookup(e.Value, "method")
		name, _ := wire.Unquote(m.Value)
		params, _ := wire.Lookup(e.Value, "params")
		if !questions[string(name)] {
			return fmt.Errorf("%w: it asks by another method", upstream.ErrProtocol)
		}
		open = append(open, question{name: bytes.Clone(e.Name), method: string(name), params: bytes.Clone(params.Value)})
	}
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if s.open = open; open == nil {
		s.open = []question{} // it only wants to be called again
	}
	return nil
}

// question returns the next request to the client, or waits for its answers and sends them. Both are nil when the next
// round has begun.
func (s *modernStream) question(ctx context.Context) (*upstream.Incoming, error) {
	l := s.l
	l.mu.Lock()
	if s.gone {
		l.mu.Unlock()
		return nil, fmt.Errorf("%w: it was cancelled", upstream.ErrUnknownOutcome)
	}
	for i := range s.open {
		q := &s.open[i]
		if q.id != nil {
			continue
		}
		l.serial++
		q.id = strconv.AppendQuote(nil, "hopgate-"+strconv.Itoa(l.serial))
		l.asked[key(q.id)] = s
		l.mu.Unlock()
		raw := join(`{"jsonrpc":"2.0","id":`, q.id, `,"method":"`+q.method+`"`)
		if q.params != nil {
			raw = join(raw, `,"params":`, q.params)
		}
		in, err := l.incoming(append(raw, '}'))
		if err == nil {
			in.Event = true
		}
		return in, err
	}
	waits := slices.ContainsFunc(s.open, func(q question) bool { return q.answer == nil })
	l.mu.Unlock()
	if waits {
		select {
		case <-s.answers:
			return nil, nil //nolint:nilnil // the caller comes again
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: waiting for the client: %w", upstream.ErrUnknownOutcome, context.Cause(ctx))
		case <-l.link.Done():
			return nil, fmt.Errorf("%w: %w", upstream.ErrUnknownOutcome, errGone)
		}
	}
	return s.next(ctx)
}

// next sends the answers. A client that could not answer ends the call: the later era has no word for that.
func (s *modernStream) next(ctx context.Context) (*upstream.Incoming, error) {
	s.l.mu.Lock()
	answers, refused := []byte{'{'}, false
	for i, q := range s.open {
		if i > 0 {
			answers = append(answers, ',')
		}
		answers = join(answers, q.name, ":", q.answer)
		refused = refused || string(q.answer) == "null"
	}
	answers = append(answers, '}')
	s.open = nil
	inner := s.inner
	s.l.mu.Unlock()
	inner.Close()
	if refused {
		s.done = true
		return s.l.incoming(failure(s.id, codeInternal, "The client did not answer what the server asked."))
	}
	return nil, s.send(ctx, answers, s.state)
}

// Cancel gives the call up; see [upstream.Stream].
func (s *modernStream) Cancel(ctx context.Context, reason string) error {
	s.l.mu.Lock()
	inner := s.inner
	s.gone = true
	s.forget()
	s.wake()
	s.l.mu.Unlock()
	return inner.Cancel(ctx, reason)
}

// Close gives up what is left.
func (s *modernStream) Close() {
	s.l.mu.Lock()
	if s.l.calls[key(s.id)] == s {
		delete(s.l.calls, key(s.id))
	}
	inner := s.inner
	s.forget()
	s.l.mu.Unlock()
	inner.Close()
}

// wake makes whoever waits for answers look again.
func (s *modernStream) wake() {
	select {
	case s.answers <- struct{}{}:
	default:
	}
}

// forget lets no more answers come. The mutex is held.
func (s *modernStream) forget() {
	for _, q := range s.open {
		if q.id != nil {
			delete(s.l.asked, key(q.id))
		}
	}
}
