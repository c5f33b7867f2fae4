package toolscope_test

import (
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope"
)

// reaches tells the gate what of a list has reached the agent.
func (l *link) reaches(tb testing.TB, method, came, went string) {
	tb.Helper()
	toolscope.Shown(l.message(tb, request(method, `{}`), policy.ToUpstream), parse(tb, answer(came), wire.FromUpstream), parse(tb, answer(went), wire.FromUpstream))
}

func TestWhatOthersLeaveOutOfAListCannotBeCalled(t *testing.T) {
	l := connect(t, toolscope.Config{Tools: tools("get_*"), Prompts: pats("*")})
	l.reaches(t, "tools/list", list(getA, getB, getC), list(getA, getC))
	l.reaches(t, "prompts/list", `{"prompts":[{"name":"p"},{"name":"q"}]}`, `{"prompts":[{"name":"p"}]}`)
	if got := l.call(t, "get_b", `{}`); got != "DEFINITION_BLOCKED" {
		t.Errorf("left out: got %q", got)
	}
	if got := l.call(t, "get_a", `{}`); got != "" {
		t.Errorf("listed: got %q", got)
	}
	if got := l.call(t, "set_a", `{}`); got != "TOOL_NOT_ALLOWED" {
		t.Errorf("not granted: got %q", got)
	}
	for name, want := range map[string]string{"p": "", "q": "DEFINITION_BLOCKED"} {
		if _, got := l.agentSends(t, request("prompts/get", `{"name":"`+name+`"}`)); got != want {
			t.Errorf("prompt %s: got %q, want %q", name, got, want)
		}
	}
	if got := toolscope.Withheld(l.Connection, "get_b"); got != "DEFINITION_BLOCKED" {
		t.Errorf("operators are told %q", got)
	}

	l.reaches(t, "tools/list", list(getC), list(getC)) // another page says nothing of it
	if got := l.call(t, "get_b", `{}`); got != "DEFINITION_BLOCKED" {
		t.Errorf("on another page: got %q", got)
	}
	l.reaches(t, "tools/list", list(getA, getB), list(getA, getB))
	if got := l.call(t, "get_b", `{}`); got != "" {
		t.Errorf("listed again: got %q", got)
	}
}

func TestWhatOneAgentIsNotShownAnotherMayCall(t *testing.T) {
	cat := toolscope.NewCatalog()
	cfg := toolscope.Config{Tools: tools("get_*")}
	one, err := tryConnect(cat, cfg)
	if err != nil {
		t.Fatal(err)
	}
	one.reaches(t, "tools/list", list(getA), list())
	again, err := tryConnect(cat, cfg) // as a reload makes it
	if err != nil {
		t.Fatal(err)
	}
	if got := again.call(t, "get_a", `{}`); got != "DEFINITION_BLOCKED" {
		t.Errorf("after a reload: got %q", got)
	}
	if got := pinnedTo(t, "off", cfg).call(t, "get_a", `{}`); got != "" {
		t.Errorf("another agent: got %q", got)
	}
}
