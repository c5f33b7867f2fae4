package guardrails_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

var hashForm = regexp.MustCompile(`\[email#[0-9a-hjkmnp-tv-z]{16}\]`)

// text is the text of the first block of a result.
func text(t *testing.T, raw string) string {
	t.Helper()
	var m struct {
		Result struct{ Content []struct{ Text string } }
	}
	if err := json.Unmarshal([]byte(raw), &m); err != nil || len(m.Result.Content) == 0 {
		t.Fatalf("no result: %v: %s", err, raw)
	}
	return m.Result.Content[0].Text
}

func TestHashIsTheSameForTheSameValueInItsScope(t *testing.T) {
	vault := newVault()
	hashing := func(name string, s guardrails.HashScope) *policy.Connection {
		r := rule(guardrails.Hash, "email")
		r.Scope = s
		c := &policy.Connection{
			Name: name, Agent: &policy.Agent{Name: "a"}, Upstream: &policy.Upstream{Name: "u"}, Limits: wire.DefaultLimits,
			File: policy.Settings{"guardrails": &guardrails.FileKeys{Guardrails: []guardrails.Profile{profile("p", r)}}},
		}
		if err := equipWith(vault, c, "p"); err != nil {
			t.Fatal(err)
		}
		return c
	}
	one := func(c *policy.Connection, value string) string {
		t.Helper()
		out, o := answer(t, c, fill(said, "to "+value+"."))
		if !o.Allowed || !hashForm.MatchString(text(t, out)) {
			t.Fatalf("got %s, %+v", out, o)
		}
		return out
	}
	first, second := hashing("first", guardrails.ScopeConnection), hashing("second", guardrails.ScopeConnection)
	if once := one(first, email); one(first, email) != once {
		t.Error("the same value has two hashes on one connection")
	}
	if one(first, email) == one(first, "x"+email) {
		t.Error("two values have one hash")
	}
	if one(first, email) == one(second, email) {
		t.Error("two connections have the same hash")
	}
	if one(hashing("first", guardrails.ScopeAgent), email) != one(hashing("second", guardrails.ScopeAgent), email) {
		t.Error("one agent has two hashes of a value")
	}
}

func TestHashOfOursIsNoFinding(t *testing.T) {
	field := guardrails.Find{Name: guardrails.ProfileName{Text: "codename"}, Field: []string{"codename"}, Examples: []string{`codename: bluebird`}, Counterexamples: []string{"bluebird"}}
	c := connection(t, "p", profile("p", guardrails.Rule{Find: []guardrails.Find{field}, Do: guardrails.Hash}))
	out, o := answer(t, c, `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"codename":"bluebird"}}}`)
	if !o.Allowed || strings.Contains(out, "bluebird") {
		t.Fatalf("got %s, %+v", out, o)
	}
	again, o := answer(t, c, out)
	if !o.Allowed || again != out {
		t.Errorf("the second time it becomes %s (%s)", again, o.Detail)
	}
	forged := regexp.MustCompile(`#[0-9a-z]{16}`).ReplaceAllString(out, "#s3cr3tsp4ss5w0rd")
	if got, _ := answer(t, c, forged); strings.Contains(got, "s3cr3tsp4ss5w0rd") {
		t.Errorf("a value passes for a hash: %s", got)
	}
}

func TestSurrogateHasTheShapeAndIsNotFoundAgain(t *testing.T) {
	cases := map[string]struct{ find, in, form string }{
		"card":           {"card", fill(said, "card 4111 1111 "+"1111 1111 please"), `"card \d{4} \d{4} \d{4} \d{4} please"`},
		"iban":           {"iban", fill(said, "to DE89 3704 0044 "+"0532 0130 00"), `"to DE00 \d{4} \d{4} \d{4} \d{4} \d\d"`},
		"iban to call":   {"iban", fill(said, "call me about DE89 3704 0044 "+"0532 0130 00"), `"call me about DE00 [A-J]{4} [A-J]{4} [A-J]{4} [A-J]{4} [A-J]{2}"`},
		"email":          {"email", fill(said, "to "+email+"!"), `"to [a-z]{4}\.[a-z]{3}@mail\.invalid!"`},
		"us-ssn":         {"us-ssn", fill(said, "ssn 219-09-"+"9998"), `"ssn \d{3}-\d\d-\d{4}"`},
		"phone":          {"phone", fill(said, "call +49 30 625"+"16073"), `"call \+[\d ]+"`},
		"card as number": {"card", `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"card":` + card + `}}}`, `"card":\d{16}}`},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			c := connection(t, "p", profile("p", rule(guardrails.Surrogate, x.find)))
			got, o := answer(t, c, x.in)
			if !o.Allowed || got == x.in || !regexp.MustCompile(x.form).MatchString(got) {
				t.Fatalf("got %s, %+v", got, o)
			}
			if again, _ := answer(t, c, got); again != got {
				t.Errorf("it is found again: %s becomes %s", got, again)
			}
			strict := connection(t, "s", profile("s", rule(guardrails.Block, "pii", "secret")))
			if _, o := answer(t, strict, got); !o.Allowed {
				t.Errorf("it is found as something else: %s", o.Detail)
			}
		})
	}
}

// during judges messages of one call: its arguments, a notification, the result, and what another round brings.
func during(t *testing.T, c *policy.Connection, ref policy.Ref) (all []string) {
	t.Helper()
	frame := parse(t, wire.FromAgent, fill(ask, email))
	call := policy.Call{Ref: ref, Agent: c.Agent, Connection: c, Upstream: "u", Frame: frame, Method: "tools/call", Target: "t"}
	send, o, _ := policy.Decide(t.Context(), &call)
	if !o.Allowed {
		t.Errorf("refused: %+v", o)
	}
	all = append(all, string(send.Frame.Raw))

	note := policy.Call{Ref: ref + 1000, During: ref, Agent: c.Agent, Connection: c, Upstream: "u", Direction: policy.ToAgent, Method: "notifications/message"}
	note.Frame = parse(t, wire.FromUpstream, fill(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"FOUND"}}`, "x@"+"corp-mail.io and "+email))
	told, _, _ := policy.Decide(t.Context(), &note)
	all = append(all, string(told.Frame.Raw))

	f, o := policy.Review(t.Context(), &call, parse(t, wire.FromUpstream, fill(said, "y@"+"corp-mail.io, x@"+"corp-mail.io, "+email)), o)
	if !o.Allowed {
		t.Errorf("the result is refused: %+v", o)
	}
	all = append(all, string(f.Raw))

	round := call
	round.Ref, round.First, round.Round = ref+2000, ref, 1
	f, o = policy.Review(t.Context(), &round, parse(t, wire.FromUpstream, fill(said, email+", y@"+"corp-mail.io")), policy.Outcome{Allowed: true})
	if !o.Allowed {
		t.Fatalf("refused: %+v", o)
	}
	return append(all, string(f.Raw))
}

func TestPlaceholdersAreStableWithinACall(t *testing.T) {
	c := connection(t, "p", profile("p", rule(guardrails.Redact, "email")))
	want := []string{"[email#1]", "[email#2] and [email#1]", "[email#3], [email#2], [email#1]", "[email#1], [email#3]"}
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() { // calls do not disturb each other
			for j, got := range during(t, c, policy.Ref(i+1)) {
				if !strings.Contains(got, `"`+want[j]+`"`) {
					t.Errorf("message %d of call %d is %s, want %s", j, i, got, want[j])
				}
			}
		})
	}
	work.Wait()
}

func TestNumberingIsBounded(t *testing.T) {
	c := connection(t, "p", profile("p", rule(guardrails.Redact, "email")))
	var b bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&b, "u%d@corp-mail.io ", i)
	}
	frame := parse(t, wire.FromAgent, fill(ask, "x"))
	call := &policy.Call{Ref: 7, Agent: c.Agent, Connection: c, Upstream: "u", Frame: frame, Method: "tools/call", Target: "t"}
	f, o := policy.Review(t.Context(), call, parse(t, wire.FromUpstream, fill(said, b.String())), policy.Outcome{Allowed: true})
	if !o.Allowed || !strings.Contains(string(f.Raw), "[email#5000]") || strings.Contains(string(f.Raw), "corp-mail") {
		t.Errorf("allowed is %v: %s", o.Allowed, o.Detail)
	}
}
