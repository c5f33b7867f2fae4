package mcpproxy

import (
	"context"
	"errors"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// guest is one admitted peer: an HTTP request, or a connection or process for as long as it lasts.
type guest struct {
	p    *Proxy
	peer *ingress.Peer
	who  standing
	room *room    // of its agent, from when it is admitted
	own  *session // that the peer's connection carries; nil over streamable HTTP
}

// standing is who an agent is and what it may do, under one state of the configuration.
type standing struct {
	policy *Policy
	agent  *policy.Agent
	key    string
	conn   *policy.Connection
	cause  string // for the record: why the agent is nobody
	fault  error  // nobody can say who the agent is
}

// stands says who a peer is under the policy in force. Neither a missing agent nor a missing connection is an error:
// the pipeline refuses both.
func (p *Proxy) stands(peer *ingress.Peer) standing {
	s := standing{policy: p.policy.Load()}
	s.agent, s.key, s.cause, s.fault = p.identify(s.policy, peer)
	if s.agent != nil {
		s.conn = s.policy.Connections[Way{s.agent.Name, peer.Upstream}]
	}
	return s
}

func (p *Proxy) identify(pol *Policy, peer *ingress.Peer) (a *policy.Agent, key, cause string, fault error) {
	if peer.Local && peer.Credential == "" {
		a, err := localAgent(pol, peer.As)
		if err != nil {
			return nil, "", err.Error(), nil //nolint:nilerr // it is why nobody is let in, not a fault
		}
		return a, "", "", nil
	}
	if peer.Credential == "" {
		return nil, "", "no credential", nil
	}
	name, key, err := p.verify(peer.Credential.Reveal())
	switch {
	case errors.Is(err, errBroken):
		return nil, key, "", err
	case err != nil:
		return nil, key, err.Error(), nil //nolint:nilerr // likewise
	}
	principal, declared := pol.Agents[name]
	switch {
	case !declared:
		return nil, key, "the key's agent is not declared", nil
	case principal.Local:
		return nil, key, "the key's agent is declared auth: local", nil
	case peer.As != "" && peer.As != name:
		return nil, key, "the key is another agent's", nil
	}
	return principal.Agent, key, "", nil
}

// localAgent finds the agent that a process of the local user is: the named one, or the only one.
func localAgent(pol *Policy, name string) (*policy.Agent, error) {
	var found *policy.Agent
	for _, a := range pol.Agents {
		if !a.Local || name != "" && a.Name != name {
			continue
		}
		if found != nil {
			return nil, errors.New("several local agents")
		}
		found = a.Agent
	}
	if found == nil {
		return nil, errors.New("no such local agent")
	}
	return found, nil
}

// Admit says who a peer is; see [ingress.Handler].
func (p *Proxy) Admit(ctx context.Context, peer *ingress.Peer) (ingress.Guest, *ingress.Refusal) {
	g := &guest{p: p, peer: peer, who: p.stands(peer)}
	peer.Agent, peer.Key = g.who.agent, g.who.key
	if g.who.agent == nil || g.who.conn == nil {
		c := g.call(nil)
		_, out, _ := policy.Decide(ctx, &c)
		if g.who.fault != nil {
			out = faulty("identity", g.who.fault)
		}
		if out.Detail == "" {
			out.Detail = g.who.cause
		}
		return nil, p.record(ctx, &c, &out)
	}
	g.room = p.rooms.of(g.who.agent.Name)
	if !peer.Lasting() {
		return g, nil
	}
	if r := g.settleDown(); r != nil {
		return nil, g.deny(ctx, "session", r, "")
	}
	return g, nil
}

// deny refuses, on record, what never becomes a message.
func (g *guest) deny(ctx context.Context, gate string, r *policy.Reason, detail string) *ingress.Refusal {
	c := g.call(nil)
	out := policy.Denied(gate, r, detail)
	return g.p.record(ctx, &c, &out)
}

// settleDown begins the session of a connection, or finds it for a message that comes on another one. It says why there
// is none.
func (g *guest) settleDown() *policy.Reason {
	p, peer := g.p, g.peer
	if peer.Session != "" {
		g.own = p.sessions.get(peer.Session)
		switch s := g.own; {
		case s == nil || !s.tied || s.over != peer.Transport:
			return reasonSession
		case s.agent != g.who.agent.Name || s.upstream != peer.Upstream:
			return reasonForeign
		}
		g.own.usedBy(peer)
		return nil
	}
	s := newSession(p, g)
	g.own = s
	if peer.Transport == ingress.OverStdio {
		if !p.sessions.enter(s) {
			return reasonSessions
		}
		p.stay(g.place())
		return nil
	}
	r := p.enroll(s)
	peer.Session = s.id
	return r
}

// enroll gives a session its id, or says why it gets none.
func (p *Proxy) enroll(s *session) *policy.Reason {
	switch ok, err := p.sessions.add(s, p.Random); {
	case err != nil:
		p.Log.Error().Err(err).Msg("no session could be made")
		return policy.ReasonFault
	case !ok:
		return reasonSessions
	}
	return nil
}

// place is where the agent works.
func (g *guest) place() place { return place{Way{g.who.agent.Name, g.peer.Upstream}, g.peer.Dir} }

// Refuse records what the transport refuses; see [ingress.Handler].
func (p *Proxy) Refuse(ctx context.Context, peer *ingress.Peer, r *policy.Reason, detail string) *ingress.Refusal {
	g := &guest{p: p, peer: peer, who: standing{policy: p.policy.Load(), agent: peer.Agent, key: peer.Key}}
	if peer.Agent != nil {
		g.who.conn = g.who.policy.Connections[Way{peer.Agent.Name, peer.Upstream}]
	}
	return g.deny(ctx, "transport", r, detail)
}

// record puts a refusal on record and makes the answer of it. Where that fails the call is refused all the same.
func (p *Proxy) record(ctx context.Context, c *policy.Call, out *policy.Outcome) *ingress.Refusal {
	p.excuse(ctx, c, out)
	p.observe(c, out, nil)
	if err := p.begin(context.WithoutCancel(ctx), c, out); err != nil {
		p.Log.Error().Err(err).Str("reason", out.Reason.Code).Msg("a refusal is not on record")
	}
	return refusal(c, out)
}

// refusal is what the agent is told of a refused call.
func refusal(c *policy.Call, out *policy.Outcome) *ingress.Refusal {
	r := &ingress.Refusal{Reason: out.Reason, Ref: c.Ref, Method: c.Method, Wait: out.Wait, Tell: out.Tell}
	if c.Frame != nil {
		r.Modern = c.Frame.Has(wire.MetaProtocolVersion)
		if c.Frame.Kind == wire.KindRequest {
			r.ID = c.Frame.Get(wire.ID)
		}
	}
	return r
}

// call makes the call of a message. The frame may be nil, where there was no message or none that could be read.
func (g *guest) call(f *wire.Frame) policy.Call {
	c := policy.Call{
		Time: g.p.Clock(), Agent: g.who.agent, Connection: g.who.conn, Upstream: g.peer.Upstream, Frame: f,
		Origin: policy.Origin{Transport: g.peer.Transport, Remote: g.peer.Remote, Key: g.who.key},
	}
	var err error
	if c.Ref, err = policy.NewRef(g.p.Random); err != nil {
		// Without a name of its own the call cannot be told from others on record. Nobody is refused anyway.
		c.Agent, c.Connection = nil, nil
		g.p.Log.Error().Err(err).Msg("no randomness for a reference")
	}
	if f != nil && f.Has(wire.Method) {
		c.Method = methodName(f)
		c.Target = target(c.Method, f)
		if c.Connection != nil && c.Method == "tools/call" {
			c.Task = c.Connection.Upstream.Task(c.Target)
		}
	}
	return c
}

// methodName returns the method of a frame, without allocation where the protocol defines it.
func methodName(f *wire.Frame) string {
	text, _ := f.Text(wire.Method)
	if name, ok := methods[string(text)]; ok {
		return name
	}
	return string(text)
}

// methods are the names that come often.
var methods = func() map[string]string {
	m := map[string]string{}
	for _, name := range []string{
		"initialize", "ping", "server/discover", "tools/list", "tools/call", "prompts/list", "prompts/get", "resources/list",
		"resources/read", "resources/templates/list", "completion/complete", "subscriptions/listen", "notifications/initialized",
		"notifications/cancelled", "notifications/progress", "notifications/message", "sampling/createMessage", "elicitation/create",
	} {
		m[name] = name
	}
	return m
}()

// MaxFrame is the limit of the connection.
func (g *guest) MaxFrame() int { return g.limits().Frame }

func (g *guest) limits() *wire.Limits {
	if g.who.conn != nil {
		return &g.who.conn.Limits
	}
	return &g.who.policy.Limits
}

var _ ingress.Guest = (*guest)(nil)
