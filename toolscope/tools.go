package toolscope

import (
	"strings"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope/pin"
)

// refusal is why something is not granted. The zero refusal is none.
type refusal struct {
	why    *policy.Reason
	at     policy.Pos
	detail string
}

func (r refusal) none() bool { return r.why == nil }

// standing says why the connection's lasting permission does not cover a tool, whatever its arguments are. Calls and
// lists both ask it; c is nil for lists.
func (s *scope) standing(tool, task string, def *definition, c *policy.Call) refusal {
	if at, denied := match(s.deny, tool); denied {
		return refusal{why: reasonDenied, at: at}
	}
	if len(s.deny) > 0 {
		passed(c, "deny", s.deny[0].At, "")
	}
	if s.tasks != nil {
		at, ok := s.doesTask(task)
		if !ok {
			return refusal{why: reasonTask, at: at}
		}
		passed(c, "task", at, task)
	}
	if s.tools == nil && s.tasks == nil || !s.admits("tools/call") {
		return refusal{why: reasonTool, at: s.at}
	}
	if def != nil && (def.twice || def.alike) {
		return refusal{why: reasonTwice, at: s.at}
	}
	if r := s.usable(s.when, tool, task, def); !r.none() || s.tools == nil {
		return r
	}
	return s.entry(tool, task, def, c)
}

// entry looks for an entry of the key tools that can grant a tool.
func (s *scope) entry(tool, task string, def *definition, c *policy.Call) refusal {
	found := refusal{why: reasonTool, at: s.at}
	for i := range s.tools {
		r := &s.tools[i]
		if !r.name.Match(tool) {
			continue
		}
		why := s.usable(r.when, tool, task, def)
		if why.none() {
			passed(c, "tool", r.at, r.name.Text)
			return refusal{}
		}
		if found.why != reasonMismatch { // the operator can do something about that one
			found = why
		}
	}
	return found
}

// usable says why a condition can hold for no call of a tool.
func (s *scope) usable(c *condition, tool, task string, def *definition) refusal {
	if c == nil {
		return refusal{}
	}
	if c.hopeless(s.agent, tool, task) {
		return refusal{why: reasonTool, at: c.at, detail: "when cannot hold for this tool"}
	}
	if def != nil {
		if detail := c.misfit(def, tool); detail != "" {
			return refusal{why: reasonMismatch, at: c.at, detail: detail}
		}
	}
	return refusal{}
}

// doesTask reports whether the connection does a type of task. A pos is where tasks are listed if it does not.
func (s *scope) doesTask(task string) (policy.Pos, bool) {
	for i := range s.tasks {
		if s.tasks[i].Name.Text == task {
			return s.tasks[i].Name.At, true
		}
	}
	if len(s.tasks) > 0 {
		return s.tasks[0].At, false
	}
	return s.at, false
}

// grantsTools reports whether there may be a tool that the connection grants.
func (s *scope) grantsTools() bool {
	for _, p := range s.deny {
		if strings.Trim(p.Text, "*") == "" {
			return false
		}
	}
	switch {
	case !s.admits("tools/call") || s.when != nil && s.when.never:
		return false
	case s.tools == nil:
		return len(s.tasks) > 0
	}
	for i := range s.tools {
		r := &s.tools[i]
		name := r.name.Text
		if strings.Contains(name, "*") {
			if (s.tasks == nil || len(s.tasks) > 0) && (r.when == nil || !r.when.never) {
				return true
			}
		} else if s.standing(name, s.upstream.Task(name), nil, nil).none() {
			return true
		}
	}
	return false
}

// callable says why a tool may not be called, whatever its arguments are, and returns its definition where that is pinned.
func (s *scope) callable(tool, task string, def *definition, c *policy.Call) (*pin.Item, refusal) {
	if r := s.standing(tool, task, def, c); !r.none() {
		return nil, r
	}
	if s.omitted.has(pin.Tool, tool) {
		return nil, refusal{why: reasonOmitted, at: s.at}
	}
	return s.tool(tool, task, c)
}

// call judges tools/call.
func (s *scope) call(c *policy.Call) (policy.Verdict, error) {
	name, ok := s.name(c.Frame)
	switch {
	case !ok:
		return policy.Refuse(reasonName, s.at, "params.name"), nil
	case string(name) != c.Target:
		return policy.Verdict{}, errMismatch
	}
	def := s.seen.tool(c.Target)
	it, r := s.callable(c.Target, c.Task, def, c)
	if !r.none() {
		return policy.Refuse(r.why, r.at, r.detail), nil
	}
	if v := s.fits(it, c); v.Effect != policy.Allow {
		return v, nil
	}
	if v := s.names(c); v.Effect != policy.Allow {
		return v, nil
	}
	if v := s.holds(s.when, c); v.Effect != policy.Allow {
		return v, nil
	}
	if s.tools == nil {
		return policy.Pass, nil
	}
	return s.granted(c, def), nil
}

// granted finds an entry of the key tools that grants the call with its arguments.
func (s *scope) granted(c *policy.Call, def *definition) policy.Verdict {
	var refused policy.Verdict
	for i := range s.tools {
		r := &s.tools[i]
		if !r.name.Match(c.Target) || !s.usable(r.when, c.Target, c.Task, def).none() {
			continue
		}
		v := s.holds(r.when, c)
		if v.Effect == policy.Allow {
			v.At = r.at
			return v
		}
		if refused.Reason == nil || v.Reason == reasonCondition { // a fault in a rule tells more than a rule that does not hold
			refused = v
		}
	}
	return refused
}

// holds evaluates a condition on a call.
func (s *scope) holds(cond *condition, c *policy.Call) policy.Verdict {
	if cond == nil {
		return policy.Pass
	}
	ok, failure := cond.holds(s.agent, c)
	switch {
	case failure != "":
		return policy.Refuse(reasonCondition, cond.at, failure)
	case !ok:
		return policy.Refuse(reasonArgument, cond.at, "when does not hold")
	}
	c.Passed("when", cond.at, cond.text)
	return policy.Pass
}

func passed(c *policy.Call, check string, at policy.Pos, detail string) {
	if c != nil {
		c.Passed(check, at, detail)
	}
}
