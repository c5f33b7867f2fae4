package guardrails_test

import (
	"testing"

	"github.com/hopgate/hopgate/guardrails"
)

func TestWhatIsCutInTwoIsFoundAcrossTheCut(t *testing.T) {
	a, b := secret[:9], secret[9:]
	x, y := email[:11], email[11:]
	c1, c2, c3 := card[:5], card[5:11], card[11:]
	halves := override[:40]
	rest := override[40:]
	cases := map[string]struct {
		judge judge
		in    string
	}{
		"blocks":          {answer, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"key ` + a + `"},{"type":"text","text":"` + b + ` end"}]}}`},
		"array":           {send, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"q":["` + a + `","` + b + `"]}}}`},
		"siblings":        {send, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":"` + a + `","b":"` + b + `"}}}`},
		"address":         {send, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"q":["` + x + `","` + y + `"]}}}`},
		"three pieces":    {send, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"card":["` + c1 + `","` + c2 + `","` + c3 + `"]}}}`},
		"same name":       {answer, `{"jsonrpc":"2.0","id":1,"result":{"structuredContent":[{"k":"` + a + `","n":"one"},{"k":"` + b + `","n":"two"}]}}`},
		"instruction":     {answer, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + halves + `"},{"type":"text","text":"` + rest + `"}]}}`},
		"clean and not":   {send, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"q":["` + email[5:8] + `","` + email[8:] + `"]}}}`},
		"not and clean":   {send, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"q":["` + secret[:14] + `","` + secret[14:] + `"]}}}`},
		"nothing but":     {send, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"q":["` + card[:6] + `","` + card[6:12] + `","` + card[12:] + `"]}}}`},
		"clean, one name": {answer, `{"jsonrpc":"2.0","id":1,"result":{"structuredContent":[{"k":"` + email[5:8] + `","n":"one"},{"k":"` + email[8:] + `","n":"two"}]}}`},
		"escaped at once": {send, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"q":["` + a + `\u00` + hex(b[0]) + `","` + b[1:] + `"]}}}`},
	}
	c := connection(t, "all", profile("all", rule(guardrails.Block, "secret", "pii", "injection", "hidden")))
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			if _, o := x.judge(t, c, x.in); o.Allowed {
				t.Errorf("not found: %s", x.in)
			}
		})
	}
}

func TestRedactionOfWhatIsCutInTwoReplacesBothPieces(t *testing.T) {
	c := connection(t, "p", profile("p", rule(guardrails.Redact, "secret")))
	in := `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"key ` + secret[:9] + `"},{"type":"text","text":"` + secret[9:] + ` end"}]}}`
	want := `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"key [aws-access-key#1]"},{"type":"text","text":"[aws-access-key#2] end"}]}}`
	if got, o := answer(t, c, in); got != want {
		t.Errorf("got  %s\nwant %s (%v)", got, want, o.Detail)
	}
}

// TestRedactionReachesPiecesInWhichNothingIsFound: such a piece is left out unless it goes on.
func TestRedactionReachesPiecesInWhichNothingIsFound(t *testing.T) {
	c := connection(t, "p", profile("p", rule(guardrails.Redact, "pii")))
	in := `{"jsonrpc":"2.0","id":1,"result":{"structuredContent":[["a","b","` + email[5:8] + `","` + email[8:] + `","c"],{"k":"` + email[5:8] + `","n":7},{"k":"` + email[8:] + `","n":8}]}}`
	want := `{"jsonrpc":"2.0","id":1,"result":{"structuredContent":[["a","b","[email#1]","[email#2]","c"],{"k":"[email#1]","n":7},{"k":"[email#2]","n":8}]}}`
	if got, o := answer(t, c, in); got != want {
		t.Errorf("got  %s\nwant %s (%v)", got, want, o.Detail)
	}
}

func hex(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}
