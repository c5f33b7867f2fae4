package audit

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

const (
	linger    = 50 * time.Millisecond // longest time that a record nobody waits for stays in memory, and a frame unapplied
	tickEvery = time.Second           // how often the writer looks at what is due by time
	heldBytes = 64 << 10              // of frames that the applier is woken for at once
)

// writer appends to the journal. Whoever has a record puts it into the batch himself. One at a time has the pen: he takes
// the batch that was collected, makes it durable, and tells those who wait for it; meanwhile the others collect the next.
// So one sync follows on another as long as there is something to write, and a batch grows with the load: nobody waits for
// others to come.
type writer struct {
	files   *patient
	dir     string
	clock   func() time.Time
	limits  limits
	done    chan struct{}
	fail    func(error) error
	err     func() error
	flood   *flood
	entries *sync.Pool // of *entry
	frames  *sync.Pool // of *frame
	engine  store.Reader
	applier *applier
	notary  *notary
	ledgers func() []Ledger
	stream  stream
	timer   *time.Timer
	wake    chan struct{} // with it the goroutine gets the pen; holds one

	mu     sync.Mutex // guards what follows, and is held as long as it takes to copy a record
	pen    bool       // someone has it
	ended  bool       // no record comes any more, but from those who wait for room
	armed  bool       // timer is running
	late   bool       // it went off
	ticked bool
	batch  *batch        // that is being collected
	tree   tree          // behind its records; its size is the next sequence number
	now    stamp         // of its records
	room   chan struct{} // closed when there is room again; nil while nobody waits for it
	coming int           // how many do
	came   *sync.Cond    // told when these have become fewer

	// What follows belongs to who has the pen.

	segs     []segment // the last is being written
	file     File
	size     int64 // of the last segment, behind its snapshot
	snapshot int64 // bytes of the last segment before that
	zeroed   int64 // bytes of the last segment, with the zeros at its end
	chain    hash
	written  tree // behind the batch that was taken last
	open     map[policy.Ref]openCall
	out      []*frame        // that a batch makes
	main     *frame          // of these: the one with the records
	change   func(store.Put) // alter, made once
	wrong    error           // with what a ledger has changed
	held     []*frame        // written, and not with the applier
	holds    int             // bytes of these
	spare    *batch          // to collect the next but one
	last     bool            // nothing comes any more
	signed   uint64          // size of the last checkpoint
	signedAt time.Time
}

// limits are the settings of a [Config] that the writer keeps to.
type limits struct {
	segment      int64
	keep         time.Duration
	signRecords  uint64
	signInterval time.Duration
}

// run is the goroutine of the writer.
func (w *writer) run() {
	defer close(w.done)
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	defer w.timer.Stop()
	w.call(&w.ticked) // what came due while nobody ran
	for {
		select {
		case <-w.wake:
			if w.serve() {
				return
			}
		case <-w.timer.C:
			w.call(&w.late)
		case <-tick.C:
			w.call(&w.ticked)
		}
	}
}

// call notes what is due, and asks for the pen.
func (w *writer) call(due *bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*due = true
	w.rouse()
}

// serve writes as long as there is something to write, and puts the pen down. At the end of the journal it keeps the pen and
// reports true.
func (w *writer) serve() (over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.pending() {
		if w.ended {
			w.finish()
			return true
		}
		late, ticked := w.late, w.ticked
		w.late, w.ticked = false, false
		w.armed = w.armed && !late
		write := late || w.batch.due()
		w.mu.Unlock()
		if ticked {
			w.tick(false)
		}
		if write {
			_ = w.commit() // those who wait are told
		}
		if late {
			w.pass()
		}
		w.mu.Lock()
	}
	w.pen = false
	if w.batch.frame.records > 0 || len(w.held) > 0 {
		w.arm()
	}
	return false
}

// arm sees that what lies in memory does not lie there for long. The timer may have run for a while: to start it over with
// each record would cost more than to go off early. The mutex is held.
func (w *writer) arm() {
	if !w.armed {
		w.armed = true
		w.timer.Reset(linger)
	}
}

// end lets no more records in, and has the goroutine write what there is.
func (w *writer) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.rouse()
}

// after does what is due when a batch is written.
func (w *writer) after() {
	if w.written.size-w.signed >= w.limits.signRecords {
		w.sign(false)
	}
	if w.size >= w.most() {
		w.rotate()
	}
}

// tick does what is due by time. all is set at the end.
func (w *writer) tick(all bool) {
	if w.err() != nil {
		return
	}
	if err := w.file.Linked(); err != nil { // what is written goes where nobody finds it, and somebody else may own what lies there
		_ = w.fail(fmt.Errorf("looking for the segment: %w", err))
		return
	}
	now := w.clock()
	for _, c := range w.flood.take(now, all) {
		e := newEntry(w.entries)
		e.encode(&Record{
			Kind: KindCounted, Decision: DecisionDeny, Agent: c.agent, Upstream: c.server, Remote: c.host, Count: c.over, Reason: c.reason,
		})
		w.enter(e)
	}
	if all {
		return
	}
	if now.Sub(w.signedAt) >= w.limits.signInterval {
		w.sign(false)
	}
	last := w.segs[len(w.segs)-1]
	if w.limits.keep > 0 && w.written.size > last.first && now.Sub(last.created) >= max(w.limits.keep/keepParts, time.Minute) {
		w.rotate()
	}
	w.prune(now)
}

// sign has the journal as it is now signed. Unless wait is set it lets an earlier signature finish first.
func (w *writer) sign(wait bool) {
	if w.written.size == w.signed {
		return
	}
	h := w.head()
	if wait {
		w.notary.heads <- h
	} else {
		select {
		case w.notary.heads <- h:
		default:
			return // the next batch or tick tries again
		}
	}
	w.signed, w.signedAt = h.size, w.clock()
}

// head returns the end of the journal.
func (w *writer) head() head {
	return head{checkpoint: checkpoint{size: w.written.size, root: w.written.root()}, chain: w.chain, signed: w.written.size == w.signed}
}

// anchor has the anchor written for the journal as it is now.
func (w *writer) anchor(done chan<- error, err error) {
	if err != nil {
		done <- err
		return
	}
	h := w.head()
	h.accept = done
	w.notary.heads <- h
	w.signed, w.signedAt = h.size, w.clock()
}

// rotate begins the next segment. The snapshot at its start is read from the store, which first must have all.
func (w *writer) rotate() {
	if err := w.err(); err != nil {
		return
	}
	if err := w.next(); err != nil {
		_ = w.fail(fmt.Errorf("beginning a segment: %w", err))
	}
}

func (w *writer) next() error {
	applied := make(chan error, 1)
	w.give(job{flush: applied})
	if err := <-applied; err != nil {
		return err
	}
	if err := checkDigest(w.engine); err != nil {
		return err
	}
	if err := w.seal(); err != nil {
		return err
	}
	h := header{stream: w.stream, created: w.clock().UTC(), chain: w.chain, tree: w.written}
	s := snapshot{files: w.files, dir: w.dir, header: h, state: liveState(w.engine), open: w.open}
	if err := s.write(); err != nil {
		return err
	}
	file, err := w.files.Open(filepath.Join(w.dir, s.segment().name()))
	if err != nil {
		return err
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	w.file, w.size, w.snapshot, w.zeroed, w.chain = file, 0, s.size, s.size, s.chain
	w.segs = append(w.segs, s.segment())
	return nil
}

// finish writes and signs what is left. The mutex is held, and is not before it ends.
func (w *writer) finish() {
	for w.coming > 0 {
		if !w.batch.full() {
			w.came.Wait()
			continue
		}
		w.mu.Unlock()
		_ = w.commit() // those who wait are told
		w.mu.Lock()
	}
	w.mu.Unlock()
	defer w.mu.Lock()
	w.tick(true)
	w.last = true
	_ = w.commit() // likewise
	w.pass()
	close(w.applier.jobs)
	<-w.applier.done
	if w.err() == nil {
		w.sign(true)
	}
	close(w.notary.heads)
	<-w.notary.done
	err := error(nil)
	if w.err() == nil {
		err = w.seal()
	}
	if err = errors.Join(err, w.file.Close()); err != nil {
		_ = w.fail(fmt.Errorf("closing the journal: %w", err))
	}
}
