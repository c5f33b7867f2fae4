package bridge_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/bridge"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// peer is a server behind links that keep the contract of [upstream.Link]. What it does is a function of the request.
type peer struct {
	t     testing.TB
	life  context.Context //nolint:containedctx // of the test
	act   func(f *wire.Frame, s *flow)
	greet string      // answer to initialize
	out   chan string // what it says that belongs to no request

	mu      sync.Mutex
	got     []string         // all messages, as they came
	opened  int              // links
	live    map[*link]bool   // that are not closed
	answers chan *wire.Frame // of the client, to what it has asked
}

func newPeer(tb testing.TB, act func(*wire.Frame, *flow)) *peer {
	tb.Helper()
	return &peer{
		t: tb, life: tb.Context(), act: act, out: make(chan string), live: map[*link]bool{}, answers: make(chan *wire.Frame, 1000),
		greet: `{"protocolVersion":"2025-11-25","capabilities":{"logging":{},"tasks":{},"extensions":{"io.modelcontextprotocol/tasks":{}},"tools":{"x":1.0}},"serverInfo":{"name":"old","version":"1"},"instructions":"Be kind."}`,
	}
}

func (p *peer) config() bridge.Config {
	return bridge.Config{
		Life: p.life, Open: p.open, Limits: wire.DefaultLimits,
		Params: func(*wire.Frame) []upstream.Param { return nil },
	}
}

func (p *peer) open(context.Context) (upstream.Link, error) {
	l := &link{p: p, done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened++
	p.live[l] = true
	return l, nil
}

// messages returns what has come that contains a text.
func (p *peer) messages(text string) (found []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.got {
		if strings.Contains(m, text) {
			found = append(found, m)
		}
	}
	return found
}

func (p *peer) links() (opened, live int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened, len(p.live)
}

// forget ends all sessions.
func (p *peer) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.live {
		close(l.done)
		delete(p.live, l)
	}
}

// ask asks the client something in the stream of a request, and returns the answer.
func (p *peer) ask(s *flow, id, method, params string) *wire.Frame {
	s.say(`{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":` + params + `}`)
	return p.answer()
}

// answer waits for an answer of the client.
func (p *peer) answer() *wire.Frame {
	select {
	case f := <-p.answers:
		return f
	case <-p.life.Done():
		return nil
	}
}

type link struct {
	p    *peer
	done chan struct{}
}

func (l *link) Send(ctx context.Context, out *upstream.Outgoing) (upstream.Stream, error) {
	f := new(wire.Frame)
	if err := wire.Parse(f, slices.Clone(out.Frame.Raw), wire.FromAgent, &wire.DefaultLimits); err != nil {
		l.p.t.Errorf("the bridge sends %s: %v", out.Frame.Raw, err)
		return nil, upstream.ErrInvalid
	}
	select {
	case <-l.done:
		return nil, upstream.ErrSessionEnded
	default:
	}
	l.p.mu.Lock()
	l.p.got = append(l.p.got, string(f.Raw))
	l.p.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, upstream.ErrUnavailable
	case f.Response():
		l.p.answers <- f
		return nil, nil //nolint:nilnil // see upstream.Link
	case f.Kind == wire.KindNotification:
		return nil, nil //nolint:nilnil // likewise
	}
	s := &flow{l: l, id: string(f.Get(wire.ID)), out: make(chan any, 1000), closed: make(chan struct{})}
	if f.String(wire.Method) == "initialize" {
		s.result(l.p.greet)
		return s, nil
	}
	go l.p.act(f, s)
	return s, nil
}

func (l *link) Listen(context.Context) (upstream.Stream, error) {
	return &flow{l: l, heard: l.p.out, closed: make(chan struct{})}, nil
}

func (l *link) Done() <-chan struct{} { return l.done }

func (l *link) Close(context.Context) error {
	l.p.mu.Lock()
	defer l.p.mu.Unlock()
	if l.p.live[l] {
		close(l.done)
		delete(l.p.live, l)
	}
	return nil
}

// flow is the stream of one request, or what Listen opens.
type flow struct {
	l      *link
	id     string
	out    chan any // strings and errors
	heard  chan string
	once   sync.Once
	closed chan struct{}
	over   bool
}

func (s *flow) say(raw string)   { s.out <- raw }
func (s *flow) fail(err error)   { s.out <- err }
func (s *flow) result(v string)  { s.say(`{"jsonrpc":"2.0","id":` + s.id + `,"result":` + v + `}`) }
func (s *flow) failure(v string) { s.say(`{"jsonrpc":"2.0","id":` + s.id + `,"error":` + v + `}`) }

func (s *flow) Next(ctx context.Context) (*upstream.Incoming, error) {
	if s.over {
		return nil, io.EOF
	}
	var next any
	select {
	case next = <-s.out:
	case next = <-s.heard:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", upstream.ErrUnknownOutcome, ctx.Err())
	case <-s.l.done:
		return nil, upstream.ErrSessionEnded
	}
	if err, ok := next.(error); ok {
		return nil, err
	}
	in := &upstream.Incoming{Event: true}
	if err := wire.Parse(&in.Frame, []byte(next.(string)), wire.FromUpstream, &wire.DefaultLimits); err != nil {
		return nil, fmt.Errorf("%w: %w", upstream.ErrProtocol, err)
	}
	s.over = in.Frame.Response()
	return in, nil
}

func (s *flow) Cancel(_ context.Context, reason string) error {
	s.l.p.mu.Lock()
	defer s.l.p.mu.Unlock()
	s.l.p.got = append(s.l.p.got, "cancelled "+s.id+" "+reason)
	return nil
}

func (s *flow) Close() { s.once.Do(func() { close(s.closed) }) }

// caller is whoever holds the bridge.
type caller struct {
	t testing.TB
	upstream.Link
}

func frame(tb testing.TB, raw string) *wire.Frame {
	tb.Helper()
	f := new(wire.Frame)
	if err := wire.Parse(f, []byte(raw), wire.FromAgent, &wire.DefaultLimits); err != nil {
		tb.Fatalf("%s: %v", raw, err)
	}
	return f
}

// start sends a message.
func (c *caller) start(raw string) upstream.Stream {
	c.t.Helper()
	s, err := c.Send(c.t.Context(), &upstream.Outgoing{Frame: frame(c.t, raw)})
	if err != nil {
		c.t.Errorf("sending %.200s: %v", raw, err)
	}
	return s
}

// next returns the next message of a stream, or the error that ends it.
func next(tb testing.TB, s upstream.Stream) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	in, err := s.Next(ctx)
	if err != nil {
		return "error: " + err.Error()
	}
	return string(in.Frame.Raw)
}

// call sends a request, and returns all that comes back.
func (c *caller) call(raw string) (all []string) {
	c.t.Helper()
	s := c.start(raw)
	if s == nil {
		return nil
	}
	defer s.Close()
	for {
		m := next(c.t, s)
		if m == "error: EOF" {
			return all
		}
		if all = append(all, m); strings.HasPrefix(m, "error: ") {
			return all
		}
	}
}

// last is what a request is answered with.
func (c *caller) last(raw string) string {
	c.t.Helper()
	all := c.call(raw)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

func (c *caller) close() {
	if err := c.Close(c.t.Context()); err != nil {
		c.t.Errorf("closing: %v", err)
	}
}

// legacy runs a test of a bridge to a server of the earlier era, in time of its own.
func legacy(t *testing.T, act func(p *peer, f *wire.Frame, s *flow), test func(c *caller, p *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var p *peer
		p = newPeer(t, func(f *wire.Frame, s *flow) { act(p, f, s) })
		c := legacyBridge(t, p)
		defer c.close()
		test(c, p)
	})
}

func legacyBridge(tb testing.TB, p *peer) *caller {
	tb.Helper()
	return &caller{tb, bridge.NewToLegacy(p.config())}
}

const discovered = `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"tasks":{},"extensions":{"io.modelcontextprotocol/tasks":{},"x/y":{}}},"instructions":"Be kind.","ttlMs":0,` +
	`"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"new","version":"1"}}}`

const hello = `{"jsonrpc":"2.0","id":"h","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"sampling":{},"tasks":{},"extensions":{"io.modelcontextprotocol/tasks":{}}},"clientInfo":{"name":"c","version":"1"}}}`

// modern runs a test of a session over a server of the later era.
func modern(t *testing.T, act func(p *peer, f *wire.Frame, s *flow), test func(c *caller, p *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var p *peer
		p = newPeer(t, func(f *wire.Frame, s *flow) {
			if f.String(wire.Method) == "server/discover" {
				s.result(discovered)
				return
			}
			act(p, f, s)
		})
		l, _ := p.open(t.Context())
		b, ok, err := bridge.NewToModern(t.Context(), p.config(), l, frame(t, hello))
		if !ok || err != nil {
			t.Fatalf("there is no bridge: %v", err)
		}
		c := &caller{t, b}
		defer c.close()
		test(c, p)
	})
}

// later is a request of the later era, by a client that can do everything.
func later(id, method, params string) string { return laterLevel(id, method, params, "") }

func laterLevel(id, method, params, meta string) string {
	if params != "" {
		params += ","
	}
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":{` + params + `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientCapabilities":{"sampling":{},"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{},"x/y":{}}},"io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"}` + meta + `}}}`
}

func earlier(id, method, params string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":` + params + `}`
}

// has complains about what a message lacks.
func has(tb testing.TB, got string, want ...string) {
	tb.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			tb.Errorf("no %s in %.600s", w, got)
		}
	}
}
