package trust

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"github.com/hopgate/hopgate/policy"
)

const (
	gateName = "trust"
	// margin is the points above a minimum at which a party that has been below is let in again, so that a score at the
	// edge does not open and close the way with each call.
	margin = 25
)

// Config are the keys of a connection, of a tool and of a task type. Without them there is no minimum.
type Config struct {
	Trust *Minimum `yaml:"trust" doc:"Score that the agent needs, 0 to 1000; nobody reaches 1000. Where several apply, the highest counts. Once below, it takes 25 points more to be let in again."`
}

// Minimum is a score that an agent needs.
type Minimum struct {
	At    policy.Pos
	Min   Points `yaml:"min,scalar,required" doc:"The least score, 0 to 1000."`
	Below Below  `yaml:"below" doc:"What becomes of calls below it: block, which is also the default."`
}

// Points are a score.
type Points int

// UnmarshalText reads a whole number from 0 to 1000.
func (p *Points) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 || n > most || strconv.Itoa(n) != string(text) {
		return outside{fmt.Sprintf("%q is not a score", text), "it is a whole number, 0 to 1000"}
	}
	*p = Points(n)
	return nil
}

// SchemaTypes returns how YAML writes a score.
func (*Points) SchemaTypes() []string { return []string{"integer"} }

// Below is what becomes of calls below a minimum. The zero Below blocks them; there is no other.
type Below struct{}

// UnmarshalText reads block.
func (*Below) UnmarshalText(text []byte) error {
	if string(text) != "block" {
		return outside{fmt.Sprintf("%q is nothing that can be done", text), "write block, or leave the key out"}
	}
	return nil
}

// SchemaEnum returns the values that there are.
func (*Below) SchemaEnum() []string { return []string{"block"} }

// Spec describes the gate of whole connections. Every connection has one, because quarantine needs no minimum.
func Spec(b *Book) policy.Spec {
	scoped := func() any { return new(Config) }
	return policy.NewSpec(gateName, "how far the agent is trusted, by what it has done", reasons,
		func(c *policy.Connection, cfg *Config) (policy.Gate, error) { return build(b, c, cfg), nil }).
		On(policy.OnTool, scoped).On(policy.OnTask, scoped).
		On(policy.OnFile, func() any { return new(FileConfig) })
}

// Parts describes the gate of tools and task types that need more than their connection. It reads the keys that Spec has
// there, and stands behind the gate that says what is granted: before it, a refusal would tell of a tool that the agent
// may not know of.
func Parts(b *Book) policy.Spec {
	type none struct{} // its keys are in the parts
	return policy.NewSpec(gateName+"-parts", "how far the agent is trusted with a tool or a type of work", nil,
		func(c *policy.Connection, _ *none) (policy.Gate, error) {
			if g := buildParts(b, c); len(g.minima) > 0 {
				return g, nil
			}
			return nil, nil //nolint:nilnil // it is what a Spec returns where there is nothing to say
		})
}

// gate is the gate of one connection, or of its parts. It is immutable; what changes is in the Book.
type gate struct {
	parts           bool
	book            *Book
	agent, upstream Party
	at              policy.Pos // of the connection
	minima          []minimum  // the highest first
}

// minimum is a score that some calls need.
type minimum struct {
	score   int
	part    string // of the connection; empty for all of it
	applies func(*policy.Call) bool
	id      uint64 // by which a record says that its party has fallen below
	at      policy.Pos
}

var _ policy.Gate = (*gate)(nil)

func build(b *Book, c *policy.Connection, cfg *Config) *gate {
	g := &gate{book: b, agent: Agent(c.Agent.Name), upstream: Upstream(c.Upstream.Name), at: c.At}
	g.add(c, cfg, "", func(*policy.Call) bool { return true })
	return g
}

func buildParts(b *Book, c *policy.Connection) *gate {
	g := &gate{parts: true, book: b, agent: Agent(c.Agent.Name), upstream: Upstream(c.Upstream.Name), at: c.At}
	for _, s := range c.Tools {
		g.add(c, policy.Setting[Config](s.Settings, gateName), "tool "+s.Name.Text, func(call *policy.Call) bool {
			return call.Method == "tools/call" && s.Name.Match(call.Target)
		})
	}
	for _, s := range c.Tasks {
		g.add(c, policy.Setting[Config](s.Settings, gateName), "task "+s.Name.Text, func(call *policy.Call) bool {
			return call.Method == "tools/call" && s.Name.Match(call.Task)
		})
	}
	slices.SortStableFunc(g.minima, func(x, y minimum) int { return cmp.Compare(y.score, x.score) })
	return g
}

// add adds the minimum of one part of a connection, where it has one.
func (g *gate) add(c *policy.Connection, cfg *Config, part string, applies func(*policy.Call) bool) {
	if cfg == nil || cfg.Trust == nil {
		return
	}
	m := minimum{score: int(cfg.Trust.Min), part: part, applies: applies, at: cfg.Trust.At}
	if m.at.Line == 0 {
		m.at = c.At
	}
	// The score is part of the name: who lowers a minimum to let an agent in must not find it kept out by the old one.
	id := fnv.New64a()
	_, _ = fmt.Fprintf(id, "%s\x00%s\x00%s\x00%d", c.Name, c.Upstream.Name, part, m.score) // a hash takes everything
	m.id = id.Sum64()
	g.minima = append(g.minima, m)
}

// errOther is a fault of whoever made the call.
var errOther = errors.New("the call is of another connection")

// Check refuses what an agent in quarantine does, what goes to an upstream in quarantine, and what needs a higher score
// than the agent has. It refuses every message in either direction, but a cancellation: to stop needs no trust.
func (g *gate) Check(_ context.Context, c *policy.Call) (policy.Verdict, error) {
	if c.Agent == nil || c.Agent.Name != g.agent.name {
		return policy.Verdict{}, errOther
	}
	if c.Method == "notifications/cancelled" {
		return policy.Pass, nil
	}
	s, blocked := g.book.look(g.agent, c.Time.Unix())
	assumed := c.Trace != nil && c.Assumed != nil && c.Assumed.Scored
	if assumed {
		s, blocked = Standing{Score: c.Assumed.Score, Condition: Sound}, false
	}
	var v policy.Verdict
	if s.Condition == Sound && !assumed && g.book.doubted() {
		v = g.doubt(c, reasonOld)
	} else {
		v = g.judge(c, s, blocked)
	}
	if v.Effect == policy.Allow && !g.parts {
		if r := g.stopped(); r != nil {
			v = policy.Refuse(r, g.at, g.upstream.String())
		}
	}
	v.Facts.Score, v.Facts.Scored, v.Facts.ScoreParams = s.Score, true, s.Params
	return v, nil
}

// stopped says why nothing goes to the upstream, or returns nil. Its score keeps nobody out: agents have a hand in it, and
// could shut out one another.
func (g *gate) stopped() *policy.Reason {
	switch g.book.condition(g.upstream) {
	case Sound:
		return nil
	case Quarantined:
		return reasonUpstream
	case Damaged:
		return reasonDamaged
	default:
		return reasonUnknown
	}
}

// judge holds a standing against the minima that apply.
func (g *gate) judge(c *policy.Call, s Standing, blocked bool) policy.Verdict {
	switch s.Condition {
	case Sound:
		return g.measure(c, s.Score, blocked)
	case Stale:
		return g.doubt(c, reasonStale)
	case Quarantined:
		return policy.Refuse(reasonQuarantine, g.at, "")
	case Damaged:
		return policy.Refuse(reasonDamaged, g.at, "")
	default:
		return policy.Refuse(reasonUnknown, g.at, "")
	}
}

// doubt refuses what needs a score. Nobody knows it; a quarantine can be read all the same.
func (g *gate) doubt(c *policy.Call, r *policy.Reason) policy.Verdict {
	for i := range g.minima {
		if m := &g.minima[i]; m.score > 0 && m.applies(c) {
			return policy.Refuse(r, m.at, "")
		}
	}
	return policy.Pass
}

// measure holds a score against the minima that apply. It goes on behind the first that is not met, so that each remembers
// who was below.
func (g *gate) measure(c *policy.Call, score int, blocked bool) policy.Verdict {
	v := policy.Pass
	for i := range g.minima {
		m := &g.minima[i]
		if !m.applies(c) {
			continue
		}
		held := (score < m.score || blocked) && g.book.hold(g.agent, m, score, c.Trace == nil)
		switch {
		case v.Effect != policy.Allow:
		case held:
			v = policy.Refuse(reasonLow, m.at, m.detail(score))
		case v.At.Line == 0:
			v.At = m.at
		}
		if !held && c.Trace != nil {
			c.Passed("trust", m.at, fmt.Sprintf("%d, at least %d", score, m.score))
		}
	}
	return v
}

// again is the score from which on a party that has been below is let in.
func (m *minimum) again() int {
	return min(m.score+margin, max(m.score, most-1)) // near the top there is no room for the whole margin
}

// detail is for the record.
func (m *minimum) detail(score int) string {
	if score < m.score {
		return fmt.Sprintf("score %d, minimum %d", score, m.score)
	}
	return fmt.Sprintf("score %d, minimum %d, after having been below %d", score, m.score, m.again())
}

// hold reports whether a party is kept out by a minimum that it has fallen below. Unless only asked, it remembers that the
// party is below now, or that it has come back.
func (b *Book) hold(p Party, m *minimum, score int, remember bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[p]
	if b.assumed != nil || e == nil || e.rec == nil {
		return score < m.score
	}
	below := slices.Contains(e.rec.blocked, m.id)
	switch {
	case score < m.score:
		below = true
	case score >= m.again():
		below = false
	}
	if remember && e.rec.block(m.id, below) {
		b.touch(e)
	}
	return below
}
