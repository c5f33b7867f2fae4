package trust

import (
	"cmp"
	"fmt"
	"slices"
)

// Mark is the record of one party at one time, in a form to keep apart from the state directory: an older copy of the state
// is held against it, so that putting that back washes nobody.
type Mark struct {
	Key    string `json:"key"`    // of the party in the store
	Record []byte `json:"record"` // as it is in the store
}

// Snapshot returns a Mark of each party whose record is sound, in a stable order.
func (b *Book) Snapshot() []Mark {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Mark
	for p, e := range b.entries {
		if e.rec != nil {
			key := p.key()
			all = append(all, Mark{key, e.rec.append(nil, []byte(key))})
		}
	}
	slices.SortFunc(all, func(x, y Mark) int { return cmp.Compare(x.Key, y.Key) })
	return all
}

// Lower lets no party stand better than a snapshot says, now and later, what time has mended since aside; it lifts none. A
// quarantine of either stands. Who is not known becomes what the snapshot says. It changes nothing where it returns an
// error, which names the mark that makes no sense.
func (b *Book) Lower(marks []Mark) error {
	parties, records := make([]Party, len(marks)), make([]*record, len(marks))
	for i, m := range marks {
		p, ok := partyOf(m.Key, prefix)
		if !ok {
			return fmt.Errorf("mark %d: %w", i+1, errKey)
		}
		r, err := readRecord([]byte(m.Key), m.Record)
		if err != nil {
			return fmt.Errorf("mark %d: %w", i+1, err)
		}
		parties[i], records[i] = p, r
	}
	now := b.clock().Unix()
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, p := range parties {
		known := b.entries[p] != nil
		e := b.entry(p)
		switch {
		case !known:
			e.rec = records[i]
		case e.rec == nil:
			continue // nobody trusts a damaged record
		default:
			e.rec.lower(records[i], now, &b.params.rules)
		}
		b.touch(e)
	}
	return nil
}

// lower takes the worse of each number, both as they are at the same time: the score then is at most that of either, at
// that time and at any after.
func (r *record) lower(m *record, now int64, rules *rules) {
	r.advance(now, rules)
	m.advance(now, rules)
	before := r.shown()
	r.at, r.hammered = max(r.at, m.at), max(r.hammered, m.hammered)
	r.penalty = max(r.penalty, m.penalty)
	r.start, r.credit, r.allowed = min(r.start, m.start), min(r.credit, m.credit), min(r.allowed, m.allowed)
	for i := range classes {
		r.good[i], r.bad[i] = min(r.good[i], m.good[i]), max(r.bad[i], m.bad[i])
	}
	for _, minimum := range m.blocked {
		r.block(minimum, true)
	}
	r.quarantined = r.quarantined || m.quarantined
	if after := r.shown(); after != before {
		r.note(cause{at: r.at, code: codeRolledBack, effect: int64(after - before)})
	}
}
