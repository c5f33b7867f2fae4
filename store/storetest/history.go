package storetest

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
)

// patience bounds the search for an order of a history.
const patience = 20 * time.Second

// Keys are those that a [History] is about.
const Keys = 3

// Values are what the keys of a History hold, by number; an absent key holds the empty text.
type Values [Keys]string

// History collects what concurrent callers did and saw, to find out whether one order explains it: each write and read
// at one moment between its beginning and its end (linearizability). The zero History is empty. It is safe for concurrent
// use.
type History struct {
	clock atomic.Int64 // counts beginnings and ends: all that there is to know of time
	mu    sync.Mutex   // guards ops
	ops   []porcupine.Operation
}

// deed is a write or a read of some keys at one moment.
type deed struct {
	write bool
	keys  [Keys]bool // that it is about
	Values
}

// Write runs a write of one key, and returns its error. Where it fails nobody knows whether it is done, nor when.
func (h *History) Write(key int, value string, write func() error) error {
	d := deed{write: true}
	d.keys[key], d.Values[key] = true, value
	return h.run(d, write)
}

// WriteAll runs a write of all keys at once.
func (h *History) WriteAll(v Values, write func() error) error {
	return h.run(deed{write: true, keys: [Keys]bool{true, true, true}, Values: v}, write)
}

func (h *History) run(d deed, write func() error) error {
	begun := h.clock.Add(1)
	err := write()
	ended := h.clock.Add(1)
	if err != nil {
		ended = math.MaxInt64
	}
	h.add(d, begun, ended)
	return err
}

// Read runs a read of one key, and returns its error.
func (h *History) Read(key int, read func() (string, error)) error {
	begun := h.clock.Add(1)
	v, err := read()
	if err == nil {
		d := deed{}
		d.keys[key], d.Values[key] = true, v
		h.add(d, begun, h.clock.Add(1))
	}
	return err
}

// ReadAll runs a read of all keys at once, and returns its error.
func (h *History) ReadAll(read func() (Values, error)) error {
	begun := h.clock.Add(1)
	v, err := read()
	if err == nil {
		h.add(deed{keys: [Keys]bool{true, true, true}, Values: v}, begun, h.clock.Add(1))
	}
	return err
}

func (h *History) add(d deed, begun, ended int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: len(h.ops), Input: d, Call: begun, Return: ended})
}

// Explain returns an error where no order explains the history.
func (h *History) Explain() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	model := porcupine.Model{Init: func() any { return Values{} }, Step: step}
	if got := porcupine.CheckOperationsTimeout(model, h.ops, patience); got != porcupine.Ok {
		return fmt.Errorf("no order was found that explains %d operations: %s", len(h.ops), got)
	}
	return nil
}

// step says whether a deed fits at a moment, and what holds after it.
func step(state, input, _ any) (bool, any) {
	now, okState := state.(Values)
	d, okDeed := input.(deed)
	if !okState || !okDeed {
		panic("a history holds something else than its own operations")
	}
	for i, about := range d.keys {
		switch {
		case !about:
		case d.write:
			now[i] = d.Values[i]
		case now[i] != d.Values[i]:
			return false, state
		}
	}
	return true, now
}
