package quota

import (
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/policy"
)

// Usage is how much of a limit is used.
type Usage struct {
	Place, Text               string // "team research", "50 USD/month"
	Kind                      Kind
	Used, Reserved, Left, Max int64     // Used is settled, Reserved is held for calls under way
	Unit                      string    // messages, calls, bytes, or the currency, of which the numbers are billionths
	Resets                    time.Time // when the window ends, or the bucket is full; zero where that depends on calls under way
	At                        policy.Pos
}

// limited is a gate that has limits.
type limited interface {
	// limits returns those that a call falls under, or all where the call is nil.
	limits(c *policy.Call) []*limit
}

// Usage returns all limits of connections, each once, in the order of the connections and their gates.
func (b *Book) Usage(connections ...*policy.Connection) []Usage {
	type identity struct {
		counter any
		text    string
	}
	now, seen := b.clock().UnixNano(), map[identity]bool{}
	var all []Usage
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range connections {
		for _, l := range limitsOf(c, nil) {
			if id := (identity{l.counter(), l.text}); !seen[id] {
				seen[id] = true
				all = append(all, l.usage(now))
			}
		}
	}
	return all
}

// Left returns the limits that a call on a connection falls under, at the time of the call.
func (b *Book) Left(connection *policy.Connection, c *policy.Call) ([]Usage, error) {
	now, err := instant(c)
	if err != nil {
		return nil, err
	}
	limits := limitsOf(connection, c)
	all := make([]Usage, len(limits))
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, l := range limits {
		all[i] = l.usage(now)
	}
	return all, nil
}

func limitsOf(connection *policy.Connection, c *policy.Call) (all []*limit) {
	for i := range connection.Gates {
		if g, ok := connection.Gates[i].Gate.(limited); ok {
			all = append(all, g.limits(c)...)
		}
	}
	return all
}

// usage says how much is used. The book's mutex is held.
func (l *limit) usage(now int64) Usage {
	u := Usage{Place: l.place, Text: l.text, Kind: l.kind, Max: l.max, Left: l.left(now), Unit: "calls", At: l.at}
	switch l.kind {
	case KindRate:
		u.Unit, u.Max = "messages", l.depth/l.step
		u.Used, u.Resets = u.Max-u.Left, at(max(now, l.meter.tat))
		return u
	case KindConcurrency:
		u.Reserved = l.gauge.busy
		return u
	case KindBytes:
		u.Unit = "bytes"
	case KindSpend:
		u.Unit = string(l.window.currency)
	default:
	}
	used, held, until := l.window.peek(now)
	u.Used, u.Reserved, u.Resets = used-held, held, at(until).In(l.window.zone)
	return u
}

// limits implements limited, here and below.
func (g *refusals) limits(*policy.Call) []*limit { return []*limit{g.limit} }

func (g *rate) limits(c *policy.Call) []*limit {
	if c == nil {
		return slices.Concat(g.messages.limits(nil), g.work.limits(nil), g.quotas.limits(nil), g.asked.limits(nil))
	}
	var h hold
	g.of(&h, c)
	return h.limits()
}

func (g *size) limits(c *policy.Call) []*limit { return g.perDay.limits(c) }

func (g *spend) limits(c *policy.Call) []*limit {
	if c == nil {
		all := g.prices[len(g.prices)-1].caps.limits(nil) // all prices meet the same caps
		if g.samples != nil {
			for _, l := range g.samples.caps.limits(nil) {
				if strings.HasPrefix(l.place, samplingPlace) { // the others are among those above
					all = append(all, l)
				}
			}
		}
		return all
	}
	return g.of(c.Target).caps.limits(c)
}

func (s *set) limits(c *policy.Call) []*limit {
	if c != nil {
		var h hold
		s.of(&h, c)
		return h.limits()
	}
	all := append([]*limit(nil), s.all...)
	for i := range s.tools {
		all = append(all, s.tools[i].limits...)
	}
	return all
}

func (h *hold) limits() (all []*limit) {
	for i := range h.taken {
		all = append(all, h.taken[i].limit)
	}
	return all
}
