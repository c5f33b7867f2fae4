package audit

import (
	"errors"

	"github.com/hopgate/hopgate/policy"
)

// errHalf is why a journal ends in whose writing something has panicked.
var errHalf = errors.New("a batch was left half written")

// batch is what becomes durable together. While it is collected the mutex of the writer guards it; then it belongs to who
// has the pen, and to those who wait for it what done and err say.
type batch struct {
	frame   *frame // with the records
	moves   []move // what they mean for the calls that are open
	flushes []chan<- error
	anchors []chan<- error
	urgent  bool // someone waits

	done chan struct{} // closed when the batch is durable, or never will be; nil where nobody waits but who writes it
	err  error         // then: why it is not
}

// move is what a record says of a call: that it is open from now on, or not any more.
type move struct {
	ref   policy.Ref
	opens bool
	open  openCall
}

// full reports whether a batch takes no more.
func (b *batch) full() bool { return len(b.frame.buf) >= maxBatch }

// due reports whether a batch has to be written now.
func (b *batch) due() bool { return b.urgent || b.full() }

// tell tells all who wait, in one go.
func (b *batch) tell(err error) {
	b.err = err
	if b.done != nil {
		close(b.done)
	}
}

// put puts an entry into the journal. Where someone waits for it, it returns when the entry is durable. It reports false
// where the entry found no place, because the journal is over or cancel came first. It keeps nothing of the entry.
//
// Whoever finds nobody writing writes the batch himself: to wake a goroutine for each record and be woken by it costs as
// much as all the rest of a record.
func (w *writer) put(e *entry, cancel <-chan struct{}) (placed bool, err error) {
	w.mu.Lock()
	if !w.place(cancel) {
		w.mu.Unlock()
		return false, nil
	}
	w.add(e)
	b := w.batch
	switch {
	case !e.wait:
		if b.full() {
			w.rouse()
		}
		w.arm()
		w.mu.Unlock()
		return true, nil
	case !w.pen:
		w.pen = true
		w.mu.Unlock()
		return true, w.self()
	case b.done == nil:
		b.done = make(chan struct{})
	}
	w.mu.Unlock()
	<-b.done
	return true, b.err
}

// place waits until the batch has room. It reports false where there is nothing to wait for. The mutex is held, but not
// while it waits. Who has come before the end is still let in.
func (w *writer) place(cancel <-chan struct{}) bool {
	if w.ended || w.err() != nil {
		return false
	}
	for w.batch.full() {
		if w.room == nil {
			w.room = make(chan struct{})
		}
		room, came := w.room, false
		w.rouse()
		w.coming++
		w.mu.Unlock()
		select {
		case <-room:
			came = true
		case <-cancel:
		}
		w.mu.Lock()
		w.coming--
		w.came.Broadcast()
		if !came || w.err() != nil {
			return false
		}
	}
	return true
}

// add adds an entry to the batch. The mutex is held. The records bear the time at which the batch was begun, or at which
// the first came that someone waits for: no record is older than what it waits for.
func (w *writer) add(e *entry) {
	b := w.batch
	if b.frame.records == 0 || e.wait && !b.urgent {
		w.now.set(w.clock())
	}
	w.tree.add(b.frame.record(e, w.tree.size, &w.now))
	for i := range e.puts {
		b.frame.put(e.puts[i])
	}
	if e.opens || e.closes {
		b.moves = append(b.moves, move{e.ref, e.opens, e.open})
	}
	b.urgent = b.urgent || e.wait
}

// ask has something done when all that is in the batch is durable. It reports false at the end of the journal.
func (w *writer) ask(flush, anchor chan<- error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return false
	}
	b := w.batch
	if flush != nil {
		b.flushes = append(b.flushes, flush)
	}
	if anchor != nil {
		b.anchors = append(b.anchors, anchor)
	}
	b.urgent = true
	w.rouse()
	return true
}

// rouse has the goroutine write, unless someone has the pen, who looks again before he puts it down. The mutex is held.
func (w *writer) rouse() {
	if !w.pen {
		w.pen = true
		w.wake <- struct{}{} // nobody else sends without the pen
	}
}

// self writes the batch on the goroutine of the one who has a record. He has the pen, and hands it on.
func (w *writer) self() error {
	whole := false
	defer func() {
		if !whole {
			_ = w.fail(errHalf) // Err of the journal says it
		}
		w.handOn()
	}()
	err := w.commit()
	whole = true
	return err
}

// handOn puts the pen down, or gives it to the goroutine where there is more to do.
func (w *writer) handOn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pending() {
		w.wake <- struct{}{}
		return
	}
	w.pen = false
	if len(w.held) > 0 {
		w.arm()
	}
}

// pending reports whether something waits for the pen. The mutex is held.
func (w *writer) pending() bool { return w.batch.due() || w.late || w.ticked || w.ended }

// turn takes the batch that was collected and begins the next. The pen is held. It keeps how the tree is behind the
// batch, and lets in who waits for room.
func (w *writer) turn() *batch {
	next, f := w.spare, w.frame()
	if next == nil {
		next = new(batch)
	}
	w.spare = nil
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.batch
	f.begin(hash{}, w.tree.size)
	next.frame, w.batch = f, next
	w.written.set(&w.tree)
	if w.room != nil {
		close(w.room)
		w.room = nil
	}
	return b
}

// clear makes a batch as new, but for its buffers.
func (b *batch) clear() *batch {
	clear(b.moves)
	*b = batch{moves: b.moves[:0], flushes: b.flushes[:0], anchors: b.anchors[:0]}
	return b
}
