package store

import (
	"bytes"
	"iter"
	"slices"
	"strings"
	"sync"
)

var _ Engine = (*Memory)(nil)

// Memory is an [Engine] without a disk: the model that other engines are held to, and a quick one for tests. The zero
// Memory is empty. Its state outlives Close; Reopen makes it usable again.
type Memory struct {
	mu       sync.RWMutex // guards all below
	values   map[string][]byte
	position uint64
	closed   bool
}

// Reopen undoes Close.
func (m *Memory) Reopen() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = false
}

// Apply implements [Engine].
func (m *Memory) Apply(pos uint64, puts []Put) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return ErrClosed
	case pos < m.position:
		return ErrBackwards
	case m.values == nil:
		m.values = map[string][]byte{}
	}
	for i := range puts {
		if err := puts[i].Check(); err != nil {
			return err
		}
	}
	for _, p := range puts {
		if p.Value == nil {
			delete(m.values, string(p.Key))
		} else {
			m.values[string(p.Key)] = append([]byte{}, p.Value...)
		}
	}
	m.position = pos
	return nil
}

// Position implements [Engine].
func (m *Memory) Position() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.position
}

// Get implements [Reader].
func (m *Memory) Get(key []byte) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, ErrClosed
	}
	return bytes.Clone(m.values[string(key)]), nil
}

// Scan implements [Reader].
func (m *Memory) Scan(prefix, after []byte, reverse bool) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		items, err := m.snapshot(string(prefix), after, reverse)
		if err != nil {
			yield(Item{}, err)
			return
		}
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// snapshot returns the items of a scan. Values are replaced, never changed, so they need no copy.
func (m *Memory) snapshot(prefix string, after []byte, reverse bool) ([]Item, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, ErrClosed
	}
	var items []Item
	for key, value := range m.values {
		past := after == nil || !reverse && key > string(after) || reverse && key < string(after)
		if past && strings.HasPrefix(key, prefix) {
			items = append(items, Item{Key: []byte(key), Value: value})
		}
	}
	slices.SortFunc(items, func(a, b Item) int { return bytes.Compare(a.Key, b.Key) })
	if reverse {
		slices.Reverse(items)
	}
	return items, nil
}

// Close implements [Engine].
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
