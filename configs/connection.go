package configs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// maxPairs bounds the connections that patterns can make.
const maxPairs = 100_000

// claim is a pair's first connection.
type claim struct {
	name string
	at   policy.Pos
}

// settings are what the keys of a connection mean.
type settings struct {
	timeout time.Duration
	limits  wire.Limits
	observe bool
}

func (c *compiler) keys(path string, k *connectionKeys) settings {
	return settings{
		timeout: c.duration(path+".timeout", k.Timeout, defaultTimeout, minTimeout, maxTimeout),
		limits:  c.limits(path+".limits", &k.Limits, c.file.Limits, true),
		observe: k.Mode == modeObserve,
	}
}

// connections compiles the connections of the file: one for each pair of agent and upstream.
func (c *compiler) connections(all []connection) {
	agents, upstreams := c.file.agentNames(), c.file.upstreamNames()
	claims := map[pair]claim{}
	for i := range all {
		k := &all[i]
		path := "connections." + string(k.Name)
		set := c.keys(path, &k.Own)
		from := c.match(k.At, path+".from", "agent", "agents", k.From, agents)
		to := c.match(k.At, path+".to", "upstream", "upstreams", k.To, upstreams)
		if len(claims)+len(from)*len(to) > maxPairs {
			c.report.fail(CodeTooMany, k.At, path, fmt.Sprintf("this makes more than %d connections", maxPairs), "narrow the patterns")
			return
		}
		pairs := c.claim(path, k, from, to, claims)
		if c.broken[path] {
			continue
		}
		for _, p := range pairs {
			if c.usable(p.upstream) && c.sound(c.file.agents[p.agent].Agent) {
				c.build(path, k, set, p)
			}
		}
		if len(from) == 0 || len(to) == 0 {
			c.assemble(path, k, set, &policy.Agent{}, c.standIn()) // for the mistakes in its other keys
		}
	}
}

// claim returns the pairs that a connection is the first for.
func (c *compiler) claim(path string, k *connection, from, to []string, claims map[pair]claim) []pair {
	var own []pair
	taken := map[string]bool{} // connections that this one overlaps with; each is reported once
	for _, a := range from {
		for _, u := range to {
			p := pair{a, u}
			if first, ok := claims[p]; ok {
				c.overlap(path, k, p, first, taken)
				continue
			}
			claims[p] = claim{string(k.Name), k.At}
			own = append(own, p)
		}
	}
	return own
}

// usable reports whether connections to an upstream can be looked at: what is wrong with it, if anything, only says that
// it cannot be reached. In a file with that mistake, those of its connections are to be found too.
func (c *compiler) usable(upstream string) bool {
	path := "upstreams." + upstream
	if !c.broken[path] {
		return true
	}
	for _, d := range c.report.list {
		if rest, ok := strings.CutPrefix(d.Path, path+"."); ok && !slices.Contains(reach, rest[:keyLength(rest)]) {
			return false
		}
	}
	return true
}

// reach are the keys of an upstream that say how to reach it.
var reach = []string{"command", "env", "dir", "url", "headers"}

// keyLength is the length of the first key of a path.
func keyLength(path string) int {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return i
	}
	return len(path)
}

// standIn is an upstream that has all task types of the file.
func (c *compiler) standIn() *policy.Upstream {
	u := &policy.Upstream{}
	for _, x := range c.file.Upstreams {
		u.Tasks = append(u.Tasks, x.Tasks...)
	}
	return u
}

// match returns the declared names that patterns stand for, each once, in the order of their declaration.
func (c *compiler) match(at policy.Pos, path, what, section string, patterns []policy.Pattern, names []string) []string {
	if patterns != nil && len(patterns) == 0 {
		c.report.fail(CodeValue, at, path, "the list is empty", fmt.Sprintf("name %s, or patterns over them", section))
	}
	chosen := make(map[string]bool)
	for i, p := range patterns {
		if p.Text == "" {
			continue // it was not readable, which is reported already
		}
		hit := false
		for _, n := range names {
			if p.Match(n) {
				chosen[n], hit = true, true
			}
		}
		if hit {
			continue
		}
		text := fmt.Sprintf("no %s named %q", what, p.Text)
		if strings.Contains(p.Text, "*") {
			text = fmt.Sprintf("%q matches no %s", p.Text, what)
		}
		c.report.fail(CodeName, p.At, fmt.Sprintf("%s[%d]", path, i), text, c.known(p.Text, names, section))
	}
	out := make([]string, 0, len(chosen))
	for _, n := range names {
		if chosen[n] {
			out = append(out, n)
		}
	}
	return out
}

func (c *compiler) overlap(path string, k *connection, p pair, first claim, taken map[string]bool) {
	if taken[first.name] {
		return
	}
	taken[first.name] = true
	c.report.fail(CodeOverlap, k.At, path, fmt.Sprintf("a second connection from %s to %s", p.agent, p.upstream),
		fmt.Sprintf("the first is %s on line %d; a pair has one connection", first.name, first.at.Line))
}

// build makes the connection of one pair.
func (c *compiler) build(path string, k *connection, set settings, p pair) {
	out := c.assemble(path, k, set, c.file.agents[p.agent].Agent, c.file.upstreams[p.upstream].Upstream)
	c.file.Connections = append(c.file.Connections, out)
	c.file.connections[p] = out
}

// assemble makes a connection of its keys.
func (c *compiler) assemble(path string, k *connection, set settings, a *policy.Agent, u *policy.Upstream) *policy.Connection {
	out := &policy.Connection{
		Name: string(k.Name), Agent: a, Upstream: u,
		Timeout: set.timeout, Limits: set.limits, File: c.shared, Own: c.file.Own, Revision: c.file.Revision, At: k.At,
	}
	for _, config := range k.Own.Gates {
		if s, ok := config.(policy.Scoper); ok {
			tools, tasks := s.Scopes()
			out.Tools, out.Tasks = append(out.Tools, tools...), append(out.Tasks, tasks...)
			out.Sampling = s.Asked()
		}
	}
	for i := range c.gates {
		spec := &c.gates[i]
		if c.spoiled[spec.Name] {
			continue
		}
		gate, err := spec.Build(out, k.Own.Gates[i])
		var all policy.Complaints
		switch {
		case errors.As(err, &all) && len(all) > 0:
			c.complain(path, k, all)
		case err != nil:
			c.report.fail(CodeGate, k.At, path, fmt.Sprintf("%s: %v", spec.Name, err), "")
		case gate != nil:
			out.Gates = append(out.Gates, policy.Named{Name: spec.Name, Gate: gate, Observe: set.observe})
		}
	}
	return out
}

func (c *compiler) complain(path string, k *connection, all policy.Complaints) {
	for _, x := range all {
		at := x.At
		if at.Line == 0 {
			at = k.At
		}
		c.report.fail(CodeGate, at, path, x.Text, x.Hint)
	}
}
