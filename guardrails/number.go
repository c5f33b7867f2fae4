package guardrails

import (
	"sync"

	"github.com/hopgate/hopgate/policy"
)

// Bounds of what is remembered of placeholders. A call beyond them begins to number anew.
const (
	maxNumberedCalls = 1024
	maxNumbered      = 4096 // values of one call
)

// callKey names a call on a connection.
type callKey struct {
	connection string
	ref        policy.Ref
}

// callOf is the call that a message belongs to: itself, the first round of it, or the one during which it came.
func callOf(c *policy.Call) callKey {
	ref := c.Ref
	switch {
	case c.First != 0:
		ref = c.First
	case c.During != 0:
		ref = c.During
	}
	return callKey{c.Connection.Name, ref}
}

// numbering remembers which placeholder stands for which value, of the calls in which something was found last.
type numbering struct {
	mu    sync.Mutex // guards what follows
	calls map[callKey]*numbers
	order []callKey // the oldest first
}

// numbers are those of one call. Values are kept as keyed hashes.
type numbers struct {
	mu     sync.Mutex // guards what follows
	values map[string]int
	counts map[string]int // by name of the entity
}

// of returns the numbers of a call. A call without a name is one that nobody makes, and remembered by nobody.
func (n *numbering) of(k callKey) *numbers {
	if k.ref == 0 {
		return newNumbers()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if x := n.calls[k]; x != nil {
		return x
	}
	if len(n.order) == maxNumberedCalls {
		delete(n.calls, n.order[0])
		n.order = append(n.order[:0], n.order[1:]...)
	}
	x := newNumbers()
	n.calls[k] = x
	n.order = append(n.order, k)
	return x
}

func newNumbers() *numbers { return &numbers{values: map[string]int{}, counts: map[string]int{}} }

// number returns the number of a value of an entity, from 1.
func (n *numbers) number(name, digest string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	i, ok := n.values[digest]
	if !ok {
		n.counts[name]++
		i = n.counts[name]
		if len(n.values) < maxNumbered {
			n.values[digest] = i
		}
	}
	return i
}
