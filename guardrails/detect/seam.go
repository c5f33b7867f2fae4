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
		if hi < len(t) && tokenByte(t[hi]) && torn(t[max(0, lo-40):lo], t[hi:min(len(t), hi+40)]) && !rows(t, lo, hi) {
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
	if is(b[0], isDigit) && is(a[len(a)-1], isDigit) {
		if shapeOf(a[max(0, len(a)-16):]).digit+shapeOf(b[:min(len(b), 16)]).digit >= 7 {
			return true
		}
	}
	blank := is(a[len(a)-1], isSpace)
	if blank {
		a = a[:len(a)-1]
		if !is(a[len(a)-1], isAlnum) {
			return false
		}
	}
	if !tokenByte(a[len(a)-1]) || !tokenByte(b[0]) {
		return false
	}
	lo, hi, kinds := len(a), 0, uint8(0)
	for lo > 0 && tokenByte(a[lo-1]) {
		lo--
		kinds |= kindOf[a[lo]]
	}
	for hi < len(b) && tokenByte(b[hi]) {
		kinds |= kindOf[b[hi]]
		hi++
	}
	if kinds&isMark == 0 && (kinds&isUpper == 0 || len(a)-lo+hi < 14) {
		return false
	}
	x, y := shapeOf(a[lo:]), shapeOf(b[:hi])
	at := slices.Contains(a[lo:], '@') || slices.Contains(b[:hi], '@')
	switch {
	case at:
		return !blank
	case blank:
		return x.digit > 0 && y.digit > 0
	case x.digit > 0 && y.digit > 0, x.lower+y.lower == 0 && x.digit+y.digit > 0:
		return len(a)-lo+hi >= 8
	}
	return (x.digit > 0 || y.digit > 0 || x.upper > 0 && x.lower > 0 && x.changes > 2) && len(a)-lo+hi >= 14
}

func tokenByte(b byte) bool {
	return is(b, isAlnum) || b == '_' || b == '-' || b == '.' || b == '@' || b == '+' || b == '/' || b == '=' || b == '%'
}

// across scans the text around a cut without the bytes lo..hi.
func (e *Engine) across(s *Scratch, t []byte, lo, hi, leaf int, tr *trail, depth int) {
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
		for up := tr; up != nil; up = up.up {
			p.f.Start, p.f.End = up.spans.raw(p.f.Start, p.f.End)
			p.f.Via = p.f.Via.under(up.via)
		}
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
	own := s.cutPiece(piece{hi: int32(len(out)), leaf: int32(leaf), name: noName})
	e.words.find(out, &s.levels[depth+1].hits)
	e.literals(s, out, own, tr, depth+1)
	e.marks(s, out, own, tr)
}

// siblings joins values that stand beside each other in a document: neighbours, and neighbours of one name.
func (e *Engine) siblings(s *Scratch, d *document, tr *trail, depth int) {
	last := -1
	var byField [4]int
	n := 0
	for k := range d.pieces {
		l := &d.leaves[^d.pieces[k].name]
		if l.Name {
			continue
		}
		if last >= 0 {
			e.join(s, d, last, k, tr, depth)
		}
		for j := range min(n, len(byField)) {
			if o := byField[j]; o != last && string(d.leaves[^d.pieces[o].name].Field) == string(l.Field) {
				e.join(s, d, o, k, tr, depth)
			}
		}
		byField[n%len(byField)] = k
		n++
		last = k
	}
}

// join scans the end of one piece with the begin of the next.
func (e *Engine) join(s *Scratch, d *document, a, b int, tr *trail, depth int) {
	p, q := d.pieces[a], d.pieces[b]
	x, y := d.out[max(p.lo, p.hi-seamReach):p.hi], d.out[q.lo:min(q.hi, q.lo+seamReach)]
	if depth >= maxDepth || !torn(x, y) && !prose(x, y) {
		return
	}
	lv := &s.levels[depth]
	out := append(append(lv.view[:0], x...), y...)
	lv.view = out
	cut := len(x)
	before := len(s.found)
	e.flat(s, out, int(p.leaf), nil, depth)
	fresh := len(s.found)
	if whole := len(x) == int(p.hi-p.lo) && len(y) == int(q.hi-q.lo); whole && len(s.found) == before && p.generic && q.generic {
		e.lone(s, out, int(p.leaf))
		fresh = len(s.found)
	}
	for i := before; i < fresh; i++ {
		f := s.found[i].f
		if f.Start >= cut || f.End <= cut {
			continue
		}
		f.Via = f.Via.under(stepSeam)
		left, right := f, f
		left.Start, left.End = int(p.hi)-cut+f.Start, int(p.hi)
		right.Start, right.End = int(q.lo), int(q.lo)+f.End-cut
		s.add(int(p.leaf), tr, left)
		s.add(int(q.leaf), tr, right)
	}
	s.found = append(s.found[:before], s.found[fresh:]...)
}

// lone looks at a text that is one number or one token and has no name.
func (e *Engine) lone(s *Scratch, out []byte, leaf int) {
	e.marks(s, out, s.cutPiece(piece{hi: int32(len(out)), leaf: int32(leaf), generic: true}), nil)
	s.bare(out, leaf, nil)
}

// bare reports a text that is nothing but one random token.
func (s *Scratch) bare(t []byte, leaf int, tr *trail) {
	if len(t) < 20 || len(t) > 200 || bytes.ContainsAny(bytes.TrimRight(t, "="), "=:!$~") || !wordShaped(t) || isReference(t) || isPlaceholder(t) || alphabet(t) {
		return
	}
	sh := shapeOf(t)
	if sh.digit < 3 || sh.letter() < 3 || sh.mark*4 > len(t) || weigh(t) < tokenLike || entropy(t) < 3.2 || foldContains(t, "http") {
		return
	}
	s.add(leaf, tr, Finding{Rule: "bare-token", Entity: "generic-secret", Kind: Secret, Confidence: 35, Start: 0, End: len(t)})
}

// prose holds where both sides are running text.
func prose(a, b []byte) bool {
	return len(a) >= 24 && len(b) >= 12 && shapeOf(a).space >= 3 && shapeOf(b).space >= 1
}
