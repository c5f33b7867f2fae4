package detect

import "math"

// set is a set of bytes.
type set [4]uint64

func (s *set) has(b byte) bool { return s[b>>6]>>(b&63)&1 != 0 }
func (s *set) add(b byte)      { s[b>>6] |= 1 << (b & 63) }

func setOf(chars string, ranges ...string) set {
	var s set
	for i := range len(chars) {
		s.add(chars[i])
	}
	for _, r := range ranges {
		for b := int(r[0]); b <= int(r[1]); b++ {
			s.add(byte(b))
		}
	}
	return s
}

// kinds of bytes, as bits in one table, for the loops that touch every byte.
const (
	isDigit uint8 = 1 << iota
	isLower
	isUpper
	isSpace  // space, tab, line ends
	isBase64 // both alphabets, without padding
	isHex
	isMark   // what makes a text worth a second look as personal data: digits and @
	isHigh   // not ASCII
	isLetter = isLower | isUpper
	isAlnum  = isLetter | isDigit
)

// kindOf is the table; a composite literal would hide what it says.
var kindOf = func() (t [256]uint8) {
	for b := range 256 {
		switch {
		case b >= '0' && b <= '9':
			t[b] = isDigit | isBase64 | isHex | isMark
		case b >= 'a' && b <= 'z':
			t[b] = isLower | isBase64
		case b >= 'A' && b <= 'Z':
			t[b] = isUpper | isBase64
		case b == ' ' || b == '\t' || b == '\n' || b == '\r':
			t[b] = isSpace
		case b >= 0x80:
			t[b] = isHigh
		}
		if b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F' {
			t[b] |= isHex
		}
	}
	t['@'] |= isMark
	for _, b := range "+/-_" {
		t[b] |= isBase64
	}
	return t
}()

func is(b byte, kind uint8) bool { return kindOf[b]&kind != 0 }

func lower(b byte) byte {
	if b >= 'A' && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// run returns the end of the bytes of one kind from at on.
func run(t []byte, at int, kind uint8) int {
	for at < len(t) && kindOf[t[at]]&kind != 0 {
		at++
	}
	return at
}

// runBack returns the begin of the bytes of one kind that end before at.
func runBack(t []byte, at int, kind uint8) int {
	for at > 0 && kindOf[t[at-1]]&kind != 0 {
		at--
	}
	return at
}

// foldEqual compares with an ASCII literal in lower case.
func foldEqual(t []byte, literal string) bool {
	if len(t) != len(literal) {
		return false
	}
	for i := range t {
		if lower(t[i]) != literal[i] {
			return false
		}
	}
	return true
}

func foldPrefix(t []byte, literal string) bool {
	return len(t) >= len(literal) && foldEqual(t[:len(literal)], literal)
}

func foldSuffix(t []byte, literal string) bool {
	return len(t) >= len(literal) && foldEqual(t[len(t)-len(literal):], literal)
}

// foldContains is for short texts: names of fields, values of a few dozen bytes.
func foldContains(t []byte, literal string) bool {
	for i := 0; i+len(literal) <= len(t); i++ {
		if lower(t[i]) == literal[0] && foldEqual(t[i:i+len(literal)], literal) {
			return true
		}
	}
	return false
}

// entropy is Shannon's, in bits a byte. It looks at 256 bytes at most.
func entropy(t []byte) float64 {
	t = t[:min(len(t), 256)]
	var count [256]uint16
	for _, b := range t {
		count[b]++
	}
	h, n := 0.0, float64(len(t))
	short := len(t) < len(share)
	for _, b := range t {
		c := count[b]
		switch {
		case c == 0:
			continue
		case short:
			h -= share[len(t)][c]
		default:
			p := float64(c) / n
			h -= p * math.Log2(p)
		}
		count[b] = 0
	}
	return h
}

// share is what c bytes that are the same add to the entropy of n, for n below 65.
var share = func() (s [65][65]float64) {
	for n := range s {
		for c := 1; c <= n; c++ {
			p := float64(c) / float64(n)
			s[n][c] = p * math.Log2(p)
		}
	}
	return s
}()
