package audit

import (
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/hopgate/hopgate/store"
)

const (
	applyLate  = 100 * time.Millisecond // longest time that what was handed over is not in the store, unless someone waits for it
	applyBytes = 512 << 10              // of frames that are applied in one transaction, about
)

// job is work for the applier, in the order of the journal.
type job struct {
	frames []*frame
	flush  chan<- error // told when all earlier jobs are done
	prune  []segment    // to remove, oldest first
	until  uint64       // first record that stays
}

// applier materialises the journal in the store, in a goroutine of its own, behind the durable write.
type applier struct {
	files  Files
	dir    string
	engine store.Engine
	jobs   chan job // closed to end
	done   chan struct{}
	fail   func(error) error
	err    func() error
	frames *sync.Pool // of *frame
	watch  *watch
	pruned func() // told when segments are gone

	digest  digest
	pending map[string][]byte // changes of live state that are not applied yet
	blocks  blocks
	end     uint64   // position after them
	used    []*frame // that they point into
	bytes   int      // of the frames that were taken
	flushes []chan<- error
	pruner  pruner
	broken  bool
}

func (a *applier) run() {
	defer close(a.done)
	ready := make(chan struct{})
	close(ready)
	late := time.NewTimer(applyLate)
	defer late.Stop()
	for {
		var idle <-chan struct{}
		if len(a.pruner.segs) > 0 && !a.broken {
			idle = ready
		}
		select {
		case j, ok := <-a.jobs:
			if !ok {
				a.finish()
				return
			}
			fresh := a.bytes == 0
			a.take(j)
			switch {
			case len(a.flushes) > 0 || a.bytes >= applyBytes:
				a.finish()
			case fresh:
				late.Reset(applyLate)
			}
		case <-late.C:
			a.finish()
		case <-idle:
			if err := a.step(); err != nil {
				a.stop(err)
			}
		}
	}
}

func (a *applier) take(j job) {
	if j.flush != nil {
		a.flushes = append(a.flushes, j.flush)
	}
	if j.prune != nil {
		a.pruner.segs, a.pruner.until = append(a.pruner.segs, j.prune...), j.until
	}
	for _, f := range j.frames {
		a.bytes += len(f.buf)
		kept, err := false, error(nil)
		if !a.broken {
			kept, err = a.add(f)
		}
		if err != nil {
			a.stop(err)
		}
		if kept {
			a.used = append(a.used, f)
		} else {
			a.frames.Put(f)
		}
	}
}

// stop ends the journal. Where the writer has ended it, the applier goes on, so that all durable records can be read.
func (a *applier) stop(err error) {
	a.broken = true
	_ = a.fail(err) // Err of the journal says it
}

// finish applies what was taken, tells who waits, and gives the frames back.
func (a *applier) finish() {
	if !a.broken {
		if err := a.apply(); err != nil {
			a.stop(err)
		}
	}
	for _, done := range a.flushes {
		done <- a.err()
	}
	for _, f := range a.used {
		a.frames.Put(f)
	}
	clear(a.used)
	a.flushes, a.used, a.bytes = a.flushes[:0], a.used[:0], 0
	a.watch.tell()
}

// add collects what a frame changes. Where it says that the frame is kept, that must not change before apply.
func (a *applier) add(f *frame) (kept bool, err error) {
	if err := a.blocks.add(f); err != nil { // copies
		return false, fmt.Errorf("applying the journal: %w", err)
	}
	for kind, b := range f.entries() {
		switch kind {
		case entryPut:
			kept, err = true, a.change(cutPut(b))
		case entryDelete:
			kept, err = true, a.change(store.Put{Key: b})
		}
		if err != nil {
			return kept, fmt.Errorf("applying the journal: %w", err)
		}
	}
	a.end = f.end()
	return kept, nil
}

// change collects a change of live state and keeps the digest in step.
func (a *applier) change(p store.Put) error {
	old, ok := a.pending[string(p.Key)]
	if !ok {
		var err error
		if old, err = a.engine.Get(p.Key); err != nil {
			return err
		}
	}
	a.digest.toggle(p.Key, old)
	a.digest.toggle(p.Key, p.Value)
	a.pending[string(p.Key)] = p.Value
	a.blocks.puts = append(a.blocks.puts, p)
	return nil
}

// apply writes what was collected in one step.
func (a *applier) apply() error {
	a.blocks.shut()
	if len(a.blocks.puts) == 0 && a.end <= a.engine.Position() {
		return nil
	}
	if len(a.pending) > 0 {
		a.blocks.puts = append(a.blocks.puts, store.Put{Key: digestKey, Value: a.digest[:]})
	}
	if err := a.engine.Apply(a.end, a.blocks.puts); err != nil {
		return fmt.Errorf("applying the journal: %w", err)
	}
	a.blocks.clear()
	clear(a.pending)
	return nil
}

// pruner removes segments and what the store holds of them, a little at a time, so that the journal goes on meanwhile.
type pruner struct {
	segs   []segment // oldest first
	until  uint64    // first record that stays
	blocks blocks
}

// step removes one block from the store, or where there are none left one segment.
func (a *applier) step() error {
	p := &a.pruner
	for item, err := range a.engine.Scan(bodyPrefix, nil, false) {
		if err != nil {
			return fmt.Errorf("pruning the store: %w", err)
		}
		if firstOf(item.Key) >= p.until {
			break
		}
		if err := p.blocks.remove(a.dir, item.Value); err != nil {
			return fmt.Errorf("pruning the store: %w", err)
		}
		if err := a.engine.Apply(a.engine.Position(), p.blocks.puts); err != nil {
			return fmt.Errorf("pruning the store: %w", err)
		}
		p.blocks.clear()
		return nil
	}
	return a.drop()
}

// drop removes the first of the segments to prune.
func (a *applier) drop() error {
	p := &a.pruner
	err := a.files.Remove(filepath.Join(a.dir, p.segs[0].name()))
	if p.segs = p.segs[1:]; err == nil && len(p.segs) == 0 {
		if err = a.files.SyncDir(a.dir); err == nil {
			a.pruned()
		}
	}
	if err != nil {
		return fmt.Errorf("pruning the journal: %w", err)
	}
	return nil
}

// watch lets readers wait for records.
type watch struct {
	mu sync.Mutex
	ch chan struct{} // closed at the next change; nil while nobody waits
}

// next returns a channel that is closed when something was applied after the call.
func (w *watch) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ch == nil {
		w.ch = make(chan struct{})
	}
	return w.ch
}

func (w *watch) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ch != nil {
		close(w.ch)
		w.ch = nil
	}
}
