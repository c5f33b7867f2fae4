package detect_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/guardrails/detect"
)

// hostile are texts of the given size that look like the begin of something everywhere.
func hostile(size int) map[string]string {
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	deep := planted[detect.Injection]
	for range 12 {
		deep = base64.StdEncoding.EncodeToString([]byte(deep))
	}
	return map[string]string{
		"assignments": fill("key="), "values": fill(`secret_token: "aB3dE5gH7jK9mN1pQ3sT5" `), "names": fill("api_key_secret_token_password_"), "curl": fill("curl -u a:b -H "),
		"pem": fill("-----BEGIN " + "RSA PRIVATE KEY-----\n"), "jwt": fill("eyJ"), "jwt dots": fill("eyJhbGciOiJIUzI1NiJ9."), "urls": fill("http://a:"), "at": fill("a@b."), "digits": fill("1 2 3 4 5 6 7 8 9 0 "), "cards": fill("4111 1111 1111 1112 "),
		"dots": fill("1.2."), "colons": fill("a:1:"), "dashes": fill("1-a-"), "entities": fill("&#65;"), "half entities": fill("&#"), "percent": fill("%41"), "escapes": fill(`\u0041`), "braces": fill("{"), "brackets": fill("["), "strings": fill(`["`), "quotes": fill(`"`),
		"lines": fill("123456\n"), "words": fill("aB3456\n"), "marks": fill("1234**"), "ticks": fill("a1`"), "zero width": fill("a\u200b"), "tags": fill("\U000E0061"), "cyrillic": fill("аеорсух "), "phrases": fill("ignore all previous rules "), "letters": fill("i g n o r e "), "leet": fill("1gn0r3"),
		"base64": fill("aWdub3Jl"), "short base64": fill("SGVsbG8gd29ybGQhIQ== "), "deep": deep, "wrapped base64": wrap(base64.StdEncoding.EncodeToString([]byte(fill("the quick brown fox "))), 76, "\n"), "hex": fill("69676e6f7265"), "long word": fill("a"), "capitals": fill("A1"), "prefixes": fill("sk-live_ghp_AKIA"), "hash": fill("$6$a$"), "sig": fill("&sig="), "machine": fill("machine a login b "),
		"bearer": fill("Authorization: Bearer "), "csv": fill("1234567,"), "pipes": "a|b\n" + fill("|1234567"), "dates": fill("2026-11-16 "), "ibans": fill("DE89 3704 "), "json": `{"a":"` + fill(`\"`) + `"}`, "objects": "[" + strings.TrimSuffix(fill(`{"name":"token","value":"a1"},`), ",") + "]",
	}
}

// TestHostileTextCostsLittle compares with ordinary prose of the same size, scanned in the same moment: what costs the
// square of its length costs thousands of times as much.
func TestHostileTextCostsLittle(t *testing.T) {
	e := engine(t, detect.Options{})
	s := detect.NewScratch()
	cost := func(text []byte) time.Duration {
		best := time.Hour
		for range 3 {
			start := time.Now()
			e.Scan(s, []detect.Leaf{{Text: text}}, func(int, detect.Finding) {})
			best = min(best, time.Since(start))
		}
		return best
	}
	const size = 24 << 10
	prose := payloads()["prose"][:size]
	for name, text := range hostile(size) {
		const most = 500
		ratio := time.Duration(0)
		for range 3 { // other work on the machine may fall on one side only
			if ratio = cost([]byte(text)) / (cost(prose) + 1); ratio < most {
				break
			}
		}
		if ratio >= most {
			t.Errorf("%s costs %d times as much as prose", name, ratio)
		}
	}
}

// TestHostileTextStopsAtItsBudget counts instead of measuring: whatever a text looks like, the closer looks at it end with
// what its size allows, and a text that is not read to its end says so. Ordinary text of the same size never comes near.
func TestHostileTextStopsAtItsBudget(t *testing.T) {
	const (
		size    = 100 << 10
		one     = 6_000 // what one candidate may take beyond: it is not cut short
		allowed = 20_000 + 2*size
	)
	e, s := engine(t, detect.Options{}), detect.NewScratch()
	for name, text := range hostile(size) {
		unread := false
		e.Scan(s, []detect.Leaf{{Text: []byte(text)}}, func(_ int, f detect.Finding) { unread = unread || f.Kind == detect.Unread })
		left := s.TestOnlyLeft()
		if left < -one {
			t.Errorf("%s takes %d looks more than it has", name, -left)
		}
		if left < 0 && !unread {
			t.Errorf("%s is not read to its end, and nobody is told", name)
		}
	}
	for name, text := range payloads() {
		text = text[:min(len(text), size)]
		e.Scan(s, []detect.Leaf{{Text: text}}, func(_ int, f detect.Finding) {
			if f.Kind == detect.Unread {
				t.Errorf("%s is not read to its end", name)
			}
		})
		if left := s.TestOnlyLeft(); left < allowed/2 {
			t.Errorf("%s takes %d looks of %d", name, allowed-left, allowed)
		}
	}
}

func BenchmarkHostile(b *testing.B) {
	e := engine(b, detect.Options{})
	for name, text := range hostile(100 << 10) {
		b.Run(name, func(b *testing.B) {
			s, leaves := detect.NewScratch(), []detect.Leaf{{Text: []byte(text)}}
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				e.Scan(s, leaves, func(int, detect.Finding) {})
			}
		})
	}
}
