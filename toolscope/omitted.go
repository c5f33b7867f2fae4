package toolscope

import (
	"bytes"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope/pin"
)

// omissions are the tools and prompts that other gates have left out of what an agent was last listed of an upstream,
// because of what their definitions say. What is not listed cannot be called, whoever has left it out. Readers see one
// map, which never changes.
type omissions struct {
	mu  sync.Mutex // one writer at a time
	all atomic.Pointer[map[pin.ID]struct{}]
}

// pair is an agent and an upstream.
type pair struct{ agent, upstream string }

// omitted returns the omissions of a pair, which are made where there are none.
func (c *Catalog) omitted(agent, upstream string) *omissions {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := pair{agent, upstream}
	o := c.omissions[p]
	if o == nil {
		o = new(omissions)
		o.all.Store(&map[pin.ID]struct{}{})
		c.omissions[p] = o
	}
	return o
}

func (o *omissions) has(k pin.Kind, name string) bool {
	all := *o.all.Load()
	if len(all) == 0 {
		return false
	}
	_, ok := all[pin.ID{Kind: k, Name: name}]
	return ok
}

// set takes over what has become of the definitions on a page.
func (o *omissions) set(page map[pin.ID]bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := maps.Clone(*o.all.Load())
	for id, left := range page {
		if !left {
			delete(next, id)
		} else if len(next) < maxTools {
			next[id] = struct{}{}
		}
	}
	if !maps.Equal(next, *o.all.Load()) {
		o.all.Store(&next)
	}
}

// Shown takes in what of a list has reached an agent: came is the result as the upstream sent it, went what all gates
// have left of it. It keeps nothing of its arguments.
func Shown(c *policy.Call, came, went *wire.Frame) {
	var kind pin.Kind
	var member wire.Member
	switch c.Method {
	case "tools/list":
		kind, member = pin.Tool, wire.ResultTools
	case "prompts/list":
		kind, member = pin.Prompt, wire.ResultPrompts
	default:
		return
	}
	s := scopeOf(c.Connection)
	if s == nil || came == went && len(*s.omitted.all.Load()) == 0 {
		return
	}
	if by, ok := basisOf(came, s.seen, s.pinned.book, s.pinned.mode); ok && kind == pin.Tool && len(*s.omitted.all.Load()) == 0 {
		if known, ok := s.lists.of(&by); ok && known.leaves(came.Get(member), went.Get(member)) {
			return // no other gate has left anything out, nor had before
		}
	}
	s.omitted.set(s.compare(c.Method, kind, came.Get(member), went.Get(member)))
}

// compare says of the definitions of a list that were or are now left out by another gate whether they are. Mostly none
// is, and what is left is what came, in its order, without what this gate has left out.
func (s *scope) compare(method string, kind pin.Kind, came, went []byte) map[pin.ID]bool {
	var left [][]byte // names
	for d := range definitions(went, "name") {
		left = append(left, d.Name)
	}
	known := *s.omitted.all.Load()
	page := map[pin.ID]bool{}
	var there map[string]bool // of left, where that is asked
	var held withholding
	next := 0
	for d := range definitions(came, "name") {
		name, out := d.Name, false
		if next < len(left) && bytes.Equal(left[next], name) {
			next++
		} else if legalName(name, s.maxName) && s.shows(method, string(name), &held) {
			// What this gate has left out is left out of calls by itself.
			if there == nil {
				there = make(map[string]bool, len(left))
				for _, n := range left {
					there[string(n)] = true
				}
			}
			out = !there[string(name)]
		}
		if _, was := known[pin.ID{Kind: kind, Name: string(name)}]; was || out {
			page[pin.ID{Kind: kind, Name: string(name)}] = out
		}
	}
	return page
}

// scopeOf finds the gate of a connection, or nil.
func scopeOf(c *policy.Connection) *scope {
	for i := range c.Gates {
		if s, ok := c.Gates[i].Gate.(*scope); ok {
			return s
		}
	}
	return nil
}
