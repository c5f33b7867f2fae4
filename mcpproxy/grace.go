package mcpproxy

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopgate/hopgate/policy"
)

// An agent goes on for a while with what it has listed, and nobody tells it what an operator has edited. So what was granted
// until a moment ago is refused, but says nothing about the agent; nor does a wrong name in a URL.

const (
	graceTime = 10 * time.Minute // in which agents are expected to have listed again
	graceMost = 8                // configurations that are remembered; the oldest go first

	strayTime = time.Hour
	strayMost = 3 // names of upstreams that there are not, of one agent in that time; more of them is to try names out
)

// grace remembers what was in force, and who has lost its way.
type grace struct {
	mu     sync.Mutex // guards both
	past   []past     // the latest last
	strays map[string]*stray
}

// past is a configuration that was in force until a short while ago.
type past struct {
	*Policy
	until time.Time
}

// stray is an agent that has asked for upstreams that there are not.
type stray struct {
	since time.Time
	names []string
}

// replaced remembers a configuration that is no longer in force.
func (g *grace) replaced(p *Policy, now time.Time) {
	g.forget(now)
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.past) == graceMost {
		g.past = slices.Delete(g.past, 0, 1)
	}
	g.past = append(g.past, past{p, now})
}

// forget drops what was in force too long ago, and strays of too long ago.
func (g *grace) forget(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.past = slices.DeleteFunc(g.past, func(p past) bool { return now.Sub(p.until) >= graceTime })
	for agent, s := range g.strays {
		if now.Sub(s.since) >= strayTime {
			delete(g.strays, agent)
		}
	}
}

// lately are the configurations that were in force until a short while ago, the latest first.
func (g *grace) lately(now time.Time) []past {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []past
	for _, p := range slices.Backward(g.past) {
		if now.Sub(p.until) < graceTime {
			all = append(all, p)
		}
	}
	return all
}

// lost reports whether a name of an upstream that there is not is a mistake, and not one name of many that are tried.
func (g *grace) lost(agent, upstream string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.strays[agent]
	if s == nil || now.Sub(s.since) >= strayTime {
		s = &stray{since: now}
		g.strays[agent] = s
	}
	switch {
	case slices.Contains(s.names, upstream):
		return true
	case len(s.names) == strayMost:
		return false
	}
	s.names = append(s.names, upstream)
	return true
}

// excuse says of a refusal that it says nothing about the agent, where that is so. The agent gets the same answer.
func (p *Proxy) excuse(ctx context.Context, c *policy.Call, out *policy.Outcome) {
	if c.Agent == nil || c.Direction != policy.ToUpstream || out.Reason == nil || out.Reason.Severity == policy.Info || out.Reason.Severity >= policy.High {
		return
	}
	for _, old := range p.grace.lately(c.Time) {
		if old.granted(ctx, c, out) {
			out.Lapsed = true
			out.Detail = strings.TrimPrefix(out.Detail+"; granted until the configuration changed", "; ")
			return
		}
	}
	if out.Reason == policy.ReasonNoConnection && p.policy.Load().Upstreams[c.Upstream] == nil && p.grace.lost(c.Agent.Name, c.Upstream, c.Time) {
		out.Reason = policy.ReasonNoUpstream
	}
}

// granted reports whether a call that is refused would have passed where it is, under an earlier configuration. What gates
// are asked here they take for a question of explain, so that nothing is used up.
func (p *Policy) granted(ctx context.Context, c *policy.Call, out *policy.Outcome) bool {
	conn := p.Connections[Way{c.Agent.Name, c.Upstream}]
	if conn == nil || c.Connection == nil {
		return conn != nil && out.Reason == policy.ReasonNoConnection
	}
	i := slices.IndexFunc(conn.Gates, func(g policy.Named) bool { return g.Name == out.Gate })
	if i < 0 {
		return false
	}
	alone := *conn
	alone.Gates = conn.Gates[i : i+1]
	then := *c
	then.Connection, then.Agent, then.Trace = &alone, conn.Agent, func(policy.Step) {}
	if c.Method == "tools/call" {
		then.Task = conn.Upstream.Task(c.Target)
	}
	_, was, settle := policy.Decide(context.WithoutCancel(ctx), &then)
	return was.Allowed && settle(ctx, &was, nil) == nil
}
