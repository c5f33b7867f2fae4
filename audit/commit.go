package audit

import (
	"fmt"
	"slices"

	"github.com/hopgate/hopgate/store"
)

// commit writes the batch, tells who waits, and does what is due then. The pen is held.
func (w *writer) commit() error {
	b := w.turn()
	err := w.settle(b)
	if b.frame.records == 0 {
		w.frames.Put(b.frame)
	}
	for _, flush := range b.flushes {
		w.give(job{flush: flush})
	}
	for _, done := range b.anchors {
		w.anchor(done, err)
	}
	if err == nil && b.frame.records > 0 {
		w.after()
	}
	if b.done == nil { // nobody else knows it
		w.spare = b.clear()
	}
	return err
}

// settle makes a batch durable and tells who waits for it, whatever happens.
func (w *writer) settle(b *batch) (err error) {
	whole := false
	defer func() {
		if !whole {
			err = w.fail(errHalf)
		}
		b.tell(err)
		if err == nil {
			w.hold()
		}
	}()
	w.out = w.out[:0]
	if err = w.err(); err == nil {
		if err = w.write(b); err != nil {
			err = w.fail(err)
		}
	}
	whole = true
	return err
}

// hold keeps what is written for the applier, until it is worth waking him.
func (w *writer) hold() {
	for _, f := range w.out {
		w.held = append(w.held, f)
		w.holds += len(f.buf)
	}
	if w.holds >= heldBytes {
		w.pass()
	}
}

// pass hands what is written on to the applier.
func (w *writer) pass() {
	if len(w.held) > 0 {
		w.applier.jobs <- job{frames: slices.Clone(w.held)}
		clear(w.held)
		w.held, w.holds = w.held[:0], 0
	}
}

// give gives the applier a job behind all that is written.
func (w *writer) give(j job) {
	w.pass()
	w.applier.jobs <- j
}

// write makes a batch durable, with all that the ledgers have changed up to now. That is one frame; more, without
// records and before it, where the changes are many.
func (w *writer) write(b *batch) error {
	if b.frame.records == 0 && !w.last {
		return nil // what the ledgers have changed goes with the next record
	}
	if err := w.changes(b.frame); err != nil {
		return err
	}
	if b.frame.records == 0 {
		if b.frame.empty() {
			return nil
		}
		w.closing(b)
	}
	w.out = append(w.out, b.frame)
	chain := w.chain
	for _, f := range w.out {
		copy(f.buf, chain[:])
		chain = f.seal()
		f.segment, f.off = w.segs[len(w.segs)-1].first, w.snapshot+w.size
		if err := w.append(f.bytes()); err != nil {
			return err
		}
	}
	w.chain = chain
	for i := range b.moves {
		if m := &b.moves[i]; m.opens {
			w.open[m.ref] = m.open
		} else {
			delete(w.open, m.ref)
		}
	}
	return nil
}

// changes puts what the ledgers have changed into a frame, and what it has no room for into others, to be written before
// it.
func (w *writer) changes(last *frame) error {
	w.main, w.wrong = last, nil
	for _, l := range w.ledgers() {
		l.Changes(w.change)
	}
	if w.wrong != nil {
		return fmt.Errorf("the changes of a ledger: %w", w.wrong)
	}
	return nil
}

// alter puts a change of a ledger into a frame.
func (w *writer) alter(p store.Put) {
	if err := checkPut(p); err != nil {
		w.wrong = err
		return
	}
	f := w.main
	if len(f.buf) > maxBatch {
		if n := len(w.out); n == 0 || len(w.out[n-1].buf) > maxBatch {
			w.out = append(w.out, w.frame())
			w.out[n].begin(hash{}, w.main.first)
		}
		f = w.out[len(w.out)-1]
	}
	f.put(p)
}

// closing adds the record that the last changes of ledgers go with, where there is no other. Nobody else puts anything in
// any more.
func (w *writer) closing(b *batch) {
	e := newEntry(w.entries)
	e.encode(&Record{Kind: KindEvent, Event: eventClosed})
	w.mu.Lock()
	defer w.mu.Unlock()
	next := w.batch
	w.batch = b
	w.add(e)
	w.batch = next
	next.frame.begin(hash{}, w.tree.size)
	w.written.set(&w.tree)
}

// enter adds an entry of the journal's own to the batch.
func (w *writer) enter(e *entry) {
	w.mu.Lock()
	w.add(e)
	w.mu.Unlock()
	w.entries.Put(e.clear())
}

// frame takes a frame from the pool.
func (w *writer) frame() *frame {
	f, ok := w.frames.Get().(*frame)
	if !ok {
		panic("the pool of frames holds something else")
	}
	return f
}
