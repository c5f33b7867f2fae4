package configs

import (
	"context"
	"slices"

	"github.com/hopgate/hopgate/policy"
)

// Explanation is how a question was decided, check by check.
type Explanation struct {
	Question Question
	Revision string // of the configuration
	Steps    []policy.Step
	Skipped  []string // gates that were not asked
	Outcome  policy.Outcome
	Call     *policy.Call // that the gates were asked about; its Connection is nil where there is none
}

// Explain decides a question as the proxy decides a call, and tells every check on the way. It sends nothing, and leaves
// nothing reserved.
func (f *File) Explain(ctx context.Context, q Question) Explanation {
	if q.Method == "" {
		q.Method = methodCall
	}
	e := Explanation{Question: q, Revision: f.Revision}
	identity := f.identityStep(q)
	e.Steps = append(e.Steps, identity)
	if identity.Passed {
		e.Steps = append(e.Steps, f.connectionStep(q))
	}
	var t tracer
	tried := f.try(ctx, q, t.step)
	e.Outcome, e.Call = tried.outcome, tried.call
	e.Steps = append(e.Steps, t.finish(&e.Outcome)...)
	if k := f.Connection(q.Agent, q.Upstream); k != nil {
		for _, g := range k.Gates {
			if !t.asked(g.Name) {
				e.Skipped = append(e.Skipped, g.Name)
			}
		}
	}
	return e
}

func (f *File) identityStep(q Question) policy.Step {
	s := policy.Step{Gate: "identity", Check: "identity", Detail: q.Agent}
	if a := f.Agent(q.Agent); a != nil {
		s.Passed, s.At = true, a.At
	} else {
		s.Detail += " is not declared" + meant(q.Agent, f.agentNames())
	}
	return s
}

func (f *File) connectionStep(q Question) policy.Step {
	s := policy.Step{Gate: "connection", Check: "connection"}
	k := f.Connection(q.Agent, q.Upstream)
	switch {
	case k != nil:
		s.Passed, s.At, s.Detail = true, k.At, k.Name+"  ("+q.Agent+" → "+q.Upstream+")"
	case f.Upstream(q.Upstream) == nil:
		s.Detail = "there is no upstream " + q.Upstream + meant(q.Upstream, f.upstreamNames())
	default:
		s.Detail = "none from " + q.Agent + " to " + q.Upstream
	}
	return s
}

// meant asks whether a declared name was meant, where one is near to the name that is not.
func meant(name string, declared []string) string {
	if hint := didYouMean(name, declared); hint != "" {
		return "; " + hint
	}
	return ""
}

// tracer collects the checks of the gates, in the order in which these are asked.
type tracer struct{ gates []asking }

// asking is a gate that is asked, and the checks that it tells of.
type asking struct {
	name  string
	steps []policy.Step
}

// step takes a check, or with an empty Check the name of the gate that is asked now.
func (t *tracer) step(s policy.Step) {
	if s.Check == "" {
		t.gates = append(t.gates, asking{name: s.Gate})
		return
	}
	if last := len(t.gates) - 1; last >= 0 {
		s.Gate = t.gates[last].name
		t.gates[last].steps = append(t.gates[last].steps, s)
	}
}

func (t *tracer) asked(gate string) bool {
	return slices.ContainsFunc(t.gates, func(a asking) bool { return a.name == gate })
}

// finish returns all steps: what the gates passed, and what they refused, in effect or not. A gate that says nothing of its
// checks gets one step.
func (t *tracer) finish(o *policy.Outcome) []policy.Step {
	var all []policy.Step
	for i := range t.gates {
		g := &t.gates[i]
		before := len(all)
		all = append(all, g.steps...)
		for j := range o.Findings {
			if o.Findings[j].Gate == g.name {
				all = append(all, observed(&o.Findings[j]))
			}
		}
		switch {
		case !o.Allowed && o.Gate == g.name:
			all = append(all, refused(o))
		case len(all) == before:
			all = append(all, policy.Step{Gate: g.name, Check: g.name, Passed: true})
		}
	}
	if o.Gate == gateWire {
		all = append(all, refused(o))
	}
	return all
}

func refused(o *policy.Outcome) policy.Step {
	return policy.Step{Gate: o.Gate, Check: o.Gate, Detail: o.Detail, At: o.At}
}

// observed is the step of a refusal that mode observe does not act on, or of what a gate saw and let pass.
func observed(f *policy.Finding) policy.Step {
	detail := f.Detail
	if f.Reason != nil {
		detail = f.Reason.Code + ": would be refused; the connection observes"
		if f.Detail != "" {
			detail += " (" + f.Detail + ")"
		}
	}
	return policy.Step{Gate: f.Gate, Check: f.Gate, Detail: detail, At: f.At}
}
