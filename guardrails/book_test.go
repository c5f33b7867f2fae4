package guardrails_test

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

func TestVeilShowsWhatStoodThereAndNotTheValue(t *testing.T) {
	b := guardrails.NewBook()
	if got := b.Veil(secret); got != secret {
		t.Errorf("a book without a configuration veils: %s", got)
	}
	spec := guardrails.Spec(newVault(), b)
	if _, err := spec.Build(&policy.Connection{}, spec.Config()); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"get_weather":                      "get_weather",
		"":                                 "",
		secret:                             "[aws-access-key]",
		"file:///a?of=" + secret + "&to=b": "file:///a?of=[aws-access-key]&to=b",
		"mailto:" + email + "?key=" + secret + "&x": "mailto:[email]?key=[aws-access-key]&x",
		"file:///home/docs/report-2026.pdf":         "file:///home/docs/report-2026.pdf",
	} {
		if got := b.Veil(text); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestHeadersBesideTheMessageAreLookedAt(t *testing.T) {
	c := connection(t, "p", profile("p", rule(guardrails.Log, "email"), rule(guardrails.Redact, "card")))
	f := fill(ask, "x")
	for text, allowed := range map[string]bool{"eu-west": true, secret: false, email: true, card: false} {
		call := &policy.Call{
			Agent: c.Agent, Connection: c, Upstream: "u", Frame: parse(t, wire.FromAgent, f), Method: "tools/call", Target: "t",
			Headers: []policy.Header{{Name: "Zone", Value: "eu", Text: "eu"}, {Name: "Region", Value: "=?base64?...?=", Text: text}},
		}
		_, o, _ := policy.Decide(t.Context(), call)
		if o.Allowed != allowed || !allowed && !strings.Contains(o.Detail, " at header Mcp-Param-Region") || strings.Contains(o.Detail, text) {
			t.Errorf("allowed is %v: %s", o.Allowed, o.Detail)
		}
		if text == email && len(o.Findings) != 1 {
			t.Errorf("what passes is not on record: %v", o.Findings)
		}
	}
}

func BenchmarkVeil(b *testing.B) {
	book := guardrails.NewBook()
	spec := guardrails.Spec(newVault(), book)
	if _, err := spec.Build(&policy.Connection{}, spec.Config()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		book.Veil("get_weather_forecast")
	}
}
