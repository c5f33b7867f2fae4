package detect_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/guardrails/detect"
)

// FuzzScan holds the detectors to what their callers build on: no panic; every position lies in the text; the same
// text gives the same answer, also from a scratch that has seen others; a planted secret is found whatever stands
// around it.
func FuzzScan(f *testing.F) {
	for _, wear := range readings {
		for _, thing := range planted {
			f.Add(wear(thing), "note")
		}
	}
	f.Add("{\"a\":[1e400,-0.0,{\"\\ud83d\\ude00\":\"\\u0000\"}]}", "")
	f.Add("| a | b |\n|---|\n| 1 |\n\x1b[8m\x1b]0;\xff\xfe%%zz&#x110000;&#;=\n=3", "ssn")
	f.Add("-----BEGIN PRIVATE KEY-----", "key")
	f.Add("[1,2,3,4,5,6,7,8,\"0x\",\"f\",255,256]67 68 70 5f 31\x00\x1b[<!--<!---->'+\"", "code 31 8b 08 00 00 00 00 00 ff fe de ad be ef 0x 0x6 0x67686970")
	f.Add("2001:db8::1-2 a:1:b:2:1:2:3:4:5:6:7:800-1a-2b-3c-4d-5e", "00:1a:2b:3c:4d:5e-1 fe80::1-fe80::2 1.2.3.4-5")
	f.Add(strings.Repeat("[", 200)+strings.Repeat("key=", 50), "card")
	e, err := detect.New(detect.Options{Known: []detect.Known{{Name: "k", Value: []byte("a known value")}}})
	if err != nil {
		f.Fatal(err)
	}
	used := detect.NewScratch()
	f.Fuzz(func(t *testing.T, text, field string) {
		leaves := []detect.Leaf{{Text: []byte(text), Field: []byte(field)}, {Text: []byte(field), Name: true}, {Text: []byte(text), Label: []byte(field)}}
		first := collect(t, e, used, leaves)
		if again := collect(t, e, detect.NewScratch(), leaves); !cmp.Equal(first, again) {
			t.Errorf("a used scratch finds other things: %s", cmp.Diff(again, first))
		}
		if !utf8.ValidString(text) || len(text) > 4096 {
			return
		}
		secret := planted[detect.Secret]
		for _, f := range found(e, detect.Leaf{Text: []byte(text + "\n " + secret + " \n" + text)}) {
			if f.Kind == detect.Secret && f.Start <= len(text)+2 && f.End >= len(text)+2+len(secret) {
				return
			}
		}
		t.Errorf("the secret is not found in %q", text)
	})
}

type place struct {
	Leaf    int
	Finding detect.Finding
}

func collect(t *testing.T, e *detect.Engine, s *detect.Scratch, leaves []detect.Leaf) []place {
	t.Helper()
	var all []place
	note := func(leaf int, f detect.Finding) {
		if f.Start < 0 || f.End > len(leaves[leaf].Text) || f.Start > f.End {
			t.Errorf("%s at [%d,%d) of %d bytes", f.Rule, f.Start, f.End, len(leaves[leaf].Text))
		}
		all = append(all, place{leaf, f})
	}
	e.Scan(s, leaves, note)
	return all
}
