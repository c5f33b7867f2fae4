package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/hopgate/hopgate/mcpproxy"
)

// keeper is a part of the state that an older copy must not take back. What take returns goes into the anchor, outside the
// state directory; give brings the part to at least that when a rollback is accepted.
type keeper struct {
	take func() (json.RawMessage, error)
	give func(json.RawMessage) error
}

// keepers are the parts, by the names that they have in the anchor.
func keepers(m *mcpproxy.Memory) map[string]keeper {
	return map[string]keeper{
		"limits": keeps(m.Limits.Snapshot, m.Limits.Raise),
		"trust":  keeps(m.Scores.Snapshot, m.Scores.Lower),
	}
}

func keeps[M any](take func() []M, give func([]M) error) keeper {
	return keeper{
		func() (json.RawMessage, error) { return json.Marshal(take()) },
		func(raw json.RawMessage) error {
			var marks []M
			if err := json.Unmarshal(raw, &marks); err != nil {
				return err
			}
			return give(marks)
		},
	}
}

// marks is what the anchor holds of all parts.
func (e *engine) marks() (json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for name, k := range keepers(&e.memory) {
		raw, err := k.take()
		if err != nil {
			return nil, err
		}
		all[name] = raw
	}
	return json.Marshal(all)
}

// remind brings all parts to at least what an anchor holds. A part that nobody knows is an error: it would be forgotten.
func (e *engine) remind(raw json.RawMessage) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return fmt.Errorf("reading the marks of the anchor: %w", err)
	}
	parts := keepers(&e.memory)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		k, ok := parts[name]
		if !ok {
			return fmt.Errorf("the anchor holds marks of %q, which this version does not know", name)
		}
		if err := k.give(all[name]); err != nil {
			return fmt.Errorf("the marks of %s: %w", name, err)
		}
	}
	return nil
}
