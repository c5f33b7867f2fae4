package quota

import (
	"fmt"
	"math"

	"github.com/hopgate/hopgate/policy"
)

// kin is another window of the same scope, kind and period, and the way of amounts from the one to the other.
type kin struct {
	*window
	by exchange
}

// unknownRate makes any amount more than every cap, because nobody can say how much it is.
var unknownRate = exchange{math.MaxInt64, 1}

// Register puts the limits of a configuration in force. A limit whose zone or currency is written anew gets another window,
// which begins with what the windows before it have counted that still run, in its own currency and rounded up: else a
// change in mid-month would give out the month twice. It is called whenever a configuration comes into force, before the
// first call is judged by it.
func (b *Book) Register(connections ...*policy.Connection) {
	now := b.clock().UnixNano()
	b.mu.Lock()
	defer b.mu.Unlock()
	in := map[*window]*limit{}
	for _, c := range connections {
		for _, l := range limitsOf(c, nil) {
			if l.window != nil {
				in[l.window] = l
			}
		}
	}
	for _, a := range b.accounts {
		for _, w := range a.windows {
			w.before, w.after = nil, nil
		}
		for _, w := range a.windows {
			if l := in[w]; l != nil {
				b.succeed(w, l, in, now)
			}
		}
	}
	for _, a := range b.accounts {
		for _, w := range a.windows {
			w.live = in[w] != nil
		}
	}
}

// succeed makes a window that is in force the heir of those of its kind that are not. The mutex is held.
func (b *Book) succeed(w *window, l *limit, in map[*window]*limit, now int64) {
	var carried int64
	for _, s := range w.account.windows {
		if !w.akin(s) {
			continue
		}
		by, wrong := l.rates.exchange(s.currency, w.currency, l.at)
		if wrong != nil {
			by = unknownRate
		}
		if in[s] == nil {
			w.before, s.after = append(w.before, kin{s, by}), append(s.after, kin{w, by})
		}
		// A window beside others that stay in force has begun on its own, unless nothing was ever counted in it.
		if !w.live && (in[s] == nil || w.id == 0) {
			carried = max(carried, by.apply(s.counted(now, w.next(now))))
		}
	}
	if carried == 0 {
		return
	}
	if w.turn(now); carried > w.used {
		w.used = carried
		b.touch(w.account)
	}
}

// akin reports whether two windows of one scope would be one, were it not for zone and currency.
func (w *window) akin(s *window) bool { return w != s && w.kind == s.kind && w.per == s.per }

// next is the number that the window has, or will have as soon as it turns.
func (w *window) next(now int64) int64 { return max(w.id, w.per.window(at(now).In(w.zone))) }

// counted is what a window has counted that is not over, by its own calendar or by one in which a window with a number
// begins now. Around the end of a month zones are in different ones.
func (w *window) counted(now, number int64) int64 {
	switch {
	case w.id > number:
		return add(w.used, w.past)
	case w.id == number, w.id > 0 && w.id == w.next(now):
		return w.used
	default:
		return 0
	}
}

// inherited is what the windows before have counted under a number: each month is given out once.
func (w *window) inherited(number int64) (n int64) {
	for _, s := range w.before {
		if s.id >= number {
			n = max(n, s.by.apply(s.used))
		}
	}
	return n
}

// passOn counts in the heirs of a window what is taken from it: calls that were judged by the configuration before may
// still come to it.
func (w *window) passOn(now, n int64) {
	for _, heir := range w.after {
		heir.turn(now)
		heir.used = add(heir.used, heir.by.apply(n))
	}
}

// uncounted complains about a cap under which another currency was spent in a window that still runs, where no rate says
// how much that is.
func (b *Book) uncounted(l *limit) policy.Complaints {
	now := b.clock().UnixNano()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range l.window.account.windows {
		if !l.window.akin(s) || s.counted(now, l.window.next(now)) == 0 {
			continue
		}
		if _, wrong := l.rates.exchange(s.currency, l.window.currency, l.at); wrong != nil {
			return policy.Complaints{{
				At:   l.at,
				Text: fmt.Sprintf("this %s %s was spent under this cap, and there is no rate for it", s.per, s.currency),
				Hint: fmt.Sprintf("%s; it is needed until the %s is over", wrong[0].Hint, s.per),
			}}
		}
	}
	return nil
}
