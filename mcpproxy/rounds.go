package mcpproxy

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// Bounds of what waits for a retry.
const (
	roundTime = time.Hour // in which people are expected to have answered
	maxOpen   = 1024      // rounds of one agent; the oldest go first
)

// round is a retry that may come.
type round struct {
	id    serial
	agent string
	no    int        // from 1
	first policy.Ref // of the call that began it
	until time.Time
	place uint16 // of the agent's, where the store keeps it
}

// Rounds are the retries that may come, of all agents. Whoever attaches them to the journal has them over a restart: that a
// retry was taken is durable with the record of it, before it is sent. It is safe for concurrent use.
type Rounds struct {
	mu      sync.Mutex // guards all below
	open    map[string][]round
	changed map[string][]byte // by key of the store: what the journal does not know yet
}

// OpenRounds returns the retries that a store knows of; nil stands for an empty one, and is also right where the store is
// older than what was done since: then a retry that it takes for open may have been made.
func OpenRounds(state store.Reader) (*Rounds, error) {
	t := &Rounds{open: map[string][]round{}, changed: map[string][]byte{}}
	if state == nil {
		return t, nil
	}
	for item, err := range state.Scan([]byte(roundPrefix), nil, false) {
		if err != nil {
			return nil, fmt.Errorf("reading rounds: %w", err)
		}
		r, open, ok := readRound(item.Key, item.Value)
		switch {
		case !ok:
			return nil, fmt.Errorf("reading rounds: %w: %q", store.ErrDamaged, item.Key)
		case open:
			t.open[r.agent] = append(t.open[r.agent], r)
		}
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
	for key, value := range t.changed {
		put(store.Put{Key: []byte(key), Value: value})
	}
	clear(t.changed)
}

// add lets a retry come.
func (t *Rounds) add(r round) {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := t.open[r.agent]
	for len(open) >= maxOpen {
		t.changed[open[0].key()] = roundOver
		open = slices.Delete(open, 0, 1)
	}
	r.place = free(open)
	t.open[r.agent] = append(open, r)
	t.changed[r.key()] = r.append(nil)
}

// free returns the first place that none of an agent's rounds has.
func free(open []round) uint16 {
	var taken [maxOpen]bool
	for i := range open {
		taken[open[i].place] = true
	}
	return uint16(slices.Index(taken[:], false))
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
	t.changed[r.key()] = roundOver
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
				t.changed[r.key()] = roundOver
			}
			return late
		})
		if t.open[agent] = open; len(open) == 0 {
			delete(t.open, agent)
		}
	}
}

// roundPrefix begins the keys of rounds in the store. A name and a place follow.
const roundPrefix = "n/"

// The bytes of a round begin with what they are. That one is over is written down: a store in which an older value of a key
// comes back loses no more than that, where one that was removed would be open again.
const (
	roundIsOver byte = 1
	roundIsOpen byte = 2
	roundSize        = 1 + len(serial{}) + 8 + 4 + 8
)

var roundOver = []byte{roundIsOver}

// key is that of a round in the store.
func (r *round) key() string {
	return string(binary.BigEndian.AppendUint16([]byte(roundPrefix+r.agent+"/"), r.place))
}

func (r *round) append(dst []byte) []byte {
	dst = append(append(dst, roundIsOpen), r.id[:]...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.first))
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.no))
	return binary.BigEndian.AppendUint64(dst, uint64(r.until.UnixNano()))
}

// readRound reads what key and append have written; false for anything else.
func readRound(key, value []byte) (r round, open, ok bool) {
	name, found := strings.CutPrefix(string(key), roundPrefix)
	end := len(name) - len("/00")
	if !found || end < 1 || name[end] != '/' {
		return r, false, false
	}
	r.agent, r.place = name[:end], binary.BigEndian.Uint16([]byte(name[end+1:]))
	switch {
	case r.place >= maxOpen:
		return r, false, false
	case len(value) == 1 && value[0] == roundIsOver:
		return r, false, true
	case len(value) != roundSize || value[0] != roundIsOpen:
		return r, false, false
	}
	value = value[1+copy(r.id[:], value[1:]):]
	r.first, r.no = policy.Ref(binary.BigEndian.Uint64(value)), int(binary.BigEndian.Uint32(value[8:]))
	r.until = time.Unix(0, int64(binary.BigEndian.Uint64(value[12:])))
	return r, true, r.no > 0
}
