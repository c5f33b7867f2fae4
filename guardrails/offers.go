package guardrails

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// maxOffers bounds the names of tools that are remembered of one upstream; maxOfferName the bytes of one.
const (
	maxOffers    = 4096
	maxOfferName = 128
)

// offers remembers the names of the tools of all upstreams, as they were listed since the process began. A name stays when
// its tool is gone. The zero value is ready.
type offers struct {
	mu    sync.Mutex            // guards names
	names map[string][]string   // by upstream
	last  map[string]*wire.Mark // of the lists that were learned last, by upstream
	all   atomic.Pointer[detect.Tools]
}

// learn takes over the names of a page of a tools/list result.
func (o *offers) learn(upstream string, result *wire.Frame) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if result.Mark != nil && o.last[upstream] == result.Mark {
		return
	}
	if o.names == nil {
		o.names, o.last = map[string][]string{}, map[string]*wire.Mark{}
	}
	o.last[upstream] = result.Mark
	known := len(o.names[upstream])
	have := make(map[string]bool, known)
	for _, n := range o.names[upstream] {
		have[n] = true
	}
	all := slices.Clip(o.names[upstream])
	for _, tool := range wire.Elements(result.Get(wire.ResultTools)) {
		e, _ := wire.Lookup(tool, "name")
		if text, ok := wire.Unquote(e.Value); ok && len(text) <= maxOfferName && len(all) < maxOffers && !have[string(text)] {
			have[string(text)] = true
			all = append(all, string(text))
		}
	}
	if len(all) == known {
		return
	}
	o.names[upstream] = all
	o.all.Store(detect.NewTools(o.names))
}
