package mcpproxy

import (
	"context"
	"errors"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// Post deals with one message; see [ingress.Guest].
func (g *guest) Post(ctx context.Context, m *ingress.Message, reply ingress.Reply) {
	x := newExchange(g, reply)
	defer func() {
		if v := recover(); v != nil {
			x.survive(ctx, v) // and is not used again: others may still refer to it
			x.holds.drop(reply)
			return
		}
		x.holds.drop(reply)
		x.free()
	}()
	g = g.now()
	x.g = g
	var fault *wire.Fault
	err := wire.Parse(&x.frame, m.Raw, wire.FromAgent, g.limits())
	switch {
	case err == nil:
		g.route(ctx, x, m)
	case errors.As(err, &fault) && fault.Problem == wire.Batch && g.batches(m.Head, reply):
		g.batch(ctx, m, reply)
	default:
		x.recorded, x.answered = true, true
		g.fault(ctx, err, fault, m.Head, reply)
	}
}

// now returns the guest as it stands at this moment. Over streamable HTTP that is how it was admitted; a connection that
// lasts outlives its credential and the configuration.
func (g *guest) now() *guest {
	if g.own == nil {
		return g
	}
	next := *g
	next.who = g.p.stands(g.peer)
	return &next
}

// fault refuses what could not be read.
func (g *guest) fault(ctx context.Context, err error, fault *wire.Fault, h *ingress.Head, reply ingress.Reply) {
	c := g.call(nil)
	out := policy.Denied("wire", policy.ReasonFault, "")
	out.Fault = err
	var id []byte
	if fault != nil {
		out.Reason, out.Detail, id = faults[fault.Problem], fault.Error(), fault.ID
	}
	r := g.p.record(ctx, &c, &out)
	r.ID, r.Modern = id, h != nil && mcp.IsModernProtocol(h.Protocol)
	reply.Refuse(r)
}

// route tells the kinds of messages and the eras apart.
func (g *guest) route(ctx context.Context, x *exchange, m *ingress.Message) {
	f := &x.frame
	x.begin(m)
	if g.who.fault != nil {
		x.out = faulty("identity", g.who.fault)
		x.refuseOnRecord(ctx)
		return
	}
	if x.call.Agent == nil || x.call.Connection == nil {
		x.decide(ctx) // refuses, in whatever state the process on stdio left its session
		return
	}
	if f.Response() {
		g.answer(ctx, x, m.Head)
		return
	}
	if c := &x.call; modern(f, m.Head) {
		x.modern = true
		c.Origin.Protocol = f.String(wire.MetaProtocolVersion)
		if r := g.p.checkModern(c, m.Head); r != nil {
			x.refuseProtocol(ctx, r)
			return
		}
		c.Headers = g.p.beside(c, m.Head)
		g.serveModern(ctx, x)
		return
	}
	if x.call.Method == "initialize" && f.Kind == wire.KindRequest {
		g.initialize(ctx, x, m.Head)
		return
	}
	s, r := g.session(m.Head)
	if r != nil {
		x.refuseProtocol(ctx, r)
		return
	}
	x.join(s)
	if r := s.admits(x.call.Method, m.Head); r != nil {
		x.refuseProtocol(ctx, r)
		return
	}
	x.serve(s.ctx, s)
}

// serveModern deals with a request or notification that needs no session. On a connection that lasts it shares that one's
// link to the upstream, and is cancelled by a notification; over HTTP the request's end is the cancellation.
func (g *guest) serveModern(ctx context.Context, x *exchange) {
	if g.own == nil {
		x.serve(ctx, nil)
		return
	}
	x.join(g.own)
	life := g.own.ctx
	if x.listens() {
		var end context.CancelFunc
		life, end = context.WithCancel(life)
		defer end()
		defer context.AfterFunc(ctx, end)() // nobody is there any more who could end it
	}
	x.serve(life, g.own)
}

// answer takes an agent's answer to what a server asked.
func (g *guest) answer(ctx context.Context, x *exchange, h *ingress.Head) {
	s, r := g.session(h)
	if r != nil {
		x.modern = modern(&x.frame, h)
		x.refuseProtocol(ctx, r)
		return
	}
	x.join(s)
	if r := s.speaks(h); r != nil {
		x.refuseProtocol(ctx, r)
		return
	}
	q, ok := s.takeQuestion(x.frame.Get(wire.ID))
	if !ok {
		x.call.Method = ""
		x.refuseQuietly(ctx, reasonUnasked)
		return
	}
	x.call.Method = q.method
	if x.frame.Kind == wire.KindResult {
		s.keepToken(q)
	}
	if x.deliver(s.ctx, s) {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, leaveTime)
	defer cancel()
	if link, err := s.open(ctx); err == nil { // a server that is gone waits for nothing
		g.p.reject(ctx, link, &x.call, &x.out)
	}
}

// session finds the session that a message belongs to.
func (g *guest) session(h *ingress.Head) (*session, *policy.Reason) {
	if g.own != nil {
		return g.own, nil
	}
	if h == nil || !h.HasSession {
		return nil, reasonNoSession
	}
	s := g.p.sessions.get(h.Session)
	switch {
	case s == nil || s.tied:
		return nil, reasonSession
	case s.agent != g.who.agent.Name || s.upstream != g.peer.Upstream:
		return nil, reasonForeign
	}
	s.usedBy(g.peer)
	return s, nil
}

// initialize begins a session. Over HTTP a session id that the client brings means nothing, unless it is a session of
// its own, which does not begin twice.
func (g *guest) initialize(ctx context.Context, x *exchange, h *ingress.Head) {
	s := g.own
	if s == nil {
		if old, r := g.session(h); r == nil {
			x.join(old)
			x.refuseProtocol(ctx, reasonAgain)
			return
		}
		s = newSession(g.p, g)
		if r := g.p.enroll(s); r != nil {
			x.refuseProtocol(ctx, r)
			return
		}
	}
	x.join(s)
	if !s.hasRoom(len(x.frame.Raw)) {
		x.refuseProtocol(ctx, reasonSessions)
		if !s.tied {
			s.end()
		}
		return
	}
	if !s.start() {
		x.refuseProtocol(ctx, reasonAgain)
		return
	}
	x.starts = true
	if s.id != "" {
		x.reply.Session(s.id) // what comes first may be something else than the answer
	}
	x.serve(s.ctx, s)
	s.started()
}

// End ends a session; see [ingress.Guest].
func (g *guest) End(ctx context.Context, h *ingress.Head) *ingress.Refusal {
	s, r := g.session(h)
	if r == reasonNoSession {
		r = reasonNoStream
	}
	if r == nil {
		r = s.speaks(h)
	}
	if r != nil {
		return g.deny(ctx, "session", r, "")
	}
	s.end()
	return nil
}
