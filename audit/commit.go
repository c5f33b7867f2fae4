package audit

import (
	"fmt"
	"slices"

	"github.com/hopgate/hopgate/store"
)

// commit writes the batch and tells who waits.
func (w *writer) commit() {
	err := w.err()
	var frames []*frame
	if err == nil && (len(w.batch) > 0 || w.last) {
		if frames, err = w.write(); err != nil {
			err = w.fail(err)
		}
	}
	for _, e := range w.batch {
		if e.wait {
			e.done <- err // the one who waits has the entry now
		} else {
			w.entries.Put(e.clear())
		}
	}
	written := err == nil && len(frames) > 0
	for _, f := range frames {
		w.held = append(w.held, f)
		w.holds += len(f.buf)
	}
	if w.holds >= heldBytes {
		w.pass()
	}
	for _, flush := range w.flushes {
		w.give(job{flush: flush})
	}
	for _, done := range w.anchors {
		w.anchor(done, err)
	}
	clear(w.batch)
	w.batch, w.flushes, w.anchors, w.bytes, w.urgent = w.batch[:0], w.flushes[:0], w.anchors[:0], 0, false
	if written {
		w.after()
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

// write makes the batch durable, with all that the ledgers have changed up to now. That is one frame; more, without
// records and before it, where the changes are many.
func (w *writer) write() ([]*frame, error) {
	w.now.set(w.clock())
	if err := w.changes(); err != nil {
		return nil, err
	}
	f := w.out[len(w.out)-1]
	if len(w.batch) == 0 {
		if f.empty() {
			return nil, nil
		}
		w.add(w.closing())
	}
	for _, e := range w.batch {
		w.tree.add(f.record(e, w.tree.size, &w.now))
		for _, p := range e.puts {
			f.put(p)
		}
	}
	chain := w.chain
	for _, f := range w.out {
		copy(f.buf, chain[:])
		chain = f.seal()
		f.segment, f.off = w.segs[len(w.segs)-1].first, w.snapshot+w.size
		if _, err := w.file.Write(f.bytes()); err != nil {
			return nil, fmt.Errorf("writing the journal: %w", err)
		}
		w.size += int64(len(f.bytes()))
	}
	if err := w.file.Sync(); err != nil {
		return nil, fmt.Errorf("syncing the journal: %w", err)
	}
	w.chain = chain
	for _, e := range w.batch {
		switch {
		case e.opens:
			w.open[e.ref] = e.open
		case e.closes:
			delete(w.open, e.ref)
		}
	}
	return w.out, nil
}

// changes begins frames and puts in what the ledgers have changed. The last frame has room for the batch.
func (w *writer) changes() error {
	w.out, w.wrong = append(w.out[:0], w.frame()), nil
	for _, l := range w.ledgers() {
		l.Changes(w.change)
	}
	if w.wrong != nil {
		return fmt.Errorf("the changes of a ledger: %w", w.wrong)
	}
	return nil
}

// change puts a change of a ledger in.
func (w *writer) change(p store.Put) {
	if err := checkPut(p); err != nil {
		w.wrong = err
		return
	}
	f := w.out[len(w.out)-1]
	if len(f.buf) > maxBatch {
		f = w.frame()
		w.out = append(w.out, f)
	}
	f.put(p)
}

// closing is the record that the last changes of ledgers go with, where there is no other.
func (w *writer) closing() *entry {
	e := newEntry(w.entries)
	e.encode(&Record{Kind: KindEvent, Event: eventClosed})
	return e
}

// frame begins a frame; its chain is known when it is sealed.
func (w *writer) frame() *frame {
	f, ok := w.frames.Get().(*frame)
	if !ok {
		panic("the pool of frames holds something else")
	}
	f.begin(hash{}, w.tree.size)
	return f
}
