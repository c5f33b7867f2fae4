package guardrails

import (
	"slices"
	"sync"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// scan is one look at a message. Scans are pooled; free gives one back.
type scan struct {
	walk
	scratch  *detect.Scratch
	found    []sighting
	own      int                              // of found: those in single leaves, in order of leaf
	emit     func(leaf int, f detect.Finding) // take, bound once
	vouched  bool                             // something is no finding only because the vault wrote it
	released bool                             // a person has released the message
	spared   [][]byte                         // values that no token is to be made of
	vault    *Vault                           // whose placeholders are no findings; nil for none
	head     bool                             // the leaves are headers beside a message
	names    map[int32]string                 // names of members in which something was found, by where they begin
}

// sighting is a finding in a leaf, and what is to be done about it.
type sighting struct {
	detect.Finding
	leaf       int
	do         Action
	rule       *rule        // that says so
	at         policy.Pos   // where it is written
	suppressed *suppression // by which nothing is done about it
	goesOn     bool         // it begins in the piece before, of a text that is told in pieces
	dropped    bool         // the member or element goes as a whole
}

var scans = sync.Pool{New: func() any {
	s := &scan{scratch: detect.NewScratch()}
	s.emit = s.take
	return s
}}

// newScan returns a scan to which what a vault has put into messages is no finding; the vault may be nil.
func newScan(v *Vault) *scan {
	s, _ := scans.Get().(*scan)
	s.vault = v
	return s
}

// maxKept bounds the message whose scan is used again, in bytes: the memory of a large one would lie idle.
const maxKept = 4 << 20

func (s *scan) free() {
	if len(s.raw) > maxKept {
		return
	}
	s.forget()
	s.scratch.Hear(nil, "")
	s.found, s.names, s.vault, s.spared, s.released, s.every = s.found[:0], nil, nil, nil, false, false
	scans.Put(s)
}

// look finds what there is in a message that has been accepted as JSON.
func (s *scan) look(e *detect.Engine, raw []byte) {
	s.found, s.own, s.head, s.vouched = s.found[:0], 0, false, false
	s.read(raw, e, s.scratch)
	s.scratch.Left(s.left)
	e.Scan(s.scratch, s.leaves, s.emit)
	for i := range s.places {
		if s.places[i].media {
			f := detect.Finding{Rule: mediaEntity, Entity: mediaEntity, Kind: detect.Unread, Confidence: 100, End: len(s.leaves[i].Text)}
			s.found = append(s.found, sighting{Finding: f, leaf: i})
		}
	}
	s.names = nil
	for i := range s.found {
		if p := &s.places[s.found[i].leaf]; p.form == formName {
			if s.names == nil {
				s.names = map[int32]string{}
			}
			s.names[p.at.Lo] = nameOf(s.found[i].Entity)
		}
	}
}

func (s *scan) take(leaf int, f detect.Finding) {
	if s.places[leaf].form == formSeam {
		s.takeSeam(leaf, f)
		return
	}
	if s.places[leaf].form == formCodes && f.Via == 0 {
		return // the elements are leaves of their own
	}
	if name, ok := placeholderAt(s.leaves[leaf].Text, f.Start, f.End); ok && entityOf(name) != "" {
		return // it says itself that there is nothing
	}
	if s.vault.wrote(s.leaves[leaf].Text, f.Start, f.End) {
		s.vouched = true
		return
	}
	s.found = append(s.found, sighting{Finding: f, leaf: leaf})
	s.own = len(s.found)
}

// takeSeam takes a finding that lies across a cut, unless one of its pieces gave the same kind of thing away by itself:
// then it is that which reaches over the cut. Seams come behind all other leaves.
func (s *scan) takeSeam(leaf int, f detect.Finding) {
	known := false
	s.across(leaf, f, func(leaf int, part detect.Finding) {
		i, _ := slices.BinarySearchFunc(s.found[:s.own], leaf, func(x sighting, leaf int) int { return x.leaf - leaf })
		for ; i < s.own && s.found[i].leaf == leaf; i++ {
			x := &s.found[i]
			known = known || x.Kind == part.Kind && x.Start < part.End && part.Start < x.End
		}
	})
	if !known {
		s.across(leaf, f, func(leaf int, part detect.Finding) {
			s.found = append(s.found, sighting{Finding: part, leaf: leaf})
		})
	}
}

// where returns the place of a sighting for the record: a pointer in which names that are findings themselves are not
// spelled out.
func (s *scan) where(leaf int) string {
	at := s.pointer(leaf, s.names)
	if s.head {
		return "header " + at[1:]
	}
	return at
}

// decide says of each sighting what is done about it: of each profile the first rule that fits, of all profiles the
// strictest.
func (s *scan) decide(by *gate, c *policy.Call, way policy.Direction) {
	for i := range s.found {
		x := &s.found[i]
		pointer := sync.OnceValue(func() string { return s.pointer(x.leaf, nil) })
		for j := range by.guards {
			if g := &by.guards[j]; g.tool == nil || c.Method == "tools/call" && g.tool.Match(c.Target) {
				g.profile.decide(x, c, way, pointer)
			}
		}
		if x.do == Tokenize && s.spares(x) || x.do == Hold && s.released {
			x.do = Log
		}
	}
	by.suppress(s, c)
}

func (p *profile) decide(x *sighting, c *policy.Call, way policy.Direction, pointer func() string) {
	for i := range p.rules {
		r := &p.rules[i]
		if !r.fits(&x.Finding, c, way, pointer) {
			continue
		}
		if r.do > x.do {
			x.do, x.rule, x.at = r.do, r, r.at
			if r.at.Line == 0 {
				x.at = p.at
			}
		}
		return
	}
}

// span returns the bytes of the message that hold a sighting.
func (s *scan) span(x *sighting) wire.Span { return s.bytes(x.leaf, x.Start, x.End) }
