package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChangesAreShownLineByLine(t *testing.T) {
	cases := map[string]struct {
		before, after string
		want          []string
	}{
		"a member":     {`{"a":1,"b":2}`, `{"a":1,"b":3}`, []string{"  {", `    "a": 1,`, `-   "b": 2`, `+   "b": 3`, "  }"}},
		"in between":   {`[1,2,3,4]`, `[1,3,5,4]`, []string{"  [", "    1,", "-   2,", "    3,", "+   5,", "    4", "  ]"}},
		"new":          {``, `"x"`, []string{`+ "x"`}},
		"nothing seen": {`"x"`, ``, nil},
		"white space":  {`{"a":1}`, `{ "a": 1 }`, []string{"! the values are the same; white space or line breaks are not", "  {", `    "a": 1`, "  }"}},
		"no JSON":      {`{`, `"x"`, []string{"- {", `+ "x"`}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, changes(c.before, c.after)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLongChangesAreNotCompared(t *testing.T) {
	before, after := "["+strings.Repeat("1,", 3000)+"1]", "["+strings.Repeat("2,", 3000)+"2]"
	if got := changes(before, after); len(got) != 2+2*3001 {
		t.Errorf("got %d lines", len(got))
	}
}

func TestDefinitionsCannotMoveTheTerminal(t *testing.T) {
	for text, want := range map[string]string{
		"plain é": "plain é", "a\u200bb": `a\u200bb`, "\x1b[2J": `\x1b[2J`, "\U000e0041": `\U000e0041`, "a\u202eb": `a\u202eb`,
	} {
		if got := visible(text); got != want {
			t.Errorf("%q is shown as %s", text, got)
		}
	}
}

func TestWordsThatAShellWouldReadAreQuoted(t *testing.T) {
	for text, want := range map[string]string{"get_a@0f": "get_a@0f", "a b": "'a b'", "a'b": `'a'\''b'`, "template:file:///{p}": "'template:file:///{p}'", "$(x)": "'$(x)'"} {
		if got := shellWord(text); got != want {
			t.Errorf("%q is written %s", text, got)
		}
	}
}
