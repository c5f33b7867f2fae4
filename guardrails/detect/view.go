package detect

import (
	"encoding/binary"
	"sort"
)

// Via is the chain of readings between the plain bytes and the text in which something was found, outermost first; at
// most four, one a byte. Zero is the plain text itself.
type Via uint32

type step uint8

const (
	stepFolded step = iota + 1
	stepRevealed
	stepBase64
	stepHex
	stepPercent
	stepEntities
	stepEscapes
	stepGzip
	stepJSON
	stepUnwrapped
	stepSqueezed
	stepTurned
	stepSeam
	stepQuoted
	stepBase32
	stepCodes
	stepSpliced
)

var stepNames = [...]string{
	"", "folded", "revealed", "base64", "hex", "percent", "entities", "escapes", "gzip", "json", "unwrapped", "squeezed", "turned", "seam", "quoted-printable", "base32", "codes", "spliced",
}

// String writes the chain as base64>gzip.
func (v Via) String() string {
	out := ""
	for ; v != 0; v >>= 8 {
		if out != "" {
			out += ">"
		}
		out += stepNames[v&0xff]
	}
	return out
}

// under adds an outer step.
func (v Via) under(s step) Via { return v<<8 | Via(s) }

// trail leads from a view back to the text that it was made of.
type trail struct {
	spans *offsets
	up    *trail
	via   step
	base  int // where the piece that is being read begins in the view
}

// enter says that findings are from now on counted from the begin of a piece.
func (tr *trail) enter(p *piece) {
	if tr != nil {
		tr.base = int(p.lo)
	}
}

// outward maps a finding in a view to the plain bytes of its leaf.
func (tr *trail) outward(f Finding) Finding {
	for ; tr != nil; tr = tr.up {
		f.Start, f.End = tr.spans.raw(f.Start+tr.base, f.End+tr.base)
		f.Via = f.Via.under(tr.via)
	}
	return f
}

// offsets maps a view to its source: spans in order, each either byte for byte or as a whole.
type offsets struct {
	spans []span
	end   int // of the source
}

type span struct {
	out, raw int32
	whole    bool // all of the span stands for all of the source up to the next
}

func (o *offsets) reset(end int) { o.spans, o.end = o.spans[:0], end }

// mark says that what is written from out on comes from raw on.
func (o *offsets) mark(out, raw int, whole bool) {
	if n := len(o.spans); n > 0 && !whole {
		if last := o.spans[n-1]; !last.whole && int(last.raw)-int(last.out) == raw-out {
			return
		}
	}
	o.spans = append(o.spans, span{int32(out), int32(raw), whole})
}

// raw returns the smallest part of the source that holds [start, end) of the view.
func (o *offsets) raw(start, end int) (lo, hi int) {
	if len(o.spans) == 0 {
		return start, end
	}
	i := o.at(start)
	lo = int(o.spans[i].raw)
	if !o.spans[i].whole {
		lo += start - int(o.spans[i].out)
	}
	j := o.at(max(start, end-1))
	switch {
	case !o.spans[j].whole:
		hi = int(o.spans[j].raw) + end - int(o.spans[j].out)
	case j+1 < len(o.spans):
		hi = int(o.spans[j+1].raw)
	default:
		hi = o.end
	}
	return lo, min(max(lo, hi), max(lo, o.end))
}

func (o *offsets) at(out int) int {
	return max(0, sort.Search(len(o.spans), func(i int) bool { return int(o.spans[i].out) > out })-1)
}

// Bounds of what one scan decodes.
const (
	maxDepth      = 4
	maxCandidates = 256
	maxView       = 16 << 20
	minBudget     = 1 << 20
	maxRatio      = 100
	// minEffort is in closer looks at a candidate, each some ten nanoseconds; some more are allowed for every byte.
	minEffort  = 20_000
	byteEffort = 2
)

// budget is what is left of the bounds. Overrun is a finding: nobody may hide behind them.
type budget struct {
	bytes, candidates, effort int
	told                      bool
}

// newBudget is that of leaves, and of n bytes that were left out.
func newBudget(leaves []Leaf, n int) budget {
	for i := range leaves {
		n += len(leaves[i].Text)
	}
	return budget{bytes: min(max(minBudget, 4*n), max(maxView, 2*n)), candidates: maxCandidates + n/64, effort: minEffort + byteEffort*n}
}

// spend takes n bytes for one more view and says whether they were left.
func (s *Scratch) spend(n, leaf int, tr *trail, size int) bool {
	s.budget.bytes -= n
	s.budget.candidates--
	if s.budget.bytes >= 0 && s.budget.candidates >= 0 {
		return true
	}
	s.overrun(leaf, tr, size)
	return false
}

// effort takes n closer looks, unless all were taken before; what one candidate takes beyond is not cut short.
func (s *Scratch) effort(n, leaf int, tr *trail, size int) bool {
	if s.budget.effort >= 0 {
		s.budget.effort -= n
		return true
	}
	s.overrun(leaf, tr, size)
	return false
}

// spent holds where no closer look is left, and that was said: what only leads to one need not be read any more.
func (s *Scratch) spent() bool { return s.budget.told && s.budget.effort < 0 }

// overrun reports, once for each scan, that the rest was not read.
func (s *Scratch) overrun(leaf int, tr *trail, size int) {
	if !s.budget.told {
		s.budget.told = true
		s.add(leaf, tr, Finding{Rule: "budget", Entity: "unread", Kind: Unread, Confidence: 100, Start: 0, End: size})
	}
}

// triggers are the bytes without which a text has no other reading.
var triggers = func() (t [256]uint16) {
	for b := 0x80; b < 0x100; b++ {
		t[b] = seesHigh
	}
	t['%'], t['&'], t['\\'], t['*'], t['_'], t['~'] = seesPercent, seesAmp, seesEscape, seesMarks, seesMarks, seesMarks
	t['`'], t['\n'], t[0x1b], t['='], t['{'], t['['] = seesMarks, seesLine, seesRest, seesEqual, seesRest, seesRest
	for b := '0'; b <= '9'; b++ {
		t[b] = seesDigit
	}
	for b := range ' ' {
		if !is(byte(b), isSpace) {
			t[b] |= seesControl
		}
	}
	t[0x7f], t['<'], t['+'] = seesControl, seesTag, seesPlus
	t['"'], t['\''] = seesQuote, seesQuote
	t['`'] |= seesQuote
	t['@'] = seesAt
	return t
}()

const (
	seesHigh uint16 = 1 << iota
	seesPercent
	seesAmp
	seesEscape
	seesMarks
	seesLine
	seesRest // the escape of terminals, and what JSON begins with
	seesEqual
	seesControl
	seesTag
	seesPlus
	seesDigit
	seesQuote
	seesAt
	seesView = seesDigit - 1
)

// views reads each leaf in every other way that its bytes allow, and scans what comes out.
func (e *Engine) views(s *Scratch, text []byte, pieces []piece, tr *trail, depth int) {
	e.runs(s, text, pieces, tr, depth)
	for i := range pieces {
		if pieces[i].sees&seesView == 0 && pieces[i].hi-pieces[i].lo < oddMin {
			continue
		}
		p := pieces[i]
		tr.enter(&p)
		t, sees := text[p.lo:p.hi], p.sees
		if sees&seesView != 0 {
			e.viewsOf(s, t, p, tr, depth, sees)
		}
		if sees&seesRest != 0 && len(pieces) > 1 && depth < maxDepth && beginsJSON(t) {
			_ = e.nested(s, t, &p, tr, depth) // the plain bytes were scanned
		}
		if len(t) >= leastStretch && sees&seesDigit != 0 && depth < maxDepth {
			e.codes(s, t, 0, p, tr, depth)
		}
		if len(t) >= oddMin && odd(t, sees&seesDigit != 0) {
			e.squeeze(s, t, int(p.leaf), tr, depth)
		}
	}
}

// seen returns which triggers occur.
func seen(t []byte) uint16 {
	var a, b uint16
	for len(t) >= 8 {
		if onlyLetters(binary.LittleEndian.Uint64(t)) {
			t = t[8:]
			continue
		}
		a |= triggers[t[0]] | triggers[t[1]] | triggers[t[2]] | triggers[t[3]]
		b |= triggers[t[4]] | triggers[t[5]] | triggers[t[6]] | triggers[t[7]]
		t = t[8:]
	}
	for len(t) >= 4 {
		a |= triggers[t[0]] | triggers[t[1]]
		b |= triggers[t[2]] | triggers[t[3]]
		t = t[4:]
	}
	for _, c := range t {
		a |= triggers[c]
	}
	return a | b
}

// onlyLetters holds where all eight bytes are ASCII letters or blanks, none of which is a trigger.
func onlyLetters(w uint64) bool {
	const each, top = 0x0101010101010101, 0x8080808080808080
	small := w | each*0x20
	letter := (small&^top + each*(0x80-'a')) &^ (small&^top + each*(0x80-'z'-1))
	blank := top &^ (((w ^ each*' ') &^ top) + each*0x7f) // the top bit where nothing differs from a blank
	return (letter|blank)&^w&top == top
}

func beginsJSON(t []byte) bool {
	i := 0
	for i < len(t) && i < 64 && is(t[i], isSpace) {
		i++
	}
	return i+1 < len(t) && (t[i] == '{' || t[i] == '[')
}

func (e *Engine) viewsOf(s *Scratch, t []byte, p piece, tr *trail, depth int, sees uint16) {
	leaf := int(p.leaf)
	if sees&seesHigh != 0 {
		e.hidden(s, t, leaf, tr)
		e.strange(s, t, leaf, tr)
	}
	if sees&seesRest != 0 {
		e.ansi(s, t, leaf, tr)
	}
	if depth == maxDepth {
		return
	}
	if sees&seesHigh != 0 {
		e.view(s, t, p, tr, depth, stepFolded, fold)
		e.view(s, t, p, tr, depth, stepRevealed, reveal)
	}
	if sees&seesPercent != 0 {
		e.view(s, t, p, tr, depth, stepPercent, percent)
	}
	if sees&seesAmp != 0 {
		e.view(s, t, p, tr, depth, stepEntities, entities)
	}
	if sees&seesEscape != 0 {
		e.view(s, t, p, tr, depth, stepEscapes, escapes)
	}
	if sees&seesEqual != 0 {
		e.view(s, t, p, tr, depth, stepQuoted, quotedPrintable)
	}
	if sees&seesLine != 0 {
		e.lines(s, t, leaf, tr, depth)
	}
	if sees&(seesControl|seesTag|seesPlus) != 0 && divided(t, sees) {
		e.view(s, t, p, tr, depth, stepSpliced, splice)
	}
	if sees&seesMarks != 0 {
		for _, mark := range [...]string{"**", "__", "~~", "`"} {
			e.marked(s, t, mark, leaf, tr, depth)
		}
	}
}

// reader writes another reading of t to dst with its offsets. It returns false where the reading is the text itself.
type reader func(dst, t []byte, o *offsets) ([]byte, bool)

// view scans one reading of a whole leaf.
func (e *Engine) view(s *Scratch, t []byte, p piece, tr *trail, depth int, via step, read reader) {
	lv := &s.levels[depth]
	lv.spans.reset(len(t))
	out, other := read(lv.view[:0], t, &lv.spans)
	lv.view = out
	if other && len(out) >= 4 {
		e.descend(s, out, &lv.spans, p, tr, depth, via, len(t))
	}
}

func (e *Engine) descend(s *Scratch, out []byte, spans *offsets, p piece, tr *trail, depth int, via step, size int) {
	if !s.spend(len(out), int(p.leaf), tr, size) {
		return
	}
	below := &s.levels[depth].trail
	saved := *below
	*below = trail{spans: spans, up: tr, via: via}
	p.lo, p.hi = 0, int32(len(out))
	e.page(s, out, s.own(depth+1, p), below, depth+1)
	*below = saved
}
