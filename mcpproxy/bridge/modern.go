package bridge

import (
	"bytes"
	"context"
	"fmt"
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
		capabilities: bytes.Clone(withoutTasks(hello.Get(wire.ParamsCapabilities))), info: bytes.Clone(hello.Get(wire.ParamsClientInfo)),
	}
	if l.discovered, ok, err = c.Discover(ctx, link, l.capabilities, l.info); !ok || err != nil {
		return nil, false, err
	}
	return l, true, nil
}

// hello is the answer to an initialize request.
func (l *ToModern) hello(hello *wire.Frame) (upstream.Stream, error) {
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
	capabilities := withoutTasks(member("capabilities", "{}"))
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
		return l.hello(f)
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
	out := &upstream.Outgoing{Frame: next, Protocol: modernVersion, Modern: true}
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
	s.wake()
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

var _ upstream.Link = (*ToModern)(nil)
