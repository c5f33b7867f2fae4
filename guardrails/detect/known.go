package detect

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math"
	"net/url"
	"slices"
)

// Known is a value that must not appear anywhere, with the name under which a finding reports it.
type Known struct {
	Name  string
	Value []byte
}

const (
	minKnown  = 8
	knownRule = "known-value"
	// knownAnchor is how much of a form the automaton holds, which has room for some hundred values; the rest is compared.
	knownAnchor = 20
)

// knownForm is one form of a known value.
type knownForm struct {
	of   *Known
	text []byte
}

// addKnown makes anchors of each value in the forms in which it may travel.
func (b *builder) addKnown(known []Known) error {
	for i := range known {
		k := &known[i]
		if len(k.Value) < minKnown {
			return errors.New("a known value needs at least 8 bytes")
		}
		for _, f := range formsOf(k.Value) {
			b.add(f[:min(len(f), knownAnchor)], anchor{kind: anchorKnown, rule: uint16(len(b.engine.known))})
			b.engine.known = append(b.engine.known, knownForm{k, []byte(f)})
		}
	}
	if len(b.engine.known) > math.MaxUint16 {
		return errTooManyLiterals
	}
	return nil
}

// formsOf returns a value plain, backwards, percent-encoded, in hexadecimal, and in base64 at each of the three alignments
// it may have inside a longer text.
func formsOf(v []byte) []string {
	back := slices.Clone(v)
	slices.Reverse(back)
	all := []string{string(v), string(back), hex.EncodeToString(v)}
	if q := url.QueryEscape(string(v)); q != string(v) {
		all = append(all, q)
	}
	for pad := range 3 {
		shifted := append(make([]byte, pad), v...)
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			s := enc.EncodeToString(shifted)
			// The first characters depend on what stands before, the last on what follows.
			all = append(all, s[[3]int{0, 2, 3}[pad]:len(shifted)*8/6])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// stands reports whether a form stands in a text from a byte on, whatever its case.
func (f *knownForm) stands(text []byte, at int) bool {
	return at+len(f.text) <= len(text) && bytes.EqualFold(text[at:at+len(f.text)], f.text)
}
