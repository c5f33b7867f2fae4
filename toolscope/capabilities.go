package toolscope

import (
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// tasksExtension names the tasks of MCP 2026-07-28 (SEP-2663).
const tasksExtension = "io.modelcontextprotocol/tasks"

// withheld returns the edits that cut from what the client says it can do what the upstream may not ask of it: in
// initialize, and in every request of MCP 2026-07-28.
func (s *scope) withheld(c *policy.Call) wire.Edits {
	edits := s.withoutDenied(c.Frame, wire.MetaClientCapabilities)
	if c.Method == "initialize" {
		edits = append(edits, s.withoutDenied(c.Frame, wire.ParamsCapabilities)...)
	}
	return edits
}

func (s *scope) withoutDenied(f *wire.Frame, m wire.Member) wire.Edits {
	capabilities := f.Get(m)
	var edits wire.Edits
	for e := range wire.Entries(capabilities) {
		name, _ := wire.Unquote(e.Name)
		if !s.lends(string(name), e.Value) {
			continue
		}
		part := without(e.Value, func(part string) bool { return s.lendsPart(string(name), part) })
		edits = append(edits, part.Shift(e.ValueAt.Lo)...)
	}
	cut := lent(capabilities, s.lends)
	return append(edits, cut...).Shift(f.Span(m).Lo)
}

// lends reports whether the upstream may make use of anything that a capability of the client declares.
func (s *scope) lends(name string, value []byte) bool {
	switch name {
	case "sampling":
		return s.sampling.allowed()
	case "elicitation":
		if _, only := wire.Lookup(value, "url"); only && s.elicitation.URLs == nil {
			if _, form := wire.Lookup(value, "form"); !form {
				return false // without a mode it would declare forms (2025-11-25, client/elicitation)
			}
		}
		return s.elicitation.allowed()
	case "roots":
		return s.roots.allowed()
	default:
		return true
	}
}

// lendsPart reports whether it may make use of one part of that.
func (s *scope) lendsPart(name, part string) bool {
	switch name + "." + part {
	case "sampling.context":
		return false
	case "sampling.tools":
		return s.anyTool
	case "elicitation.url":
		return s.elicitation.URLs != nil
	default:
		return true
	}
}

// without returns the edits that leave out members of an object. Names are compared decoded. It allocates nothing where
// all members stay and no name is escaped.
func without(object []byte, keep func(name string) bool) wire.Edits {
	all := true
	for e := range wire.Entries(object) {
		name, _ := wire.Unquote(e.Name)
		all = all && keep(string(name))
	}
	if all {
		return nil
	}
	var cut cutter
	for e := range wire.Entries(object) {
		name, _ := wire.Unquote(e.Name)
		cut.part(e.At, keep(string(name)))
	}
	return cut.done()
}

// lent is without for what depends on the value too.
func lent(object []byte, keep func(name string, value []byte) bool) wire.Edits {
	all := true
	for e := range wire.Entries(object) {
		name, _ := wire.Unquote(e.Name)
		all = all && keep(string(name), e.Value)
	}
	if all {
		return nil
	}
	var cut cutter
	for e := range wire.Entries(object) {
		name, _ := wire.Unquote(e.Name)
		cut.part(e.At, keep(string(name), e.Value))
	}
	return cut.done()
}

// offers reports whether a capability of the server is worth declaring: whether the connection leaves anything of it.
func (s *scope) offers(capability string) bool {
	switch capability {
	case "tools":
		return s.anyTool
	case "prompts":
		return s.anyPrompt
	case "resources":
		return s.anyResource
	case "completions":
		return s.admits("completion/complete") && (s.anyPrompt || s.anyResource)
	case "logging":
		return s.admits("notifications/message")
	case "tasks", tasksExtension:
		return s.admits("tasks/get") && s.anyTool
	default:
		return true
	}
}

// offered returns the edits that cut a server's capabilities to what the connection leaves, and that promise to tell of
// changed lists: they change with the policy too, whatever the server does itself.
func (s *scope) offered(r *wire.Frame) wire.Edits {
	capabilities := r.Get(wire.ResultCapabilities)
	var cut cutter
	for e := range wire.Entries(capabilities) {
		text, _ := wire.Unquote(e.Name)
		name := string(text)
		keep := s.offers(name)
		cut.part(e.At, keep)
		if !keep {
			continue
		}
		switch name {
		case "tools", "prompts", "resources":
			cut.edits = append(cut.edits, tellsChanges(e.Value).Shift(e.ValueAt.Lo)...)
		case "extensions":
			cut.edits = append(cut.edits, without(e.Value, s.offers).Shift(e.ValueAt.Lo)...)
		}
	}
	return cut.done().Shift(r.Span(wire.ResultCapabilities).Lo)
}

// tellsChanges returns the edit that makes listChanged true in a capability. What is no object stays as it is.
func tellsChanges(capability []byte) wire.Edits {
	if capability[0] != '{' {
		return nil
	}
	if e, ok := wire.Lookup(capability, "listChanged"); ok {
		if string(e.Value) == "true" {
			return nil
		}
		return wire.Edits{{At: e.ValueAt, New: []byte("true")}}
	}
	return prepend(capability, `"listChanged":true`)
}
