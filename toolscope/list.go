package toolscope

import (
	"bytes"
	"slices"
	"strings"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope/pin"
)

// list cuts from one page of a list what the connection does not grant. The bytes, the order and the unknown members of
// what stays do not change.
func (s *scope) list(method string, r *wire.Frame) policy.Verdict {
	var member wire.Member
	var key string
	longest := s.maxName
	switch method {
	case "tools/list":
		member, key = wire.ResultTools, "name"
	case "prompts/list":
		member, key = wire.ResultPrompts, "name"
	case "resources/list":
		member, key, longest = wire.ResultResources, "uri", maxURI
	default:
		member, key, longest = wire.ResultTemplates, "uriTemplate", maxURI
	}
	array := r.Get(member)
	switch {
	case array == nil:
		return policy.Pass
	case array[0] != '[':
		return policy.Refuse(reasonResult, s.at, "")
	}
	v := policy.Pass
	by, keeps := basisOf(r, s.seen, s.pinned.book, s.pinned.mode)
	keeps = keeps && method == "tools/list"
	if keeps {
		if known, ok := s.lists.of(&by); ok {
			v.Findings, v.Rewrite = known.findings, known.edits(r.Span(member).Lo)
			return v
		}
	}
	p := newPage(array, key, longest, method == "tools/list")
	defer p.free()
	var held withholding
	for i := range p.items {
		it := &p.items[i]
		it.keep = it.legal && !it.twice && !it.alike && s.shows(method, p.key(it), &held)
	}
	v.Findings = held.findings()
	v.Rewrite = p.cut()
	if keeps && len(v.Rewrite) <= maxCut {
		out := cuts{findings: slices.Clip(v.Findings)}
		for i := range v.Rewrite {
			out.parts = append(out.parts, v.Rewrite[i].At)
		}
		s.lists.keep(by, out)
	}
	v.Rewrite.Shift(r.Span(member).Lo)
	return v
}

// shows reports whether a list may show an element. It is the standing part of what Check asks. What is granted and not
// shown because of its definition is noted.
func (s *scope) shows(method, key string, held *withholding) bool {
	var granted bool
	var why refusal
	switch method {
	case "tools/list":
		task := s.upstream.Task(key)
		if granted = s.standing(key, task, s.seen.tool(key), nil).none(); granted {
			_, why = s.tool(key, task, nil)
		}
	case "prompts/list":
		if _, granted = match(s.prompts, key); granted && s.anyPrompt {
			_, why = s.item(pin.Prompt, key)
		}
		granted = granted && s.anyPrompt
	case "resources/list":
		_, ok, _ := s.uri(key) // a URI that cannot be judged is not granted
		granted = ok && s.anyResource
	default:
		if _, granted = s.template(key); granted && s.anyResource {
			_, why = s.item(pin.Template, key)
		}
		granted = granted && s.anyResource
	}
	held.note(why)
	return granted && why.none()
}

// page is one array of a list, taken apart. Pages are pooled; free gives one back.
type page struct {
	items []item
	order []int32 // items, by their looks and keys
	buf   []byte  // all keys, one after the other, each with its look where that differs
	keys  string  // the same
	parts []wire.Span
	keep  []bool
}

// item is one element.
type item struct {
	at           wire.Span
	lo, hi       int32 // of its key in page.keys
	from, behind int32 // of the key's look
	legal        bool  // it is an object with a legal key
	twice        bool  // another element has the same key
	alike        bool  // another element has a key that looks the same
	keep         bool
}

var pages = sync.Pool{New: func() any { return new(page) }}

// newPage reads an array that wire has accepted. key is the member by which a call would name an element; looks says that
// people and models choose by it, so that it is not enough for keys to differ.
func newPage(array []byte, key string, longest int, looks bool) *page {
	p, _ := pages.Get().(*page)
	for at, raw := range wire.Elements(array) {
		it := item{at: at}
		e, _ := wire.Lookup(raw, key)
		if text, ok := wire.Unquote(e.Value); ok && legalName(text, longest) {
			it.legal = true
			p.name(&it, text, looks)
			p.order = append(p.order, int32(len(p.items)))
		}
		p.items = append(p.items, it)
	}
	p.keys = string(p.buf)
	p.findTwins()
	return p
}

// name keeps the key of an element and what it looks like.
func (p *page) name(it *item, key []byte, looks bool) {
	it.lo = int32(len(p.buf)) // fits: keys are part of a frame, and looks are at most eleven times as long
	p.buf = append(p.buf, key...)
	it.hi = int32(len(p.buf))
	it.from, it.behind = it.lo, it.hi
	if !looks {
		return
	}
	p.buf = appendLook(p.buf, key)
	if look := p.buf[it.hi:]; !bytes.Equal(look, key) {
		it.from, it.behind = it.hi, int32(len(p.buf))
		return
	}
	p.buf = p.buf[:it.hi]
}

// findTwins marks the elements that share a key, or a look.
func (p *page) findTwins() {
	slices.SortFunc(p.order, func(a, b int32) int {
		x, y := &p.items[a], &p.items[b]
		if c := strings.Compare(p.look(x), p.look(y)); c != 0 {
			return c
		}
		return strings.Compare(p.key(x), p.key(y))
	})
	for i := 1; i < len(p.order); i++ {
		a, b := &p.items[p.order[i-1]], &p.items[p.order[i]]
		switch {
		case p.look(a) != p.look(b):
		case p.key(a) == p.key(b):
			a.twice, b.twice = true, true
		default:
			a.alike, b.alike = true, true
		}
	}
}

func (p *page) look(it *item) string { return p.keys[it.from:it.behind] }

func (p *page) key(it *item) string { return p.keys[it.lo:it.hi] }

// cut returns the edits that leave out what is not kept.
func (p *page) cut() wire.Edits {
	for i := range p.items {
		p.parts = append(p.parts, p.items[i].at)
		p.keep = append(p.keep, p.items[i].keep)
	}
	return wire.Cut(p.parts, p.keep)
}

// maxPooled bounds what a page holds while nobody uses it, in elements.
const maxPooled = 4096

func (p *page) free() {
	if cap(p.items) > maxPooled || cap(p.buf) > maxPooled*64 {
		return
	}
	*p = page{items: p.items[:0], order: p.order[:0], buf: p.buf[:0], parts: p.parts[:0], keep: p.keep[:0]}
	pages.Put(p)
}
