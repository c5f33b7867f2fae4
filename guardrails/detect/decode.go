package detect

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"unicode/utf8"
)

const minRun = 12

// runs finds stretches of base64 and hexadecimal and scans what they decode to. It looks at every minRun-th
// byte, so that no stretch of that length slips through.
func (e *Engine) runs(s *Scratch, text []byte, pieces []piece, tr *trail, depth int) {
	k := 0
	for i := minRun - 1; i < len(text); i += minRun {
		if !is(text[i], isBase64) {
			continue
		}
		lo, hi := i, i+1
		for lo > 0 && is(text[lo-1], isBase64) {
			lo--
		}
		hi = run(text, hi, isBase64)
		if hi-lo < minRun {
			continue
		}
		for int(pieces[k].hi) <= lo {
			k++
		}
		p := pieces[k]
		tr.enter(&p)
		hi = int(p.lo) + e.encoded(s, text[p.lo:p.hi], lo-int(p.lo), hi-int(p.lo), p, tr, depth)
		i = max(i, hi-minRun)
	}
}

// encoded decides about one stretch of t, and returns how far it has been read: what goes on over many lines is read once.
func (e *Engine) encoded(s *Scratch, t []byte, lo, hi int, p piece, tr *trail, depth int) (read int) {
	read = hi
	leaf := int(p.leaf)
	e.longToken(s, t, lo, hi, leaf, tr)
	if depth == maxDepth || s.budget.candidates < 0 || s.budget.bytes < 0 || s.budget.effort < 0 {
		return read
	}
	v := t[lo:hi]
	if len(v) < 20 && !mixed(v, hi < len(t) && t[hi] == '=') {
		return read
	}
	lv := &s.levels[depth]
	via, lo, hi, ok := lv.decode(t, lo, hi)
	if !ok {
		return read
	}
	lv.spans.reset(hi)
	lv.spans.mark(0, lo, true)
	if plain, packed := inflate(lv.view, s.budget.bytes); packed {
		if plain == nil {
			s.overrun(leaf, tr, len(t))
			return read
		}
		lv.view = plain
	}
	if isWide(lv.view) {
		lv.view = narrow(lv.view)
	}
	if readable(lv.view) {
		p = e.placeFrom(s, p, t, lo)
		e.descend(s, lv.view, &lv.spans, p, tr, depth, via, len(t))
		s.members = s.members[:len(s.members)-1]
		return hi
	}
	_ = s.effort(len(lv.view)/16, leaf, tr, len(t)) // the next line is tried as well: what was for nothing comes again with each
	return read
}

// decode tries hexadecimal, then base64 with its padding and further lines, then what follows the last slash: the
// begin may belong to a path.
func (lv *level) decode(t []byte, lo, hi int) (via step, from, to int, ok bool) {
	if lv.view, ok = unhex(lv.view[:0], t[lo:hi]); ok {
		return stepHex, lo, hi, true
	}
	from = lo
	last := lo + bytes.LastIndexByte(t[lo:hi], '/') + 1
	if lv.view, _ = unbase64(lv.view[:0], t[lo:min(hi, lo+minRun)]); len(lv.view) < 9 || promising(lv.view) {
		hi = stretch(t, lo, hi)
	}
	for hi < len(t) && t[hi] == '=' {
		hi++
	}
	if lv.view, ok = unbase64(lv.view[:0], t[lo:hi]); !ok && last > lo && hi-last > minRun {
		lo = last
		lv.view, ok = unbase64(lv.view[:0], t[lo:hi])
	}
	if !ok {
		if lv.view, ok = unbase32(lv.view[:0], t[from:hi]); ok {
			return stepBase32, from, hi, true
		}
	}
	return stepBase64, lo, hi, ok
}

// stretch returns where a stretch ends that goes on in further lines.
func stretch(t []byte, lo, hi int) int {
	hi = wrapped(t, lo, hi)
	for hi < len(t) && (t[hi] == '\n' || t[hi] == '\r') && hi-lo >= 60 {
		next := run(t, hi+1, isBase64|isSpace)
		if next-hi < 8 {
			break
		}
		hi = next
	}
	return hi
}

// wrapped returns where a stretch ends that goes on in lines of the same length, and in one that is shorter.
func wrapped(t []byte, lo, hi int) int {
	const least = 16 // shorter lines are words of a list
	for width := hi - lo; width >= least && hi < len(t); {
		next := hi
		if t[next] == '\r' {
			next++
		}
		if next == len(t) || t[next] != '\n' {
			break
		}
		next++
		end := run(t, next, isBase64)
		if end == next || end-next > width {
			break
		}
		if hi = end; end-next < width {
			break
		}
	}
	return hi
}

// mixed holds for short stretches that are no words: small and capital letters with digits, or with padding behind.
func mixed(v []byte, padded bool) bool {
	some, every := uint8(0), ^uint8(0)
	for _, b := range v {
		some |= kindOf[b]
		every &= kindOf[b]
	}
	if some&isLower == 0 || some&isUpper == 0 {
		return every&isHex != 0 && some&isDigit != 0
	}
	s := shapeOf(v)
	return s.upper > 1 && s.lower > 0 && (s.digit > 0 || padded || s.changes > 2) || s.hex == len(v) && s.digit > 0
}

// placeFrom gives what is decoded the names of its leaf and, as a label, what stands before it.
func (e *Engine) placeFrom(s *Scratch, p piece, t []byte, lo int) piece {
	names := *s.names(&p)
	names.Name = false
	if len(names.Label) == 0 {
		if names.Label = s.columnHeader(t, lo); len(names.Label) == 0 {
			names.Label = t[max(0, lo-48):lo]
		}
	}
	s.members = append(s.members, names)
	p.name = ^int32(len(s.members) - 1)
	telling := p.telling
	e.place(s, &s.members[len(s.members)-1], &p)
	p.telling = telling // what stands before names personal data, not secrets: those are seen without decoding
	return p
}

// promising looks at the first bytes of something decoded: text, which may be coloured or padded, or a known kind of
// archive.
func promising(v []byte) bool {
	if bytes.HasPrefix(v, []byte{0x1f, 0x8b}) || v[0] == 0x78 && (v[1] == 0x01 || v[1] == 0x9c || v[1] == 0xda || v[1] == 0x5e) {
		return true
	}
	if isWide(v) {
		return true
	}
	bad := 0
	for _, b := range v {
		if b < 0x20 && !is(b, isSpace) && b != 0 && b != 0x1b || b == 0x7f {
			bad++
		}
	}
	return bad == 0 && validSoFar(v)
}

// validSoFar holds for UTF-8 whose last rune may be cut.
func validSoFar(v []byte) bool {
	for cut := range min(4, len(v)) {
		if utf8.Valid(v[:len(v)-cut]) {
			return true
		}
	}
	return false
}

// readable wants 85 in 100 printable bytes.
func readable(v []byte) bool {
	good := 0
	for _, b := range v {
		if b >= 0x20 && b != 0x7f || is(b, isSpace) {
			good++
		}
	}
	return len(v) >= 8 && good*100 >= 85*len(v) && validSoFar(v)
}

// inflate unpacks gzip and zlib, within the budget and a ratio of a hundred. It returns nil where it does not fit.
func inflate(v []byte, budget int) (plain []byte, packed bool) {
	if len(v) < 12 {
		return nil, false
	}
	var r io.ReadCloser
	var err error
	switch {
	case v[0] == 0x1f && v[1] == 0x8b:
		r, err = gzip.NewReader(bytes.NewReader(v))
	case v[0] == 0x78 && (v[1] == 0x01 || v[1] == 0x9c || v[1] == 0xda || v[1] == 0x5e):
		r, err = zlib.NewReader(bytes.NewReader(v))
	default:
		return nil, false
	}
	if err != nil {
		return nil, false
	}
	limit := min(max(0, budget), maxRatio*len(v)+1024)
	plain, err = io.ReadAll(io.LimitReader(r, int64(limit)+1))
	_ = r.Close() // nothing is flushed: the reader only owns memory
	if len(plain) > limit {
		return nil, true
	}
	if err != nil && len(plain) == 0 {
		return nil, false
	}
	return plain, true
}

// longToken knows tokens without a fixed begin: Discord's bots, keys of two parts.
func (e *Engine) longToken(s *Scratch, t []byte, lo, hi, leaf int, tr *trail) {
	n := hi - lo
	if n == 34 && (t[lo] == 'S' && t[lo+1] == 'K' || t[lo] == 'A' && t[lo+1] == 'C') && (hexRun(t[lo+2:hi]) || repeats(t[lo+2:hi])) {
		s.add(leaf, tr, Finding{Rule: "twilio-id", Entity: "twilio-id", Kind: Secret, Confidence: 90, Start: lo, End: hi})
		return
	}
	if (n == 15 || n == 16) && hi < len(t) && t[hi] == '|' && run(t, lo, isDigit) == hi {
		if two := run(t, hi+1, isBase64); two-hi > 27 && two-hi <= 41 && mixedWord(t[hi+1:two]) {
			s.add(leaf, tr, Finding{Rule: "facebook-app-token", Entity: "generic-secret", Kind: Secret, Confidence: 90, Start: lo, End: two})
			return
		}
	}
	if hi >= len(t) || t[hi] != '.' {
		return
	}
	two := run(t, hi+1, isBase64)
	f := Finding{Kind: Secret, Confidence: 85, Start: lo}
	switch {
	case n >= 23 && n <= 28 && two-hi == 7 && two < len(t) && t[two] == '.' && (t[lo] == 'M' || t[lo] == 'N' || t[lo] == 'O' || t[lo] == 'A'):
		end := run(t, two+1, isBase64)
		if end-two < 27 {
			return
		}
		f.Rule, f.Entity, f.End = "discord-bot-token", "discord-bot-token", end
	case n == 32 && two-hi == 17 && hexRun(t[lo:hi]):
		f.Rule, f.Entity, f.End = "two-part-key", "generic-secret", two
	default:
		return
	}
	s.add(leaf, tr, f)
}

func hexRun(v []byte) bool {
	for _, b := range v {
		if !is(b, isHex) {
			return false
		}
	}
	return true
}
