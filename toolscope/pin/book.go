package pin

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/store"
)

// Book keeps the definitions of all upstreams. It is safe for concurrent use.
type Book struct {
	clock   func() time.Time
	look    func(dst, name []byte) []byte
	tell    func(News) error // nil for nobody
	old     func() bool      // whether the records may be older than what was done; nil for never
	assumed bool             // all is taken for pinned, and nothing is kept

	changes atomic.Uint64 // of all that decides about a page or an item

	mu       sync.RWMutex // guards all below
	shelves  map[string]*shelf
	near     func(upstream string) []string // nil: nobody can reach two
	touched  []string                       // keys that have changed, in order
	pending  map[string]entry               // by key
	buf, key []byte
}

// entry is a value to be written: a head, or an item.
type entry struct {
	head *head
	item *Item
}

// shelf is what is kept of one upstream.
type shelf struct {
	head  *head
	items map[slot]*Item
	looks map[string]string // the first tool of each look
	bytes int               // of all definitions
	gone  map[slot]bool     // pinned ones that the last whole list did not hold

	beyond map[Kind]int // elements beyond the bounds on the last page
}

func newShelf() *shelf {
	return &shelf{head: &head{open: map[Kind]int64{}}, items: map[slot]*Item{}, looks: map[string]string{}, gone: map[slot]bool{}, beyond: map[Kind]int{}}
}

// Open reads what the state holds. clock is the wall clock. look appends what a name looks like to people: names with the
// same look are hard to tell apart. tell puts news on record, and returns when they are durable; after an error nothing of
// the list is shown. An error means that the state cannot be read; a single record that makes no sense is no error, but its
// definition is withheld.
func Open(state store.Reader, clock func() time.Time, look func(dst, name []byte) []byte, tell func(News) error) (*Book, error) {
	b := &Book{clock: clock, look: look, tell: tell, shelves: map[string]*shelf{}, pending: map[string]entry{}}
	for item, err := range state.Scan([]byte(prefix), nil, false) {
		if err == nil {
			err = b.load(string(item.Key), item.Value)
		}
		if err != nil {
			return nil, fmt.Errorf("reading pinned definitions: %w", err)
		}
	}
	for _, s := range b.shelves {
		b.index(s)
	}
	return b, nil
}

// Assume is a Book to which everything is pinned as it comes. It is for questions about calls that nobody makes.
func Assume() *Book {
	return &Book{assumed: true}
}

// Generation counts what has changed in the Book: as long as it is the same, so are the answers of Find and Settled.
func (b *Book) Generation() uint64 { return b.changes.Load() }

// Assumes reports whether the Book was made by Assume.
func (b *Book) Assumes() bool { return b.assumed }

// Doubt ends all first use while old says that the records may be older than what was done since: what is not pinned is
// withheld. It is called before the first list, and old from many goroutines.
func (b *Book) Doubt(old func() bool) { b.old = old }

// Reach says which other upstreams somebody can reach who can reach one. A tool that looks like one of theirs shadows it.
// near is called with a lock held and must not call the Book; nil is for a configuration that pins nothing.
func (b *Book) Reach(near func(upstream string) []string) {
	if b.assumed {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.near = near
	b.changes.Add(1)
}

// load takes one key of the state in. The order of keys does not matter.
func (b *Book) load(key string, value []byte) error {
	if upstream, ok := strings.CutPrefix(key, headPrefix); ok {
		h, err := readHead(value, key)
		if err != nil {
			h = &head{open: map[Kind]int64{}, bad: true}
		}
		b.shelf(upstream).head = h
		return nil
	}
	upstream, at, ok := slotIn(key)
	if !ok {
		return errors.New("a key is none of those of pins")
	}
	it, err := readItem(value, key, at.kind)
	if err != nil || slotOf(it.ID) != at {
		it = &Item{ID: ID{Kind: at.kind}, damaged: true}
	}
	b.shelf(upstream).items[at] = it
	return nil
}

// index finds out what the tools of a shelf look like, the oldest first.
func (b *Book) index(s *shelf) {
	all := make([]*Item, 0, len(s.items))
	for _, it := range s.items {
		s.bytes += len(it.Pinned) + len(it.Seen)
		if it.ID.Kind == Tool && !it.damaged {
			all = append(all, it)
		}
	}
	slices.SortFunc(all, func(x, y *Item) int {
		return cmp.Or(cmp.Compare(x.Since, y.Since), cmp.Compare(x.ID.Name, y.ID.Name))
	})
	for _, it := range all {
		s.show(b.lookOf(it.ID.Name), it.ID.Name)
	}
}

func (b *Book) lookOf(name string) string { return string(b.look(nil, []byte(name))) }

// show remembers the first tool of a look, and reports whether this is one.
func (s *shelf) show(look, name string) bool {
	if _, known := s.looks[look]; known {
		return false
	}
	s.looks[look] = name
	return true
}

// shelf returns the shelf of an upstream, a new one where there is none. The mutex is held.
func (b *Book) shelf(upstream string) *shelf {
	s := b.shelves[upstream]
	if s == nil {
		s = newShelf()
		b.shelves[upstream] = s
	}
	return s
}

// Find returns what is kept of a definition, or nil.
func (b *Book) Find(upstream string, id ID) *Item {
	if b.assumed {
		return nil
	}
	at := slotOf(id)
	b.mu.RLock()
	defer b.mu.RUnlock()
	if s := b.shelves[upstream]; s != nil {
		return s.items[at]
	}
	return nil
}

// Entry is a definition in a list for operators.
type Entry struct {
	*Item
	Gone bool // the last whole list did not hold it
}

// List returns what is kept of an upstream, by kind and name.
func (b *Book) List(upstream string) []Entry {
	if b.assumed {
		return nil
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	s := b.shelves[upstream]
	if s == nil {
		return nil
	}
	all := make([]Entry, 0, len(s.items))
	for at, it := range s.items {
		all = append(all, Entry{Item: it, Gone: s.gone[at]})
	}
	slices.SortFunc(all, func(x, y Entry) int {
		return cmp.Or(cmp.Compare(x.ID.Kind.String(), y.ID.Kind.String()), cmp.Compare(x.ID.Name, y.ID.Name))
	})
	return all
}

// put keeps an item and notes that the journal does not know it yet. The mutex is held.
func (b *Book) put(upstream string, s *shelf, it *Item) {
	at := slotOf(it.ID)
	if was := s.items[at]; was != nil {
		s.bytes -= len(was.Pinned) + len(was.Seen)
	}
	s.bytes += len(it.Pinned) + len(it.Seen)
	it.digest = Sum(it.Pinned)
	s.items[at] = it
	b.touch(at.key(upstream), entry{item: it})
}

func (b *Book) touch(key string, e entry) {
	b.changes.Add(1)
	if _, waits := b.pending[key]; !waits {
		b.touched = append(b.touched, key)
	}
	b.pending[key] = e
}

// Changes hands over the new values of all that has changed since the last call; see the ledgers of the journal. What put
// is given is valid until put returns, and put must not call the Book.
func (b *Book) Changes(put func(store.Put)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, key := range b.touched {
		e := b.pending[key]
		b.key = append(b.key[:0], key...)
		if e.head != nil {
			b.buf = e.head.append(b.buf[:0], key)
		} else {
			b.buf = e.item.append(b.buf[:0], key)
		}
		put(store.Put{Key: b.key, Value: b.buf})
	}
	clear(b.pending)
	b.touched = b.touched[:0]
	if cap(b.buf) > MaxBytes {
		b.buf = nil
	}
}
