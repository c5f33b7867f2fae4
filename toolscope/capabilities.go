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
	if s.sampling && s.elicitation && s.roots {
		return nil
	}
	edits := s.withoutDenied(c.Frame, wire.MetaClientCapabilities)
	if c.Method == "initialize" {
		edits = append(edits, s.withoutDenied(c.Frame, wire.ParamsCapabilities)...)
	}
	return edits
}

func (s *scope) withoutDenied(f *wire.Frame, m wire.Member) wire.Edits {
	return without(f.Get(m), func(name string) bool {
		switch name {
		case "sampling":
			return bool(s.sampling)
		case "elicitation":
			return bool(s.elicitation)
		case "roots":
			return bool(s.roots)
		default:
			return true
		}
	}).Shift(f.Span(m).Lo)
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
