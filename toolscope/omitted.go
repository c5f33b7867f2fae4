package toolscope

import (
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
	there := map[string]bool{}
	for _, d := range definitions(went.Get(member), "name") {
		there[string(d.Name)] = true
	}
	page := map[pin.ID]bool{}
	var held withholding
	for _, d := range definitions(came.Get(member), "name") {
		name := string(d.Name)
		id := pin.ID{Kind: kind, Name: name}
		// What this gate has left out is left out of calls by itself.
		page[id] = !there[name] && legalName(d.Name, s.maxName) && s.shows(c.Method, name, &held)
	}
	s.omitted.set(page)
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
