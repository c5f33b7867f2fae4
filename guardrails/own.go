package guardrails

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/policy"
)

// ownEntity is what findings say that are a credential of Hopgate's own: one that an upstream knows it by.
const ownEntity = "own-credential"

const (
	leastOwn  = 8  // bytes of a secret; shorter ones stand in any text by chance
	leastWord = 16 // bytes of a secret that is made of words
	leastRun  = 16 // letters and digits in a row that nobody writes by hand
)

// secretsOf returns what of a configuration's values must not be said anywhere. Values that anybody might write by chance are
// none: a word, a number, the path of a file.
func secretsOf(own *policy.Credentials, plain *detect.Engine) (known []detect.Known) {
	scratch, seen := detect.NewScratch(), map[string]bool{}
	own.Each(func(c policy.Credential) {
		for _, v := range secretParts(c, plain, scratch) {
			if len(v) >= leastOwn && !ordinary(v) && !seen[string(v)] {
				seen[string(v)] = true
				known = append(known, detect.Known{Name: ownEntity, Value: v})
			}
		}
	})
	return known
}

// secretParts returns what of a value is secret: what the detectors hold for it under its name, and else all of it where
// the configuration treats it so or nobody could have thought of it.
func secretParts(c policy.Credential, plain *detect.Engine, scratch *detect.Scratch) (parts [][]byte) {
	text := []byte(c.Value)
	plain.Scan(scratch, []detect.Leaf{{Text: text, Field: []byte(c.Name), Label: []byte(c.Before)}}, func(_ int, f detect.Finding) {
		if f.Kind == detect.Secret && f.Confidence >= medium.least() {
			parts = append(parts, bytes.Clone(text[f.Start:f.End]))
		}
	})
	scheme, rest, _ := strings.Cut(c.Value, " ")
	switch {
	case strings.EqualFold(scheme, "basic"):
		text = []byte(rest)
		if pair, err := base64.StdEncoding.DecodeString(rest); err == nil {
			parts = append(parts, pair)
		}
	case strings.EqualFold(scheme, "bearer"), strings.EqualFold(scheme, "token"):
		text = []byte(rest)
	}
	if len(parts) == 0 && c.Likely || drawn(text) {
		parts = append(parts, text)
	}
	for _, p := range parts {
		if _, password, ok := bytes.Cut(p, []byte(":")); ok && !bytes.HasPrefix(password, []byte("//")) {
			parts = append(parts, password) // of a user
		}
	}
	return parts
}

// ordinary holds for a value that anybody might write who means something else.
func ordinary(v []byte) bool {
	letters, digits := 0, 0
	for _, c := range v {
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c == '-', c == '_', c == '.', c == ' ':
			letters++
		case isDigit(c), c == ',', c == ':':
			digits++
		}
	}
	switch {
	case digits == len(v), letters == len(v) && len(v) < leastWord:
		return true
	case v[0] == '/' && bytes.Count(v, []byte("/")) > 1 && !drawn(v), bytes.HasPrefix(v, []byte("./")), bytes.HasPrefix(v, []byte("~/")):
		return true
	}
	scheme, _, ok := bytes.Cut(v, []byte("://"))
	return ok && !bytes.ContainsAny(v, "@?#=") && len(scheme) < leastOwn
}

// drawn holds where a value has a run of letters and digits, mixed as only chance mixes them.
func drawn(v []byte) bool {
	run, turns := 0, 0
	for i, c := range v {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') {
			run, turns = 0, 0
			continue
		}
		if run++; run > 1 && isDigit(c) != isDigit(v[i-1]) {
			turns++
		}
		if run >= leastRun && turns >= 3 {
			return true
		}
	}
	return false
}
