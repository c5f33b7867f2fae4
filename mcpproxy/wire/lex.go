package wire

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// lexString returns the index past the closing quote of the string that opens at b[i], and whether it has escapes.
func lexString(b []byte, i int) (end int, escaped bool, p *Problem) {
	start := i + 1
	i = start
	var seen uint64
	for {
		var run uint64
		i, run = lexPlain(b, i)
		seen |= run
		switch {
		case i == len(b):
			return i, escaped, NotJSON
		case b[i] == '"':
			if seen&highs != 0 && !utf8.Valid(b[start:i]) {
				return start, escaped, NotUTF8
			}
			return i + 1, escaped, nil
		case b[i] != '\\':
			return i, escaped, NotJSON
		}
		escaped = true
		n := lexEscape(b[i:])
		if n == 0 {
			return i, escaped, NotJSON
		}
		i += n
	}
}

// lexPlain returns the index of the first byte at or after i that is a quote, a backslash or a control character, and
// the bits of all bytes before it, which tell whether any is outside ASCII. It reads eight bytes at a time: long strings
// are most of what passes through.
func lexPlain(b []byte, i int) (end int, seen uint64) {
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash := x^(ones*'"'), x^(ones*'\\')
		hit := ((quote-ones)&^quote | (slash-ones)&^slash | (x-ones*0x20)&^x) & highs
		if hit != 0 {
			n := bits.TrailingZeros64(hit) >> 3
			return i + n, seen | x&(1<<(8*n)-1)
		}
		seen |= x
		i += 8
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= 0x20 {
		seen |= uint64(b[i])
		i++
	}
	return i, seen
}

// lexEscape returns the length of the escape at the start of b, 0 where it is none.
func lexEscape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b[2:]); ok {
			return 6
		}
	}
	return 0
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// lexNumber returns the index past the number at b[i].
func lexNumber(b []byte, i int) (end int, p *Problem) {
	start := i
	if b[i] == '-' {
		i++
	}
	first := i
	i = digits(b, i)
	if i == first || b[first] == '0' && i > first+1 {
		return i, NotJSON
	}
	if i < len(b) && b[i] == '.' {
		n := digits(b, i+1)
		if n == i+1 {
			return n, NotJSON
		}
		i = n
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		n := digits(b, i)
		if n == i {
			return n, NotJSON
		}
		i = n
	}
	if i-start > maxNumber {
		return start, LongNumber
	}
	return i, nil
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// lexLiteral returns the index past true, false or null at b[i].
func lexLiteral(b []byte, i int) (end int, p *Problem) {
	for _, l := range [...]string{"true", "false", "null"} {
		if len(b)-i >= len(l) && string(b[i:i+len(l)]) == l {
			return i + len(l), nil
		}
	}
	return i, NotJSON
}

// space returns the index of the first byte at or after i that is not white space.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}
