package bridge

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

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

func (t *talk) greet(ctx context.Context) error {
	capabilities, info := t.capabilities, t.info
	if capabilities == "" {
		capabilities = "{}"
	}
	if info == "" {
		info = self
	}
	hello := request([]byte(`"hopgate-hello"`), methodInitialize,
		`{"protocolVersion":"`+mcp.LATEST_LEGACY_PROTOCOL_VERSION+`","capabilities":`+string(withoutTasks([]byte(capabilities)))+`,"clientInfo":`+info+`}`)
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
	capabilities := withoutTasks(member("capabilities", "{}"))
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
			if k := t.only(); k == nil || !k.offer(ctx, arrival{in: clone(in)}) {
				t.refuse(ctx, f)
			}
		case f.Kind == wire.KindRequest:
			t.refuse(ctx, f)
		case method(f) == methodMessage:
			if k := t.only(); k != nil {
				k.offer(ctx, arrival{in: clone(in)}) // a log that nobody takes is lost
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
