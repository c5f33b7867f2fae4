package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// many is a list of tools as servers write them, with the comma between two.
func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"name":"tool_%04d","title":"Tool %d","description":"Looks up one record by its key, and returns it as text.","inputSchema":{"type":"object","properties":{"key":{"type":"string","description":"The key of the record."},"limit":{"type":"integer","minimum":1,"maximum":100},"format":{"type":"string","enum":["text","json"],"default":"text"}},"required":["key"],"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}},`, i, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

// large serves a list of so many tools under a configuration with these limits.
func large(t *testing.T, up string, tools int, limits, own string) (h *hopgate, ask func() string) {
	t.Helper()
	rec := newRecorder(t)
	list := many(tools)
	rec.methods["tools/list"] = func(a *asked) { a.result(`"tools":[` + list + `]`) }
	h = newHopgate(t, `version: 1
listen: { mcp: "127.0.0.1:0" }
limits: { `+limits+` }
agents: { ann: key }
upstreams: { up: `+rec.upstream(up)+` }
connections:
  all: { from: ann, to: up, tools: "*", deny: "tool_0007", guard: strict, limits: { `+own+` } }
`)
	key := h.key("ann")
	h.serve()
	agent := h.agent("up", key)
	agent.greet("2025-11-25")
	return h, func() string {
		return agent.post(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, nil).last()
	}
}

func TestLargeListsPassByDefault(t *testing.T) {
	t.Parallel()
	for _, up := range upstreams {
		for _, n := range []int{1000, 5000} {
			t.Run(fmt.Sprintf("%d to %s", n, up), func(t *testing.T) {
				t.Parallel()
				_, ask := large(t, up, n, "", "")
				for range 3 { // what is known by then is judged no other way
					if got := ask(); strings.Count(got, `"inputSchema"`) != n-1 || strings.Contains(got, "tool_0007") {
						t.Fatalf("%d of %d tools are listed: %.300s", strings.Count(got, `"inputSchema"`), n, got)
					}
				}
			})
		}
	}
}

// TestRefusalsOfLargeAnswersNameTheLimit holds that whoever meets a limit on the first day learns which to raise, and
// that a server that answers is not taken for one that fails.
func TestRefusalsOfLargeAnswersNameTheLimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ limits, own, want string }{
		"keys of the file":        {"upstream_keys: 5000", "", "limits.upstream_keys"},
		"keys of the connection":  {"", "upstream_keys: 5000", "limits.upstream_keys"},
		"frame of the file":       {"frame: 64KiB", "", "limits.frame"},
		"frame of the connection": {"", "frame: 64KiB", "limits.frame"},
	} {
		for _, up := range upstreams {
			t.Run(name+" "+up, func(t *testing.T) {
				t.Parallel()
				h, ask := large(t, up, 1000, c.limits, c.own)
				for i := range 8 {
					got := ask()
					if up == "stdio" && c.limits == "frame: 64KiB" && i > 0 {
						break // a child whose line is too long is ended
					}
					if !strings.Contains(got, "RESULT_TOO_LARGE") || !strings.Contains(got, c.want) {
						t.Fatalf("answer %d does not name %s: %.400s", i, c.want, got)
					}
				}
				h.stop()
				for _, r := range h.records() {
					if r.Reason == "RESULT_TOO_LARGE" && strings.Contains(r.raw, c.want) {
						return
					}
				}
				t.Errorf("no record names %s", c.want)
			})
		}
	}
}
