package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// Bounds of what a bridge keeps for clients that say everything anew with each request.
const (
	maxTalks = 8                // sessions: one for each set of capabilities that clients declare
	maxHeld  = 64               // calls that wait for answers of clients
	holdTime = 10 * time.Minute // that one of them waits
	takeTime = 5 * time.Second  // to tell a server that nobody answers, or to take leave of it
)

// ToLegacy takes requests of the later era to a server that knows sessions alone. It holds the sessions: one for what each
// kind of client can do, because a session says that once. It is for one agent; what the server remembers of one request
// is there for the next. It is safe for concurrent use.
type ToLegacy struct {
	Config
	done chan struct{}

	opening chan struct{} // holds a token while a session is opened
	mu      sync.Mutex    // guards what follows
	talks   []*talk       // the least recently used first
	held    map[string]*legacyCall
	serial  int
	closed  bool
	work    sync.WaitGroup
}

// NewToLegacy makes a bridge. Nothing is opened before a request needs it.
func NewToLegacy(c Config) *ToLegacy {
	return &ToLegacy{Config: c, done: make(chan struct{}), opening: make(chan struct{}, 1), held: map[string]*legacyCall{}}
}

// talk is one session with the server.
type talk struct {
	l            *ToLegacy
	link         upstream.Link
	capabilities string // raw, of the client
	info         string
	greeting     []byte // what the server has answered to initialize, raw
	version      string
	stop         context.CancelFunc

	leveling sync.Mutex // held while the level changes
	level    int        // of the logs that the server sends; 0: none

	mu    sync.Mutex // guards what follows
	calls map[*legacyCall]struct{}
}

// Send takes a request to the server; see [upstream.Link].
func (l *ToLegacy) Send(ctx context.Context, out *upstream.Outgoing) (upstream.Stream, error) {
	f := out.Frame
	if f.Kind != wire.KindRequest {
		return nil, nil //nolint:nilnil // no message of the later era but requests means anything to the server; see upstream.Link
	}
	name := method(f)
	switch {
	case f.Has(wire.ParamsRequestState):
		return l.goOn(ctx, f)
	case name == methodListen:
		return l.listen(ctx, f)
	case strings.HasPrefix(name, "tasks/"):
		return l.said(failure(f.Get(wire.ID), codeNotFound, textNoSuchMethod)) // those of sessions are of another kind, and not declared
	}
	for again := false; ; again = true {
		t, err := l.talk(ctx, f)
		if err != nil {
			return nil, err
		}
		if name == methodDiscover {
			return l.said(result(f.Get(wire.ID), t.discovered()))
		}
		s, err := t.send(ctx, f)
		switch {
		case err == nil:
			return s, nil
		case !errors.Is(err, upstream.ErrSessionEnded) || again:
			return nil, err
		}
	}
}

// talk returns the session for what a request says of its client.
func (l *ToLegacy) talk(ctx context.Context, f *wire.Frame) (*talk, error) {
	capabilities, info := string(f.Get(wire.MetaClientCapabilities)), string(f.Get(wire.MetaClientInfo))
	find := func() (*talk, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.closed {
			return nil, errGone
		}
		i := slices.IndexFunc(l.talks, func(t *talk) bool { return t.capabilities == capabilities && t.info == info })
		if i < 0 {
			return nil, nil //nolint:nilnil // there is none
		}
		t := l.talks[i]
		l.talks = slices.Delete(l.talks, i, i+1)
		if t.over() {
			l.leave(t)
			return nil, nil //nolint:nilnil // nor is there one that lives
		}
		l.talks = append(l.talks, t)
		return t, nil
	}
	if t, err := find(); t != nil || err != nil {
		return t, err
	}
	select {
	case l.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", upstream.ErrUnavailable, context.Cause(ctx))
	}
	defer func() { <-l.opening }()
	if t, err := find(); t != nil || err != nil { // somebody else has opened it
		return t, err
	}
	t, err := l.greet(ctx, capabilities, info)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.leave(t)
		return nil, errGone
	}
	l.talks = append(l.talks, t)
	if len(l.talks) > maxTalks {
		i := slices.IndexFunc(l.talks, (*talk).idle)
		if i >= 0 && l.talks[i] != t {
			l.leave(l.talks[i])
			l.talks = slices.Delete(l.talks, i, i+1)
		}
	}
	return t, nil
}

// greet opens a session.
func (l *ToLegacy) greet(ctx context.Context, capabilities, info string) (*talk, error) {
	link, err := l.Open(ctx)
	if err != nil {
		return nil, err
	}
	t := &talk{l: l, link: link, capabilities: capabilities, info: info, calls: map[*legacyCall]struct{}{}}
	if err := t.greet(ctx); err != nil {
		l.closeLink(link)
		return nil, err
	}
	life, stop := context.WithCancel(l.Life)
	t.stop = stop
	l.work.Go(func() { t.hear(life) })
	return t, nil
}

func (t *talk) greet(ctx context.Context) error {
	capabilities, info := t.capabilities, t.info
	if capabilities == "" {
		capabilities = "{}"
	}
	if info == "" {
		info = self
	}
	hello := request([]byte(`"hopgate-hello"`), methodInitialize,
		`{"protocolVersion":"`+mcp.LATEST_LEGACY_PROTOCOL_VERSION+`","capabilities":`+capabilities+`,"clientInfo":`+info+`}`)
	f, err := t.l.read(hello, wire.FromAgent)
	if err != nil {
		return err
	}
	in, err := ask(ctx, t.link, &upstream.Outgoing{Frame: f})
	if err != nil {
		return err
	}
	t.version = in.Frame.String(wire.ResultProtocolVersion)
	if in.Frame.Kind != wire.KindResult || !mcp.IsValidProtocolVersion(t.version) || mcp.IsModernProtocol(t.version) {
		return fmt.Errorf("%w: it agrees to no session", upstream.ErrProtocol)
	}
	if in, err = clean(in); err != nil {
		return err
	}
	t.greeting = in.Frame.Get(wire.Result)
	if f, err = t.l.read(notification("notifications/initialized", "{}"), wire.FromAgent); err != nil {
		return err
	}
	_, err = t.link.Send(ctx, &upstream.Outgoing{Frame: f, Protocol: t.version})
	return err
}

// clean refuses a greeting that is no object.
func clean(in *upstream.Incoming) (*upstream.Incoming, error) {
	if !isObject(in.Frame.Get(wire.Result)) {
		return nil, fmt.Errorf("%w: it answers initialize with no object", upstream.ErrProtocol)
	}
	return in, nil
}

// discovered is what the server has said of itself, as the later era says it.
func (t *talk) discovered() []byte {
	member := func(name, or string) []byte {
		if e, ok := wire.Lookup(t.greeting, name); ok {
			return e.Value
		}
		return []byte(or)
	}
	capabilities := member("capabilities", "{}")
	if isObject(capabilities) {
		capabilities = without(capabilities, "tasks") // of another kind
	}
	raw := []byte(`{"resultType":"complete","supportedVersions":[`)
	for i, v := range mcp.ValidProtocolVersions { // those of the bridge and of sessions: the agent meets both
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = wire.AppendQuote(raw, v)
	}
	raw = join(raw, `],"capabilities":`, capabilities)
	if e, ok := wire.Lookup(t.greeting, "instructions"); ok {
		raw = join(raw, `,"instructions":`, e.Value)
	}
	return join(raw, `,"ttlMs":0,"cacheScope":"private","_meta":{"`+keyServer+`":`, member("serverInfo", self), `}}`)
}

// over reports whether the session has ended; idle, whether nobody uses it.
func (t *talk) over() bool {
	select {
	case <-t.link.Done():
		return true
	default:
		return false
	}
}

func (t *talk) idle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.calls) == 0
}

// leave ends a session that nobody finds any more. The mutex of l is held.
func (l *ToLegacy) leave(t *talk) {
	t.stop()
	l.work.Go(func() { l.closeLink(t.link) })
}

func (c *Config) closeLink(link upstream.Link) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Life), takeTime)
	defer cancel()
	_ = link.Close(ctx) // a server that is gone needs no leave
}

// Listen says that there is nothing to hear: what belongs to no request is for subscriptions.
func (*ToLegacy) Listen(context.Context) (upstream.Stream, error) { return nil, upstream.ErrNoListen }

// Done is closed when the bridge is. A session that ends is replaced by another.
func (l *ToLegacy) Done() <-chan struct{} { return l.done }

// Close ends all sessions and waits for that.
func (l *ToLegacy) Close(context.Context) error {
	l.mu.Lock()
	talks, held, closed := l.talks, l.held, l.closed
	l.talks, l.held, l.closed = nil, map[string]*legacyCall{}, true
	for _, t := range talks {
		l.leave(t)
	}
	l.mu.Unlock()
	if closed {
		return nil
	}
	close(l.done)
	for _, k := range held {
		k.stop()
	}
	l.work.Wait()
	return nil
}

// next numbers what the bridge names itself.
func (l *ToLegacy) next() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	return strconv.Itoa(l.serial)
}

// send sends a request in the session.
func (t *talk) send(ctx context.Context, f *wire.Frame) (*legacyStream, error) {
	k := &legacyCall{t: t, id: `"hopgate-` + t.l.next() + `"`, method: method(f), in: make(chan arrival, 1), back: make(chan arrival, 1)}
	k.ctx, k.stop = context.WithCancel(t.l.Life)
	level, _ := f.Text(wire.MetaLogLevel)
	k.level = levels[string(level)]
	t.setLevel(ctx, k.level)
	params := []byte("{}")
	if p := f.Get(wire.Params); isObject(p) {
		params = without(p, "_meta", "inputResponses")
		if m := earlierMeta(f.Get(wire.ParamsMeta), k.id); m != nil {
			params = with(params, `"_meta":`+string(m))
		}
	}
	frame, err := t.l.read(join(`{"jsonrpc":"2.0","id":`+k.id+`,"method":`, f.Get(wire.Method), `,"params":`, params, `}`), wire.FromAgent)
	if err != nil {
		k.stop()
		return nil, err
	}
	t.mu.Lock()
	t.calls[k] = struct{}{} // what the server asks at once has to find it
	t.mu.Unlock()
	inner, err := t.link.Send(ctx, &upstream.Outgoing{Frame: frame, Protocol: t.version})
	if err != nil {
		k.stop()
		k.forget()
		return nil, err
	}
	k.inner = inner
	t.l.work.Go(k.pump)
	return &legacyStream{k: k, id: bytes.Clone(f.Get(wire.ID)), token: bytes.Clone(f.Get(wire.MetaProgressToken)), repeat: bytes.Clone(f.Raw)}, nil
}

// earlierMeta is _meta without what sessions settle, under a progress token of ours; nil for none.
func earlierMeta(meta []byte, token string) []byte {
	if !isObject(meta) {
		return nil
	}
	meta = replace(without(meta, keyVersion, keyCapabilities, keyInfo, keyLevel), "progressToken", []byte(token))
	for range wire.Entries(meta) {
		return meta
	}
	return nil
}

// levels of logs (RFC 5424), the least first; 0 is none.
var levels = map[string]int{
	"debug": 1, "info": 2, "notice": 3, "warning": 4, "error": 5, "critical": 6, "alert": 7, "emergency": 8,
}

// setLevel makes the server log as much as a call wants. A session has one level: the lowest that was ever wanted. What a
// call did not want, its stream leaves out.
func (t *talk) setLevel(ctx context.Context, level int) {
	t.leveling.Lock()
	defer t.leveling.Unlock()
	capabilities, _ := wire.Lookup(t.greeting, "capabilities")
	_, logs := wire.Lookup(capabilities.Value, "logging")
	if level == 0 || t.level != 0 && t.level <= level || !logs {
		return
	}
	for name, n := range levels {
		if n != level {
			continue
		}
		f, err := t.l.read(request([]byte(`"hopgate-`+t.l.next()+`"`), methodLevel, `{"level":"`+name+`"}`), wire.FromAgent)
		if err != nil {
			return
		}
		// Logs are no part of what was asked for: a server that does not set the level may still do the rest.
		if in, err := ask(ctx, t.link, &upstream.Outgoing{Frame: f, Protocol: t.version}); err == nil && in.Frame.Kind == wire.KindResult {
			t.level = level
		}
	}
}

// say sends a message of the bridge itself, and waits for no answer.
func (t *talk) say(ctx context.Context, raw []byte) error {
	f, err := t.l.read(raw, wire.FromAgent)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeTime)
	defer cancel()
	_, err = t.link.Send(ctx, &upstream.Outgoing{Frame: f, Protocol: t.version})
	return err
}

// refuse answers a question of the server that goes to no client.
func (t *talk) refuse(ctx context.Context, f *wire.Frame) {
	raw := failure(f.Get(wire.ID), codeNotFound, textNoSuchMethod)
	if method(f) == methodPing {
		raw = result(f.Get(wire.ID), []byte("{}"))
	}
	_ = t.say(ctx, raw) // a server that is gone waits for nothing
}

// hear takes what the server says of its own accord. What it asks there is for the one call that is under way; where there
// are several, nobody can say which one it is of, and it is refused.
func (t *talk) hear(ctx context.Context) {
	stream, err := t.link.Listen(ctx)
	if err != nil {
		return
	}
	defer stream.Close()
	for {
		in, err := stream.Next(ctx)
		if err != nil {
			return
		}
		f := &in.Frame
		switch {
		case f.Kind == wire.KindRequest && questions[method(f)]:
			if k := t.only(); k == nil || !k.give(arrival{in: clone(in)}) {
				t.refuse(ctx, f)
			}
		case f.Kind == wire.KindRequest:
			t.refuse(ctx, f)
		case method(f) == methodMessage:
			if k := t.only(); k != nil {
				k.give(arrival{in: clone(in)})
			}
		}
	}
}

// only returns the one call that is under way, or nil.
func (t *talk) only() *legacyCall {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.calls) != 1 {
		return nil
	}
	for k := range t.calls {
		return k
	}
	return nil
}

var _ upstream.Link = (*ToLegacy)(nil)
