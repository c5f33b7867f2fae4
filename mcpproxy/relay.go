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
	during  policy.Ref // the call; 0 where there is none
	token   []byte     // raw progress token of the call, nil where there is no call
	modern  bool
	reply   ingress.Reply
	origin  policy.Origin
	calm    *calm // of whom news of changed lists are for; nil where nobody gets any
}

// relay hands what the upstream sends before its answer to the agent.
func (x *exchange) relay(ctx context.Context, link upstream.Link, f *wire.Frame) {
	in := inbound{
		p: x.g.p, peer: x.g.peer, session: x.session, link: link, during: x.call.Ref, token: x.frame.Get(wire.MetaProgressToken), modern: x.modern,
		reply: x.reply, origin: x.call.Origin,
	}
	if x.call.First != 0 {
		in.during = x.call.First
	}
	if x.givenUp() {
		return
	}
	life := ctx
	switch {
	case x.listener != nil:
		in.calm = &x.listener.calm
	case x.session != nil && !x.modern:
		in.calm, life = &x.session.calm, x.session.ctx
	}
	if !in.calmed(life, f) && in.take(ctx, f) {
		x.report.Notifications++
	}
}

// take judges one message from the upstream, under the policy in force now, and hands it on. It reports whether it did.
// What is refused is on record; what is allowed is on record where it is a request, and counted with its call where it
// is a notification.
func (in *inbound) take(ctx context.Context, f *wire.Frame) (sent bool) {
	t := transit{inbound: in, drop: nothing}
	defer func() { t.drop() }()
	defer func() {
		if v := recover(); v != nil {
			sent = false
			t.survive(ctx, v)
		}
	}()
	t.judge(ctx, f)
	return t.pass(ctx)
}

// transit is one message of an upstream on its way to the agent.
type transit struct {
	*inbound
	call   policy.Call
	send   *policy.Call
	out    policy.Outcome
	settle policy.Settle

	asked    bool   // a request has its place among those that wait for the agent's answer
	recorded bool   // the decision is on record, or cannot be
	begun    bool   // a request is on record as allowed
	drop     func() // ends what the message counts as
}

// judge decides on the message and puts the decision on record.
func (t *transit) judge(ctx context.Context, f *wire.Frame) {
	g := guest{p: t.p, peer: t.peer, who: t.p.stands(t.peer)}
	c := &t.call
	*c = g.call(f)
	c.Direction, c.Origin, c.During = policy.ToAgent, t.origin, t.during
	t.send, t.out, t.settle = policy.Decide(ctx, c)
	if g.who.fault != nil {
		t.out = faulty("identity", g.who.fault)
	}
	if t.out.Allowed {
		r := t.illegal(c)
		if r == nil && !t.hold(len(f.Raw)) {
			r, t.out.Detail = reasonNobodyListens, "too much waits to be taken"
		}
		if r == nil && f.Kind == wire.KindRequest {
			r = t.session.ask(f.Get(wire.ID), questionOf(c))
			t.asked = r == nil
		}
		if r != nil {
			t.out.Allowed, t.out.Gate, t.out.Reason = false, "protocol", r
		}
	}
	t.recorded = true
	switch {
	case !t.out.Allowed:
		t.p.record(ctx, c, &t.out)
	case f.Kind == wire.KindRequest, t.out.Durable:
		err := t.p.begin(ctx, t.send, &t.out)
		if t.begun = err == nil; !t.begun {
			t.out = policy.Denied("audit", reasonRecord, "")
			t.p.Log.Error().Err(err).Stringer("ref", c.Ref).Msg("a server's request is not on record")
			t.p.observe(c, &t.out, nil)
		}
	}
}

// pass sends what is allowed, and ends the message.
func (t *transit) pass(ctx context.Context) (sent bool) {
	sent = t.out.Allowed && t.reply.Send("", t.send.Frame.Raw) == nil
	report := &policy.Report{Status: policy.StatusSent}
	if !sent {
		report = nil
	}
	if settle := t.settle; settle != nil {
		t.settle = nil
		if err := settle(ctx, &t.out, report); err != nil {
			t.p.Log.Error().Err(err).Stringer("ref", t.call.Ref).Msg("a reservation was not settled")
		}
	}
	if t.begun {
		t.begun = false
		t.conclude(&t.call, &t.out, sent)
	}
	if t.call.Frame.Kind == wire.KindRequest && !sent {
		t.reject(ctx)
	}
	return sent
}

// survive ends a message in whose course something has panicked.
func (t *transit) survive(ctx context.Context, v any) {
	defer t.p.catch() // what broke may break again
	findings := t.out.Findings
	t.out = faulty("proxy", t.p.broke(v, t.call.Ref))
	t.out.Findings = findings
	if t.call.Frame == nil {
		return
	}
	if !t.recorded {
		t.p.record(ctx, &t.call, &t.out)
	}
	t.pass(ctx)
}

// illegal says what the protocol has against a message of the upstream.
func (in *inbound) illegal(c *policy.Call) *policy.Reason {
	f := c.Frame
	switch {
	case f.Kind == wire.KindRequest && (in.modern || in.session == nil):
		return reasonUnsolicited
	case c.Method == "notifications/cancelled" && in.session != nil:
		in.session.takeQuestion(f.Get(wire.ParamsRequestID)) // nobody waits for the answer
		return nil
	case c.Method == "notifications/tasks/status", c.Method == "notifications/tasks":
		if in.p.policy.Load().startsChildren(c.Upstream) {
			return nil // whatever it is called, it is the agent's
		}
		id, _ := f.Text(wire.ParamsTaskID)
		switch in.p.Owners.claim(newTaskKey(c.Upstream, id), c.Agent.Name, c.Time) {
		case claimForeign, claimStrayed:
			return reasonUnsolicited
		default: // of a task that is not known yet
			return nil
		}
	case c.Method != "notifications/progress":
		return nil
	}
	token := f.Get(wire.ParamsProgressToken)
	if in.token != nil && newIDKey(token) == newIDKey(in.token) || in.session != nil && in.session.owns(token) {
		return nil
	}
	return reasonUnsolicited
}

// questionOf is what is remembered of a server's request until it is answered.
func questionOf(c *policy.Call) question {
	q := question{method: c.Method, task: c.Frame.Has(wire.ParamsTask)}
	if t := c.Frame.Get(wire.MetaProgressToken); t != nil {
		q.token = newIDKey(t)
	}
	return q
}

// conclude ends a server's request that has begun on record.
func (in *inbound) conclude(c *policy.Call, out *policy.Outcome, sent bool) {
	report := policy.Report{Status: policy.StatusSent, Took: in.p.Clock().Sub(c.Time)}
	if !sent {
		*out = policy.Denied("transport", reasonNobodyListens, "")
		report.Status = policy.StatusFailed
	}
	in.p.observe(c, out, &report)
	_ = in.p.end(c, out, &report) // it is logged; the server's request is with the agent, or with nobody
}

// reject answers a server's request that does not reach the agent.
func (t *transit) reject(ctx context.Context) {
	if t.modern || t.session == nil {
		return // the revision has no such requests, so it has no answers to them
	}
	switch id := t.call.Frame.Get(wire.ID); {
	case t.asked:
		t.asked = false
		t.session.takeQuestion(id)
	case t.session.asks(id):
		return // the server would take it for the answer to the request that has the id
	}
	t.p.reject(ctx, t.link, &t.call, &t.out)
}

// reject answers a server's request with a refusal: its own, or that of the agent's answer.
func (p *Proxy) reject(ctx context.Context, link upstream.Link, c *policy.Call, out *policy.Outcome) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	r := refusal(c, out)
	r.ID = c.Frame.Get(wire.ID)
	var answer wire.Frame
	err := wire.Parse(&answer, r.Append(nil), wire.FromAgent, &wire.DefaultLimits)
	if err == nil {
		_, err = link.Send(ctx, &upstream.Outgoing{Frame: &answer, Protocol: c.Origin.Protocol})
	}
	if err != nil {
		p.Log.Info().Err(err).Stringer("ref", c.Ref).Str("upstream", c.Upstream).Msg("an upstream did not take the refusal of its request")
	}
}
