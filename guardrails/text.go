package guardrails

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// appendUnescaped appends the text of the inside of a JSON string. A surrogate without a partner is U+FFFD.
func appendUnescaped(dst, in []byte) []byte {
	for len(in) > 0 {
		n := bytes.IndexByte(in, '\\')
		if n < 0 {
			return append(dst, in...)
		}
		dst = append(dst, in[:n]...)
		r, size := unescape(in[n:])
		dst = utf8.AppendRune(dst, r)
		in = in[n+size:]
	}
	return dst
}

// stringBreak returns the first quote or backslash from i on, of which there is one. It looks at eight bytes at a time, and
// leaves what is longer to [bytes.IndexByte], which looks at more: for each string, once to the first quote and once to there.
func stringBreak(b []byte, i int) int {
	for most := min(i+shortString, len(b)); i+8 <= most; i += 8 {
		if at := breaks(binary.LittleEndian.Uint64(b[i:])); at != 0 {
			return i + bits.TrailingZeros64(at)/8
		}
	}
	end := i + max(bytes.IndexByte(b[i:], '"'), 0) // there is one
	if at := bytes.IndexByte(b[i:end], '\\'); at >= 0 {
		return i + at
	}
	return end
}

// shortString is the length, in bytes, of strings that are read faster by words.
const shortString = 64

// breaks has the top bit of the first byte that is a quote or a backslash, and of none before it.
func breaks(v uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, slash := v^'"'*ones, v^'\\'*ones
	return ((quote-ones)&^quote | (slash-ones)&^slash) & tops
}

// unescapeString appends the text of the JSON string whose inside begins at i, and returns where the string ends.
func unescapeString(dst, raw []byte, i int) (text []byte, end int) {
	// A text is no longer than what it is written with; eight bytes more let words be copied whole.
	dst = slices.Grow(dst, len(raw)-i+8)
	out := dst[:cap(dst)]
	n := len(dst)
	for {
		if i+8 <= len(raw) {
			v := binary.LittleEndian.Uint64(raw[i:])
			binary.LittleEndian.PutUint64(out[n:], v)
			at := breaks(v)
			if at == 0 {
				i, n = i+8, n+8
				continue
			}
			skip := bits.TrailingZeros64(at) / 8
			i, n = i+skip, n+skip
		}
		switch raw[i] {
		case '"':
			return out[:n], i + 1
		case '\\':
			r, size := unescape(raw[i:])
			if i += size; r < utf8.RuneSelf {
				out[n] = byte(r)
				n++
			} else {
				n = len(utf8.AppendRune(out[:n], r))
			}
		default:
			out[n] = raw[i]
			i, n = i+1, n+1
		}
	}
}

// unescape reads the escape at the begin of b.
func unescape(b []byte) (r rune, size int) {
	switch b[1] {
	case 'u':
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	default:
		return rune(b[1]), 2
	}
	r = hex4(b[2:])
	switch {
	case r < 0xd800 || r > 0xdfff:
		return r, 6
	case r < 0xdc00 && len(b) >= 12 && b[6] == '\\' && b[7] == 'u':
		if low := hex4(b[8:]); low >= 0xdc00 && low <= 0xdfff {
			return 0x10000 + (r-0xd800)<<10 + low - 0xdc00, 12
		}
	}
	return utf8.RuneError, 6
}

func hex4(b []byte) (r rune) {
	for _, c := range b[:4] {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}

// escapedSpan returns which bytes of the inside of a JSON string hold bytes lo..hi of its text.
func escapedSpan(in []byte, lo, hi int) (from, to int) {
	from = -1
	for at, i := 0, 0; i < len(in); {
		size, wide := 1, 1
		if in[i] == '\\' {
			r, n := unescape(in[i:])
			size, wide = n, utf8.RuneLen(r)
		}
		if from < 0 && at+wide > lo {
			from = i
		}
		at, i = at+wide, i+size
		if at >= hi {
			return max(from, 0), i
		}
	}
	return max(from, 0), len(in)
}

// maxWhole bounds the digits that a number is written out with. No number that means anything to anybody has more.
const maxWhole = 40

// appendWhole appends a JSON number with a fraction or an exponent as its digits, if it is a whole number of a sensible
// size.
func appendWhole(dst, number []byte) (out []byte, ok bool) {
	mantissa, exp := number, 0
	if e := bytes.IndexAny(number, "eE"); e >= 0 {
		mantissa = number[:e]
		sign, digits := 1, number[e+1:]
		switch digits[0] {
		case '-':
			sign, digits = -1, digits[1:]
		case '+':
			digits = digits[1:]
		}
		for _, c := range digits {
			if exp = exp*10 + int(c-'0'); exp > maxWhole {
				return dst, false
			}
		}
		exp *= sign
	}
	whole, part, _ := bytes.Cut(bytes.TrimPrefix(mantissa, []byte("-")), []byte("."))
	part = bytes.TrimRight(part, "0")
	switch zeros := exp - len(part); {
	case zeros >= 0 && len(whole)+exp <= maxWhole:
		dst = append(append(dst, whole...), part...)
		for range zeros {
			dst = append(dst, '0')
		}
		return dst, true
	case zeros < 0 && len(part) == 0 && -exp < len(whole) && len(bytes.TrimRight(whole[len(whole)+exp:], "0")) == 0:
		return append(dst, whole[:len(whole)+exp]...), true
	default:
		return dst, false
	}
}

// role is what the name of a member says about it and its neighbours.
type role uint8

const (
	roleNone role = iota
	roleLabel
	roleValue
)

// roleOf tells {"name": "token", "value": "..."} apart from other members.
func roleOf(name []byte) role {
	if len(name) > 11 {
		return roleNone
	}
	switch string(name) {
	case "name", "Name", "key", "Key", "label", "Label", "field", "title", "header", "id", "type", "parameter", "variable", "property", "attribute", "column":
		return roleLabel
	case "value", "Value", "val", "content", "data", "text", "default", "answer", "string", "stringValue":
		return roleValue
	}
	return roleNone
}

// isHeader holds for names of lists that name columns.
func isHeader(name []byte) bool {
	switch string(name) {
	case "columns", "Columns", "headers", "header", "fields":
		return true
	}
	return false
}

// mediaStarts are how pictures, sounds, documents and archives begin in base64.
var mediaStarts = [...]string{"iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "JVBERi0", "SUQz", "T2dnUw", "//uQ", "//vQ", "ZkxhQ", "UEsDB", "AAAAIGZ0eX", "AAAAGGZ0eX", "AAAAHGZ0eX", "Qk0", "SUkqA", "N3q8ry", "GkXfo"}

const minMedia = 64

// isMedia reports whether a text is an encoded picture, sound, document or archive. Nobody can say what one shows.
func isMedia(text []byte) bool {
	if len(text) < minMedia {
		return false
	}
	if head, _, ok := bytes.Cut(text[:minMedia], []byte(";base64,")); ok && bytes.HasPrefix(head, []byte("data:")) {
		text = text[len(head)+len(";base64,"):]
	}
	for _, start := range mediaStarts {
		if len(text) >= len(start) && string(text[:len(start)]) == start {
			return isBase64(text)
		}
	}
	return false
}

func isBase64(text []byte) bool {
	for _, c := range text {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '+' && c != '/' && c != '-' && c != '_' && c != '=' && c != '\n' && c != '\r' {
			return false
		}
	}
	return true
}
