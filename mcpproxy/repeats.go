package mcpproxy

import (
	"bytes"
	"slices"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// Bounds of what is kept of lists.
const (
	maxRepeats     = 2        // lists of one upstream: those of agents may differ
	maxRepeatBytes = 4 << 20  // of one list
	maxAllRepeats  = 32 << 20 // of all lists
)

// repeats knows a list of tools that an upstream sends again, byte for byte, so that gates may go by what they found out
// about it. Bytes are compared with bytes: of a digest a server could try to find two. The zero value is ready, and may be
// used by many goroutines.
type repeats struct {
	mu   sync.Mutex // guards what follows
	of   map[string][]keptList
	size int
}

// keptList is a list as it came. It never changes.
type keptList struct {
	mark *wire.Mark
	raw  []byte // without the id
	at   int32  // where the id stood
}

// mark marks a result as the one that it repeats, or as a new one.
func (r *repeats) mark(upstream string, f *wire.Frame) {
	if f.Kind != wire.KindResult || len(f.Raw) > maxRepeatBytes {
		return
	}
	r.mu.Lock()
	known := r.of[upstream]
	r.mu.Unlock()
	for i := range known {
		if known[i].is(f) {
			f.Mark = known[i].mark
			return
		}
	}
	id := f.Span(wire.ID)
	next := keptList{mark: new(wire.Mark), raw: slices.Concat(f.Raw[:id.Lo], f.Raw[id.Hi:]), at: id.Lo}
	f.Mark = next.mark
	r.keep(upstream, next)
}

func (k *keptList) is(f *wire.Frame) bool {
	id := f.Span(wire.ID)
	return id.Lo == k.at && len(f.Raw)-int(id.Hi-id.Lo) == len(k.raw) &&
		bytes.Equal(f.Raw[id.Hi:], k.raw[k.at:]) && bytes.Equal(f.Raw[:id.Lo], k.raw[:k.at])
}

// keep puts a list in front of those of its upstream. Where there is no room all others go.
func (r *repeats) keep(upstream string, next keptList) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := []keptList{next}
	for i, old := range r.of[upstream] {
		if i+1 < maxRepeats {
			kept = append(kept, old)
			continue
		}
		r.size -= len(old.raw)
	}
	if r.size += len(next.raw); r.size > maxAllRepeats || r.of == nil {
		r.of, r.size, kept = map[string][]keptList{}, len(next.raw), kept[:1]
	}
	r.of[upstream] = kept
}
