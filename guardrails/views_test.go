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
	"line break": func(s string) string { return s[:len(s)/2] + "\n" + s[len(s)/2:] },
	"emphasis":   func(s string) string { return s[:len(s)/2] + "**" + s[len(s)/2:] },
}

func inBase64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func inJSON(s string) string { return fmt.Sprintf(`{"a":{"b":%q}}`, s) }

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
