package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hopgate/hopgate/policy"
)

// start brings the journal to life behind its end.
func (o *opening) start() (*Journal, error) {
	gone, segs, err := o.interrupted()
	if err != nil {
		return nil, err
	}
	k, rollback, err := o.anchor()
	if err != nil {
		return nil, err
	}
	now := o.cfg.Clock()
	j := &Journal{
		log: o.cfg.Log, veil: o.cfg.Veil, clock: o.cfg.Clock, engine: o.engine,
		sealer: newSealer(o.keys.secret), flood: newFlood(now), watch: new(watch),
		space:  &space{files: o.cfg.Files, dir: o.dir, reserve: o.cfg.Reserve},
		frames: sync.Pool{New: func() any { return new(frame) }},
		dir:    o.dir, keeper: k, over: make(chan struct{}),
	}
	files := &patient{o.cfg.Files, o.dir, j.over}
	k.files = files
	j.rollback.Store(rollback)
	a, err := o.applier()
	if err != nil {
		return nil, err
	}
	file, err := o.cfg.Files.Open(filepath.Join(o.dir, segs[len(segs)-1].name()))
	if err != nil {
		return nil, err
	}
	n, err := o.notary(j, files)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	a.files, a.dir, a.jobs, a.done = files, o.dir, make(chan job, applyQueue), make(chan struct{})
	a.fail, a.err, a.frames, a.watch = j.fail, j.Err, &j.frames, j.watch
	a.pruned = func() { n.trim <- struct{}{} }
	a.pruner.segs, a.pruner.until = gone, segs[0].first
	w := &writer{
		files: files, dir: o.dir, clock: o.cfg.Clock, done: make(chan struct{}),
		limits: limits{o.cfg.SegmentSize, o.cfg.Keep, o.cfg.CheckpointRecords, o.cfg.CheckpointInterval},
		fail:   j.fail, err: j.Err, flood: j.flood, entries: &j.entries, frames: &j.frames, engine: o.engine,
		applier: a, notary: n, ledgers: j.attached, stream: o.keys.stream,
		timer: time.NewTimer(linger), armed: true, wake: make(chan struct{}, 1),
		batch: new(batch), tree: o.end.tree,
		segs: segs, file: file, size: o.body, snapshot: o.end.off - o.body, zeroed: o.end.off + o.end.zeros,
		chain: o.end.chain, open: maps.Clone(o.open), signed: o.last.size, signedAt: now,
	}
	w.came, w.change = sync.NewCond(&w.mu), w.alter
	w.written.set(&w.tree)
	w.batch.frame = w.frame()
	w.batch.frame.begin(hash{}, w.tree.size)
	j.writer = w
	go n.run()
	go a.run()
	go j.writer.run()
	return j, nil
}

// anchor compares the journal with its anchor, and writes it: where that cannot be done, the first checkpoint would end the
// journal.
func (o *opening) anchor() (*keeper, *Rollback, error) {
	k := &keeper{files: o.cfg.Files, path: o.cfg.Anchor, signer: o.keys.signer, marks: o.witness.anchor.marks}
	restored, err := wasRestored(o.dir)
	if err != nil {
		return nil, nil, err
	}
	if r := o.witness.conclude(o.end.seq(), restored); r != nil {
		k.held.Store(true)
		return k, r, nil
	}
	end := checkpoint{size: o.end.seq(), root: o.end.tree.root()}
	if err := k.write(end, o.end.chain); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrAnchor, err)
	}
	return k, nil, nil
}

// anchored puts on record how the journal compares with its anchor. That there is one is on record only when it is
// there: else a crash would look like a loss of it.
func (o *opening) anchored(ctx context.Context, j *Journal) error {
	switch r := j.RolledBack(); {
	case r != nil:
		o.cfg.Log.Error().Str("why", r.Why).Msg("the state may be older than what was done under it")
		fields := r.fields()
		fields["why"] = r.Why
		return j.Event(ctx, eventRollback, fields, nil)
	case o.cfg.Anchor != "" && !o.witness.held:
		return j.Event(ctx, eventAnchored, nil, j.keeper.puts())
	}
	return nil
}

// applyQueue bounds how much the store lags behind the journal, in what the writer hands over at a time.
const applyQueue = 64

func (o *opening) notary(j *Journal, files *patient) (*notary, error) {
	file, err := o.cfg.Files.Append(filepath.Join(o.dir, checkpointsName))
	if err != nil {
		return nil, err
	}
	return &notary{
		files: files, dir: o.dir, signer: o.keys.signer, fail: j.fail, file: file,
		keeper: j.keeper, heads: make(chan head), trim: make(chan struct{}), done: make(chan struct{}),
	}, nil
}

// report puts on record what Open had to do.
func (o *opening) report(ctx context.Context, j *Journal) error {
	for _, t := range o.torn {
		err := j.Event(ctx, eventTorn, map[string]string{
			"file": t.Segment, "offset": strconv.FormatInt(t.Offset, 10), "bytes": strconv.FormatInt(t.Bytes, 10),
		}, nil)
		if err != nil {
			return err
		}
	}
	if err := o.anchored(ctx, j); err != nil {
		return err
	}
	if o.rebuilt {
		if err := j.Event(ctx, eventRebuilt, nil, nil); err != nil {
			return err
		}
	}
	for _, ref := range slices.Sorted(maps.Keys(o.open)) {
		if err := j.unknown(ctx, ref, o.open[ref]); err != nil {
			return err
		}
	}
	return nil
}

// unknown ends a call whose end a crash has hidden.
func (j *Journal) unknown(ctx context.Context, ref policy.Ref, c openCall) error {
	e := newEntry(&j.entries)
	e.encode(&Record{
		Kind: KindOutcome, Ref: ref.String(), Status: StatusUnknown,
		Agent: c.agent, Connection: c.connection, Upstream: c.upstream,
	})
	e.ref, e.closes = ref, true
	if err := j.send(ctx, e); err != nil {
		return fmt.Errorf("recording a call whose end is unknown: %w", err)
	}
	return nil
}
