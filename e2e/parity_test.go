package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hopgate/hopgate/mcpproxy"
)

// attack is one of testdata/parity.txtar, which says what its parts are.
type attack struct {
	name                                          string
	gate, direction, before, send, reason, answer string
	says, result, secret                          string
	tool                                          string // that it calls, or the method
}

// ground is a configuration, and what is tried under it.
type ground struct {
	name    string
	top     []string
	grants  []string
	attacks []attack
}

// parity reads the attacks.
func parity(t *testing.T) (all []ground) {
	t.Helper()
	file, err := txtar.ParseFile("testdata/parity.txtar")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"PLANTED", plantedSecret, "LONGTEXT", strings.Repeat("a", 2000), "OTHERDAY", time.Now().AddDate(0, 0, 3).UTC().Format("Mon"),
	)
	for _, f := range file.Files {
		lines := strings.Split(strings.TrimSpace(text.Replace(string(f.Data))), "\n")
		if name, ok := strings.CutSuffix(f.Name, ".yaml"); ok {
			g := ground{name: name}
			for _, line := range lines {
				if top, ok := strings.CutPrefix(line, "top: "); ok {
					g.top = append(g.top, top)
				} else {
					g.grants = append(g.grants, line)
				}
			}
			all = append(all, g)
			continue
		}
		a := attack{name: f.Name}
		parts := map[string]*string{
			"gate": &a.gate, "direction": &a.direction, "before": &a.before, "send": &a.send, "reason": &a.reason, "answer": &a.answer,
			"says": &a.says, "result": &a.result, "secret": &a.secret,
		}
		for _, line := range lines {
			key, value, _ := strings.Cut(line, ": ")
			if parts[key] == nil {
				t.Fatalf("%s: there is no part %q", f.Name, key)
			}
			*parts[key] = value
		}
		_, a.tool, _ = strings.Cut(a.send, `"params":{"name":"`)
		a.tool, _, _ = strings.Cut(a.tool, `"`)
		at := &all[len(all)-1]
		at.attacks = append(at.attacks, a)
	}
	return all
}

// yaml is a configuration with one connection for each pair, which all grant the same.
func (g *ground) yaml(rec *recorder) string {
	var b strings.Builder
	fmt.Fprintln(&b, "version: 1\nlisten: { mcp: { addr: \"127.0.0.1:0\", ws: true } }")
	for _, line := range g.top {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintln(&b, "agents:")
	for _, pair := range pairs() {
		fmt.Fprintf(&b, "  %s: %s\n", pair, map[bool]string{true: "local", false: "key"}[strings.HasPrefix(pair, "stdio")])
	}
	fmt.Fprintln(&b, "upstreams:")
	for _, way := range ways {
		fmt.Fprintf(&b, "  %s: { cost: { tools: { dear: $1 } }, %s\n", way, strings.TrimPrefix(rec.upstream(way), "{ "))
	}
	fmt.Fprintln(&b, "connections:")
	for _, pair := range pairs() {
		_, way, _ := strings.Cut(pair, "-to-")
		fmt.Fprintf(&b, "  %s:\n    from: %s\n    to: %s\n    %s\n", pair, pair, way, strings.Join(g.grants, "\n    "))
	}
	return b.String()
}

// pairs are all ways from an agent to a server, by the names of their connections.
func pairs() (all []string) {
	for _, front := range fronts {
		for _, way := range ways {
			all = append(all, front+"-to-"+way)
		}
	}
	return all
}

// directions are those in which a gate stands in the way, beside requests of agents.
var directions = map[string][]string{
	"scope": {"result", "question"}, "size": {"result"}, "guardrails": {"result", "question"}, "rate": {"question"}, "spend": {"question"},
}

// TestEveryGateIsAttacked in every direction in which it refuses.
func TestEveryGateIsAttacked(t *testing.T) {
	want, got := map[string]bool{}, map[string]bool{}
	for _, spec := range mcpproxy.Gates(mcpproxy.Memory{}) {
		for _, d := range append([]string{"request"}, directions[spec.Name]...) {
			want[spec.Name+" "+d] = true
		}
	}
	for _, g := range parity(t) {
		for _, a := range g.attacks {
			got[a.gate+" "+a.direction] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("gates and directions that are attacked (-want +got):\n%s", diff)
	}
}

// TestEveryTransportMeetsTheSameGates plays the attacks over all pairs of transports.
func TestEveryTransportMeetsTheSameGates(t *testing.T) {
	t.Parallel()
	for _, g := range parity(t) {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			rec := newRecorder(t)
			play := new(script)
			act := func(a *asked) { play.perform(rec, a) }
			for _, a := range g.attacks {
				rec.tools[a.tool] = act
			}
			rec.methods["prompts/list"] = act
			h := newHopgate(t, g.yaml(rec))
			keys := map[string]string{}
			for _, pair := range pairs() {
				if !strings.HasPrefix(pair, "stdio") {
					keys[pair] = h.key(pair)
				}
			}
			h.serve()
			same := map[string]string{}
			for _, pair := range pairs() {
				front, way, _ := strings.Cut(pair, "-to-")
				g.attackOver(t, h.speaker(front, way, pair, keys[pair]), rec, play, same)
			}
			g.checkRecords(t, h)
			h.verify()
		})
	}
}

// speaker opens a conversation. What it returns sends a message, and returns all that comes until its answer.
func (h *hopgate) speaker(front, way, agent, key string) func(raw string) []string {
	h.t.Helper()
	if front == "http" {
		a := h.agent(way, key)
		return func(raw string) []string {
			x := a.post(raw, nil)
			if id := x.header.Get("Mcp-Session-Id"); id != "" {
				a.header.Set("Mcp-Session-Id", id)
			}
			return x.frames
		}
	}
	var l line
	switch front {
	case "stdio":
		l = h.stdio("--to", way, "--as", agent)
	default:
		l = h.line(front, way, key)
	}
	return func(raw string) (all []string) {
		l.send(raw)
		for asks, _ := kindOf(raw); asks; {
			got := l.next()
			all = append(all, got)
			if _, answers := kindOf(got); answers {
				return all
			}
		}
		return nil
	}
}

// fleeting is what is never the same in refusals: the ref, and how long to wait.
var fleeting = regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}|Wait \d+ seconds|"retryAfterMs":\d+`)

// attackOver plays the attacks over one pair. same has what the agents of other pairs have got.
func (g *ground) attackOver(t *testing.T, say func(string) []string, rec *recorder, play *script, same map[string]string) {
	t.Helper()
	if !strings.Contains(g.attacks[0].send, `"initialize"`) {
		say(strings.Replace(hello("2025-11-25"), `"capabilities":{}`, `"capabilities":{"sampling":{},"elicitation":{},"roots":{}}`, 1))
		say(initialized)
	}
	for _, a := range g.attacks {
		if a.before != "" {
			say(a.before)
		}
		from := len(rec.got())
		var says []string
		if a.says != "" {
			says = append(says, a.says)
		}
		if a.result == "" {
			a.result = `"content":[]`
		}
		play.set(append(says, resulting(a.result)...), from)
		got := strings.Join(say(a.send), "\n")
		play.set(nil, 0)
		got = fleeting.ReplaceAllLiteralString(got, "_")
		if same[a.name] == "" {
			same[a.name] = got
		}
		if !strings.Contains(got, a.answer) || got != same[a.name] {
			t.Errorf("%s: the agent got %.400s, want %s, as others do: %.400s", a.name, got, a.answer, same[a.name])
		}
		var reached strings.Builder
		for _, m := range rec.got()[from:] {
			reached.WriteString(m.raw + "\n")
		}
		if a.direction == "request" && strings.Contains(reached.String(), `"id":7`) {
			t.Errorf("%s: the server got %.300s", a.name, reached.String())
		}
		if a.secret != "" && strings.Contains(got+reached.String(), a.secret) {
			t.Errorf("%s: the secret is out: %.300s %.300s", a.name, got, reached.String())
		}
	}
}

// checkRecords wants of every pair the same refusals on record, each by its gate and in its direction.
func (g *ground) checkRecords(t *testing.T, h *hopgate) {
	t.Helper()
	got, names := map[string][]string{}, map[string]string{}
	for _, r := range h.records() {
		var x struct{ Gate string }
		if err := json.Unmarshal([]byte(r.raw), &x); err != nil {
			t.Fatal(err)
		}
		if r.Connection != "" {
			names[r.Ref] = r.Connection
		}
		if pair := names[r.Ref]; r.Reason != "" && r.Kind != "event" {
			direction := map[string]string{"to-upstream": "request", "to-agent": "question", "": "result"}[r.Direction]
			got[pair] = append(got[pair], x.Gate+" "+direction+" "+r.Reason)
		}
	}
	var want []string
	for _, a := range g.attacks {
		if g.name == "hammering" && a.before != "" {
			want = append(want, "scope request TOOL_NOT_ALLOWED")
		}
		want = append(want, a.gate+" "+a.direction+" "+a.reason)
	}
	for _, pair := range pairs() {
		if diff := cmp.Diff(want, got[pair]); diff != "" {
			t.Errorf("%s: on record (-want +got):\n%s", pair, diff)
		}
	}
}
