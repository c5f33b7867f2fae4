package quota

import (
	"context"

	"github.com/hopgate/hopgate/policy"
)

const gateRefusals = "refusals"

// unitRefusals is the meter of an agent's refusals. No rate has a unit of this name.
const unitRefusals = "refusals"

// RefusalKeys are the keys of agents and of the file that say how often an agent may be refused.
type RefusalKeys struct {
	Refusals *Bucket `yaml:"refusals" doc:"How often an agent may be refused before all of its messages are, for a while: a rate. Default 120/min burst 60. What an agent says overrides what the file says."`
}

// NoKeys are the keys of a connection for a gate that has none there.
type NoKeys struct{}

// Refusals describes the gate that stands before all others and stops agents that go on after refusals. It learns of
// refusals through [Book.Observe].
func Refusals(b *Book) policy.Spec {
	keys := func() any { return new(RefusalKeys) }
	return policy.NewSpec(gateRefusals, "whether the agent goes on after refusals", []*policy.Reason{reasonHammering},
		func(c *policy.Connection, _ *NoKeys) (policy.Gate, error) {
			bucket, place := refusalsOf(c.Agent, c)
			b.mu.Lock()
			defer b.mu.Unlock()
			return &refusals{b, &limit{
				kind: KindRate, place: place, text: bucket.String() + " refusals", at: bucket.At,
				step: bucket.step(), depth: bucket.step() * bucket.Burst, meter: b.account(agentKey(c.Agent)).findMeter(unitRefusals),
			}}, nil
		},
	).On(policy.OnAgent, keys).On(policy.OnFile, keys)
}

// refusals is the gate of one connection. It is immutable.
type refusals struct {
	book  *Book
	limit *limit
}

// refusalsOf returns how often an agent may be refused.
func refusalsOf(a *policy.Agent, c *policy.Connection) (b Bucket, place string) {
	place = "agent " + a.Name
	if keys := policy.Setting[RefusalKeys](a.Settings, gateRefusals); keys != nil && keys.Refusals != nil {
		return *keys.Refusals, place
	}
	if c != nil {
		if keys := policy.Setting[RefusalKeys](c.File, gateRefusals); keys != nil && keys.Refusals != nil {
			return *keys.Refusals, place
		}
	}
	return Bucket{Count: 120, Unit: "min", Burst: 60}, place
}

// Check says whether the agent has been refused too often just now; see [policy.Gate]. It takes nothing.
func (g *refusals) Check(_ context.Context, c *policy.Call) (policy.Verdict, error) {
	if !fromAgent(c) {
		return policy.Pass, nil
	}
	if g.book.fault != nil {
		return policy.Verdict{}, g.book.fault
	}
	now, err := instant(c)
	if err != nil {
		return policy.Verdict{}, err
	}
	g.book.mu.Lock()
	if c.Trace == nil {
		g.limit.advance(now)
	}
	wait, ok := g.limit.room(now, 1)
	g.book.mu.Unlock()
	if ok {
		return policy.Pass, nil
	}
	v := verdict([]refusal{{g.limit, wait}})
	v.Reason = reasonHammering
	return v, nil
}

// Observe learns what became of a call. Each refusal before the call was sent counts against the agent, save those that
// are not its doing: faults, those for which a server that fails is the reason, and those of this gate itself, which
// otherwise would never end. It keeps none of its arguments.
func (b *Book) Observe(c *policy.Call, o *policy.Outcome, r *policy.Report) {
	if c.Agent == nil || c.Direction != policy.ToUpstream || o.Allowed || r != nil || o.Fault != nil || o.Paused || o.Reason == reasonHammering {
		return
	}
	now, err := instant(c)
	if err != nil {
		return
	}
	bucket, _ := refusalsOf(c.Agent, c.Connection)
	step := bucket.step()
	depth := step * bucket.Burst
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.account(agentKey(c.Agent)).findMeter(unitRefusals)
	// An empty bucket stays empty, and does not become a debt.
	m.adopt(now, step, depth)
	m.tat = max(m.tat, min(m.arrival(now, step, depth), now+depth))
	b.touch(m.account)
}
