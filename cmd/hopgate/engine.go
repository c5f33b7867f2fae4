package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/audit/stats"
	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/upstream/oauth"
	"github.com/hopgate/hopgate/quota"
	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/toolscope"
	"github.com/hopgate/hopgate/trust"
	"github.com/hopgate/hopgate/trust/identity"
)

// engine is the process that owns a state directory: the journal, the credentials, and where agents are served the proxy
// with the configuration that is in force.
type engine struct {
	app *app
	place
	log     zerolog.Logger
	started time.Time
	owner   *store.Owner
	journal *audit.Journal
	keys    *identity.Registry
	memory  mcpproxy.Memory
	rounds  *mcpproxy.Rounds
	owners  *mcpproxy.Owners
	sealKey []byte
	tokens  *oauth.Book // nil where there is no state
	health  *stats.Meter
	watches *stats.Watch    // over upstreams
	proxy   *mcpproxy.Proxy // nil where only the state is wanted

	mu      sync.Mutex // guards what follows; held while a configuration is put in force
	file    *configs.File
	problem error              // that the file had when it was first read
	notGood string             // why the file on disk is not in force; empty where it is
	servers map[string]*server // upstreams in use
	work    sync.WaitGroup
	stop    context.CancelFunc

	// prepare, where set, prepares what serves agents for a configuration. What it returns is called once: to put that in
	// force, or else to give it up.
	prepare func(*configs.File) (finish func(inForce bool), err error)
	// onReady, where set, is called once, when the first configuration is in force.
	onReady func(*configs.File) error
}

// keyConfig is the key of state that has the path of the configuration which the directory is bound to.
const keyConfig = "m/config"

// openState claims a state directory and opens what it holds. Nobody is served yet.
func (a *app) openState(ctx context.Context, at place, log zerolog.Logger, keep time.Duration) (*engine, error) {
	owner, err := store.Lock(at.dir)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	e := &engine{
		app: a, place: at, log: log, started: time.Now(), owner: owner, stop: stop, servers: map[string]*server{},
		health: stats.New(time.Now), watches: stats.NewWatch(time.Now),
	}
	e.memory.Said = guardrails.NewBook()
	e.journal, err = audit.Open(ctx, audit.Config{Dir: at.dir, Clock: time.Now, Random: rand.Reader, Log: log, Keep: keep, Anchor: at.anchor, Ballast: true, Veil: e.memory.Said.Veil})
	if err == nil {
		err = e.journal.Flush(ctx)
	}
	if err == nil {
		e.keys, err = identity.Open(e.journal, e.journal.State(), time.Now, rand.Reader)
	}
	if err == nil {
		err = e.remember()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the state in %s: %w", at.dir, err), e.close())
	}
	return e, nil
}

// remember opens what gates remember between calls.
func (e *engine) remember() (err error) {
	e.memory.Catalog = e.app.catalog
	if e.memory.Scores, err = trust.Open(e.journal.State(), time.Now); err != nil {
		return err
	}
	if e.memory.Limits, err = quota.Open(e.journal.State(), time.Now, e.threshold); err != nil {
		return err
	}
	if e.memory.Vault, err = guardrails.OpenVault(guardrails.VaultConfig{State: e.journal.State(), Dir: vaultDir(e.dir), Clock: time.Now, Random: rand.Reader}); err != nil {
		return err
	}
	if e.memory.Pins, err = toolscope.OpenPins(e.journal.State(), time.Now, e.definitions); err != nil {
		return err
	}
	if err = e.openTokens(); err != nil {
		return err
	}
	if err = e.memory.Said.Load(e.journal.State()); err != nil {
		return err
	}
	old := func() bool { return e.journal.RolledBack() != nil }
	if err = e.openRounds(old()); err != nil {
		return err
	}
	if e.owners, err = mcpproxy.OpenOwners(e.journal.State(), old()); err != nil {
		return err
	}
	e.memory.Pins.Doubt(old)
	e.memory.Limits.Shut(old)
	e.memory.Scores.Doubt(old)
	e.memory.Vault.Doubt(old)
	e.journal.Attach(e.memory.Scores, e.memory.Limits, e.memory.Vault, e.memory.Pins, e.memory.Said, e.rounds, e.owners)
	e.journal.AttachMarks(e.marks)
	return nil
}

// threshold puts on record that spend has reached part of a cap.
func (e *engine) threshold(t quota.Event) {
	used := quota.Price{Nanos: t.Used, Currency: quota.Code(t.Currency)}.String()
	facts := map[string]string{"place": t.Place, "cap": t.Text, "percent": strconv.Itoa(t.Percent), "used": used, "rule": t.At.String()}
	message := "spend has reached part of its cap"
	facts["detail"] = fmt.Sprintf("%d %% of %s: %s", t.Percent, t.Place, t.Text)
	if t.Percent == 100 && t.Used < t.Max {
		message = "a call was refused because a cap had no room for it"
		facts["detail"] = fmt.Sprintf("no room for a call, %s used of %s: %s", used, t.Place, t.Text)
	}
	e.log.Warn().Str("cap", t.Place+": "+t.Text).Int("percent", t.Percent).Str("used", used).Msg(message)
	e.work.Go(func() { // the call that crossed the threshold does not wait
		if err := e.journal.Event(context.Background(), "spend threshold", facts, nil); err != nil {
			e.log.Error().Err(err).Msg("a threshold of spend is not on record")
		}
	})
}

// options are those under which the gates of a configuration judge real calls.
func (e *engine) options() configs.Options {
	o := e.app.options()
	o.Gates = mcpproxy.Gates(e.memory)
	return o
}

// claim checks that the directory is not bound to another configuration path: the records and credentials in it are about
// that one. It is bound when a configuration first comes into force.
func (e *engine) claim(path string) error {
	bound, err := e.config()
	if err == nil && !samePath(bound, path) {
		err = foreign(e.dir, bound)
	}
	return err
}

// foreign says that a state directory belongs to another configuration.
func foreign(dir, config string) error {
	return &coded{exitConfig, fmt.Errorf("the state in %s belongs to %s", dir, config), "each configuration has a state of its own: write store: DIR into this one, or use --state"}
}

// config is the path of the configuration that the directory is bound to, or would be.
func (e *engine) config() (string, error) {
	bound, err := e.journal.State().Get([]byte(keyConfig))
	if err != nil {
		return "", fmt.Errorf("reading the state: %w", err)
	}
	if bound != nil {
		return string(bound), nil
	}
	return filepath.Abs(e.app.config)
}

// closeTime is how long the state may take to close. A disk that is busy has taken more than five seconds.
const closeTime = 30 * time.Second

// close ends everything in reverse. It is safe on a half-opened engine.
func (e *engine) close() error {
	e.stop()
	e.work.Wait()
	if e.proxy != nil {
		e.proxy.Close()
	}
	var errs []error
	for _, s := range e.servers {
		errs = append(errs, s.Close())
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if e.keys != nil {
		errs = append(errs, e.keys.Save(ctx))
	}
	if e.journal != nil {
		closed := make(chan error, 1)
		go func() { closed <- e.journal.Close() }()
		select {
		case err := <-closed:
			errs = append(errs, err)
		case <-ctx.Done(): // Badger tries for ever to write where it cannot, and all that it would write is in the journal
			return errors.Join(append(errs, errors.New("closing the state: it cannot be written; it is free when this process has ended"))...)
		}
	}
	return errors.Join(append(errs, e.owner.Close())...)
}

// serve makes the proxy, puts the configuration in force, and begins to watch over it. Where the file on disk is not
// sound, the last one that was in force stays.
func (e *engine) serve(ctx context.Context, file *configs.File, problem error) error {
	if err := e.claim(e.app.config); err != nil {
		return err
	}
	var err error
	// What is under way when ctx ends goes on until close: whoever serves agents gives it some time first.
	e.proxy, err = mcpproxy.New(context.WithoutCancel(ctx), mcpproxy.Config{
		Identity: e.keys, Journal: e.journal, Catalog: mcpproxy.Learning(e.memory),
		Observers: []mcpproxy.Observer{e.memory.Limits, e.memory.Scores, e.health, e.watches}, Clock: time.Now, Random: rand.Reader, Log: e.log,
		Rounds: e.rounds, Owners: e.owners, SealKey: e.sealKey,
	})
	if err != nil {
		return err
	}
	if problem == nil {
		problem = e.apply(ctx, file)
	}
	if problem != nil && !e.fallBack(ctx, problem) {
		return problem
	}
	ctx, stop := context.WithCancel(ctx)
	before := e.stop
	e.stop = func() { stop(); before() }
	e.work.Go(func() { e.expel(ctx) })
	e.work.Go(func() {
		e.every(ctx, time.Hour, "when keys were last used is not on record", func() error { return e.keys.Save(ctx) })
	})
	e.work.Go(func() { // the next record takes what has expired out of the state
		e.every(ctx, time.Minute, "what has expired was not removed", e.memory.Vault.Sweep)
	})
	e.work.Go(func() { relax(ctx) })
	return nil
}

// expel ends what is open under credentials that do not count any more. Revocation takes effect within a second.
func (e *engine) expel(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		changed := e.keys.Changed()
		e.proxy.Expel(
			func(key string) bool { return e.keys.Check(key) != nil },
			func(key string) bool {
				err := e.keys.Check(key)
				return err != nil && !errors.Is(err, identity.ErrExpired)
			},
		)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
	}
}

// every does something again and again until ctx ends, and tells what follows where it fails.
func (e *engine) every(ctx context.Context, wait time.Duration, failed string, do func() error) {
	tick := time.NewTicker(wait)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := do(); err != nil {
				e.log.Warn().Err(err).Msg(failed)
			}
		}
	}
}
