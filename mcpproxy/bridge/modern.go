package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// Bounds of a session over a server that has none.
const (
	maxRounds    = 10  // of one call
	maxSubscribe = 256 // resources
	maxWaiting   = 256 // messages that belong to no request and that nobody has taken yet
)

// ToModern is a session for a server that knows none: what sessions settle once goes into every request. It is made when a
// client wants to begin one, with its initialize request. It is safe for concurrent use.
type ToModern struct {
	Config
	link         upstream.Link
	discovered   []byte // what the server says of itself
	version      []byte // raw, of the session
	capabilities []byte // of the client, raw
	info         []byte

	mu     sync.Mutex // guards what follows
	level  []byte     // of logs that the client wants, raw; nil for none
	calls  map[string]*modernStream
	asked  map[string]*modernStream // by key of the ids of our questions
	serial int
	uris   []string // raw, of resources that the client has subscribed to
	ears   *ears
}

// NewToModern finds out whether the server behind a link knows the later era and makes a session over it. ok is false where
// it does not. The link is the bridge's from then on; where there is no bridge, it is the caller's. hello is the client's
// initialize request.
func NewToModern(ctx context.Context, c Config, link upstream.Link, hello *wire.Frame) (l *ToModern, ok bool, err error) {
	l = &ToModern{
		Config: c, link: link, calls: map[string]*modernStream{}, asked: map[string]*modernStream{},
		version:      bytes.Clone(hello.Get(wire.ParamsProtocolVersion)),
		capabilities: bytes.Clone(hello.Get(wire.ParamsCapabilities)), info: bytes.Clone(hello.Get(wire.ParamsClientInfo)),
	}
	if l.discovered, ok, err = c.Discover(ctx, link, l.capabilities, l.info); !ok || err != nil {
		return nil, false, err
	}
	return l, true, nil
}

// Hello is the answer to an initialize request.
func (l *ToModern) Hello(hello *wire.Frame) (upstream.Stream, error) {
	member := func(name string, or string) []byte {
		if e, ok := wire.Lookup(l.discovered, name); ok {
			return e.Value
		}
		return []byte(or)
	}
	meta := member("_meta", "{}")
	server := []byte(`{"name":"unknown","version":"0"}`)
	if e, ok := wire.Lookup(meta, keyServer); ok {
		server = e.Value
	}
	capabilities := member("capabilities", "{}")
	if isObject(capabilities) {
		capabilities = without(capabilities, "tasks")
	}
	raw := join(`{"protocolVersion":`, l.version, `,"capabilities":`, capabilities, `,"serverInfo":`, server)
	if e, ok := wire.Lookup(l.discovered, "instructions"); ok {
		raw = join(raw, `,"instructions":`, e.Value)
	}
	return l.said(result(hello.Get(wire.ID), append(raw, '}')))
}

// Send says a message of a session to the server; see [upstream.Link].
func (l *ToModern) Send(ctx context.Context, out *upstream.Outgoing) (upstream.Stream, error) {
	f := out.Frame
	switch f.Kind {
	case wire.KindResult, wire.KindError:
		return nil, l.answered(f)
	case wire.KindNotification:
		if method(f) == methodCancelled {
			return nil, l.cancel(ctx, f)
		}
		return nil, nil //nolint:nilnil // the later era has no notifications that a server would take; see upstream.Link
	default:
	}
	id := f.Get(wire.ID)
	switch name := method(f); name {
	case methodInitialize:
		return l.Hello(f)
	case methodPing:
		return l.said(result(id, []byte("{}")))
	case methodLevel:
		l.mu.Lock()
		l.level = bytes.Clone(f.Get(wire.ParamsLevel))
		l.mu.Unlock()
		return l.said(result(id, []byte("{}")))
	case methodSubscribe, methodUnsubscribe:
		return l.subscribe(ctx, f, name == methodSubscribe)
	case "tasks/get", "tasks/result", "tasks/list", "tasks/cancel":
		return l.said(failure(id, codeNotFound, textNoSuchMethod)) // the session declares none
	}
	s := &modernStream{l: l, id: bytes.Clone(id), first: bytes.Clone(f.Raw), method: method(f), answers: make(chan struct{}, 1)}
	l.mu.Lock()
	s.level = l.level
	l.mu.Unlock()
	if err := s.send(ctx, nil, nil); err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.calls[key(s.id)] = s
	l.mu.Unlock()
	return s, nil
}

// later writes a request of a session as one of the later era: under an id, with all that a session has settled, and with
// answers to what the server has asked.
func (l *ToModern) later(raw, id, level, answers, state []byte) (*upstream.Outgoing, error) {
	f, err := l.read(raw, wire.FromAgent)
	if err != nil {
		return nil, err
	}
	members := meta(l.capabilities, l.info, level)
	params := f.Get(wire.Params)
	switch {
	case params == nil:
		params = []byte(`{"_meta":{` + members + `}}`)
	case !isObject(params):
		return nil, fmt.Errorf("%w: params are no object", upstream.ErrInvalid)
	default:
		params = without(params, "task", "inputResponses", "requestState")
		if m, ok := wire.Lookup(params, "_meta"); ok {
			params = replace(params, "_meta", with(without(m.Value, keyVersion, keyCapabilities, keyInfo, keyLevel), members))
		} else {
			params = with(params, `"_meta":{`+members+`}`)
		}
	}
	if answers != nil {
		more := `"inputResponses":` + string(answers)
		if state != nil {
			more += `,"requestState":` + string(state)
		}
		params = with(params, more)
	}
	next, err := l.read(join(`{"jsonrpc":"2.0","id":`, id, `,"method":`, f.Get(wire.Method), `,"params":`, params, `}`), wire.FromAgent)
	if err != nil {
		return nil, err
	}
	out := &upstream.Outgoing{Frame: next, Protocol: Modern, Modern: true}
	switch method(next) {
	case "tools/call":
		out.Name, out.Params = next.String(wire.ParamsName), l.Params(next)
	case "prompts/get":
		out.Name = next.String(wire.ParamsName)
	case methodRead:
		out.Name = next.String(wire.ParamsURI)
	}
	return out, nil
}

// cancel gives up the call that a notification names.
func (l *ToModern) cancel(ctx context.Context, f *wire.Frame) error {
	l.mu.Lock()
	s := l.calls[key(f.Get(wire.ParamsRequestID))]
	l.mu.Unlock()
	if s == nil {
		return nil // it is over
	}
	reason, _ := wire.Lookup(f.Get(wire.Params), "reason")
	text, _ := wire.Unquote(reason.Value)
	return s.Cancel(ctx, string(text))
}

// answered takes the client's answer to a question.
func (l *ToModern) answered(f *wire.Frame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key(f.Get(wire.ID))
	s := l.asked[k]
	if s == nil {
		return fmt.Errorf("%w: nobody asked for this answer", upstream.ErrInvalid)
	}
	delete(l.asked, k)
	for i := range s.open {
		if q := &s.open[i]; q.id != nil && key(q.id) == k {
			q.answer = q.take(f)
		}
	}
	select {
	case s.answers <- struct{}{}:
	default:
	}
	return nil
}

// Done is closed when nothing can be sent any more.
func (l *ToModern) Done() <-chan struct{} { return l.link.Done() }

// Close ends the session.
func (l *ToModern) Close(ctx context.Context) error {
	l.mu.Lock()
	e := l.ears
	l.ears = nil
	l.mu.Unlock()
	if e != nil {
		e.close()
	}
	return l.link.Close(ctx)
}

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
	defer s.l.mu.Unlock()
	s.inner = inner
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
	s.forget()
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

// forget lets no more answers come. The mutex is held.
func (s *modernStream) forget() {
	for _, q := range s.open {
		if q.id != nil {
			delete(s.l.asked, key(q.id))
		}
	}
}

var _ upstream.Link = (*ToModern)(nil)
