package audit_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/policy"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The bytes of records are a format: they are hashed, signed and kept for years.
func TestRecordsAreTheseBytes(t *testing.T) {
	p := newPlace(t)
	j := p.open(t)
	c := aCall(t, 0x7f3c_0de5_cafe_f00d>>4)
	if err := j.Begin(t.Context(), c, &policy.Outcome{Allowed: true, Findings: []policy.Finding{
		{Gate: "size", Reason: denied, Detail: "arguments", At: policy.Pos{File: "hopgate.yaml", Line: 9, Col: 5}},
	}}); err != nil {
		t.Fatal(err)
	}
	j.End(c, &policy.Outcome{Gate: "guardrails", Reason: garbage, Detail: "email at $.content"}, aResult(t))
	j.End(c, &policy.Outcome{Allowed: true}, &policy.Report{Status: policy.StatusError, Code: -32000})
	later := *c
	later.Ref, later.Round, later.First = 2, 1, c.Ref
	if err := j.Begin(t.Context(), &later, &policy.Outcome{Allowed: true}); err != nil {
		t.Fatal(err)
	}
	stranger := &policy.Call{Ref: 1, Upstream: "files\u202e", Method: "tools/call", Origin: policy.Origin{Transport: "http", Remote: "[2001:db8::1]:99"}}
	refuse(t, j, stranger, policy.ReasonNobody)
	if err := j.Event(t.Context(), "key added", map[string]string{"agent": "ci-bot", "key": "k9", "by": "ops \"x\"\n\t\x7f", "Zone": "é"}, nil); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for _, r := range all(t, j) {
		r.Time = time.Date(2026, 11, 23, 9, 0, 0, 1000, time.UTC)
		b, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		got.Write(append(b, '\n'))
	}
	const name = "testdata/records.jsonl"
	if *update {
		write(t, name, got.Bytes())
	}
	if diff := gocmp.Diff(string(read(t, name)), got.String()); diff != "" {
		t.Errorf("run with -update if this is meant (-want +got):\n%s", diff)
	}
}

// canonical is RFC 8785 by another way: decode, sort by UTF-16, encode with the standard library.
func canonical(t *rapid.T, raw []byte) string {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	var b strings.Builder
	writeCanonical(&b, v)
	return b.String()
}

func writeCanonical(b *strings.Builder, v any) {
	switch v := v.(type) {
	case map[string]any:
		keys := sortedKeys(v)
		slices.SortFunc(keys, func(x, y string) int {
			return slices.CompareFunc(utf16.Encode([]rune(x)), utf16.Encode([]rune(y)), cmp.Compare)
		})
		b.WriteByte('{')
		for i, k := range keys {
			b.WriteString([]string{"", ","}[min(i, 1)])
			writeCanonical(b, k)
			b.WriteByte(':')
			writeCanonical(b, v[k])
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i := range v {
			b.WriteString([]string{"", ","}[min(i, 1)])
			writeCanonical(b, v[i])
		}
		b.WriteByte(']')
	case string:
		var s bytes.Buffer
		e := json.NewEncoder(&s)
		e.SetEscapeHTML(false)
		_ = e.Encode(v)
		// The two characters that the encoder escapes and the RFC does not.
		b.WriteString(strings.NewReplacer(`\u2028`, "\u2028", `\u2029`, "\u2029").Replace(strings.TrimSuffix(s.String(), "\n")))
	default:
		fmt.Fprint(b, v)
	}
}

func TestEveryByteHasOneSpelling(t *testing.T) {
	for c := range 256 {
		one := string([]byte{byte(c)})
		for _, text := range []string{one, one + one, "ab" + one, one + "ab", "ab" + one + "cd" + one + "é"} {
			b, err := audit.Record{Kind: audit.KindIntent, Method: text}.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			var want strings.Builder
			writeCanonical(&want, string([]rune(text))) // what is no UTF-8 is U+FFFD
			if member := `"method":` + want.String() + ","; !bytes.Contains(b, []byte(member)) {
				t.Errorf("%q is not written as %s in %s", text, member, b)
			}
		}
	}
}

func TestRecordsAreCanonicalAndReadBack(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "plain", "\x00\x1f\"\\/\b\f\n\r\t\x7f", "é\u2028\U0001f600", "<&>"}))
	number := rapid.Int64Range(-(1<<53 - 1), 1<<53-1)
	rapid.Check(t, func(t *rapid.T) {
		r := audit.Record{
			Seq: rapid.Uint64Range(0, 1<<53-1).Draw(t, "seq"), Time: time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC(),
			Kind: audit.KindIntent, Ref: text.Draw(t, "ref"), First: text.Draw(t, "first"), Agent: text.Draw(t, "agent"), Key: text.Draw(t, "key"),
			Connection: text.Draw(t, "connection"), Upstream: text.Draw(t, "upstream"), Revision: text.Draw(t, "revision"),
			Method: text.Draw(t, "method"), Target: text.Draw(t, "target"), Task: text.Draw(t, "task"), Direction: text.Draw(t, "direction"),
			Decision: text.Draw(t, "decision"), Reason: text.Draw(t, "reason"), Gate: text.Draw(t, "gate"), Detail: text.Draw(t, "detail"),
			Rule: text.Draw(t, "rule"), Count: number.Draw(t, "count"), Transport: text.Draw(t, "transport"), Protocol: text.Draw(t, "protocol"),
			Client: text.Draw(t, "client"), Remote: text.Draw(t, "remote"), Session: text.Draw(t, "session"), Args: text.Draw(t, "args"),
			Result: text.Draw(t, "result"), BytesIn: number.Draw(t, "in"), BytesOut: number.Draw(t, "out"), Status: text.Draw(t, "status"),
			TookUS: number.Draw(t, "took"), Code: number.Draw(t, "code"), Notifications: number.Draw(t, "n"), Event: text.Draw(t, "event"),
			Fields: rapid.MapOf(rapid.StringMatching(`[a-zA-Z0-9_]{1,5}`), text).Draw(t, "fields"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "findings") {
			r.Findings = append(r.Findings, audit.Finding{Gate: text.Draw(t, "g"), Reason: text.Draw(t, "r"), Detail: text.Draw(t, "d"), Rule: text.Draw(t, "p")})
		}
		b, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if want := canonical(t, b); want != string(b) {
			t.Fatalf("not canonical:\n got %s\nwant %s", b, want)
		}
		var back audit.Record
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(r, back, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-written +read):\n%s", diff)
		}
	})
}

func TestNumbersStayExactForEveryReader(t *testing.T) {
	b, err := audit.Record{Code: 1<<63 - 1, Count: -1 << 63}.MarshalJSON()
	if err != nil || !strings.Contains(string(b), `"code":9007199254740991,"count":-9007199254740991`) {
		t.Errorf("%s, %v", b, err)
	}
}

// What an agent sends is shown to people and terminals.
func TestTextOfAgentsIsVisibleAndBounded(t *testing.T) {
	for in, want := range map[string]string{
		"read_file":                       "read_file",
		"naïve/日本":                        "naïve/日本",
		"a\x00b\x1b[31mc":                 `a\x00b\x1b[31mc`,
		"rtl\u202egpj":                    `rtl\u202egpj`,
		"zero\u200bwidth":                 `zero\u200bwidth`,
		"tag\U000e0041":                   `tag\U000e0041`,
		"bad\xffutf8":                     `bad\xffutf8`,
		"real\ufffd":                      "real\ufffd",
		strings.Repeat("x", 128):          strings.Repeat("x", 128),
		strings.Repeat("x", 129):          strings.Repeat("x", 125) + "…",
		strings.Repeat("x", 124) + "日本":   strings.Repeat("x", 124) + "…",
		strings.Repeat("x", 126) + "\x1b": strings.Repeat("x", 125) + "…",
	} {
		j := newPlace(t).open(t)
		c := aCall(t, 1)
		c.Target = in
		refuse(t, j, c, denied)
		if got := all(t, j)[0].Target; got != want {
			t.Errorf("%q is recorded as %q, want %q", in, got, want)
		}
	}
}
