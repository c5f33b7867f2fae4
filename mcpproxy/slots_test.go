package mcpproxy_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/hopgate/hopgate/store"
)

// persist writes down the changes of a ledger as the journal does.
func persist(t *testing.T, state *store.Memory, ledger interface{ Changes(put func(store.Put)) }) {
	t.Helper()
	var puts []store.Put
	ledger.Changes(func(p store.Put) {
		puts = append(puts, store.Put{Key: slices.Clone(p.Key), Value: slices.Clone(p.Value)})
	})
	if err := state.Apply(state.Position()+1, puts); err != nil {
		t.Fatal(err)
	}
}

// damaged holds open to refusing what is no record of its kind: keys that are none, and the values given.
func damaged(t *testing.T, prefix string, values map[string][]byte, open func(store.Reader) error) {
	t.Helper()
	key := []byte(prefix + "alice/\x00\x01")
	puts := map[string]store.Put{
		"no slot":      {Key: []byte(prefix + "alice"), Value: []byte{1}},
		"no name":      {Key: []byte(prefix + "/\x00\x01"), Value: []byte{1}},
		"another slot": {Key: []byte(prefix + "alice/\xff\x01"), Value: []byte{1}},
		"nothing":      {Key: key, Value: []byte{}},
	}
	for name, value := range values {
		puts[name] = store.Put{Key: key, Value: value}
	}
	for name, p := range puts {
		t.Run(name, func(t *testing.T) {
			var state store.Memory
			if err := state.Apply(1, []store.Put{p}); err != nil {
				t.Fatal(err)
			}
			if err := open(&state); !errors.Is(err, store.ErrDamaged) {
				t.Errorf("got error %v", err)
			}
		})
	}
}
