package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// Query asks for records. Fields that are set must all match, whole.
type Query struct {
	Agent, Connection, Target string
	Reason                    string    // code, of a refusal or of a finding that refused nothing
	Decision                  string    // DecisionAllow or DecisionDeny
	Ref                       string    // of a call, as people type it, or of the first round of one
	Since, Until              time.Time // from Since on, before Until
	Limit                     int       // of records; 0 for 100
}

const defaultLimit = 100

// Search returns records, the newest first. It sees all that was recorded before it was called.
func (j *Journal) Search(ctx context.Context, q Query) ([]Record, error) {
	if err := q.complete(); err != nil {
		return nil, err
	}
	if err := j.flushToRead(ctx); err != nil {
		return nil, err
	}
	if q.Ref != "" {
		found, err := j.rounds(q)
		slices.Reverse(found)
		return found[:min(len(found), q.Limit)], err
	}
	prefix, after := q.rows()
	var found []Record
	for row, err := range j.engine.Scan(prefix, after, true) {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("searching the journal: %w", err)
		}
		if !q.Since.IsZero() && timeOf(row.Key).Before(q.Since) {
			break // rows are in the order of time
		}
		records, err := j.block(firstOf(row.Key), q.glance)
		if err != nil {
			return nil, fmt.Errorf("searching the journal: %w", err)
		}
		for _, r := range slices.Backward(records) {
			if q.match(&r) {
				found = append(found, r)
			}
		}
		if len(found) >= q.Limit {
			return found[:q.Limit], nil
		}
	}
	return found, nil
}

// complete puts the query into the spelling of records, and the default in.
func (q *Query) complete() (err error) {
	if q.Ref != "" {
		q.Ref, err = normalRef(q.Ref)
	}
	q.Target = visible(q.Target, maxText)
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	return err
}

// rows returns which index rows to read, from their end: those of the field that says most.
func (q *Query) rows() (prefix, after []byte) {
	t := termOf(byTime, "")
	switch {
	case q.Target != "":
		t = termOf(byTarget, q.Target)
	case q.Reason != "":
		t = termOf(byReason, q.Reason)
	case q.Connection != "":
		t = termOf(byConnection, q.Connection)
	case q.Agent != "":
		t = termOf(byAgent, q.Agent)
	}
	prefix = append(slices.Clip(indexPrefix), t[:]...)
	if !q.Until.IsZero() {
		// A row bears the latest time of its block.
		after = appendTime(slices.Clip(prefix), q.Until.Add(blockSpan+1))
	}
	return prefix, after
}

// glance reports whether a record can match, without reading all of it.
func (q *Query) glance(g *glance) bool {
	return (q.Agent == "" || q.Agent == string(g.agent)) &&
		(q.Connection == "" || q.Connection == string(g.connection)) &&
		(q.Target == "" || q.Target == string(g.target)) &&
		(q.Reason == "" || q.hasReason(g)) &&
		(q.Ref == "" || q.Ref == string(g.ref) || q.Ref == string(g.first)) &&
		(q.Since.IsZero() || !g.time.Before(q.Since)) &&
		(q.Until.IsZero() || g.time.Before(q.Until))
}

func (q *Query) hasReason(g *glance) bool {
	for code := range g.reasons {
		if q.Reason == string(code) {
			return true
		}
	}
	return false
}

// match decides what glance leaves open.
func (q *Query) match(r *Record) bool { return q.Decision == "" || q.Decision == r.Decision }

// Show returns all records of a call, the oldest first, those of all its rounds where it has several, whichever of them ref
// is of. ref may be written as people do: in lower case, without dashes, with O for 0 and I or L for 1.
func (j *Journal) Show(ctx context.Context, ref string) ([]Record, error) {
	ref, err := normalRef(ref)
	if err != nil {
		return nil, err
	}
	if err := j.flushToRead(ctx); err != nil {
		return nil, err
	}
	found, err := j.rounds(Query{Ref: ref})
	if i := slices.IndexFunc(found, func(r Record) bool { return r.Ref == ref && r.First != "" }); err == nil && i >= 0 {
		found, err = j.rounds(Query{Ref: found[i].First})
	}
	return found, err
}

// rounds returns the records of a call, and of those that it is the first round of, as far as they match, the oldest
// first.
func (j *Journal) rounds(q Query) (found []Record, err error) {
	for first, err := range j.holding(q.Ref) {
		var records []Record
		if err == nil {
			records, err = j.block(first, q.glance)
		}
		if err != nil {
			return nil, fmt.Errorf("searching the journal: %w", err)
		}
		for i := range records {
			if q.match(&records[i]) {
				found = append(found, records[i])
			}
		}
	}
	// Rows are in the order of time, and a clock may have stepped back.
	slices.SortFunc(found, func(a, b Record) int { return cmp.Compare(a.Seq, b.Seq) })
	return found, nil
}

// holding yields the blocks that have a reference, each once.
func (j *Journal) holding(ref string) iter.Seq2[uint64, error] {
	return func(yield func(uint64, error) bool) {
		t := termOf(byRef, ref)
		for _, shared := range []bool{false, true} {
			key := t
			if shared {
				key = termOf(byRefs, "")
			}
			for row, err := range j.engine.Scan(append(slices.Clip(indexPrefix), key[:]...), nil, false) {
				switch {
				case err != nil:
					yield(0, err)
					return
				case shared && !packs(row.Value, t):
				case !yield(firstOf(row.Key), nil):
					return
				}
			}
		}
	}
}

// normalRef returns the spelling of a reference that policy.Ref has.
func normalRef(s string) (string, error) {
	r, ok := policy.ParseRef([]byte(strings.TrimSpace(s)))
	if !ok {
		return "", errors.New("this is no reference: it has twelve letters and digits, like 7F3K-Q2XM-9RTA")
	}
	return r.String(), nil
}

// tailChunk is how many records Tail reads, about, before it hands them out: while it reads, the store cannot be closed.
const tailChunk = 256

// Tail yields the last n records, the oldest first, and with follow set then every new one until ctx ends. An error ends
// it; the end of ctx is none.
func (j *Journal) Tail(ctx context.Context, n int, follow bool) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		err := j.tail(ctx, n, follow, func(r Record) bool { return yield(r, nil) })
		if err != nil && !errors.Is(err, store.ErrClosed) && ctx.Err() == nil {
			yield(Record{}, err)
		}
	}
}

// tail hands records out until there are no more, or nobody takes them.
func (j *Journal) tail(ctx context.Context, n int, follow bool, take func(Record) bool) error {
	if err := j.flushToRead(ctx); err != nil {
		return err
	}
	end := j.engine.Position()
	next := end - min(uint64(max(n, 0)), end)
	for ctx.Err() == nil {
		changed := j.watch.next()
		records, err := j.from(next)
		for i := range records {
			if !take(records[i]) {
				return nil
			}
			next = records[i].Seq + 1
		}
		if err != nil || len(records) == 0 && !follow {
			return err
		}
		if len(records) == 0 {
			wait(ctx, changed)
		}
	}
	return nil
}

// wait returns when something has changed or ctx has ended.
func wait(ctx context.Context, changed <-chan struct{}) {
	select {
	case <-changed:
	case <-ctx.Done():
	}
}

// from returns records in order, some of those from a number on.
func (j *Journal) from(seq uint64) (records []Record, err error) {
	var after []byte
	for item, err := range j.engine.Scan(bodyPrefix, appendBodyKey(nil, seq+1), true) {
		if err != nil {
			return nil, fmt.Errorf("reading the journal: %w", err)
		}
		if first := firstOf(item.Key); first > 0 { // of the block that has the record, or of the last before it
			after = appendBodyKey(nil, first-1)
		}
		break
	}
	for item, err := range j.engine.Scan(bodyPrefix, after, false) {
		if err != nil {
			return records, fmt.Errorf("reading the journal: %w", err)
		}
		some, err := j.block(firstOf(item.Key), func(g *glance) bool { return g.seq >= seq })
		if records = append(records, some...); err != nil || len(records) >= tailChunk {
			return records, err
		}
	}
	return records, nil
}

// flushToRead is Flush for readers. A journal that has failed can be read as far as it got.
func (j *Journal) flushToRead(ctx context.Context) error {
	if err := j.Flush(ctx); err != nil && !errors.Is(err, ErrFailed) {
		return err
	}
	return nil
}
