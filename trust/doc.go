// Package trust says how far: the behavioural score of agents and upstreams, from 0 to 1000, and the gate that asks for a
// minimum of it.
//
// A score is a pure function of a few numbers and the time, in integers alone, so that the same events give the same score
// on every machine. With d the time since the last event:
//
//	P  penalty; halves every half_life.penalty; a violation adds the weight of its severity
//	E  credit; halves every half_life.credit; a success moves the value of its class of work from B to E
//	B  allowance; grows by earn.per_day and holds one day's worth; a new record has none
//	s  successes and f failures, of each class of work; both halve every half_life.reliability
//
//	reliability = min over the classes of min(1, (s+19)/(s+f+20) / 0.95)
//	score       = (start + (1000-start) * E/(E+100)) * reliability * 2^-P
//
// From that follows what the tests hold it to: no success lowers a score and no violation raises it; events of the same
// second commute; credit comes with time, however many calls are made; behind a violation of weight v no number of
// successes lifts the score above 1000 * 2^(-v * 2^(-d/half_life)); and in time every score comes back to the start.
//
// What the package does not know is not trusted. A record that is missing, damaged, or newer than the clock counts as 0,
// and a record is made once in the life of a name: neither a new key, nor leaving the configuration and coming back, makes
// another. A critical violation puts an agent into quarantine, until an operator releases it.
//
// The package judges no content, keeps no history beyond the last reasons, and writes nothing itself: [Book.Changes] hands
// what changed to whoever keeps the journal.
package trust
