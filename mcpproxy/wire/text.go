package wire

import "unicode/utf8"

// Unquote returns the text of a raw JSON string that [Parse] has accepted. It reports false where the value is no
// string or holds a lone surrogate, which is no character and which parsers replace differently. It allocates only where
// the string has escapes; otherwise the text points into raw.
func Unquote(raw []byte) (text []byte, ok bool) {
	if !isString(raw) {
		return nil, false
	}
	in := raw[1 : len(raw)-1]
	for i, c := range in {
		if c == '\\' {
			return unescape(append(make([]byte, 0, len(in)), in[:i]...), in[i:])
		}
	}
	return in, true
}

// unescape appends the text of the inside of a string. It reports false where a surrogate has no partner; that stands
// as U+FFFD then.
func unescape(dst, in []byte) (text []byte, sound bool) {
	sound = true
	for i := 0; i < len(in); {
		switch {
		case in[i] != '\\':
			dst = append(dst, in[i])
			i++
		case in[i+1] == 'u':
			r, n, ok := codePoint(in[i:])
			sound = sound && ok
			dst = utf8.AppendRune(dst, r)
			i += n
		default:
			dst = append(dst, escapes[in[i+1]])
			i += 2
		}
	}
	return dst, sound
}

var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// codePoint decodes the \u escape at the start of b, together with its partner where it is half of a pair.
func codePoint(b []byte) (r rune, length int, ok bool) {
	r, _ = hex4(b[2:])
	if r < 0xd800 || r > 0xdfff {
		return r, 6, true
	}
	if r <= 0xdbff && len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
		if low, _ := hex4(b[8:]); low >= 0xdc00 && low <= 0xdfff {
			return 0x10000 + (r-0xd800)<<10 + (low - 0xdc00), 12, true
		}
	}
	return utf8.RuneError, 6, false
}

// AppendQuote appends text as a JSON string, escaping only what RFC 8259 section 7 demands. Invalid UTF-8 becomes
// U+FFFD.
func AppendQuote[T []byte | string](dst []byte, text T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
			i++
		case c == '\n':
			dst = append(dst, '\\', 'n')
			i++
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(string(text[i:min(len(text), i+utf8.UTFMax)]))
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return append(dst, '"')
}
