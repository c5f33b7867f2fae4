package detect

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// percent reads %41.
func percent(dst, t []byte, o *offsets) ([]byte, bool) {
	other := false
	for i := 0; i < len(t); {
		if t[i] == '%' && i+2 < len(t) && is(t[i+1], isHex) && is(t[i+2], isHex) {
			o.mark(len(dst), i, true)
			dst = append(dst, nibble(t[i+1])<<4|nibble(t[i+2]))
			i += 3
			other = true
			continue
		}
		dst, i = plain(dst, t, i, '%', o)
	}
	return dst, other
}

// plain copies up to the next byte that may begin something, and at least one.
func plain(dst, t []byte, i int, stop byte, o *offsets) ([]byte, int) {
	o.mark(len(dst), i, false)
	n := bytes.IndexByte(t[i+1:], stop)
	if n < 0 {
		return append(dst, t[i:]...), len(t)
	}
	return append(dst, t[i:i+1+n]...), i + 1 + n
}

// entities reads &#65; &#x41; and the few names that matter.
func entities(dst, t []byte, o *offsets) ([]byte, bool) {
	other := false
	for i := 0; i < len(t); {
		if t[i] == '&' {
			if r, n := entity(t[i:]); n > 0 {
				o.mark(len(dst), i, true)
				dst = utf8.AppendRune(dst, r)
				i += n
				other = true
				continue
			}
		}
		dst, i = plain(dst, t, i, '&', o)
	}
	return dst, other
}

func entity(t []byte) (rune, int) {
	end := bytes.IndexByte(t[:min(len(t), 12)], ';')
	if end < 2 {
		return 0, 0
	}
	name := string(t[1:end])
	if name[0] == '#' {
		base, digits := 10, name[1:]
		if len(digits) > 1 && lower(digits[0]) == 'x' {
			base, digits = 16, digits[1:]
		}
		v, err := strconv.ParseUint(digits, base, 21)
		if err != nil || v > utf8.MaxRune {
			return 0, 0
		}
		return rune(v), end + 1
	}
	for _, e := range [...]struct {
		name string
		r    rune
	}{
		{"amp", '&'},
		{"lt", '<'},
		{"gt", '>'},
		{"quot", '"'},
		{"apos", '\''},
		{"nbsp", ' '},
		{"commat", '@'},
		{"period", '.'},
		{"colon", ':'},
		{"sol", '/'},
		{"equals", '='},
		{"lowbar", '_'},
		{"hyphen", '-'},
		{"dash", '-'},
		{"shy", 0xAD},
		{"zwnj", 0x200C},
		{"zwj", 0x200D},
		{"lpar", '('},
		{"rpar", ')'},
		{"lsqb", '['},
		{"rsqb", ']'},
		{"num", '#'},
		{"plus", '+'},
	} {
		if e.name == name {
			return e.r, end + 1
		}
	}
	return 0, 0
}

// escapes reads the escapes of string literals: \u0041, \x41, \101 is left alone, and the short ones.
func escapes(dst, t []byte, o *offsets) ([]byte, bool) {
	other := false
	for i := 0; i < len(t); {
		if t[i] == '\\' && i+1 < len(t) {
			if r, n := escape(t[i:]); n > 0 {
				o.mark(len(dst), i, true)
				dst = utf8.AppendRune(dst, r)
				i += n
				other = true
				continue
			}
		}
		dst, i = plain(dst, t, i, '\\', o)
	}
	return dst, other
}

func escape(t []byte) (rune, int) {
	switch t[1] {
	case 'n':
		return '\n', 2
	case 't':
		return '\t', 2
	case '"', '\\', '/':
		return rune(t[1]), 2
	case 'x':
		return hexRune(t, 2, 2)
	case 'u':
		r, n := hexRune(t, 2, 4)
		if n > 0 && r >= 0xD800 && r < 0xDC00 && len(t) >= 12 && t[6] == '\\' && t[7] == 'u' {
			if low, m := hexRune(t[6:], 2, 4); m > 0 && low >= 0xDC00 && low < 0xE000 {
				return (r-0xD800)<<10 + (low - 0xDC00) + 0x10000, 12
			}
		}
		return r, n
	}
	return 0, 0
}

func hexRune(t []byte, at, digits int) (r rune, n int) {
	if len(t) < at+digits {
		return 0, 0
	}
	for _, b := range t[at : at+digits] {
		if !is(b, isHex) {
			return 0, 0
		}
		r = r<<4 | rune(nibble(b))
	}
	return r, at + digits
}

// padded holds for what ends with a digest or longer in base64, of which the padding is the end, so that nothing goes on in
// the next line: lists of dependencies have one in each line.
func padded(t []byte) bool {
	n := len(t)
	for n > 0 && len(t)-n < 2 && t[n-1] == '=' {
		n--
	}
	if n == len(t) {
		return false
	}
	lo := runBack(t, n, isBase64)
	if name := bytes.IndexByte(t[lo:n], '-'); name >= 0 && name <= len("sha512") {
		lo += name + 1 // as Subresource Integrity writes it
	}
	return n-lo >= 40 && (len(t)-lo)%4 == 0
}

// quotedPrintable reads =3D and soft line ends, where there are at least three.
func quotedPrintable(dst, t []byte, o *offsets) ([]byte, bool) {
	n := 0
	for i := 0; i < len(t); {
		if t[i] == '=' && i+2 < len(t) && (is(t[i+1], isHex) && is(t[i+1], isUpper|isDigit) && is(t[i+2], isHex) && is(t[i+2], isUpper|isDigit)) {
			o.mark(len(dst), i, true)
			dst = append(dst, nibble(t[i+1])<<4|nibble(t[i+2]))
			i += 3
			n++
			continue
		}
		if t[i] == '=' && i+1 < len(t) && t[i+1] == '\n' && !padded(t[:i+1]) {
			i += 2
			n++
			continue
		}
		dst, i = plain(dst, t, i, '=', o)
	}
	return dst, n >= 3
}
