package toolscope

import (
	"hash/maphash"
	"maps"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// maxListings bounds the lists of all agents of which another page may come. The oldest go first.
const maxListings = 64

// listings are the lists that have more pages than an agent has seen so far. They tell whether a name stands on two pages
// with two definitions: the one that a model read first would be called as the other.
type listings struct {
	seed maphash.Seed

	mu    sync.Mutex // guards what follows
	open  map[listing]sightings
	order []listing // oldest first
}

// listing is a list by the page that comes next: whose it is, and the hash of the cursor to that page.
type listing struct {
	pair
	cursor uint64
}

// sightings are hashes of definitions by those of their names, at most maxTools of one list. They never change.
type sightings map[uint64]uint64

func newListings() *listings {
	return &listings{seed: maphash.MakeSeed(), open: map[listing]sightings{}}
}

// page takes one page of a list in, and returns the names that an earlier page of it has with another definition.
func (l *listings) page(c *policy.Call, result *wire.Frame) (again []string) {
	cursor, next := c.Frame.Get(wire.ParamsCursor), result.Get(wire.ResultNextCursor)
	if cursor == nil && next == nil {
		return nil // it is the only one
	}
	of := pair{c.Agent.Name, c.Upstream}
	var before sightings
	if cursor != nil {
		before = l.get(listing{of, l.text(cursor)})
	}
	seen := sightings{}
	for _, raw := range wire.Elements(result.Get(wire.ResultTools)) {
		e, _ := wire.Lookup(raw, "name")
		name, ok := wire.Unquote(e.Value)
		if !ok {
			continue
		}
		key, definition := maphash.Bytes(l.seed, name), maphash.Bytes(l.seed, raw)
		// The same definition once more is what an insertion between two pages makes of an honest list.
		if first, known := before[key]; known && first != definition {
			again = append(again, string(name))
		}
		seen[key] = definition
	}
	if next != nil && len(before)+len(seen) <= maxTools {
		maps.Copy(seen, before)
		l.put(listing{of, l.text(next)}, seen)
	}
	return again
}

// text hashes a raw JSON string, however it is spelled.
func (l *listings) text(raw []byte) uint64 {
	if text, ok := wire.Unquote(raw); ok {
		raw = text
	}
	return maphash.Bytes(l.seed, raw)
}

func (l *listings) get(k listing) sightings {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open[k]
}

func (l *listings) put(k listing, s sightings) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.open[k]; !known {
		if len(l.order) >= maxListings {
			delete(l.open, l.order[0])
			l.order = append(l.order[:0], l.order[1:]...)
		}
		l.order = append(l.order, k)
	}
	l.open[k] = s
}

// blur marks tools as not to be told from another. They stay marked, as those do whose names look alike.
func (s *shelf) blur(names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := maps.Clone(*s.tools.Load())
	for _, name := range names {
		if d := next[name]; d != nil {
			marked := *d
			marked.alike = true
			next[name] = &marked
		}
	}
	s.tools.Store(&next)
}
