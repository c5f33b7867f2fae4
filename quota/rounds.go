package quota

import (
	"slices"
	"time"

	"github.com/hopgate/hopgate/policy"
)

// A call that the upstream answers by asking for input goes on in a retry (MCP 2026-07-28, multi round-trip requests).
// What was reserved for it stays reserved until its last round, which settles it. Between rounds it waits here, in memory:
// where the process ends, or no retry comes, the whole reservation is what the call has cost. A retry that comes to the next
// process finds nothing here to settle, and takes nothing.

// Bounds of what waits for a retry: those within which the proxy lets one come.
const (
	waitTime = int64(time.Hour)
	maxWaits = 1024 // of one agent; the oldest go first
)

// waiting is the reservation of a call between two rounds.
type waiting struct {
	first policy.Ref // of the call
	until int64
	*hold
}

// wait keeps a hold for the next round of its call. It returns what is to be told of others that it gives up. The mutex is
// held.
func (b *Book) wait(h *hold) (events []Event) {
	if h.now >= b.swept+waitTime {
		for agent := range b.waiting {
			events = append(events, b.giveUp(agent, h.now, maxWaits)...)
		}
		b.swept = h.now
	}
	events = append(events, b.giveUp(h.agent, h.now, maxWaits-1)...)
	b.waiting[h.agent] = append(b.waiting[h.agent], waiting{h.first, h.now + waitTime, h})
	return events
}

// giveUp charges in full what has waited too long, and what is more than so many. The mutex is held.
func (b *Book) giveUp(agent string, now int64, most int) (events []Event) {
	all := b.waiting[agent]
	n := len(all)
	all = slices.DeleteFunc(all, func(w waiting) bool {
		late := n > most || now >= w.until
		if late {
			n--
			w.keep(w.units)
			events = append(events, w.events...)
		}
		return late
	})
	if b.waiting[agent] = all; len(all) == 0 {
		delete(b.waiting, agent)
	}
	return events
}

// goOn returns the hold that waits for a round, or nil where none does.
func (b *Book) goOn(c *policy.Call, now int64) *hold {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.waiting[c.Agent.Name]
	i := slices.IndexFunc(all, func(w waiting) bool { return w.first == c.First })
	if i < 0 {
		return nil
	}
	h := all[i].hold
	h.now = now
	if all = slices.Delete(all, i, i+1); len(all) == 0 {
		delete(b.waiting, c.Agent.Name)
	} else {
		b.waiting[c.Agent.Name] = all
	}
	return h
}
