package trust

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopgate/hopgate/store"
)

// late is how far the clock may be behind a record, in seconds: as far as clocks are set back in passing.
const late = 2

// Book keeps the records of all parties. It is safe for concurrent use.
type Book struct {
	clock   func() time.Time
	assumed *Standing   // of everybody, where nothing is kept
	old     func() bool // whether the records may be older than what was done; nil for never

	mu      sync.Mutex // guards all below and what it points to
	params  *Params
	entries map[Party]*entry
	changed []*entry
	tuned   bool // the rules of params are stored
	buf     []byte
}

// entry is one party that is known.
type entry struct {
	party   Party
	rec     *record // nil where it was found lost or damaged
	marked  bool    // its mark is stored
	changed bool    // it is among the changed ones
}

// Open reads the records that the state holds. clock is the wall clock; it is called from many goroutines. An error means
// that the state cannot be read; a single record that makes no sense is no error, but its party is not trusted.
func Open(state store.Reader, clock func() time.Time) (*Book, error) {
	b := &Book{clock: clock, params: ParamsOf(nil), entries: map[Party]*entry{}}
	for item, err := range state.Scan([]byte(prefix), nil, false) {
		if err != nil {
			return nil, fmt.Errorf("reading trust: %w", err)
		}
		if err := b.load(string(item.Key), item.Value); err != nil {
			return nil, fmt.Errorf("reading trust: %w", err)
		}
	}
	return b, nil
}

// Assume is a Book in which all parties have one score, and nothing changes it. It is for questions about calls that
// nobody makes: the tests in a configuration, and explain.
func Assume(score int) *Book {
	return &Book{assumed: &Standing{Score: min(max(score, 0), most), Condition: Sound}}
}

// Doubt lets nobody reach a minimum while old says that the records may be older than what was done since. It is called
// before the first call, and old from many goroutines.
func (b *Book) Doubt(old func() bool) { b.old = old }

func (b *Book) doubted() bool { return b.old != nil && b.old() }

var errKey = errors.New("a key is none of trust's")

// load takes one key of the state in. The order of keys does not matter.
func (b *Book) load(key string, value []byte) error {
	if key == rulesKey {
		r, err := readRules(value)
		if err != nil {
			return err
		}
		b.params, b.tuned = &Params{rules: r, classes: defaultClasses(), version: r.version()}, true
		return nil
	}
	if p, ok := partyOf(key, markPrefix); ok {
		b.entry(p).marked = true
		return nil
	}
	p, ok := partyOf(key, prefix)
	if !ok {
		return errKey
	}
	// Whatever is wrong with the record, its party is known, and the record that stays nil says that it is damaged.
	b.entry(p).rec, _ = readRecord([]byte(key), value)
	return nil
}

// entry returns the entry of a party, and makes one without a record where there is none.
func (b *Book) entry(p Party) *entry {
	e := b.entries[p]
	if e == nil {
		e = &entry{party: p}
		b.entries[p] = e
	}
	return e
}

// Register puts parameters in force and makes records for the agents and upstreams that never had one. What time has done
// so far it has done under the parameters before; those that follow rewrite no past. A record that is there stays as it
// is, and one that is lost stays lost.
func (b *Book) Register(p *Params, agents, upstreams []string) {
	if b.assumed != nil {
		return
	}
	now := b.clock().Unix()
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.rules != b.params.rules {
		for _, e := range b.entries {
			if e.rec != nil {
				e.rec.advance(now, &b.params.rules)
				b.touch(e)
			}
		}
		b.tuned = false
	}
	b.params = p
	for _, name := range agents {
		b.enter(Agent(name), now)
	}
	for _, name := range upstreams {
		b.enter(Upstream(name), now)
	}
}

// enter makes the record of a party that never had one.
func (b *Book) enter(p Party, now int64) {
	if b.entries[p] != nil {
		return
	}
	e := b.entry(p)
	e.rec = b.blank(now)
	b.touch(e)
}

// blank is the record of a party that has done nothing yet.
func (b *Book) blank(now int64) *record {
	return &record{tally: tally{at: now, start: b.params.rules.start}}
}

// touch puts an entry among the changed ones.
func (b *Book) touch(e *entry) {
	if !e.changed {
		e.changed = true
		b.changed = append(b.changed, e)
	}
}

// Changes hands over the new values of all that has changed since the last call. They are absolute. Whoever writes the
// journal calls it while assembling a frame, so that a change is as durable as the record of what caused it, or more so:
// Observe comes before that record is handed to the journal. What put is given is valid until put returns, and put must
// not call the Book.
func (b *Book) Changes(put func(store.Put)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.tuned && b.assumed == nil {
		b.tuned = true
		put(store.Put{Key: []byte(rulesKey), Value: b.params.rules.encode()})
	}
	for _, e := range b.changed {
		key := []byte(e.party.key())
		b.buf = e.rec.append(b.buf[:0], key)
		put(store.Put{Key: key, Value: b.buf})
		if !e.marked {
			put(store.Put{Key: []byte(e.party.mark()), Value: []byte{recordVersion}})
		}
		e.marked, e.changed = true, false
	}
	clear(b.changed)
	b.changed = b.changed[:0]
}

// Standing returns how far a party is trusted now. It takes no allocation.
func (b *Book) Standing(p Party) Standing {
	if b.assumed != nil {
		return *b.assumed
	}
	s, _ := b.look(p, b.clock().Unix())
	return s
}

// look returns how far a party is trusted at a second, and whether there is any minimum that it has fallen below.
func (b *Book) look(p Party, now int64) (s Standing, blocked bool) {
	if b.assumed != nil {
		return *b.assumed, false
	}
	// The arithmetic needs no lock: parameters are immutable.
	t, params, c, blocked := b.peek(p)
	switch {
	case c != Sound:
		return Standing{Condition: c, Params: params.name()}, blocked
	case now < t.at-late && b.clock().Unix() < t.at-late: // a call may be older than what others have done since
		return Standing{Condition: Stale, Params: params.version}, blocked
	}
	return Standing{Score: t.scoreAt(now, &params.rules), Condition: Sound, Params: params.version}, blocked
}

// peek copies what a standing is made of. The condition leaves open whether the clock is right.
func (b *Book) peek(p Party) (t tally, params *Params, c Condition, blocked bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[p]
	switch {
	case e == nil:
		return tally{}, nil, Unknown, false
	case e.rec == nil:
		return tally{}, nil, Damaged, false
	case e.rec.quarantined:
		c = Quarantined
	default:
		c = Sound
	}
	return e.rec.tally, b.params, c, len(e.rec.blocked) > 0
}

// condition is that of a party whose score is of no interest.
func (b *Book) condition(p Party) Condition {
	if b.assumed != nil {
		return b.assumed.Condition
	}
	_, _, c, _ := b.peek(p)
	return c
}

// List returns all parties, agents first, by name.
func (b *Book) List() []Party {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]Party, 0, len(b.entries))
	for p := range b.entries {
		all = append(all, p)
	}
	slices.SortFunc(all, func(x, y Party) int { return strings.Compare(x.key(), y.key()) })
	return all
}
