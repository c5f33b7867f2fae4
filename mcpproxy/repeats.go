package mcpproxy

import (
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// Bounds of what is kept of lists.
const (
	maxRepeats     = 2        // lists of one upstream: those of agents may differ
	maxRepeatBytes = 4 << 20  // of one list
	maxAllRepeats  = 32 << 20 // of all lists, with what is made of them
)

// repeats knows a list of tools that an upstream sends again, byte for byte, so that it need not be read again, and gates
// may go by what they found out about it. The zero value is ready, and may be used by many goroutines.
type repeats struct {
	mu   sync.Mutex // guards what follows
	of   map[string][]*wire.Known
	size int
}

// known returns the lists of an upstream that are kept. They must not be changed.
func (r *repeats) known(upstream string) []*wire.Known {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of[upstream]
}

// mark marks a result as the one that it repeats, or as a new one.
func (r *repeats) mark(upstream string, f *wire.Frame) {
	if f.Mark != nil || f.Kind != wire.KindResult || len(f.Raw) > maxRepeatBytes {
		return
	}
	for _, k := range r.known(upstream) {
		if k.Is(f) {
			f.Mark = k.Mark
			return
		}
	}
	k := wire.Remember(f)
	f.Mark = k.Mark
	r.keep(upstream, k)
}

// keep puts a list in front of those of its upstream. Where there is no room all others go.
func (r *repeats) keep(upstream string, next *wire.Known) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := []*wire.Known{next}
	for i, old := range r.of[upstream] {
		if i+1 < maxRepeats {
			kept = append(kept, old)
			continue
		}
		r.size -= old.Size()
	}
	if r.size += next.Size(); r.size > maxAllRepeats || r.of == nil {
		r.of, r.size, kept = map[string][]*wire.Known{}, next.Size(), kept[:1]
	}
	r.of[upstream] = kept
}
