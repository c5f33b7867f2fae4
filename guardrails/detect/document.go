package detect

import "bytes"

// document gathers the leaves of a JSON text into one page, with the names that belong to each.
type document struct {
	engine  *Engine
	scratch *Scratch
	in      []byte
	out     []byte
	spans   *offsets
	pieces  []piece
	leaves  []Leaf // the names; Text stays empty
	leaf    int32
	head    [][]byte            // names of columns
	codes   [][2]int            // where arrays begin and end whose elements may be codes of characters
	own     [jsonDepth + 2]Leaf // names of the values that are open, by depth
}

const jsonDepth = 64

// nested reads a text that is JSON: each member is scanned with its names. It returns false where the text is
// something else, or too large; its plain bytes are then to be scanned.
func (e *Engine) nested(s *Scratch, t []byte, p *piece, tr *trail, depth int) bool {
	leaf := int(p.leaf)
	lv := &s.levels[depth]
	if len(t) > 2*maxView {
		return false
	}
	lv.spans.reset(len(t))
	d := &lv.doc
	d.engine, d.scratch = e, s
	d.in, d.out, d.spans, d.pieces, d.leaf, d.head = t, lv.view[:0], &lv.spans, d.pieces[:0], int32(leaf), nil
	d.leaves, d.codes = d.leaves[:0], d.codes[:0]
	above := s.names(p)
	d.own[0] = Leaf{Field: above.Field, Label: above.Label, Parent: above.Parent}
	end, ok := d.value(d.blank(0), &d.own[0], 0)
	lv.view = d.out
	if !ok || d.blank(end) != len(t) || len(d.pieces) == 0 || !s.spend(len(d.out), leaf, tr, len(t)) {
		return false
	}
	if depth+1 < maxDepth { // this level's memory holds the page
		for _, c := range d.codes {
			e.codes(s, t[:c[1]], c[0], *p, tr, depth+1)
		}
	}
	outer := s.members
	s.members = d.leaves
	lv.trail = trail{spans: &lv.spans, up: tr, via: stepJSON}
	e.page(s, d.out, d.pieces, &lv.trail, depth+1)
	lv.trail.base = 0
	e.siblings(s, d, &lv.trail, depth+1)
	s.members = outer
	return true
}

func (d *document) blank(i int) int { return run(d.in, i, isSpace) }

// value reads one value and returns where it ends.
func (d *document) value(i int, names *Leaf, depth int) (int, bool) {
	if i >= len(d.in) || depth > jsonDepth {
		return i, false
	}
	switch d.in[i] {
	case '{':
		return d.object(i+1, names, depth)
	case '[':
		return d.array(i+1, names, depth)
	case '"':
		lo := len(d.out)
		end, ok := d.text(i)
		d.piece(lo, names)
		return end, ok
	}
	end := i
	for end < len(d.in) && (is(d.in[end], isAlnum) || d.in[end] == '-' || d.in[end] == '+' || d.in[end] == '.') {
		end++
	}
	if is(d.in[i], isDigit) || d.in[i] == '-' {
		if names.Text = d.in[i:end]; d.engine.plainNumber(d.scratch, names) {
			return end, true
		}
		lo := len(d.out)
		d.number(i, end)
		d.piece(lo, names)
		d.pieces[len(d.pieces)-1].number = true
	}
	return end, end > i
}

// plainNumber holds for a short whole number that its names do not make personal.
func (e *Engine) plainNumber(s *Scratch, l *Leaf) bool {
	n := len(l.Text)
	if n >= minKnown || len(e.users) > 0 || len(l.Field) == 0 {
		return false
	}
	var p piece
	e.place(s, l, &p)
	return !p.telling && !p.generic && e.idle(l.Text, &p)
}

// number writes a number as the integer it is: 4.111e15 and 4111.0 hide nothing.
func (d *document) number(i, end int) {
	v := d.in[i:end]
	d.spans.mark(len(d.out), i, true)
	mantissa, exp := v, 0
	if e := bytes.IndexAny(v, "eE"); e > 0 {
		mantissa = v[:e]
		for _, b := range bytes.TrimLeft(v[e+1:], "+") {
			if !is(b, isDigit) || exp > 40 {
				exp = -1
				break
			}
			exp = exp*10 + digit(b)
		}
	}
	whole, part, broken := bytes.Cut(mantissa, []byte{'.'})
	if !broken && exp == 0 || exp < 0 {
		d.out = append(d.out, v...)
		return
	}
	part = bytes.TrimRight(part, "0")
	if len(part) > exp {
		d.out = append(d.out, v...)
		return
	}
	d.out = append(append(d.out, whole...), part...)
	for range exp - len(part) {
		d.out = append(d.out, '0')
	}
}

func (d *document) piece(lo int, names *Leaf) {
	if len(d.out) > lo {
		d.pieces = append(d.pieces, piece{lo: int32(lo), hi: int32(len(d.out)), leaf: d.leaf, name: d.named(names), sees: seen(d.out[lo:])})
		d.engine.place(d.scratch, names, &d.pieces[len(d.pieces)-1])
	}
	d.spans.mark(len(d.out), d.spans.end, true)
	d.out = append(d.out, 0)
}

// named returns where the names stand, once for all that have the same.
func (d *document) named(names *Leaf) int32 {
	for i := max(0, len(d.leaves)-4); i < len(d.leaves); i++ {
		l := &d.leaves[i]
		if l.Name == names.Name && len(l.Label)+len(names.Label) == 0 && bytes.Equal(l.Field, names.Field) && bytes.Equal(l.Parent, names.Parent) {
			return ^int32(i)
		}
	}
	d.leaves = append(d.leaves, Leaf{Field: names.Field, Label: names.Label, Parent: names.Parent, Name: names.Name})
	return ^int32(len(d.leaves) - 1)
}

// text unescapes a string into the page.
func (d *document) text(i int) (int, bool) {
	t := d.in
	i++
	d.spans.mark(len(d.out), i, false)
	for i < len(t) {
		n := bytes.IndexByte(t[i:], '"')
		if n < 0 {
			return len(t), false
		}
		if b := bytes.IndexByte(t[i:i+n], '\\'); b >= 0 {
			n = b
		}
		if bytes.IndexByte(t[i:i+n], '\n') >= 0 {
			return i, false // a line end in a string: this is no JSON
		}
		d.out = append(d.out, t[i:i+n]...)
		i += n
		if t[i] == '"' {
			return i + 1, true
		}
		if i+1 >= len(t) {
			return len(t), false
		}
		d.spans.mark(len(d.out), i, true)
		var size int
		if d.out, size = unescapeJSON(d.out, t[i:]); size == 0 {
			return i, false
		}
		i += size
		d.spans.mark(len(d.out), i, false)
	}
	return i, false
}

// unescapeJSON writes what the escape at the begin of t stands for.
func unescapeJSON(dst, t []byte) ([]byte, int) {
	switch t[1] {
	case 'b':
		return append(dst, '\b'), 2
	case 'f':
		return append(dst, '\f'), 2
	case 'r':
		return append(dst, '\r'), 2
	}
	if t[1] == 'x' {
		return dst, 0
	}
	r, n := escape(t)
	if n == 0 {
		return dst, 0
	}
	return appendRune(dst, r), n
}

// object reads members. A "name" beside a "value" labels it.
func (d *document) object(i int, above *Leaf, depth int) (int, bool) {
	var label []byte
	for i = d.blank(i); i < len(d.in) && d.in[i] != '}'; {
		if d.in[i] != '"' {
			return i, false
		}
		end, ok := d.name(i)
		if !ok {
			return end, false
		}
		key := d.in[i+1 : end-1]
		if i = d.blank(end); i >= len(d.in) || d.in[i] != ':' {
			return i, false
		}
		i = d.blank(i + 1)
		names := &d.own[depth+1]
		*names = Leaf{Field: key, Parent: above.Field}
		f := d.engine.facts(d.scratch, key)
		labels := f.names
		if f.valued {
			names.Label = label
		}
		from := i
		if i, ok = d.value(i, names, depth+1); !ok {
			return i, false
		}
		if labels && d.in[from] == '"' {
			label = d.in[from+1 : i-1]
		}
		if i = d.blank(i); i < len(d.in) && d.in[i] == ',' {
			i = d.blank(i + 1)
		}
	}
	return i + 1, i < len(d.in)
}

// name reads a member's name. Plain ones are not scanned again each time they come.
func (d *document) name(i int) (int, bool) {
	n := i + 1
	for n < len(d.in) && d.in[n] != '"' {
		n++
	}
	if d.engine.facts(d.scratch, d.in[i+1:n]).plain && n < len(d.in) {
		return n + 1, true
	}
	lo := len(d.out)
	end, ok := d.text(i)
	if ok {
		d.piece(lo, &Leaf{Name: true})
	}
	return end, ok
}

func namesValue(key []byte) bool {
	for _, w := range [...]string{"name", "key", "label", "field", "title", "header", "id", "type", "parameter", "variable", "property", "attribute", "column"} {
		if foldEqual(key, w) {
			return true
		}
	}
	return false
}

func labelsValue(key []byte) bool {
	for _, w := range [...]string{"value", "val", "content", "data", "text", "default", "answer", "string", "stringvalue"} {
		if foldEqual(key, w) {
			return true
		}
	}
	return false
}

// array reads elements. They take the name of the array; in rows, the column's; in pairs, the element's before.
func (d *document) array(i int, names *Leaf, depth int) (int, bool) {
	first := i
	column, before := 0, []byte(nil)
	var codes CodeRun
	for i = d.blank(i); i < len(d.in) && d.in[i] != ']'; column++ {
		own := &d.own[depth+1]
		*own = *names
		switch {
		case len(names.Label) > 0:
		case column < len(d.head) && depth > 1 && d.in[i] != '[' && d.in[i] != '{':
			own.Label = d.head[column]
		case column == 1:
			own.Label = before
		}
		from := i
		var ok bool
		if i, ok = d.value(i, own, depth+1); !ok {
			return i, false
		}
		codes.Add(d.in[from:i])
		before = nil
		if d.in[from] == '"' && i-from < 40 && shapeOf(d.in[from:i]).digit == 0 {
			before = d.in[from+1 : i-1]
		}
		if i = d.blank(i); i < len(d.in) && d.in[i] == ',' {
			i = d.blank(i + 1)
		}
	}
	if codes.Text() {
		d.codes = append(d.codes, [2]int{first, i})
	}
	if foldEqual(names.Field, "columns") || foldEqual(names.Field, "headers") || foldEqual(names.Field, "fields") || foldEqual(names.Field, "header") {
		d.columns(d.in[first:min(i, len(d.in))])
	}
	return i + 1, i < len(d.in)
}

// columns remembers the names of a result's columns, if they are plain strings.
func (d *document) columns(list []byte) {
	d.head = d.head[:0]
	for part := range bytes.SplitSeq(list, []byte(",")) {
		part = bytes.TrimSpace(part)
		if len(part) < 2 || part[0] != '"' || len(d.head) == 64 {
			return
		}
		d.head = append(d.head, bytes.Trim(part, `"`))
	}
}
