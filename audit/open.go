package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

const (
	folderName = "journal"
	badgerName = "badger"

	defaultSegment  = 4 << 20  // what a start reads
	defaultReserve  = 96 << 20 // four memtables of Badger, whose files are mapped, and room to end what is under way
	defaultRecords  = 1000
	defaultInterval = time.Minute
)

// Open opens the journal of a state directory and begins one where there is none. It repairs what a crash leaves: it cuts
// a torn end, brings the store up to the journal, rebuilds it where it is damaged, and records as unknown the end of
// calls whose end is missing. It refuses a journal that is damaged ([Damage]) or that was cut ([ErrRollback]), and a disk
// that is full ([ErrSpace]).
//
// Open verifies what it reads, which is the last segment and what the store lacks; [Verify] verifies all.
func Open(ctx context.Context, cfg Config) (*Journal, error) {
	if cfg.Clock == nil || cfg.Random == nil || cfg.Dir == "" {
		return nil, errors.New("opening the journal: a required field of the configuration is missing")
	}
	cfg.complete()
	if err := cfg.checkAnchor(); err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	o := opening{cfg: cfg, dir: filepath.Join(cfg.Dir, folderName)}
	var j *Journal
	err := o.run()
	if err == nil {
		j, err = o.start()
	}
	if err == nil {
		err = o.report(ctx, j)
	}
	switch {
	case err == nil:
		return j, nil
	case j != nil:
		err = errors.Join(err, j.Close())
	case o.engine != nil:
		err = errors.Join(err, o.engine.Close())
	}
	return nil, fmt.Errorf("opening the journal: %w", err)
}

// complete puts the defaults in.
func (c *Config) complete() {
	if c.Files == nil {
		c.Files = disk{}
	}
	if c.Veil == nil {
		c.Veil = func(text string) string { return text }
	}
	if c.State == nil {
		dir, log := filepath.Join(c.Dir, badgerName), c.Log
		c.State = func(wipe bool) (store.Engine, error) {
			if wipe {
				if err := store.Wipe(dir); err != nil {
					return nil, err
				}
			}
			db, err := store.Open(dir, log)
			if err != nil {
				return nil, err // not a nil *DB in an Engine
			}
			return db, nil
		}
	}
	c.SegmentSize = cmp.Or(c.SegmentSize, defaultSegment)
	c.Reserve = cmp.Or(c.Reserve, defaultReserve)
	c.CheckpointRecords = cmp.Or(c.CheckpointRecords, defaultRecords)
	c.CheckpointInterval = cmp.Or(c.CheckpointInterval, defaultInterval)
}

// opening is what Open finds out on its way.
type opening struct {
	cfg    Config
	dir    string
	keys   keys
	segs   []segment
	engine store.Engine

	last    checkpoint // signed before
	witness *witness
	end     *cursor // where the journal ends; closed
	body    int64   // bytes of the last segment behind its snapshot
	open    map[policy.Ref]openCall
	torn    []*Torn
	rebuilt bool
}

func (o *opening) run() error {
	//nolint:gosec // G302 takes the directory for a file
	if err := errors.Join(os.MkdirAll(o.dir, 0o700), os.Chmod(o.dir, 0o700)); err != nil {
		return err
	}
	// Less than for a call, so that a disk that is full can be opened when its ballast is gone.
	if err := (&space{files: o.cfg.Files, dir: o.dir, reserve: o.cfg.Reserve / 2}).check(o.cfg.Clock()); err != nil {
		return err
	}
	o.cfg.ballast()
	if err := removeTemporary(o.cfg.Files, o.dir); err != nil {
		return err
	}
	segs, err := listSegments(o.dir)
	if err != nil {
		return err
	}
	begun := len(segs) > 0
	if o.keys, err = loadKeys(o.cfg.Files, o.dir, o.cfg.Random, begun); err != nil {
		return err
	}
	o.witness = newWitness(o.cfg.Anchor, o.keys.verifier)
	var torn *Torn
	o.last, torn, err = lastCheckpoint(o.dir, o.keys.verifier)
	switch missing := errors.Is(err, fs.ErrNotExist); {
	case err != nil && (begun || !missing):
		return err
	case torn != nil:
		o.torn = append(o.torn, torn)
	}
	if o.segs = segs; !begun {
		if err := o.begin(); err != nil {
			return err
		}
	}
	if err := o.openEngine(); err != nil {
		return err
	}
	if err := o.survey(); err != nil {
		return err
	}
	if err := o.repair(); err != nil {
		return err
	}
	return o.catchUp()
}

// begin writes the first segment. What was signed before stays binding: no empty journal takes the place of one that was
// not.
func (o *opening) begin() error {
	if o.last.size > 0 {
		return fmt.Errorf("%w: a checkpoint was signed for %d records, and it holds none", ErrRollback, o.last.size)
	}
	f, err := o.cfg.Files.Create(filepath.Join(o.dir, checkpointsName))
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	h := header{stream: o.keys.stream, created: o.cfg.Clock().UTC(), chain: genesis(o.keys.stream)}
	nothing := func(func(store.Item, error) bool) {}
	s := snapshot{files: o.cfg.Files, dir: o.dir, header: h, state: nothing} // makes the name of the checkpoints durable too
	if err := s.write(); err != nil {
		return err
	}
	o.segs = []segment{s.segment()}
	return nil
}

func (o *opening) openEngine() error {
	engine, err := o.cfg.State(false)
	if errors.Is(err, store.ErrDamaged) {
		return o.wipe(err)
	}
	if err != nil {
		return err
	}
	o.engine = engine
	return nil
}

// wipe opens the store anew, without what it held.
func (o *opening) wipe(why error) error {
	o.cfg.Log.Warn().Err(why).Msg("the stored state is damaged and is rebuilt from the journal")
	engine := o.engine
	o.engine, o.rebuilt = nil, true
	if engine != nil {
		if err := engine.Close(); err != nil {
			return err
		}
	}
	engine, err := o.cfg.State(true)
	if err != nil {
		return err
	}
	o.engine = engine
	return nil
}

// behind returns the index of the segment from which the store may have to catch up: the last, unless the store is older.
func (o *opening) behind() int {
	at := len(o.segs) - 1
	for at > 0 && o.segs[at].first > o.engine.Position() {
		at--
	}
	return at
}

// survey reads the end of the journal, verifies it, and holds it against what the store and the last checkpoint
// say of its length.
func (o *opening) survey() error {
	c, err := newCursor(o.dir, o.segs, o.witness.from(o.segs, o.behind()))
	if err != nil {
		return err
	}
	defer c.close()
	if c.stream != o.keys.stream {
		return c.damage("the journal is not the one that the keys are named after")
	}
	o.end, o.open = c, map[policy.Ref]openCall{}
	var wrong *Damage
	c.added = func(t *tree) {
		if t.size == o.last.size && t.root() != o.last.root {
			wrong = c.damage("the records are not those that the last checkpoint was signed for")
		}
	}
	c.entered = func() { o.body = 0 }
	err = o.read(c)
	switch {
	case err != nil:
		return err
	case wrong != nil:
		return wrong
	case c.seq() < o.last.size:
		return fmt.Errorf("%w: a checkpoint was signed for %d records, and it holds %d", ErrRollback, o.last.size, c.seq())
	case c.seq() < o.engine.Position():
		return fmt.Errorf("%w: the store reflects %d records, and it holds %d", ErrRollback, o.engine.Position(), c.seq())
	}
	return nil
}

// read walks to the end and keeps track of the calls that are open.
func (o *opening) read(c *cursor) error {
	for {
		o.witness.look(c)
		err := c.next()
		var torn *Torn
		switch {
		case errors.As(err, &torn):
			o.torn = append(o.torn, torn)
			return nil
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if c.frame.records > 0 {
			o.body += int64(len(c.frame.bytes()))
		}
		for kind, b := range c.frame.entries() {
			if kind != entryRecord && kind != entryOpen {
				o.witness.read(kind, b)
				continue
			}
			g, err := glanceAt(b)
			if err != nil {
				return c.damage(err.Error())
			}
			ref, known := policy.ParseRef(g.ref)
			switch {
			case known && string(g.kind) == string(KindIntent):
				o.open[ref] = openCall{string(g.agent), string(g.connection), string(g.upstream)}
			case known && string(g.kind) == string(KindOutcome):
				delete(o.open, ref)
			}
		}
	}
}

// repair cuts what a crash has left unfinished.
func (o *opening) repair() error {
	for _, t := range o.torn {
		f, err := o.cfg.Files.Append(filepath.Join(o.dir, t.Segment))
		if err != nil {
			return err
		}
		if err = f.Truncate(t.Offset); err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("cutting a torn end: %w", err)
		}
	}
	return nil
}
