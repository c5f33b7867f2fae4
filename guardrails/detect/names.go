package detect

import "bytes"

// says is what a name says about a value as a whole.
type says struct {
	grade grade  // how much it names a secret
	whole uint16 // which of labels.whole it names, by their bits
}

// facts is what a field's name says about its value.
type facts struct {
	says
	labels labelSet
	// telling: the name may make a secret or personal data of any value.
	telling, generic bool
	// plain: the name is a few words, and nothing else. clean: nothing can be found in it.
	plain, clean bool
	// names and valued: in {"name": "token", "value": "..."} the one labels the other.
	names, valued bool
}

// nameCache keeps the facts of recent names: the rows of one result share theirs.
type nameCache struct {
	slots [512]nameSlot
	hits  hits
	none  facts     // of a name too long to be one
	start nameSlot  // where nothing came before
	last  *nameSlot // what was asked for last
}

type nameSlot struct {
	name  []byte
	facts facts
	by    *Engine
	next  *nameSlot // what was asked for after it: the members of rows come in one order
}

// facts returns what a name says. The answer is kept under a copy of the name, and holds until the next question.
func (e *Engine) facts(s *Scratch, name []byte) *facts {
	if len(name) == 0 || len(name) > 128 {
		return &s.cache.none
	}
	c := &s.cache
	if c.last == nil {
		c.last = &c.start
	}
	if c.last.by == e && bytes.Equal(c.last.name, name) {
		return &c.last.facts
	}
	if next := c.last.next; next != nil && next.by == e && bytes.Equal(next.name, name) {
		c.last = next
		return &next.facts
	}
	h := uint32(2166136261)
	for _, b := range name {
		h = (h ^ uint32(b)) * 16777619
	}
	slot := &c.slots[h%512]
	c.last.next, c.last = slot, slot
	if slot.by != e || !bytes.Equal(slot.name, name) {
		slot.by, slot.name, slot.facts = e, append(slot.name[:0], name...), e.learn(s, name)
	}
	return &slot.facts
}

// learn works out the facts of a name.
func (e *Engine) learn(s *Scratch, name []byte) facts {
	f := facts{labels: e.labels.field(s, name)}
	f.generic, f.plain = generic(name), plainName(name)
	f.clean = f.plain || e.shortName(name)
	f.names, f.valued = namesValue(name), labelsValue(name)
	e.words.find(name, &s.cache.hits)
	for _, hit := range s.cache.hits[0] {
		switch a := &e.anchors[hit.lit]; a.kind {
		case anchorWord:
			if a.grade <= f.grade {
				continue // no look at it makes it more
			}
			if _, _, g := e.names.name(name, int(hit.end)-int(a.size), int(hit.end), a.grade); g > f.grade {
				f.grade = g
			}
		case anchorKnown, anchorUser:
			f.plain, f.clean = false, false
		default:
		}
	}
	if !ascii(name) {
		f.grade = max(f.grade, e.foreignName(s, name))
	}
	f.whole = e.labels.wholes(f.labels)
	f.telling = f.grade > gradeNot || f.whole != 0
	return f
}

// plainName holds for names of small letters and underscores, and capitals that begin words, short enough to hide nothing.
func plainName(name []byte) bool {
	for i, b := range name {
		inner := is(b, isUpper) && i > 0 && is(name[i-1], isLower) && i+1 < len(name) && is(name[i+1], isLower)
		if !is(b, isLower) && b != '_' && !inner {
			return false
		}
	}
	return len(name) <= 20
}

// generic holds for names that name nothing.
func generic(name []byte) bool {
	if len(name) <= 1 {
		return true
	}
	for _, w := range [...]string{"value", "text", "data", "content", "item", "items", "result", "output", "input", "string", "message", "body", "field", "parts", "part", "payload", "note", "values", "elements", "chunk", "chunks", "args", "params"} {
		if foldEqual(name, w) {
			return true
		}
	}
	return false
}

// place writes down what the names of a leaf say.
func (e *Engine) place(s *Scratch, l *Leaf, p *piece) {
	p.said, p.telling, p.generic, p.says = labelSet{}, l.Name, false, [2]says{}
	if l.Name {
		return
	}
	p.generic = len(l.Label) == 0
	if len(l.Field) > 0 {
		f := e.facts(s, l.Field)
		p.generic, p.unnamed = p.generic && f.generic, f.generic
		p.said, p.telling, p.says[0] = f.labels, f.telling || len(e.users) > 0, f.says
	}
	if len(l.Label) > 0 {
		f := e.facts(s, l.Label)
		p.said, p.telling, p.says[1] = p.said.or(f.labels), true, f.says
	}
	if len(l.Parent) > 0 {
		p.said = p.said.or(*e.parent(s, l.Parent))
	}
}

// parent returns what the name above says. All members of all rows have the same.
func (e *Engine) parent(s *Scratch, name []byte) *labelSet {
	if u := &s.above; u.by != e || !bytes.Equal(u.name, name) {
		last := s.cache.last
		u.by, u.name, u.labels = e, append(u.name[:0], name...), e.facts(s, name).labels
		s.cache.last = last // it is not what comes after the member
	}
	return &s.above.labels
}

// unbroken returns a value without the line ends that only break it.
func (s *Scratch) unbroken(v []byte) []byte {
	if len(v) > maxValue || bytes.IndexByte(v, '\n') < 0 || bytes.ContainsAny(v, " \t") {
		return v
	}
	s.turnedText = s.turnedText[:0]
	for _, b := range v {
		if b != '\n' && b != '\r' {
			s.turnedText = append(s.turnedText, b)
		}
	}
	return s.turnedText
}

// byName judges a leaf by the names around it.
func (e *Engine) byName(s *Scratch, t []byte, p *piece, tr *trail) {
	l, leaf := s.names(p), int(p.leaf)
	if l.Name || p.generic {
		s.bare(t, leaf, tr)
	}
	if l.Name || len(l.Field) == 0 && len(l.Label) == 0 {
		return
	}
	for i, name := range [2][]byte{l.Field, l.Label} {
		if len(name) == 0 {
			continue
		}
		f := &p.says[i]
		if f.grade > gradeNot && !bytes.Equal(name, t) {
			lo := scheme(t, 0)
			value := s.unbroken(t[lo:])
			vendor := l.Parent
			if len(vendor) == 0 {
				vendor = l.Field
			}
			if c := e.names.decide(claim{name: name, value: value, grade: f.grade, via: linkAssign, quoted: true, before: vendor}); c > 0 {
				s.add(leaf, tr, Finding{Rule: "named-secret", Entity: "generic-secret", Kind: Secret, Confidence: c, Start: lo, End: len(t)})
			}
		}
		if foldEqual(name, "auth") && registryPair(t) {
			s.add(leaf, tr, Finding{Rule: "registry-auth", Entity: "basic-auth", Kind: Secret, Confidence: 92, Start: 0, End: len(t)})
		}
		e.wholeValue(s, t, leaf, tr, f.whole)
		e.userFields(s, t, leaf, tr, name)
	}
}

func (e *Engine) userFields(s *Scratch, t []byte, leaf int, tr *trail, name []byte) {
	for i := range e.users {
		u := &e.users[i]
		for _, f := range u.Fields {
			if foldEqual(name, f) {
				s.add(leaf, tr, Finding{Rule: u.Name, Entity: u.Entity, Kind: u.Kind, Confidence: 95, Start: 0, End: len(t)})
			}
		}
	}
}
