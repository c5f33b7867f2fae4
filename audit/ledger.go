package audit

import "github.com/hopgate/hopgate/store"

// Ledger is state in memory that is durable because the journal writes down its changes.
type Ledger interface {
	// Changes calls put with the new value of each key that has changed since the last call. It is called by one
	// goroutine at a time, while a frame is made, after its records were taken: what a ledger has changed before its caller
	// records something is durable with that record. It must not call the journal. Keys are bound as those of
	// [Journal.Event] are; put keeps none of its arguments.
	Changes(put func(store.Put))
}

// Attach has the journal write down the changes of ledgers from now on.
func (j *Journal) Attach(all ...Ledger) {
	for {
		old := j.ledgers.Load()
		next := append([]Ledger(nil), all...)
		if old != nil {
			next = append(append([]Ledger(nil), *old...), all...)
		}
		if j.ledgers.CompareAndSwap(old, &next) {
			return
		}
	}
}

func (j *Journal) attached() []Ledger {
	if l := j.ledgers.Load(); l != nil {
		return *l
	}
	return nil
}
