package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/quota"
	"github.com/hopgate/hopgate/trust"
)

// view is what operators look at: a configuration whose gates judge, and what these remember.
type view struct {
	file   *configs.File
	scores *trust.Book
	limits *quota.Book
	old    bool // the state was rolled back
}

// look is a view of what is served; or where nobody is, of the configuration on disk over the state, with books
// apart from those which the journal writes down: in them may begin who is new, and still to look changes nothing.
func (d desk) look() (*view, error) {
	v := &view{file: d.current(), scores: d.memory.Scores, limits: d.memory.Limits, old: d.journal != nil && d.journal.RolledBack() != nil}
	if v.file == nil {
		return nil, &because{"no configuration is in force", admin.ErrInvalid}
	}
	if d.proxy != nil {
		return v, nil
	}
	var err error
	if d.journal != nil {
		if v.scores, err = trust.Open(d.journal.State(), time.Now); err != nil {
			return nil, err
		}
		if v.limits, err = quota.Open(d.journal.State(), time.Now, nil); err != nil {
			return nil, err
		}
		old := func() bool { return v.old }
		v.scores.Doubt(old)
		v.limits.Shut(old)
	}
	register(v.scores, v.file)
	options := d.app.options()
	options.Gates = mcpproxy.Gates(mcpproxy.Memory{Catalog: d.memory.Catalog, Pins: d.memory.Pins, Scores: v.scores, Limits: v.limits, Vault: forgetful(), Said: d.memory.Said})
	if v.file, err = configs.Parse(v.file.Path, v.file.Source, options); err != nil {
		return nil, err
	}
	v.limits.Register(v.file.Connections...)
	return v, nil
}

// Connections implements admin.API.
func (d desk) Connections(context.Context) ([]admin.Connection, error) {
	v, err := d.look()
	if err != nil {
		return nil, err
	}
	all := make([]admin.Connection, len(v.file.Connections))
	for i, c := range v.file.Connections {
		h := d.health.Of(c)
		all[i] = admin.Connection{
			Name: c.Name, Agent: c.Agent.Name, Upstream: c.Upstream.Name, Observe: observes(c), Counted: d.proxy != nil,
			Last: h.Last, Hour: admin.Window(h.Hour), Total: admin.Window(h.Total),
			Score: v.scores.Standing(trust.Agent(c.Agent.Name)).Score, Needs: needs(v.scores, c), Limits: limits(v.limits.Usage(c)),
		}
		all[i].Failing = d.failing(c.Upstream.Name)
		all[i].State = v.state(&all[i])
		if all[i].State == stateOpen && d.breaker(c.Upstream.Name) != nil {
			all[i].State = "upstream paused"
		}
	}
	return all, nil
}

// observes reports whether refusals on a connection are not acted on.
func observes(c *policy.Connection) bool {
	return slices.ContainsFunc(c.Gates, func(g policy.Named) bool { return g.Observe })
}

// stateOpen is the state of a connection on which calls are judged one by one.
const stateOpen = "open"

// state says why calls on a connection are refused whatever they say, or that it is open. Limits of single tools close
// no connection.
func (v *view) state(c *admin.Connection) string {
	if s := v.scores.Standing(trust.Agent(c.Agent)); s.Condition != trust.Sound {
		return "agent " + s.Condition.String()
	}
	if s := v.scores.Standing(trust.Upstream(c.Upstream)); s.Condition != trust.Sound && s.Condition != trust.Stale {
		return "upstream " + s.Condition.String()
	}
	capped := func(l admin.Limit) bool { return isMoney(&l) && !strings.HasPrefix(l.Place, "tool ") }
	switch {
	case v.old && (len(c.Needs) > 0 || slices.ContainsFunc(c.Limits, capped)):
		return "rolled back"
	case slices.ContainsFunc(c.Needs, func(n admin.Need) bool { return n.Held && n.Part == "" }):
		return "below trust"
	case slices.ContainsFunc(c.Limits, func(l admin.Limit) bool { return capped(l) && l.Left == 0 }):
		return "spend used up"
	}
	return stateOpen
}

func needs(scores *trust.Book, c *policy.Connection) []admin.Need {
	var all []admin.Need
	for _, n := range scores.Needs(c) {
		all = append(all, admin.Need{Connection: c.Name, Part: n.Part, Min: n.Min, From: n.From, Held: n.Held, Rule: n.At.String()})
	}
	return all
}

// Limits implements admin.API.
func (d desk) Limits(context.Context) ([]admin.Limit, error) {
	v, err := d.look()
	if err != nil {
		return nil, err
	}
	return limits(v.limits.Usage(v.file.Connections...)), nil
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
	v, err := d.look()
	if err != nil {
		return admin.Explanation{}, err
	}
	if q.Time.IsZero() {
		q.Time = time.Now()
	}
	x := v.file.Explain(ctx, configs.Question{
		Agent: q.Agent, Upstream: q.Upstream, Method: q.Method, Target: q.Target, Args: q.Args, Time: q.Time, Score: q.Score,
	})
	told := admin.Explanation{Allowed: x.Outcome.Allowed, Revision: x.Revision}
	if x.Outcome.Reason != nil {
		told.Reason = x.Outcome.Reason.Code
	}
	for _, s := range x.Steps {
		told.Steps = append(told.Steps, admin.Step{Gate: s.Gate, Check: s.Check, Passed: s.Passed, Detail: s.Detail, Rule: s.At.String()})
	}
	if told.Limits, err = v.left(&x); err != nil {
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
func (v *view) left(x *configs.Explanation) ([]admin.Limit, error) {
	c := x.Call
	connection := v.file.Connection(x.Question.Agent, x.Question.Upstream)
	if connection == nil || c == nil || c.Agent == nil || c.Frame == nil || c.Frame.Kind == wire.KindNone {
		return nil, nil
	}
	usage, err := v.limits.Left(connection, c)
	if err != nil {
		return nil, errors.Join(admin.ErrInvalid, err)
	}
	return limits(usage), nil
}
