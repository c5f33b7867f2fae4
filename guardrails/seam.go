package guardrails

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // its size
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"

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
	marked bool   // the last leaf ends in a word with a digit or an @
	text   []byte // of the last leaf
	field  []byte
	loose  loose // the only leaf, if it was left out
}

// loose is a leaf that was left out, because nothing can be found in it alone. It is read after all where it goes on in
// another, or another in it.
type loose struct {
	id            int // 0 for none
	label, parent []byte
	at            place
}

// joint is what a chain may go on with.
type joint struct {
	k     int32 // the leaf; -1 where it was left out
	loose int   // its id then
	leaf  *detect.Leaf
	at    *place
	// begins: the first word has a digit or an @.
	begins bool
}

func (c *chain) last() int32 { return c.leaves[c.n-1] }

func (c *chain) begin(x *joint) {
	c.leaves[0], c.n, c.text, c.field = x.k, 1, x.leaf.Text, x.leaf.Field
	if c.loose.id = x.loose; x.loose != 0 {
		c.loose.label, c.loose.parent, c.loose.at = x.leaf.Label, x.leaf.Parent, *x.at
	}
}

// seams joins leaves while they are read.
type seams struct {
	near   chain    // of neighbours
	named  [4]chain // of leaves with one name
	next   int      // of named: to be given up next
	mine   int      // of named: used last
	loose  int      // leaves that were left out
	joined []detect.Leaf
	places []place
}

// join looks at the leaf read last; k is -1 where it was left out.
func (w *walk) join(k int32, l *detect.Leaf, at *place) {
	j := &w.joins
	if isIntegrity(l.Text) {
		w.flush(&j.near) // a whole thing, of which nothing goes on
		return
	}
	begins, ends := markedEnds(l.Text)
	x := joint{k: k, leaf: l, at: at, begins: begins}
	if k < 0 {
		j.loose++
		x.loose = j.loose
	}
	w.extend(&j.near, &x, false)
	c := w.chainOf(l.Field)
	if n := j.near.n; c.n > 0 && n > 1 && c.last() == j.near.leaves[n-2] {
		w.flush(c)
		c.begin(&x) // neighbours are joined already
	} else {
		w.extend(c, &x, true)
	}
	j.near.marked, c.marked = ends, ends
}

// isIntegrity holds for a digest with its name, as lists of dependencies have it (W3C Subresource Integrity section 3.5).
func isIntegrity(t []byte) bool {
	if len(t) < len("sha1-")+28 || t[0] != 's' || t[1] != 'h' {
		return false
	}
	name, digest, _ := bytes.Cut(t, []byte("-"))
	size := 0
	switch string(name) {
	case "sha1":
		size = sha1.Size
	case "sha256":
		size = sha256.Size
	case "sha384":
		size = sha512.Size384
	case "sha512":
		size = sha512.Size
	}
	if size == 0 || len(digest) != base64.StdEncoding.EncodedLen(size) {
		return false
	}
	var out [sha512.Size + 2]byte
	n, err := base64.StdEncoding.Decode(out[:], digest)
	return err == nil && n == size
}

// chainOf returns the chain of a name. Members of rows come in one order, and so do their chains.
func (w *walk) chainOf(field []byte) *chain {
	j := &w.joins
	for range j.named {
		j.mine = (j.mine + 1) % len(j.named)
		if c := &j.named[j.mine]; c.n > 0 && bytes.Equal(c.field, field) {
			return c
		}
	}
	j.mine = j.next
	j.next = (j.next + 1) % len(j.named)
	w.flush(&j.named[j.mine])
	return &j.named[j.mine]
}

// seams ends all chains and puts what was joined behind all other leaves.
func (w *walk) seams() {
	j := &w.joins
	w.flush(&j.near)
	for i := range j.named {
		w.flush(&j.named[i])
	}
	w.leaves, w.places = append(w.leaves, j.joined...), append(w.places, j.places...)
	clear(j.joined)
	w.part()
}

// part forgets what was joined.
func (w *walk) part() { w.joins = seams{joined: w.joins.joined[:0], places: w.joins.places[:0]} }

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
func (w *walk) extend(c *chain, x *joint, named bool) {
	if l := x.leaf; c.n == 0 || !((c.marked || x.begins) && torn(c.text, l.Text) || named && string(l.Field) == "text" && prose(c.text, l.Text)) {
		w.flush(c)
		c.begin(x)
		return
	}
	if id := c.loose.id; id != 0 {
		w.joins.tied(id, w.add(&c.loose.at, &detect.Leaf{Text: c.text, Field: c.field, Label: c.loose.label, Parent: c.loose.parent}))
	}
	if x.loose != 0 {
		x.k = w.add(x.at, x.leaf)
		w.joins.tied(x.loose, x.k)
		x.loose = 0
	}
	if c.n == maxChain || c.n > 1 && len(c.text) > 2*seamReach {
		from := c.last()
		w.flush(c)
		c.leaves[0], c.n = from, 1
	}
	c.leaves[c.n], c.text = x.k, x.leaf.Text
	c.n++
}

// tied says that a leaf which was left out is leaf k now.
func (j *seams) tied(id int, k int32) {
	j.near.tied(id, k)
	for i := range j.named {
		j.named[i].tied(id, k)
	}
}

func (c *chain) tied(id int, k int32) {
	if c.loose.id == id {
		c.leaves[0], c.loose.id = k, 0
	}
}

// flush makes a leaf of a chain of two or more.
func (w *walk) flush(c *chain) {
	if c.n < 2 {
		c.n = 0
		return
	}
	n := c.n
	c.n = 0
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
	w.joins.joined = append(w.joins.joined, names)
	w.joins.places = append(w.joins.places, place{at: span(first, len(w.pieces)), form: formSeam})
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
