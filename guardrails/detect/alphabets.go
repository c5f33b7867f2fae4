package detect

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// unhex decodes pairs; a checksum decodes to noise and is given up after a few bytes.
func unhex(dst, v []byte) ([]byte, bool) {
	if len(v)%2 != 0 {
		return dst, false
	}
	for i := 0; i < len(v); i += 2 {
		if !is(v[i], isHex) || !is(v[i+1], isHex) {
			return dst, false
		}
		dst = append(dst, nibble(v[i])<<4|nibble(v[i+1]))
		if i == 14 && !promising(dst) {
			return dst, false
		}
	}
	return dst, true
}

func nibble(b byte) byte {
	if is(b, isDigit) {
		return b - '0'
	}
	return lower(b) - 'a' + 10
}

// unbase64 decodes either alphabet, with or without padding, over line ends.
func unbase64(dst, v []byte) ([]byte, bool) {
	acc, n := uint32(0), 0
	checked := false
	for _, b := range v {
		x := sixBits(b)
		if x < 0 {
			if b == '=' || is(b, isSpace) {
				continue
			}
			return dst, false
		}
		acc = acc<<6 | uint32(x)
		if n++; n == 4 {
			dst = append(dst, byte(acc>>16), byte(acc>>8), byte(acc))
			acc, n = 0, 0
			if !checked && len(dst) >= 9 {
				checked = true
				if !promising(dst) {
					return dst, false
				}
			}
		}
	}
	switch n {
	case 2:
		dst = append(dst, byte(acc>>4))
	case 3:
		dst = append(dst, byte(acc>>10), byte(acc>>2))
	}
	return dst, n != 1 && len(dst) >= 8
}

// unbase32 decodes capitals and the digits 2 to 7 (RFC 4648), with or without padding.
func unbase32(dst, v []byte) ([]byte, bool) {
	acc, n := uint32(0), 0
	for _, b := range v {
		switch {
		case is(b, isUpper):
			b -= 'A'
		case b >= '2' && b <= '7':
			b -= '2' - 26
		case b == '=':
			continue
		default:
			return dst, false
		}
		acc, n = acc<<5|uint32(b), n+5
		if n >= 8 {
			n -= 8
			if dst = append(dst, byte(acc>>n)); len(dst) == 8 && !promising(dst) {
				return dst, false
			}
		}
	}
	return dst, len(dst) >= 8
}

// isWide holds for UTF-16 in which ASCII is written: of the first three units each has one byte that is zero, and always
// the same one. A mark of the byte order may stand before.
func isWide(v []byte) bool {
	if len(v) >= 2 && (v[0] == 0xff && v[1] == 0xfe || v[0] == 0xfe && v[1] == 0xff) {
		v = v[2:]
	}
	if len(v) < 6 {
		return false
	}
	even, odd := v[0]|v[2]|v[4], v[1]|v[3]|v[5]
	return even == 0 && v[1] != 0 && v[3] != 0 && v[5] != 0 || odd == 0 && v[0] != 0 && v[2] != 0 && v[4] != 0
}

// narrow writes UTF-16 as UTF-8.
func narrow(v []byte) []byte {
	order := binary.ByteOrder(binary.LittleEndian)
	if v[0] == 0 || v[0] == 0xfe {
		order = binary.BigEndian
	}
	out := make([]byte, 0, len(v))
	for len(v) >= 2 {
		r, size := rune(order.Uint16(v)), 2
		if utf16.IsSurrogate(r) && len(v) >= 4 {
			r, size = utf16.DecodeRune(r, rune(order.Uint16(v[2:]))), 4
		}
		if v = v[size:]; r != 0xfeff {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

func sixBits(b byte) int {
	switch {
	case is(b, isUpper):
		return int(b - 'A')
	case is(b, isLower):
		return int(b-'a') + 26
	case is(b, isDigit):
		return int(b-'0') + 52
	case b == '+' || b == '-':
		return 62
	case b == '/' || b == '_':
		return 63
	}
	return -1
}
