package guardrails_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// placed is what an action puts into a message that says that it is no value.
var placed = regexp.MustCompile(`\[[a-z0-9-]+(#[0-9]{1,5}( \*\*\*[^]]*)?|#[0-9a-z]{16}|:tk_[0-9a-z]{26})\]`)

// FuzzActions holds every action to what FuzzRedaction holds redaction to. Of surrogates nobody can say from outside which
// bytes they are, but lengths and everything that is no letter and no digit stay, save in addresses.
func FuzzActions(f *testing.F) {
	seeds(f)
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"card":` + card + `,"x":[` + card + `e0,"` + email + `"]}}}`))
	everything := []string{"secret", "pii", "injection", "hidden"}
	connections := map[guardrails.Action]*policy.Connection{
		guardrails.Mask:      connection(f, "p", profile("p", rule(guardrails.Mask, everything...))),
		guardrails.Hash:      connection(f, "p", profile("p", rule(guardrails.Hash, everything...))),
		guardrails.Tokenize:  connection(f, "p", profile("p", rule(guardrails.Tokenize, everything...))),
		guardrails.Surrogate: connection(f, "p", profile("p", rule(guardrails.Surrogate, "card", "iban", "us-ssn", "phone", "aws-access-key"))),
		guardrails.Drop:      connection(f, "p", profile("p", rule(guardrails.Drop, everything...))),
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for do, c := range connections {
			for _, from := range []wire.Side{wire.FromAgent, wire.FromUpstream} {
				in := new(wire.Frame)
				if wire.Parse(in, raw, from, &c.Limits) != nil {
					continue
				}
				before := bytes.Clone(raw)
				out, o := review(t, c, in)
				if !bytes.Equal(before, raw) {
					t.Fatal("the message that was judged has changed")
				}
				if o.Reason == policy.ReasonFault {
					t.Fatalf("%s: a fault: %v", do, o.Fault)
				}
				if !o.Allowed {
					continue
				}
				if !json.Valid(out.Raw) {
					t.Fatalf("%s: no JSON: %s", do, out.Raw)
				}
				if do != guardrails.Drop && do != guardrails.Surrogate && !keepsBetween(string(raw), placed.Split(string(out.Raw), -1)) {
					t.Fatalf("%s: more than findings has changed:\n%s\n%s", do, raw, out.Raw)
				}
				again, o := review(t, c, out)
				if !o.Allowed || !bytes.Equal(again.Raw, out.Raw) {
					t.Fatalf("%s: the second time %s becomes %s (%s)", do, out.Raw, again.Raw, o.Detail)
				}
			}
		}
	})
}

// keepsBetween reports whether parts stand in raw, in order, the first at its begin and the last at its end.
func keepsBetween(raw string, parts []string) bool {
	for i, p := range parts {
		at := strings.Index(raw, p)
		switch {
		case at < 0 || i == 0 && at != 0:
			return false
		case i == len(parts)-1:
			return strings.HasSuffix(raw, p)
		}
		raw = raw[at+len(p):]
	}
	return true
}

// FuzzRestore puts a token into any arguments: the call stays JSON, and differs by the value in the place of the token.
func FuzzRestore(f *testing.F) {
	for _, x := range []string{`{"q":"TOKEN"}`, `{"q":["a TOKEN b","\u00e9TOKEN\\"],"TOKEN":1}`, `{"q":"[TOKEN]:tk_"}`, `["TOKENTOKEN"]`, `"TOKEN"`} {
		f.Add(x)
	}
	r := rule(guardrails.Tokenize, "email")
	r.Restore = []guardrails.Restore{{Tool: policy.Pattern{Text: "*"}, Path: policy.Pattern{Text: "*"}}}
	c := connection(f, "p", profile("p", r))
	answered, o := policy.Review(f.Context(), &policy.Call{Agent: c.Agent, Connection: c, Upstream: "u", Frame: parse(f, wire.FromAgent, ask), Method: "tools/call", Target: "t"},
		parse(f, wire.FromUpstream, fill(said, email)), policy.Outcome{Allowed: true})
	token := tokenForm.FindString(string(answered.Raw))
	if token == "" {
		f.Fatalf("no token: %+v", o)
	}
	f.Fuzz(func(t *testing.T, arguments string) {
		raw := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":` + strings.ReplaceAll(arguments, "TOKEN", token) + `}}`
		in := new(wire.Frame)
		if wire.Parse(in, []byte(raw), wire.FromAgent, &c.Limits) != nil {
			return
		}
		got, o := send(t, c, raw)
		switch {
		case o.Reason == policy.ReasonFault:
			t.Fatalf("a fault: %v", o.Fault)
		case !o.Allowed:
			return
		case !json.Valid([]byte(got)):
			t.Fatalf("no JSON: %s", got)
		case len(tokenForm.FindAllString(strings.ReplaceAll(got, token, ""), -1)) > 0:
			return // what stands beside makes another address of it, which becomes a token
		case strings.ReplaceAll(got, email, token) != raw:
			t.Fatalf("more has changed than tokens:\n%s\n%s", raw, got)
		}
	})
}
