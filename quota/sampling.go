package quota

import (
	"context"
	"fmt"
	"strconv"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// An upstream may ask the agent's model (MCP 2025-11-25, client/sampling): by a request, or inside a result (2026-07-28).
// What its answers may cost is the agent's money, so each such question is counted when it is asked.

const methodSampling = "sampling/createMessage"

// SamplingRate are the keys that say how often an upstream may ask the agent's model.
type SamplingRate struct {
	Rate []Bucket `yaml:"rate" doc:"How often the upstream may ask: N/s, N/min, N/hour or N/day, with a burst where one is written."`
}

// SamplingSpend are the keys that say how much an upstream may have the agent's model answer.
type SamplingSpend struct {
	MaxTokens *Count   `yaml:"max_tokens" doc:"The most tokens that one answer may have. A request for more, or for no number of them, is sent on as one for this many."`
	Cost      *Price   `yaml:"cost" doc:"Price of 1000 tokens of an answer, which is charged for all tokens that are asked for. Without it, sampling costs nothing."`
	Spend     []Budget `yaml:"spend" doc:"What may be spent on it in a calendar window, besides the caps of the connection, the agent, its team and its organisation."`
}

const samplingPlace = "sampling of connection "

// samplingScope is what the limits on sampling are on.
func samplingScope(c *policy.Connection) scope {
	return scope{place: samplingPlace + c.Name, key: prefix + "m/" + c.Agent.Name + "/" + c.Upstream.Name}
}

// asked counts the questions to the agent's model that a message brings to the agent.
func asked(f *wire.Frame) (n int) {
	for range questions(f) {
		n++
	}
	return n
}

// question is one of them: its parameters and where they begin in the message.
type question struct {
	params []byte
	at     int32
}

// questions returns the questions to the agent's model in a request, or in a result that asks for input.
func questions(f *wire.Frame) (all []question) {
	if f.Kind == wire.KindRequest {
		return []question{{f.Get(wire.Params), f.Span(wire.Params).Lo}}
	}
	base := f.Span(wire.ResultInputRequests).Lo
	for e := range wire.Entries(f.Get(wire.ResultInputRequests)) {
		m, _ := wire.Lookup(e.Value, "method")
		if name, _ := wire.Unquote(m.Value); string(name) != methodSampling {
			continue
		}
		p, _ := wire.Lookup(e.Value, "params")
		all = append(all, question{p.Value, base + e.ValueAt.Lo + p.ValueAt.Lo})
	}
	return all
}

// asksModel reports whether a call is a request to the agent's model.
func asksModel(c *policy.Call) bool {
	return c.Direction == policy.ToAgent && c.Method == methodSampling && c.Frame.Kind == wire.KindRequest
}

// sampling counts one question; see [policy.Gate].
func (g *rate) sampling(c *policy.Call) (policy.Verdict, error) {
	h, err := g.book.begin(c, gateRate, g)
	if err != nil {
		return policy.Verdict{}, err
	}
	h.units = 1
	h.want(g.asked.all)
	return h.reserve(c), nil
}

// Screen counts the questions that a result asks; see [policy.Screen].
func (g *rate) Screen(_ context.Context, c *policy.Call, result *wire.Frame) (policy.Verdict, error) {
	if c.Direction != policy.ToUpstream || !result.Has(wire.ResultInputRequests) {
		return policy.Pass, nil
	}
	for range asked(result) {
		if v, err := g.sampling(c); err != nil || v.Effect != policy.Allow {
			return v, err
		}
	}
	return policy.Pass, nil
}

// samples is what the questions to the agent's model may cost.
type samples struct {
	most int64 // tokens of an answer; 0: any number
	at   policy.Pos
	pricing
}

func (g *spend) buildSampling(b *Book, c *policy.Connection, own *SpendKeys, r *rates) policy.Complaints {
	keys := policy.Setting[SamplingSpend](c.Sampling, gateSpend)
	if keys == nil {
		return nil
	}
	g.samples = &samples{at: c.At}
	s := g.samples
	if keys.MaxTokens != nil {
		s.most, s.at = keys.MaxTokens.N, keys.MaxTokens.At
	}
	switch {
	case keys.Cost == nil && len(keys.Spend) > 0:
		return policy.Complaints{{
			At: keys.Spend[0].At, Text: "a cap on sampling that costs nothing", Hint: "add cost, the price of 1000 tokens, e.g. cost: $0.01",
		}}
	case keys.Cost == nil:
		return nil
	}
	s.at = keys.Cost.At
	s.price = &price{currency: keys.Cost.Currency, at: s.at, call: keys.Cost.Nanos, max: never}
	s.besides = []level[SpendKeys]{{samplingScope(c), &SpendKeys{Spend: keys.Spend}}}
	return s.cap(b, c, own, r)
}

// sample bounds the tokens of the questions in a message, and takes what they may cost from the caps.
func (g *spend) sample(c *policy.Call, f *wire.Frame) (policy.Verdict, error) {
	s := g.samples
	if s == nil {
		return policy.Pass, nil
	}
	var edits wire.Edits
	units := int64(0)
	for _, q := range questions(f) {
		n, edit := s.tokens(q.params)
		if n == 0 && s.price != nil {
			return policy.Refuse(reasonTokens, s.at, "maxTokens"), nil
		}
		edits = append(edits, edit.Shift(q.at)...)
		if s.price != nil {
			units = add(units, scale(s.price.call, n, 1000))
		}
	}
	if units == 0 {
		return policy.Verdict{Effect: policy.Allow, At: s.at, Rewrite: edits}, nil
	}
	h, err := g.book.begin(c, gateSpend, g)
	if err != nil {
		return policy.Verdict{}, err
	}
	h.price, h.fixed, h.units = s.price, units, units
	h.want(s.caps.all)
	if len(h.taken) > 0 && g.book.shut != nil && g.book.shut() {
		h.drop()
		return policy.Refuse(reasonShut, g.at, ""), nil
	}
	v := h.reserve(c)
	if v.Effect == policy.Allow {
		v.Rewrite = edits
	}
	return v, nil
}

// tokens returns how many tokens an answer may have, 0 where nobody knows, and the edits that make the question say so.
func (s *samples) tokens(params []byte) (int64, wire.Edits) {
	e, ok := wire.Lookup(params, "maxTokens")
	n, err := strconv.ParseInt(string(e.Value), 10, 64)
	known := ok && err == nil && n > 0
	text := strconv.AppendInt(nil, s.most, 10)
	switch {
	case s.most == 0 && known, known && n <= s.most:
		return n, nil
	case s.most == 0:
		return 0, nil
	case ok:
		return s.most, wire.Edits{{At: e.ValueAt, New: text}}
	case len(params) == 0 || params[0] != '{':
		return 0, nil // nothing says what is asked
	}
	text = append([]byte(`"maxTokens":`), text...)
	for range wire.Entries(params) { // there are others
		text = append(text, ',')
		break
	}
	return s.most, wire.Edits{{At: wire.Span{Lo: 1, Hi: 1}, New: text}}
}

// Screen charges for the questions that a result asks; see [policy.Screen]. They are charged whatever becomes of them:
// nobody knows how much the agent's model has worked before an answer came.
func (g *spend) Screen(ctx context.Context, c *policy.Call, result *wire.Frame) (policy.Verdict, error) {
	if c.Direction != policy.ToUpstream || !result.Has(wire.ResultInputRequests) {
		return policy.Pass, nil
	}
	v, err := g.sample(c, result)
	if err != nil || v.Settle == nil {
		return v, err
	}
	if err := v.Settle(ctx, &policy.Outcome{}, &policy.Report{Status: policy.StatusSent}); err != nil {
		return policy.Verdict{}, err
	}
	v.Findings = []policy.Finding{{Detail: fmt.Sprintf("sampling for %s %s", formatNanos(v.Facts.Reserved), v.Facts.Currency), At: g.samples.at}}
	v.Settle, v.Facts = nil, policy.Facts{} // those of the call itself
	return v, nil
}

var (
	_ policy.Screen = (*rate)(nil)
	_ policy.Screen = (*spend)(nil)
)
