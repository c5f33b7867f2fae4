package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// Config is what a [Journal] needs. Fields without a default are required.
type Config struct {
	Dir    string           // state directory; the caller holds its lock
	Clock  func() time.Time // wall clock; called from many goroutines
	Random io.Reader        // for keys, at the first start
	Log    zerolog.Logger

	// Veil returns a text that an agent or a server chose, such as the name of a tool, as it may stand on record, where
	// it names no secrets. Default: as it is.
	Veil func(string) string
	// State opens the store that the journal adds up to, with wipe set after removing what it holds. Default: Badger in
	// the folder badger of Dir. The Journal closes it.
	State func(wipe bool) (store.Engine, error)
	Files Files // default: the operating system's

	// Anchor is a file outside Dir by which Open finds out that an older copy of Dir was put in its place; see
	// [Journal.RolledBack]. Its directory is made where it is missing. Default: none, and nothing finds that out.
	Anchor string
	// Ballast keeps a file of the size of Reserve in Dir, made when there is room, to be removed with [Recover] when the
	// disk is full.
	Ballast bool

	SegmentSize int64         // bytes behind the snapshot after which a segment ends; default 4 MiB
	Keep        time.Duration // how long records are kept at least; 0 for ever
	Reserve     uint64        // bytes of the disk that calls may not use; default 96 MiB

	CheckpointRecords  uint64        // records after which a checkpoint is signed; default 1000
	CheckpointInterval time.Duration // time after which one is signed where there are new records; default 1 min
}

// Journal is the record of all decisions. It is safe for concurrent use. Close ends it.
type Journal struct {
	log     zerolog.Logger
	clock   func() time.Time
	engine  store.Engine
	sealer  *sealer
	space   *space
	flood   *flood
	watch   *watch
	veil    func(string) string
	entries sync.Pool // of *entry
	frames  sync.Pool // of *frame
	failure atomic.Pointer[error]
	writer  *writer

	dir       string // of the journal's files
	ledgers   atomic.Pointer[[]Ledger]
	keeper    *keeper
	rollback  atomic.Pointer[Rollback]
	accepting sync.Mutex // one acceptance at a time

	over chan struct{} // closed at the end, for those who wait for descriptors
	end  sync.Once     // closes over
}

// Err returns why the journal takes no more records, or nil.
func (j *Journal) Err() error {
	if err := j.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Blocked returns why the journal lets no call through now, or nil: as Err, or ErrSpace as long as the disk is too full, or
// ErrDescriptors as long as the process has too few.
func (j *Journal) Blocked() error {
	if err := j.Err(); err != nil {
		return err
	}
	return j.space.check(j.clock())
}

// fail ends the journal for good and returns why it has ended, which may be something earlier.
func (j *Journal) fail(err error) error {
	err = fmt.Errorf("%w: %w", ErrFailed, err)
	if j.failure.CompareAndSwap(nil, &err) {
		j.log.Error().Err(err).Msg("the journal has failed; no call is let through until a restart")
	}
	return j.Err()
}

// State returns the live state, as far as it is applied. A record whose writing has been waited for is applied soon
// after; Flush waits for it.
func (j *Journal) State() store.Reader { return j.engine }

// Begin records a decision. It returns when the record of an allowed call is durable, or of a refusal that says
// something about the agent; the record of another refusal follows within 50 ms, in full or, where its source floods, by
// number. After an error an allowed call must not be sent.
// ctx bounds how long Begin waits for its place; once it has one, it waits for the disk. Begin keeps none of its
// arguments.
func (j *Journal) Begin(ctx context.Context, c *policy.Call, o *policy.Outcome) error {
	if !o.Allowed {
		return j.refuse(ctx, c, o)
	}
	if c.Agent == nil || c.Connection == nil {
		return errors.New("recording a call: it is allowed and belongs to nobody")
	}
	if err := j.space.check(j.clock()); err != nil {
		return err
	}
	r := j.decision(c, o)
	r.Kind, r.Decision = KindIntent, DecisionAllow
	if c.Frame != nil {
		r.Args = j.sealer.seal(labelArgs, c.Ref, arguments(c.Frame))
	}
	e := newEntry(&j.entries)
	e.encode(&r)
	e.ref, e.opens, e.open = c.Ref, true, openCall{r.Agent, r.Connection, r.Upstream}
	return j.wait(ctx, e)
}

// refuse records a refusal.
func (j *Journal) refuse(ctx context.Context, c *policy.Call, o *policy.Outcome) error {
	now := j.clock()
	r := j.decision(c, o)
	r.Kind, r.Decision = KindRefusal, DecisionDeny
	r.Target = visible(j.veil(c.Target), maxRefusedTarget)
	mild := c.Agent == nil || o.Reason == nil || o.Reason.Severity == policy.Info
	limited := mild || c.Direction == policy.ToAgent // a server may speak as often as it likes; no rate bounds it
	if (mild || o.Reason.Severity < policy.High) && j.space.check(now) != nil {
		j.flood.count(r.Reason) // what puts an agent into quarantine is still worth the room
		return j.Err()
	}
	if limited && !j.flood.admit(now, sourceOf(c), r.Reason) {
		return j.Err()
	}
	e := newEntry(&j.entries)
	e.encode(&r)
	if c.Agent == nil {
		j.flood.charge(e.size())
	}
	if !mild {
		return j.wait(ctx, e) // what it costs the agent in trust must not be lost
	}
	return j.send(ctx, e)
}

// sourceOf returns whom a refusal is counted for. A stranger's port is not part of it.
func sourceOf(c *policy.Call) source {
	if c.Agent != nil && c.Direction == policy.ToAgent {
		return source{agent: c.Agent.Name, server: c.Upstream}
	}
	if c.Agent != nil {
		return source{agent: c.Agent.Name}
	}
	host, _, err := net.SplitHostPort(c.Origin.Remote)
	if err != nil {
		host = c.Origin.Remote
	}
	return source{host: visible(host, maxName)}
}

// End records what came of a call that Begin has recorded as allowed. Of a call that went well it does not wait for the
// disk, only for a place, unless the outcome says that the record must be durable. Where the journal has failed the record
// is lost, and after the restart the call counts as one whose end is unknown; the error is then that of Err. End keeps
// none of its arguments.
func (j *Journal) End(c *policy.Call, o *policy.Outcome, r *policy.Report) error {
	rec := outcome(c, o, r)
	if r.Result != nil {
		rec.Result = j.sealer.seal(labelResult, c.Ref, content(r.Result))
	}
	e := newEntry(&j.entries)
	e.encode(&rec)
	e.ref, e.closes = c.Ref, true
	// The call is over, so nothing bounds the wait; the writer takes records as long as there are senders.
	if o.Allowed && !o.Durable && (r.Status == policy.StatusOK || r.Status == policy.StatusSent) {
		placed, _ := j.put(e, nil)
		if !placed {
			return j.Err()
		}
		return nil
	}
	return j.wait(context.Background(), e) //nolint:forbidigo // nothing may cut it short: what it costs in trust must not be lost
}

// Event records that something happened besides calls, together with the changes of state that it means, and returns
// when both are durable. Fields named agent, key, connection, upstream, revision and detail become the record's own;
// names are ASCII letters, digits and underscores. Keys of state must not begin with a/, i/ or j/, which are the
// journal's.
func (j *Journal) Event(ctx context.Context, name string, fields map[string]string, puts []store.Put) error {
	r, err := event(name, fields)
	if err == nil {
		err = checkPuts(puts)
	}
	if err != nil {
		return fmt.Errorf("recording %q: %w", name, err)
	}
	e := newEntry(&j.entries)
	e.encode(&r)
	e.puts = append(e.puts, puts...)
	return j.wait(ctx, e)
}

// maxPuts bounds the bytes of the changes of one record, far below what a frame may hold.
const maxPuts = 1 << 20

func checkPuts(puts []store.Put) error {
	size := 0
	for i := range puts {
		if err := checkPut(puts[i]); err != nil {
			return err
		}
		size += len(puts[i].Key) + len(puts[i].Value) + entryHeader + 2
	}
	if size > maxPuts {
		return fmt.Errorf("the changes have %d bytes, more than %d", size, maxPuts)
	}
	return nil
}

func checkPut(p store.Put) error {
	if isOwn(p.Key) {
		return errors.New("a key is the journal's own")
	}
	return p.Check()
}

// Flush returns when everything recorded before it can be found, by Search, Show, Tail and State.
func (j *Journal) Flush(ctx context.Context) error {
	done := make(chan error, 1)
	if !j.writer.ask(done, nil) {
		return j.refused(ctx)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("flushing the journal: %w", context.Cause(ctx))
	}
}

// wait puts an entry into the journal and waits until it is durable.
func (j *Journal) wait(ctx context.Context, e *entry) error {
	e.wait = true
	return j.send(ctx, e)
}

// send puts an entry into the journal.
func (j *Journal) send(ctx context.Context, e *entry) error {
	placed, err := j.put(e, ctx.Done())
	if !placed {
		return j.refused(ctx)
	}
	return err
}

// put puts an entry into the journal, and keeps it for others.
func (j *Journal) put(e *entry, cancel <-chan struct{}) (placed bool, err error) {
	placed, err = j.writer.put(e, cancel)
	j.entries.Put(e.clear())
	return placed, err
}

// refused returns why something found no place in the journal.
func (j *Journal) refused(ctx context.Context) error {
	if err := j.Err(); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("waiting for the journal: %w", err)
	}
	return ErrClosed
}

// Close writes what waits, signs a last checkpoint, and closes the store. It returns why the journal failed, where it
// did.
func (j *Journal) Close() error {
	first := false
	j.end.Do(func() {
		first = true
		close(j.over)
	})
	if !first {
		return nil
	}
	j.writer.end()
	<-j.writer.done
	err := errors.Join(j.Err(), j.engine.Close())
	j.watch.tell() // who follows finds the store closed
	return err
}

// newEntry takes an entry from a pool.
func newEntry(pool *sync.Pool) *entry {
	if e, ok := pool.Get().(*entry); ok {
		return e
	}
	return new(entry)
}

// arguments returns what an agent sends with a call: the arguments, or where the method has none all parameters.
func arguments(f *wire.Frame) []byte {
	if f.Has(wire.ParamsArguments) {
		return f.Get(wire.ParamsArguments)
	}
	if f.Has(wire.Params) {
		return f.Get(wire.Params)
	}
	return content(f)
}

// content returns what an answer holds.
func content(f *wire.Frame) []byte {
	if f.Has(wire.Error) {
		return f.Get(wire.Error)
	}
	return f.Get(wire.Result)
}
