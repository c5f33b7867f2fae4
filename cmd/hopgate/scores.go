package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/trust"
)

// maxReason bounds the words of an operator, in bytes.
const maxReason = 500

// Scores implements admin.API.
func (d desk) Scores(context.Context) ([]admin.Standing, error) {
	v, err := d.look()
	if err != nil {
		return nil, err
	}
	var all []admin.Standing
	for _, p := range v.scores.List() {
		all = append(all, v.standing(p))
	}
	return all, nil
}

func (v *view) standing(p trust.Party) admin.Standing {
	s := v.scores.Standing(p)
	x := admin.Standing{Party: admin.Party{Name: p.Name(), Upstream: p.IsUpstream()}, Score: s.Score, Condition: s.Condition.String()}
	for _, c := range v.file.Connections {
		if !p.IsUpstream() && c.Agent.Name == p.Name() {
			x.Needs = append(x.Needs, needs(v.scores, c)...)
		}
	}
	return x
}

// Score implements admin.API.
func (d desk) Score(_ context.Context, p admin.Party) (admin.Score, error) {
	v, err := d.look()
	if err != nil {
		return admin.Score{}, err
	}
	s := admin.Score{Standing: v.standing(party(p))}
	var minima []int
	for _, n := range s.Needs {
		minima = append(minima, n.From)
	}
	slices.Sort(minima)
	x, err := v.scores.Explain(party(p), slices.Compact(minima)...)
	if err != nil {
		return s, unknown(p, err)
	}
	s.Text = x.Text()
	s.Details, err = json.Marshal(&x)
	return s, err
}

// quarantined are the parties of whom, or to whom, everything is refused.
func (d desk) quarantined() (all []admin.Party) {
	for _, p := range d.memory.Scores.List() {
		if d.memory.Scores.Standing(p).Condition == trust.Quarantined {
			all = append(all, admin.Party{Name: p.Name(), Upstream: p.IsUpstream()})
		}
	}
	return all
}

func party(p admin.Party) trust.Party {
	if p.Upstream {
		return trust.Upstream(p.Name)
	}
	return trust.Agent(p.Name)
}

// unknown says of whom there is no record.
func unknown(p admin.Party, err error) error {
	switch {
	case errors.Is(err, trust.ErrUnknown):
		return &because{fmt.Sprintf("%s: %v", p, err), admin.ErrNotFound}
	case errors.Is(err, trust.ErrScore), errors.Is(err, trust.ErrDamaged):
		return &because{fmt.Sprintf("%s: %v", p, err), admin.ErrInvalid}
	}
	return err
}

// Adjust implements admin.API.
func (d desk) Adjust(ctx context.Context, p admin.Party, a admin.Adjustment, o admin.Order) (done admin.Adjusted, err error) {
	if err := sensible(o); err != nil {
		return done, err
	}
	ref, err := policy.NewRef(rand.Reader)
	switch {
	case err != nil:
		return done, err
	case a.To != nil:
		done.Before, done.After, err = d.memory.Scores.Adjust(party(p), *a.To, ref)
	default:
		done.Before, done.After, err = d.memory.Scores.AdjustBy(party(p), a.By, ref)
	}
	if err != nil {
		return done, unknown(p, err)
	}
	return done, d.record(ctx, ref, "trust adjusted", p, o, map[string]string{"before": strconv.Itoa(done.Before), "after": strconv.Itoa(done.After)})
}

// Quarantine implements admin.API.
func (d desk) Quarantine(ctx context.Context, p admin.Party, o admin.Order) error {
	return d.obey(ctx, "trust quarantined", p, o, d.memory.Scores.Quarantine)
}

// Release implements admin.API.
func (d desk) Release(ctx context.Context, p admin.Party, o admin.Order) error {
	return d.obey(ctx, "trust released", p, o, d.memory.Scores.Release)
}

// obey does to a party what an order says, and puts it on record.
func (d desk) obey(ctx context.Context, event string, p admin.Party, o admin.Order, do func(trust.Party, policy.Ref) error) error {
	if err := sensible(o); err != nil {
		return err
	}
	ref, err := policy.NewRef(rand.Reader)
	if err != nil {
		return err
	}
	if err := do(party(p), ref); err != nil {
		return unknown(p, err)
	}
	return d.record(ctx, ref, event, p, o, map[string]string{})
}

// record writes an order down, and with it the change of the score. It returns when both are durable, whether or not the
// operator still waits.
func (d desk) record(ctx context.Context, ref policy.Ref, event string, p admin.Party, o admin.Order, facts map[string]string) error {
	facts["ref"], facts["detail"], facts["by"] = ref.String(), o.Reason, o.By
	if p.Upstream {
		facts["upstream"] = p.Name
	} else {
		facts["agent"] = p.Name
	}
	return d.journal.Event(context.WithoutCancel(ctx), event, facts, nil)
}

// sensible refuses orders that could not be read later.
func sensible(o admin.Order) error {
	switch {
	case o.Reason == "":
		return &because{"a reason is missing", admin.ErrInvalid}
	case len(o.Reason) > maxReason, len(o.By) > maxReason:
		return &because{fmt.Sprintf("a reason has at most %d bytes", maxReason), admin.ErrInvalid}
	}
	for _, c := range o.Reason + o.By {
		if !unicode.IsPrint(c) {
			return &because{"a reason is one line of text that can be seen", admin.ErrInvalid}
		}
	}
	return nil
}
