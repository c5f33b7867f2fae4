package quota

import (
	"context"
	"strings"
	"time"

	"github.com/hopgate/hopgate/policy"
)

const gateHours = "hours"

// HoursKeys are the keys of connections, tools, agents, teams and organisations that say when.
type HoursKeys struct {
	Hours []Schedule `yaml:"hours" doc:"When work may be done: [DAYS ]HH:MM-HH:MM[ ZONE], like Mon-Fri 06:00-22:00 Europe/Prague; one of a list is enough. A span that ends before it begins ends on the next day. Without days it is every day, without a zone that of the file."`
}

// HoursOfFile are the keys of the file that say when.
type HoursOfFile struct {
	Zone Zone `yaml:"zone" doc:"Time zone of hours, days, weeks and months where none is written. Default UTC."`
}

// Hours describes the gate of hours.
func Hours(b *Book) policy.Spec {
	keys := func() any { return new(HoursKeys) }
	return policy.NewSpec(gateHours, "at which hours", []*policy.Reason{reasonHours},
		func(c *policy.Connection, own *HoursKeys) (policy.Gate, error) { return buildHours(b, c, own) },
	).On(policy.OnTool, keys).On(policy.OnAgent, keys).On(policy.OnTeam, keys).On(policy.OnOrg, keys).
		On(policy.OnFile, func() any { return new(HoursOfFile) })
}

// hours is the gate of one connection. It is immutable.
type hours struct {
	book *Book
	of   []times
}

// times are the hours of one scope: a call must lie in one of them.
type times struct {
	scope
	spans []Schedule
}

func buildHours(b *Book, c *policy.Connection, own *HoursKeys) (policy.Gate, error) {
	g := &hours{book: b}
	for _, l := range levels(c, gateHours, own) {
		switch {
		case l.keys.Hours == nil:
			continue
		case len(l.keys.Hours) == 0: // whoever means "never" must not get "always"
			return nil, policy.Complaints{{Text: "hours of " + l.place + " are an empty list", Hint: "name hours, e.g. Mon-Fri 06:00-22:00, or leave the key out for no restriction"}}
		}
		t := times{scope: l.scope, spans: make([]Schedule, len(l.keys.Hours))}
		copy(t.spans, l.keys.Hours) // the configuration is shared; the zone depends on the connection's file
		for i := range t.spans {
			t.spans[i].zone = zoneOf(c, t.spans[i].zone)
		}
		g.of = append(g.of, t)
	}
	if g.of == nil {
		return nil, nil //nolint:nilnil // it is what a Spec returns where there is nothing to say
	}
	return g, nil
}

// Check says whether it is time for a call; see [policy.Gate].
func (g *hours) Check(_ context.Context, c *policy.Call) (policy.Verdict, error) {
	if !works(c) {
		return policy.Pass, nil
	}
	if g.book.fault != nil {
		return policy.Verdict{}, g.book.fault
	}
	if _, err := instant(c); err != nil {
		return policy.Verdict{}, err
	}
	var closed []string
	var wait time.Duration
	var at policy.Pos
	for i := range g.of {
		t := &g.of[i]
		if t.tool != nil && (c.Method != methodCall || !t.tool.Match(c.Target)) {
			continue
		}
		if s := t.open(c.Time); s != nil {
			if c.Trace != nil {
				c.Passed("hours", s.At, t.place+": "+s.text)
			}
			continue
		}
		opens := t.opens(c.Time)
		closed = append(closed, t.place)
		if w := opens.Sub(c.Time); w > wait {
			wait, at = w, t.spans[0].At
		}
	}
	if closed == nil {
		return policy.Pass, nil
	}
	return policy.RefuseUntil(reasonHours, at, strings.Join(closed, "; "), wait), nil
}

// open returns the span that an instant lies in, or nil.
func (t *times) open(now time.Time) *Schedule {
	for i := range t.spans {
		if t.spans[i].open(now) {
			return &t.spans[i]
		}
	}
	return nil
}

// opens returns when the first of the spans begins.
func (t *times) opens(now time.Time) time.Time {
	first := t.spans[0].opens(now)
	for i := range t.spans[1:] {
		if next := t.spans[i+1].opens(now); next.Before(first) {
			first = next
		}
	}
	return first
}
