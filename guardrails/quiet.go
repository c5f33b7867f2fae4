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
	mu  sync.Mutex // guards what follows
	by  lookers
	all map[*wire.Mark]struct{}
}

// lookers are who has looked at a message: the detectors of one configuration, which know the tools of all upstreams as they
// were then. Only the last are remembered: detectors are large, and those of an older configuration are not asked again.
type lookers struct {
	engine *detect.Engine
	tools  *detect.Tools
}

// looked is a message and who has looked at it.
type looked struct {
	mark *wire.Mark // which is of one upstream
	lookers
}

// maxQuiet bounds what is remembered. Where there is more all is forgotten.
const maxQuiet = 256

func (q *quiet) has(k looked) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, ok := q.all[k.mark]
	return ok && q.by == k.lookers
}

func (q *quiet) add(k looked) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all == nil || len(q.all) >= maxQuiet || q.by != k.lookers {
		q.all, q.by = map[*wire.Mark]struct{}{}, k.lookers
	}
	q.all[k.mark] = struct{}{}
}

// looked returns what a look at a message would be remembered as; false where it is not remembered. The id, of which a mark
// says nothing, is the agent's own: it was looked at on its way out.
func (g *gate) looked(f *wire.Frame, way policy.Direction) (looked, bool) {
	return looked{f.Mark, lookers{g.engine, g.book.tools.all.Load()}}, f.Mark != nil && way == policy.ToAgent
}
