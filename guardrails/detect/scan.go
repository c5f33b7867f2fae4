package detect

import (
	"cmp"
	"slices"
)

// Scratch is the memory of one scan, to be used again by the same goroutine. A clean text allocates nothing once the
// scratch has grown to its size.
type Scratch struct {
	text       []byte
	pieces     []piece
	leaves     []Leaf
	found      []placed
	levels     [maxDepth + 1]level
	match      matcher
	cache      nameCache
	nowhere    Leaf
	cut        [1]piece
	table      table
	budget     budget
	groups     groups
	phrases    []phraseHit
	around     []byte // a name or the words around a candidate, squeezed
	squeeze    hits
	turnedText []byte
	turnedHits hits
	tools      *Tools
	speaker    string // the upstream whose own tools are none of others
	members    []Leaf // names of the members of the document being read
	left       int    // bytes of leaves that were left out
	above      struct {
		by     *Engine
		name   []byte // the parent asked about last
		labels labelSet
	}
}

// NewScratch returns an empty scratch.
func NewScratch() *Scratch { return &Scratch{nowhere: Leaf{Name: true}} }

// piece is the part of a page that one leaf fills.
type piece struct {
	lo, hi, leaf int32
	name         int32    // of the leaf whose names apply: an index of the leaves, or the complement of one of the members
	said         labelSet // what the names say that it is
	telling      bool     // the names alone may make the value a finding
	generic      bool     // no name, or one that says nothing
	unnamed      bool     // the field's name says nothing, whatever a label says
	number       bool     // a number of JSON, which nobody cuts in two
	sees         uint16   // which triggers of views are in it
	says         [2]says  // what the field's name says of the value as a whole, and what the label
}

// noName is for text cut out of its place.
const noName = -1 << 31

// placed is a finding in its leaf.
type placed struct {
	leaf int
	f    Finding
}

// level is the memory of one depth of views.
type level struct {
	hits  hits
	view  []byte
	spans offsets
	trail trail
	one   [1]piece
	doc   document
}

const (
	// pageText is how much small text is gathered before it is scanned in one pass.
	pageText = 32 << 10
	// ownPage is the size from which a leaf is scanned where it stands.
	ownPage = 1 << 10
)

// Scan looks into every leaf and calls emit for each finding, leaf by leaf and in order of Start. The texts must not
// change meanwhile. A text that cannot be read to its end within the bounds gives a finding of kind Unread.
func (e *Engine) Scan(s *Scratch, leaves []Leaf, emit func(leaf int, f Finding)) {
	s.leaves, s.found, s.table = leaves, s.found[:0], table{}
	s.budget, s.left = newBudget(leaves, s.left), 0
	s.text, s.pieces = s.text[:0], s.pieces[:0]
	for i := range leaves {
		t := leaves[i].Text
		if len(t) == 0 || leaves[i].Name && e.facts(s, t).clean {
			continue
		}
		if len(t) >= ownPage || beginsJSON(t) {
			own := s.own(0, piece{hi: int32(len(t)), leaf: int32(i), name: int32(i)})
			e.place(s, &leaves[i], &own[0])
			e.page(s, t, own, nil, 0)
			continue
		}
		if len(s.text)+len(t) > pageText {
			e.flush(s)
		}
		lo := int32(len(s.text))
		s.text = append(append(s.text, t...), 0)
		s.pieces = append(s.pieces, piece{lo: lo, hi: lo + int32(len(t)), leaf: int32(i), name: int32(i), sees: seen(t)})
		e.place(s, &leaves[i], &s.pieces[len(s.pieces)-1])
	}
	e.flush(s)
	s.leaves = nil
	if len(s.found) > 0 {
		s.settle(emit)
	}
}

// own returns the list of one piece that a level's page consists of.
func (s *Scratch) own(depth int, p piece) []piece {
	one := &s.levels[depth].one
	one[0] = p
	return one[:]
}

func (e *Engine) flush(s *Scratch) {
	if len(s.pieces) > 0 {
		e.page(s, s.text, s.pieces, nil, 0)
		s.text, s.pieces = s.text[:0], s.pieces[:0]
	}
}

// page scans text that holds one or more leaves, or a view of one.
func (e *Engine) page(s *Scratch, text []byte, pieces []piece, tr *trail, depth int) {
	if len(pieces) == 1 && depth < maxDepth && beginsJSON(text[pieces[0].lo:pieces[0].hi]) {
		own := pieces[0]
		tr.enter(&own)
		if e.nested(s, text[own.lo:own.hi], &own, tr, depth) {
			return
		}
	}
	if len(pieces) == 1 {
		pieces[0].sees = seen(text[pieces[0].lo:pieces[0].hi])
	}
	e.words.find(text, &s.levels[depth].hits)
	e.literals(s, text, pieces, tr, depth)
	e.marks(s, text, pieces, tr)
	for i := range pieces {
		if p := &pieces[i]; p.generic || p.telling {
			tr.enter(p)
			e.byName(s, text[p.lo:p.hi], p, tr)
		}
	}
	e.views(s, text, pieces, tr, depth)
}

// literals decides about everything the automaton found.
func (e *Engine) literals(s *Scratch, text []byte, pieces []piece, tr *trail, depth int) {
	k := 0
	s.phrases = s.phrases[:0]
	for _, stream := range s.levels[depth].hits {
		for _, h := range stream {
			for pieces[k].hi < h.end {
				if len(s.phrases) > 0 {
					e.judge(s, text, &pieces[k], tr)
				}
				k++
			}
			p := &pieces[k]
			tr.enter(p)
			a := &e.anchors[h.lit]
			end := int(h.end - p.lo)
			e.literal(s, text[p.lo:p.hi], end-int(a.size), end, a, int(p.leaf), tr)
		}
	}
	if len(s.phrases) > 0 {
		e.judge(s, text, &pieces[k], tr)
	}
}

func (e *Engine) literal(s *Scratch, t []byte, at, end int, a *anchor, leaf int, tr *trail) {
	if !s.effort(effortOf[a.kind], leaf, tr, len(t)) {
		return
	}
	switch a.kind {
	case anchorWord:
		lo, hi, effort, c := e.names.assigned(t, at, end, a.grade)
		s.budget.effort -= effort
		if c > 0 {
			s.add(leaf, tr, Finding{Rule: "named-secret", Entity: "generic-secret", Kind: Secret, Confidence: c, Start: lo, End: hi})
		} else if a.grade >= gradeToken {
			e.below(s, t, at, end, a.grade, leaf, tr)
		}
	case anchorToken:
		r := &e.tokens[a.rule]
		if lo, hi := r.verify(&s.match, t, at); hi > lo {
			s.add(leaf, tr, Finding{Rule: r.name, Entity: r.name, Kind: Secret, Confidence: 95, Start: lo, End: hi})
		}
	case anchorStructure:
		r := &e.structures[a.rule]
		if lo, hi := r.find(t, at, end); hi > lo {
			s.add(leaf, tr, Finding{Rule: r.name, Entity: r.entity, Kind: Secret, Confidence: 92, Start: lo, End: hi})
		}
	case anchorPhrase:
		s.phrases = append(s.phrases, phraseHit{rule: a.rule, start: int32(at), end: int32(end)})
	case anchorKnown:
		if f := &e.known[a.rule]; f.stands(t, at) {
			s.add(leaf, tr, Finding{Rule: knownRule, Entity: f.of.Name, Kind: Secret, Confidence: 100, Start: at, End: at + len(f.text)})
		}
	case anchorLabel:
		e.told(s, t, at, end, e.tells[a.rule], leaf, tr)
	case anchorUser:
		u := &e.users[a.rule]
		if u.Foreign != nil {
			s.budget.effort -= foreignEffort
		}
		if lo, hi := u.verify(&s.match, t, at, end); hi > lo {
			s.add(leaf, tr, Finding{Rule: u.Name, Entity: u.Entity, Kind: u.Kind, Confidence: 95, Start: lo, End: hi})
		}
	}
	s.budget.effort -= s.match.spent / 2
	s.match.spent = 0
	if s.match.over {
		s.match.over = false
		s.add(leaf, tr, Finding{Rule: "steps", Entity: "unread", Kind: Unread, Confidence: 100, Start: at, End: end})
	}
}

// names returns what is known about the place of a piece.
func (s *Scratch) names(p *piece) *Leaf {
	switch {
	case p.name == noName:
		return &s.nowhere
	case p.name < 0:
		return &s.members[^p.name]
	}
	return &s.leaves[p.name]
}

// add maps a finding to the plain bytes of its leaf and keeps it.
func (s *Scratch) add(leaf int, tr *trail, f Finding) {
	s.budget.effort -= foundEffort
	s.found = append(s.found, placed{leaf, tr.outward(f)})
}

// settle leaves one finding for one thing, and hands them out in order.
func (s *Scratch) settle(emit func(int, Finding)) {
	slices.SortStableFunc(s.found, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.leaf, b.leaf), cmp.Compare(b.f.Confidence, a.f.Confidence), cmp.Compare(a.f.Kind, b.f.Kind), cmp.Compare(b.f.End-b.f.Start, a.f.End-a.f.Start))
	})
	kept := s.found[:0]
	for _, p := range s.found {
		if !covered(kept[max(0, len(kept)-64):], &p) {
			kept = append(kept, p)
		}
	}
	slices.SortStableFunc(kept, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.leaf, b.leaf), cmp.Compare(a.f.Start, b.f.Start), cmp.Compare(a.f.Kind, b.f.Kind))
	})
	for _, p := range kept {
		emit(p.leaf, p.f)
	}
}

// covered holds where a surer finding of the same kind, or a secret, says the same as p. Those of one leaf stand together.
func covered(kept []placed, p *placed) bool {
	for i := len(kept) - 1; i >= 0 && kept[i].leaf == p.leaf; i-- {
		q := &kept[i].f
		if p.f.Start >= q.End || q.Start >= p.f.End {
			continue
		}
		inside := p.f.Start >= q.Start && p.f.End <= q.End
		if p.f.Kind == q.Kind || q.Kind == Secret && p.f.Kind == PII && inside {
			return true
		}
	}
	return false
}
