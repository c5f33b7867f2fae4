package mcpproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/hopgate/hopgate/mcpproxy/bridge"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// A message is sent as it is, in the era that its agent speaks. Where the server does not know that one, or has forgotten
// the session, the message has not been acted upon, and goes another way once. What is judged, recorded and answered does
// not change by that.

// era is what is known of a server. The zero era is not known.
type era uint8

const (
	eraModern era = iota + 1
	eraLegacy
)

func (p *Proxy) eraOf(server *upstream.Server) era {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.eras[server]
}

func (p *Proxy) learnEra(server *upstream.Server, e era) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.eras[server] = e
}

// detour sends a message another way, where what came back for it says that this one leads nowhere. It returns what comes
// back now, and by which link; nil where the message stays with what it got.
func (x *exchange) detour(ctx context.Context, link upstream.Link, in *upstream.Incoming, err error) (upstream.Stream, upstream.Link) {
	discovers := x.modern && err == nil && x.call.Method == "server/discover" && in.Frame.Kind == wire.KindResult && elder(&in.Frame)
	if err == nil && in.Frame.Kind != wire.KindError && !discovers || x.detoured || x.givenUp() {
		return nil, nil
	}
	if agent, _, _, fault := x.g.p.identify(x.g.p.policy.Load(), x.g.peer); agent == nil || fault != nil {
		return nil, nil // nothing more is sent for one whose key does not count any more
	}
	var next upstream.Link
	switch {
	case errors.Is(err, upstream.ErrSessionEnded) && x.session != nil && !x.starts && bridge.Repeatable(x.call.Method):
		x.detoured = true
		next, err = x.session.open(ctx)
	case x.starts && foreign(in, err, true):
		x.detoured = true
		next, err = x.session.crossToModern(ctx, x.sent.Frame)
	case x.modern && err == nil && bridge.Claims(&in.Frame):
		return nil, nil // it is of the era, and the agent may ask again
	case discovers || x.modern && foreign(in, err, bridge.Repeatable(x.call.Method)):
		x.detoured = true
		next, err = x.crossToLegacy(ctx, link)
	default:
		return nil, nil
	}
	if err != nil || next == nil {
		if err != nil {
			x.g.p.Log.Info().Err(err).Stringer("ref", x.call.Ref).Str("upstream", x.call.Upstream).Msg("there is no other way to the upstream")
		}
		return nil, nil
	}
	stream, err := next.Send(ctx, x.outgoing(x.sent))
	if err != nil {
		x.g.p.Log.Info().Err(err).Stringer("ref", x.call.Ref).Str("upstream", x.call.Upstream).Msg("the other way to the upstream leads nowhere")
		return nil, nil
	}
	return stream, next
}

// elder reports whether a server says that it knows versions, and none of the later era.
func elder(f *wire.Frame) bool { return f.Has(wire.ResultSupportedVersions) && !bridge.Knows(f) }

// foreign reports whether an answer may be that of a server which does not know the era of the request. Where the request
// does something, only what says that it was not looked at counts.
func foreign(in *upstream.Incoming, err error, repeatable bool) bool {
	var status *upstream.StatusError
	switch {
	case errors.As(err, &status):
		return bridge.Foreign(status.Code)
	case err != nil:
		return false
	case repeatable:
		return true
	}
	switch string(in.Frame.Get(wire.ErrorCode)) {
	case "-32600", "-32601", "-32020", "-32022":
		return true
	case "-32000", "-32001", "0": // by which libraries say that there is no session, and tools that they have failed
		return in.Status >= http.StatusBadRequest
	}
	return false
}

// bridgeTo is what a bridge to a server needs. open makes it a way there.
func (p *Proxy) bridgeTo(name string, open func(context.Context) (upstream.Link, error)) bridge.Config {
	return bridge.Config{Life: p.ctx, Open: open, Limits: wire.DefaultLimits, Params: func(f *wire.Frame) []upstream.Param {
		params, _ := p.mirrors(name, f.String(wire.ParamsName), f)
		return params
	}}
}

// crossToModern makes the session one over a server of the later era, where its upstream is one; nil where it is none. The
// session's client has just been refused.
func (s *session) crossToModern(ctx context.Context, hello *wire.Frame) (upstream.Link, error) {
	if err := s.opening.take(ctx); err != nil {
		return nil, err
	}
	defer s.opening.release()
	s.mu.Lock()
	server := s.server
	s.mu.Unlock()
	if server == nil {
		return nil, upstream.ErrUnavailable
	}
	link, err := s.overModern(ctx, server, hello)
	if link == nil || err != nil {
		return nil, err
	}
	s.mu.Lock()
	old := s.link
	switch {
	case s.ended:
		old, err = link, errEnded
	case s.server != server: // as in find
		old, err = link, upstream.ErrUnavailable
	default:
		s.link, s.bridged = link, true
	}
	s.mu.Unlock()
	if old != nil {
		s.p.spawn(func() { closeLink(s.ctx, old) })
	}
	return link, err
}

// overModern makes a link for the session over a server of the later era; nil where it is none.
func (s *session) overModern(ctx context.Context, server *upstream.Server, hello *wire.Frame) (upstream.Link, error) {
	plain, err := server.In(s.dir).Stateless(ctx)
	if err != nil {
		return nil, err
	}
	link, ok, err := bridge.NewToModern(ctx, s.p.bridgeTo(s.upstream, nil), plain, hello)
	if err != nil || !ok {
		s.p.spawn(func() { closeLink(s.ctx, plain) })
		return nil, err
	}
	s.p.learnEra(server, eraModern)
	return link, nil
}

// dial opens a link for the session: as its client has begun it, or over a server of the later era.
func (s *session) dial(ctx context.Context, server *upstream.Server, bridged bool, hello []byte) (upstream.Link, error) {
	if !bridged {
		return server.In(s.dir).Open(ctx)
	}
	f := new(wire.Frame)
	if err := wire.Parse(f, hello, wire.FromAgent, &wire.DefaultLimits); err != nil {
		return nil, fmt.Errorf("greeting an upstream once more: %w", err)
	}
	link, err := s.overModern(ctx, server, f)
	if err == nil && link == nil {
		err = fmt.Errorf("%w: it does not know the era any more that it knew", upstream.ErrProtocol)
	}
	return link, err
}

// crossToLegacy makes the way that an agent's requests of the later era take one that leads to a server of the earlier,
// where the upstream is one; nil where it is none. link has just refused a request.
func (x *exchange) crossToLegacy(ctx context.Context, link upstream.Link) (upstream.Link, error) {
	p := x.g.p
	server := x.g.who.policy.Upstreams[x.call.Upstream]
	if x.session != nil {
		x.session.mu.Lock()
		server = x.session.server
		x.session.mu.Unlock()
	}
	if _, crossed := link.(*bridge.ToLegacy); server == nil || crossed || p.eraOf(server) == eraModern {
		return nil, nil //nolint:nilnil // there is no other way
	}
	if x.call.Method != "server/discover" { // which has been asked just now
		c := p.bridgeTo(x.call.Upstream, nil)
		switch _, ok, err := c.Discover(ctx, link, nil, nil); {
		case err != nil:
			return nil, err
		case ok:
			p.learnEra(server, eraModern)
			return nil, nil //nolint:nilnil // likewise
		}
	}
	p.learnEra(server, eraLegacy)
	at := place{Way{x.call.Agent.Name, x.call.Upstream}, x.g.peer.Dir}
	if x.session != nil {
		return x.session.overLegacy(server, link)
	}
	p.mu.Lock()
	if s := p.stateless[at]; s != nil && s.link == link {
		delete(p.stateless, at)
		p.spawn(func() { closeLink(p.ctx, link) })
	}
	p.mu.Unlock()
	return p.shared(ctx, x.g.who.policy, at)
}

// overLegacy makes the process's requests of the later era go to a server of the earlier.
func (s *session) overLegacy(server *upstream.Server, old upstream.Link) (upstream.Link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return nil, errEnded
	case s.link != old: // somebody else has been here
		return s.link, nil
	}
	s.link = s.p.toLegacy(server, s.upstream, s.dir)
	s.p.spawn(func() { closeLink(s.ctx, old) })
	return s.link, nil
}

func (p *Proxy) toLegacy(server *upstream.Server, name, dir string) upstream.Link {
	return bridge.NewToLegacy(p.bridgeTo(name, server.In(dir).Open))
}

// dialModern opens a link for requests that need no session.
func (p *Proxy) dialModern(ctx context.Context, server *upstream.Server, at place) (upstream.Link, error) {
	if p.eraOf(server) == eraLegacy {
		return p.toLegacy(server, at.Upstream, at.dir), nil
	}
	return server.In(at.dir).Stateless(ctx)
}

// maxLasting bounds what a session repeats to a server that has forgotten it.
const maxLasting = 256

// lasting are the requests of a session that count for the rest of it, by what they are about.
type lasting map[string][]byte

// note keeps or drops a request that has succeeded, where more finds room for the bytes that it takes.
func (l lasting) note(f *wire.Frame, more func(n int) bool) {
	method, about := f.String(wire.Method), f.String(wire.ParamsURI)
	if method == "logging/setLevel" {
		about = ""
	}
	old, has := l[about]
	switch {
	case method == "resources/unsubscribe":
		more(-len(old))
		delete(l, about)
	case !has && len(l) >= maxLasting:
	case more(len(f.Raw) - len(old)):
		l[about] = bytes.Clone(f.Raw)
	}
}

// frames returns the requests.
func (l lasting) frames() (all [][]byte) {
	for _, raw := range l {
		all = append(all, slices.Clone(raw))
	}
	return all
}
