package quota

import (
	"fmt"
	"math"

	"github.com/hopgate/hopgate/policy"
)

// Kind is what a limit counts.
type Kind uint8

// Kinds of limits. Their numbers are stored.
const (
	KindRate        Kind = iota // messages per time
	KindConcurrency             // calls at once
	KindQuota                   // calls in a calendar window
	KindBytes                   // bytes in a calendar window
	KindSpend                   // money in a calendar window
)

func (k Kind) String() string {
	return [...]string{"rate", "concurrency", "quota", "bytes", "spend"}[k]
}

// limit is one limit of one scope, as a configuration has it. It is immutable; what it points to is the book's.
type limit struct {
	kind        Kind
	place, text string // for records: "team research", "50 USD/month"
	at          policy.Pos
	max         int64 // of all but rates
	step, depth int64 // of rates, nanoseconds: between two messages, and of a whole burst
	meter       *meter
	window      *window
	gauge       *gauge
	exchange    exchange               // of spend: from the currency of the price
	rates       *rates                 // of spend: those of the configuration
	reached     [len(thresholds)]int64 // of spend: the amounts that operators are told of
}

func (l *limit) String() string { return l.place + ": " + l.text }

// busyWait is how long to wait for a call that is under way, of which nobody knows when it ends.
const busyWait = int64(1e9)

// never is the wait for what is more than the whole limit.
const never = math.MaxInt64

// amount is how much units of a call are in this limit.
func (l *limit) amount(units int64) int64 {
	switch l.kind {
	case KindBytes:
		return units
	case KindSpend:
		return l.exchange.apply(units)
	default:
		return 1
	}
}

// advance brings the limit's counter to a time at which a call has come.
func (l *limit) advance(now int64) {
	switch l.kind {
	case KindRate:
		l.meter.adopt(now, l.step, l.depth)
	case KindConcurrency:
	default:
		l.window.turn(now)
	}
}

// room reports whether n more fit, and how long it takes until they may where they do not. It changes nothing, so that
// asking about a time is not to be there.
func (l *limit) room(now, n int64) (wait int64, ok bool) {
	switch l.kind {
	case KindRate:
		wait = l.meter.room(now, l.step, l.depth)
		return wait, wait <= 0
	case KindConcurrency:
		return busyWait, l.gauge.busy < l.max
	default:
		used, _, until := l.window.peek(now)
		switch {
		case n <= l.max-used:
			return 0, true
		case n > l.max:
			return never, false
		default:
			return max(until-now, 1), false
		}
	}
}

// most is what can be counted at all.
func (l *limit) most() int64 {
	if l.window == nil {
		return math.MaxInt64
	}
	return math.MaxInt64 - l.window.used
}

// take takes n, at most what can be counted, and returns the window that they are of. A rate without room takes none.
func (l *limit) take(now, n int64) (window int64) {
	switch l.kind {
	case KindRate:
		if l.meter.room(now, l.step, l.depth) <= 0 {
			l.meter.take(now, l.step, l.depth)
		}
		return 0
	case KindConcurrency:
		l.gauge.busy++
		return 0
	default:
		l.window.used += n
		l.window.held += n
		l.window.passOn(now, n)
		return l.window.id
	}
}

// settle gives back all of what was taken but keep, where its window still runs.
func (l *limit) settle(window, taken, keep int64) (changed bool) {
	switch l.kind {
	case KindRate:
		return false // what was taken was worth the scanning
	case KindConcurrency:
		l.gauge.busy--
		return false
	default:
		w := l.window
		if w.id != window {
			return false
		}
		w.held -= taken
		w.used -= taken - keep
		return keep < taken
	}
}

// account is where the limit's counters are.
func (l *limit) account() *account {
	switch l.kind {
	case KindRate:
		return l.meter.account
	case KindConcurrency:
		return nil
	default:
		return l.window.account
	}
}

// counter is what the limit counts with; limits of one configuration have one each.
func (l *limit) counter() any {
	switch l.kind {
	case KindRate:
		return l.meter
	case KindConcurrency:
		return l.gauge
	default:
		return l.window
	}
}

// left is how many more fit now, in the unit of the limit.
func (l *limit) left(now int64) int64 {
	switch l.kind {
	case KindRate:
		return max(0, (l.step-l.meter.room(now, l.step, l.depth))/l.step)
	case KindConcurrency:
		return max(0, l.max-l.gauge.busy)
	default:
		used, _, _ := l.window.peek(now)
		return max(0, l.max-used)
	}
}

// format writes an amount of the limit's unit.
func (l *limit) format(n int64) string {
	switch l.kind {
	case KindSpend:
		return formatNanos(n) + " " + string(l.window.currency)
	case KindBytes:
		return formatBytes(n)
	default:
		return fmt.Sprint(n)
	}
}
