package toolscope_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/toolscope"
)

// withInput is a connection to a tool t with a pinned input schema.
func withInput(tb testing.TB, schema string) *pinnedLink {
	tb.Helper()
	l := pinnedTo(tb, "tools", toolscope.Config{Tools: tools("t")})
	l.shows(tb, "tools/list", list(`{"name":"t","inputSchema":`+schema+`}`))
	return l
}

func TestArgumentsAreHeldAgainstThePinnedSchema(t *testing.T) {
	const object = `{"type":"object","properties":{"n":{"type":"integer","minimum":1},"to":{"type":"array","items":{"type":"string","maxLength":3}},` +
		`"o":{"type":"object","properties":{"k":{"enum":["a","b"]}},"additionalProperties":false}},"required":["n"]}`
	const seven = `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","definitions":{"s":{"type":"string"}},"properties":{"a":{"$ref":"#/definitions/s"}}}`
	cases := map[string]struct{ schema, args, detail, tell string }{
		"fits":           {object, `{"n":1,"to":["abc"],"o":{"k":"a"},"x":1}`, "", ""},
		"missing":        {object, `{}`, "/arguments: required", `/arguments: required lacks "n".`},
		"null":           {object, `null`, "/arguments: required", `/arguments: required lacks "n".`},
		"type":           {object, `{"n":"one"}`, "/arguments/n: type", "/arguments/n: type is string, wanted integer."},
		"minimum":        {object, `{"n":0}`, "/arguments/n: minimum", "/arguments/n: minimum."},
		"big number":     {object, `{"n":1e9999999}`, "a number that is too large", "a number is too large"},
		"in an array":    {object, `{"n":1,"to":["a","secret"]}`, "/arguments/to/1: maxLength", "/arguments/to/1: maxLength."},
		"enum":           {object, `{"n":1,"o":{"k":"secret"}}`, "/arguments/o/k: enum", "/arguments/o/k: enum."},
		"another name":   {object, `{"n":1,"o":{"sk-secret":1}}`, "/arguments/o: additionalProperties", `/arguments/o: additionalProperties: may not have "sk-secret".`},
		"unknown place":  {`{"type":"object","additionalProperties":{"type":"object","additionalProperties":{"type":"string"}}}`, `{"sk-secret":{"x/y":1}}`, "/arguments/*/*: type", "/arguments/sk-secret/x~1y: type is number, wanted string."},
		"choice":         {`{"type":"object","properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"}]}}}`, `{"a":1}`, "/arguments/a: anyOf", "/arguments/a: anyOf."},
		"earlier draft":  {seven, `{"a":1}`, "/arguments/a: type", "/arguments/a: type is number, wanted string."},
		"with an anchor": {`{"$defs":{"a":{"$anchor":"x","type":"string"}},"properties":{"a":{"$ref":"#/$defs/a"}}}`, `{"a":1}`, "/arguments/a: type", "/arguments/a: type is number, wanted string."},
		"no object":      {object, `[1]`, "/arguments: type", "/arguments: type is array, wanted object."},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			out := withInput(t, c.schema).outcome(t, "t", c.args)
			if out.Allowed != (c.detail == "") {
				t.Fatalf("allowed: %v %s", out.Allowed, out.Detail)
			}
			if !out.Allowed && (out.Reason.Code != "ARGUMENTS_INVALID" || out.Detail != c.detail || out.Tell != c.tell) {
				t.Errorf("%s: on record %q, told %q", out.Reason.Code, out.Detail, out.Tell)
			}
		})
	}
}

func TestSchemaThatCannotBeUsedWithholdsTheTool(t *testing.T) {
	cases := map[string]string{
		"no schema":           `[1]`,
		"wrong type":          `{"type":"objekt"}`,
		"elsewhere":           `{"$ref":"https://example.com/schema.json"}`,
		"a file":              `{"$ref":"file:///etc/passwd"}`,
		"missing":             `{"$ref":"#/$defs/none"}`,
		"dynamic":             `{"$dynamicRef":"#x"}`,
		"an anchor":           `{"$ref":"#x","$defs":{"a":{"$anchor":"x"}}}`,
		"unknown meta schema": `{"$schema":"https://example.com/meta"}`,
		"a large expression":  `{"properties":{"a":{"pattern":"((a{1,100}){1,10}){1,10}"}}}`,
		"a bad expression":    `{"properties":{"a":{"pattern":"(?<=a)b"}}}`,
		"deep":                strings.Repeat(`{"not":`, 100) + `{}` + strings.Repeat(`}`, 100),
		"large":               `{"description":"` + strings.Repeat("x", 100_000) + `"}`,
	}
	for name, schema := range cases {
		t.Run(name, func(t *testing.T) {
			l := withInput(t, schema)
			out := l.outcome(t, "t", `{}`)
			if out.Allowed || out.Reason.Code != "INPUT_SCHEMA_UNUSABLE" || out.Detail == "" {
				t.Errorf("got %v %+v", out.Allowed, out)
			}
			if got := l.shows(t, "tools/list", list(`{"name":"t","inputSchema":`+schema+`}`)); got != list() {
				t.Error("it is listed")
			}
		})
	}
}

// TestValidationIsBounded holds arguments against schemas that take a number of steps which doubles with each level.
func TestValidationIsBounded(t *testing.T) {
	doubling := func(keyword, leaf string) string {
		var b strings.Builder
		b.WriteString(`{"$ref":"#/$defs/s0","$defs":{`)
		for i := range 40 {
			fmt.Fprintf(&b, `"s%d":{"%s":[{"$ref":"#/$defs/s%d"},{"$ref":"#/$defs/s%d"}]},`, i, keyword, i+1, i+1)
		}
		return b.String() + `"s40":` + leaf + `}}`
	}
	const deep = 60
	nested := strings.Repeat(`{"a":`, deep) + `1` + strings.Repeat(`}`, deep)
	cases := map[string]struct{ schema, args string }{
		"all of":        {doubling("allOf", `{}`), `{}`},
		"any of":        {doubling("anyOf", `false`), `{}`},
		"none of":       {`{"not":` + strings.Replace(doubling("anyOf", `false`), `{"$ref":"#/$defs/s0",`, `{"$ref":"#/not/$defs/s0",`, 1) + `}`, `{}`},
		"at each level": {`{"properties":{"a":{"allOf":[{"$ref":"#"},{"$ref":"#"}]}}}`, nested},
		"itself":        {`{"$ref":"#"}`, `{}`},
		"expressions":   {`{"properties":{"a":{"pattern":"^(a?){200}b$"}}}`, `{"a":"` + strings.Repeat("a", 3<<20) + `"}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			out := withInput(t, strings.ReplaceAll(c.schema, "#/$defs", map[bool]string{true: "#/not/$defs", false: "#/$defs"}[name == "none of"])).outcome(t, "t", c.args)
			if out.Allowed {
				t.Error("it passes")
			}
			if code := out.Reason.Code; code != "ARGUMENTS_INVALID" {
				t.Errorf("got %s: %s", code, out.Detail)
			}
		})
	}
}

func TestOrdinaryRecursionIsValidated(t *testing.T) {
	const filter = `{"type":"object","properties":{"filter":{"$ref":"#/$defs/f"}},"$defs":{"f":{"anyOf":[` +
		`{"type":"object","properties":{"and":{"type":"array","items":{"$ref":"#/$defs/f"}}},"required":["and"],"additionalProperties":false},` +
		`{"type":"object","properties":{"or":{"type":"array","items":{"$ref":"#/$defs/f"}}},"required":["or"],"additionalProperties":false},` +
		`{"type":"object","properties":{"field":{"type":"string"}},"required":["field"],"additionalProperties":false}]}}}`
	l := withInput(t, filter)
	leaf := `{"field":"x"}`
	for range 6 {
		leaf = `{"and":[` + leaf + `,{"or":[{"field":"y"}]}]}`
	}
	if out := l.outcome(t, "t", `{"filter":`+leaf+`}`); !out.Allowed {
		t.Errorf("%s: %s", out.Reason.Code, out.Detail)
	}
	if out := l.outcome(t, "t", `{"filter":{"and":[{"field":1}]}}`); out.Allowed {
		t.Error("a wrong filter passes")
	}
}

func FuzzInputSchemas(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"type":"string"}}}`, `{"a":1}`)
	f.Add(`{"$ref":"#/$defs/a","$defs":{"a":{"allOf":[{"$ref":"#"}]}}}`, `{}`)
	f.Add(`{"patternProperties":{"^a":{"enum":[1,2]}},"propertyNames":{"maxLength":2}}`, `{"abc":1e400}`)
	f.Fuzz(func(t *testing.T, schema, args string) {
		raw := answer(list(`{"name":"t","inputSchema":` + schema + `}`))
		call := request("tools/call", `{"name":"t","arguments":`+args+`}`)
		var frame wire.Frame
		if wire.Parse(&frame, []byte(raw), wire.FromUpstream, &wire.DefaultLimits) != nil || wire.Parse(&frame, []byte(call), wire.FromAgent, &wire.DefaultLimits) != nil {
			t.Skip()
		}
		l := pinnedTo(t, "tools", toolscope.Config{Tools: tools("t")})
		shown := l.shows(t, "tools/list", list(`{"name":"t","inputSchema":`+schema+`}`))
		out := l.outcome(t, "t", args)
		if out.Allowed && shown == list() {
			t.Error("a tool may be called that is not listed")
		}
	})
}
