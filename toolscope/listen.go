package toolscope

import (
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// listen judges subscriptions/listen, and cuts from what is subscribed to what the connection does not grant (MCP
// 2026-07-28, SubscriptionFilter; taskIds is of SEP-2663).
func (s *scope) listen(c *policy.Call) policy.Verdict {
	filter := c.Frame.Get(wire.ParamsNotifications)
	if len(filter) == 0 || filter[0] != '{' {
		return policy.Refuse(reasonParams, s.at, "params.notifications")
	}
	var cut cutter
	for e := range wire.Entries(filter) {
		name, _ := wire.Unquote(e.Name)
		keep, sound := true, true
		switch string(name) {
		case "toolsListChanged":
			keep, sound = s.tells("notifications/tools/list_changed"), isBool(e.Value)
		case "promptsListChanged":
			keep, sound = s.tells("notifications/prompts/list_changed"), isBool(e.Value)
		case "resourcesListChanged":
			keep, sound = s.tells("notifications/resources/list_changed"), isBool(e.Value)
		case "taskIds":
			keep, sound = s.anyTool, isStrings(e.Value)
		case "resourceSubscriptions":
			if sound = isStrings(e.Value); sound {
				cut.edits = append(cut.edits, s.subscriptions(e.Value).Shift(e.ValueAt.Lo)...)
			}
		}
		if !sound {
			return policy.Refuse(reasonParams, s.at, "params.notifications")
		}
		cut.part(e.At, keep)
	}
	v := policy.Pass
	v.Rewrite = cut.done().Shift(c.Frame.Span(wire.ParamsNotifications).Lo)
	return v
}

// subscriptions returns the edits that leave out of an array of strings the URIs that the connection does not grant.
func (s *scope) subscriptions(uris []byte) wire.Edits {
	var cut cutter
	for at, raw := range wire.Elements(uris) {
		text, ok := wire.Unquote(raw)
		if ok {
			_, ok, _ = s.uri(string(text)) // a URI that cannot be judged is not granted
		}
		cut.part(at, ok)
	}
	return cut.done()
}

func isBool(raw []byte) bool { return string(raw) == "true" || string(raw) == "false" }

// isStrings reports whether a raw value is an array of strings.
func isStrings(raw []byte) bool {
	if len(raw) == 0 || raw[0] != '[' {
		return false
	}
	for _, e := range wire.Elements(raw) {
		if e[0] != '"' {
			return false
		}
	}
	return true
}

// cutter collects the parts of an object or array, and which of them stay. It allocates little where all do.
type cutter struct {
	edits wire.Edits // inside parts that stay
	parts []wire.Span
	keep  []bool
	some  bool // something is left out
}

func (c *cutter) part(at wire.Span, keep bool) {
	c.parts = append(c.parts, at)
	c.keep = append(c.keep, keep)
	c.some = c.some || !keep
}

func (c *cutter) done() wire.Edits {
	if !c.some {
		return c.edits
	}
	return append(c.edits, wire.Cut(c.parts, c.keep)...)
}
