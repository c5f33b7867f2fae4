package guardrails

import (
	"bytes"

	"github.com/hopgate/hopgate/guardrails/detect"
)

// What was cut in two is put together again: values that follow each other in the message, and values of one name. Only
// what lies across a cut counts, because the pieces were looked at by themselves.

const (
	seamReach = 128 // bytes of a piece on either side of a cut
	maxChain  = 8   // pieces that are looked at together
)

// piece is the part of a seam's text that one leaf holds.
type piece struct {
	leaf   int32
	lo, at int32 // its first byte in the leaf's text and in the seam's
	size   int32
}

// chain is a run of leaves each of which may go on in the next.
type chain struct {
	leaves [maxChain]int32
	n      int
	marked bool // the last leaf ends in a word with a digit or an @
}

func (c *chain) last() int32 { return c.leaves[c.n-1] }

// seams joins leaves. The chain at 0 is of neighbours, the others are of leaves with one name.
func (w *walk) seams() {
	var chains [5]chain
	next, before, mine := 1, -1, 0
	for k := range len(w.leaves) {
		p := &w.places[k]
		if p.form != formText || p.media || p.in <= 0 || len(w.leaves[k].Text) < 2 { // the envelope goes on in nothing
			continue
		}
		begins, ends := markedEnds(w.leaves[k].Text)
		w.extend(&chains[0], k, false, begins)
		// Members of rows come in one order, and so do their chains.
		first := mine
		for mine = mine%4 + 1; mine != first; mine = mine%4 + 1 {
			if c := &chains[mine]; c.n > 0 && bytes.Equal(w.leaves[c.last()].Field, w.leaves[k].Field) {
				break
			}
			if first == 0 {
				first = mine
			}
		}
		if c := &chains[mine]; mine == first && (c.n == 0 || !bytes.Equal(w.leaves[c.last()].Field, w.leaves[k].Field)) {
			mine = next
			w.flush(&chains[mine])
			next = next%4 + 1
		}
		if c := &chains[mine]; c.n > 0 && int(c.last()) == before && chains[0].n > 1 {
			w.flush(c)
			c.leaves[0], c.n = int32(k), 1 // neighbours are joined already
		} else {
			w.extend(c, k, true, begins)
		}
		chains[0].marked, chains[mine].marked = ends, ends
		before = k
	}
	for i := range chains {
		w.flush(&chains[i])
	}
}

// markedEnds says whether a digit or an @ is in the words at the ends of a text: without one on either side of a cut, nothing
// was cut.
func markedEnds(t []byte) (begins, ends bool) {
	for i := 0; i < len(t) && i < seamReach && tokenBytes[t[i]] != 0; i++ {
		begins = begins || tokenBytes[t[i]] == markByte
	}
	i := len(t)
	if t[i-1] == ' ' {
		i--
	}
	for ; i > 0 && len(t)-i < seamReach && tokenBytes[t[i-1]] != 0; i-- {
		ends = ends || tokenBytes[t[i-1]] == markByte
	}
	return begins, ends
}

// extend adds a leaf to a chain that may go on in it, and else begins another.
func (w *walk) extend(c *chain, k int, text, begins bool) {
	t := w.leaves[k].Text
	if c.n > 0 {
		before := w.leaves[c.last()].Text
		if (c.marked || begins) && torn(before, t) || text && string(w.leaves[k].Field) == "text" && prose(before, t) {
			if c.n < maxChain && (c.n == 1 || len(before) <= 2*seamReach) {
				c.leaves[c.n] = int32(k)
				c.n++
				return
			}
			from := c.last()
			w.flush(c)
			c.leaves[0], c.leaves[1], c.n = from, int32(k), 2
			return
		}
		w.flush(c)
	}
	c.leaves[0], c.n = int32(k), 1
}

// flush makes a leaf of a chain of two or more.
func (w *walk) flush(c *chain) {
	n := c.n
	c.n = 0
	if n < 2 {
		return
	}
	first, start := len(w.pieces), len(w.text)
	for i, leaf := range c.leaves[:n] {
		t := w.leaves[leaf].Text
		lo, hi := 0, len(t)
		if i == 0 {
			lo = max(0, hi-seamReach)
		}
		if i == n-1 {
			hi = min(hi, lo+seamReach)
		}
		w.pieces = append(w.pieces, piece{leaf: leaf, lo: int32(lo), at: int32(len(w.text) - start), size: int32(hi - lo)})
		w.text = append(w.text, t[lo:hi]...)
	}
	names := w.leaves[c.leaves[0]]
	names.Text = w.text[start:len(w.text):len(w.text)]
	w.add(&place{at: span(first, len(w.pieces)), form: formSeam}, &names)
}

// across calls f with the parts of a finding in a seam, leaf by leaf. One that lies in a single piece was found there.
func (w *walk) across(leaf int, d detect.Finding, f func(leaf int, d detect.Finding)) {
	at := w.places[leaf].at
	parts := w.pieces[at.Lo:at.Hi]
	touched := 0
	for _, p := range parts {
		if d.Start < int(p.at+p.size) && d.End > int(p.at) {
			touched++
		}
	}
	if touched < 2 {
		return
	}
	for _, p := range parts {
		lo, hi := max(d.Start-int(p.at), 0), min(d.End-int(p.at), int(p.size))
		if lo < hi {
			part := d
			part.Start, part.End = int(p.lo)+lo, int(p.lo)+hi
			f(int(p.leaf), part)
		}
	}
}

// torn holds where two texts may be halves of one token, number or address.
func torn(a, b []byte) bool {
	if c := a[len(a)-1]; c == ' ' {
		a = a[:len(a)-1]
		if !isDigit(a[len(a)-1]) || !isDigit(b[0]) {
			return false
		}
	}
	if !isToken(a[len(a)-1]) || !isToken(b[0]) {
		return false
	}
	left, right := tail(a), head(b)
	if len(left) < 2 && len(a) > 1 || len(left)+len(right) < 9 {
		return false
	}
	digits, letters := 0, 0
	count := func(t []byte) (own int) {
		for _, c := range t {
			switch {
			case isDigit(c):
				own++
			case c|0x20 >= 'a' && c|0x20 <= 'z':
				letters++
			}
		}
		digits += own
		return own
	}
	l, r := count(left), count(right)
	switch {
	case right[0] == '@':
		return true
	case bytes.IndexByte(left, '@') >= 0 && bytes.IndexByte(left[bytes.IndexByte(left, '@'):], '.') < 0:
		return true
	case letters == 0:
		return l > 0 && r > 0 && digits <= 19
	default:
		return digits > 0 && len(left)+len(right) >= 16
	}
}

// tail and head return the run of token bytes at an end of a text.
func tail(t []byte) []byte {
	i := len(t)
	for i > 0 && len(t)-i < seamReach && (isToken(t[i-1]) || isDigit(t[len(t)-1]) && t[i-1] == ' ') {
		i--
	}
	return t[i:]
}

func head(t []byte) []byte {
	i := 0
	for i < len(t) && i < seamReach && (isToken(t[i]) || isDigit(t[0]) && t[i] == ' ') {
		i++
	}
	return t[:i]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isToken(c byte) bool { return tokenBytes[c] != 0 }

// tokenBytes are what words, numbers and addresses are made of. A digit and an @ mark what is worth a look.
var tokenBytes = func() (t [256]uint8) {
	for c := range 256 {
		if c|0x20 >= 'a' && c|0x20 <= 'z' {
			t[c] = 1
		}
	}
	for _, c := range []byte("_-.+/=") {
		t[c] = 1
	}
	for _, c := range []byte("0123456789@") {
		t[c] = markByte
	}
	return t
}()

const markByte = 2

// prose holds where running text may go on.
func prose(a, b []byte) bool {
	return len(a) >= 8 && len(b) >= 8 && bytes.IndexByte(a, ' ') >= 0 && bytes.IndexByte(b[:min(len(b), seamReach)], ' ') >= 0
}
