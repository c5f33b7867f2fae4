package detect

import "bytes"

// facts is what a field's name says about its value.
type facts struct {
	grade  grade
	vendor bool
	labels labelSet
}

// nameCache keeps the facts of recent names: the rows of one result share theirs.
type nameCache struct {
	slots [64]struct {
		name  []byte
		facts facts
		by    *Engine
	}
	hits hits
}

// facts returns what a name says. The answer is kept under a copy of the name.
func (e *Engine) facts(s *Scratch, name []byte) facts {
	if len(name) == 0 || len(name) > 128 {
		return facts{}
	}
	h := uint32(2166136261)
	for _, b := range name {
		h = (h ^ uint32(b)) * 16777619
	}
	slot := &s.cache.slots[h%64]
	if slot.by == e && bytes.Equal(slot.name, name) {
		return slot.facts
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
	slot.by, slot.name, slot.facts = e, append(slot.name[:0], name...), f
	return f
}

// byName judges a leaf by the names around it.
func (e *Engine) byName(s *Scratch, t []byte, p piece, tr *trail) {
	l, leaf := s.names(p), int(p.leaf)
	if l.Name || generic(l.Field) && len(l.Label) == 0 {
		s.bare(t, leaf, tr)
	}
	if l.Name || len(l.Field) == 0 && len(l.Label) == 0 {
		return
	}
	for _, name := range [2][]byte{l.Field, l.Label} {
		f := e.facts(s, name)
		if f.grade > gradeNot && !bytes.Equal(name, t) {
			lo := scheme(t, 0)
			vendor := l.Parent
			if len(vendor) == 0 {
				vendor = l.Field
			}
			if c := e.names.decide(claim{name: name, value: t[lo:], grade: f.grade, via: linkAssign, quoted: true, before: vendor}); c > 0 {
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
