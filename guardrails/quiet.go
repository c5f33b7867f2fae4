package guardrails

import (
	"sync"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// quiet are messages in which nothing was found. That is about bytes and those who looked, and about no rule: what would be
// done about a finding makes no difference where there is none. The zero value is ready, and may be used by many goroutines.
type quiet struct {
	mu  sync.Mutex // guards all
	all map[looked]struct{}
}

// looked is a message, and who has looked at it: the detectors of one configuration, which know the tools of all upstreams
// as they were then.
type looked struct {
	mark   *wire.Mark // which is of one upstream
	engine *detect.Engine
	tools  *detect.Tools
}

// maxQuiet bounds what is remembered. Where there is more all is forgotten.
const maxQuiet = 256

func (q *quiet) has(k looked) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, ok := q.all[k]
	return ok
}

func (q *quiet) add(k looked) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all == nil || len(q.all) >= maxQuiet {
		q.all = map[looked]struct{}{}
	}
	q.all[k] = struct{}{}
}

// looked returns what a look at a message would be remembered as; false where it is not remembered. The id, of which a mark
// says nothing, is the agent's own: it was looked at on its way out.
func (g *gate) looked(f *wire.Frame, way policy.Direction) (looked, bool) {
	return looked{f.Mark, g.engine, g.book.tools.all.Load()}, f.Mark != nil && way == policy.ToAgent
}
