package guardrails

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"reflect"
	"slices"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// errUncuttable is why a message is blocked in which something would have been replaced.
var errUncuttable = errors.New("what was found cannot be cut out")

// trim makes the edits that cut findings out of a message.
type trim struct {
	g       *gate
	s       *scan
	c       *policy.Call
	f       *wire.Frame
	free    []wire.Span      // values of which parts may be left out
	lists   []wire.Span      // lists of which elements may be left out
	fixed   []wire.Span      // values that stand for themselves: another value means another thing
	out     map[int32]*parts // of boxes of which something is left out
	numbers *numbers         // of the call, once one is needed
	given   map[string]bool  // names of which a numbered placeholder was given
	dry     bool             // nothing may be kept of the message, because the edits will not be made
	kept    bool             // something is kept of it
}

func newTrim(g *gate, s *scan, c *policy.Call, f *wire.Frame) *trim {
	t := &trim{g: g, s: s, c: c, f: f, out: map[int32]*parts{}, given: map[string]bool{}}
	t.free = present(f, wire.ParamsArguments, wire.ResultStructured, wire.ParamsMeta, wire.ResultMeta)
	t.lists = present(f, wire.ResultTools, wire.ResultPrompts, wire.ResultResources, wire.ResultTemplates)
	t.fixed = present(f,
		wire.ID, wire.Method, wire.ParamsName, wire.ParamsURI, wire.ParamsCursor, wire.ParamsProtocolVersion, wire.ParamsRef,
		wire.ParamsLevel, wire.ParamsProgressToken, wire.ParamsRequestID, wire.ParamsTaskID, wire.ParamsRequestState,
		wire.MetaProgressToken, wire.MetaProtocolVersion, wire.MetaSubscriptionID, wire.ResultType, wire.ResultNextCursor,
		wire.ResultProtocolVersion, wire.ResultRequestState, wire.ResultCacheScope)
	return t
}

func present(f *wire.Frame, members ...wire.Member) []wire.Span {
	var all []wire.Span
	for _, m := range members {
		if f.Has(m) {
			all = append(all, f.Span(m))
		}
	}
	return all
}

func within(spans []wire.Span, at wire.Span) bool {
	return slices.ContainsFunc(spans, func(s wire.Span) bool { return s.Lo <= at.Lo && at.Hi <= s.Hi })
}

// leaveOut leaves out the element of a list in which something is blocked: one poisoned tool must not take the others
// with it. It reports false where the sighting is in no such element.
func (t *trim) leaveOut(x *sighting) bool {
	p := &t.s.places[x.leaf]
	for _, list := range t.lists {
		if !within([]wire.Span{list}, p.at) {
			continue
		}
		inner := p.at
		for b := p.in; b >= 0; b = t.s.boxes[b].in {
			if t.s.boxes[b].at == list {
				return t.leave(b, inner)
			}
			inner = t.s.boxes[b].at
		}
	}
	return false
}

// parts are the members or elements of a box, and which of them stay.
type parts struct {
	at   []wire.Span
	keep []bool
}

// leave marks the part of a box that holds a span.
func (t *trim) leave(b int32, at wire.Span) bool {
	p := t.out[b]
	if p == nil {
		p = t.parts(b)
		t.out[b] = p
	}
	i, _ := slices.BinarySearchFunc(p.at, at.Hi, func(s wire.Span, hi int32) int { return cmp.Compare(s.Hi, hi) })
	if i == len(p.at) || p.at[i].Lo > at.Lo {
		return false
	}
	p.keep[i] = false
	return true
}

// parts takes a box of the message apart.
func (t *trim) parts(b int32) *parts {
	at := t.s.boxes[b].at
	raw := t.f.Raw[at.Lo:at.Hi]
	p := new(parts)
	for e := range wire.Elements(raw) {
		p.at = append(p.at, span(int(at.Lo+e.Lo), int(at.Lo+e.Hi)))
	}
	for e := range wire.Entries(raw) {
		p.at = append(p.at, span(int(at.Lo+e.At.Lo), int(at.Lo+e.At.Hi)))
	}
	p.keep = slices.Repeat([]bool{true}, len(p.at))
	return p
}

// cut is a stretch of the message that is replaced.
type cut struct {
	at     wire.Span
	entity string
	kind   detect.Kind
	do     Action
	rule   *rule

	leaf, start, end int // where it is in the text of a leaf
}

// edits returns what is to be replaced for everything that a rule acts on.
func (t *trim) edits() (wire.Edits, error) {
	for i := range t.s.found {
		if x := &t.s.found[i]; x.do == Drop && t.drop(&t.s.places[x.leaf]) {
			x.dropped = true
		}
	}
	edits := t.omissions()
	gone := slices.Clip(edits)
	var cuts []cut
	for i := range t.s.found {
		x := &t.s.found[i]
		p := &t.s.places[x.leaf]
		if !acts(x) || x.dropped || len(around(gone, p.at)) > 0 {
			continue
		}
		do := x.do
		if x.Via != 0 || i >= t.s.own || do == Drop { // neither a part of a value nor another writing of it is the value
			do = Redact
		}
		if !t.cuttable(p, do) {
			return nil, errUncuttable
		}
		cuts = append(cuts, cut{at: t.s.span(x), entity: x.Entity, kind: x.Kind, do: do, rule: x.rule, leaf: x.leaf, start: x.Start, end: x.End})
	}
	for _, c := range merge(cuts) {
		made, err := t.replacement(&c)
		if err != nil {
			return nil, err
		}
		edits = append(edits, wire.Edit{At: c.at, New: made})
	}
	slices.SortFunc(edits, byPlace)
	return t.copies(edits)
}

// cuttable reports whether another text may stand where a leaf does. For a number that is another number alone.
func (t *trim) cuttable(p *place, do Action) bool {
	number := p.form == formNumber && !p.escaped && do == Surrogate
	return (p.form == formText || number) && !p.media && !within(t.fixed, p.at) && !t.coded(p) && !t.key(p)
}

func byPlace(a, b wire.Edit) int { return cmp.Compare(a.At.Lo, b.At.Lo) }

// drop marks the member or element that a leaf is for leaving out, where the protocol does not need it.
func (t *trim) drop(p *place) bool {
	if p.in < 0 || !within(t.free, t.s.boxes[p.in].at) || within(t.fixed, p.at) {
		return false
	}
	return t.leave(p.in, p.at)
}

// coded holds for leaves that are read as bytes in base64: a placeholder would be other bytes.
func (t *trim) coded(p *place) bool {
	if within(t.free, p.at) {
		return false
	}
	name := t.name(p)
	return name == "blob" || name == "data" && t.f.Has(wire.ResultContent)
}

// key holds for what a list's elements go by, and for the fields that say how others are read.
func (t *trim) key(p *place) bool {
	if within(t.free, p.at) {
		return false
	}
	switch t.name(p) {
	case "type", "method", "role", "mimeType", "jsonrpc":
		return true
	case "name", "uri", "uriTemplate":
		return within(t.lists, p.at)
	}
	return false
}

func (t *trim) name(p *place) string {
	if !p.key.Present() {
		return ""
	}
	return string(t.f.Raw[p.key.Lo+1 : p.key.Hi-1])
}

// omissions are the edits that leave out what is marked. What lies in something that goes anyway is not cut twice.
func (t *trim) omissions() wire.Edits {
	var all wire.Edits
	for _, p := range t.out {
		all = append(all, wire.Cut(p.at, p.keep)...)
	}
	slices.SortFunc(all, func(a, b wire.Edit) int {
		return cmp.Or(cmp.Compare(a.At.Lo, b.At.Lo), cmp.Compare(b.At.Hi, a.At.Hi))
	})
	kept := all[:0]
	for _, e := range all {
		if n := len(kept); n == 0 || e.At.Lo >= kept[n-1].At.Hi {
			kept = append(kept, e)
		}
	}
	return kept
}

// merge joins cuts that overlap. What two findings share shows nothing of either.
func merge(cuts []cut) []cut {
	slices.SortFunc(cuts, func(a, b cut) int {
		return cmp.Or(cmp.Compare(a.at.Lo, b.at.Lo), cmp.Compare(b.at.Hi, a.at.Hi))
	})
	var out []cut
	for _, c := range cuts {
		if n := len(out); n > 0 && c.at.Lo < out[n-1].at.Hi {
			last := &out[n-1]
			if last.at != c.at {
				last.do = Redact
			}
			if c.do > last.do {
				last.do, last.rule = c.do, c.rule
			}
			last.at.Hi = max(last.at.Hi, c.at.Hi)
			if c.kind == detect.Secret && last.kind != detect.Secret {
				last.kind, last.entity = c.kind, c.entity
			}
			continue
		}
		out = append(out, c)
	}
	return out
}

// copies makes texts that repeat the structured content repeat it as it is now (MCP 2025-06-18, tools: structured content
// is also returned as text).
func (t *trim) copies(edits wire.Edits) (wire.Edits, error) {
	at := t.f.Span(wire.ResultStructured)
	if !at.Present() || !t.f.Has(wire.ResultContent) {
		return edits, nil
	}
	before := t.f.Raw[at.Lo:at.Hi]
	now, err := inside(edits, at).Splice(nil, before)
	if err != nil {
		return nil, err
	}
	content := t.f.Span(wire.ResultContent)
	if !t.hasCopy(content) {
		return edits, nil
	}
	was, _ := decode(before)
	is, ok := decode(now)
	if !ok {
		return edits, nil
	}
	var whole wire.Edits // texts that are written anew
	for i := range t.s.places {
		p := &t.s.places[i]
		if !t.mayCopy(i, content) || !equal(t.s.leaves[i].Text, was) {
			continue
		}
		own, err := inside(edits, p.at).Splice(nil, t.f.Raw[p.at.Lo:p.at.Hi])
		if err != nil {
			return nil, err
		}
		if !equal(appendUnescaped(nil, own[1:len(own)-1]), is) {
			whole = append(whole, wire.Edit{At: p.at, New: wire.AppendQuote(nil, now)})
		}
	}
	if whole == nil {
		return edits, nil
	}
	edits = slices.DeleteFunc(edits, func(e wire.Edit) bool { return len(around(whole, e.At)) > 0 })
	edits = append(edits, whole...)
	slices.SortFunc(edits, byPlace)
	return edits, nil
}

// hasCopy holds where a text of the content may repeat the structured content: large ones are read for nothing else.
func (t *trim) hasCopy(content wire.Span) bool {
	for i := range t.s.places {
		if t.mayCopy(i, content) {
			return true
		}
	}
	return false
}

// mayCopy holds for a leaf that is a text of the content, and JSON by its begin.
func (t *trim) mayCopy(leaf int, content wire.Span) bool {
	p := &t.s.places[leaf]
	return p.form == formText && content.Lo <= p.at.Lo && p.at.Hi <= content.Hi && t.name(p) == "text" && beginsJSON(t.s.leaves[leaf].Text)
}

// inside returns the edits of a part of the message, counted from its begin. The edits are in order.
func inside(edits wire.Edits, at wire.Span) wire.Edits {
	var own wire.Edits
	i, _ := slices.BinarySearchFunc(edits, at.Lo, func(e wire.Edit, lo int32) int { return cmp.Compare(e.At.Lo, lo) })
	for ; i < len(edits) && edits[i].At.Hi <= at.Hi; i++ {
		own = append(own, edits[i])
	}
	return own.Shift(-at.Lo)
}

// around returns the edit that a part of the message lies in, if there is one. The edits are in order.
func around(edits wire.Edits, at wire.Span) wire.Edits {
	i, _ := slices.BinarySearchFunc(edits, at.Hi, func(e wire.Edit, hi int32) int { return cmp.Compare(e.At.Hi, hi) })
	if i == len(edits) || edits[i].At.Lo > at.Lo {
		return nil
	}
	return edits[i : i+1]
}

// equal reports whether a text is a JSON value, with numbers as they are written.
func equal(text []byte, v any) bool {
	x, ok := decode(text)
	return ok && reflect.DeepEqual(x, v)
}

// beginsJSON holds where a text may be an object or an array.
func beginsJSON(text []byte) bool {
	text = bytes.TrimSpace(text)
	return len(text) > 0 && (text[0] == '{' || text[0] == '[')
}

// decode reads an object or an array. Numbers keep their text.
func decode(text []byte) (v any, ok bool) {
	if !beginsJSON(text) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&v) != nil || d.More() {
		return nil, false
	}
	return v, true
}
