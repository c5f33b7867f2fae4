package upstream_test

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

// TestStderrIsVeiled shows what of a child's words is in the log. The veil of the test knows the word secret.
func TestStderrIsVeiled(t *testing.T) {
	veil := func(s string) string { return strings.ReplaceAll(s, "secret", "[x]") }
	long := strings.Repeat("word ", 203) + "123456789secretsecret and more\n"
	cases := map[string]struct{ in, want string }{
		"plain":         {"hello\r\nthere", "hello|there"},
		"found":         {"my secret is\n", "my [x] is"},
		"cut off":       {long + "next\n", strings.Repeat("word ", 203) + "|next"},
		"without blank": {strings.Repeat("a", 3000) + "\nnext\n", "|next"},
		"private key": {
			"a\n-----BEGIN EC PRIVATE KEY-----\nMHcC\nAQEE\n-----END EC PRIVATE KEY-----\nb\n",
			"a|[private key]|[private key]|[private key]|[private key]|b",
		},
		"key without end": {"-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("\n", 250) + "end\n", ""},
		"certificate":     {"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----|MIIB|-----END CERTIFICATE-----"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := upstream.TestOnlyStderr(c.in, veil)
			if joined := strings.Join(got, "|"); c.want != "" && joined != c.want {
				t.Errorf("got %q, want %q", joined, c.want)
			}
			if c.want == "" && (got[0] != "[private key]" || len(got) != 100) {
				t.Errorf("%d lines, the first is %q", len(got), got[0])
			}
		})
	}
	if got := upstream.TestOnlyStderr("a secret\n", nil); got[0] != "a secret" {
		t.Errorf("without a veil: %q", got)
	}
}
