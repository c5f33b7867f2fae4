package quota

import (
	"fmt"
	"sync"
	"time"

	"github.com/hopgate/hopgate/store"
)

// prefix begins the keys of the book in the store.
const prefix = "q/"

// Book holds what all limits have counted. Its gates check and take in memory; it is durable as far as what Changes
// returned is. It is safe for concurrent use.
type Book struct {
	clock func() time.Time
	tell  func(Event)
	fault error // not nil: nothing here can be trusted, and every gate faults
	holds sync.Pool
	shut  func() bool // whether caps on spend are closed; nil for never

	mu       sync.Mutex // guards all below, and all that accounts hold; nothing else is locked under it
	accounts map[string]*account
	changed  []*account
	waiting  map[string][]waiting // by agent
	swept    int64                // when all that waits was last looked through
	buf      []byte
}

// Open reads what a store knows of the counters; nil stands for an empty one. What was reserved when it was written stays
// charged. clock is asked where no call says what time it is. tell learns of thresholds, from the goroutine of the call
// that crossed them and without a lock held; nil for nobody.
//
// The Book is never nil. Where the error is not, all its gates refuse: counters that cannot be read are not taken for zero.
func Open(state store.Reader, clock func() time.Time, tell func(Event)) (*Book, error) {
	b := &Book{clock: clock, tell: tell, accounts: map[string]*account{}, waiting: map[string][]waiting{}}
	if state == nil {
		return b, nil
	}
	for item, err := range state.Scan([]byte(prefix), nil, false) {
		if err != nil {
			b.fault = fmt.Errorf("reading counters: %w", err)
			return b, b.fault
		}
		key := string(item.Key)
		a, err := parseAccount(key, item.Value)
		if err != nil {
			b.fault = fmt.Errorf("reading counters of %q: %w", key, err)
			return b, b.fault
		}
		b.accounts[key] = a
	}
	return b, nil
}

// Shut closes all caps on spend while f says so, because what was spent is not known: calls that cost something are
// refused. It is called before the first call, and f from many goroutines.
func (b *Book) Shut(f func() bool) { b.shut = f }

// Changes calls put with the new value of each key that has changed since the last call, one for each scope. What it puts
// is valid until put returns; put must not call the book. Whoever writes a record of a call down after it has taken
// the record, and calls Changes then, has the call's reservation in the same write or an earlier one.
func (b *Book) Changes(put func(store.Put)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, a := range b.changed {
		b.buf = a.append(append(b.buf[:0], a.key...))
		put(store.Put{Key: b.buf[:len(a.key):len(a.key)], Value: b.buf[len(a.key):]})
		a.changed, b.changed[i] = false, nil
	}
	b.changed = b.changed[:0]
}

// touch notes that an account differs from what the journal knows. The mutex is held.
func (b *Book) touch(a *account) {
	if a != nil && !a.changed {
		a.changed = true
		b.changed = append(b.changed, a)
	}
}

// account returns the account under a key, a new one where there is none. The mutex is held.
func (b *Book) account(key string) *account {
	a := b.accounts[key]
	if a == nil {
		a = &account{key: key}
		b.accounts[key] = a
	}
	return a
}
