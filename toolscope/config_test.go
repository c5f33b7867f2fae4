package toolscope_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope"
	"github.com/hopgate/hopgate/toolscope/pin"
)

func TestMistakesAreToldWithTheirPlace(t *testing.T) {
	at := func(line, col int) policy.Pos { return policy.Pos{File: "t.yaml", Line: line, Col: col} }
	cases := map[string]struct {
		cfg  toolscope.Config
		want policy.Complaints
	}{
		"unknown task": {toolscope.Config{Tasks: tasks("raed")}, policy.Complaints{{
			At: at(60, 1), Text: `upstream up has no task type "raed"`, Hint: `did you mean "read"?`,
		}}},
		"task far from all": {toolscope.Config{Tasks: tasks("administration")}, policy.Complaints{{
			At: at(60, 1), Text: `upstream up has no task type "administration"`,
			Hint: "add it to the tasks of the upstream, or name one of: unclassified, read, write",
		}}},
		"unknown function": {toolscope.Config{When: expr(`args.a.strtsWith("x")`)}, policy.Complaints{{
			At: at(50, 27), Text: "undeclared reference to 'strtsWith' (did you mean 'startsWith'?)",
		}}},
		"unknown variable": {toolscope.Config{When: expr(`tool.nme == "x"`)}, policy.Complaints{{
			At: at(50, 15), Text: "undeclared reference to 'tool.nme' (did you mean 'tool.name'?)",
		}}},
		"second line": {toolscope.Config{When: expr("args.a == 1 &&\n  foo(args.b)")}, policy.Complaints{{
			At: at(51, 16), Text: "undeclared reference to 'foo'",
		}}},
		"no condition": {toolscope.Config{Tools: tools("a?1 + 1")}, policy.Complaints{{
			At: at(50, 11), Text: "the condition is of type int, not true or false",
		}}},
		"regular expression": {toolscope.Config{When: expr(`args.a.matches("(")`)}, policy.Complaints{{
			At: at(50, 26), Text: "invalid matches argument",
		}}},
		"costly function": {toolscope.Config{When: expr(`args.a.replace("a", "b") == "x"`)}, policy.Complaints{{
			At: at(50, 11), Text: "replace is not available in conditions",
		}}},
		"costly condition": {toolscope.Config{When: expr(`size([` + strings.Repeat("1,", 150) + `1].map(x, [` + strings.Repeat("1,", 150) + `1].map(y, x))) > 1`)}, policy.Complaints{{
			At: at(50, 11), Text: "the condition costs at least 301419 steps, more than the limit of 10000",
		}}},
		"too many loops": {toolscope.Config{When: expr(`args.a.all(x, x.all(y, y.all(z, z > 0)))`)}, policy.Complaints{{
			At: at(50, 39), Text: "comprehension exceeds nesting limit",
		}}},
		"dots in a pattern": {toolscope.Config{Resources: pats("file:///a/../*")}, policy.Complaints{{
			At: at(1, 1), Text: "no URI can match this pattern: it holds a dot segment", Hint: "write it as the server lists its resources",
		}}},
		"all at once": {
			toolscope.Config{Tasks: tasks("raed"), Tools: tools("a?1", "b?args.x == 1", "c?2"), Resources: pats("ok:*", "a:\\*")},
			policy.Complaints{
				{At: at(60, 1), Text: `upstream up has no task type "raed"`, Hint: `did you mean "read"?`},
				{At: at(2, 1), Text: "no URI can match this pattern: it holds a control character or a backslash", Hint: "write it as the server lists its resources"},
				{At: at(50, 11), Text: "the condition is of type int, not true or false"},
				{At: at(50, 11), Text: "the condition is of type int, not true or false"},
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := tryConnect(toolscope.NewCatalog(), c.cfg)
			var got policy.Complaints
			if !errors.As(err, &got) {
				t.Fatalf("got %v", err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSyntaxErrorsAreTold(t *testing.T) {
	const cel = "conditions are CEL over args"
	cases := map[string]struct {
		col        int
		text, hint string // hint is how it begins
	}{
		"args.a ==":                          {20, `the condition ends too early, after "args.a =="`, cel},
		"!":                                  {12, `the condition ends too early, after "!"`, cel},
		"args.a = 1":                         {18, `"=" cannot stand after "args.a"`, "compare with =="},
		"args.a === 1":                       {20, `"=" cannot stand after "args.a =="`, "compare with =="},
		"args.a and args.b":                  {18, `"and" cannot stand after "args.a"`, "write &&"},
		"* 2 == 4":                           {11, `"*" cannot stand at the beginning`, cel},
		"(args.a == 1":                       {23, `the condition lacks a ) after "(args.a == 1"`, cel},
		"args.a ? 1":                         {21, `the condition lacks a : after "args.a ? 1"`, cel},
		"args.a == 1)":                       {22, `")" cannot stand after "args.a == 1"`, cel},
		"args.a == 'x":                       {21, `the text after "args.a ==" does not end, or has an escape that CEL does not know`, cel},
		"args.a in [1,2":                     {25, `the condition ends too early, after "args.a in [1,2"`, cel},
		"args..a":                            {16, `".." cannot stand after "args."`, cel},
		"args.a == \"ü\" @ b":                {25, `"@" cannot stand after "args.a == \"ü\""`, cel},
		"args.description.startsWith('a') @": {44, `"@" cannot stand after "…cription.startsWith('a')"`, cel},
	}
	for text, c := range cases {
		_, err := tryConnect(toolscope.NewCatalog(), toolscope.Config{When: expr(text)})
		var got policy.Complaints
		if !errors.As(err, &got) || len(got) != 1 || got[0].At.Line != 50 || got[0].At.Col != c.col || got[0].Text != c.text || !strings.HasPrefix(got[0].Hint, c.hint) {
			t.Errorf("%s: got %+v", text, got)
		}
	}
	_, err := tryConnect(toolscope.NewCatalog(), toolscope.Config{When: expr("args.a == 1 &&\n  args.b ==")})
	if want := `t.yaml:51:22: the condition ends too early, after "args.a == 1 && args.b =="`; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if _, err := tryConnect(toolscope.NewCatalog(), toolscope.Config{When: expr("'" + strings.Repeat("a", 5000) + "' == 'a'")}); err == nil {
		t.Error("a condition of 5000 characters was read")
	}
}

func TestScalarsReadTheirText(t *testing.T) {
	var p toolscope.Permission
	for text, want := range map[string]toolscope.Permission{"allow": toolscope.Allow, "deny": toolscope.Deny} {
		if err := p.UnmarshalText([]byte(text)); err != nil || p != want {
			t.Errorf("%s: got %v, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "Allow", "true", "yes"} {
		if err := p.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is a permission", text)
		}
	}
	if d := cmp.Diff([]string{"allow", "deny"}, new(toolscope.Sampling).SchemaEnum()); d != "" {
		t.Error(d)
	}
	var e toolscope.Expr
	var n toolscope.TaskName
	if e.UnmarshalText([]byte(" \n")) == nil || n.UnmarshalText(nil) == nil {
		t.Error("empty texts were read")
	}
	if e.UnmarshalText([]byte("true")) != nil || n.UnmarshalText([]byte("read")) != nil || e.Text != "true" || n.Text != "read" {
		t.Errorf("got %+v, %+v", e, n)
	}
}

// TestEachKeyIsDocumented holds the configuration to what the package configs asks of its types.
func TestEachKeyIsDocumented(t *testing.T) {
	keys := map[string]bool{}
	for _, typ := range []reflect.Type{reflect.TypeFor[toolscope.Config](), reflect.TypeFor[toolscope.Tool]()} {
		for f := range typ.Fields() {
			key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if doc := f.Tag.Get("doc"); key != "" && !strings.HasSuffix(doc, ".") {
				t.Errorf("key %s: %q is no sentence", key, doc)
			}
			keys[key] = true
		}
	}
	for _, key := range []string{
		"tools", "deny", "tasks", "when", "resources", "prompts", "methods", "sampling", "elicitation", "roots", "name",
	} {
		if !keys[key] {
			t.Errorf("there is no key %s", key)
		}
	}
}

func TestReasonsAreFitForTheirReaders(t *testing.T) {
	codes := map[string]bool{}
	for _, r := range toolscope.Spec(toolscope.NewCatalog(), pin.Assume()).Reasons {
		text := fmt.Sprintf("%+v", *r)
		switch {
		case codes[r.Code]:
			t.Errorf("%s stands twice", r.Code)
		case r.Answer == nil || r.Hint == "":
			t.Errorf("incomplete: %s", text)
		case len(r.Answer.Text) > 300:
			t.Errorf("%s: the answer is too long", r.Code)
		case r.Answer.Form == policy.FormProtocol && r.Answer.RPC >= 0:
			t.Errorf("%s: %d is no code of the protocol", r.Code, r.Answer.RPC)
		}
		codes[r.Code] = true
	}
	if len(codes) < 15 {
		t.Errorf("only %d reasons", len(codes))
	}
}

func TestPathWithin(t *testing.T) {
	cases := []struct {
		path, dir string
		want      bool
	}{
		{"/srv/docs/a", "/srv/docs", true},
		{"/srv/docs", "/srv/docs", true},
		{"/srv/docs/", "/srv/docs", true},
		{"/srv/docs/a", "/srv/docs/", true},
		{"/srv/docs//a/./b", "/srv/docs", true},
		{"/a", "/", true},
		{"docs/a", "docs", true},
		{"./docs/a", "docs", true},
		{"a", ".", true},
		{"/srv/docs/..a", "/srv/docs", true},
		{"/srv/docs2", "/srv/docs", false},
		{"/srv", "/srv/docs", false},
		{"/srv/docs/../x", "/srv/docs", false},
		{"/srv/docs/../docs/x", "/srv/docs", false},
		{"..", ".", false},
		{"../a", ".", false},
		{"/a", ".", false},
		{"srv/docs/a", "/srv/docs", false},
		{"", "/srv", false},
		{"/srv", "", false},
		{`/srv/docs/..\x`, "/srv/docs", false},
		{"/srv/docs/a\u0000", "/srv/docs", false},
		{"/SRV/docs/a", "/srv/docs", false},
	}
	l := connect(t, toolscope.Config{Tools: tools("*?path_within(args.path, args.dir)")})
	for _, c := range cases {
		args := `{"path":` + quote(c.path) + `,"dir":` + quote(c.dir) + `}`
		if code := l.call(t, "t", args); (code == "") != c.want {
			t.Errorf("%s: got %q", args, code)
		}
	}
}
