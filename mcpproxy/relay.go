package mcpproxy

import (
	"context"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// inbound is where messages come from that an upstream sends of its own accord: the stream of one call, or what belongs
// to no call.
type inbound struct {
	p       *Proxy
	peer    *ingress.Peer
	session *session // nil in the later era over HTTP
	link    upstream.Link
	token   []byte // raw progress token of the call, nil where there is no call
	modern  bool
	reply   ingress.Reply
	origin  policy.Origin
}

// relay hands what the upstream sends before its answer to the agent.
func (x *exchange) relay(ctx context.Context, link upstream.Link, f *wire.Frame) {
	in := inbound{
		p: x.g.p, peer: x.g.peer, session: x.session, link: link, token: x.frame.Get(wire.MetaProgressToken), modern: x.modern,
		reply: x.reply, origin: x.call.Origin,
	}
	if x.givenUp() {
		return
	}
	if in.take(ctx, f) {
		x.report.Notifications++
	}
}

// take judges one message from the upstream, under the policy in force now, and hands it on. It reports whether it did.
// What is refused is on record; what is allowed is on record where it is a request, and counted with its call where it
// is a notification.
func (in *inbound) take(ctx context.Context, f *wire.Frame) bool {
	who := in.p.stands(in.peer)
	g := guest{p: in.p, peer: in.peer, who: who}
	c := g.call(f)
	c.Direction, c.Origin = policy.ToAgent, in.origin
	_, out, settle := policy.Decide(ctx, &c)
	request := f.Kind == wire.KindRequest
	if out.Allowed {
		if r := in.illegal(&c); r != nil {
			out.Allowed, out.Gate, out.Reason = false, "protocol", r
		}
	}
	if out.Allowed && request {
		if err := in.p.Journal.Begin(ctx, &c, &out); err != nil {
			out = policy.Denied("audit", reasonRecord, "")
			out.Fault = err
		}
	} else if !out.Allowed {
		in.p.record(ctx, &c, &out)
	}
	sent := out.Allowed && in.reply.Send("", f.Raw) == nil
	var report *policy.Report
	if sent {
		report = &policy.Report{Status: policy.StatusSent}
	}
	if err := settle(ctx, &out, report); err != nil {
		in.p.Log.Error().Err(err).Stringer("ref", c.Ref).Msg("a reservation was not settled")
	}
	if request {
		in.conclude(ctx, &c, &out, sent)
	}
	return sent
}

// illegal says what the protocol has against a message of the upstream. A request is registered, so that its answer
// finds its way.
func (in *inbound) illegal(c *policy.Call) *policy.Reason {
	f := c.Frame
	switch {
	case f.Kind == wire.KindRequest && (in.modern || in.session == nil):
		return reasonUnsolicited
	case f.Kind == wire.KindRequest && !in.session.ask(f.Get(wire.ID), question{c.Method}):
		return reasonUnsolicited
	case c.Method != "notifications/progress":
		return nil
	}
	token := f.Get(wire.ParamsProgressToken)
	if in.token != nil && newIDKey(token) == newIDKey(in.token) || in.session != nil && in.session.owns(token) {
		return nil
	}
	return reasonUnsolicited
}

// conclude ends a server's request: on record where it went to the agent, with an error to the server where not.
func (in *inbound) conclude(ctx context.Context, c *policy.Call, out *policy.Outcome, sent bool) {
	if sent {
		in.p.Journal.End(c, out, &policy.Report{Status: policy.StatusSent, Took: in.p.Clock().Sub(c.Time)})
		return
	}
	if out.Allowed {
		*out = policy.Denied("transport", reasonNobodyListens, "")
		in.p.Journal.End(c, out, &policy.Report{Status: policy.StatusFailed, Took: in.p.Clock().Sub(c.Time)})
	}
	if in.modern || in.session == nil {
		return // the revision has no such requests, so it has no answers to them
	}
	in.session.takeQuestion(c.Frame.Get(wire.ID))
	var answer wire.Frame
	r := refusal(c, out)
	if err := wire.Parse(&answer, r.Append(nil), wire.FromAgent, &wire.DefaultLimits); err != nil {
		in.p.Log.Error().Err(err).Stringer("ref", c.Ref).Msg("an upstream got no answer to its request")
		return
	}
	if _, err := in.link.Send(ctx, &upstream.Outgoing{Frame: &answer, Protocol: in.origin.Protocol}); err != nil {
		in.p.Log.Debug().Err(err).Stringer("ref", c.Ref).Msg("an upstream did not take the refusal of its request")
	}
}
