package guardrails

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// verdict says what becomes of a message in which something was found.
func (s *scan) verdict(g *gate, c *policy.Call, f *wire.Frame, way policy.Direction, why *causes) (policy.Verdict, error) {
	t := newTrim(g, s, c, f)
	holds := false
	for i := range s.found {
		x := &s.found[i]
		if x.do < Hold {
			continue
		}
		if x.dropped = t.leaveOut(x); x.dropped {
			continue
		}
		if x.do == Block {
			return s.refuse(why, "", acts), nil // a secret to be cut out counts as well: it would pass with the rest
		}
		holds = true
	}
	if holds {
		return s.hold(g, c, f, why)
	}
	v := policy.Verdict{Effect: policy.Allow, Findings: s.notes()}
	if !s.any(acts) {
		return v, nil
	}
	refused := s.refuse(why, "", acts)
	t.dry = c.Trace != nil || !refused.Reason.Always && observed(c)
	edits, err := t.edits()
	switch {
	case errors.Is(err, errUncuttable):
		return s.refuse(why, "it cannot be cut out: ", acts), nil
	case err != nil:
		return policy.Verdict{}, err
	}
	clean, err := g.clean(c, f, way, t, edits)
	switch {
	case err != nil:
		return policy.Verdict{}, err
	case !clean:
		return s.refuse(why, "cutting it out leaves some of it: ", acts), nil
	case !g.fits(c, f, edits):
		return s.refuse(why, "cutting it out breaks the tool's output schema: ", acts), nil
	}
	v.Rewrite, v.Blames, v.Reason, v.Detail, v.At = edits, true, refused.Reason, refused.Detail, refused.At
	v.Durable = t.kept
	return v, nil
}

// observed reports whether only secrets and faults count on the connection of a call.
func observed(c *policy.Call) bool {
	return slices.ContainsFunc(c.Connection.Gates, func(n policy.Named) bool { return n.Name == Name && n.Observe })
}

// fits reports whether the structured result of a tool satisfies the tool's schema when the edits are made.
func (g *gate) fits(c *policy.Call, f *wire.Frame, edits wire.Edits) bool {
	at := f.Span(wire.ResultStructured)
	own := inside(edits, at)
	if c.Method != "tools/call" || len(own) == 0 {
		return true
	}
	now, err := own.Splice(nil, f.Get(wire.ResultStructured))
	return err == nil && g.seen.satisfied(c.Upstream, c.Target, now)
}

// clean reports whether nothing that a rule would act on is left when the edits are made. The message is read again as
// anybody would read it.
func (g *gate) clean(c *policy.Call, f *wire.Frame, way policy.Direction, t *trim, edits wire.Edits) (bool, error) {
	raw, err := edits.Splice(make([]byte, 0, len(f.Raw)+64), f.Raw)
	if err != nil {
		return false, fmt.Errorf("cutting out what was found: %w", err)
	}
	if !json.Valid(raw) {
		return false, errors.New("cutting out what was found breaks the message")
	}
	s := newScan(g.vault)
	s.spared, s.released = t.s.spared, t.s.released
	defer s.free()
	g.hear(s, c, way)
	s.look(g.engine, raw)
	s.decide(g, c, way)
	return !s.any(func(x *sighting) bool { return acts(x) && !t.gave(s.leaves[x.leaf].Text, x.Start, x.End) }), nil
}

// acts holds for sightings about which more is done than to note them.
func acts(x *sighting) bool { return x.do > Log }

func (s *scan) any(holds func(*sighting) bool) bool {
	for i := range s.found {
		if holds(&s.found[i]) {
			return true
		}
	}
	return false
}

// refuse is the refusal of a message for the worst of some sightings.
func (s *scan) refuse(why *causes, prefix string, counts func(*sighting) bool) policy.Verdict {
	var reason *policy.Reason
	var worst *sighting
	n := 0
	for i := range s.found {
		x := &s.found[i]
		if !counts(x) {
			continue
		}
		n++
		if r := why.of(&x.Finding); worse(r, reason) {
			reason, worst = r, x
		}
	}
	detail := prefix + s.describe(worst)
	if n > 1 {
		detail += fmt.Sprintf(" and %d more", n-1)
	}
	return policy.Refuse(reason, worst.at, detail)
}

// describe says what was found and where: email by pii-EMAIL_ADDRESS at /params/arguments/to, in base64.
func (s *scan) describe(x *sighting) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s by %s at %s", nameOf(x.Entity), x.Rule, s.where(x.leaf))
	switch s.places[x.leaf].form {
	case formName:
		b.WriteString(", in the name")
	case formNumber:
		b.WriteString(", in a number")
	default:
	}
	if x.goesOn {
		b.WriteString(", begun in the message before")
	}
	if x.Via != 0 {
		b.WriteString(", in " + x.Via.String())
	}
	return b.String()
}

// maxNotes bounds the findings that a verdict tells of one by one.
const maxNotes = 8

// notes are what was found and is no reason to refuse: noted only, or cut out. Of one entity at one action the first stands for all.
func (s *scan) notes() []policy.Finding {
	type group struct {
		entity     string
		do         Action
		suppressed bool
	}
	var order []group
	first, count := map[group]*sighting{}, map[group]int{}
	for i := range s.found {
		x := &s.found[i]
		if x.do == 0 {
			continue
		}
		k := group{x.Entity, x.do, x.suppressed != nil}
		if count[k]++; first[k] == nil {
			first[k] = x
			order = append(order, k)
		}
	}
	var notes []policy.Finding
	for _, k := range order[:min(len(order), maxNotes)] {
		x := first[k]
		done := k.do.String()
		if k.suppressed {
			done = "suppressed"
		}
		detail := done + ": " + s.describe(x)
		if n := count[k]; n > 1 {
			detail += fmt.Sprintf(" (%d times)", n)
		}
		notes = append(notes, policy.Finding{Detail: detail, At: x.at})
	}
	return notes
}
