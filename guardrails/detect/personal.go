package detect

import (
	"math/bits"
	"slices"
)

// groups is a run of letters and digits, divided by single separators, around a digit.
type groups struct {
	n          int
	start, end [12]int // of each group in the text
	off        [13]int // where each group begins in norm
	sep        [12]byte
	norm       [64]byte // the groups without separators, in capitals
	number     uint64   // which bytes of norm are digits
	digits     [13]int  // before each group, the digits of those before it
	capitals   [13]int  // before each group, how many of those before it begin or end with one
}

const (
	maxGroups    = 10
	maxNorm      = 60
	leastJumbled = 9
)

// marks looks for personal data: it stops at every digit and @ that begins something.
func (e *Engine) marks(s *Scratch, text []byte, pieces []piece, tr *trail) {
	c := candidate{e: e, s: s, tr: tr}
	for k := range pieces {
		p := &pieces[k]
		if p.sees&(seesDigit|seesAt) == 0 {
			continue
		}
		t := text[p.lo:p.hi]
		c.p, c.t, c.leaf = p, t, int(p.leaf)
		tr.enter(p)
		if kindOf[t[0]]&isMark != 0 && e.idle(t, p) {
			continue
		}
		c.joined = joined{}
		for i := 0; i < len(t); {
			if kindOf[t[i]]&isMark != 0 {
				i = max(c.at(i), i+1) // whatever is found, nothing is looked at for ever
				continue
			}
			for i++; i+4 <= len(t) && (kindOf[t[i]]|kindOf[t[i+1]]|kindOf[t[i+2]]|kindOf[t[i+3]])&isMark == 0; i += 4 {
			}
		}
	}
}

// candidate is the place in one leaf that is being looked at, mark by mark from its begin.
type candidate struct {
	e    *Engine
	s    *Scratch
	t    []byte
	leaf int
	tr   *trail
	p    *piece

	joined joined
}

// inBase64 holds for a word that is a part of something encoded.
func inBase64(t []byte, word, end int) bool {
	before := word > 0 && (t[word-1] == '+' || t[word-1] == '/')
	after := end < len(t) && (t[end] == '+' || t[end] == '/')
	if !before && !after {
		return false
	}
	lo, hi := word, end
	for lo > 0 && (is(t[lo-1], isAlnum) || t[lo-1] == '+' || t[lo-1] == '/') && word-lo < 40 {
		lo--
	}
	for hi < len(t) && (is(t[hi], isAlnum) || t[hi] == '+' || t[hi] == '/') && hi-end < 40 {
		hi++
	}
	s := shapeOf(t[lo:hi])
	return hi-lo >= 40 && s.upper*8 > hi-lo && s.lower*8 > hi-lo && s.changes*4 > hi-lo
}

// day passes over a date and the time behind it, unless it is called a birthday.
func (c *candidate) day(lo int) int {
	hi := lo + 10
	ctx := context{}
	lineStart := lo == 0 || c.t[lo-1] == '\n'
	if c.p.said.has(c.e.labels.birth) || !lineStart && c.labelled(&ctx, c.e.labels.birth, lo, hi) > 0 {
		c.found("DATE_OF_BIRTH", 80, lo, hi)
		return hi
	}
	for hi < len(c.t) && (is(c.t[hi], isDigit) || c.t[hi] == 'T' || c.t[hi] == ':' || c.t[hi] == '.' || c.t[hi] == 'Z') {
		hi++
	}
	return hi
}

func (c *candidate) found(entity string, confidence uint8, lo, hi int) {
	c.s.add(c.leaf, c.tr, Finding{Rule: "pii-" + entity, Entity: entity, Kind: PII, Confidence: confidence, Start: lo, End: hi})
}

// at decides about the mark at i and returns where to go on.
func (c *candidate) at(i int) int {
	if c.t[i] == '@' {
		return c.email(i)
	}
	word := runBack(c.t, i, isAlnum)
	end := run(c.t, i, isAlnum)
	if end-word >= 4 && inBase64(c.t, word, end) {
		for end < len(c.t) && (is(c.t[end], isAlnum) || c.t[end] == '+' || c.t[end] == '/') {
			end++
		}
		return end
	}
	if (end-word == 4 || end-word == 8) && isDay(c.t[word:]) {
		return c.day(word)
	}
	if end-word > 24 {
		if next := c.machineLine(word, end); next > 0 {
			return next
		}
		return max(c.long(word, end), i+1)
	}
	if next := c.written(word, end); next > 0 {
		return next
	}
	if next := c.address(word, end); next > 0 {
		return next
	}
	if c.t[word] == 'v' {
		if next := pseudoVersion(c.t, word); next > 0 {
			return next
		}
	}
	if jumbled(c.t[word:end]) {
		return end
	}
	return c.grouped(word, end)
}

// written decides about what only its surroundings make a number: days with months in words, stripes, travel documents.
func (c *candidate) written(word, end int) int {
	if next := c.spelledDay(word, end); next > 0 {
		return next
	}
	if c.track(word, end) {
		return end
	}
	return c.machineLine(word, end)
}

// long looks at one run of more than 24 letters and digits: wallets and account numbers, nothing else.
func (c *candidate) long(word, end int) int {
	if n := end - word; n > 90 || word > 0 && (c.t[word-1] == '/' && n > 44 || c.t[word-1] == '+') || end < len(c.t) && (c.t[end] == '+' || c.t[end] == '/' && n > 44 || c.t[end] == '=') {
		return end
	}
	v := c.t[word:end]
	switch {
	case bitcoin(v):
		c.found("CRYPTO", 95, word, end)
	case ethereum(v):
		c.found("CRYPTO", 85, word, end)
	case len(v) <= 34 && ibanText(v):
		c.found("IBAN_CODE", 98, word, end)
	}
	return end
}

// grouped reads the groups around one word and asks every form of their length.
func (c *candidate) grouped(word, end int) int {
	g := &c.s.groups
	if c.s.spent() && (word == 0 || c.t[word-1] != '+' && c.t[word-1] != '(') { // but telephone numbers are found for nothing
		return end
	}
	if !c.read(word, end) {
		return end
	}
	if last := c.plus(word); last > 0 {
		return last
	}
	if c.smallTalk(0, g.n) {
		return end
	}
	ctx := context{}
	for from := 0; from < g.n; from++ {
		if from > 0 && g.start[from-1] >= end && g.n > 1 && from > 6 {
			break
		}
		for to := g.n; to > from && !c.smallTalk(from, to); to-- { // nor are fewer of them more
			if !c.s.effort(tryEffort, c.leaf, c.tr, len(c.t)) {
				return end
			}
			if c.try(&ctx, from, to) {
				return max(end, g.end[to-1])
			}
		}
	}
	return end
}

// smallTalk holds for groups with few digits among small letters in a longer text, as in "in 802 ms" or "v1.3.1/go.mod":
// whatever has so few digits is written in capitals.
func (c *candidate) smallTalk(from, to int) bool {
	g := &c.s.groups
	return len(c.t) >= 32 && g.digits[to]-g.digits[from] < 5 && g.capitals[to] == g.capitals[from]
}

// read fills the groups: at most one short word before, then what follows while single separators join it.
func (c *candidate) read(word, end int) bool {
	g, t := &c.s.groups, c.t
	g.n = 0
	if first := c.wordBefore(word); first >= 0 {
		if again := c.wordBefore(first); again >= 0 && word-first <= 4 {
			c.push(again, runEnd(t, again))
		}
		c.push(first, runEnd(t, first))
	}
	c.push(word, end)
	for g.n < maxGroups {
		at := g.end[g.n-1]
		if at+2 < len(t) && t[at] == ')' && t[at+1] == ' ' {
			at++
		}
		area := g.n == 1 && at < len(t) && t[at] == ')' && g.start[0] > 0 && t[g.start[0]-1] == '('
		if at+1 >= len(t) || !area && !separator(t[at]) || !is(t[at+1], isAlnum) {
			break
		}
		if !c.grow(at + 1) {
			break
		}
	}
	return g.off[g.n] >= 5
}

// grow takes in the group that begins at a byte, if it may be one of the same number.
func (c *candidate) grow(at int) bool {
	t, stop, kinds := c.t, at, uint8(0)
	for stop < len(t) && kindOf[t[stop]]&isAlnum != 0 {
		kinds |= kindOf[t[stop]]
		stop++
	}
	size := stop - at
	if size > 20 || size >= leastJumbled && jumbled(t[at:stop]) || t[at] == 'v' && pseudoVersion(t, at) > 0 {
		return false
	}
	return (kinds&isDigit != 0 || c.joinable(size)) && c.push(at, stop)
}

// jumbled holds for a longer word of small and capital letters and a few digits, as in digests: no number is written so.
func jumbled(v []byte) bool {
	if len(v) < leastJumbled {
		return false
	}
	s := shapeOf(v)
	return s.upper >= 2 && s.lower >= 2 && 2*(s.upper+s.lower) > len(v)
}

func runEnd(t []byte, at int) int { return run(t, at, isAlnum) }

func separator(b byte) bool { return b == ' ' || b == '-' || b == '.' || b == '/' || b == ':' }

// joinable holds for groups without digits that may be parts of a number: short words or single letters.
func (c *candidate) joinable(letters int) bool {
	g := &c.s.groups
	// Four letters name the bank in some account numbers.
	return letters <= 3 || letters == 4 && g.n == 1 && g.off[1] == 4 && is(g.norm[0], isUpper) && is(g.norm[2], isDigit)
}

// wordBefore returns the begin of a word of one to three letters that a blank or dash joins to what begins at word.
func (c *candidate) wordBefore(word int) int {
	if word < 2 || c.t[word-1] != ' ' && c.t[word-1] != '-' {
		return -1
	}
	lo := runBack(c.t, word-1, isAlnum)
	if n := word - 1 - lo; n == 0 || n > 3 {
		return -1
	}
	for _, b := range c.t[lo : word-1] {
		if !is(b, isLetter) {
			return -1
		}
	}
	return lo
}

func (c *candidate) push(lo, hi int) bool {
	g := &c.s.groups
	n := g.off[g.n]
	if g.n == 0 {
		n = 0
		g.off[0] = 0
	}
	if n+hi-lo > maxNorm {
		return false
	}
	number, capitals := g.number&(1<<n-1), g.capitals[g.n]
	for i, b := range c.t[lo:hi] {
		k := kindOf[b]
		number |= uint64(k&isDigit) << (n + i)
		g.norm[n+i] = b - k&isLower<<4 // 'a' - 'A' is 32
	}
	g.number = number
	if is(c.t[lo], isUpper) || is(c.t[hi-1], isUpper) {
		capitals++
	}
	g.start[g.n], g.end[g.n] = lo, hi
	if lo > 0 {
		g.sep[g.n] = c.t[lo-1]
	}
	g.n++
	g.off[g.n], g.digits[g.n], g.capitals[g.n] = n+hi-lo, bits.OnesCount64(number), capitals
	return true
}

// try asks whether the groups from..to are something.
func (c *candidate) try(ctx *context, from, to int) bool {
	g := &c.s.groups
	n := g.norm[g.off[from]:g.off[to]]
	lo, hi := g.start[from], g.end[to-1]
	if len(n) < 5 || !c.clear(lo, hi) {
		return false
	}
	if len(n) >= 12 && len(n) <= 19 && g.onlyDigits(from, to) && c.card(from, to, n) {
		c.found("CREDIT_CARD", 95, lo, hi)
		return true
	}
	if len(n) >= 15 && len(n) <= 34 && to-from > 1 && ibanGroups(g, from, to) && iban(n) {
		c.found("IBAN_CODE", 98, lo, hi)
		return true
	}
	if len(n) >= 15 && to-from == 1 && iban(n) && c.clear(lo, hi) {
		c.found("IBAN_CODE", 98, lo, hi)
		return true
	}
	if len(n) < len(c.e.forms.byLength) && c.form(ctx, from, to, n) {
		return true
	}
	return c.national(ctx, from, to, n)
}

func (g *groups) onlyDigits(from, to int) bool {
	return g.digits[to]-g.digits[from] == g.off[to]-g.off[from]
}

// form picks the best form: one that a label names before one that speaks for itself, before one that stands alone.
func (c *candidate) form(ctx *context, from, to int, n []byte) bool {
	g := &c.s.groups
	digits := uint32(g.number>>g.off[from]) & (1<<len(n) - 1)
	letters := digits ^ (1<<len(n) - 1)
	lo, hi := g.start[from], g.end[to-1]
	layout, slash := uint64(0), false
	for i := from; i < to; i++ {
		layout = layout<<4 | uint64(g.end[i]-g.start[i])&15
		slash = slash || i > from && g.sep[i] == '/'
	}
	if to-from > 1 && !slices.Contains(c.e.forms.layouts[len(n)], layout) {
		return false
	}
	var best *compiledForm
	rank := uint8(0)
	for i := range c.e.forms.byLength[len(n)] {
		f := &c.e.forms.byLength[len(n)][i]
		if f.letters&digits != 0 || f.digits&letters != 0 {
			continue
		}
		if to-from > 1 && (slash && !f.slash || !slices.Contains(f.layouts, layout)) {
			continue
		}
		if r := c.rank(ctx, f, to-from > 1, lo, hi, n); r > rank {
			best, rank = f, r
		}
	}
	if best == nil || rank <= 76 && c.phone(ctx, from, to, n) && c.maybeLabelled(ctx, c.e.labels.phone, lo, hi) {
		return false // what is called a telephone number is none of those that nothing names
	}
	c.found(best.entity, rank, lo, hi)
	return true
}
