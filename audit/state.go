package audit

import (
	"bytes"
	"fmt"
	"iter"
	"slices"

	"github.com/hopgate/hopgate/store"
)

// own lists the prefixes of the journal's own keys, in order.
func own() [][]byte { return [][]byte{bodyPrefix, indexPrefix, ownPrefix} }

// isOwn reports whether a key is the journal's own.
func isOwn(key []byte) bool {
	return slices.ContainsFunc(own(), func(p []byte) bool { return bytes.HasPrefix(key, p) })
}

// liveState yields all state that is not the journal's own, in the order of keys, and never reads through the journal's.
func liveState(r store.Reader) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		var after []byte
		for more := true; more; {
			more = false
			for item, err := range r.Scan(nil, after, false) {
				if err == nil && isOwn(item.Key) {
					// Numbers fill a key behind its prefix, so this lies past all keys that have it.
					after = append(bytes.Clone(item.Key[:2]), bytes.Repeat([]byte{0xff}, indexKeySize)...)
					more = true
					break
				}
				if !yield(item, err) || err != nil {
					return
				}
			}
		}
	}
}

// checkDigest reads all live state and holds it against the digest.
func checkDigest(r store.Reader) error {
	want, err := readDigest(r)
	if err != nil {
		return fmt.Errorf("reading the store: %w", err)
	}
	var got digest
	for item, err := range liveState(r) {
		if err != nil {
			return fmt.Errorf("reading the store: %w", err)
		}
		got.toggle(item.Key, item.Value)
	}
	if got != want {
		return fmt.Errorf("%w: state is missing or changed", store.ErrDamaged)
	}
	return nil
}
