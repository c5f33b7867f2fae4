package quota

import (
	"strings"
	"time"
)

// account holds the counters of one scope. The book's mutex guards all of it.
type account struct {
	key     string // in the store
	changed bool   // since the journal last asked
	meters  []*meter
	windows []*window
	gauge   gauge
}

// meter is the state of one rate: a generic cell rate algorithm, with an exact count in integers.
type meter struct {
	account *account
	unit    string // which of the scope's rates; one per unit
	tat     int64  // theoretical arrival time, nanoseconds since 1970: when the bucket is full again
	step    int64  // of the rate that used it last
	depth   int64  // of the same
}

// adopt makes the meter one of a rate. A rate that was written anew starts with what the old one left, at most with an
// empty bucket.
func (m *meter) adopt(now, step, depth int64) {
	if m.step != step || m.depth != depth {
		m.tat, m.step, m.depth = min(m.tat, now+depth), step, depth
	}
}

// arrival is when the bucket would be full if one more came now. A clock that was set back finds the bucket as it was.
func (m *meter) arrival(now, step, depth int64) int64 {
	tat := m.tat
	if m.step != step || m.depth != depth {
		tat = min(tat, now+depth)
	}
	return max(tat, now) + step
}

// room returns how long it takes until one more may come, at most 0 where it may now.
func (m *meter) room(now, step, depth int64) int64 { return m.arrival(now, step, depth) - depth - now }

func (m *meter) take(now, step, depth int64) {
	m.tat, m.step, m.depth = m.arrival(now, step, depth), step, depth
}

// window counts within one calendar window. It is never reset but replaced by a later one, so that what was reserved in an
// earlier window is given back to that one alone.
type window struct {
	account *account
	windowKey
	zone  *time.Location
	id    int64 // number of the window; it never goes back
	used  int64 // settled, and reserved at the upper bound
	held  int64 // of used: reserved by calls under way; not stored, so a crash settles all at the upper bound
	past  int64 // used of the window with the number before, which in another zone may still run
	told  uint8 // thresholds that were told of, a bit each
	until int64 // end of the window, nanoseconds since 1970; 0 where it is not computed yet
	live  bool  // the configuration in force has a limit on it

	before []kin // that were in force earlier, where this one is
	after  []kin // that are in force, where this one is not
}

// windowKey tells the windows of a scope apart. The limit is no part of it: it may change while the window runs.
type windowKey struct {
	kind     Kind
	per      period
	zoneName string
	currency Code // of spend
}

func (k *windowKey) compare(o *windowKey) int {
	if k.kind != o.kind {
		return int(k.kind) - int(o.kind)
	}
	if k.per != o.per {
		return int(k.per) - int(o.per)
	}
	if c := strings.Compare(k.zoneName, o.zoneName); c != 0 {
		return c
	}
	return strings.Compare(string(k.currency), string(o.currency))
}

// turn begins a new window where the old one is over. Where the clock was set back, the later window stays.
func (w *window) turn(now int64) {
	if now < w.until {
		return
	}
	if id := w.per.window(at(now).In(w.zone)); id > w.id {
		w.begin(id, w.inherited(id))
	}
	w.until = w.per.end(w.id, w.zone).UnixNano()
}

// begin replaces the window by a later one.
func (w *window) begin(id, used int64) {
	w.past = 0
	if id == w.id+1 {
		w.past = w.used
	}
	w.id, w.used, w.held, w.told, w.until = id, used, 0, 0, 0
}

// peek is what the window has used at a time, which may be one that somebody only asks about, and when it ends.
func (w *window) peek(now int64) (used, held, until int64) {
	if now < w.until {
		return w.used, w.held, w.until
	}
	v := *w
	v.turn(now)
	return v.used, v.held, v.until
}

// gauge counts calls under way. It is not stored: a crash ends them.
type gauge struct{ busy int64 }

// findMeter returns the meter of a unit, a new one where there is none.
func (a *account) findMeter(unit string) *meter {
	for _, m := range a.meters {
		if m.unit == unit {
			return m
		}
	}
	m := &meter{account: a, unit: unit}
	a.meters = append(a.meters, m)
	return m
}

// findWindow returns the window of a key, a new one where there is none.
func (a *account) findWindow(key windowKey, zone *time.Location) *window {
	for _, w := range a.windows {
		if w.windowKey == key {
			w.zone = zone
			return w
		}
	}
	w := &window{account: a, windowKey: key, zone: zone}
	a.windows = append(a.windows, w)
	return w
}
