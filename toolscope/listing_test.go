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

// turn takes a page of a list in, and returns what of it is shown.
func (l *link) turn(t *testing.T, cursor, page string) string {
	t.Helper()
	params := "{}"
	if cursor != "" {
		params = `{"cursor":` + cursor + `}`
	}
	c := l.message(t, request("tools/list", params), policy.ToUpstream)
	f := parse(t, answer(page), wire.FromUpstream)
	if err := toolscope.Learn(l.cat, pin.Assume(), c, f); err != nil {
		t.Fatal(err)
	}
	shown, out := policy.Review(t.Context(), c, f, policy.Outcome{Allowed: true})
	if out.Fault != nil || !out.Allowed {
		t.Fatalf("%s: %+v", page, out)
	}
	return string(shown.Get(wire.ResultTools))
}

// TestANameOnTwoPagesIsAmbiguous is about a server that describes a tool on one page, and another one of that name on the
// next. The first page has reached the agent by then; no call does.
func TestANameOnTwoPagesIsAmbiguous(t *testing.T) {
	const first = `{"name":"pay","description":"safe"}`
	cases := map[string]struct {
		pages []string // with their next cursors; each page is asked for with the cursor of the one before
		shown string   // of the last
		code  string
	}{
		"another definition": {
			[]string{`{"tools":[` + first + `],"nextCursor":"b"}`, `{"tools":[{"name":"see"},{"name":"p\u0061y","description":"evil"}]}`},
			`[{"name":"see"}]`, "TOOL_AMBIGUOUS",
		},
		"two pages later": {
			[]string{`{"tools":[` + first + `],"nextCursor":"b"}`, `{"tools":[{"name":"see"}],"nextCursor":"c"}`, `{"tools":[{"name":"pay"}]}`},
			`[]`, "TOOL_AMBIGUOUS",
		},
		"the same definition": {
			[]string{`{"tools":[` + first + `],"nextCursor":"b"}`, `{"tools":[` + first + `]}`}, `[` + first + `]`, "",
		},
		"lists that are not one": {
			[]string{`{"tools":[` + first + `]}`, `{"tools":[{"name":"pay"}]}`}, `[{"name":"pay"}]`, "",
		},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			l := connect(t, toolscope.Config{Tools: tools("*")})
			cursor, shown := "", ""
			for _, page := range x.pages {
				shown = l.turn(t, cursor, page)
				f := parse(t, answer(page), wire.FromUpstream)
				cursor = string(f.Get(wire.ResultNextCursor))
			}
			if shown != x.shown {
				t.Errorf("the last page is shown as %s, want %s", shown, x.shown)
			}
			if code := l.call(t, "pay", "{}"); code != x.code {
				t.Errorf("a call: %q, want %q", code, x.code)
			}
			if x.code == "" {
				return
			}
			if shown := l.turn(t, "", x.pages[0]); shown != "[]" {
				t.Errorf("listed anew, the first page is shown as %s", shown)
			}
		})
	}
}

func TestPagesOfManyListsAreBounded(t *testing.T) {
	l := connect(t, toolscope.Config{Tools: tools("*")})
	l.turn(t, "", `{"tools":[{"name":"pay"}],"nextCursor":"old"}`)
	for i := range 64 {
		l.turn(t, "", fmt.Sprintf(`{"tools":[{"name":"t%d"}],"nextCursor":"%d"}`, i, i))
	}
	if shown := l.turn(t, `"old"`, `{"tools":[{"name":"pay","x":1}]}`); !strings.Contains(shown, "pay") {
		t.Errorf("a list that was forgotten is remembered: %s", shown)
	}
	if shown := l.turn(t, `"63"`, `{"tools":[{"name":"t63","x":1}]}`); shown != "[]" {
		t.Errorf("the newest list is forgotten: %s", shown)
	}
}
