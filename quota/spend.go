package quota

import (
	"context"
	"fmt"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

const gateSpend = "spend"

// SpendKeys are the keys of connections, tools, agents, teams and organisations that say what may be spent.
type SpendKeys struct {
	Spend []Budget `yaml:"spend" doc:"What may be spent in a calendar window: AMOUNT CURRENCY/day, /week or /month, like 50 EUR/month or $50/month, or {max, zone}. Prices are under cost of the upstream."`
}

// Budget is a cap on money.
type Budget struct {
	Max  Cap  `yaml:"max,scalar,required" doc:"Amount: 50 EUR/month, or $50/month; also /day and /week (from Monday)."`
	Zone Zone `yaml:"zone" doc:"Time zone in which days, weeks and months begin. Default: the zone of the file."`
	At   policy.Pos
}

// SpendOfFile are the keys of the file about money.
type SpendOfFile struct {
	Currencies []Currency `yaml:"currencies" doc:"What one unit of a currency is worth, like EUR: 1.08 USD; all in one currency. A price in one currency meets a cap in another only by these."`
}

// Spend describes the gate of money.
func Spend(b *Book) policy.Spec {
	keys := func() any { return new(SpendKeys) }
	return policy.NewSpec(gateSpend, "how much money", []*policy.Reason{reasonSpend, reasonPrice, reasonTokens, reasonPayment, reasonOverrun, reasonShut},
		func(c *policy.Connection, own *SpendKeys) (policy.Gate, error) { return buildSpend(b, c, own) },
	).On(policy.OnTool, keys).On(policy.OnAgent, keys).On(policy.OnTeam, keys).On(policy.OnOrg, keys).
		On(policy.OnUpstream, func() any { return new(UpstreamKeys) }).
		On(policy.OnSampling, func() any { return new(SamplingSpend) }).
		On(policy.OnFile, func() any { return new(SpendOfFile) })
}

// spend is the gate of one connection. It is immutable.
type spend struct {
	book    *Book
	at      policy.Pos
	prices  []pricing
	samples *samples // nil: questions to the agent's model cost nothing and have no bound
}

// pricing is what calls of some tools cost, and the caps that they fall under.
type pricing struct {
	tools   *policy.Pattern // nil: all that come here
	price   *price          // nil: nothing
	besides []level[SpendKeys]
	caps    set
}

func buildSpend(b *Book, c *policy.Connection, own *SpendKeys) (policy.Gate, error) {
	file := policy.Setting[SpendOfFile](c.File, gateSpend)
	if file == nil {
		file = &SpendOfFile{}
	}
	r, wrong := newRates(file.Currencies)
	g := &spend{book: b, at: c.At}
	priced := false
	if keys := policy.Setting[UpstreamKeys](c.Upstream.Settings, gateSpend); keys != nil && keys.Cost != nil {
		priced = true
		for i := range keys.Cost.Tools {
			t := &keys.Cost.Tools[i]
			p, complaints := t.Prices.compile(&r, t.At)
			wrong = append(wrong, complaints...)
			g.prices = append(g.prices, pricing{tools: &t.Name, price: p})
		}
		p, complaints := keys.Cost.compile(&r, keys.Cost.At)
		wrong = append(wrong, complaints...)
		g.prices = append(g.prices, pricing{price: p})
	} else {
		g.prices = append(g.prices, pricing{})
	}
	capped := false
	for i := range g.prices {
		if len(wrong) > 0 { // without sound prices nobody knows what a cap would meet, and one mistake is told once
			return nil, wrong
		}
		wrong = g.prices[i].cap(b, c, own, &r)
		capped = capped || !g.prices[i].caps.empty()
	}
	if len(wrong) == 0 {
		wrong = g.buildSampling(b, c, own, &r)
	}
	switch {
	case len(wrong) > 0:
		return nil, wrong
	case !priced && !capped && g.samples == nil:
		return nil, nil //nolint:nilnil // it is what a Spec returns where there is nothing to say
	}
	return g, nil
}

// cap makes the caps that a price meets.
func (p *pricing) cap(b *Book, c *policy.Connection, own *SpendKeys, r *rates) policy.Complaints {
	m := newBuilder(b)
	for _, l := range append(levels(c, gateSpend, own), p.besides...) {
		for i := range l.keys.Spend {
			s := &l.keys.Spend[i]
			key := windowKey{kind: KindSpend, per: s.Max.per, currency: s.Max.Currency}
			limit := m.window(&l.scope, key, zoneOf(c, s.Zone.Location), s.Max.Nanos, fmt.Sprintf("%s/%s", s.Max.Price, s.Max.per), s.At)
			limit.exchange, limit.rates = exchange{1, 1}, r
			for i, percent := range thresholds {
				limit.reached[i] = scale(limit.max, percent, 100)
			}
			if p.price != nil {
				var complaints policy.Complaints
				limit.exchange, complaints = r.exchange(p.price.currency, s.Max.Currency, s.At)
				m.wrong = append(m.wrong, complaints...)
			}
			if len(m.wrong) == 0 {
				m.wrong = b.uncounted(limit)
			}
			m.add(&p.caps, &l.scope, limit)
		}
	}
	return m.wrong
}

// of returns what calls of a tool cost, and the caps.
func (g *spend) of(tool string) *pricing {
	for i := range g.prices {
		if p := &g.prices[i]; p.tools == nil || p.tools.Match(tool) {
			return p
		}
	}
	return &g.prices[len(g.prices)-1] // the last one is for all tools
}

// Check reserves the most that a call may cost; see [policy.Gate].
func (g *spend) Check(_ context.Context, c *policy.Call) (policy.Verdict, error) {
	if asksModel(c) {
		return g.sample(c, c.Frame)
	}
	switch {
	case !works(c) || c.Method != methodCall:
		return g.unpaid(c), nil
	case c.Round > 0:
		return g.goOn(c)
	}
	p := g.of(c.Target)
	if p.price == nil {
		return g.unpaid(c), nil
	}
	h, err := g.book.begin(c, gateSpend, g)
	if err != nil {
		return policy.Verdict{}, err
	}
	fixed, paid, reason := p.price.fixed(c)
	if reason != nil {
		h.drop()
		return policy.Refuse(reason, p.price.at, ""), nil
	}
	h.rounds = true
	h.price, h.fixed = p.price, add(fixed, paid)
	h.units = add(p.price.bound(fixed, c.Connection.Limits.Frame), paid) // what is signed can be taken, whatever max says
	if h.units == 0 {
		h.drop()
		return policy.Pass, nil
	}
	p.caps.of(h, c)
	if len(h.taken) > 0 && g.book.shut != nil && g.book.shut() {
		h.drop()
		return policy.Refuse(reasonShut, g.at, ""), nil
	}
	return h.reserve(c), nil
}

// unpaid judges a message that nobody charges: it may not pay by itself, because no cap would see it.
func (g *spend) unpaid(c *policy.Call) policy.Verdict {
	if !fromAgent(c) {
		return policy.Pass
	}
	if paid, ok := payment(c.Frame); !ok || paid > 0 {
		return policy.Refuse(reasonPayment, g.at, "")
	}
	return policy.Pass
}

// goOn judges a later round of a call, which was charged with the first. Where nothing waits for it there is nothing to
// give back.
func (g *spend) goOn(c *policy.Call) (policy.Verdict, error) {
	v := g.unpaid(c)
	if v.Effect != policy.Allow {
		return v, nil
	}
	now, err := instant(c)
	if err != nil {
		return policy.Verdict{}, err
	}
	if h := g.book.goOn(c, now); h != nil {
		v.Settle = h.settle
	}
	return v, nil
}

// asks reports whether a result is not the last of its call.
func asks(result *wire.Frame) bool {
	return result.Has(wire.ResultInputRequests) || result.Has(wire.ResultRequestState)
}

// actual is what a call has cost, in all its rounds. What goes beyond the reservation is not charged, because no cap has
// room for it, but is a finding on record. A result that begins a task gives nothing back: what comes of it is charged with
// this call. Nor does a question that does not reach the agent, who cannot answer it then.
func (g *spend) actual(h *hold, o *policy.Outcome, r *policy.Report) (units int64, more bool) {
	switch {
	case r.Result == nil || r.Result.Has(wire.ResultTask):
		return h.units, false
	case h.rounds && asks(r.Result) && o.Allowed:
		h.price.goOn(h, r.Result)
		return h.units, true
	case h.rounds && asks(r.Result):
		return h.units, false
	}
	sum, overrun := h.price.actual(h, r.Result)
	if overrun == "" && sum > h.units {
		overrun = fmt.Sprintf("came to %s %s, of which %s were reserved", formatNanos(sum), h.price.currency, formatNanos(h.units))
	}
	if overrun != "" {
		o.Findings = append(o.Findings, policy.Finding{Gate: gateSpend, Reason: reasonOverrun, Detail: overrun, At: h.price.at})
	}
	return sum, false
}
