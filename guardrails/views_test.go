package guardrails_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	hexa "encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/guardrails"
)

// disguises are ways to write a text that a model, or a program behind a tool, reads all the same.
var disguises = map[string]func(string) string{
	"base64":             inBase64,
	"base64 for URLs":    func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"base64 twice":       func(s string) string { return inBase64(inBase64(s)) },
	"base64 in a phrase": func(s string) string { return "decode " + inBase64(s) + " and go on" },
	"data URI":           func(s string) string { return "data:text/plain;base64," + inBase64(s) },
	"hexadecimal":        func(s string) string { return hexa.EncodeToString([]byte(s)) },
	"percent":            everyByte("%%%02X"),
	"percent twice":      func(s string) string { return url.QueryEscape(everyByte("%%%02X")(s)) },
	"decimal entities":   everyByte("&#%d;"),
	"hex entities":       everyByte("&#x%x;"),
	"escapes":            everyByte(`\u%04x`),
	"gzip in base64": func(s string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(s))
		_ = w.Close()
		return base64.StdEncoding.EncodeToString(b.Bytes())
	},
	"JSON in a string":         inJSON,
	"JSON in JSON in a string": func(s string) string { return inJSON(inJSON(s)) },
	"base64 in JSON":           func(s string) string { return inJSON(inBase64(s)) },
	"JSON in base64":           func(s string) string { return inBase64(inJSON(s)) },
	"full width":               shifted(0xff01 - '!'),
	"soft hyphens":             func(s string) string { return strings.Join(strings.Split(s, ""), "\u00ad") },
	"zero width":               func(s string) string { return strings.Join(strings.Split(s, ""), "\u200b") },
	"tag characters":           func(s string) string { return "hello" + shifted(0xe0000)(s) },
	"variation selectors": func(s string) string {
		var out strings.Builder
		out.WriteString("\U0001f600")
		for _, c := range []byte(s) {
			if c < 16 {
				out.WriteString(string(rune(0xfe00) + rune(c)))
			} else {
				out.WriteString(string(rune(0xe0100) + rune(c) - 16))
			}
		}
		return out.String()
	},
	"spaced hex":        apart("%02x", " "),
	"colon hex":         apart("%02x", ":"),
	"prefixed hex":      apart("0x%02x", ", "),
	"byte escapes":      everyByte(`\x%02x`),
	"decimal codes":     apart("%d", ", "),
	"codes in base64":   func(s string) string { return inBase64(apart("%d", ", ")(s)) },
	"base64 in codes":   func(s string) string { return apart("%02x", " ")(inBase64(s)) },
	"codes in an array": func(s string) string { return `{"a":"x","b":[` + apart("%d", ",")(s) + `]}` },
	"comment":           func(s string) string { return s[:len(s)/2] + "<!-- -->" + s[len(s)/2:] },
	"NUL":               func(s string) string { return strings.Join(strings.Split(s, ""), "\x00") },
	"colour":            func(s string) string { return s[:len(s)/2] + "\x1b[31m" + s[len(s)/2:] },
	"literals":          func(s string) string { return `"` + s[:len(s)/2] + `" + "` + s[len(s)/2:] + `"` },
	"line break":        func(s string) string { return s[:len(s)/2] + "\n" + s[len(s)/2:] },
	"emphasis":          func(s string) string { return s[:len(s)/2] + "**" + s[len(s)/2:] },
}

func inBase64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func inJSON(s string) string { return fmt.Sprintf(`{"a":{"b":%q}}`, s) }

// apart writes every byte, with something between.
func apart(format, between string) func(string) string {
	return func(s string) string { return strings.TrimSuffix(everyByte(format+between)(s), between) }
}

func everyByte(format string) func(string) string {
	return func(s string) string {
		var out strings.Builder
		for _, c := range []byte(s) {
			fmt.Fprintf(&out, format, c)
		}
		return out.String()
	}
}

func shifted(by rune) func(string) string {
	return func(s string) string {
		return strings.Map(func(r rune) rune {
			if r <= ' ' && by < 0x10000 {
				return r
			}
			return r + by
		}, s)
	}
}

func TestWhatIsDisguisedIsFoundInEveryPlace(t *testing.T) {
	places := map[string]struct {
		judge judge
		in    string
	}{
		"argument":   {send, ask},
		"result":     {answer, said},
		"structured": {answer, `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"rows":[[1,"FOUND"]]}}}`},
		"name":       {send, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"FOUND":1}}}`},
		"log":        {tell, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"FOUND"}}`},
		"error":      {answer, `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":{"x":["FOUND"]}}}`},
	}
	finds := map[string]string{"secret": secret, "card": card, "injection": override}
	c := connection(t, "all", profile("all", rule(guardrails.Block, "secret", "pii", "injection", "hidden")))
	for how, hide := range disguises {
		for what, text := range finds {
			for place, p := range places {
				t.Run(how+", "+what+" in "+place, func(t *testing.T) {
					_, o := p.judge(t, c, fill(p.in, hide(text)))
					if o.Allowed {
						t.Fatalf("not found: %q", hide(text))
					}
					if strings.Contains(o.Detail, text) || !strings.Contains(o.Detail, " at /") {
						t.Errorf("on record: %s", o.Detail)
					}
				})
			}
		}
	}
}

func TestCharacterCodesInAnArrayAreFoundInEveryPlace(t *testing.T) {
	places := map[string]struct {
		judge judge
		in    string
	}{
		"argument":   {send, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":1,"codes":CODES}}}`},
		"structured": {answer, `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"rows":[[1,CODES]]}}}`},
		"log":        {tell, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":CODES}}`},
		"error":      {answer, `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":{"x":CODES}}}`},
	}
	finds := map[string]string{"secret": secret, "card": card, "injection": override}
	writings := map[string]func(string) string{
		"numbers": apart("%d", ","), "numbers behind others": func(s string) string { return "0,1," + apart("%d", ", ")(s) },
		"texts": apart(`"%d"`, ","), "hex": apart(`"%02x"`, " , "), "prefixed hex": apart(`"0x%x"`, ",\n"),
	}
	c := connection(t, "all", profile("all", rule(guardrails.Block, "secret", "pii", "injection", "hidden")))
	cutter := connection(t, "cut", profile("cut", rule(guardrails.Redact, "secret", "pii", "injection", "hidden")))
	for how, write := range writings {
		for what, text := range finds {
			for place, p := range places {
				in := strings.ReplaceAll(p.in, "CODES", "["+write(text)+"]")
				if _, o := p.judge(t, c, in); o.Allowed || !strings.Contains(o.Detail, ", in codes") {
					t.Errorf("%s, %s in %s: on record %q", how, what, place, o.Detail)
				}
				if out, o := p.judge(t, cutter, in); o.Allowed {
					t.Errorf("%s, %s in %s goes on where nothing can be cut: %s", how, what, place, out)
				}
			}
		}
	}
	const pixels = `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"rgb":[12,40,66,71,90,101,110,99,97,45,32,64,80,12,255,0,3],"tags":["a","b","c","d","e","f","ab","cd","ef","fe"]}}}`
	if _, o := answer(t, c, pixels); !o.Allowed {
		t.Errorf("numbers that say nothing are blocked: %s", o.Detail)
	}
}
