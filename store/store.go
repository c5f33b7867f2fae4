// Package store keeps state between runs: what the journal adds up to, materialised in Badger.
//
// It decides nothing, knows no meaning of a key, and promises no durability of its own: what was applied last may be
// gone after a crash. Whoever feeds it keeps a journal, asks for the [Engine]'s Position on open, and applies again what
// is missing. Values are absolute, so that applying twice is applying once.
//
// Badger imports expvar, which puts /debug/vars on http.DefaultServeMux: never serve the default mux.
package store

import (
	"errors"
	"fmt"
	"iter"
)

// Bounds of one [Put]. The journal refuses what is larger, because it could never be applied.
const (
	MaxKey   = 1 << 10   // bytes
	MaxValue = 512 << 10 // bytes; below Badger's threshold for its value log, which therefore stays empty
)

var (
	// ErrDamaged says that the stored state cannot be trusted. Nothing is lost where the journal is sound: call [Wipe],
	// open again and replay.
	ErrDamaged = errors.New("the stored state is damaged")
	// ErrClosed says that the engine was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrBackwards says that a position is lower than one that was applied before.
	ErrBackwards = errors.New("the position goes backwards")
)

// Put is one change of state: the new value of a key. A nil Value deletes the key; an empty one is a value.
type Put struct{ Key, Value []byte }

// Check reports what makes a Put impossible to apply. Keys that begin with a zero byte belong to the engine.
func (p *Put) Check() error {
	switch {
	case len(p.Key) == 0 || p.Key[0] == 0:
		return errors.New("a key is empty or begins with a zero byte")
	case len(p.Key) > MaxKey:
		return fmt.Errorf("a key has %d bytes, more than %d", len(p.Key), MaxKey)
	case len(p.Value) > MaxValue:
		return fmt.Errorf("a value has %d bytes, more than %d", len(p.Value), MaxValue)
	}
	return nil
}

// Item is a key and its value. Both are valid until the loop that yields them takes its next step.
type Item struct{ Key, Value []byte }

// Reader reads state. It is safe for concurrent use.
type Reader interface {
	// Get returns a copy of the value of a key, and nil where the key is absent.
	Get(key []byte) ([]byte, error)
	// Scan yields the keys that begin with prefix, in byte order or in reverse, those past after alone where after is
	// not nil. One Scan sees one moment of the state. An error ends it.
	Scan(prefix, after []byte, reverse bool) iter.Seq2[Item, error]
}

// Engine is what every place for state can do. The suite storetest.Run says it in full.
type Engine interface {
	Reader
	// Apply makes changes and moves the position, all or nothing, in the order of puts. Where the changes are more than
	// the engine can make at once, readers may see part of them, and so may the next Open; the position then is still
	// the old one. Apply has one caller at a time and keeps none of its arguments.
	Apply(pos uint64, puts []Put) error
	// Position returns the position of the last Apply, 0 before the first.
	Position() uint64
	// Close waits for readers and ends the engine. Later calls return [ErrClosed].
	Close() error
}
