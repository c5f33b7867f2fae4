// Package stats says how connections do: calls, errors, refusals by reason and how long calls take, in the last hour and
// since the start of the process.
//
// It counts in memory alone, about 24 KiB for each connection that is used and for each reason a little more, and forgets
// with the process; what must last is in the journal. It judges nothing and tells nobody by itself.
package stats

import (
	"slices"
	"sync"
	"time"

	"github.com/hopgate/hopgate/policy"
)

// minutes is how many minutes the shorter window has, the one under way included.
const minutes = 60

// Meter counts. It is safe for concurrent use.
type Meter struct {
	clock func() time.Time

	mu  sync.Mutex // guards what follows and all that it points to
	all map[identity]*tally
}

// identity is what a connection is told by. A reload makes another connection of the same identity, which goes on.
type identity struct{ name, agent, upstream string }

func of(c *policy.Connection) identity {
	return identity{c.Name, c.Agent.Name, c.Upstream.Name}
}

// New makes a Meter. clock says what minute it is; it is called from many goroutines.
func New(clock func() time.Time) *Meter {
	return &Meter{clock: clock, all: map[identity]*tally{}}
}

// Observe learns what became of a call. r is nil where it was refused and not sent. It counts calls of agents and, whichever
// way they went, refusals; notifications count where they are refused. What comes on no connection is not counted. It
// keeps none of its arguments.
func (m *Meter) Observe(c *policy.Call, o *policy.Outcome, r *policy.Report) {
	if c.Connection == nil || c.Connection.Agent == nil || c.Connection.Upstream == nil {
		return
	}
	minute := m.clock().Unix() / 60
	id := of(c.Connection)
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.all[id]
	if t == nil {
		t = &tally{minute: minute, refused: map[string]*refusals{}}
		m.all[id] = t
	}
	t.advance(minute)
	t.last = c.Time
	if r != nil && r.Status != policy.StatusSent && c.Direction == policy.ToUpstream {
		t.sent(r)
	}
	switch {
	case !o.Allowed && o.Reason != nil:
		t.refuse(o.Reason.Code)
	case slices.ContainsFunc(o.Findings, func(f policy.Finding) bool { return f.Reason != nil && c.Connection.Observes(f.Gate) }):
		t.count(func(n *counts) { n.observed++ })
	}
}

// Keep forgets all connections but these. Whoever puts a configuration in force calls it, so that those that are gone take
// no memory.
func (m *Meter) Keep(connections []*policy.Connection) {
	keep := make(map[identity]bool, len(connections))
	for _, c := range connections {
		keep[of(c)] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.all {
		if !keep[id] {
			delete(m.all, id)
		}
	}
}

// Health is how a connection does.
type Health struct {
	Last  time.Time `json:"last,omitzero"` // when its last message came; zero where none did
	Hour  Window    `json:"hour"`          // the minute under way and the 59 before it
	Total Window    `json:"total"`         // since the process began
}

// Window is what happened in a span of time. Calls that were sent and whose result was withheld count as calls and as
// refusals.
type Window struct {
	Calls      uint64            `json:"calls"`             // requests that were sent
	Errors     uint64            `json:"errors"`            // of them: no usable answer in time, or a JSON-RPC error
	ToolErrors uint64            `json:"tool_errors"`       // of them: a tool said that it failed
	Denied     uint64            `json:"denied"`            // messages that were refused
	Reasons    map[string]uint64 `json:"reasons,omitempty"` // those by the code of the reason
	Observed   uint64            `json:"observed"`          // messages that passed because mode observe does not act on refusals
	P50        time.Duration     `json:"p50"`               // from the call's arrival to the end of its answer; at most a quarter off
	P95        time.Duration     `json:"p95"`
}

// Of returns how a connection does.
func (m *Meter) Of(c *policy.Connection) Health {
	minute := m.clock().Unix() / 60
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.all[of(c)]
	if t == nil {
		return Health{}
	}
	t.advance(minute)
	return t.health()
}
