package trust

import (
	"cmp"
	"slices"

	"github.com/hopgate/hopgate/policy"
)

// Need is a score that a connection, or a part of it, needs.
type Need struct {
	Part string     `json:"part,omitempty"` // tool PATTERN or task PATTERN; empty for the whole connection
	Min  int        `json:"min"`
	Held bool       `json:"held,omitempty"` // the agent is kept out now
	From int        `json:"from"`           // score that lets it in: Min, or more after having been below
	At   policy.Pos `json:"-"`
}

// Needs returns what a connection needs, the highest score first, and what of it keeps the agent out now. It is for
// operators.
func (b *Book) Needs(c *policy.Connection) []Need {
	var all []Need
	for i := range c.Gates {
		g, ok := c.Gates[i].Gate.(*gate)
		if !ok {
			continue
		}
		s := b.Standing(g.agent)
		for j := range g.minima {
			m := &g.minima[j]
			n := Need{Part: m.part, Min: m.score, Held: m.score > 0 || s.Condition != Stale, From: m.score, At: m.at}
			if s.Condition == Sound {
				n.Held = b.hold(g.agent, m, s.Score, false)
			}
			if n.Held && m.score > 0 {
				n.From = m.again()
			}
			n.Held = n.Held || m.score > 0 && b.doubted()
			all = append(all, n)
		}
	}
	slices.SortStableFunc(all, func(x, y Need) int { return cmp.Compare(y.Min, x.Min) })
	return all
}
