package detect

import "bytes"

// What a reader, a terminal or a compiler leaves out divides words in the plain bytes: comments of HTML, control
// characters, colours, and the quotes and the plus between two parts of a literal.

// maxColour bounds the sequence of a terminal, and maxPlus what stands between two parts of a literal.
const (
	maxColour = 32
	maxPlus   = 96
)

// divided holds where a text may have parts that are left out.
func divided(t []byte, sees uint16) bool {
	return sees&seesControl != 0 || sees&seesTag != 0 && bytes.Contains(t, []byte("<!--")) || sees&(seesPlus|seesQuote) == seesPlus|seesQuote && addsLiterals(t)
}

// addsLiterals holds where a plus stands between quotes.
func addsLiterals(t []byte) bool {
	for i := 0; i < len(t); i++ {
		n := bytes.IndexByte(t[i:], '+')
		if n < 0 {
			return false
		}
		i += n
		lo := i
		for lo > 0 && i-lo < maxPlus && is(t[lo-1], isSpace) {
			lo--
		}
		if lo > 0 && isQuote(t[lo-1]) && literalPlus(t[lo-1:]) > 0 {
			return true
		}
	}
	return false
}

// splice writes a text without what divides its words.
func splice(dst, t []byte, o *offsets) ([]byte, bool) {
	joined, open := false, bytes.Contains(t, []byte("-->"))
	for i := 0; i < len(t); {
		n, colour := 0, false
		switch b := t[i]; {
		case b == '<' && open && bytes.HasPrefix(t[i:], []byte("<!--")):
			end := bytes.Index(t[i+4:], []byte("-->"))
			if open = end >= 0; open {
				n = 4 + end + 3
			}
		case b == 0x1b:
			n, colour = colourSize(t[i:]), true
		case b < ' ' && !is(b, isSpace) || b == 0x7f:
			n = 1
		case isQuote(b):
			n = literalPlus(t[i:])
		}
		if n > 0 {
			joined = joined || partsMeet(dst, t[i+n:], colour)
			i += n
			continue
		}
		lo := i
		for i++; i < len(t) && !divides.has(t[i]); i++ {
		}
		o.mark(len(dst), lo, false)
		dst = append(dst, t[lo:i]...)
	}
	return dst, joined
}

// divides are the bytes at which something may begin that is left out.
var divides = func() set {
	s := setOf("<\"'`\x7f")
	for b := range byte(' ') {
		if !is(b, isSpace) {
			s.add(b)
		}
	}
	return s
}()

// partsMeet holds where two ends may be parts of one thing. Colours stand between words in every log; between numbers they
// stand with a blank.
func partsMeet(a, b []byte, colour bool) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	x, y := a[len(a)-1], b[0]
	switch {
	case tokenByte(x) && tokenByte(y):
		return true
	case !colour:
		return tokenByte(x) && y == ' ' || x == ' ' && tokenByte(y)
	case x == ' ' && len(a) > 1:
		x = a[len(a)-2]
	case y == ' ' && len(b) > 1:
		y = b[1]
	}
	return is(x, isDigit) && is(y, isDigit)
}

// colourSize returns the size of the control sequence that t begins with (ECMA-48, 5.4), or of the escape alone.
func colourSize(t []byte) int {
	if len(t) < 2 || t[1] != '[' {
		return 1
	}
	for i := 2; i < min(len(t), maxColour); i++ {
		if b := t[i]; b >= '@' && b <= '~' {
			return i + 1
		} else if b < ' ' || b > '~' {
			break
		}
	}
	return 1
}

// literalPlus returns the size of the quotes at the begin of t with the plus between them, or 0.
func literalPlus(t []byte) int {
	i := run(t[:min(len(t), maxPlus)], 1, isSpace)
	if i >= len(t) || t[i] != '+' {
		return 0
	}
	i = run(t[:min(len(t), maxPlus)], i+1, isSpace)
	if i >= len(t) || !isQuote(t[i]) {
		return 0
	}
	return i + 1
}

func isQuote(b byte) bool { return b == '"' || b == '\'' || b == '`' }
