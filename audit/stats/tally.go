package stats

import (
	"time"

	"github.com/hopgate/hopgate/policy"
)

// tally is what is counted of one connection.
type tally struct {
	last   time.Time
	minute int64 // under way, since 1970; it never goes back
	hour   [minutes]slot[uint32]
	total  slot[uint64]
	// refused is by code. There are as many as the program has reasons.
	refused map[string]*refusals
}

// slot is a span of time. In a minute 32 bits do.
type slot[N uint32 | uint64] struct {
	counts
	took histogram[N]
}

// counts are calls and what became of them.
type counts struct{ calls, errors, toolErrors, observed uint64 }

func (c *counts) add(d *counts) {
	c.calls += d.calls
	c.errors += d.errors
	c.toolErrors += d.toolErrors
	c.observed += d.observed
}

// refusals are those for one reason.
type refusals struct {
	hour  [minutes]uint32
	total uint64
}

// advance makes room for a minute. A clock that is set back goes on counting in the minute that it was.
func (t *tally) advance(minute int64) {
	for range min(minute-t.minute, minutes) {
		t.minute++
		i := t.minute % minutes
		t.hour[i] = slot[uint32]{}
		for _, r := range t.refused {
			r.hour[i] = 0
		}
	}
	t.minute = max(t.minute, minute)
}

// count counts in both windows.
func (t *tally) count(f func(*counts)) {
	f(&t.hour[t.minute%minutes].counts)
	f(&t.total.counts)
}

// sent counts a call that was sent.
func (t *tally) sent(r *policy.Report) {
	t.count(func(n *counts) {
		n.calls++
		switch r.Status {
		case policy.StatusError, policy.StatusFailed, policy.StatusTimeout:
			n.errors++
		case policy.StatusToolError:
			n.toolErrors++
		default:
		}
	})
	if r.Unsent || r.Status == policy.StatusCancelled {
		return // how long it took says nothing about the upstream
	}
	i := bucket(r.Took)
	t.hour[t.minute%minutes].took[i]++
	t.total.took[i]++
}

func (t *tally) refuse(code string) {
	r := t.refused[code]
	if r == nil {
		r = new(refusals)
		t.refused[code] = r
	}
	r.hour[t.minute%minutes]++
	r.total++
}

func (t *tally) health() Health {
	var hour slot[uint64]
	for i := range t.hour {
		hour.add(&t.hour[i].counts)
		for j, n := range t.hour[i].took {
			hour.took[j] += uint64(n)
		}
	}
	h := Health{Last: t.last, Hour: hour.window(), Total: t.total.window()}
	for code, r := range t.refused {
		var n uint64
		for _, m := range r.hour {
			n += uint64(m)
		}
		h.Hour.denied(code, n)
		h.Total.denied(code, r.total)
	}
	return h
}

func (s *slot[N]) window() Window {
	return Window{
		Calls: s.calls, Errors: s.errors, ToolErrors: s.toolErrors, Observed: s.observed,
		P50: s.took.quantile(50), P95: s.took.quantile(95),
	}
}

func (w *Window) denied(code string, n uint64) {
	if n == 0 {
		return
	}
	if w.Reasons == nil {
		w.Reasons = map[string]uint64{}
	}
	w.Reasons[code] += n
	w.Denied += n
}
