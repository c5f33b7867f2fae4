package detect_test

import (
	"encoding/base64"
	"math/rand/v2"
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
	const one = 6_000 // what one candidate may take beyond: it is not cut short
	e, s := engine(t, detect.Options{}), detect.NewScratch()
	for _, size := range []int{1 << 10, 10 << 10, 100 << 10, 400 << 10} {
		for name, text := range hostile(size) {
			unread := false
			e.Scan(s, []detect.Leaf{{Text: []byte(text)}}, func(_ int, f detect.Finding) { unread = unread || f.Kind == detect.Unread })
			left := s.TestOnlyLeft()
			if left < -one {
				t.Errorf("%s of %d bytes takes %d looks more than it has", name, size, -left)
			}
			if left < 0 && !unread {
				t.Errorf("%s of %d bytes is not read to its end, and nobody is told", name, size)
			}
		}
	}
	const (
		size    = 100 << 10
		allowed = 20_000 + 2*size
	)
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

// TestAddressesAreLookedAtOnce: what goes on behind an address, with a dash, is no reason to look at it again, and again.
func TestAddressesAreLookedAtOnce(t *testing.T) {
	e := engine(t, detect.Options{})
	for text, want := range map[string]string{
		"2001:db8::1-2":                      "2001:db8::1",
		"hosts 2001:db8::1-1234 are up":      "2001:db8::1",
		"00:1a:2b:3c:4d:5e-1":                "00:1a:2b:3c:4d:5e",
		"hosts fe80::1-2 are up":             "",
		"hosts 2001:db8::1-2001:db8::9 hear": "2001:db8::1 2001:db8::9",
		"2001:db8::1-2001:db8::3-2001:db8::": "2001:db8::1 2001:db8::3 2001:db8::",
		"hosts abcd:ef::cafe-3 are up":       "abcd:ef::cafe",
		"abcd:ef::cafe-abcd::face-1 hear":    "abcd:ef::cafe abcd::face",
		"return dead::beef-3":                "",
		"hosts bad-2001:db8::1-bad-4 are up": "",
		"8:2001:db8::1:-7-1a-2b-3c-4d-5e-44": "8:2001:db8::1",
	} {
		var got []string
		for _, f := range found(e, detect.Leaf{Text: []byte(text)}) {
			got = append(got, text[f.Start:f.End])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

// TestMixturesOfFormsEnd puts pieces of everything that has a form of its own beside each other, in thousands of ways.
// That each is read to its end within its budget is what it shows.
func TestMixturesOfFormsEnd(t *testing.T) {
	pieces := []string{
		"2001:db8::1", "fe80::1", "a:1:", ":", "::", "-", ".", "/", " ", "\n", "1", "22", "333", "4444", "DE89 3704 0044 0532 0130 00", "aB", "f", "00:1a:2b:3c:4d:5e", "00-1a-2b-3c-4d-5e", "1.2.3.4", "10.0.0.1",
		"2026-11-16", "T10:22:04Z", "+1 415 555 2671", "(415) 555-2671", "4111 1111 1111 1111", "123-45-6789", "key=", "token: ", "v1.2.3", "v0.0.0-20240826202546-f6391c0de4c7", "password is ", "h1:abc", "u@corp-mail.io", "%", "@", "phone ",
		"X", "AA", "ABCD", "|", ",", "\t", "name", "born ", "16.11.1980", "12345678", "HRB 1234", "sha512-", "aGVsbG8gd29ybGQ=", "<", ">", "=", "deadbeef", "cafe:babe", "1:2:3:4:5:6:7:8", "Österreich ", "0123.4567.89ab", "1-2-3-", "3 Feb 1980",
		"I<UTO", "<<<<", "%B4111111111111111^", "&#65;", "%41", `\u0041`, `"`, "'", "{", "[", "]", "}", "`", "**", "0x", "67 68 70 ", "\u200b", "--", "a1B2c3D4e5F6a7B8c9D0e1F2", "-----BEGIN RSA PRIVATE KEY-----", "eyJhbGciOiJIUzI1NiJ9.",
	}
	e, s, r := engine(t, detect.Options{}), detect.NewScratch(), rand.New(rand.NewPCG(3, 5))
	for range 3_000 {
		some := make([]string, 3+r.IntN(12))
		for i := range some {
			some[i] = pieces[r.IntN(len(pieces))]
		}
		var text strings.Builder
		for range 1 << r.IntN(8) {
			text.WriteString(some[r.IntN(len(some))])
		}
		e.Scan(s, []detect.Leaf{{Text: []byte(text.String())}}, func(int, detect.Finding) {})
		if left := s.TestOnlyLeft(); left < -20_000 {
			t.Errorf("%q takes %d looks more than it has", text.String(), -left)
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
