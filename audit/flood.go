package audit

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds on what those can write whom nobody answers for: strangers, agents that send what is malformed, and servers that
// flood agents with what may not pass. Beyond them refusals are on record by their number.
const (
	fullPerSecond  = 10   // full records of one source in one second
	maxSources     = 1024 // sources that are told apart in one second
	strangerBurst  = 4 << 20
	strangerRate   = 2 << 10 // bytes a second that refill the burst: 170 MiB a day at most
	strangerRecord = 400     // bytes that a counted record is reckoned at
)

// source is whom refusals are counted for: an agent, or a server that speaks to an agent, or a stranger's host, or where
// all are empty all the others.
type source struct{ agent, server, host string }

func (s source) compare(t source) int {
	return cmp.Or(strings.Compare(s.agent, t.agent), strings.Compare(s.server, t.server), strings.Compare(s.host, t.host))
}

// tally is what a source has done in a second.
type tally struct {
	full, over int64
	reason     string // of those over the bound, empty where they differ
}

func (t *tally) count(n int64, reason string) {
	if t.over == 0 {
		t.reason = reason
	}
	if t.reason != reason {
		t.reason = ""
	}
	t.over += n
}

// flood decides which refusals are recorded in full. Its memory is bounded whatever arrives.
type flood struct {
	mu       sync.Mutex // guards all below
	second   int64      // Unix time that sources is about
	sources  map[source]tally
	due      []counted // of seconds that are over, not yet on record
	rest     tally     // of sources beyond the bounds
	tokens   int64     // bytes that strangers may still write
	refilled time.Time
}

// counted is a number of refusals to put on record.
type counted struct {
	source
	tally
}

func newFlood(now time.Time) *flood {
	return &flood{sources: map[source]tally{}, tokens: strangerBurst, refilled: now}
}

// admit reports whether a refusal is recorded in full. If not, it is counted.
func (f *flood) admit(now time.Time, s source, reason string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.roll(now.Unix())
	t, known := f.sources[s]
	switch stranger := s.agent == ""; {
	case !known && len(f.sources) >= maxSources, stranger && !f.refill(now):
		f.rest.count(1, reason)
		return false
	case t.full < fullPerSecond:
		t.full++
		f.sources[s] = t
		return true
	}
	t.count(1, reason)
	f.sources[s] = t
	return false
}

// count counts a refusal that cannot be recorded in full.
func (f *flood) count(reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rest.count(1, reason)
}

// charge takes the bytes of a stranger's record from the budget. It may go below zero by one record of each caller.
func (f *flood) charge(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens -= int64(n)
}

// refill adds what time has earned, and reports whether anything is left. A clock that steps back earns nothing.
func (f *flood) refill(now time.Time) bool {
	d := max(now.Sub(f.refilled), 0)
	seconds := min(int64(d/time.Second), strangerBurst/strangerRate)
	f.tokens = min(f.tokens+seconds*strangerRate, strangerBurst)
	f.refilled = now.Add(-d % time.Second)
	return f.tokens > 0
}

// roll ends a second: what was over the bounds becomes due.
func (f *flood) roll(second int64) {
	if second == f.second {
		return
	}
	f.second = second
	for s, t := range f.sources {
		switch {
		case t.over == 0:
		case len(f.due) < maxSources:
			f.due = append(f.due, counted{s, t})
		default:
			f.rest.count(t.over, t.reason)
		}
	}
	clear(f.sources)
}

// take returns the numbers that are to go on record: those of the seconds before now, or with all set those of this
// second too.
func (f *flood) take(now time.Time, all bool) []counted {
	f.mu.Lock()
	defer f.mu.Unlock()
	second := now.Unix()
	if all {
		second = f.second + 1
	}
	f.roll(second)
	var due []counted
	slices.SortFunc(f.due, func(a, b counted) int { return a.compare(b.source) })
	for _, c := range f.due {
		if c.agent == "" {
			if !f.refill(now) {
				f.rest.count(c.over, c.reason)
				continue
			}
			f.tokens -= strangerRecord
		}
		due = append(due, c)
	}
	if f.rest.over > 0 {
		due = append(due, counted{tally: f.rest})
	}
	f.due, f.rest = f.due[:0], tally{}
	return due
}
