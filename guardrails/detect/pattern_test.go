package detect

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

// FuzzVerifier compares the verifier with the standard library on patterns of every kind that rules use.
func FuzzVerifier(f *testing.F) {
	patterns := []string{
		`gh[pousr]_[0-9A-Za-z]{4,}`, `(a|ab)(c|bcd)(d*)`, `x*?y{2,3}[^z]+z`, `(?:a?){5}a{5}`, `k(ey)?s?\b`, `(?i)to(ken|k)=("[^"]*"|\S+)`, `(?:[ab]{1,3}-){2}c`, `a(?:b*)*c`, `(a+)+b`, `^x$|y`,
	}
	type pair struct {
		own *pattern
		std *regexp.Regexp
	}
	var all []pair
	for _, text := range patterns {
		p, err := compile(text)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, pair{p, regexp.MustCompile(`(?m)\A(?:` + text + `)`)})
	}
	for _, s := range []string{"ghp_aaaa1111", "abcd", "xxxyyqqz", "aaaaaaaaaa", "keys", `TOKEN="a b"`, "ab-a-c", "abbbbc", strings.Repeat("a", 40), "x\ny"} {
		f.Add(s)
	}
	m := &matcher{}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 200 || strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 }) {
			return // bytes and runes are told apart on purpose
		}
		for _, p := range all {
			got, want := m.match(p.own, []byte(text), 0), -1
			if at := p.std.FindStringIndex(text); at != nil {
				want = at[1]
			}
			if m.over {
				continue
			}
			if got != want {
				t.Errorf("%s on %q ends at %d, the standard library at %d", p.own.text, text, got, want)
			}
		}
	})
}

func TestVerifierRunsOutOfStepsLoudly(t *testing.T) {
	p, err := compile(`(?:(?:a|aa|aaa)+,)+b`)
	if err != nil {
		t.Fatal(err)
	}
	m := &matcher{}
	if end := m.match(p, bytes.Repeat([]byte("aaaaaaaaaaaaaaa,"), 500), 0); end >= 0 {
		t.Errorf("a match that ends at %d", end)
	}
	if end := m.match(p, []byte("aaa,aa,b"), 0); end != 8 || m.over {
		t.Errorf("ends at %d after a failure, want 8", end)
	}
}

// FuzzAutomaton compares the streams with a search for each literal.
func FuzzAutomaton(f *testing.F) {
	literals := []string{"he", "she", "hers", "key", "apikey", "a-b", "aaa"}
	a, err := newAutomaton(literals)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("ushers")
	f.Add(strings.Repeat("x", 700) + "apikey" + strings.Repeat("aaa", 300) + "SHE")
	var h hits
	f.Fuzz(func(t *testing.T, text string) {
		a.find([]byte(text), &h)
		got := map[hit]bool{}
		last := int32(0)
		for _, stream := range h {
			for _, x := range stream {
				if got[x] || x.end < last {
					t.Errorf("%v is found twice or late", x)
				}
				got[x], last = true, x.end
			}
		}
		n := 0
		low := asciiLower([]byte(text))
		for i, l := range literals {
			for at := 0; at+len(l) <= len(low); at++ {
				if string(low[at:at+len(l)]) != l {
					continue
				}
				n++
				if x := (hit{int32(at + len(l)), uint16(i)}); !got[x] {
					t.Errorf("%q at %d is missed", l, at)
				}
			}
		}
		if n != len(got) {
			t.Errorf("%d found, want %d", len(got), n)
		}
	})
}

func asciiLower(t []byte) []byte {
	out := make([]byte, len(t))
	for i, b := range t {
		out[i] = lower(b)
	}
	return out
}

// TestCheckDigits holds each check to a number known to be right, and to the same with its last digit changed.
func TestCheckDigits(t *testing.T) {
	for name, c := range map[string]struct {
		n     string
		check func([]byte) bool
	}{
		"verhoeff": {"2363", verhoeff}, "mod 11,10": {"86095742719", mod11x10}, "mod 11-2": {"11010519491231002X", mod11x2}, "luhn": {"79927398713", luhn},
		"icao": {"D231458907", func(n []byte) bool { return icao(n) }}, "fiscal code": {"RSSMRA85T10A562S", fiscalCode}, "nif": {"12345678Z", nif}, "nie": {"X1234567L", nie},
		"cpf": {"11144477735", cpf}, "cnpj": {"11222333000181", cnpj}, "nrn": {"85073003328", nrn}, "bsn": {"111222333", bsn}, "ahv": {"7569217076985", ahv},
		"pesel": {"44051401359", pesel}, "nhs": {"9434765919", nhs}, "hetu": {"131052A308T", func(n []byte) bool { return hetu(n) }}, "tckn": {"10000000146", tckn}, "npi": {"1234567893", npi},
		"aba": {"111000025", aba}, "abn": {"51824753556", abn}, "tfn": {"123456782", tfn}, "sin": {"046454286", func(n []byte) bool { return luhn(n) }}, "rut": {"123456785", rut}, "cuit": {"20123456786", cuit},
	} {
		t.Run(name, func(t *testing.T) {
			n := []byte(c.n)
			if !c.check(n) {
				t.Fatal("a right number is refused")
			}
			wrong := bytes.Clone(n)
			last := &wrong[len(wrong)-1]
			if is(*last, isDigit) {
				*last = '0' + (*last-'0'+1)%10
			} else {
				*last = 'A' + (*last-'A'+1)%26
			}
			if c.check(wrong) {
				t.Error("the last digit does not matter")
			}
		})
	}
}

// BenchmarkSecretStage is the part of a scan that looks for secrets: one pass for the anchors, and what follows from
// them.
func BenchmarkSecretStage(b *testing.B) {
	e, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	for name, line := range map[string]string{
		"json":   `{"id":10023,"sku":"SKU-00817","title":"blue kettle with lid","price":12.50,"stock":311},`,
		"source": "\tif err := row.Scan(&out.Name, &out.Size); err != nil {\n\t\treturn nil, fmt.Errorf(\"no record %d\", id)\n\t}\n",
		"logs":   "2026-03-04T10:22:04.123Z INFO worker 3 finished job in 802 ms, queue length 12\n",
		"base64": "mJZ3Qb1vXw8yKq0RrT5uLs2dFh7gPc4nVe9oYi6tAzBxCkDlEmGjHpIq",
	} {
		b.Run(name, func(b *testing.B) {
			text := []byte(strings.Repeat(line, 100<<10/len(line)))
			s := NewScratch()
			s.leaves = []Leaf{{Text: text}}
			pieces := []piece{{hi: int32(len(text))}}
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				s.budget = newBudget(s.leaves, 0)
				e.words.find(text, &s.levels[0].hits)
				e.literals(s, text, pieces, nil, 0)
			}
		})
	}
}
