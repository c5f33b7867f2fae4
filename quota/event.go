package quota

import (
	"time"

	"github.com/hopgate/hopgate/policy"
)

// thresholds are the parts of a spend cap that operators are told of, in percent.
var thresholds = [...]int64{50, 80, 95, 100}

// Event tells that spend has reached part of a cap. For each cap and window, each Percent is told at most once, also over
// a restart; a crash in the moment of telling may tell it again. Where several are reached at once, the highest is told.
type Event struct {
	Time      time.Time // of the call
	Place     string    // whose cap: "team research"
	Text      string    // the cap as it is written
	Percent   int       // 50, 80, 95, or 100: a call was refused because of the cap, or all of it is used
	Used, Max int64     // billionths of Currency; Used is what is settled, without what calls under way may cost
	Currency  string
	Resets    time.Time
	At        policy.Pos
}

// crossed notes thresholds that what is settled has reached. The mutex is held.
func (h *hold) crossed(t *taken) {
	if t.kind != KindSpend || t.window.id != t.id || t.max == 0 {
		return
	}
	settled := t.window.used - t.window.held
	reached := -1
	for i, amount := range t.reached {
		if settled >= amount {
			reached = i
		}
	}
	if reached >= 0 {
		h.note(t.limit, reached)
	}
}

// exhausted notes that a cap has refused a call that it could have room for in another window. What is settled may be
// far from the cap while calls are under way, so the lower thresholds are still to come. The mutex is held.
func (h *hold) exhausted(r *refusal) {
	if r.kind == KindSpend && r.wait != never {
		h.note(r.limit, len(thresholds)-1)
	}
}

// note notes a threshold, unless it was told before. The mutex is held.
func (h *hold) note(l *limit, reached int) {
	w, bit := l.window, uint8(1)<<reached
	if w.told&bit != 0 {
		return
	}
	w.told |= bit
	h.book.touch(w.account)
	if h.book.tell == nil {
		return
	}
	h.events = append(h.events, Event{
		Time: at(h.now), Place: l.place, Text: l.text, Percent: int(thresholds[reached]), Used: w.used - w.held, Max: l.max,
		Currency: string(w.currency), Resets: at(w.until), At: l.at,
	})
}

// announce tells what was noted. The mutex is not held.
func (b *Book) announce(events []Event) {
	for i := range events {
		b.tell(events[i])
	}
}
