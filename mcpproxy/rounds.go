package mcpproxy

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// Bounds of what waits for a retry.
const (
	roundTime = time.Hour // in which people are expected to have answered
	maxOpen   = maxSlots  // rounds of one agent; the oldest go first
)

// round is a retry that may come.
type round struct {
	slot
	id    serial
	no    int        // from 1
	first policy.Ref // of the call that began it
	until time.Time
}

// Rounds are the retries that may come, of all agents. Whoever attaches them to the journal has them over a restart: that a
// retry was taken is durable with the record of it, before it is sent. It is safe for concurrent use.
type Rounds struct {
	mu   sync.Mutex // guards all below
	open map[string][]round
	kept slots
}

// OpenRounds returns the retries that a store knows of; nil stands for an empty one, and is also right where the store is
// older than what was done since: then a retry that it takes for open may have been made.
func OpenRounds(state store.Reader) (*Rounds, error) {
	t := &Rounds{open: map[string][]round{}, kept: newSlots("n/")}
	if err := t.kept.read(state, func(at slot, value []byte) bool {
		r, ok := readRound(at, value)
		if ok {
			t.open[r.agent] = append(t.open[r.agent], r)
		}
		return ok
	}); err != nil {
		return nil, fmt.Errorf("reading rounds: %w", err)
	}
	for _, open := range t.open { // the oldest go first
		slices.SortStableFunc(open, func(a, b round) int { return a.until.Compare(b.until) })
	}
	return t, nil
}

// Changes calls put with what has changed since the last call; see audit.Ledger.
func (t *Rounds) Changes(put func(store.Put)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept.changes(put)
}

// add lets a retry come.
func (t *Rounds) add(r round) {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := t.open[r.agent]
	for len(open) >= maxOpen {
		t.kept.end(open[0].slot)
		open = slices.Delete(open, 0, 1)
	}
	r.slot = vacant(r.agent, open, func(r round) slot { return r.slot })
	t.open[r.agent] = append(open, r)
	t.kept.set(r.slot, r.append(nil))
}

// take returns the round that a state belongs to. Each is taken once.
func (t *Rounds) take(agent string, id serial, now time.Time) (round, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := t.open[agent]
	i := slices.IndexFunc(open, func(r round) bool { return r.id == id })
	if i < 0 {
		return round{}, false
	}
	r := open[i]
	t.open[agent] = slices.Delete(open, i, i+1)
	t.kept.end(r.slot)
	return r, now.Before(r.until)
}

// forget drops the rounds for which it is too late.
func (t *Rounds) forget(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for agent, open := range t.open {
		open = slices.DeleteFunc(open, func(r round) bool {
			late := !now.Before(r.until)
			if late {
				t.kept.end(r.slot)
			}
			return late
		})
		if t.open[agent] = open; len(open) == 0 {
			delete(t.open, agent)
		}
	}
}

// The bytes of a round begin with what it is.
const (
	roundOpen byte = 2
	roundSize      = 1 + len(serial{}) + 8 + 4 + 8
)

func (r *round) append(dst []byte) []byte {
	dst = append(append(dst, roundOpen), r.id[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.first))
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.no))
	return binary.BigEndian.AppendUint64(dst, uint64(r.until.UnixNano()))
}

// readRound reads what append has written; false for anything else.
func readRound(at slot, value []byte) (r round, ok bool) {
	if len(value) != roundSize || value[0] != roundOpen {
		return r, false
	}
	r.slot = at
	value = value[1+copy(r.id[:], value[1:]):]
	r.first, r.no = policy.Ref(binary.BigEndian.Uint64(value)), int(binary.BigEndian.Uint32(value[8:]))
	r.until = time.Unix(0, int64(binary.BigEndian.Uint64(value[12:])))
	return r, r.no > 0
}
