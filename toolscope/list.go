package toolscope

import (
	"slices"
	"strings"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
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
	p := newPage(array, key, longest)
	defer p.free()
	for i := range p.items {
		it := &p.items[i]
		it.keep = it.legal && !it.twice && s.shows(method, p.key(it))
	}
	v := policy.Pass
	v.Rewrite = p.cut().Shift(r.Span(member).Lo)
	return v
}

// shows reports whether a list may show an element. It is the standing part of what Check asks.
func (s *scope) shows(method, key string) bool {
	switch method {
	case "tools/list":
		return s.standing(key, s.upstream.Task(key), s.seen.tool(key), nil).none()
	case "prompts/list":
		_, ok := match(s.prompts, key)
		return ok && s.anyPrompt
	case "resources/list":
		_, ok, _ := s.uri(key) // a URI that cannot be judged is not granted
		return ok && s.anyResource
	default:
		_, ok := s.template(key)
		return ok && s.anyResource
	}
}

// page is one array of a list, taken apart. Pages are pooled; free gives one back.
type page struct {
	items []item
	order []int32 // items, by their keys
	buf   []byte  // all keys, one after the other
	keys  string  // the same
	parts []wire.Span
	keep  []bool
}

// item is one element.
type item struct {
	at     wire.Span
	lo, hi int32 // of its key in page.keys
	legal  bool  // it is an object with a legal key
	twice  bool  // another element has the same key
	keep   bool
}

var pages = sync.Pool{New: func() any { return new(page) }}

// newPage reads an array that wire has accepted. key is the member by which a call would name an element.
func newPage(array []byte, key string, longest int) *page {
	p, _ := pages.Get().(*page)
	for at, raw := range wire.Elements(array) {
		it := item{at: at, lo: int32(len(p.buf))} // fits: keys are part of a frame
		e, _ := wire.Lookup(raw, key)
		if text, ok := wire.Unquote(e.Value); ok && legalName(text, longest) {
			p.buf = append(p.buf, text...)
			it.legal = true
			p.order = append(p.order, int32(len(p.items)))
		}
		it.hi = int32(len(p.buf))
		p.items = append(p.items, it)
	}
	p.keys = string(p.buf)
	p.findTwins()
	return p
}

// findTwins marks the elements that share a key.
func (p *page) findTwins() {
	slices.SortFunc(p.order, func(a, b int32) int { return strings.Compare(p.key(&p.items[a]), p.key(&p.items[b])) })
	for i := 1; i < len(p.order); i++ {
		a, b := &p.items[p.order[i-1]], &p.items[p.order[i]]
		if p.key(a) == p.key(b) {
			a.twice, b.twice = true, true
		}
	}
}

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
