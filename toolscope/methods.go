package toolscope

import (
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// senders are the ends of a connection that may send a method.
type senders uint8

const (
	agent senders = 1 << iota
	server
	both = agent | server
)

// method is one method that some revision of the protocol defines.
type method struct {
	name string
	from senders
	note bool // a notification; else a request
	// free methods need not be named by the key `methods`: every session needs them, or a key of their own decides.
	free bool
	// with are requests that make no sense without this method, so that it is admitted with each of them.
	with []string
}

// methods are all methods of MCP 2024-11-05 to 2026-07-28 and of the extension io.modelcontextprotocol/tasks (SEP-2663).
var methods = byName([]method{
	{name: "initialize", from: agent, free: true},
	{name: "ping", from: both, free: true},
	{name: "server/discover", from: agent, free: true},
	{name: "tools/list", from: agent},
	{name: "tools/call", from: agent},
	{name: "prompts/list", from: agent},
	{name: "prompts/get", from: agent},
	{name: "resources/list", from: agent},
	{name: "resources/templates/list", from: agent},
	{name: "resources/read", from: agent},
	{name: "resources/subscribe", from: agent},
	{name: "resources/unsubscribe", from: agent, with: []string{"resources/subscribe"}},
	{name: "subscriptions/listen", from: agent},
	{name: "completion/complete", from: agent},
	{name: "logging/setLevel", from: agent},
	{name: "tasks/get", from: both},
	{name: "tasks/result", from: both},
	{name: "tasks/list", from: both},
	{name: "tasks/cancel", from: both},
	{name: "tasks/update", from: agent},

	{name: "sampling/createMessage", from: server, free: true},
	{name: "elicitation/create", from: server, free: true},
	{name: "roots/list", from: server, free: true},

	{name: "notifications/initialized", from: agent, note: true, free: true},
	{name: "notifications/cancelled", from: both, note: true, free: true},
	{name: "notifications/progress", from: both, note: true, free: true},
	{name: "notifications/roots/list_changed", from: agent, note: true, free: true},
	{name: "notifications/message", from: server, note: true, with: []string{"logging/setLevel"}},
	{name: "notifications/tools/list_changed", from: server, note: true, with: []string{"tools/list"}},
	{name: "notifications/prompts/list_changed", from: server, note: true, with: []string{"prompts/list"}},
	{name: "notifications/resources/list_changed", from: server, note: true, with: []string{"resources/list"}},
	{name: "notifications/resources/updated", from: server, note: true, with: []string{"resources/subscribe", "subscriptions/listen"}},
	{name: "notifications/elicitation/complete", from: server, note: true, free: true},
	{name: "notifications/tasks/status", from: both, note: true, with: []string{"tasks/get"}},
	{name: "notifications/tasks", from: server, note: true, with: []string{"tasks/get"}},
	{name: "notifications/subscriptions/acknowledged", from: server, note: true, with: []string{"subscriptions/listen"}},
})

func byName(list []method) map[string]*method {
	m := make(map[string]*method, len(list))
	for i := range list {
		m[list[i].name] = &list[i]
	}
	return m
}

// method judges the method itself: that it is one, that this end may send it in this form, and that the connection
// admits it.
func (s *scope) method(c *policy.Call) policy.Verdict {
	m := methods[c.Method]
	from := agent
	if c.Direction == policy.ToAgent {
		from = server
	}
	switch {
	case m == nil:
		at, ok := match(s.methods, c.Method)
		if !ok {
			return policy.Refuse(reasonUndefined, s.at, "a method that the protocol does not define")
		}
		c.Passed("method", at, "")
		return policy.Pass
	case m.from&from == 0:
		return policy.Refuse(reasonUndefined, s.at, "a method of the other end")
	case m.note != (c.Frame.Kind == wire.KindNotification):
		return policy.Refuse(reasonUndefined, s.at, "a request without an id, or a notification with one")
	}
	at, ok := s.admission(m)
	if !ok {
		return policy.Refuse(reasonMethod, s.at, "not among the methods of the connection")
	}
	c.Passed("method", at, "")
	return policy.Pass
}

// admission says whether the key `methods` leaves a method that the protocol defines, and where it does so.
func (s *scope) admission(m *method) (policy.Pos, bool) {
	if s.methods == nil || m.free {
		return s.at, true
	}
	if at, ok := match(s.methods, m.name); ok {
		return at, true
	}
	for _, name := range m.with {
		if at, ok := match(s.methods, name); ok {
			return at, true
		}
	}
	return policy.Pos{}, false
}

// admits reports whether the connection leaves a method that the protocol defines.
func (s *scope) admits(name string) bool {
	_, ok := s.admission(methods[name])
	return ok
}

// match returns the place of the first pattern that a name fits.
func match(patterns []policy.Pattern, name string) (policy.Pos, bool) {
	for i := range patterns {
		if patterns[i].Match(name) {
			return patterns[i].At, true
		}
	}
	return policy.Pos{}, false
}
