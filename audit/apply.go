package audit

import (
	"bytes"
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

// change is what has become of a key of live state since the store was written. However often a key changes until the next
// time, it is written and hashed once.
type change struct {
	key, old, value []byte // old is nil where the store has none
	gone            bool   // the key is deleted
}

// applier materialises the journal in the store, in a goroutine of its own, behind the durable write.
type applier struct {
	files  *patient
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
	pending map[string]*change // keys of live state whose changes are not applied yet
	changes []*change          // the same, in the order of the journal
	blocks  blocks
	end     uint64 // position after them
	bytes   int    // of the frames that were taken
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
		if !a.broken {
			if err := a.add(f); err != nil {
				a.stop(err)
			}
		}
		a.frames.Put(f)
	}
}

// stop ends the journal. Where the writer has ended it, the applier goes on, so that all durable records can be read.
func (a *applier) stop(err error) {
	a.broken = true
	_ = a.fail(err) // Err of the journal says it
}

// finish applies what was taken, and tells who waits.
func (a *applier) finish() {
	if !a.broken {
		if err := a.apply(); err != nil {
			a.stop(err)
		}
	}
	for _, done := range a.flushes {
		done <- a.err()
	}
	a.flushes, a.bytes = a.flushes[:0], 0
	a.watch.tell()
}

// add collects what a frame changes. It keeps nothing of it.
func (a *applier) add(f *frame) error {
	if err := a.blocks.add(f); err != nil {
		return fmt.Errorf("applying the journal: %w", err)
	}
	for kind, b := range f.entries() {
		var err error
		switch kind {
		case entryPut:
			err = a.change(cutPut(b))
		case entryDelete:
			err = a.change(store.Put{Key: b})
		}
		if err != nil {
			return fmt.Errorf("applying the journal: %w", err)
		}
	}
	a.end = f.end()
	return nil
}

// change collects a change of live state.
func (a *applier) change(p store.Put) error {
	c := a.pending[string(p.Key)]
	if c == nil {
		old, err := a.engine.Get(p.Key)
		if err != nil {
			return err
		}
		c = &change{key: bytes.Clone(p.Key), old: old, value: []byte{}}
		a.pending[string(p.Key)] = c
		a.changes = append(a.changes, c)
	}
	c.value, c.gone = append(c.value[:0], p.Value...), p.Value == nil
	return nil
}

// apply writes what was collected in one step, and keeps the digest in step with it.
func (a *applier) apply() error {
	a.blocks.shut()
	for _, c := range a.changes {
		p := store.Put{Key: c.key, Value: c.value}
		if c.gone {
			p.Value = nil
		}
		a.digest.toggle(p.Key, c.old)
		a.digest.toggle(p.Key, p.Value)
		a.blocks.puts = append(a.blocks.puts, p)
	}
	if len(a.blocks.puts) == 0 && a.end <= a.engine.Position() {
		return nil
	}
	if len(a.changes) > 0 {
		a.blocks.puts = append(a.blocks.puts, store.Put{Key: digestKey, Value: a.digest[:]})
	}
	if a.files != nil { // nil while Open catches up
		a.files.room()
	}
	if err := a.engine.Apply(a.end, a.blocks.puts); err != nil {
		return fmt.Errorf("applying the journal: %w", err)
	}
	a.blocks.clear()
	clear(a.pending)
	clear(a.changes)
	a.changes = a.changes[:0]
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
	a.files.room()
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
