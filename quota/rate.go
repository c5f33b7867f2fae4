package quota

import (
	"context"
	"fmt"

	"github.com/hopgate/hopgate/policy"
)

const gateRate = "rate"

// maxRounds bounds how often a call comes back with answers to what the upstream asked.
const maxRounds = 10

// RateKeys are the keys of connections, tools, agents, teams and organisations that say how often.
type RateKeys struct {
	Rate        []Bucket    `yaml:"rate" doc:"How many may come in a while: N/s, N/min, N/hour or N/day, like 60/min, and how many of them at once: 60/min burst 20. Without a burst it is what one second brings, at least 1. On an agent it counts every message that it sends, elsewhere requests that do work. A list may have one rate for each unit."`
	Concurrency *Count      `yaml:"concurrency" doc:"How many calls may be under way at once."`
	Quota       []Allowance `yaml:"quota" doc:"How many calls may be made in a calendar window: N/day, N/week or N/month, or {max, zone}."`
}

// Allowance is a quota of calls.
type Allowance struct {
	Max  Calls `yaml:"max,scalar,required" doc:"Calls: N/day, N/week (from Monday) or N/month."`
	Zone Zone  `yaml:"zone" doc:"Time zone in which days, weeks and months begin. Default: the zone of the file."`
	At   policy.Pos
}

// Rate describes the gate of rates, concurrency and quotas. It also bounds the rounds of a call.
func Rate(b *Book) policy.Spec {
	keys := func() any { return new(RateKeys) }
	return policy.NewSpec(gateRate, "how often, how many at once, how many in a day or month",
		[]*policy.Reason{reasonRate, reasonConcurrency, reasonQuota, reasonRounds},
		func(c *policy.Connection, own *RateKeys) (policy.Gate, error) { return buildRate(b, c, own) },
	).On(policy.OnTool, keys).On(policy.OnAgent, keys).On(policy.OnTeam, keys).On(policy.OnOrg, keys).
		On(policy.OnSampling, func() any { return new(SamplingRate) })
}

// rate is the gate of one connection.
type rate struct {
	book     *Book
	at       policy.Pos
	messages set // limits on whatever the agent sends
	work     set // limits on calls
	quotas   set // limits on calls that are charged
	asked    set // limits on what the upstream asks of the agent's model
}

func buildRate(b *Book, c *policy.Connection, own *RateKeys) (policy.Gate, error) {
	g := &rate{book: b, at: c.At}
	m := newBuilder(b)
	for _, l := range levels(c, gateRate, own) {
		for i := range l.keys.Rate {
			r := &l.keys.Rate[i]
			into := &g.work
			if l.agent {
				into = &g.messages
			}
			m.add(into, &l.scope, m.rate(&l.scope, r.Unit, r))
		}
		if n := l.keys.Concurrency; n != nil {
			m.add(&g.work, &l.scope, m.concurrency(&l.scope, n))
		}
		for i := range l.keys.Quota {
			q := &l.keys.Quota[i]
			text := fmt.Sprintf("%d calls/%s", q.Max.N, q.Max.per)
			m.add(&g.quotas, &l.scope, m.window(&l.scope, windowKey{kind: KindQuota, per: q.Max.per}, zoneOf(c, q.Zone.Location), q.Max.N, text, q.At))
		}
	}
	if keys := policy.Setting[SamplingRate](c.Sampling, gateRate); keys != nil {
		at := samplingScope(c)
		for i := range keys.Rate {
			m.add(&g.asked, &at, m.rate(&at, keys.Rate[i].Unit, &keys.Rate[i]))
		}
	}
	if len(m.wrong) > 0 {
		return nil, m.wrong
	}
	return g, nil
}

// Check takes from all limits of a call, or from none; see [policy.Gate].
func (g *rate) Check(_ context.Context, c *policy.Call) (policy.Verdict, error) {
	if asksModel(c) {
		return g.sampling(c)
	}
	if !fromAgent(c) {
		return policy.Pass, nil
	}
	if c.Round > maxRounds {
		return policy.Refuse(reasonRounds, g.at, ""), nil
	}
	h, err := g.book.begin(c, gateRate, g)
	if err != nil {
		return policy.Verdict{}, err
	}
	h.units = 1
	g.of(h, c)
	return h.reserve(c), nil
}

// of adds the limits that a call falls under.
func (g *rate) of(h *hold, c *policy.Call) {
	g.messages.of(h, c)
	if !works(c) {
		return
	}
	g.work.of(h, c)
	if c.Round == 0 {
		g.quotas.of(h, c)
	}
}

// actual is one call.
func (g *rate) actual(*hold, *policy.Outcome, *policy.Report) (int64, bool) { return 1, false }

// concurrency makes the limit of calls at once. No call gives its place back before it ends, however long that takes: to
// believe that it has ended would let more run at once than the limit says. Policy settles every call, and the proxy ends
// each after a multiple of its connection's timeout.
func (b *builder) concurrency(s *scope, n *Count) *limit {
	b.book.mu.Lock()
	defer b.book.mu.Unlock()
	return &limit{kind: KindConcurrency, text: fmt.Sprintf("%d at once", n.N), at: n.At, max: n.N, gauge: &b.book.account(s.key).gauge}
}
