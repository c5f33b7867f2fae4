package mcpproxy

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/store"
)

// maxSlots is how many records of one kind the store keeps of an agent.
const maxSlots = 1024

// slot is where the store keeps a record of an agent.
type slot struct {
	agent string
	nth   uint16 // of the agent's, below maxSlots
}

// vacant returns the first slot that none of an agent's records has.
func vacant[T any](agent string, mine []T, at func(T) slot) slot {
	var taken [maxSlots]bool
	for _, r := range mine {
		taken[at(r).nth] = true
	}
	return slot{agent, uint16(slices.Index(taken[:], false))}
}

// recordOver is the first byte of a record that is over, and all of it; others begin with what their kind chooses. That a
// record is over is written down: a store in which an older value of a key comes back loses no more than that, where a
// record that was removed would be there again.
const recordOver byte = 1

// slots are the records of one kind in the store. Whoever has them guards them.
type slots struct {
	prefix  string            // of the keys; a name and a number follow
	changed map[string][]byte // by key: what the journal does not know yet
}

func newSlots(prefix string) slots { return slots{prefix, map[string][]byte{}} }

// read calls each with the records of a store that are not over. What is no record, or none to each, is damage. A store
// that is nil is empty.
func (p *slots) read(state store.Reader, each func(at slot, value []byte) bool) error {
	if state == nil {
		return nil
	}
	for item, err := range state.Scan([]byte(p.prefix), nil, false) {
		if err != nil {
			return err
		}
		at, ok := p.parse(item.Key)
		over := len(item.Value) == 1 && item.Value[0] == recordOver
		if !ok || !over && !each(at, item.Value) {
			return fmt.Errorf("%w: %q", store.ErrDamaged, item.Key)
		}
	}
	return nil
}

// set has the journal write down a record.
func (p *slots) set(at slot, value []byte) { p.changed[p.key(at)] = value }

// end has the journal write down that a record is over.
func (p *slots) end(at slot) { p.set(at, []byte{recordOver}) }

// changes calls put with what has changed since the last call.
func (p *slots) changes(put func(store.Put)) {
	for key, value := range p.changed {
		put(store.Put{Key: []byte(key), Value: value})
	}
	clear(p.changed)
}

func (p *slots) key(at slot) string {
	return string(binary.BigEndian.AppendUint16([]byte(p.prefix+at.agent+"/"), at.nth))
}

// parse reads what key has written; false for anything else.
func (p *slots) parse(key []byte) (slot, bool) {
	name, found := strings.CutPrefix(string(key), p.prefix)
	end := len(name) - len("/00")
	if !found || end < 1 || name[end] != '/' {
		return slot{}, false
	}
	at := slot{name[:end], binary.BigEndian.Uint16([]byte(name[end+1:]))}
	return at, at.nth < maxSlots
}
