package toolscope

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/toolscope/pin"
)

// Bounds of what is remembered of one upstream.
const (
	maxTools       = 4096
	maxSchemaBytes = 16 << 20
)

// Catalog remembers the tools that upstreams were last seen to offer, as far as judging calls needs them: their input
// schemas. It is bounded for each upstream, and may be used by many goroutines.
type Catalog struct {
	mu      sync.Mutex // guards shelves, not what is in them
	shelves map[string]*shelf
	inputs  inputs

	omissions map[pair]*omissions // guarded by mu, as shelves are
	listings  *listings
}

// NewCatalog makes a catalog that knows no tool.
func NewCatalog() *Catalog {
	return &Catalog{shelves: map[string]*shelf{}, inputs: inputs{byDef: map[pin.Digest]*input{}}, omissions: map[pair]*omissions{}, listings: newListings()}
}

// shelf holds the tools of one upstream. Readers see one map, which never changes; a writer puts another in its place.
type shelf struct {
	mu    sync.Mutex // one writer at a time
	tools atomic.Pointer[map[string]*definition]
	said  answers[struct{}] // lists that say nothing new
	looks map[string]string // the first name of each look; guarded by mu
	bytes int               // of all names, looks and schemas; guarded by mu
}

// definition is what one tool was last seen as. It is immutable, and another one takes its place when the tool changes, so
// the pointer stands for the content.
type definition struct {
	schema  []byte // raw input schema; nil where there was none
	headers []Param
	twice   bool // the name stood twice on one page
	alike   bool // another tool, or another page of one list, has a name that looks the same
}

// shelf returns the shelf of an upstream, which is made where there is none.
func (c *Catalog) shelf(upstream string) *shelf {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.shelves[upstream]
	if s == nil {
		s = &shelf{looks: map[string]string{}}
		s.tools.Store(&map[string]*definition{})
		c.shelves[upstream] = s
	}
	return s
}

// Learn takes one page of a tools/list result, as the upstream sent it. It keeps nothing of its arguments. A page that
// says nothing new costs little and changes nothing. Where an upstream offers more than the bounds allow, what was seen
// before the page is forgotten.
func (c *Catalog) Learn(upstream string, result *wire.Frame) {
	array := result.Get(wire.ResultTools)
	if len(array) == 0 || array[0] != '[' {
		return
	}
	// The longest legal name differs between connections; what none of them can call is not looked up either.
	p := newPage(array, "name", math.MaxInt32, true)
	defer p.free()
	s := c.shelf(upstream)
	known := *s.tools.Load()
	for i := range p.items {
		it := &p.items[i]
		if it.legal && !known[p.key(it)].same(schemaOf(array, it), it.twice) {
			s.learn(array, p)
			return
		}
	}
}

// learn takes over what is new on a page.
func (s *shelf) learn(array []byte, p *page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := maps.Clone(*s.tools.Load())
	if !s.add(next, array, p) {
		clear(next)
		clear(s.looks)
		s.bytes = 0
		s.add(next, array, p)
	}
	s.tools.Store(&next)
}

// add puts a page's tools into a map, and reports whether there was room for all.
func (s *shelf) add(tools map[string]*definition, array []byte, p *page) bool {
	for i := range p.items {
		it := &p.items[i]
		if !it.legal {
			continue
		}
		name, schema := p.key(it), schemaOf(array, it)
		old := tools[name]
		if old.same(schema, it.twice) {
			continue
		}
		size := s.bytes + len(schema)
		if old == nil {
			size += len(name) + len(p.look(it))
		} else {
			size -= len(old.schema)
		}
		if size > maxSchemaBytes || old == nil && len(tools) >= maxTools {
			return false
		}
		s.bytes = size
		schema = bytes.Clone(schema)
		next := &definition{schema: schema, headers: headerParams(schema), twice: it.twice}
		if old == nil {
			name = strings.Clone(name)
			next.alike = s.resembles(tools, name, p.look(it))
		} else {
			next.alike = old.alike
		}
		tools[name] = next
	}
	return true
}

// resembles reports whether a tool with another name of the same look is known, and marks that one too. It stays marked:
// an upstream could otherwise show one of them today and the other tomorrow.
func (s *shelf) resembles(tools map[string]*definition, name, look string) bool {
	first, known := s.looks[look]
	if !known {
		s.looks[strings.Clone(look)] = name
		return false
	}
	if d := tools[first]; !d.alike {
		marked := *d
		marked.alike = true
		tools[first] = &marked
	}
	return true
}

// same reports whether a definition still says what a list says.
func (d *definition) same(schema []byte, twice bool) bool {
	// Of a name that stands twice, both schemas are as good; they would otherwise take turns.
	return d != nil && d.twice == twice && (twice || bytes.Equal(d.schema, schema))
}

func schemaOf(array []byte, it *item) []byte {
	e, _ := wire.Lookup(array[it.at.Lo:it.at.Hi], "inputSchema")
	return e.Value
}

// tool returns what is known of a tool, or nil.
func (s *shelf) tool(name string) *definition { return (*s.tools.Load())[name] }

// Tools returns the names of the tools that an upstream was seen to offer, sorted.
func (c *Catalog) Tools(upstream string) []string {
	return slices.Sorted(maps.Keys(*c.shelf(upstream).tools.Load()))
}

// HeaderParams returns the arguments of a tool that a client mirrors into headers, or nil where there are none or the tool
// is not known. The caller must not change them.
func (c *Catalog) HeaderParams(upstream, tool string) []Param {
	c.mu.Lock()
	s := c.shelves[upstream]
	c.mu.Unlock()
	if s == nil {
		return nil
	}
	if d := s.tool(tool); d != nil {
		return d.headers
	}
	return nil
}
