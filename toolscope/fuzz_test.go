package toolscope_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope"
)

// FuzzArguments holds a condition on a number against arithmetic that rounds nothing: what passes satisfies it.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		`{"limit":500}`, `{"limit":500.0000000000000000000001}`, `{"limit":5e2}`, `{"limit":-1e300}`, `{"limit":9223372036854775808}`,
		`{"limit":"500"}`, `{"limit":null}`, `{"limit":[1]}`, `{}`, `null`, `[]`, `{"limit":-0,"x":"\ud800"}`, `{"l\u0069mit":501}`,
	} {
		f.Add([]byte(seed))
	}
	l := connect(f, toolscope.Config{Tools: tools("get_x?args.limit <= 500")})
	f.Fuzz(func(t *testing.T, args []byte) {
		message := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_x","arguments":` + string(args) + `}}`
		frame := new(wire.Frame)
		if wire.Parse(frame, []byte(message), wire.FromAgent, &wire.DefaultLimits) != nil {
			return
		}
		c := l.message(t, message, policy.ToUpstream)
		_, out, _ := policy.Decide(t.Context(), c)
		if out.Fault != nil {
			t.Fatal(out.Fault)
		}
		if !out.Allowed {
			return
		}
		var sent struct{ Limit json.Number }
		if err := json.Unmarshal(c.Frame.Get(wire.ParamsArguments), &sent); err != nil {
			t.Fatalf("%s passed: %v", args, err)
		}
		limit, _, err := big.ParseFloat(sent.Limit.String(), 10, 4000, big.ToNearestEven)
		// The condition reads a fraction as a double, whose nearest neighbours of 500 are less than this away.
		if err != nil || limit.Cmp(big.NewFloat(500.0000000000001)) > 0 {
			t.Errorf("%s passed", args)
		}
	})
}

// FuzzSchema gives a tool any schema: nothing panics, and the tool is listed if and only if it is not withheld.
func FuzzSchema(f *testing.F) {
	for _, seed := range []string{
		`{"type":"object","properties":{"limit":{"type":"integer","x-mcp-header":"Limit"}}}`, `{"properties":[]}`, `true`, `7`,
		`{"type":["object"],"properties":{"limit":{"type":"string"}}}`, `{"type":"object","properties":{"tags":{"type":"array","items":{"type":"array"}}}}`,
		`{"type":"object","properties":{"a.b":{},"":{},"limit":{"enum":["a",1]}},"additionalProperties":false}`, `{"\u0074ype":"object"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, schema []byte) {
		list := answer(`{"tools":[{"name":"get_x","inputSchema":` + string(schema) + `}]}`)
		frame := new(wire.Frame)
		if wire.Parse(frame, []byte(list), wire.FromUpstream, &wire.DefaultLimits) != nil || len(frame.Get(wire.ResultTools)) == 0 {
			return
		}
		l := connect(t, toolscope.Config{Tools: tools("get_x?args.limit <= 500 && args.tags.all(t, t != 'x')")})
		l.cat.Learn("up", frame)
		withheld := l.call(t, "get_x", `{"limit":1,"tags":[]}`) == "CONDITION_MISMATCH"
		shown, _ := l.result(t, "tools/list", `{"tools":[{"name":"get_x"}]}`)
		if strings.Contains(shown, "get_x") == withheld {
			t.Errorf("%s: withheld %v, list %s", schema, withheld, shown)
		}
		for _, p := range l.cat.HeaderParams("up", "get_x") {
			if p.Header == "" || len(p.Path) == 0 {
				t.Errorf("%s: header %+v", schema, p)
			}
		}
	})
}

// FuzzList cuts any list: what is left is JSON, and each tool in it was there before and is granted.
func FuzzList(f *testing.F) {
	for _, seed := range []string{
		`[]`, `[ {"name":"get_a"} , {"name":"rm"}]`, `[{"name":"rm"},7,{"name":"get_a","x":[{"name":"rm"}]}]`, `[[{"name":"get_x"}]]`,
		`[{"name":"get_a"},{"n\u0061me":"get_\u0061"},{"name":"get_b"}]`, `{"name":"rm"}`,
	} {
		f.Add([]byte(seed))
	}
	l := connect(f, toolscope.Config{Tools: tools("get_*")})
	f.Fuzz(func(t *testing.T, list []byte) {
		raw := answer(`{"tools":` + string(list) + `}`)
		frame := new(wire.Frame)
		if wire.Parse(frame, []byte(raw), wire.FromUpstream, &wire.DefaultLimits) != nil {
			return
		}
		before := map[string]bool{}
		for _, e := range wire.Elements(frame.Get(wire.ResultTools)) {
			before[string(e)] = true
		}
		shown, out := policy.Review(t.Context(), l.message(t, request("tools/list", "{}"), policy.ToUpstream), frame, policy.Outcome{Allowed: true})
		if out.Fault != nil {
			t.Fatal(out.Fault)
		}
		if !out.Allowed {
			return
		}
		seen := map[string]bool{}
		for _, e := range wire.Elements(shown.Get(wire.ResultTools)) {
			name, _ := wire.Lookup(e, "name")
			text, ok := wire.Unquote(name.Value)
			if !ok || !strings.HasPrefix(string(text), "get_") || !before[string(e)] || seen[string(text)] {
				t.Errorf("%s: shown %s", list, e)
			}
			seen[string(text)] = true
		}
	})
}
