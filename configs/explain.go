package configs

import (
	"context"

	"github.com/hopgate/hopgate/policy"
)

// Explanation is how a question was decided, check by check.
type Explanation struct {
	Question Question
	Revision string // of the configuration
	Steps    []policy.Step
	Skipped  []string // gates that were not asked
	Outcome  policy.Outcome
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
	e.Outcome = tried.outcome
	e.Steps = append(e.Steps, t.finish(&e.Outcome)...)
	if k := f.Connection(q.Agent, q.Upstream); k != nil {
		for _, g := range k.Gates {
			if !t.asked[g.Name] {
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
		s.Detail += " is not declared"
	}
	return s
}

func (f *File) connectionStep(q Question) policy.Step {
	s := policy.Step{Gate: "connection", Check: "connection"}
	if k := f.Connection(q.Agent, q.Upstream); k != nil {
		s.Passed, s.At, s.Detail = true, k.At, k.Name+"  ("+q.Agent+" → "+q.Upstream+")"
	} else {
		s.Detail = "none from " + q.Agent + " to " + q.Upstream
	}
	return s
}

// tracer collects the checks of the gates. A gate that says nothing of its checks gets one step when the next is asked.
type tracer struct {
	steps []policy.Step
	asked map[string]bool
	gate  string // asked last
	said  bool   // whether it told of a check
}

// step takes a check, or with an empty Check the name of the gate that is asked now.
func (t *tracer) step(s policy.Step) {
	if s.Check == "" {
		t.close(true)
		if t.asked == nil {
			t.asked = map[string]bool{}
		}
		t.asked[s.Gate], t.gate, t.said = true, s.Gate, false
		return
	}
	s.Gate, t.said = t.gate, true
	t.steps = append(t.steps, s)
}

func (t *tracer) close(passed bool) {
	if t.gate != "" && !t.said && passed {
		t.steps = append(t.steps, policy.Step{Gate: t.gate, Check: t.gate, Passed: true})
	}
}

// finish adds what the gates refused, in effect or not, to what they passed.
func (t *tracer) finish(o *policy.Outcome) []policy.Step {
	t.close(o.Allowed)
	for i := range o.Findings {
		x := &o.Findings[i]
		detail := "would be refused; the connection observes"
		if x.Reason != nil {
			detail = x.Reason.Code + ": " + detail
		}
		if x.Detail != "" {
			detail += " (" + x.Detail + ")"
		}
		t.steps = append(t.steps, policy.Step{Gate: x.Gate, Check: x.Gate, Detail: detail, At: x.At})
	}
	if !o.Allowed && (t.asked[o.Gate] || o.Gate == "wire") {
		t.steps = append(t.steps, policy.Step{Gate: o.Gate, Check: o.Gate, Detail: o.Detail, At: o.At})
	}
	return t.steps
}
