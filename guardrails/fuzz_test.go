package guardrails_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// seeds gives a fuzz test every message of the tables, with each kind of finding.
func seeds(f *testing.F) {
	f.Helper()
	for _, messages := range []map[string]string{toServer, toAgent, listed, unasked} {
		for _, m := range messages {
			for _, text := range []string{secret, email, card, override, email + ` \ "` + card + "\u202e"} {
				f.Add([]byte(fill(m, text)))
			}
		}
	}
}

// FuzzRedaction holds redaction to its promises: the message stays one, nothing but what was found changes, nothing that
// the rules act on is left, and doing it twice is doing it once.
func FuzzRedaction(f *testing.F) {
	seeds(f)
	c := connection(f, "p", profile("p", rule(guardrails.Redact, "secret", "pii", "injection", "hidden")))
	f.Fuzz(func(t *testing.T, raw []byte) {
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
				t.Fatalf("a fault: %v", o.Fault)
			}
			if !o.Allowed {
				continue
			}
			if !json.Valid(out.Raw) {
				t.Fatalf("no JSON: %s", out.Raw)
			}
			if !keeps(raw, out.Raw) {
				t.Fatalf("more than findings has changed:\n%s\n%s", raw, out.Raw)
			}
			again, o := review(t, c, out)
			if !o.Allowed || !bytes.Equal(again.Raw, out.Raw) {
				t.Fatalf("the second time %s becomes %s (%s)", out.Raw, again.Raw, o.Detail)
			}
		}
	})
}

// FuzzWalk reads any message in every profile.
func FuzzWalk(f *testing.F) {
	seeds(f)
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":[1e5,-0.0,4.111e15,1E-400,0.10,"\ud800","\udc00\ud83d\ude00"],"b":{"columns":["x","ssn"],"rows":[["1","2"]]}}}`))
	strict := connection(f, "strict")
	drop := connection(f, "p", profile("p", rule(guardrails.Drop, "secret", "pii", "injection", "hidden")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, c := range []*policy.Connection{strict, drop} {
			for _, from := range []wire.Side{wire.FromAgent, wire.FromUpstream} {
				in := new(wire.Frame)
				if wire.Parse(in, raw, from, &c.Limits) != nil {
					continue
				}
				out, o := review(t, c, in)
				if o.Reason == policy.ReasonFault {
					t.Fatalf("a fault: %v", o.Fault)
				}
				if o.Allowed && !json.Valid(out.Raw) {
					t.Fatalf("no JSON: %s", out.Raw)
				}
			}
		}
	})
}

func review(t *testing.T, c *policy.Connection, f *wire.Frame) (*wire.Frame, policy.Outcome) {
	t.Helper()
	call := &policy.Call{Agent: c.Agent, Connection: c, Upstream: "u", Frame: f, Method: "tools/call", Target: "t"}
	return policy.Review(t.Context(), call, f, policy.Outcome{Allowed: true})
}

// keeps reports whether the parts of out between placeholders stand in raw, in order, and its begin and end are raw's.
func keeps(raw, out []byte) bool {
	rest := string(raw)
	parts := splitPlaceholders(string(out))
	for i, p := range parts {
		at := strings.Index(rest, p)
		if at < 0 || i == 0 && at != 0 {
			return false
		}
		if i == len(parts)-1 {
			return strings.HasSuffix(rest, p)
		}
		rest = rest[at+len(p):]
	}
	return true
}

// splitPlaceholders cuts a message at everything that looks like [email#1].
func splitPlaceholders(s string) []string {
	var parts []string
	from := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '[' {
			continue
		}
		j := i + 1
		for j < len(s) && (s[j] == '-' || s[j] >= 'a' && s[j] <= 'z' || s[j] >= '0' && s[j] <= '9') {
			j++
		}
		k := j + 1
		for j > i+1 && j < len(s) && s[j] == '#' && k < len(s) && s[k] >= '0' && s[k] <= '9' {
			k++
		}
		if k > j+1 && k < len(s) && s[k] == ']' {
			parts = append(parts, s[from:i])
			from, i = k+1, k
		}
	}
	return append(parts, s[from:])
}
