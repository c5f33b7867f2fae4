package mcpproxy

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopgate/hopgate/store"
)

// Bounds of what is remembered of tasks.
const (
	maxTasks = 1024                // of one agent; the oldest are forgotten first, and nobody's from then on
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
	key       taskKey
	agent     string
	until     time.Time
	contested bool   // the server has given it to another agent too, so that it is nobody's
	fleeting  bool   // it ends with this process, as the child does that has it
	place     uint16 // of the agent's, where the store keeps it
}

// Owners are the agents whom tasks were given to. Whoever attaches them to the journal has them over a restart. They are
// safe for concurrent use.
type Owners struct {
	mu      sync.Mutex // guards all below
	of      map[taskKey][]*given
	mine    map[string][]*given // of an agent, the oldest first
	changed map[string][]byte   // by key of the store: what the journal does not know yet
}

// OpenOwners returns the owners that a store knows of; nil stands for an empty one. Where old says that the store may be
// older than what was done since, a task in it may be another one by now, and is nobody's.
func OpenOwners(state store.Reader, old bool) (*Owners, error) {
	o := &Owners{of: map[taskKey][]*given{}, mine: map[string][]*given{}, changed: map[string][]byte{}}
	if state == nil {
		return o, nil
	}
	for item, err := range state.Scan([]byte(ownerPrefix), nil, false) {
		if err != nil {
			return nil, fmt.Errorf("reading owners of tasks: %w", err)
		}
		g, over, ok := readGiven(item.Key, item.Value)
		switch {
		case !ok:
			return nil, fmt.Errorf("reading owners of tasks: %w: %q", store.ErrDamaged, item.Key)
		case over:
		case old:
			o.changed[g.stored()] = taskOver
		default:
			o.of[g.key] = append(o.of[g.key], g)
			o.mine[g.agent] = append(o.mine[g.agent], g)
		}
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
	for key, value := range o.changed {
		put(store.Put{Key: []byte(key), Value: value})
	}
	clear(o.changed)
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
	g := &given{key: k, agent: agent, until: until, fleeting: fleeting, place: vacant(o.mine[agent])}
	o.of[k], o.mine[agent] = append(held, g), append(o.mine[agent], g)
	o.note(g)
}

// vacant returns the first place that none of an agent's tasks has.
func vacant(mine []*given) uint16 {
	var taken [maxTasks]bool
	for _, g := range mine {
		taken[g.place] = true
	}
	return uint16(slices.Index(taken[:], false))
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
		o.changed[g.stored()] = taskOver
	}
}

// note has the journal write down a task.
func (o *Owners) note(g *given) {
	if !g.fleeting {
		o.changed[g.stored()] = g.append(nil)
	}
}

// ownerPrefix begins the keys of tasks in the store. A name and a place follow.
const ownerPrefix = "w/"

// The bytes of a task begin with what it is.
const (
	taskIsOver      byte = 1
	taskIsOwned     byte = 2
	taskIsContested byte = 3
	taskSize             = 1 + sha256.Size + 8
)

var taskOver = []byte{taskIsOver}

// stored is the key of a task in the store.
func (g *given) stored() string {
	return string(binary.BigEndian.AppendUint16([]byte(ownerPrefix+g.agent+"/"), g.place))
}

func (g *given) append(dst []byte) []byte {
	kind := taskIsOwned
	if g.contested {
		kind = taskIsContested
	}
	dst = append(append(dst, kind), g.key[:]...)
	return binary.BigEndian.AppendUint64(dst, uint64(g.until.UnixNano()))
}

// readGiven reads what stored and append have written; false for anything else.
func readGiven(key, value []byte) (g *given, over, ok bool) {
	name, found := strings.CutPrefix(string(key), ownerPrefix)
	end := len(name) - len("/00")
	if !found || end < 1 || name[end] != '/' {
		return nil, false, false
	}
	g = &given{agent: name[:end], place: binary.BigEndian.Uint16([]byte(name[end+1:]))}
	switch {
	case g.place >= maxTasks:
		return nil, false, false
	case len(value) == 1 && value[0] == taskIsOver:
		return g, true, true
	case len(value) != taskSize || value[0] != taskIsOwned && value[0] != taskIsContested:
		return nil, false, false
	}
	g.contested = value[0] == taskIsContested
	value = value[1+copy(g.key[:], value[1:]):]
	g.until = time.Unix(0, int64(binary.BigEndian.Uint64(value)))
	return g, false, true
}
