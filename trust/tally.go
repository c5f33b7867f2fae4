package trust

import "math/bits"

// class is how much harm a kind of work can do.
type class uint8

// Classes, from the least harm to the most.
const (
	read class = iota
	write
	destructive
	classes = 3
)

// Fixed points. Penalties count in Q48; credits and events in Q32.
const (
	penaltyOne = 1 << 48
	unit       = 1 << 32

	penaltyMost = 16 * penaltyOne // 2^-16 of any score is 0; more would only make the way back longer
	penaltyDust = penaltyOne >> 16
	eventsMost  = 1 << 24 * unit // of a class; keeps products within 64 bits
	eventsDust  = unit >> 10
	creditMost  = 1 << 20 * unit // beyond what any parameters let one earn

	creditHalf = 100 * unit // credit that lifts a score half the way to 1000
	priorGood  = 19 * unit  // what a new party is taken to have done well,
	priorAll   = 20 * unit  // of so much
)

// most is the highest score.
const most = 1000

// day is the seconds of a day.
const day = 24 * 60 * 60

// tally is the behaviour of one party: P, E, B, s and f of the package comment, as they were at one second.
type tally struct {
	at      int64 // Unix time
	start   uint64
	penalty uint64
	credit  uint64
	allowed uint64
	good    [classes]uint64
	bad     [classes]uint64
}

// advance lets time pass. A time before the last changes nothing.
func (t *tally) advance(now int64, r *rules) {
	if now <= t.at {
		return
	}
	elapsed := uint64(now - t.at)
	t.at = now
	t.mend(elapsed, r)
	t.credit = fade(elapsed, r.creditLife).of(t.credit)
	grown := r.perDay * unit
	if elapsed < day {
		grown = grown * elapsed / day // at most 100 credits a day: below 2^57
	}
	t.allowed = min(t.allowed+grown, r.perDay*unit)
}

// mend lets fade what speaks against a party.
func (t *tally) mend(elapsed uint64, r *rules) {
	t.penalty = fade(elapsed, r.penaltyLife).up(t.penalty, penaltyDust)
	events := fade(elapsed, r.eventLife)
	for i := range classes {
		t.good[i] = events.of(t.good[i])
		t.bad[i] = events.up(t.bad[i], eventsDust)
	}
}

// succeed takes in a success.
func (t *tally) succeed(c class, r *rules) {
	t.good[c] = min(t.good[c]+unit, eventsMost)
	earned := min(r.earn[c], t.allowed)
	t.allowed -= earned
	t.credit = min(t.credit+earned, creditMost)
}

// fail takes in a failure.
func (t *tally) fail(c class) { t.bad[c] = min(t.bad[c]+unit, eventsMost) }

// violate takes in a violation.
func (t *tally) violate(weight uint64) { t.penalty = min(t.penalty+weight, penaltyMost) }

// pointBits is where the point stands in points. 1000 << pointBits fits into 63 bits.
const pointBits = 53

// points is what a party would have without failures and violations, in Q53.
func (t *tally) points() uint64 {
	hi, lo := bits.Mul64((most-t.start)<<pointBits, t.credit)
	earned, _ := bits.Div64(hi, lo, t.credit+creditHalf) // below (most-start) << pointBits
	return t.start<<pointBits + earned
}

// reliability is the part of the score that failures leave, in Q63.
func (t *tally) reliability() uint64 {
	least := uint64(one)
	for i := range classes {
		// (s+19)/(s+f+20) / 0.95, with 0.95 as 19/20.
		above := (t.good[i] + priorGood) * 20
		below := (t.good[i] + t.bad[i] + priorAll) * 19
		if above < below {
			part, _ := bits.Div64(above, 0, below)
			least = min(least, part>>1)
		}
	}
	return least
}

// leniency is the part of the score that violations leave, 2^-P, in Q63.
func (t *tally) leniency() uint64 {
	return exp2(t.penalty<<16) >> (t.penalty >> 48)
}

// score is the score, from 0 to most.
func (t *tally) score() int {
	// Rounding in the last bits must not cost a point.
	const forgiven = 1 << (pointBits - 16)
	return int((mul(mul(t.points(), t.reliability()), t.leniency()) + forgiven) >> pointBits)
}

// scoreAt is the score at a time, without a change.
func (t tally) scoreAt(now int64, r *rules) int {
	t.advance(now, r)
	return t.score()
}
