package stats

import (
	"sync"
	"time"

	"github.com/hopgate/hopgate/policy"
)

// Watch says how upstreams answer, whoever calls them. It is safe for concurrent use.
type Watch struct {
	clock func() time.Time

	mu  sync.Mutex // guards all
	all map[string]*Answers
}

// Answers is how an upstream has answered since the process began.
type Answers struct {
	Answered time.Time // when it last did; zero for never
	Failed   time.Time // when it last did not; zero for never
	Reason   string    // why, as the code of a reason
	Cause    string    // what that came from, in a few words without content; empty where it is not known
	Protocol string    // revision that was last spoken with it
}

// NewWatch makes a Watch. clock is called from many goroutines.
func NewWatch(clock func() time.Time) *Watch {
	return &Watch{clock: clock, all: map[string]*Answers{}}
}

// Observe learns what became of a call. It keeps none of its arguments.
func (w *Watch) Observe(c *policy.Call, o *policy.Outcome, r *policy.Report) {
	if r == nil || c.Connection == nil || c.Direction != policy.ToUpstream {
		return
	}
	var failed bool
	switch r.Status {
	case policy.StatusOK, policy.StatusToolError, policy.StatusError:
	case policy.StatusFailed, policy.StatusTimeout:
		failed = true
	case policy.StatusCancelled:
		failed = o.Detail != "" // what the upstream did, while somebody waited
		if !failed {
			return
		}
	default:
		return // it was not asked for an answer
	}
	now := w.clock()
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.all[c.Connection.Upstream.Name]
	if a == nil {
		a = &Answers{}
		w.all[c.Connection.Upstream.Name] = a
	}
	if failed {
		a.Failed, a.Reason, a.Cause = now, "", ""
		if o.Reason != nil {
			a.Reason, a.Cause = o.Reason.Code, o.Detail
		}
		return
	}
	a.Answered = now
	if c.Origin.Protocol != "" {
		a.Protocol = c.Origin.Protocol
	}
}

// Of returns how an upstream has answered.
func (w *Watch) Of(upstream string) Answers {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a := w.all[upstream]; a != nil {
		return *a
	}
	return Answers{}
}
