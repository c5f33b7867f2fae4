package quota

import (
	"context"
	"strings"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

const gateSize = "size"

// SizeKeys are the keys of connections and tools that say how large.
type SizeKeys struct {
	Size struct {
		Args   *Bytes `yaml:"args" doc:"Largest arguments of a call, as they are sent: 64KiB."`
		Result *Bytes `yaml:"result" doc:"Largest result, as it is sent: 1MiB. A larger one is withheld."`
		PerDay *Bytes `yaml:"per_day" doc:"Arguments and results of a day together: 100MiB. A call needs room for its largest result."`
	} `yaml:"size" doc:"How large arguments and results may be."`
}

// DataKeys are the keys of agents, teams and organisations that say how large.
type DataKeys struct {
	Size struct {
		PerDay *Bytes `yaml:"per_day" doc:"Arguments and results of a day together: 100MiB. A call needs room for its largest result."`
	} `yaml:"size" doc:"How many bytes may pass."`
}

// Size describes the gate of sizes.
func Size(b *Book) policy.Spec {
	data := func() any { return new(DataKeys) }
	return policy.NewSpec(gateSize, "how large", []*policy.Reason{reasonArguments, reasonResult, reasonData},
		func(c *policy.Connection, own *SizeKeys) (policy.Gate, error) { return buildSize(b, c, own) },
	).On(policy.OnTool, func() any { return new(SizeKeys) }).
		On(policy.OnAgent, data).On(policy.OnTeam, data).On(policy.OnOrg, data)
}

// size is the gate of one connection. It is immutable.
type size struct {
	book         *Book
	args, result []bound
	perDay       set
}

// bound is the largest size of one scope.
type bound struct {
	scope
	max int64
	at  policy.Pos
}

var _ policy.Screen = (*size)(nil)

func buildSize(b *Book, c *policy.Connection, own *SizeKeys) (policy.Gate, error) {
	g := &size{book: b}
	m := newBuilder(b)
	perDay := func(s *scope, n *Bytes) {
		if n != nil {
			m.add(&g.perDay, s, m.window(s, windowKey{kind: KindBytes, per: daily}, zoneOf(c, nil), n.N, formatBytes(n.N)+"/day", n.At))
		}
	}
	for _, l := range near(c, gateSize, own) {
		keys := &l.keys.Size
		if keys.Args != nil {
			g.args = append(g.args, bound{l.scope, keys.Args.N, keys.Args.At})
		}
		if keys.Result != nil {
			g.result = append(g.result, bound{l.scope, keys.Result.N, keys.Result.At})
		}
		perDay(&l.scope, keys.PerDay)
	}
	for _, l := range far[DataKeys](c, gateSize) {
		perDay(&l.scope, l.keys.Size.PerDay)
	}
	switch {
	case len(m.wrong) > 0:
		return nil, m.wrong
	case g.args == nil && g.result == nil && g.perDay.empty():
		return nil, nil //nolint:nilnil // it is what a Spec returns where there is nothing to say
	}
	return g, nil
}

// carries reports whether a call brings arguments or a result: whatever works, and what comes of a task that a call has
// begun.
func carries(c *policy.Call) bool {
	switch c.Method {
	case "tasks/get", "tasks/result", "tasks/update":
		return c.Direction == policy.ToUpstream && c.Frame.Kind == wire.KindRequest
	default:
		return works(c)
	}
}

// Check judges the arguments, and reserves the bytes of them and of the largest result; see [policy.Gate].
func (g *size) Check(_ context.Context, c *policy.Call) (policy.Verdict, error) {
	if !carries(c) {
		return policy.Pass, nil
	}
	h, err := g.book.begin(c, gateSize, g)
	if err != nil {
		return policy.Verdict{}, err
	}
	h.fixed = int64(len(arguments(c.Frame)))
	if v := over(g.args, c, h.fixed, reasonArguments, "args"); v.Effect != policy.Allow {
		h.drop()
		return v, nil
	}
	most := int64(c.Connection.Limits.Frame)
	for i := range g.result {
		if r := &g.result[i]; r.applies(c) {
			most = min(most, r.max)
		}
	}
	h.units = h.fixed + most
	g.perDay.of(h, c)
	return h.reserve(c), nil
}

// actual is the bytes that came back, and those that were sent. What is withheld for its size counts up to the largest
// result, because no more than that ever reaches an agent.
func (g *size) actual(h *hold, _ *policy.Outcome, r *policy.Report) (int64, bool) {
	if r.Result == nil {
		return h.units, false
	}
	return h.fixed + int64(len(answered(r.Result))), false
}

// Screen judges the size of a result; see [policy.Screen].
func (g *size) Screen(_ context.Context, c *policy.Call, result *wire.Frame) (policy.Verdict, error) {
	if !carries(c) {
		return policy.Pass, nil
	}
	return over(g.result, c, int64(len(answered(result))), reasonResult, "result"), nil
}

// over refuses what is larger than a bound, and names all such bounds.
func over(bounds []bound, c *policy.Call, n int64, r *policy.Reason, what string) policy.Verdict {
	var details []string
	var at policy.Pos
	for i := range bounds {
		b := &bounds[i]
		if !b.applies(c) {
			continue
		}
		if n <= b.max {
			if c.Trace != nil {
				c.Passed(what, b.at, b.place+": "+formatBytes(b.max))
			}
			continue
		}
		details, at = append(details, b.place+": "+what+" "+formatBytes(b.max)), b.at
	}
	if details == nil {
		return policy.Pass
	}
	return policy.Refuse(r, at, strings.Join(details, "; "))
}

// applies reports whether a call is of the scope.
func (s *scope) applies(c *policy.Call) bool {
	return s.tool == nil || c.Method == methodCall && s.tool.Match(c.Target)
}

// arguments are what an agent sends with a call: the arguments, or where the method has none all parameters.
func arguments(f *wire.Frame) []byte {
	if f.Has(wire.ParamsArguments) {
		return f.Get(wire.ParamsArguments)
	}
	return f.Get(wire.Params)
}

// answered is what an answer holds.
func answered(f *wire.Frame) []byte {
	if f.Has(wire.Error) {
		return f.Get(wire.Error)
	}
	return f.Get(wire.Result)
}
