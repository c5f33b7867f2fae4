package mcpproxy

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hopgate/hopgate/store"
)

// Bounds of what is remembered of tasks.
const (
	maxTasks = maxSlots            // of one agent; the oldest are forgotten first, and nobody's from then on
	taskTime = time.Hour           // beyond the time that the server keeps a task for, and at least after the agent's last question
	maxTime  = 30 * 24 * time.Hour // for a task that the server keeps for ever, or for longer
)

// taskKey is a task of an upstream; long ids are as good as short ones.
type taskKey [sha256.Size]byte

func newTaskKey(upstream string, id []byte) taskKey {
	return sha256.Sum256(purpose(upstream, string(id)))
}

// given is a task that an agent was given.
type given struct {
	slot
	key       taskKey
	until     time.Time
	contested bool // the server has given it to another agent too, so that it is nobody's
	fleeting  bool // it ends with this process, as the child does that has it
}

// Owners are the agents whom tasks were given to. Whoever attaches them to the journal has them over a restart. They are
// safe for concurrent use.
type Owners struct {
	mu   sync.Mutex // guards all below
	of   map[taskKey][]*given
	mine map[string][]*given // of an agent, the oldest first
	kept slots
}

// OpenOwners returns the owners that a store knows of; nil stands for an empty one. Where old says that the store may be
// older than what was done since, a task in it may be another one by now, and is nobody's.
func OpenOwners(state store.Reader, old bool) (*Owners, error) {
	o := &Owners{of: map[taskKey][]*given{}, mine: map[string][]*given{}, kept: newSlots("w/")}
	if err := o.kept.read(state, func(at slot, value []byte) bool {
		g, ok := readGiven(at, value)
		switch {
		case !ok:
			return false
		case old:
			o.kept.end(at)
		default:
			o.of[g.key] = append(o.of[g.key], g)
			o.mine[g.agent] = append(o.mine[g.agent], g)
		}
		return true
	}); err != nil {
		return nil, fmt.Errorf("reading owners of tasks: %w", err)
	}
	for _, mine := range o.mine { // which are the oldest is not kept; those that end first are as good
		slices.SortStableFunc(mine, func(a, b *given) int { return a.until.Compare(b.until) })
	}
	return o, nil
}

// Changes calls put with what has changed since the last call; see audit.Ledger.
func (o *Owners) Changes(put func(store.Put)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept.changes(put)
}

// give notes that a task is an agent's. A server that gives one id to two agents has either forgotten the first, or was
// brought to it by the second; then it is neither's. A child has no agents but one, so that there each may have the id.
func (o *Owners) give(k taskKey, agent string, until time.Time, fleeting bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	held := o.of[k]
	for _, g := range held {
		switch {
		case g.agent == agent:
			o.keep(g, until)
			return
		case !fleeting:
			g.contested = true
			o.note(g)
		}
	}
	if len(held) > 0 && !fleeting {
		return
	}
	for len(o.mine[agent]) >= maxTasks {
		o.drop(o.mine[agent][0])
	}
	at := vacant(agent, o.mine[agent], func(g *given) slot { return g.slot })
	g := &given{slot: at, key: k, until: until, fleeting: fleeting}
	o.of[k], o.mine[agent] = append(held, g), append(o.mine[agent], g)
	o.note(g)
}

// claim says whose a task is that an agent names. A task that is asked for is kept for some time more.
func (o *Owners) claim(k taskKey, agent string, now time.Time) claim {
	o.mu.Lock()
	defer o.mu.Unlock()
	found := claimForged
	for _, g := range o.of[k] {
		switch {
		case g.contested:
			return claimStrayed
		case g.agent == agent:
			if g.until.Sub(now) < taskTime {
				o.keep(g, now.Add(2*taskTime)) // so that this is written down once in an hour
			}
			return claimRightful
		}
		found = claimForeign
	}
	return found
}

// forget drops the tasks that servers have dropped.
func (o *Owners) forget(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var late []*given
	for _, mine := range o.mine {
		for _, g := range mine {
			if !now.Before(g.until) {
				late = append(late, g)
			}
		}
	}
	for _, g := range late {
		o.drop(g)
	}
}

func (o *Owners) keep(g *given, until time.Time) {
	if until.After(g.until) {
		g.until = until
		o.note(g)
	}
}

func (o *Owners) drop(g *given) {
	is := func(other *given) bool { return other == g }
	if o.of[g.key] = slices.DeleteFunc(o.of[g.key], is); len(o.of[g.key]) == 0 {
		delete(o.of, g.key)
	}
	if o.mine[g.agent] = slices.DeleteFunc(o.mine[g.agent], is); len(o.mine[g.agent]) == 0 {
		delete(o.mine, g.agent)
	}
	if !g.fleeting {
		o.kept.end(g.slot)
	}
}

// note has the journal write down a task.
func (o *Owners) note(g *given) {
	if !g.fleeting {
		o.kept.set(g.slot, g.append(nil))
	}
}

// The bytes of a task begin with what it is.
const (
	taskOwned     byte = 2
	taskContested byte = 3
	taskSize           = 1 + sha256.Size + 8
)

func (g *given) append(dst []byte) []byte {
	kind := taskOwned
	if g.contested {
		kind = taskContested
	}
	dst = append(append(dst, kind), g.key[:]...)
	return binary.BigEndian.AppendUint64(dst, uint64(g.until.UnixNano()))
}

// readGiven reads what append has written; false for anything else.
func readGiven(at slot, value []byte) (*given, bool) {
	if len(value) != taskSize || value[0] != taskOwned && value[0] != taskContested {
		return nil, false
	}
	g := &given{slot: at, contested: value[0] == taskContested}
	value = value[1+copy(g.key[:], value[1:]):]
	g.until = time.Unix(0, int64(binary.BigEndian.Uint64(value)))
	return g, true
}
