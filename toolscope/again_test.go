package toolscope_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope"
	"github.com/hopgate/hopgate/toolscope/pin"
)

// marks stands for who knows a list again.
type marks map[string]*wire.Mark

// marked parses a result and marks it.
func (m marks) marked(tb testing.TB, result string) *wire.Frame {
	tb.Helper()
	f := parse(tb, answer(result), wire.FromUpstream)
	if m[result] == nil {
		m[result] = new(wire.Mark)
	}
	f.Mark = m[result]
	return f
}

// again passes a list through what the proxy does with one that it may know again.
func (l *pinnedLink) again(tb testing.TB, m marks, result string) (string, policy.Outcome) {
	tb.Helper()
	c := l.message(tb, request("tools/list", `{}`), policy.ToUpstream)
	f := m.marked(tb, result)
	if err := toolscope.Learn(l.cat, l.pins, c, f); err != nil {
		tb.Fatal(err)
	}
	got, out := policy.Review(tb.Context(), c, f, policy.Outcome{Allowed: true})
	if !out.Allowed {
		tb.Fatalf("%s: %v", result, out)
	}
	toolscope.Shown(c, f, got)
	return string(got.Get(wire.ResultTools)), out
}

// TestAListThatIsTheSameIsJudgedByWhatHasChanged holds that what was found out about a list counts no longer than what it
// was judged by.
func TestAListThatIsTheSameIsJudgedByWhatHasChanged(t *testing.T) {
	const a, b = `{"name":"get_a","inputSchema":{"type":"object"}}`, `{"name":"get_b","inputSchema":{"type":"object"}}`
	const changed = `{"name":"get_a","inputSchema":{"type":"object"},"description":"other"}`
	const integer, text = `{"name":"get_n","inputSchema":{"properties":{"n":{"type":"integer"}}}}`, `{"name":"get_n","inputSchema":{"properties":{"n":{"type":"string"}}}}`
	for name, c := range map[string]struct {
		mode   string
		cfg    toolscope.Config
		list   string
		first  string // that is shown
		change string // a list in between
		then   string // what is shown of the first list once more
	}{
		"nothing":                    {"tools", toolscope.Config{Tools: tools("*")}, list(a, b), a + "," + b, list(a, b), a + "," + b},
		"a pinned tool":              {"tools", toolscope.Config{Tools: tools("*")}, list(a, b), a + "," + b, list(changed, b), b},
		"a tool that is not pinned":  {"off", toolscope.Config{Tools: tools("*")}, list(a, b), a + "," + b, list(changed, b), a + "," + b},
		"a tool that looks the same": {"off", toolscope.Config{Tools: tools("*")}, list(a, b), a + "," + b, list(`{"name":"GET_A"}`, b), b},
		"a name that stands twice":   {"off", toolscope.Config{Tools: tools("*")}, list(a, a, b), b, list(b), b},
		"a schema under a condition": {"off", toolscope.Config{Tools: tools("get_n?args.n < 5", "get_b")}, list(integer, b), integer + "," + b, list(text, b), integer + "," + b},
	} {
		t.Run(name, func(t *testing.T) {
			l := pinnedTo(t, c.mode, c.cfg)
			m := marks{}
			for range 3 {
				if got, _ := l.again(t, m, c.list); got != "["+c.first+"]" {
					t.Fatalf("shown is %s, want %s", got, c.first)
				}
			}
			l.again(t, m, c.change)
			for range 3 {
				if got, _ := l.again(t, m, c.list); got != "["+c.then+"]" {
					t.Fatalf("after the change %s is shown, want %s", got, c.then)
				}
			}
		})
	}
}

func TestAListThatIsTheSameIsAnotherToAnotherConnection(t *testing.T) {
	m := marks{}
	both := list(getA, getB)
	cat := toolscope.NewCatalog()
	for range 2 {
		for tool, want := range map[string]string{"get_a": getA, "get_b": getB} {
			l, err := tryConnect(cat, toolscope.Config{Tools: tools(tool)})
			if err != nil {
				t.Fatal(err)
			}
			shown, out := policy.Review(t.Context(), l.message(t, request("tools/list", `{}`), policy.ToUpstream), m.marked(t, both), policy.Outcome{Allowed: true})
			if got := string(shown.Get(wire.ResultTools)); !out.Allowed || got != "["+want+"]" {
				t.Errorf("%s is shown, want %s", got, want)
			}
		}
	}
}

// TestAcceptedDefinitionsAreShownOfAListThatIsTheSame is about an operator who agrees while a server says what it said.
func TestAcceptedDefinitionsAreShownOfAListThatIsTheSame(t *testing.T) {
	l := pinnedTo(t, "tools", toolscope.Config{Tools: tools("*")})
	m := marks{}
	l.again(t, m, list(getA))
	for range 2 {
		if got, out := l.again(t, m, list(getA, getB)); got != "["+getA+"]" || len(out.Findings) != 1 {
			t.Fatalf("%s is shown, with %d findings", got, len(out.Findings))
		}
	}
	wish := pin.Wish{ID: pin.ID{Kind: pin.Tool, Name: "get_b"}, Digest: pin.Sum([]byte(getB)).String()}
	if err := l.pins.Accept("up", []pin.Wish{wish}); err != nil {
		t.Fatal(err)
	}
	if got, _ := l.again(t, m, list(getA, getB)); got != "["+getA+","+getB+"]" {
		t.Errorf("after it was accepted %s is shown", got)
	}
}

// TestWhatOthersLeaveOutOfAListThatIsTheSameIsNoticed is about a gate that lets a list pass, and later finds something in it.
func TestWhatOthersLeaveOutOfAListThatIsTheSameIsNoticed(t *testing.T) {
	l := pinnedTo(t, "off", toolscope.Config{Tools: tools("get_*")})
	m := marks{}
	const set = `{"name":"set_a"}`
	all := list(getA, set, getB)
	for range 2 {
		l.again(t, m, all)
	}
	c := l.message(t, request("tools/list", `{}`), policy.ToUpstream)
	toolscope.Shown(c, m.marked(t, all), parse(t, answer(list(getA)), wire.FromUpstream))
	if got := l.call(t, "get_b", `{}`); got != "DEFINITION_BLOCKED" {
		t.Errorf("left out: got %q", got)
	}
	l.again(t, m, all)
	if got := l.call(t, "get_b", `{}`); got != "" {
		t.Errorf("listed again: got %q", got)
	}
}

func TestAListThatIsTheSameIsNotReadAgain(t *testing.T) {
	for _, mode := range []string{"off", "tools"} {
		t.Run(mode, func(t *testing.T) {
			l := pinnedTo(t, mode, toolscope.Config{Tools: tools("*"), Deny: pats("tool_7")})
			var b strings.Builder
			for i := range 1000 {
				fmt.Fprintf(&b, `{"name":"tool_%d"},`, i)
			}
			f := marks{}.marked(t, list(strings.TrimSuffix(b.String(), ",")))
			c := l.message(t, request("tools/list", `{}`), policy.ToUpstream)
			judge := func() {
				if err := toolscope.Learn(l.cat, l.pins, c, f); err != nil {
					t.Fatal(err)
				}
				if v, err := l.screen(t.Context(), c, f); err != nil || len(v.Rewrite) != 1 {
					t.Fatal(v, err)
				}
			}
			judge()
			judge()
			if n := testing.AllocsPerRun(20, judge); n > 3 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}
