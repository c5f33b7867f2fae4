package mcpproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// greetTime bounds the repetition of a handshake.
const greetTime = 30 * time.Second

// open returns the session's link to its upstream. A link that has died is replaced: a new child, or a server that has
// forgotten the session, is greeted as the client had greeted the old one, so that this costs the calls under way and
// nothing else.
func (s *session) open(ctx context.Context) (upstream.Link, error) {
	link, fresh, err := s.find(ctx)
	if fresh {
		select {
		case s.renewed <- struct{}{}:
		default:
		}
	}
	return link, err
}

// reach is open for who hears the link, who need not be told of a link that it has opened itself: one that ends at once would be
// opened again at once, without end.
func (s *session) reach(ctx context.Context) (upstream.Link, error) {
	link, _, err := s.find(ctx)
	return link, err
}

// find returns the link, and whether it is another one than before.
func (s *session) find(ctx context.Context) (link upstream.Link, fresh bool, err error) {
	if err := s.opening.take(ctx); err != nil {
		return nil, false, err
	}
	defer s.opening.release()
	s.mu.Lock()
	old, server, hello, greeted, ended := s.link, s.server, s.hello, s.greeted, s.ended
	version, bridged, standing := s.version, s.bridged, s.standing.frames()
	s.mu.Unlock()
	switch {
	case ended:
		return nil, false, errEnded
	case server == nil:
		return nil, false, upstream.ErrUnavailable
	case old != nil && !dead(old):
		return old, false, nil
	}
	made, err := s.dial(ctx, server, bridged, hello) // not link, which a return sets while made is still being closed
	if err != nil {
		return nil, false, err
	}
	if hello != nil && !bridged {
		ctx, cancel := context.WithTimeout(ctx, greetTime) // whoever listens waits without a bound
		defer cancel()
		if err := greet(ctx, made, hello, greeted, standing, version); err != nil {
			closeLink(ctx, made)
			return nil, false, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.server != server {
		s.p.spawn(func() { closeLink(s.ctx, made) })
	}
	switch {
	case s.ended:
		return nil, false, errEnded
	case s.server != server: // the policy has taken it away meanwhile
		return nil, false, upstream.ErrUnavailable
	}
	s.link = made
	clear(s.questions) // an answer to another child would be none to this one
	s.more(-len(s.reports) * tokenBytes)
	clear(s.reports)
	return made, true, nil
}

// key is a mutex that is waited for only as long as a context allows.
type key chan struct{}

func newKey() key { return make(key, 1) }

func (k key) take(ctx context.Context) error {
	select {
	case k <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for a link: %w", context.Cause(ctx))
	}
}

func (k key) release() { <-k }

func dead(link upstream.Link) bool {
	select {
	case <-link.Done():
		return true
	default:
		return false
	}
}

// errGreeting is why a link is not used that has been opened anew.
var errGreeting = errors.New("greeting an upstream once more: it refused")

// greet repeats a handshake that the client has had with an earlier child or session, and what it has asked for since that
// lasts.
func greet(ctx context.Context, link upstream.Link, hello, greeted []byte, standing [][]byte, version string) error {
	if err := repeat(ctx, link, hello, ""); err != nil {
		return err
	}
	if greeted == nil {
		return nil
	}
	if err := repeat(ctx, link, greeted, version); err != nil {
		return err
	}
	for _, raw := range standing {
		if err := repeat(ctx, link, raw, version); err != nil {
			return err
		}
	}
	return nil
}

func repeat(ctx context.Context, link upstream.Link, raw []byte, version string) error {
	var f wire.Frame
	if err := wire.Parse(&f, raw, wire.FromAgent, &wire.DefaultLimits); err != nil {
		return fmt.Errorf("greeting an upstream once more: %w", err)
	}
	stream, err := link.Send(ctx, &upstream.Outgoing{Frame: &f, Protocol: version})
	if err != nil || stream == nil {
		return err
	}
	defer stream.Close()
	for {
		in, err := stream.Next(ctx)
		switch {
		case err != nil:
			return err
		case in.Frame.Kind == wire.KindError:
			return errGreeting
		case in.Frame.Kind == wire.KindResult:
			return nil
		}
	}
}

// place is a way and the directory that the agent works in. Requests that need no session share a child only there.
type place struct {
	Way
	dir string
}

// shared is a link for the requests of one connection that need no session.
type shared struct {
	server *upstream.Server
	link   upstream.Link
}

// doors let one at a time make the link of a place. Whoever waits for a server that does not answer keeps nobody from
// another one.
type doors struct {
	mu   sync.Mutex // guards what follows
	open map[place]*door
}

// door is a place whose link is being made.
type door struct {
	key
	users int // who hold the key or wait for it
}

// enter waits for the turn at a place. Whoever enters leaves.
func (d *doors) enter(ctx context.Context, at place) (leave func(), err error) {
	d.mu.Lock()
	in := d.open[at]
	if in == nil {
		in = &door{key: newKey()}
		d.open[at] = in
	}
	in.users++
	d.mu.Unlock()
	gone := func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if in.users--; in.users == 0 {
			delete(d.open, at)
		}
	}
	if err := in.take(ctx); err != nil {
		gone()
		return nil, err
	}
	return func() {
		in.release()
		gone()
	}, nil
}

// shared returns the link for requests that need no session.
func (p *Proxy) shared(ctx context.Context, pol *Policy, at place) (upstream.Link, error) {
	server := pol.Upstreams[at.Upstream]
	if server == nil {
		return nil, upstream.ErrUnavailable
	}
	p.mu.Lock()
	s := p.stateless[at]
	p.mu.Unlock()
	if s != nil && s.server == server && !dead(s.link) {
		return s.link, nil
	}
	leave, err := p.doors.enter(ctx, at) // one child for all who wait, and none waits for another place's
	if err != nil {
		return nil, err
	}
	defer leave()
	p.mu.Lock()
	s = p.stateless[at]
	p.mu.Unlock()
	if s != nil && s.server == server && !dead(s.link) {
		return s.link, nil
	}
	link, err := p.dialModern(ctx, server, at)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch now := p.policy.Load(); {
	case p.ctx.Err() != nil:
		err = errEnded
	case now.Connections[at.Way] == nil || now.Upstreams[at.Upstream] != server: // the policy has taken it away meanwhile
		err = upstream.ErrUnavailable
	}
	if err != nil {
		p.spawn(func() { closeLink(p.ctx, link) })
		return nil, err
	}
	if s != nil {
		p.spawn(func() { closeLink(p.ctx, s.link) })
	}
	p.stateless[at] = &shared{server, link}
	return link, nil
}

// dropShared closes the links that a new policy has no use for.
func (p *Proxy) dropShared(next *Policy) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at, s := range p.stateless {
		if next.Connections[at.Way] == nil || next.Upstreams[at.Upstream] != s.server {
			delete(p.stateless, at)
			p.spawn(func() { closeLink(p.ctx, s.link) })
		}
	}
}

// stay notes that somebody works at a place; leave, that he does not any more. The child that those at a place of
// their own have shared goes with the last of them.
func (p *Proxy) stay(at place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.staying[at]++
}

func (p *Proxy) leave(at place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.staying[at]--; p.staying[at] > 0 {
		return
	}
	delete(p.staying, at)
	if s := p.stateless[at]; s != nil {
		delete(p.stateless, at)
		p.spawn(func() { closeLink(p.ctx, s.link) })
	}
}

// beside are the headers of a tool call that mirror no argument of the tool's definition. They pass as they came, because
// an intermediary must not drop them (MCP 2026-07-28, streamable HTTP).
func (p *Proxy) beside(c *policy.Call, h *ingress.Head) []policy.Header {
	if h == nil || h.Params == nil || c.Method != string(mcp.MethodToolsCall) {
		return nil
	}
	var out []policy.Header
	known := p.Catalog.HeaderParams(c.Upstream, c.Target)
	for _, x := range h.Params {
		if slices.ContainsFunc(known, func(k HeaderParam) bool { return strings.EqualFold(k.Name, x.Name) }) {
			continue
		}
		text, ok := decoded(x.Value)
		if !ok {
			text = x.Value
		}
		out = append(out, policy.Header{Name: x.Name, Value: x.Value, Text: text})
	}
	return out
}

// params are the headers that go with a tool call: those of the tool's definition made from the arguments as they are
// sent, and those that were judged beside the message.
func (p *Proxy) params(send *policy.Call) []upstream.Param {
	known := p.Catalog.HeaderParams(send.Upstream, send.Target)
	if known == nil && send.Headers == nil {
		return nil
	}
	var out []upstream.Param
	names := map[string]bool{}
	for _, k := range known {
		names[http.CanonicalHeaderKey(k.Name)] = true
		if v, ok := headerValue(send.Frame.Get(wire.ParamsArguments), k.Path); ok {
			out = append(out, upstream.Param{Name: k.Name, Value: v})
		}
	}
	for _, x := range send.Headers {
		if !names[http.CanonicalHeaderKey(x.Name)] { // the definition may have come meanwhile
			out = append(out, upstream.Param{Name: x.Name, Value: x.Value})
		}
	}
	return out
}

// mirrors are the headers that a tool's definition wants, and the names of all that it knows.
func (p *Proxy) mirrors(server, tool string, f *wire.Frame) (out []upstream.Param, names map[string]bool) {
	known := p.Catalog.HeaderParams(server, tool)
	if known == nil {
		return nil, nil
	}
	names = map[string]bool{}
	for _, k := range known {
		names[http.CanonicalHeaderKey(k.Name)] = true
		if v, ok := headerValue(f.Get(wire.ParamsArguments), k.Path); ok {
			out = append(out, upstream.Param{Name: k.Name, Value: v})
		}
	}
	return out, names
}

// headerValue encodes an argument for its header; false where it is absent or null.
func headerValue(arguments []byte, path []string) (string, bool) {
	v := arguments
	for _, name := range path {
		e, ok := wire.Lookup(v, name)
		if !ok {
			return "", false
		}
		v = e.Value
	}
	if text, ok := wire.Unquote(v); ok {
		return mcp.EncodeHeaderValue(string(text))
	}
	if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
		return mcp.EncodeHeaderValue(n)
	}
	if b, err := strconv.ParseBool(string(v)); err == nil {
		return mcp.EncodeHeaderValue(b)
	}
	return "", false
}
