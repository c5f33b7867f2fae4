package toolscope

import (
	"slices"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// An upstream asks the agent by requests of its own (until 2025-11-25), or inside a result (2026-07-28, SEP-2322). Both
// come here, with what they ask; and so do the answers.

// Methods by which an upstream asks.
const (
	askModel = "sampling/createMessage"
	askUser  = "elicitation/create"
	askRoots = "roots/list"
)

// question judges a request by which an upstream wants something of the agent (MCP 2025-11-25, client features). params
// are raw JSON, or nil; the edits are of them.
func (s *scope) question(method string, params []byte) policy.Verdict {
	switch v := s.mayAsk(method); {
	case v.Effect != policy.Allow:
		return v
	case method == askModel:
		return s.samples(params)
	case method == askUser:
		return s.elicits(params)
	default:
		return v
	}
}

// mayAsk says whether the upstream may ask something at all.
func (s *scope) mayAsk(method string) policy.Verdict {
	switch method {
	case askModel:
		return s.permit(s.sampling.allowed(), reasonSampling, s.sampling.At, "")
	case askUser:
		return s.permit(s.elicitation.allowed(), reasonElicitation, s.elicitation.At, "")
	case askRoots:
		return s.permit(s.roots.allowed(), reasonRoots, s.roots.At, "")
	default:
		return policy.Refuse(reasonInput, s.at, "a request of another method")
	}
}

// questions judges the requests that a result, or a task, carries for the agent. The value is raw JSON, or nil where there
// is none; the edits are of it.
func (s *scope) questions(raw []byte) policy.Verdict {
	if len(raw) == 0 {
		return policy.Pass
	}
	if raw[0] != '{' {
		return policy.Refuse(reasonInput, s.at, "inputRequests is not an object")
	}
	all := policy.Pass
	for e := range wire.Entries(raw) {
		m, _ := wire.Lookup(e.Value, "method")
		name, ok := wire.Unquote(m.Value)
		if !ok {
			return policy.Refuse(reasonInput, s.at, "a request without a method")
		}
		params, _ := wire.Lookup(e.Value, "params")
		v := s.question(string(name), params.Value)
		if v.Effect != policy.Allow {
			return v
		}
		all.Rewrite = append(all.Rewrite, v.Rewrite.Shift(e.ValueAt.Lo+params.ValueAt.Lo)...)
	}
	return all
}

// needed judges an error that says what the user has to do first (MCP 2025-11-25, URLElicitationRequiredError).
func (s *scope) needed(f *wire.Frame) policy.Verdict {
	if string(f.Get(wire.ErrorCode)) != "-32042" {
		return policy.Pass
	}
	all := s.mayAsk(askUser)
	if all.Effect != policy.Allow {
		return all
	}
	data := f.Get(wire.ErrorData)
	list, _ := wire.Lookup(data, "elicitations")
	if list.Value == nil || list.Value[0] != '[' {
		return policy.Refuse(reasonInput, s.at, "an error that asks for nothing")
	}
	for at, e := range wire.Elements(list.Value) {
		v := s.elicits(e)
		if v.Effect != policy.Allow {
			return v
		}
		all.Rewrite = append(all.Rewrite, v.Rewrite.Shift(f.Span(wire.ErrorData).Lo+list.ValueAt.Lo+at.Lo)...)
	}
	return all
}

// answered judges the result that an agent returns to a request of the upstream; the edits are of it.
func (s *scope) answered(method string, result []byte) policy.Verdict {
	v := s.mayAsk(method)
	switch {
	case v.Effect != policy.Allow:
		return v
	case method == askModel:
		return s.sampled(result)
	case method == askRoots:
		v.Rewrite = s.rooted(result)
	}
	return v
}

// responses judges the answers that a request carries (MCP 2026-07-28, InputResponses). What they answer they do not say,
// so each is held to all that it looks like; what looks like none is part of the request and nothing more.
func (s *scope) responses(f *wire.Frame) policy.Verdict {
	all := policy.Pass
	raw := f.Get(wire.ParamsInputResponses)
	for e := range wire.Entries(raw) {
		for _, like := range looks {
			if _, ok := wire.Lookup(e.Value, like.member); !ok {
				continue
			}
			v := s.answered(like.method, e.Value)
			if v.Effect != policy.Allow {
				return v
			}
			all.Rewrite = append(all.Rewrite, v.Rewrite.Shift(f.Span(wire.ParamsInputResponses).Lo+e.ValueAt.Lo)...)
		}
	}
	return all
}

// looks are the members by which answers are told.
var looks = []struct{ member, method string }{{"model", askModel}, {"action", askUser}, {"roots", askRoots}}

// samples judges what an upstream asks of the agent's model (MCP 2025-11-25, client/sampling). It gets nothing of other
// servers' contexts, whatever it asks for.
func (s *scope) samples(params []byte) policy.Verdict {
	v := policy.Verdict{Effect: policy.Allow, At: s.sampling.At}
	if e, ok := wire.Lookup(params, "includeContext"); ok && string(e.Value) != `"none"` {
		v.Rewrite = append(v.Rewrite, wire.Edit{At: e.ValueAt, New: []byte(`"none"`)})
	}
	if e, ok := wire.Lookup(params, "tools"); ok {
		if r := s.offersTools(e.Value); !r.none() {
			return policy.Refuse(r.why, r.at, r.detail)
		}
	}
	edits, at, ok := s.hints(params)
	if !ok {
		return policy.Refuse(reasonModel, at, "modelPreferences.hints")
	}
	v.Rewrite = append(v.Rewrite, edits...)
	return v
}

// offersTools says why a model may not be offered some of the tools in a request. They are run by the upstream, which
// might offer under another roof what the connection does not grant.
func (s *scope) offersTools(raw []byte) refusal {
	if len(raw) == 0 || raw[0] != '[' {
		return refusal{why: reasonSamplingTool, at: s.at, detail: "tools is not an array"}
	}
	for _, t := range wire.Elements(raw) {
		e, _ := wire.Lookup(t, "name")
		name, ok := wire.Unquote(e.Value)
		if !ok || !legalName(name, s.maxName) {
			return refusal{why: reasonSamplingTool, at: s.at, detail: "a tool without a name"}
		}
		tool := string(name)
		if _, r := s.callable(tool, s.upstream.Task(tool), nil, nil); !r.none() {
			return refusal{why: reasonSamplingTool, at: r.at}
		}
	}
	return refusal{}
}

// sampled judges what the agent's model has answered: by which model is for the connection to say.
func (s *scope) sampled(result []byte) policy.Verdict {
	if s.models == nil {
		return policy.Pass
	}
	e, _ := wire.Lookup(result, "model")
	at, ok := s.model(e.Value)
	return s.permit(ok, reasonModel, at, "model of the answer")
}

// rooted returns the edits that leave of the agent's roots what the upstream may learn.
func (s *scope) rooted(result []byte) wire.Edits {
	e, ok := wire.Lookup(result, "roots")
	switch {
	case s.roots.Say != nil && ok:
		return wire.Edits{{At: e.ValueAt, New: s.said()}}
	case s.roots.Say != nil:
		return prepend(result, `"roots":`+string(s.said()))
	case s.roots.Only == nil || !ok:
		return nil
	case e.Value[0] != '[':
		return wire.Edits{{At: e.ValueAt, New: []byte("[]")}}
	}
	var cut cutter
	for at, root := range wire.Elements(e.Value) {
		uri, _ := wire.Lookup(root, "uri")
		text, ok := wire.Unquote(uri.Value)
		cut.part(at, ok && s.rootGranted(string(text)))
	}
	return cut.done().Shift(e.ValueAt.Lo)
}

// rootGranted reports whether the upstream may learn of a root, both as it is written and in normal form.
func (s *scope) rootGranted(uri string) bool {
	_, err := normalize(uri)
	return err == nil && slices.ContainsFunc(s.onlyRoots, func(r uriRule) bool {
		normal, _ := normalize(uri)
		return r.raw.match(uri) && r.normal.match(normal)
	})
}

// said is the array of the roots that are answered.
func (s *scope) said() []byte {
	b := []byte{'['}
	for i, root := range s.roots.Say {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(wire.AppendQuote(append(b, `{"uri":`...), string(root)), '}')
	}
	return append(b, ']')
}
