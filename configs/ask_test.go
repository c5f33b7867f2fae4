package configs_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/policy"
)

// asked is a file with a bit of everything to ask about.
const asked = `version: 1
agents: { bot: key, watcher: key, sick: key, mad: key, small: key }
upstreams:
  up: { command: [server], tasks: { read: get_* } }
connections:
  main:
    from: bot
    to: up
    tools:
      - get_*
      - { name: put, when: args.owner == "acme" }
    deny: get_secret
    prompts: hello
    resources: file:///srv/*
  seen: { from: watcher, to: up, mode: observe, mood: refuses }
  sick: { from: sick, to: up, tools: "*", mood: fails }
  mad: { from: mad, to: up, tools: "*", mood: panics }
  small: { from: small, to: up, tools: "*", limits: { frame: 1KiB, depth: 16 } }
`

func TestTestsThatHold(t *testing.T) {
	f := parse(t, asked+`tests:
  - { agent: bot, call: up/get_x, expect: allow }
  - { agent: bot, call: up/get_secret, expect: deny }
  - { agent: bot, call: up/put, args: { owner: acme }, expect: allow }
  - { agent: bot, call: up/put, args: { owner: evil }, expect: deny ARGUMENT_NOT_ALLOWED }
  - { agent: bot, call: up/delete, expect: deny TOOL_NOT_ALLOWED }
  - { agent: bot, reads: up/file:///srv/a b, expect: allow }
  - { agent: bot, reads: "up/file:///etc/passwd", expect: deny }
  - { agent: bot, prompt: up/hello, args: { a: 1 }, expect: allow }
  - { agent: bot, lists: up, of: [put, get_a, drop, get_secret], expect: [get_a, put] }
  - { agent: bot, lists: up, of: [drop], expect: [] }
  - { agent: somebody, call: up/get_x, expect: deny UNAUTHENTICATED }
  - { agent: watcher, call: up/get_x, expect: deny TOOL_NOT_ALLOWED }
  - { agent: small, call: up/x, args: { a: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]] }, expect: deny FRAME_TOO_DEEP }
`, world{})
	var got []string
	for _, failure := range f.RunTests(t.Context()) {
		got = append(got, failure.String())
	}
	// A connection that observes lets the call pass, so a test that expects a refusal says so.
	want := []string{"/box/hopgate.yaml:31:5: watcher tools/call up/get_x: expected deny TOOL_NOT_ALLOWED, got allow"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestTestsThatFail(t *testing.T) {
	f := parse(t, asked+`tests:
  - { agent: bot, call: up/get_secret, expect: allow }
  - { agent: bot, call: up/get_x, expect: deny }
  - { agent: bot, call: up/get_x, expect: deny TOOL_NOT_ALLOWED }
  - { agent: bot, call: up/put, expect: deny TOOL_NOT_ALLOWED }
  - { agent: bot, lists: up, of: [put, get_a], expect: get_a }
  - { agent: nobody, lists: up, of: [get_a], expect: get_a }
  - { agent: sick, call: up/x, expect: deny }
  - { agent: mad, call: up/x, expect: deny }
`, world{})
	failures := f.RunTests(t.Context())
	var got []string
	for _, failure := range failures {
		got = append(got, strings.ReplaceAll(failure.String(), fileName, "f"))
	}
	want := []string{
		"f:20:5: bot tools/call up/get_secret: expected allow, got deny TOOL_NOT_ALLOWED (f:12:11)",
		"f:21:5: bot tools/call up/get_x: expected deny, got allow",
		"f:22:5: bot tools/call up/get_x: expected deny TOOL_NOT_ALLOWED, got allow",
		"f:23:5: bot tools/call up/put: expected deny TOOL_NOT_ALLOWED, got deny ARGUMENT_NOT_ALLOWED (f:11:28)",
		"f:24:5: bot tools/list up: expected [get_a], got [get_a, put]",
		"f:25:5: nobody tools/list up: expected [get_a], got deny UNAUTHENTICATED",
		// A gate that fails refuses, and proves nothing.
		"f:26:5: sick tools/call up/x: expected deny, got deny POLICY_UNAVAILABLE",
		"f:27:5: mad tools/call up/x: expected deny, got deny POLICY_UNAVAILABLE",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	golden(t, "testdata/tests.txt", rendered(t, f.Diagnostics(failures)))
	if f.Diagnostics(nil) != nil {
		t.Error("there are diagnostics without failures")
	}
}

func TestTestsThatHaveNoTimeFail(t *testing.T) {
	f := parse(t, asked+`tests:
  - { agent: bot, call: up/get_x, expect: allow }
  - { agent: bot, call: up/get_secret, expect: deny }
  - { agent: bot, call: up/get_secret, expect: deny TOOL_NOT_ALLOWED }
  - { agent: nobody, call: up/x, expect: deny }
  - { agent: bot, lists: up, of: [drop], expect: [] }
`, world{})
	if failures := f.RunTests(t.Context()); failures != nil {
		t.Fatal(failures)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if failures := f.RunTests(ctx); len(failures) != len(f.Tests) {
		t.Errorf("of %d tests these fail: %v", len(f.Tests), failures)
	}
}

func TestTestsTakeAScoreForKnown(t *testing.T) {
	f := parse(t, `version: 1
agents: { bot: key }
upstreams:
  up: { command: [server] }
connections:
  c: { from: bot, to: up, tools: "*", mood: trusts }
tests:
  - { agent: bot, call: up/x, expect: allow }
  - { agent: bot, call: up/x, trust: 400, expect: allow }
  - { agent: bot, call: up/x, trust: 399, expect: deny BAD_MOOD }
  - { agent: bot, call: up/x, trust: 0, expect: deny BAD_MOOD }
`, world{})
	for _, failure := range f.RunTests(t.Context()) {
		t.Error(failure)
	}
	if f.Tests[0].Score != 999 || f.Tests[1].Score != 400 {
		t.Errorf("the scores are %d and %d", f.Tests[0].Score, f.Tests[1].Score)
	}
}

func TestExplainTellsOfANameWhatTheWireDoes(t *testing.T) {
	for method, want := range map[string]string{
		"tools/call": "Unknown tool", "prompts/get": "Unknown prompt", "resources/read": "Resource not found",
		"resources/subscribe": "Resource not found", "completion/complete": "Unknown name",
	} {
		var b strings.Builder
		e := configs.Explanation{
			Question: configs.Question{Method: method}, Outcome: policy.Outcome{Reason: &policy.Reason{Answer: policy.AnswerUnknown}},
		}
		if err := e.Render(&b, false); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), `The agent sees: error -32602, "`+want+`"`) {
			t.Errorf("%s: got\n%s", method, b.String())
		}
	}
}

func TestTestsHappenWhenTheySay(t *testing.T) {
	f := parse(t, asked+`tests:
  - { agent: bot, call: up/get_x, expect: allow }
  - { agent: bot, call: up/get_x, at: "2027-02-03T04:05:06+01:00", expect: allow }
`, world{})
	if got := f.Tests[0].Time; got.Weekday() != time.Monday || got.Hour() != 12 {
		t.Errorf("without at it is %v", got)
	}
	if got := f.Tests[1].Time; !got.Equal(time.Date(2027, 2, 3, 3, 5, 6, 0, time.UTC)) {
		t.Errorf("got %v", got)
	}
}

func TestExplainAnswersCheckByCheck(t *testing.T) {
	f := parse(t, asked, world{})
	questions := map[string]configs.Question{
		"allowed":    {Agent: "bot", Target: "get_x"},
		"argument":   {Agent: "bot", Target: "put", Args: []byte(`{"owner":"evil"}`)},
		"denied":     {Agent: "bot", Target: "get_secret"},
		"resource":   {Agent: "bot", Method: "resources/read", Target: "file:///etc"},
		"method":     {Agent: "bot", Method: "logging/setLevel"},
		"subscribe":  {Agent: "bot", Method: "resources/subscribe", Target: "file:///srv/a"},
		"stranger":   {Agent: "eve", Target: "get_x"},
		"observed":   {Agent: "watcher", Target: "get_x"},
		"fault":      {Agent: "sick", Target: "get_x"},
		"not a call": {Agent: "bot", Target: "put", Args: []byte(`{"a":1,"a":2}`)},
		"not JSON":   {Agent: "bot", Target: "put", Args: []byte(`{`)},
		"too large":  {Agent: "small", Target: "put", Args: []byte(`{"a":"` + strings.Repeat("x", 2000) + `"}`)},
		"injected":   {Agent: "bot", Target: "put", Args: []byte(`{},"name":"get_x"`)},
	}
	var b strings.Builder
	for _, name := range []string{
		"allowed", "argument", "denied", "resource", "method", "subscribe", "stranger", "observed", "fault", "not a call", "not JSON",
		"too large", "injected",
	} {
		q := questions[name]
		q.Upstream = "up"
		e := f.Explain(t.Context(), q)
		e.Revision = "4be1c0ffee"
		b.WriteString("# " + name + "\n")
		if err := e.Render(&b, false); err != nil {
			t.Fatal(err)
		}
	}
	e := f.Explain(t.Context(), configs.Question{Agent: "bot", Upstream: "nothing", Target: "x"})
	e.Revision = "4be1c0ffee"
	b.WriteString("# no connection, in colour\n")
	if err := e.Render(&b, true); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/explain.txt", strings.ReplaceAll(strings.ReplaceAll(b.String(), folder, ""), "\x1b", "ESC"))
}

// TestExplainAndTestsAgree asks the same in both ways.
func TestExplainAndTestsAgree(t *testing.T) {
	f := parse(t, asked, world{})
	for _, agent := range []string{"bot", "watcher", "sick", "mad", "small", "eve"} {
		for _, tool := range []string{"get_x", "get_secret", "put", "drop"} {
			answer := decide(t.Context(), f, configs.Question{Agent: agent, Upstream: "up", Target: tool})
			again := parse(t, asked+"tests: [{ agent: "+agent+", call: up/"+tool+", expect: "+answer+" }]\n", world{})
			for _, failure := range again.RunTests(t.Context()) {
				t.Error(failure)
			}
		}
	}
}

func TestRenderInColour(t *testing.T) {
	f := parse(t, base+"connections: { c: { from: bot, to: up } }\n", world{})
	found := append(wrong(t, connect("timeout: 1"), world{}), f.Warnings...)
	var plain, colour strings.Builder
	if err := found.Render(&plain, false); err != nil {
		t.Fatal(err)
	}
	if err := found.Render(&colour, true); err != nil {
		t.Fatal(err)
	}
	text := colour.String()
	for _, escape := range []string{"\x1b[1;31m", "\x1b[1;33m", "\x1b[36m", "\x1b[1m", "\x1b[0m"} {
		if !strings.Contains(text, escape) {
			t.Errorf("%q is not used", escape)
		}
		text = strings.ReplaceAll(text, escape, "")
	}
	if diff := cmp.Diff(plain.String(), text); diff != "" {
		t.Errorf("without colours it differs: -plain +colour\n%s", diff)
	}
	if err := (configs.Diagnostics{}).Render(&plain, true); err != nil {
		t.Error(err)
	}
}

func TestRenderReportsAWriterThatFails(t *testing.T) {
	w := broken{}
	if err := wrong(t, connect("timeout: 1"), world{}).Render(w, false); err == nil {
		t.Error("diagnostics were written nowhere without an error")
	}
	e := parse(t, asked, world{}).Explain(t.Context(), configs.Question{})
	if err := e.Render(w, false); err == nil {
		t.Error("an explanation was written nowhere without an error")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, context.Canceled }
