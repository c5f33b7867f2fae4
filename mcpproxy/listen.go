package mcpproxy

import (
	"bytes"
	"context"
	"slices"
	"sync/atomic"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// Listen serves the stream that belongs to no request; see [ingress.Guest].
func (g *guest) Listen(ctx context.Context, h *ingress.Head, reply ingress.Reply, over func()) {
	var hears *hearing
	defer func() {
		if hears == nil {
			over()
			return
		}
		hears.over = over
		hears.start()
	}()
	defer g.p.catch()
	if g.own != nil {
		hears = g.listenOwn(ctx, reply)
	} else {
		hears = g.listen(ctx, h, reply)
	}
}

// listen finds the stream that a client of streamable HTTP listens to. It returns nil where nothing more comes.
func (g *guest) listen(ctx context.Context, h *ingress.Head, reply ingress.Reply) (hears *hearing) {
	s, r := g.session(h)
	if r == reasonNoSession {
		r = reasonNoStream
	}
	if r == nil {
		r = s.admits("ping", h)
	}
	if r != nil {
		reply.Refuse(g.deny(ctx, "session", r, ""))
		return nil
	}
	c := s.carry(ctx, g.who.key)
	defer func() {
		if hears == nil {
			c.leave()
		}
	}()
	if g.expired() {
		return nil
	}
	if h.LastEventID != "" {
		return g.resume(c, h, reply)
	}
	version, _ := s.facts()
	if s.streams.general.attach(reply, version >= revisionResume, c.stop) != nil {
		return nil
	}
	return &hearing{g: g, s: s, by: c, reply: reply}
}

// expired reports whether the key did not count any more before it could be noted that it carries a stream.
func (g *guest) expired() bool {
	agent, _, _, fault := g.p.identify(g.p.policy.Load(), g.peer)
	return agent == nil || fault != nil
}

// stopped says for the record what an agent is refused by that may say nothing at all, until more happens than that time
// passes: who is in quarantine gets nothing of what was judged before. It is empty for all others.
func (g *guest) stopped(ctx context.Context) string {
	var f wire.Frame
	if err := wire.Parse(&f, []byte(`{"jsonrpc":"2.0","id":0,"method":"ping"}`), wire.FromAgent, &wire.DefaultLimits); err != nil {
		return err.Error()
	}
	c := g.call(&f)
	c.Trace = func(policy.Step) {} // nothing is used up
	_, out, settle := policy.Decide(ctx, &c)
	switch {
	case out.Allowed:
		if err := settle(ctx, &out, nil); err != nil {
			return err.Error()
		}
		return ""
	case out.Wait > 0:
		return ""
	}
	return "refused by " + out.Gate + ": " + out.Reason.Code
}

// resume sends what a client has missed of a stream, and goes on with it.
func (g *guest) resume(c *carrier, h *ingress.Head, reply ingress.Reply) *hearing {
	s := c.s
	if by := g.stopped(c.ctx); by != "" {
		reply.Refuse(g.deny(c.ctx, "session", reasonEvent, by))
		return nil
	}
	o, ok := s.streams.resume(h.LastEventID, g.who.policy.Revision, reply, c.stop)
	switch {
	case !ok:
		reply.Refuse(g.deny(c.ctx, "session", reasonEvent, ""))
	case o == nil: // the stream has ended meanwhile, and the client has all of it
	case o == s.streams.general:
		return &hearing{g: g, s: s, by: c, reply: reply}
	default:
		defer o.leave(reply)
		<-c.ctx.Done() // or the stream ends
	}
	return nil
}

// listenOwn carries what belongs to no request to a connection that lasts, from the moment its client is initialized. It
// ends with the session, and ends the session with the connection.
func (g *guest) listenOwn(ctx context.Context, reply ingress.Reply) (hears *hearing) {
	s := g.own
	c := s.carry(ctx, g.who.key)
	defer func() {
		if hears == nil {
			c.leave()
			g.leaveOwn()
		}
	}()
	if g.expired() || s.streams.general.attach(reply, false, c.stop) != nil {
		return nil
	}
	select {
	case <-ctx.Done():
	case <-c.ctx.Done():
	case <-s.ready:
	}
	return &hearing{g: g, s: s, by: c, reply: reply}
}

// leaveOwn ends the session of a connection.
func (g *guest) leaveOwn() {
	g.own.end()
	if g.own.over == ingress.OverStdio {
		g.p.leave(g.place())
	}
}

// maxListeners bounds the subscriptions of one agent, each of which keeps a connection to its upstream.
const maxListeners = 100

// listener is a subscriptions/listen request that is under way.
type listener struct {
	key    string
	way    Way
	server *upstream.Server
	id     []byte // raw id of the request, which names the subscription
	wants  map[string]bool
	reply  ingress.Reply
	cancel context.CancelFunc
	stands atomic.Bool // the upstream has acknowledged it
	calm   calm
}

// listens reports whether the exchange is a subscription.
func (x *exchange) listens() bool { return x.modern && x.call.Method == "subscriptions/listen" }

// listen carries the stream of a subscription. It may be silent for ever, so no timeout bounds it; it ends with the
// request, with the agent's credential, or when no connection grants it any more.
func (x *exchange) listen(life context.Context, link upstream.Link, stream *upstream.Stream) {
	ctx, cancel := context.WithCancel(life)
	defer cancel()
	x.waitOn(cancel)
	for {
		in, err := (*stream).Next(ctx)
		if next, by := x.detour(ctx, link, in, err); next != nil {
			(*stream).Close()
			*stream, link = next, by
			continue
		}
		switch {
		case err != nil:
			x.abandon(ctx, *stream)
			x.fail(ctx, ctx, err)
			x.reply.End()
			return
		case in.Frame.Response():
			x.finish(ctx, in)
			return
		}
		x.relay(ctx, nil, &in.Frame)
		x.listener.stands.Store(true)
	}
}

// recheck ends the stream where a new policy grants it no way, or has another upstream under the name.
func (l *listener) recheck(next *Policy) {
	if next.Connections[l.way] == nil || next.Upstreams[l.way.Upstream] != l.server {
		l.cancel()
	}
}

// addListener registers a subscription before it is decided on, so that no change of the policy passes it by. It reports
// false where the agent has too many.
func (p *Proxy) addListener(life context.Context, x *exchange) (context.Context, bool) {
	way := Way{x.call.Agent.Name, x.call.Upstream}
	l := &listener{
		key: x.g.who.key, way: way, server: x.g.who.policy.Upstreams[way.Upstream], id: bytes.Clone(x.frame.Get(wire.ID)),
		wants: map[string]bool{}, reply: x.reply,
	}
	for _, list := range lists {
		e, _ := wire.Lookup(x.frame.Get(wire.ParamsNotifications), list.wanted)
		l.wants[list.wanted] = string(e.Value) == "true"
	}
	life, l.cancel = context.WithCancel(life)
	p.mu.Lock()
	mine := 0
	for other := range p.listeners {
		if other.way.Agent == way.Agent {
			mine++
		}
	}
	if mine >= maxListeners {
		p.mu.Unlock()
		l.cancel()
		return life, false
	}
	p.listeners[l] = struct{}{}
	p.mu.Unlock()
	x.listener = l
	l.recheck(p.policy.Load())
	return life, true
}

func (p *Proxy) dropListener(l *listener) {
	l.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.listeners, l)
}

func (p *Proxy) eachListener(f func(*listener)) {
	p.mu.Lock()
	all := make([]*listener, 0, len(p.listeners))
	for l := range p.listeners {
		all = append(all, l)
	}
	p.mu.Unlock()
	for _, l := range all {
		f(l)
	}
}

// lists are the notifications that tell of a changed list, and what a listener calls them.
var lists = []struct{ capability, method, wanted string }{
	{"tools", "notifications/tools/list_changed", "toolsListChanged"},
	{"prompts", "notifications/prompts/list_changed", "promptsListChanged"},
	{"resources", "notifications/resources/list_changed", "resourcesListChanged"},
}

// TellChanged tells every agent that its lists may have changed, because policy has, or what it rests on. It waits for none
// of them, nor does Close: a peer that does not read its standard input can hold a message up for as long as it lives.
func (p *Proxy) TellChanged() {
	p.sessions.each(func(s *session) {
		offers := s.expects()
		p.tell(func() {
			for _, method := range offers {
				_ = s.streams.general.Send("", []byte(`{"jsonrpc":"2.0","method":"`+method+`"}`)) // a session that ended needs no news
			}
		})
	})
	p.eachListener(func(l *listener) {
		if !l.stands.Load() {
			return // it has not begun, and will list anew
		}
		p.tell(func() {
			for _, x := range lists {
				if l.wants[x.wanted] {
					_ = l.reply.Send("", slices.Concat(
						[]byte(`{"jsonrpc":"2.0","method":"`+x.method+`","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":`), l.id, []byte(`}}}`),
					)) // nor does a listener that is gone
				}
			}
		})
	})
}
