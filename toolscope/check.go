package toolscope

import (
	"context"
	"errors"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope/pin"
)

// errMismatch is a fault of whoever made the call: judged would be one thing and sent another.
var errMismatch = errors.New("the method or target of the call is not that of its message")

// Check says whether a call may pass; see [policy.Gate].
func (s *scope) Check(_ context.Context, c *policy.Call) (policy.Verdict, error) {
	if c.Frame.Response() {
		return s.answer(c), nil
	}
	if name, ok := c.Frame.Text(wire.Method); !ok || string(name) != c.Method {
		return policy.Verdict{}, errMismatch
	}
	v := s.method(c)
	if v.Effect != policy.Allow {
		return v, nil
	}
	if c.Direction == policy.ToAgent {
		return s.fromServer(c)
	}
	v, err := s.fromAgent(c)
	if err != nil || v.Effect != policy.Allow {
		return v, err
	}
	v.Rewrite = append(v.Rewrite, s.withheld(c)...)
	if c.Frame.Has(wire.ParamsInputResponses) {
		given := s.responses(c.Frame)
		if given.Effect != policy.Allow {
			return given, nil
		}
		v.Rewrite = append(v.Rewrite, given.Rewrite...)
	}
	return v, nil
}

// fromAgent judges a request or notification of the agent, whose method is admitted.
func (s *scope) fromAgent(c *policy.Call) (policy.Verdict, error) {
	switch c.Method {
	case "tools/call":
		return s.call(c)
	case "prompts/get":
		return s.prompt(c)
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		return s.resource(c)
	case "completion/complete":
		return s.complete(c), nil
	case "subscriptions/listen":
		return s.listen(c), nil
	case "tasks/get", "tasks/result", "tasks/list", "tasks/cancel", "tasks/update":
		// Whose task a handle names is not for this gate to say.
		return s.only(s.anyTool, reasonMethod, "no tool is granted that could have made a task"), nil
	case "notifications/tasks/status":
		return s.only(s.sampling.allowed() || s.elicitation.allowed(), reasonMethod, "nothing is granted that could have made a task"), nil
	case "notifications/roots/list_changed":
		return s.only(s.roots.allowed(), reasonRoots, ""), nil
	default:
		return policy.Pass, nil
	}
}

// fromServer judges a request or notification of the upstream, whose method is admitted.
func (s *scope) fromServer(c *policy.Call) (policy.Verdict, error) {
	switch c.Method {
	case "sampling/createMessage", "elicitation/create", "roots/list":
		v := s.question(c.Method, c.Frame.Get(wire.Params))
		v.Rewrite = v.Rewrite.Shift(c.Frame.Span(wire.Params).Lo)
		return v, nil
	case "notifications/elicitation/complete":
		return s.only(s.elicitation.allowed(), reasonElicitation, ""), nil
	case "notifications/tools/list_changed", "notifications/prompts/list_changed", "notifications/resources/list_changed":
		return s.only(s.tells(c.Method), reasonMethod, "nothing is granted of what has changed"), nil
	case "notifications/resources/updated":
		return s.resource(c)
	case "tasks/get", "tasks/result", "tasks/list", "tasks/cancel":
		return s.only(s.sampling.allowed() || s.elicitation.allowed(), reasonMethod, "nothing is granted that could have made a task"), nil
	case "notifications/tasks/status", "notifications/tasks":
		e, _ := wire.Lookup(c.Frame.Get(wire.Params), "inputRequests")
		asked := s.questions(e.Value)
		if asked.Effect != policy.Allow {
			return asked, nil
		}
		v := s.only(s.anyTool, reasonMethod, "no tool is granted that could have made a task")
		v.Rewrite = asked.Rewrite.Shift(c.Frame.Span(wire.Params).Lo + e.ValueAt.Lo)
		return v, nil
	default:
		return policy.Pass, nil
	}
}

// answer judges what an agent answers to a request of the upstream: it may answer what the upstream may ask.
func (s *scope) answer(c *policy.Call) policy.Verdict {
	m := methods[c.Method]
	switch {
	case c.Direction != policy.ToUpstream || m == nil && c.Method == "":
		return policy.Refuse(reasonUndefined, s.at, "an answer to no request")
	case m == nil:
		at, ok := match(s.methods, c.Method)
		return s.permit(ok, reasonUndefined, at, "an answer to a method that the protocol does not define")
	case m.from&server == 0 || m.note:
		return policy.Refuse(reasonUndefined, s.at, "an answer to a method that the upstream cannot send")
	case !s.admits(c.Method):
		return policy.Refuse(reasonMethod, s.at, "not among the methods of the connection")
	case c.Method == "ping":
		return policy.Pass
	case c.Method == askModel || c.Method == askUser || c.Method == askRoots:
		if c.Frame.Kind == wire.KindError || c.Frame.Has(wire.ResultTask) {
			return s.mayAsk(c.Method) // which tells nothing yet
		}
		v := s.answered(c.Method, c.Frame.Get(wire.Result))
		v.Rewrite = v.Rewrite.Shift(c.Frame.Span(wire.Result).Lo)
		return v
	default:
		return s.only(s.sampling.allowed() || s.elicitation.allowed(), reasonMethod, "nothing is granted that could have made a task")
	}
}

// tells reports whether changes of a list are any of the agent's business.
func (s *scope) tells(notification string) bool {
	if !s.admits(notification) {
		return false
	}
	switch notification {
	case "notifications/tools/list_changed":
		return s.anyTool
	case "notifications/prompts/list_changed":
		return s.anyPrompt
	case "notifications/resources/list_changed":
		return s.anyResource
	default:
		return false
	}
}

// prompt judges prompts/get.
func (s *scope) prompt(c *policy.Call) (policy.Verdict, error) {
	name, ok := s.name(c.Frame)
	switch {
	case !ok:
		return policy.Refuse(reasonName, s.at, "params.name"), nil
	case string(name) != c.Target:
		return policy.Verdict{}, errMismatch
	}
	at, ok := match(s.prompts, c.Target)
	if ok {
		if why := s.usablePrompt(c.Target); !why.none() {
			return policy.Refuse(why.why, why.at, why.detail), nil
		}
		c.Passed("prompt", at, "")
	}
	return s.permit(ok, reasonPrompt, at, ""), nil
}

// usablePrompt says why a prompt that the connection grants is withheld all the same, because of its definition.
func (s *scope) usablePrompt(name string) refusal {
	if s.omitted.has(pin.Prompt, name) {
		return refusal{why: reasonOmitted, at: s.at}
	}
	_, why := s.item(pin.Prompt, name)
	return why
}

// complete judges completion/complete: completions are given for what is granted.
func (s *scope) complete(c *policy.Call) policy.Verdict {
	kind, _ := c.Frame.Text(wire.RefType)
	switch string(kind) {
	case "ref/prompt":
		name, ok := c.Frame.Text(wire.RefName)
		if !ok || !legalName(name, s.maxName) {
			return policy.Refuse(reasonName, s.at, "params.ref.name")
		}
		at, ok := match(s.prompts, string(name))
		if ok {
			if why := s.usablePrompt(string(name)); !why.none() {
				return policy.Refuse(why.why, why.at, why.detail)
			}
			c.Passed("prompt", at, "")
		}
		return s.permit(ok, reasonPrompt, at, "")
	case "ref/resource":
		text, ok := c.Frame.Text(wire.RefURI)
		if !ok || len(text) > maxURI {
			return policy.Refuse(reasonURI, s.at, "params.ref.uri")
		}
		at, ok := s.template(string(text))
		if ok {
			if _, why := s.item(pin.Template, string(text)); !why.none() {
				return policy.Refuse(why.why, why.at, why.detail)
			}
			c.Passed("resource", at, "")
		}
		return s.permit(ok, reasonResource, at, "")
	default:
		return policy.Refuse(reasonParams, s.at, "params.ref")
	}
}

// only passes where something is granted.
func (s *scope) only(granted bool, r *policy.Reason, detail string) policy.Verdict {
	return s.permit(granted, r, s.at, detail)
}

func (s *scope) permit(granted bool, r *policy.Reason, at policy.Pos, detail string) policy.Verdict {
	switch {
	case granted:
		return policy.Verdict{Effect: policy.Allow, At: at}
	case at == policy.Pos{}:
		return policy.Refuse(r, s.at, detail)
	default:
		return policy.Refuse(r, at, detail)
	}
}
