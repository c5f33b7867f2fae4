package toolscope_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/toolscope"
)

func TestANameThatStandsTwiceIsUnknown(t *testing.T) {
	l := connect(t, toolscope.Config{Tools: tools("*")})
	l.learn(t, `[{"name":"get_x","inputSchema":{"type":"object"}},{"name":"get_y"},{"name":"get_\u0078"}]`)
	if code := l.call(t, "get_x", "{}"); code != "TOOL_AMBIGUOUS" {
		t.Errorf("got %q", code)
	}
	if shown, _ := l.result(t, "tools/list", `{"tools":[{"name":"get_x"},{"name":"get_y"}]}`); shown != `{"tools":[{"name":"get_y"}]}` {
		t.Errorf("listed: %s", shown)
	}
	l.learn(t, `[{"name":"get_x"},{"name":"get_y"}]`)
	if code := l.call(t, "get_x", "{}"); code != "" {
		t.Errorf("listed once again: got %q", code)
	}
}

func TestPagesAddUp(t *testing.T) {
	l := connect(t, toolscope.Config{Tools: tools("*?args.n < 5")})
	const text = `"inputSchema":{"type":"object","properties":{"n":{"type":"string"}}}`
	l.learn(t, `[{"name":"a",`+text+`}]`)
	l.learn(t, `[{"name":"b",`+text+`}]`)
	l.cat.Learn("other", parse(t, answer(`{"tools":[{"name":"c",`+text+`}]}`), wire.FromUpstream))
	for tool, want := range map[string]string{"a": "CONDITION_MISMATCH", "b": "CONDITION_MISMATCH", "c": ""} {
		if code := l.call(t, tool, `{"n":1}`); code != want {
			t.Errorf("%s: got %q, want %q", tool, code, want)
		}
	}
}

func TestResultsThatAreNoListsTeachNothing(t *testing.T) {
	l := connect(t, toolscope.Config{Tools: tools("*?args.n < 5")})
	for _, list := range []string{`{}`, `"x"`, `null`, `[null,7,"a",{"name":7},{"inputSchema":{"type":"object","properties":{}}}]`} {
		l.learn(t, list)
	}
	if code := l.call(t, "a", `{"n":1}`); code != "" {
		t.Errorf("got %q", code)
	}
}

func TestACatalogIsBounded(t *testing.T) {
	l := connect(t, toolscope.Config{Tools: tools("*?args.n < 5")})
	const text = `,"inputSchema":{"type":"object","properties":{"n":{"type":"string"}}}}`
	l.learn(t, `[{"name":"first"`+text+`]`)
	for page := range 9 {
		var b strings.Builder
		for i := range 500 {
			fmt.Fprintf(&b, `{"name":"t%d_%d"%s,`, page, i, text)
		}
		l.learn(t, `[`+b.String()+`{"name":"last"`+text+`]`)
	}
	for tool, want := range map[string]string{"first": "", "t0_0": "", "t8_0": "CONDITION_MISMATCH", "last": "CONDITION_MISMATCH"} {
		if code := l.call(t, tool, `{"n":1}`); code != want {
			t.Errorf("%s: got %q, want %q", tool, code, want)
		}
	}
	big := `,"inputSchema":{"type":"object","properties":{"n":{"type":"string","description":"` + strings.Repeat("d", 3<<20) + `"}}}}`
	for i := range 7 {
		l.learn(t, fmt.Sprintf(`[{"name":"big%d"%s]`, i, big))
	}
	for tool, want := range map[string]string{"t8_0": "", "big0": "", "big6": "CONDITION_MISMATCH"} {
		if code := l.call(t, tool, `{"n":1}`); code != want {
			t.Errorf("%s: got %q, want %q", tool, code, want)
		}
	}
}

func TestACatalogServesManyAtOnce(t *testing.T) {
	l := connect(t, toolscope.Config{Tools: tools("*?args.n < 5 && tool.name != 'x'")})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 20 {
				kind := "string"
				if (g+i)%2 == 0 {
					kind = "integer"
				}
				l.learn(t, `[{"name":"a","inputSchema":{"type":"object","properties":{"n":{"type":"`+kind+`","x-mcp-header":"N"}}}},{"name":"b"}]`)
				if code := l.call(t, "a", `{"n":1}`); code != "" && code != "CONDITION_MISMATCH" {
					t.Errorf("got %q", code)
				}
				l.cat.HeaderParams("up", "a")
				l.result(t, "tools/list", `{"tools":[{"name":"a"},{"name":"b"}]}`)
			}
		})
	}
	wg.Wait()
}

func TestHeaderParams(t *testing.T) {
	type params = []toolscope.Param
	cases := map[string]struct {
		schema string
		want   params
	}{
		"none":                 {`{"type":"object","properties":{"a":{"type":"string"}}}`, nil},
		"one":                  {`{"properties":{"a":{"type":"string","x-mcp-header":"Region"}}}`, params{{"Region", []string{"a"}}}},
		"nested":               {`{"properties":{"a":{"type":"object","properties":{"b":{"type":"integer","x-mcp-header":"B"}}},"c":{"type":"boolean","x-mcp-header":"C"}}}`, params{{"B", []string{"a", "b"}}, {"C", []string{"c"}}}},
		"escaped":              {`{"properties":{"\u0061":{"type":"string","x-mcp-h\u0065ader":"R\u0065gion"}}}`, params{{"Region", []string{"a"}}}},
		"number":               {`{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}`, nil},
		"object":               {`{"properties":{"a":{"type":"object","x-mcp-header":"A"}}}`, nil},
		"no type":              {`{"properties":{"a":{"x-mcp-header":"A"}}}`, nil},
		"empty name":           {`{"properties":{"a":{"type":"string","x-mcp-header":""}}}`, nil},
		"space":                {`{"properties":{"a":{"type":"string","x-mcp-header":"My Region"}}}`, nil},
		"colon":                {`{"properties":{"a":{"type":"string","x-mcp-header":"a:b"}}}`, nil},
		"not ASCII":            {`{"properties":{"a":{"type":"string","x-mcp-header":"Région"}}}`, nil},
		"control character":    {`{"properties":{"a":{"type":"string","x-mcp-header":"a\tb"}}}`, nil},
		"not text":             {`{"properties":{"a":{"type":"string","x-mcp-header":7}}}`, nil},
		"one of two is broken": {`{"properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"number","x-mcp-header":"B"}}}`, nil},
		"same name":            {`{"properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}}}`, nil},
		"standard header":      {`{"properties":{"a":{"type":"string","x-mcp-header":"Method"}}}`, params{{"Method", []string{"a"}}}},
		"in items":             {`{"properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}}`, nil},
		"a property's name":    {`{"properties":{"x-mcp-header":{"type":"string"}}}`, nil},
		"no object":            {`true`, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cat := toolscope.NewCatalog()
			cat.Learn("up", parse(t, answer(`{"tools":[{"name":"a"},{"name":"t","inputSchema":`+c.schema+`}]}`), wire.FromUpstream))
			if d := cmp.Diff(c.want, cat.HeaderParams("up", "t")); d != "" {
				t.Error(d)
			}
			if got := cat.HeaderParams("other", "t"); got != nil {
				t.Errorf("of another upstream: %v", got)
			}
		})
	}
}

func TestTooManyHeadersAreNone(t *testing.T) {
	var b strings.Builder
	for i := range 65 {
		fmt.Fprintf(&b, `"p%d":{"type":"string","x-mcp-header":"P%d"},`, i, i)
	}
	cat := toolscope.NewCatalog()
	cat.Learn("up", parse(t, answer(`{"tools":[{"name":"t","inputSchema":{"properties":{`+strings.TrimSuffix(b.String(), ",")+`}}}]}`), wire.FromUpstream))
	if got := cat.HeaderParams("up", "t"); got != nil {
		t.Errorf("got %d", len(got))
	}
}
