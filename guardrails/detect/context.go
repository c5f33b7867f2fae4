package detect

import (
	"bytes"
	"slices"
)

// context is what surrounds one candidate, worked out when first asked for.
type context struct {
	ready bool
	field labelSet // by the leaf's names and the column's header
	near  [64 * len(labelSet{})]uint8
	said  labelSet // words before or after
}

const (
	tryEffort   = 6  // to ask about some groups
	loadEffort  = 40 // to read the words around them
	reachBefore = 64
	reachAfter  = 40
)

func (x *context) load(c *candidate, lo, hi int) {
	if x.ready {
		return
	}
	x.ready = true
	if !c.s.effort(loadEffort, c.leaf, c.tr, len(c.t)) {
		return
	}
	x.field = c.p.said
	if head := c.s.columnHeader(c.t, lo); len(head) > 0 {
		x.field = x.field.or(c.e.labels.field(c.s, head))
	}
	before := c.t[max(0, lo-reachBefore):lo]
	if i := bytes.LastIndexByte(before, '\n'); i >= 0 && len(bytes.TrimSpace(before[i:])) > 0 {
		before = before[i:]
	}
	if len(before) > 1 {
		c.e.labels.each(c.s, before, true, func(id, end int) {
			x.said.add(id)
			// Nearer words count more.
			x.near[id] = uint8(max(1, 10-(len(c.s.around)-end)/5))
		})
	}
	after := c.t[hi:min(len(c.t), hi+reachAfter)]
	if len(after) < 4 {
		return
	}
	c.e.labels.each(c.s, after, true, func(id, _ int) {
		if !x.said.has(id) {
			x.said.add(id)
			x.near[id] = 1
		}
	})
}

// maybeLabelled is the cheap question before a check digit is worked out.
func (c *candidate) maybeLabelled(x *context, id, lo, hi int) bool {
	x.load(c, lo, hi)
	return x.field.has(id) || x.said.has(id)
}

// labelled says how strongly the surroundings name the entity: 0 is not at all.
func (c *candidate) labelled(x *context, id, lo, hi int) uint8 {
	x.load(c, lo, hi)
	switch {
	case x.field.has(id):
		return 12
	case x.said.has(id):
		return x.near[id]
	}
	return 0
}

// against holds where the words before name something that is not a person's.
func (x *context) against(c *candidate, lo int) bool {
	x.load(c, lo, lo)
	return notPersonal(c.t[max(0, lo-reachBefore):lo])
}

// notPersonal looks at the last three words for one that makes a number an order, a part or a release.
func notPersonal(t []byte) bool {
	hi := len(t)
	for range 3 {
		for hi > 0 && !is(t[hi-1], isLetter) {
			hi--
		}
		lo := runBack(t, hi, isLetter)
		if lo == hi {
			return false
		}
		for _, w := range [...]string{
			"order", "invoice", "sku", "part", "tracking", "isbn", "version", "section", "ref", "case", "ticket", "build", "serial", "issue", "revision", "ean", "upc",
		} {
			if len(w) == hi-lo && foldEqual(t[lo:hi], w) {
				return true
			}
		}
		hi = lo
	}
	return false
}

// maxLine is how long a line of a table may be.
const maxLine = 2048

// table remembers the header of the table that was read last, so that its rows need not look for it.
type table struct {
	text  *byte
	line  int // begin of the row that was read last
	head  []byte
	seen  int // up to where line ends were looked for
	begin int // of the line that holds seen, or -1
}

// columnHeader finds the name over a cell of a table: CSV, TSV, or Markdown.
func (s *Scratch) columnHeader(t []byte, at int) []byte {
	line := s.lineOf(t, at)
	if line < 0 || at-line > maxLine {
		return nil
	}
	if line == 0 {
		return firstCell(t, line, at)
	}
	head := firstLine(t)
	if t[line] == '|' {
		head = s.tableHead(t, line)
	}
	for _, sep := range [...]byte{'|', '\t', ',', ';'} {
		n := bytes.Count(t[line:at], []byte{sep})
		if bytes.IndexByte(head, sep) < 0 || bytes.Count(head, []byte{sep}) < n {
			continue
		}
		cell := nthCell(head, sep, n)
		if sep == '|' && (foldEqual(cell, "value") || foldEqual(cell, "wert")) {
			return firstCell(t, line, at)
		}
		return cell
	}
	return nil
}

// lineOf returns where the line that holds at begins, or -1 where that is too far. Candidates come in order, so that
// what was looked through for the last one is not looked through again.
func (s *Scratch) lineOf(t []byte, at int) int {
	m := &s.table
	from := max(0, at-maxLine)
	if known := m.text == &t[0] && m.seen <= at; known && m.seen >= from {
		if i := bytes.LastIndexByte(t[m.seen:at], '\n'); i >= 0 {
			m.begin = m.seen + i + 1
		}
	} else {
		m.begin = -1
		if i := bytes.LastIndexByte(t[from:at], '\n'); i >= 0 || from == 0 {
			m.begin = from + i + 1
		}
	}
	if m.text != &t[0] {
		m.line, m.head = -1, nil
	}
	m.text, m.seen = &t[0], at
	return m.begin
}

func firstLine(t []byte) []byte {
	t = t[:min(len(t), maxLine)]
	if i := bytes.IndexByte(t, '\n'); i >= 0 {
		t = t[:i]
	}
	return t
}

// tableHead returns the first of the lines that begin with a bar, up from the one at line.
func (s *Scratch) tableHead(t []byte, line int) []byte {
	known := s.table.line >= 0 && s.table.head != nil
	top := line
	for top > 0 && line-top < 64<<10 {
		if known && top == s.table.line {
			break
		}
		up := max(0, top-1-maxLine)
		up += bytes.LastIndexByte(t[up:top-1], '\n') + 1
		if t[up] != '|' {
			break
		}
		top = up
	}
	if !known || top != s.table.line {
		s.table.head = firstLine(t[top:])
	}
	s.table.line = line
	return s.table.head
}

func nthCell(line []byte, sep byte, n int) []byte {
	for range n {
		i := bytes.IndexByte(line, sep)
		if i < 0 {
			return nil
		}
		line = line[i+1:]
	}
	if i := bytes.IndexByte(line, sep); i >= 0 {
		line = line[:i]
	}
	return bytes.Trim(line, " \t\"'\r")
}

// firstCell is the name at the begin of a row: "| name | value |".
func firstCell(t []byte, line, at int) []byte {
	if line >= len(t) || t[line] != '|' {
		return nil
	}
	return bytes.TrimSpace(nthCell(t[line+1:at], '|', 0))
}

// wholeValue finds what only its field's name makes personal: names, addresses, days of birth.
func (e *Engine) wholeValue(s *Scratch, t []byte, leaf int, tr *trail, named uint16) {
	if named == 0 || len(t) > 200 || len(t) < leastNamed {
		return
	}
	for i, w := range e.labels.whole {
		if named>>i&1 != 0 && fits(w.entity, t) {
			s.add(leaf, tr, Finding{Rule: "pii-" + w.entity, Entity: w.entity, Kind: PII, Confidence: 75, Start: 0, End: len(t)})
			return
		}
	}
}

// fits holds the value of a field to the least that its kind of value has.
func fits(entity string, t []byte) bool {
	sh := shapeOf(t)
	if commonWord(t) || isPlaceholder(t) {
		return false
	}
	switch entity {
	case "NAME":
		return sh.digit == 0 && (sh.upper > 0 || sh.other > 0) && sh.mark <= 3 && sh.space <= 4
	case "STREET_ADDRESS":
		spelled := sh.letter() > 3 && sh.space > 0 || sh.other >= 9 // three signs of a script that has no blanks
		return sh.digit > 0 && spelled && !bytes.Contains(t, []byte("://")) && !decimal(t)
	case "DATE_OF_BIRTH", "CARD_EXPIRY":
		return sh.digit >= 3 && len(t) <= 24 && (sh.mark > 0 || sh.space > 0 || sh.digit == 8)
	case "CVV":
		return sh.digit == len(t) && (len(t) == 3 || len(t) == 4)
	case "PIN":
		return sh.digit == len(t) && len(t) >= 4 && len(t) <= 8
	case "SALARY":
		return sh.digit >= 4
	case "SWIFT_BIC":
		return bic(t)
	case "US_BANK_NUMBER":
		return sh.digit == len(t) && len(t) >= 8 && len(t) <= 17
	}
	return sh.letter() > 2 && !slices.Contains(t, '_')
}

// decimal holds for numbers with a point: versions and amounts, not houses.
func decimal(t []byte) bool {
	for i := 1; i+1 < len(t); i++ {
		if t[i] == '.' && is(t[i-1], isDigit) && is(t[i+1], isDigit) {
			return true
		}
	}
	return false
}
