package guardrails_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

const ask = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"q":"FOUND"}}}`

const said = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"FOUND"}]}}`

func TestGatePassesWhatHoldsNothing(t *testing.T) {
	c := connection(t, "strict")
	if out, o := send(t, c, fill(ask, "what is the weather in Brno")); !o.Allowed || out != fill(ask, "what is the weather in Brno") {
		t.Errorf("refused: %s", o.Detail)
	}
	if _, o := answer(t, c, fill(said, "rain")); !o.Allowed {
		t.Errorf("withheld: %s", o.Detail)
	}
}

func TestHandlesOfTheProtocolAreNoSecrets(t *testing.T) {
	const handle = "progress-test-1763906831277-f81d4fae7dec"
	c := connection(t, "")
	for _, m := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{},"_meta":{"progressToken":"FOUND"}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{},"requestState":"FOUND"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"FOUND"}}`,
	} {
		if _, o := send(t, c, fill(m, handle)); !o.Allowed {
			t.Errorf("refused: %s", o.Detail)
		}
		if _, o := send(t, c, fill(m, secret)); o.Allowed {
			t.Errorf("a credential passes: %s", m)
		}
	}
	progress := `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"FOUND","progress":50,"total":100,"message":"Completed step 50 of 100"}}`
	if _, o := tell(t, c, fill(progress, handle)); !o.Allowed {
		t.Errorf("refused: %s", o.Detail)
	}
}

func TestGateRefusesWithTheReasonOfWhatWasFound(t *testing.T) {
	cases := map[string]struct {
		guard, text string
		judge       judge
		message     string
		code        string
		severity    policy.Severity
		always      bool
	}{
		"secret sent":        {"light", secret, send, ask, "SECRET_SENT", policy.High, true},
		"secret shown":       {"light", secret, answer, said, "SECRET_WITHHELD", policy.Low, true},
		"address sent":       {"strict", email, send, ask, "CONTENT_BLOCKED", policy.Low, false},
		"injection sent":     {"strict", override, send, ask, "INJECTION_SENT", policy.Medium, false},
		"injection shown":    {"strict", override, answer, said, "INJECTION_WITHHELD", policy.High, false},
		"secret and address": {"strict", email + " " + secret, send, ask, "SECRET_SENT", policy.High, true},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			_, o := x.judge(t, connection(t, x.guard), fill(x.message, x.text))
			if o.Allowed || o.Reason.Code != x.code || o.Reason.Severity != x.severity || o.Reason.Always != x.always {
				t.Fatalf("got %+v", o)
			}
			for _, content := range []string{secret, email, override[:20]} {
				if strings.Contains(o.Detail, content) {
					t.Errorf("the detail shows what was found: %s", o.Detail)
				}
			}
			if !strings.Contains(o.Detail, " at /") {
				t.Errorf("the detail does not say where: %s", o.Detail)
			}
		})
	}
}

func TestConnectionWithoutGuardBlocksSecretsAndNothingElse(t *testing.T) {
	c := connection(t, "")
	for text, want := range map[string]bool{secret: false, email: true, override: true, "\u202e" + "abc": true} {
		if _, o := send(t, c, fill(ask, text)); o.Allowed != want {
			t.Errorf("allowed is %v for one of them: %+v", o.Allowed, o)
		}
		if _, o := answer(t, c, fill(said, text)); o.Allowed != want {
			t.Errorf("allowed is %v for one of them: %+v", o.Allowed, o)
		}
	}
}

func TestGateFaultRefuses(t *testing.T) {
	c := connection(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := parse(t, wire.FromAgent, fill(ask, "x"))
	call := &policy.Call{Agent: c.Agent, Connection: c, Upstream: "u", Frame: f, Method: "tools/call", Target: "t"}
	if _, o, _ := policy.Decide(ctx, call); o.Allowed || o.Reason != policy.ReasonFault {
		t.Errorf("got %+v", o)
	}
}

func TestObserveBlocksSecretsAllTheSame(t *testing.T) {
	redacting := profile("redacting", rule(guardrails.Redact, "secret", "pii"))
	mixed := profile("mixed", rule(guardrails.Redact, "secret"), rule(guardrails.Block, "pii"))
	cases := map[string]struct {
		guard, text string
		allowed     bool
		changed     bool
	}{
		"address":                       {"strict", email, true, false},
		"secret":                        {"strict", secret, false, false},
		"secret redacted":               {"redacting", secret, true, true},
		"address redacted":              {"redacting", email, true, false},
		"secret beside what is blocked": {"mixed", secret + " " + email, false, false},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			c := connection(t, x.guard, redacting, mixed)
			c.Gates[0].Observe = true
			out, o := send(t, c, fill(ask, x.text))
			if o.Allowed != x.allowed || x.allowed && (out != fill(ask, x.text)) != x.changed {
				t.Errorf("got %s, %+v", out, o)
			}
			if o.Allowed && len(o.Findings) == 0 {
				t.Error("nothing is on record")
			}
		})
	}
}

func TestProfileRulesChooseWhatIsDone(t *testing.T) {
	only := rule(guardrails.Block, "email")
	only.In = 1 // args
	except := rule(guardrails.Block, "email")
	except.Except = []policy.Pattern{{Text: "u/t*"}}
	tools := rule(guardrails.Block, "email")
	tools.Tools = []policy.Pattern{{Text: "other"}}
	paths := rule(guardrails.Block, "email")
	paths.Paths = []policy.Pattern{{Text: "/params/arguments/q"}}
	elsewhere := rule(guardrails.Block, "email")
	elsewhere.Paths = []policy.Pattern{{Text: "/params/arguments/to"}}
	cases := map[string]struct {
		rules      []guardrails.Rule
		text       string
		send, hear bool
	}{
		"args alone":              {[]guardrails.Rule{only}, email, false, true},
		"except a tool":           {[]guardrails.Rule{except}, email, true, true},
		"another tool":            {[]guardrails.Rule{tools}, email, true, true},
		"a place":                 {[]guardrails.Rule{paths}, email, false, true},
		"another place":           {[]guardrails.Rule{elsewhere}, email, true, true},
		"first rule wins":         {[]guardrails.Rule{rule(guardrails.Log, "email"), rule(guardrails.Block, "pii")}, email, true, true},
		"secrets without a rule":  {[]guardrails.Rule{rule(guardrails.Log, "email")}, secret, false, false},
		"secrets let pass by one": {[]guardrails.Rule{rule(guardrails.Log, "secret")}, secret, true, true},
		"one kind of secret":      {[]guardrails.Rule{rule(guardrails.Log, "aws-access-key")}, secret, true, true},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			c := connection(t, "p", profile("p", x.rules...))
			if _, o := send(t, c, fill(ask, x.text)); o.Allowed != x.send {
				t.Errorf("sending: allowed is %v: %s", o.Allowed, o.Detail)
			}
			if _, o := answer(t, c, fill(said, x.text)); o.Allowed != x.hear {
				t.Errorf("hearing: allowed is %v: %s", o.Allowed, o.Detail)
			}
		})
	}
}

func TestGuardOfAToolComesOnTop(t *testing.T) {
	c := connection(t, "")
	keys := &guardrails.ToolKeys{Guard: &guardrails.ProfileName{Text: "strict"}}
	c.Tools = []policy.Scope{{Name: policy.Pattern{Text: "t"}, Settings: policy.Settings{"guardrails": keys}}}
	if err := equip(c, ""); err != nil {
		t.Fatal(err)
	}
	if _, o := send(t, c, fill(ask, email)); o.Allowed {
		t.Error("the tool's profile does not act")
	}
	if _, o := send(t, c, strings.Replace(fill(ask, email), `"name":"t"`, `"name":"other"`, 1)); !o.Allowed {
		t.Errorf("it acts on another tool: %s", o.Detail)
	}
	if _, o := send(t, c, fill(ask, secret)); o.Allowed {
		t.Error("the connection's profile does not act")
	}
}

func TestNamesThatAreFindingsAreNotOnRecord(t *testing.T) {
	c := connection(t, "strict")
	_, o := answer(t, c, `{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"`+email+`":{"key":"`+secret+`"}}}}`)
	if want := "/result/structuredContent/[email]/key"; o.Allowed || !strings.Contains(o.Detail, want) || strings.Contains(o.Detail, "jane") {
		t.Errorf("got %q, want %s", o.Detail, want)
	}
}

func TestWhatCannotBeLookedAt(t *testing.T) {
	picture := `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"image","mimeType":"image/png","data":"iVBORw0KGgo` + strings.Repeat("AAAA", 40) + `"}]}}`
	never := guardrails.Rule{Unscannable: &guardrails.Unscannable{Do: guardrails.Block}}
	note := guardrails.Rule{Unscannable: &guardrails.Unscannable{Do: guardrails.Log}}
	for name, x := range map[string]struct {
		rules   []guardrails.Rule
		allowed bool
	}{"by default": {[]guardrails.Rule{rule(guardrails.Block, "secret")}, true}, "block": {[]guardrails.Rule{never}, false}, "log": {[]guardrails.Rule{note}, true}} {
		_, o := answer(t, connection(t, "p", profile("p", x.rules...)), picture)
		if o.Allowed != x.allowed {
			t.Errorf("%s: allowed is %v", name, o.Allowed)
		}
		if o.Allowed && (len(o.Findings) != 1 || !strings.Contains(o.Findings[0].Detail, "media")) {
			t.Errorf("%s: not on record: %v", name, o.Findings)
		}
	}
}

func TestHandlesOfTheProtocolAreNoSecretsByTheirName(t *testing.T) {
	c := connection(t, "")
	for _, message := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{},"_meta":{"progressToken":9007199254740993}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"q7Jx0fWm3ZkT9aLr2VbN8cYh5Ue1Pd4SoGiQ6t"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{},"requestState":"q7Jx0fWm3ZkT9aLr2VbN8cYh5Ue1Pd4SoGiQ6t"}}`,
	} {
		if _, o := send(t, c, message); !o.Allowed {
			t.Errorf("%s: %s", message, o.Detail)
		}
		said := fill(said, base64.StdEncoding.EncodeToString([]byte(message)))
		if _, o := answer(t, c, said); !o.Allowed && !strings.Contains(message, "q7J") {
			t.Errorf("%s in an answer, encoded: %s", message, o.Detail)
		}
		if _, o := send(t, c, strings.Replace(message, "q7Jx0fWm3ZkT9aLr2VbN8cYh5Ue1Pd4SoGiQ6t", secret, 1)); strings.Contains(message, "q7J") && o.Allowed {
			t.Errorf("%s: a secret in it passes", message)
		}
	}
}

// TestNumbersAreLookedAtAsTheyAreMeant writes them in short: what is left out of a scan is short as it is meant.
func TestNumbersAreLookedAtAsTheyAreMeant(t *testing.T) {
	c := connection(t, "p", profile("p", rule(guardrails.Block, "pii")))
	for in, allowed := range map[string]bool{
		`{"tel":2155550000}`: false, `{"tel":21e8}`: false, `{"tel":2.1E9}`: false, `{"it":42e14}`: false, `{"tel":2.5}`: true, `{"it":42}`: true,
	} {
		in = `{"jsonrpc":"2.0","id":1,"result":{"structuredContent":` + in + `}}`
		if _, o := answer(t, c, in); o.Allowed != allowed {
			t.Errorf("allowed is %v: %s", o.Allowed, in)
		}
	}
}
