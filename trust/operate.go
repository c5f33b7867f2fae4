package trust

import (
	"errors"

	"github.com/hopgate/hopgate/policy"
)

// ErrUnknown says that a party was never registered.
var ErrUnknown = errors.New("there is no record of it")

// ErrDamaged says that the record of a party is lost or cannot be read. Adjust begins another.
var ErrDamaged = errors.New("the record is lost or damaged")

// ErrScore says that a score cannot be reached, or is none.
var ErrScore = errors.New("a score is 0 to 1000, and nobody can be brought to 1000")

// Adjust brings a party to a score, by forgiving first violations, then failures, and then by giving credit; or by a
// penalty, which time forgives. It ends no quarantine. For a damaged record it begins a new one. The caller puts on record,
// under ref, who did it and why. It returns the score before and after, which under quarantine do not count.
func (b *Book) Adjust(p Party, score int, ref policy.Ref) (before, after int, err error) {
	if score < 0 || score >= most {
		return 0, 0, ErrScore
	}
	return b.operate(p, ref, codeAdjusted, true, func(r *record) { r.bring(score) })
}

// AdjustBy is Adjust to the score that the party has now and so many points more or less, within 0 and 999.
func (b *Book) AdjustBy(p Party, points int, ref policy.Ref) (before, after int, err error) {
	return b.operate(p, ref, codeAdjusted, false, func(r *record) {
		r.bring(min(max(r.score()+min(max(points, -most), most), 0), most-1))
	})
}

// Quarantine refuses everything of an agent, or to an upstream, until Release. The caller puts on record, under ref, who
// did it and why.
func (b *Book) Quarantine(p Party, ref policy.Ref) error {
	_, _, err := b.operate(p, ref, codeQuarantined, false, func(r *record) { r.quarantined = true })
	return err
}

// Release ends a quarantine. The score is then what the violations have left of it. The caller puts on record, under ref,
// who did it and why.
func (b *Book) Release(p Party, ref policy.Ref) error {
	_, _, err := b.operate(p, ref, codeReleased, false, func(r *record) { r.quarantined = false })
	return err
}

// operate changes a record for an operator. The clock as it is now is taken for right: that is the way out of a record
// that a wrong clock has put into the future.
func (b *Book) operate(p Party, ref policy.Ref, code string, begin bool, change func(*record)) (before, after int, err error) {
	if b.assumed != nil {
		return 0, 0, ErrUnknown
	}
	now := b.clock().Unix()
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries[p]
	switch {
	case e == nil:
		return 0, 0, ErrUnknown
	case e.rec == nil && !begin:
		return 0, 0, ErrDamaged
	case e.rec == nil:
		e.rec = b.blank(now)
	}
	rec := e.rec
	rec.advance(now, &b.params.rules)
	rec.at, rec.hammered = now, min(rec.hammered, now)
	before, shown := rec.score(), rec.shown()
	change(rec)
	rec.note(cause{at: now, ref: ref, code: code, effect: int64(rec.shown() - shown)})
	b.touch(e)
	return before, rec.score(), nil
}

// bring changes the tally as little as gives a score.
func (t *tally) bring(score int) {
	if t.score() == score {
		return
	}
	if t.score() > score {
		t.penalty = least(penaltyMost, func(x uint64) bool {
			t.penalty = x
			return t.score() <= score
		})
		return
	}
	tooMuch := least(penaltyMost, func(x uint64) bool {
		t.penalty = x
		return t.score() < score
	})
	if tooMuch > 0 {
		t.penalty = tooMuch - 1
		return
	}
	t.penalty, t.bad = 0, [classes]uint64{}
	if t.score() > score {
		t.bring(score)
		return
	}
	t.credit = least(creditMost, func(x uint64) bool {
		t.credit = x
		return t.score() >= score
	})
}

// least returns the least number from which on something holds, or the limit.
func least(limit uint64, holds func(uint64) bool) uint64 {
	low, high := uint64(0), limit
	for low < high {
		if middle := low + (high-low)/2; holds(middle) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}
