package guardrails_test

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

func TestOnePoisonedDefinitionLeavesTheOthers(t *testing.T) {
	c := connection(t, "strict")
	for name, message := range listed {
		for kind, text := range map[string]string{"secret": secret, "injection": override} {
			t.Run(name+" "+kind, func(t *testing.T) {
				out, o := answer(t, c, fill(message, text))
				switch {
				case !o.Allowed:
					t.Fatalf("the whole list is withheld: %s", o.Detail)
				case strings.Contains(out, "bad") || strings.Contains(out, text):
					t.Errorf("it is still there: %s", out)
				case !strings.Contains(out, "good"):
					t.Errorf("the other is gone: %s", out)
				case len(o.Findings) == 0:
					t.Error("nothing is on record")
				}
			})
		}
	}
}

func TestRedactionReplacesWhatWasFoundAndNothingElse(t *testing.T) {
	head, end := `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"`, `"}]}}`
	cases := map[string]struct{ do, find, in, want string }{
		"redacted":            {"redact", "email", head + "to " + email + "!" + end, head + "to [email#1]!" + end},
		"numbered":            {"redact", "email", head + email + ", bob@" + "corp-mail.io, " + email + end, head + "[email#1], [email#2], [email#1]" + end},
		"escapes around it":   {"redact", "email", head + `\u00e9\n\"` + email + `\"\ud83d\ude00` + end, head + `\u00e9\n\"[email#1]\"\ud83d\ude00` + end},
		"escapes inside it":   {"redact", "email", head + `x jane\u002eroe\u0040corp-mail.io y` + end, head + `x [email#1] y` + end},
		"masked address":      {"mask", "email", head + email + end, head + "[email#1 ***@" + "corp-mail.io]" + end},
		"masked card":         {"mask", "card", head + "card " + card + end, head + "card [card#1 ***1111]" + end},
		"a secret unmasked":   {"mask", "secret", head + "key " + secret + end, head + "key [aws-access-key#1]" + end},
		"spacing is kept":     {"redact", "email", `{ "jsonrpc" : "2.0",  "id":1, "result":{"content":[ {"type":"text","text":"` + email + `"} ] , "x" : 1.00e1 } }`, `{ "jsonrpc" : "2.0",  "id":1, "result":{"content":[ {"type":"text","text":"[email#1]"} ] , "x" : 1.00e1 } }`},
		"member dropped":      {"drop", "email", `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"a":1,"to":"` + email + `","b":2}}}`, `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"a":1,"b":2}}}`},
		"element dropped":     {"drop", "email", `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"a":["` + email + `"]}}}`, `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"a":[]}}}`},
		"number dropped":      {"drop", "card", `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"card":` + card + `,"n":1}}}`, `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"n":1}}}`},
		"a text is redacted":  {"drop", "email", head + email + end, head + "[email#1]" + end},
		"copy of a structure": {"redact", "email", `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"to\":\"` + email + `\"}"}],"structuredContent":{"to":"` + email + `"}}}`, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"to\":\"[email#1]\"}"}],"structuredContent":{"to":"[email#1]"}}}`},
		"copy of what is cut": {"drop", "email", `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"n\":1, \"to\":\"` + email + `\"}"}],"structuredContent":{"to":"` + email + `","n":1}}}`, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"n\":1}"}],"structuredContent":{"n":1}}}`},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			c := connection(t, "p", profile("p", rule(action(t, x.do), x.find)))
			got, o := answer(t, c, x.in)
			if !o.Allowed {
				t.Fatalf("refused: %s %s %v", o.Reason.Code, o.Detail, o.Fault)
			}
			if got != x.want {
				t.Errorf("got  %s\nwant %s", got, x.want)
			}
			if len(o.Findings) == 0 {
				t.Error("nothing is on record")
			}
			again, o := answer(t, c, got)
			if !o.Allowed || again != got {
				t.Errorf("the second time it becomes %s", again)
			}
		})
	}
}

func TestWhatCannotBeCutOutBlocksTheMessage(t *testing.T) {
	cases := map[string]string{
		"a number":          `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"card":` + card + `}}}`,
		"a number in words": `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"card":` + card + `.0}}}`,
		"a name":            `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"` + email + `":1}}}`,
		"a cursor":          `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor":"` + email + `"}}`,
		"the id":            `{"jsonrpc":"2.0","id":"` + email + `","result":{}}`,
		"bytes in base64":   `{"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"x:y","blob":"dG8gamFuZS5yb2VAY29ycC1tYWlsLmlvIGFuZCBtb3JlIHdvcmRz"}]}}`,
	}
	c := connection(t, "p", profile("p", rule(guardrails.Redact, "email", "card")))
	for name, in := range cases {
		t.Run(name, func(t *testing.T) {
			if out, o := answer(t, c, in); o.Allowed {
				t.Errorf("passed as %s", out)
			} else if o.Fault != nil || o.Reason == policy.ReasonFault {
				t.Errorf("a fault: %v", o.Fault)
			}
		})
	}
}

func TestRedactionSatisfiesTheOutputSchema(t *testing.T) {
	structured := `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"to":"` + email + `"}}}`
	cases := map[string]struct {
		do      guardrails.Action
		schema  string
		allowed bool
	}{
		"a string":        {guardrails.Redact, `{"properties":{"to":{"type":"string"}},"required":["to"]}`, true},
		"a pattern":       {guardrails.Redact, `{"properties":{"to":{"pattern":"@"}}}`, false},
		"too long":        {guardrails.Redact, `{"properties":{"to":{"maxLength":3}}}`, false},
		"dropped":         {guardrails.Drop, `{"properties":{"to":{"type":"string"}}}`, true},
		"dropped, needed": {guardrails.Drop, `{"required":["to"]}`, false},
		"from elsewhere":  {guardrails.Redact, `{"$ref":"file:///etc/schema.json"}`, false},
		"no schema":       {guardrails.Redact, `7`, false},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			c := connection(t, "p", profile("p", rule(x.do, "email")))
			list(t, c, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"t","inputSchema":{},"outputSchema":`+x.schema+`}]}}`)
			if _, o := answer(t, c, structured); o.Allowed != x.allowed || o.Fault != nil {
				t.Errorf("allowed is %v: %s %v", o.Allowed, o.Detail, o.Fault)
			}
			list(t, c, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"t","inputSchema":{}}]}}`)
			if _, o := answer(t, c, structured); !o.Allowed {
				t.Errorf("a schema that is gone still holds: %s", o.Detail)
			}
		})
	}
}

// list shows the gate a list of tools.
func list(t *testing.T, c *policy.Connection, raw string) {
	t.Helper()
	f := parse(t, wire.FromUpstream, raw)
	call := &policy.Call{Agent: c.Agent, Connection: c, Upstream: "u", Frame: f, Method: "tools/list"}
	if _, o := policy.Review(t.Context(), call, f, policy.Outcome{Allowed: true}); !o.Allowed {
		t.Fatalf("refused: %s", o.Detail)
	}
}

func action(t *testing.T, text string) (a guardrails.Action) {
	t.Helper()
	if err := a.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return a
}
