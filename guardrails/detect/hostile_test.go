package detect_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/guardrails/detect"
)

// hostile are texts of about 100 KB that look like the begin of something everywhere.
func hostile() map[string]string {
	fill := func(s string) string { return strings.Repeat(s, 100<<10/len(s)) }
	deep := planted[detect.Injection]
	for range 12 {
		deep = base64.StdEncoding.EncodeToString([]byte(deep))
	}
	return map[string]string{
		"assignments": fill("key="), "values": fill(`secret_token: "aB3dE5gH7jK9mN1pQ3sT5" `), "names": fill("api_key_secret_token_password_"), "curl": fill("curl -u a:b -H "),
		"pem": fill("-----BEGIN " + "RSA PRIVATE KEY-----\n"), "jwt": fill("eyJ"), "jwt dots": fill("eyJhbGciOiJIUzI1NiJ9."), "urls": fill("http://a:"), "at": fill("a@b."), "digits": fill("1 2 3 4 5 6 7 8 9 0 "), "cards": fill("4111 1111 1111 1112 "),
		"dots": fill("1.2."), "colons": fill("a:1:"), "dashes": fill("1-a-"), "entities": fill("&#65;"), "half entities": fill("&#"), "percent": fill("%41"), "escapes": fill(`\u0041`), "braces": fill("{"), "brackets": fill("["), "strings": fill(`["`), "quotes": fill(`"`),
		"lines": fill("123456\n"), "words": fill("aB3456\n"), "marks": fill("1234**"), "ticks": fill("a1`"), "zero width": fill("a\u200b"), "tags": fill("\U000E0061"), "cyrillic": fill("аеорсух "), "phrases": fill("ignore all previous rules "), "letters": fill("i g n o r e "), "leet": fill("1gn0r3"),
		"base64": fill("aWdub3Jl"), "short base64": fill("SGVsbG8gd29ybGQhIQ== "), "deep": deep, "hex": fill("69676e6f7265"), "long word": fill("a"), "capitals": fill("A1"), "prefixes": fill("sk-live_ghp_AKIA"), "hash": fill("$6$a$"), "sig": fill("&sig="), "machine": fill("machine a login b "),
		"bearer": fill("Authorization: Bearer "), "csv": fill("1234567,"), "pipes": "a|b\n" + fill("|1234567"), "dates": fill("2026-11-16 "), "ibans": fill("DE89 3704 "), "json": `{"a":"` + fill(`\"`) + `"}`, "objects": "[" + strings.TrimSuffix(fill(`{"name":"token","value":"a1"},`), ",") + "]",
	}
}

// TestHostileTextCostsLittle allows a second for what takes milliseconds on an idle machine: it is to find texts that
// cost the square of their length.
func TestHostileTextCostsLittle(t *testing.T) {
	e := engine(t, detect.Options{})
	s := detect.NewScratch()
	for name, text := range hostile() {
		start := time.Now()
		e.Scan(s, []detect.Leaf{{Text: []byte(text)}}, func(int, detect.Finding) {})
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: %v for %d bytes", name, took, len(text))
		}
	}
}

func BenchmarkHostile(b *testing.B) {
	e := engine(b, detect.Options{})
	for name, text := range hostile() {
		b.Run(name, func(b *testing.B) {
			s, leaves := detect.NewScratch(), []detect.Leaf{{Text: []byte(text)}}
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				e.Scan(s, leaves, func(int, detect.Finding) {})
			}
		})
	}
}
