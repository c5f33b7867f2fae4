package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/quota"
	"github.com/hopgate/hopgate/trust"
)

// inForce is the configuration whose gates judge: the one that is served, or where nobody is, the one on disk with gates
// that know the state.
func (d desk) inForce() (*configs.File, error) {
	file := d.current()
	if file == nil {
		return nil, &because{"no configuration is in force", admin.ErrInvalid}
	}
	if d.proxy != nil {
		return file, nil
	}
	file, err := configs.Parse(file.Path, file.Source, d.options())
	if err == nil {
		d.register(file) // who is new would begin so
	}
	return file, err
}

// Connections implements admin.API.
func (d desk) Connections(context.Context) ([]admin.Connection, error) {
	file, err := d.inForce()
	if err != nil {
		return nil, err
	}
	all := make([]admin.Connection, len(file.Connections))
	for i, c := range file.Connections {
		h := d.health.Of(c)
		all[i] = admin.Connection{
			Name: c.Name, Agent: c.Agent.Name, Upstream: c.Upstream.Name, Observe: observes(c), Counted: d.proxy != nil,
			Last: h.Last, Hour: admin.Window(h.Hour), Total: admin.Window(h.Total),
			Score: d.memory.Scores.Standing(trust.Agent(c.Agent.Name)).Score, Needs: d.needs(c), Limits: limits(d.memory.Limits.Usage(c)),
		}
		all[i].State = d.standingOf(&all[i])
	}
	return all, nil
}

// observes reports whether refusals on a connection are not acted on.
func observes(c *policy.Connection) bool {
	return slices.ContainsFunc(c.Gates, func(g policy.Named) bool { return g.Observe })
}

// stateOpen is the state of a connection on which calls are judged one by one.
const stateOpen = "open"

// standingOf says why everything on a connection is refused, or that it is open.
func (d desk) standingOf(c *admin.Connection) string {
	if s := d.memory.Scores.Standing(trust.Agent(c.Agent)); s.Condition != trust.Sound {
		return "agent " + s.Condition.String()
	}
	if s := d.memory.Scores.Standing(trust.Upstream(c.Upstream)); s.Condition != trust.Sound && s.Condition != trust.Stale {
		return "upstream " + s.Condition.String()
	}
	if slices.ContainsFunc(c.Needs, func(n admin.Need) bool { return n.Held && n.Part == "" }) {
		return "below trust"
	}
	return stateOpen
}

func (d desk) needs(c *policy.Connection) []admin.Need {
	var all []admin.Need
	for _, n := range d.memory.Scores.Needs(c) {
		all = append(all, admin.Need{Connection: c.Name, Part: n.Part, Min: n.Min, From: n.From, Held: n.Held, Rule: n.At.String()})
	}
	return all
}

// Limits implements admin.API.
func (d desk) Limits(context.Context) ([]admin.Limit, error) {
	file, err := d.inForce()
	if err != nil {
		return nil, err
	}
	return limits(d.memory.Limits.Usage(file.Connections...)), nil
}

func limits(usage []quota.Usage) []admin.Limit {
	all := make([]admin.Limit, len(usage))
	for i, u := range usage {
		all[i] = admin.Limit{
			Place: u.Place, Text: u.Text, Kind: u.Kind.String(), Used: u.Used, Reserved: u.Reserved, Left: u.Left, Max: u.Max, Unit: u.Unit,
			Resets: u.Resets, Rule: u.At.String(),
		}
	}
	return all
}

// Explain implements admin.API.
func (d desk) Explain(ctx context.Context, q admin.Question) (admin.Explanation, error) {
	file, err := d.inForce()
	if err != nil {
		return admin.Explanation{}, err
	}
	if q.Time.IsZero() {
		q.Time = time.Now()
	}
	x := file.Explain(ctx, configs.Question{
		Agent: q.Agent, Upstream: q.Upstream, Method: q.Method, Target: q.Target, Args: q.Args, Time: q.Time, Score: q.Score,
	})
	told := admin.Explanation{Allowed: x.Outcome.Allowed, Revision: x.Revision}
	if x.Outcome.Reason != nil {
		told.Reason = x.Outcome.Reason.Code
	}
	for _, s := range x.Steps {
		told.Steps = append(told.Steps, admin.Step{Gate: s.Gate, Check: s.Check, Passed: s.Passed, Detail: s.Detail, Rule: s.At.String()})
	}
	if told.Limits, err = d.left(file, &x); err != nil {
		return told, err
	}
	var text strings.Builder
	err = x.Render(&text, q.Colour)
	if len(told.Limits) > 0 {
		text.WriteString("What is left:\n")
		var rows strings.Builder
		table(&rows, limitRows(told.Limits))
		for line := range strings.Lines(rows.String()) {
			text.WriteString("  " + line)
		}
	}
	told.Text = text.String()
	return told, err
}

// left returns the limits that a call falls under. One that reaches no gate falls under none.
func (d desk) left(file *configs.File, x *configs.Explanation) ([]admin.Limit, error) {
	c := x.Call
	connection := file.Connection(x.Question.Agent, x.Question.Upstream)
	if connection == nil || c == nil || c.Agent == nil || c.Frame == nil || c.Frame.Kind == wire.KindNone {
		return nil, nil
	}
	usage, err := d.memory.Limits.Left(connection, c)
	if err != nil {
		return nil, errors.Join(admin.ErrInvalid, err)
	}
	return limits(usage), nil
}
