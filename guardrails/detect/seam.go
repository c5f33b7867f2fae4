package detect

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// What was cut in two is put together again: lines inside one text, and neighbours inside one document. Only what
// crosses the cut counts.

const seamReach = 128

func appendRune(dst []byte, r rune) []byte { return utf8.AppendRune(dst, r) }

// lines looks at line ends between two halves of a word or a number.
func (e *Engine) lines(s *Scratch, t []byte, leaf int, tr *trail, depth int) {
	for i := 0; i < len(t); {
		n := bytes.IndexByte(t[i:], '\n')
		if n < 0 {
			return
		}
		lo, hi := i+n, i+n+1
		if lo > 0 && t[lo-1] == '\r' {
			lo--
		}
		i = hi
		if hi < len(t) && tokenByte(t[hi]) && torn(t[max(0, lo-40):lo], t[hi:min(len(t), hi+40)]) && !padded(t[:lo]) && !rows(t, lo, hi) {
			e.across(s, t, lo, hi, leaf, tr, depth)
		}
	}
}

// marked looks at marks of emphasis that stand inside a word or between two halves of a number.
func (e *Engine) marked(s *Scratch, t []byte, mark string, leaf int, tr *trail, depth int) {
	for i := 0; i < len(t); {
		n := bytes.Index(t[i:], []byte(mark))
		if n < 0 {
			return
		}
		lo, hi := i+n, i+n+len(mark)
		i = hi
		if torn(t[max(0, lo-40):lo], t[hi:min(len(t), hi+40)]) {
			e.across(s, t, lo, hi, leaf, tr, depth)
		}
	}
}

// torn holds where two ends may be halves of one thing: the words that meet hold a digit or an @.
func torn(a, b []byte) bool {
	if len(a) < 2 || len(b) < 2 {
		return false
	}
	if digitsMeet(a, b) {
		return true
	}
	blank := is(a[len(a)-1], isSpace)
	if blank {
		if a = a[:len(a)-1]; !is(a[len(a)-1], isAlnum) {
			return false
		}
	}
	if !tokenByte(a[len(a)-1]) || !tokenByte(b[0]) {
		return false
	}
	a, b, kinds := ends(a, b)
	size := len(a) + len(b)
	if kinds&isMark == 0 && (kinds&isUpper == 0 || size < 14) {
		return false
	}
	if slices.Contains(a, '@') || slices.Contains(b, '@') {
		return !blank
	}
	return halves(shapeOf(a), shapeOf(b), size, blank)
}

// halves judges what two words are made of; blank says that one divides them.
func halves(x, y shape, size int, blank bool) bool {
	switch {
	case x.letter()+x.mark == 0 && y.digit == 0, y.letter()+y.mark == 0 && x.digit == 0:
		return false // a number beside a word
	case blank:
		return x.digit > 0 && y.digit > 0
	case x.digit > 0 && y.digit > 0, x.lower+y.lower == 0 && x.digit+y.digit > 0:
		return size >= 8
	}
	return (x.digit+y.digit > 0 || x.upper > 0 && x.lower > 0 && x.changes > 2) && size >= 14
}

// digitsMeet holds for two ends of what may be one long number.
func digitsMeet(a, b []byte) bool {
	if !is(b[0], isDigit) || !is(a[len(a)-1], isDigit) {
		return false
	}
	return shapeOf(a[max(0, len(a)-16):]).digit+shapeOf(b[:min(len(b), 16)]).digit >= 7
}

// ends returns the words that meet, and which kinds of bytes are in them.
func ends(a, b []byte) (left, right []byte, kinds uint8) {
	lo, hi := len(a), 0
	for lo > 0 && tokenByte(a[lo-1]) {
		lo--
		kinds |= kindOf[a[lo]]
	}
	for hi < len(b) && tokenByte(b[hi]) {
		kinds |= kindOf[b[hi]]
		hi++
	}
	return a[lo:], b[:hi], kinds
}

func tokenByte(b byte) bool {
	return is(b, isAlnum) || b == '_' || b == '-' || b == '.' || b == '@' || b == '+' || b == '/' || b == '=' || b == '%'
}

// seamEffort is what it counts to read what stands around a cut.
const seamEffort = 120

// across scans the text around a cut without the bytes lo..hi.
func (e *Engine) across(s *Scratch, t []byte, lo, hi, leaf int, tr *trail, depth int) {
	if !s.effort(seamEffort, leaf, tr, len(t)) {
		return
	}
	lv := &s.levels[depth]
	from, to := max(0, lo-seamReach), min(len(t), hi+seamReach)
	lv.spans.reset(len(t))
	out := lv.view[:0]
	lv.spans.mark(0, from, false)
	out = append(out, t[from:lo]...)
	cut := len(out)
	lv.spans.mark(cut, hi, false)
	for i := hi; i < to; i++ {
		if cutsAgain(t, i, t[hi-1]) {
			continue
		}
		lv.spans.mark(len(out), i, false)
		out = append(out, t[i])
	}
	lv.view = out
	before := len(s.found)
	e.flat(s, out, leaf, nil, depth)
	kept := s.found[:before]
	for _, p := range s.found[before:] {
		if p.f.Start >= cut || p.f.End <= cut {
			continue
		}
		p.f.Start, p.f.End = lv.spans.raw(p.f.Start, p.f.End)
		p.f.Via = p.f.Via.under(stepUnwrapped)
		p.f = tr.outward(p.f)
		kept = append(kept, p)
	}
	s.found = kept
}

// cutsAgain holds for bytes beyond the first cut that cut once more: the closing mark, the next line's end.
func cutsAgain(t []byte, i int, mark byte) bool {
	if t[i] != mark {
		return false
	}
	if mark == '\n' {
		return i+1 < len(t) && tokenByte(t[i-1]) && tokenByte(t[i+1])
	}
	return t[i-1] == mark || i+1 < len(t) && t[i+1] == mark
}

// rows holds where numbers at a line's end and begin are cells of a table, or where the next line begins with a date.
func rows(t []byte, lo, hi int) bool {
	if isDay(t[hi:]) {
		return true
	}
	a := runBack(t, lo, isDigit)
	b := run(t, hi, isDigit)
	return a < lo && b > hi && (a > 0 && (t[a-1] == ',' || t[a-1] == ';' || t[a-1] == '\t' || t[a-1] == '|') && b < len(t) && (t[b] == ',' || t[b] == ';' || t[b] == '\t'))
}

// isDay holds for 2026-11-16 and 2026/11/16 at the begin of t.
func isDay(t []byte) bool {
	return len(t) >= 10 && (t[0] == '1' && t[1] == '9' || t[0] == '2' && t[1] == '0') && is(t[3], isDigit) && (t[4] == '-' || t[4] == '/') && t[7] == t[4] && is(t[5], isDigit) && is(t[9], isDigit)
}

func (s *Scratch) cutPiece(p piece) []piece {
	s.cut[0] = p
	return s.cut[:]
}

// flat scans a short text in one reading.
func (e *Engine) flat(s *Scratch, out []byte, leaf int, tr *trail, depth int) {
	own := s.cutPiece(piece{hi: int32(len(out)), leaf: int32(leaf), name: noName, sees: seesDigit | seesAt})
	e.words.find(out, &s.levels[depth+1].hits)
	e.literals(s, out, own, tr, depth+1)
	e.marks(s, out, own, tr)
}

// half is one side of a seam between two texts.
type half struct {
	text    []byte
	leaf    int
	at      int // where text begins in what the trail leads from
	generic bool
	field   []byte
}

// siblings joins values that stand beside each other in a document: neighbours, and blocks of one name that says
// nothing, such as text.
func (e *Engine) siblings(s *Scratch, d *document, tr *trail, depth int) {
	var recent [4]half
	n := 0
	for k := range d.pieces {
		p := &d.pieces[k]
		l := &d.leaves[^p.name]
		if l.Name || p.number || p.hi-p.lo < 32 && isDay(d.out[p.lo:p.hi]) && bytes.IndexByte(d.out[p.lo:p.hi], ' ') < 0 {
			continue
		}
		b := half{text: d.out[p.lo:p.hi], leaf: int(p.leaf), at: int(p.lo), generic: p.generic, field: l.Field}
		for j := 1; j <= min(n, len(recent)); j++ {
			if a := recent[(n-j)%len(recent)]; j == 1 || p.unnamed && string(a.field) == string(b.field) {
				e.join(s, a, b, tr, depth)
			}
		}
		recent[n%len(recent)] = b
		n++
	}
}

// join scans the end of one text with the begin of the next.
func (e *Engine) join(s *Scratch, a, b half, tr *trail, depth int) {
	x, y := a.text[max(0, len(a.text)-seamReach):], b.text[:min(len(b.text), seamReach)]
	if depth >= maxDepth || !torn(x, y) && !prose(x, y) || !s.effort(seamEffort, a.leaf, tr, len(a.text)) {
		return
	}
	lv := &s.levels[depth]
	out := append(append(lv.view[:0], x...), y...)
	lv.view = out
	cut := len(x)
	before := len(s.found)
	e.flat(s, out, a.leaf, nil, depth)
	if len(x) == len(a.text) && len(y) == len(b.text) && len(s.found) == before && a.generic && b.generic {
		e.lone(s, out, a.leaf)
	}
	fresh := len(s.found)
	for i := before; i < fresh; i++ {
		f := s.found[i].f
		if f.Start >= cut || f.End <= cut || e.whole(s, x, f.Kind, f.Start, cut, depth) || e.whole(s, y, f.Kind, 0, f.End-cut, depth) {
			continue
		}
		f.Via = f.Via.under(stepSeam)
		left, right := f, f
		left.Start, left.End = a.at+len(a.text)-cut+f.Start, a.at+len(a.text)
		right.Start, right.End = b.at, b.at+f.End-cut
		s.add(a.leaf, tr, left)
		s.add(b.leaf, tr, right)
	}
	s.found = append(s.found[:before], s.found[fresh:]...)
}

// whole reports whether a piece gives a thing of a kind away by itself within lo..hi: then it is that which seems to go on
// beyond the cut.
func (e *Engine) whole(s *Scratch, text []byte, k Kind, lo, hi, depth int) bool {
	before := len(s.found)
	e.flat(s, text, 0, nil, depth)
	found := slices.ContainsFunc(s.found[before:], func(p placed) bool { return p.f.Kind == k && p.f.Start < hi && lo < p.f.End })
	s.found = s.found[:before]
	return found
}

// lone looks at a text that is one number or one token and has no name.
func (e *Engine) lone(s *Scratch, out []byte, leaf int) {
	e.marks(s, out, s.cutPiece(piece{hi: int32(len(out)), leaf: int32(leaf), generic: true, sees: seesDigit | seesAt}), nil)
	s.bare(out, leaf, nil)
}

// bare reports a text that is nothing but one random token.
func (s *Scratch) bare(t []byte, leaf int, tr *trail) {
	if len(t) < 20 || len(t) > 200 {
		return
	}
	for _, b := range bytes.TrimRight(t, "=") {
		if !is(b, isBase64) && b != '.' {
			return
		}
	}
	sh := shapeOf(t)
	if sh.digit < 3 || sh.letter() < 3 || sh.mark*4 > len(t) || entropy(t) < 3.2 || alphabet(t) || weigh(t) < tokenLike || foldContains(t, "http") {
		return
	}
	s.add(leaf, tr, Finding{Rule: "bare-token", Entity: "generic-secret", Kind: Secret, Confidence: 35, Start: 0, End: len(t)})
}

// prose holds where both sides are running text.
func prose(a, b []byte) bool {
	return len(a) >= 24 && len(b) >= 12 && shapeOf(a).space >= 3 && shapeOf(b).space >= 1
}
