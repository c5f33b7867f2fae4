package guardrails_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// suppressed is a connection whose profile blocks everything, with a suppression of these keys.
func suppressed(t *testing.T, v *guardrails.Vault, keys string) *policy.Connection {
	t.Helper()
	f, err := loadWith(v, written("guardrails:\n  all: [{ find: [secret, pii, injection], do: block }, { find: { name: ours, kind: secret, literal: [roe@corp.exa], examples: [roe@corp.exa], counterexamples: [x] }, do: block }]\n",
		", guard: all, suppress: [{ owner: ann, reason: a test address, "+keys+" }]"))
	if err != nil {
		t.Fatal(err)
	}
	return f.Connections[0]
}

func TestSuppressionsTakeBackOneFindingInOnePlace(t *testing.T) {
	v := newVault()
	hash, err := v.Print([]byte(email))
	if err != nil {
		t.Fatal(err)
	}
	const other = "john" + "@" + "corp-mail.io"
	cases := map[string]struct {
		keys, text string
		allowed    bool
	}{
		"by name":            {`rule: email, tool: t, path: /params/arguments/q, until: 2999-01-01`, email, true},
		"by rule":            {`rule: pii-EMAIL_ADDRESS, tool: "u/*", path: "/params/*", until: 2999-01-01`, email, true},
		"another rule":       {`rule: card, tool: t, path: /params/arguments/q, until: 2999-01-01`, email, false},
		"another tool":       {`rule: email, tool: other, path: /params/arguments/q, until: 2999-01-01`, email, false},
		"no tool":            {`rule: email, path: /params/arguments/q, until: 2999-01-01`, email, false},
		"another place":      {`rule: email, tool: t, path: /params/arguments/to, until: 2999-01-01`, email, false},
		"on its last day":    {`rule: email, tool: t, path: /params/arguments/q, until: 2026-05-05`, email, true},
		"after its last day": {`rule: email, tool: t, path: /params/arguments/q, until: 2026-05-04`, email, false},
		"the value":          {`rule: email, tool: t, path: /params/arguments/q, until: 2999-01-01, value: ` + string(hash), email, true},
		"another value":      {`rule: email, tool: t, path: /params/arguments/q, until: 2999-01-01, value: ` + string(hash), other, false},
		"beside a secret":    {`rule: email, tool: t, path: /params/arguments/q, until: 2999-01-01`, email + " " + secret, false},
		"over a secret":      {`rule: email, tool: t, path: /params/arguments/q, until: 2999-01-01`, "jane.roe" + "@" + "corp.example.io", false},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			c := suppressed(t, v, x.keys)
			call := &policy.Call{
				Agent: c.Agent, Connection: c, Upstream: "u", Frame: parse(t, wire.FromAgent, fill(ask, x.text)), Method: "tools/call", Target: "t",
				Time: time.Date(2026, 5, 5, 23, 59, 0, 0, time.UTC),
			}
			_, o, _ := policy.Decide(t.Context(), call)
			if o.Allowed != x.allowed {
				t.Fatalf("allowed is %v: %s", o.Allowed, o.Detail)
			}
			if x.allowed && (len(o.Findings) != 1 || !strings.HasPrefix(o.Findings[0].Detail, "suppressed: email") || o.Findings[0].At.Line == 0) {
				t.Errorf("on record: %v", o.Findings)
			}
			all := guardrails.Suppressions([]*policy.Connection{c, c}, call.Time)
			if len(all) != 1 || all[0].Used > 0 != (x.allowed || strings.HasPrefix(name, "beside") || strings.HasPrefix(name, "over")) || all[0].Ended != (name == "after its last day") {
				t.Errorf("reported as %+v", all)
			}
		})
	}
}

func TestSuppressionsThatAreNotSoundAreRefused(t *testing.T) {
	for keys, want := range map[string]string{
		`rule: emial, owner: a, reason: b, path: /x, until: 2999-01-01`:                                     `did you mean "email"?`,
		`rule: aws-access-key, owner: a, reason: b, path: /x, until: 2999-01-01`:                            "a secret is suppressed by its value alone",
		`rule: email, owner: a, path: /x, until: 2999-01-01`:                                                "reason",
		`rule: email, reason: b, path: /x, until: 2999-01-01`:                                               "owner",
		`rule: email, owner: a, reason: b, path: /x`:                                                        "until",
		`rule: email, owner: a, reason: b, until: 2999-01-01`:                                               "path",
		`rule: email, owner: a, reason: b, path: /x, until: 2999-13-01`:                                     "is not a day",
		`rule: email, owner: a, reason: b, path: /x, until: 2999-01-01, value: ` + "jane" + "@" + `corp.io`: "is not a hash",
		`rule: email, owner: a, reason: "", path: /x, until: 2999-01-01`:                                    "reason",
	} {
		_, err := load(t, written("", ", suppress: [{ "+keys+" }]"))
		if err == nil || !strings.Contains(err.Error()+hints(err), want) {
			t.Errorf("%s: got %v, want %s", keys, err, want)
		}
	}
}

func hints(err error) (all string) {
	if d, ok := err.(configs.Diagnostics); ok { //nolint:errorlint // it is not wrapped
		for _, x := range d {
			all += x.Hint
		}
	}
	return all
}
