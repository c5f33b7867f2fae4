package detect

// Bytes written one by one as numbers: 67 68 70, 67:68:70, 0x67, 0x68, [103, 104, 112].

const (
	// leastCodes is how many codes in a row make a text.
	leastCodes = 8
	// leastStretch is the least size of a stretch: two digits and a mark for each code.
	leastStretch = 3*leastCodes - 1
	// A look at codeWindow bytes every codeStride bytes lets no stretch slip through.
	codeWindow = 8
	codeStride = leastStretch + 1 - codeWindow
	// maxGroup is how many hexadecimal digits stand together at most, as in dumps of memory.
	maxGroup = 16
)

// codeBytes are what stretches of codes are made of: digits, and what stands between them.
var codeBytes = func() (t [256]bool) {
	for b := range 256 {
		t[b] = is(byte(b), isHex|isSpace)
	}
	for _, b := range []byte("xX,;:.|-_/+'\"") {
		t[b] = true
	}
	return t
}()

// codes reads t from lo on, with its codes as hexadecimal and as decimal numbers: 52 may be either.
func (e *Engine) codes(s *Scratch, t []byte, lo int, p piece, tr *trail, depth int) {
	first, _ := nextStretch(t, lo)
	if first < 0 {
		return
	}
	lv := &s.levels[depth]
	for _, hexadecimal := range [2]bool{true, false} {
		lv.spans.reset(len(t))
		out, other := readCodes(lv.view[:0], t, lo, first, hexadecimal, &lv.spans)
		lv.view = out
		if other {
			e.descend(s, out, &lv.spans, p, tr, depth, stepCodes, len(t))
		}
	}
}

// nextStretch returns the next bytes from at on that may all belong to codes; -1 where there are too few.
func nextStretch(t []byte, at int) (from, to int) {
	for i := at + codeWindow - 1; i < len(t); i += codeStride {
		if w := t[i-codeWindow+1 : i+1 : i+1]; !codeBytes[w[7]] || !codeBytes[w[4]] || !codeBytes[w[2]] || !codeBytes[w[0]] {
			continue
		}
		from, to = i, i+1
		for from > at && codeBytes[t[from-1]] {
			from--
		}
		for to < len(t) && codeBytes[t[to]] {
			to++
		}
		if from > 0 && is(t[from], isAlnum) && is(t[from-1], isAlnum) {
			from = run(t, from, isAlnum) // the end of a word
		}
		if to-from >= leastStretch {
			return from, to
		}
		at = to
		i = max(i, to+codeWindow-1-codeStride)
	}
	return -1, 0
}

// readCodes writes t from lo on with the text that codes stand for, the first of which are not before at. It writes
// nothing where there is none.
func readCodes(dst, t []byte, lo, at int, hexadecimal bool, o *offsets) ([]byte, bool) {
	done := lo
	for from, to := nextStretch(t, at); from >= 0; from, to = nextStretch(t, to) {
		for to-from >= leastStretch {
			begin, end, text := sequence(t[:to], from, hexadecimal)
			if text {
				quoted := 0
				if begin > done && end < len(t) && isQuote(t[begin-1]) && isQuote(t[end]) {
					quoted = 1 // the quotes are the codes', not the text's
				}
				o.mark(len(dst), done, false)
				dst = append(dst, t[done:begin-quoted]...)
				dst = decodeCodes(dst, t[:end], begin, hexadecimal, o)
				o.mark(len(dst), end, false)
				done = end + quoted
			}
			from = max(end, from+1)
		}
	}
	if done == lo {
		return dst, false
	}
	o.mark(len(dst), done, false)
	return append(dst, t[done:]...), true
}

// sequence returns the next stretch of t in which every word is a code, and whether some leastCodes in a row are text.
func sequence(t []byte, at int, hexadecimal bool) (begin, end int, text bool) {
	var seen streak
	begin, end = -1, len(t)
	for at < len(t) {
		lo, hi := word(t, at)
		if at = hi; lo == hi {
			break
		}
		v := codeOf(t[lo:hi], hexadecimal)
		if len(v) == 0 {
			if begin < 0 {
				continue
			}
			return begin, end, seen.longest >= leastCodes
		}
		if begin < 0 {
			begin = lo
		}
		end = hi
		for len(v) > 0 {
			var b byte
			b, v = nextCode(v, hexadecimal)
			seen.add(b)
		}
	}
	if begin < 0 {
		return begin, len(t), false
	}
	return begin, end, seen.longest >= leastCodes
}

// decodeCodes writes what the codes of a sequence stand for. What is no text ends a line, but zero: it pads wide
// characters.
func decodeCodes(dst, t []byte, at int, hexadecimal bool, o *offsets) []byte {
	for at < len(t) {
		lo, hi := word(t, at)
		at = hi
		from := lo
		for v := codeOf(t[lo:hi], hexadecimal); len(v) > 0; from = hi - len(v) {
			var b byte
			if b, v = nextCode(v, hexadecimal); b == 0 {
				continue
			}
			if b < ' ' || b == 0x7f {
				b = '\n'
			}
			o.mark(len(dst), from, true)
			dst = append(dst, b)
		}
	}
	return dst
}

// word returns the next digits and letters from at on.
func word(t []byte, at int) (lo, hi int) {
	for at < len(t) && !is(t[at], isAlnum) {
		at++
	}
	return at, run(t, at, isAlnum)
}

// codeOf returns the digits of a code, or nothing where a word is none: pairs of hexadecimal digits, with 0x or without,
// or a decimal number of two or three digits.
func codeOf(v []byte, hexadecimal bool) []byte {
	kind := isDigit
	if hexadecimal {
		kind = isHex
		if len(v) > 2 && v[0] == '0' && lower(v[1]) == 'x' {
			v = v[2:]
		}
		if len(v)%2 != 0 || len(v) > maxGroup {
			return nil
		}
	} else if len(v) < 2 || len(v) > 3 || len(v) == 3 && valueOf(v) > 255 {
		return nil
	}
	if run(v, 0, kind) < len(v) {
		return nil
	}
	return v
}

// nextCode reads one byte of the digits of a code.
func nextCode(v []byte, hexadecimal bool) (byte, []byte) {
	if hexadecimal {
		return nibble(v[0])<<4 | nibble(v[1]), v[2:]
	}
	return byte(valueOf(v)), nil
}

func valueOf(v []byte) int {
	n := 0
	for _, b := range v {
		n = n*10 + digit(b)
	}
	return n
}

// streak counts characters in a row that are text, in ASCII or UTF-8.
type streak struct{ now, longest, due int }

func (s *streak) add(b byte) {
	switch {
	case b == 0: // half of a wide character
		return
	case b < 0x80:
		if s.due > 0 || b < ' ' && !is(b, isSpace) || b == 0x7f {
			s.now, s.due = 0, 0
		}
		if b >= ' ' && b != 0x7f || is(b, isSpace) {
			s.now++
		}
	case s.due > 0 && b < 0xc0:
		if s.due--; s.due == 0 {
			s.now++
		}
	case s.due == 0 && b >= 0xc2 && b < 0xe0:
		s.due = 1
	case s.due == 0 && b >= 0xe0 && b < 0xf0:
		s.due = 2
	case s.due == 0 && b >= 0xf0 && b < 0xf5:
		s.due = 3
	default:
		s.now, s.due = 0, 0
	}
	s.longest = max(s.longest, s.now)
}

// CodeRun counts elements of a JSON array in a row that may be codes.
type CodeRun struct{ now, longest int }

// Add counts an element as it is written.
func (r *CodeRun) Add(element []byte) {
	n := len(element)
	if n <= 3 && is(element[0], isDigit) || n > 3 && n <= 6 && element[0] == '"' && is(element[1], isHex) {
		r.now++
		r.longest = max(r.longest, r.now)
		return
	}
	r.now = 0
}

// Text holds where there are enough for a text.
func (r *CodeRun) Text() bool { return r.longest >= leastCodes }
