package e2e

import (
	"bufio"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// poisoned are the ways in which the server poison is reached, as the value of an upstream.
var poisoned = map[string]func(testing.TB, ...string) string{
	"stdio": func(tb testing.TB, flags ...string) string {
		tb.Helper()
		return fmt.Sprintf(`command: [%s, "%s"]`, program(tb, "poison"), strings.Join(flags, `", "`))
	},
	"http": func(tb testing.TB, flags ...string) string {
		tb.Helper()
		cmd := exec.Command(program(tb, "poison"), append(flags, "-http", "127.0.0.1:0")...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			tb.Fatal(err)
		}
		start(tb, cmd)
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			tb.Fatal(err)
		}
		return `url: "http://` + strings.TrimSpace(line) + `/mcp"`
	},
}

// poisonConfig serves bot an upstream that is strictly guarded.
func poisonConfig(upstream string) string {
	return `version: 1
listen: { mcp: "127.0.0.1:0" }
agents: { bot: key }
upstreams:
  up: { ` + upstream + ` }
connections:
  bot-up: { from: bot, to: up, tools: "*", prompts: "*", guard: strict }
`
}

// asks sends a request in the agent's session and returns the answer.
func (a *agent) asks(method, params string) string {
	a.t.Helper()
	return a.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q,"params":%s}`, method, params), nil).last()
}

// TestPoisonedDefinitionIsWithheldAlone puts instructions for the model into each part of a definition.
func TestPoisonedDefinitionIsWithheldAlone(t *testing.T) {
	for way, upstream := range poisoned {
		for _, place := range []string{"description", "default", "parameter", "annotation", "prompt"} {
			t.Run(way+" "+place, func(t *testing.T) {
				h := newHopgate(t, poisonConfig(upstream(t, "-in", place)+", pin: all"))
				h.serve()
				a := h.agent("up", h.key("bot"))
				a.greet("2025-11-25")
				tools, prompts := a.asks("tools/list", `{}`), a.asks("prompts/list", `{}`)
				if strings.Contains(tools+prompts, "id_rsa") {
					t.Errorf("the agent is shown\n%s\n%s", tools, prompts)
				}
				for _, want := range []string{`"get_good"`, `"get_good2"`} {
					if !strings.Contains(tools, want) {
						t.Errorf("%s is missing: %s", want, tools)
					}
				}
				bad, good := a.asks("tools/call", `{"name":"get_bad","arguments":{}}`), a.asks("tools/call", `{"name":"get_good","arguments":{}}`)
				if place == "prompt" {
					bad, good = a.asks("prompts/get", `{"name":"bad"}`), a.asks("prompts/get", `{"name":"good"}`)
				}
				if !strings.Contains(bad, "Unknown") {
					t.Errorf("what is poisoned can be called: %s", bad)
				}
				if !strings.Contains(good, "done") && !strings.Contains(good, "hello") {
					t.Errorf("what is sound cannot be called: %s", good)
				}
				h.onRecord("DEFINITION_BLOCKED", `"gate":"guardrails"`, "definitions pinned")
			})
		}
	}
}

func TestPoisonedInstructionsDoNotReachTheAgent(t *testing.T) {
	for way, upstream := range poisoned {
		t.Run(way, func(t *testing.T) {
			h := newHopgate(t, poisonConfig(upstream(t, "-in", "instructions")))
			h.serve()
			a := h.agent("up", h.key("bot"))
			if x := a.post(hello("2025-11-25"), nil); strings.Contains(x.body, "id_rsa") {
				t.Errorf("the agent is told %s", x.body)
			}
			h.onRecord(`"gate":"guardrails"`)
		})
	}
}

func TestToolThatTurnsIsWithheldAlone(t *testing.T) {
	for way, upstream := range poisoned {
		t.Run(way, func(t *testing.T) {
			h := newHopgate(t, poisonConfig(upstream(t, "-turn")+", pin: tools"))
			h.serve()
			a := h.agent("up", h.key("bot"))
			a.greet("2025-11-25")
			for range 3 {
				if got := a.asks("tools/list", `{}`); !strings.Contains(got, `"get_good2"`) {
					t.Errorf("before it turns: %s", got)
				}
				if got := a.asks("tools/call", `{"name":"get_good2","arguments":{}}`); !strings.Contains(got, "done") {
					t.Errorf("before it turns: %s", got)
				}
			}
			if got := a.asks("tools/list", `{}`); strings.Contains(got, `"get_good2"`) || !strings.Contains(got, `"get_good"`) {
				t.Errorf("after it has turned: %s", got)
			}
			if got := a.asks("tools/call", `{"name":"get_good2","arguments":{}}`); !strings.Contains(got, "TOOL_CHANGED") {
				t.Errorf("after it has turned: %s", got)
			}
			if got := a.asks("tools/call", `{"name":"get_good","arguments":{}}`); !strings.Contains(got, "done") {
				t.Errorf("another tool: %s", got)
			}
			h.onRecord("definitions withheld", "DEFINITION_CHANGED")
			h.stop()
			h.serve() // a start forgets nothing
			a = h.agent("up", h.key("bot"))
			a.greet("2025-11-25")
			if got := a.asks("tools/call", `{"name":"get_good2","arguments":{}}`); !strings.Contains(got, "TOOL_CHANGED") {
				t.Errorf("after a restart: %s", got)
			}
			h.verify()
		})
	}
}

func TestToolThatShadowsAnotherUpstreamsIsWithheldAlone(t *testing.T) {
	for way, upstream := range poisoned {
		for kind, name := range map[string]string{"same name": "get_value", "other case": "GET_value", "other letters": "get_v\u0430lue"} {
			t.Run(way+" "+kind, func(t *testing.T) {
				h := newHopgate(t, `version: 1
listen: { mcp: "127.0.0.1:0" }
agents: { bot: key }
upstreams:
  ours: { `+upstream(t, "-shadow", "get_value")+` }
  theirs: { `+upstream(t, "-shadow", name)+`, pin: tools }
connections:
  bot-both: { from: bot, to: [ours, theirs], tools: ["get_v*", "GET_*", "get_good"] }
`)
				h.serve()
				key := h.key("bot")
				ours, theirs := h.agent("ours", key), h.agent("theirs", key)
				ours.greet("2025-11-25")
				theirs.greet("2025-11-25")
				if got := ours.asks("tools/list", `{}`); !strings.Contains(got, `"get_value"`) {
					t.Fatalf("ours: %s", got)
				}
				if got := theirs.asks("tools/list", `{}`); strings.Contains(got, name) {
					t.Errorf("theirs: %s", got)
				}
				if got := theirs.asks("tools/call", fmt.Sprintf(`{"name":%q,"arguments":{}}`, name)); !strings.Contains(got, "Unknown tool") {
					t.Errorf("theirs: %s", got)
				}
				if got := ours.asks("tools/call", `{"name":"get_value","arguments":{}}`); !strings.Contains(got, "done") {
					t.Errorf("ours: %s", got)
				}
				h.onRecord("definitions withheld", "DEFINITION_SHADOWS", "like ours/get_value")
			})
		}
	}
}

// onRecord checks that texts stand in the journal.
func (h *hopgate) onRecord(want ...string) {
	h.t.Helper()
	var all strings.Builder
	for _, r := range h.records() {
		all.WriteString(r.raw + "\n")
	}
	for _, w := range want {
		if !strings.Contains(all.String(), w) {
			h.t.Errorf("%s is not on record:\n%s", w, all.String())
		}
	}
}
