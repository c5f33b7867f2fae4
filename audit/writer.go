package audit

import (
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

const (
	linger    = 50 * time.Millisecond // longest time that a record nobody waits for stays in memory
	tickEvery = time.Second           // how often the writer looks at what is due by time
)

// writer appends to the journal, in a goroutine of its own. It commits as soon as the sync before is done, so the batch
// grows with the load and nobody waits for others to come.
type writer struct {
	files   Files
	dir     string
	clock   func() time.Time
	limits  limits
	queue   <-chan request // closed to end
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
	late := time.NewTimer(linger)
	defer late.Stop()
	w.tick(false) // what came due while nobody ran
	for more := true; more; {
		fresh, due := len(w.batch) == 0, false
		select {
		case r, ok := <-w.queue:
			if more = ok; ok {
				w.take(r)
				more = w.gather()
			}
		case <-late.C:
			due = true
		case <-tick.C:
			w.tick(false)
		}
		switch {
		case w.urgent || due || !more || w.bytes >= maxBatch:
			w.commit()
		case fresh && len(w.batch) > 0:
			late.Reset(linger)
		}
	}
	w.finish()
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

// commit writes the batch, tells who waits, and hands the frame on.
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
		w.applier.jobs <- job{frame: f}
	}
	for _, flush := range w.flushes {
		w.applier.jobs <- job{flush: flush}
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
	w.applier.jobs <- job{flush: applied}
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
