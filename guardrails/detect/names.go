package detect

import "bytes"

// facts is what a field's name says about its value.
type facts struct {
	grade  grade
	vendor bool
	labels labelSet
	// telling: the name may make a secret or personal data of any value.
	telling, generic bool
	// plain: the name is a few words, and nothing else.
	plain bool
}

// nameCache keeps the facts of recent names: the rows of one result share theirs.
type nameCache struct {
	slots [512]struct {
		name  []byte
		facts facts
		by    *Engine
	}
	hits hits
	none facts // of a name too long to be one
}

// facts returns what a name says. The answer is kept under a copy of the name, and holds until the next question.
func (e *Engine) facts(s *Scratch, name []byte) *facts {
	if len(name) == 0 || len(name) > 128 {
		return &s.cache.none
	}
	h := uint32(2166136261)
	for _, b := range name {
		h = (h ^ uint32(b)) * 16777619
	}
	slot := &s.cache.slots[h%512]
	if slot.by == e && bytes.Equal(slot.name, name) {
		return &slot.facts
	}
	f := facts{labels: e.labels.of(s, name, true), vendor: e.names.hasVendor(name)}
	e.words.find(name, &s.cache.hits)
	for _, hit := range s.cache.hits[0] {
		a := &e.anchors[hit.lit]
		if a.kind != anchorWord {
			continue
		}
		if _, _, g := e.names.name(name, int(hit.end)-int(a.size), int(hit.end), a.grade); g > f.grade {
			f.grade = g
		}
	}
	f.telling = f.grade > gradeNot || f.labels.meets(e.labels.wholeMask)
	f.generic, f.plain = generic(name), plainName(name)
	slot.by, slot.name, slot.facts = e, append(slot.name[:0], name...), f
	return &slot.facts
}

// plainName holds for names of letters and underscores, short enough to hide nothing.
func plainName(name []byte) bool {
	for _, b := range name {
		if !is(b, isLower) && b != '_' {
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
	p.said, p.telling, p.generic = labelSet{}, l.Name, false
	if l.Name {
		return
	}
	p.generic = len(l.Label) == 0
	if len(l.Field) > 0 {
		f := e.facts(s, l.Field)
		p.generic = p.generic && f.generic
		p.said, p.telling = f.labels, f.telling || len(e.users) > 0
	}
	if len(l.Label) > 0 {
		f := e.facts(s, l.Label)
		p.said, p.telling = p.said.or(f.labels), true
	}
	if len(l.Parent) > 0 {
		p.said = p.said.or(e.facts(s, l.Parent).labels)
	}
}

// cleanName holds for a member's name in which nothing was found when it came last: rows repeat their names.
func (e *Engine) cleanName(s *Scratch, name []byte) bool {
	if len(name) > 40 || len(e.known)+len(e.users) > 0 {
		return false
	}
	return e.facts(s, name).plain
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
	for _, name := range [2][]byte{l.Field, l.Label} {
		if len(name) == 0 {
			continue
		}
		f := e.facts(s, name)
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
		e.wholeValue(s, t, leaf, tr, f.labels)
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
