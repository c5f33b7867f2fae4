package detect

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
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
)

// addKnown makes anchors of each value in the forms in which it may travel.
func (b *builder) addKnown(known []Known) error {
	for i, k := range known {
		if len(k.Value) < minKnown {
			return errors.New("a known value needs at least 8 bytes")
		}
		for _, f := range forms255(k.Value) {
			b.add(f, anchor{kind: anchorKnown, rule: uint16(i)})
		}
	}
	return nil
}

// forms255 returns the value plain, backwards, percent-encoded, in hexadecimal, and in base64 at each of the three
// alignments it may have inside a longer text; each cut to what an automaton holds.
func forms255(v []byte) []string {
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
			s = s[[3]int{0, 2, 3}[pad] : len(shifted)*8/6]
			all = append(all, s)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	for i, s := range all {
		all[i] = s[:min(len(s), 200)]
	}
	return all
}

// end returns where the value ends of which text[at:end] is the begin, or a form of it: of a long value the automaton holds
// the begin alone.
func (k *Known) end(text []byte, at, end int) int {
	if whole := at + len(k.Value); whole > end && whole <= len(text) && bytes.EqualFold(text[at:whole], k.Value) {
		return whole
	}
	return end
}
