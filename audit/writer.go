package audit

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

const (
	linger    = 50 * time.Millisecond // longest time that a record nobody waits for stays in memory, and a frame unapplied
	tickEvery = time.Second           // how often the writer looks at what is due by time
	heldBytes = 64 << 10              // of frames that the applier is woken for at once
)

// writer appends to the journal. It commits as soon as the sync before is done, so the batch grows with the load and nobody
// waits for others to come. Where nobody else is there, the one who has a record writes it himself; see direct. All others
// leave theirs to a goroutine.
type writer struct {
	files   *patient
	dir     string
	clock   func() time.Time
	limits  limits
	queue   <-chan request // closed to end
	coming  atomic.Int64   // requests that are in the queue, or on their way into it or out of it
	late    *time.Timer
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

	mu     sync.Mutex // guards what follows, and the order of the journal
	armed  bool       // late is running
	stream stream
	segs   []segment // the last is being written
	file   File
	size   int64 // of the last segment, behind its snapshot

	snapshot int64 // bytes of the last segment before that
	chain    hash
	tree     tree // its size is the next sequence number
	open     map[policy.Ref]openCall
	now      stamp

	batch   []*entry
	bytes   int
	urgent  bool // someone waits
	flushes []chan<- error
	anchors []chan<- error
	last    bool     // nothing comes any more
	out     []*frame // that the batch makes
	wrong   error    // with what a ledger has changed
	held    []*frame // written, and not with the applier
	holds   int      // bytes of these

	signed   uint64    // size of the last checkpoint
	signedAt time.Time // when it was signed
}

// limits are the settings of a [Config] that the writer keeps to.
type limits struct {
	segment      int64
	keep         time.Duration
	signRecords  uint64
	signInterval time.Duration
}

// request is a record to write, or the wish to know when all earlier ones can be found, or when the anchor covers them.
type request struct {
	entry  *entry
	flush  chan<- error
	anchor chan<- error
}

func (w *writer) run() {
	defer close(w.done)
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	defer w.late.Stop()
	w.turn(func() bool { // what came due while nobody ran
		w.tick(false)
		return false
	})
	for more := true; more; {
		select {
		case r, ok := <-w.queue:
			w.turn(func() bool {
				if more = ok; ok {
					w.take(r)
					more = w.gather()
				}
				return !more
			})
		case <-w.late.C:
			w.turn(func() bool {
				w.armed = false
				w.pass()
				return true
			})
		case <-tick.C:
			w.turn(func() bool {
				w.tick(false)
				return false
			})
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.finish()
}

// turn does something with the writer, and commits the batch where that says so, or someone waits, or it is full.
func (w *writer) turn(do func() (commit bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if do() || w.urgent || w.bytes >= maxBatch {
		w.commit()
	}
	w.arm()
}

// arm sees that what lies in memory does not lie there for long. The timer may have run for a while: to start it over with
// each record would cost more than to go off early.
func (w *writer) arm() {
	if !w.armed && (len(w.batch) > 0 || len(w.held) > 0) {
		w.armed = true
		w.late.Reset(linger)
	}
}

// gather takes what waits, as far as it fits into a batch. It reports false at the end of the queue.
func (w *writer) gather() bool {
	for w.bytes < maxBatch {
		select {
		case r, ok := <-w.queue:
			if !ok {
				return false
			}
			w.take(r)
		default:
			return true
		}
	}
	return true
}

func (w *writer) take(r request) {
	w.coming.Add(-1)
	switch {
	case r.flush != nil:
		w.flushes = append(w.flushes, r.flush)
		w.urgent = true
	case r.anchor != nil:
		w.anchors = append(w.anchors, r.anchor)
		w.urgent = true
	default:
		w.add(r.entry)
	}
}

func (w *writer) add(e *entry) {
	w.batch = append(w.batch, e)
	w.bytes += e.size()
	w.urgent = w.urgent || e.wait
}

// after does what is due when a batch is written.
func (w *writer) after() {
	if w.tree.size-w.signed >= w.limits.signRecords {
		w.sign(false)
	}
	// Where there is much state, a snapshot does not cost more than a quarter of what it stands before.
	if w.size >= max(w.limits.segment, 4*w.snapshot) {
		w.rotate()
	}
}

// tick does what is due by time. all is set at the end.
func (w *writer) tick(all bool) {
	if w.err() != nil {
		return
	}
	now := w.clock()
	for _, c := range w.flood.take(now, all) {
		e := newEntry(w.entries)
		e.encode(&Record{
			Kind: KindCounted, Decision: DecisionDeny, Agent: c.agent, Upstream: c.server, Remote: c.host, Count: c.over, Reason: c.reason,
		})
		w.add(e)
	}
	if all {
		return
	}
	if now.Sub(w.signedAt) >= w.limits.signInterval {
		w.sign(false)
	}
	last := w.segs[len(w.segs)-1]
	if w.limits.keep > 0 && w.tree.size > last.first && now.Sub(last.created) >= max(w.limits.keep/keepParts, time.Minute) {
		w.rotate()
	}
	w.prune(now)
}

// sign has the journal as it is now signed. Unless wait is set it lets an earlier signature finish first.
func (w *writer) sign(wait bool) {
	if w.tree.size == w.signed {
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
	return head{checkpoint: checkpoint{size: w.tree.size, root: w.tree.root()}, chain: w.chain, signed: w.tree.size == w.signed}
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
	h := header{stream: w.stream, created: w.clock().UTC(), chain: w.chain, tree: w.tree}
	s := snapshot{files: w.files, dir: w.dir, header: h, state: liveState(w.engine), open: w.open}
	if err := s.write(); err != nil {
		return err
	}
	file, err := w.files.Append(filepath.Join(w.dir, s.segment().name()))
	if err != nil {
		return err
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	w.file, w.size, w.snapshot, w.chain = file, 0, s.size, s.chain
	w.segs = append(w.segs, s.segment())
	return nil
}

// finish writes and signs what is left.
func (w *writer) finish() {
	w.tick(true)
	w.last = true
	w.commit()
	w.pass()
	close(w.applier.jobs)
	<-w.applier.done
	if w.err() == nil {
		w.sign(true)
	}
	close(w.notary.heads)
	<-w.notary.done
	if err := w.file.Close(); err != nil {
		_ = w.fail(fmt.Errorf("closing the journal: %w", err))
	}
}
