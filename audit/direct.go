package audit

import "errors"

// errHalf is why a journal ends in whose writing something has panicked.
var errHalf = errors.New("a batch was left half written")

// direct takes an entry and, where someone waits for it, writes it, on the goroutine of the one who has it. It reports
// false where that one has to queue: others are writing or have come before. To wake a goroutine for each record and be
// woken by it costs as much as all the rest of a record, and a batch would hold no more.
func (w *writer) direct(e *entry) bool {
	if !w.mu.TryLock() {
		return false
	}
	whole := false
	defer func() {
		if !whole {
			_ = w.fail(errHalf) // Err of the journal says it
		}
		w.mu.Unlock()
	}()
	if w.coming.Load() > 0 || w.bytes+e.size() >= maxBatch {
		whole = true
		return false
	}
	w.add(e)
	if w.urgent {
		w.commit()
	}
	w.arm()
	whole = true
	return true
}
