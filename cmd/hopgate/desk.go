package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/cmd/hopgate/relay"
	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/toolscope"
	"github.com/hopgate/hopgate/trust/identity"
)

// desk is the admin API of the engine.
type desk struct{ *engine }

var _ admin.API = desk{}

// withAPI runs a command against the process that owns the state, or against the state itself where no process does, if
// that is the one which is meant. file is nil where the configuration does not matter.
func (a *app) withAPI(ctx context.Context, file *configs.File, meant, f func(context.Context, admin.API) error) (err error) {
	at, err := a.place(file)
	if err != nil {
		return err
	}
	run := func(api admin.API) error {
		if err := meant(ctx, api); err != nil {
			return err
		}
		return f(ctx, api)
	}
	if store.Held(at.dir) {
		return run(admin.NewClient(a.socket(at.dir, socketAdmin), relay.Ours))
	}
	e, err := a.openState(ctx, at, zerolog.New(a.words).Level(zerolog.WarnLevel), keepOf(file))
	if err != nil {
		return err
	}
	e.file = file
	defer func() { err = errors.Join(err, e.close()) }()
	return run(desk{e})
}

// because is a sentence for people that means to programs what it wraps.
type because struct {
	text string
	err  error
}

func (b *because) Error() string { return b.text }
func (b *because) Unwrap() error { return b.err }

// keepOf is how long records are kept; for ever where that is not known.
func keepOf(file *configs.File) time.Duration {
	if file == nil {
		return 0
	}
	return file.Audit.Keep
}

func (d desk) current() *configs.File {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.file
}

// Status implements admin.API.
func (d desk) Status(context.Context) (admin.Status, error) {
	config, err := d.config()
	if err != nil {
		return admin.Status{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := admin.Status{Version: version(), PID: os.Getpid(), Started: d.started, State: d.dir, Anchor: d.anchor, Config: config, LastGood: d.notGood}
	if d.file != nil {
		d.inForce(&s, d.file)
	}
	if err := d.journal.Blocked(); err != nil {
		s.Journal = err.Error()
	}
	if r := d.journal.RolledBack(); r != nil {
		s.Rollback = r.Why
	}
	s.Quarantined = d.quarantined()
	for _, t := range d.memory.Said.Tainted(time.Now()) {
		s.Tainted = append(s.Tainted, admin.Taint(t))
	}
	return s, nil
}

// inForce fills in what a configuration has brought about. The mutex is held.
func (d desk) inForce(s *admin.Status, file *configs.File) {
	s.Revision = configs.ShortRevision(file.Revision)
	if d.prepare != nil {
		s.Listen = file.Listen.MCP.Addr
	}
	for _, u := range file.Upstreams {
		if f := d.failing(u.Name); f != nil {
			s.Failing = append(s.Failing, *f)
		}
		if _, n := d.pinned(u.Name); n > 0 && toolscope.PinsOf(u.Upstream) != toolscope.PinOff {
			s.Withheld = append(s.Withheld, admin.Withheld{Upstream: u.Name, Definitions: n})
		}
	}
	for _, c := range file.Connections {
		if observes(c) {
			s.Observe = append(s.Observe, c.Name)
		}
	}
	for _, x := range guardrails.Suppressions(file.Connections, time.Now()) {
		s.Suppressions = append(s.Suppressions, admin.Suppression{
			At: x.At.String(), Rule: x.Rule.Text, Owner: string(x.Owner), Until: x.Until.Time, Ended: x.Ended, Used: x.Used,
		})
	}
}

// failing says why an upstream gave no usable answer when it was last asked for one; nil where it gave one.
func (e *engine) failing(upstream string) *admin.Failing {
	a := e.watches.Of(upstream)
	if !a.Failed.After(a.Answered) {
		return nil
	}
	return &admin.Failing{Upstream: upstream, At: a.Failed, Reason: a.Reason, Cause: a.Cause}
}

// Reload implements admin.API.
func (d desk) Reload(ctx context.Context) error {
	if d.proxy == nil {
		return &because{"nobody is served", admin.ErrInvalid}
	}
	return d.reload(ctx)
}

// declared checks that an agent may have keys.
func (d desk) declared(name string) error {
	file := d.current()
	if file == nil {
		return &because{"no configuration declares agents", admin.ErrInvalid}
	}
	switch a := file.Agent(name); {
	case a == nil:
		return &because{fmt.Sprintf("%s declares no agent %q%s", file.Path, name, others(file)), admin.ErrNotFound}
	case a.Auth != configs.AuthKey:
		return &because{fmt.Sprintf("agent %s has auth: %s, so it has no keys", name, a.Auth), admin.ErrInvalid}
	}
	return nil
}

// others names the agents that there are.
func others(file *configs.File) string {
	var all []string
	for _, a := range file.Agents {
		all = append(all, a.Name)
	}
	if len(all) == 0 {
		return ""
	}
	return "; there are: " + strings.Join(all, ", ")
}

// Agents implements admin.API.
func (d desk) Agents(context.Context) ([]admin.Agent, error) {
	file := d.current()
	var all []admin.Agent
	if file != nil {
		for _, a := range file.Agents {
			x := admin.Agent{Name: a.Name, Auth: string(a.Auth)}
			for _, c := range file.Connections {
				if c.Agent.Name == a.Name {
					x.Connections = append(x.Connections, c.Name)
				}
			}
			all = append(all, x)
		}
	}
	now := time.Now()
	for _, c := range d.keys.List("") {
		i := slices.IndexFunc(all, func(a admin.Agent) bool { return a.Name == c.Agent })
		if i < 0 {
			all = append(all, admin.Agent{Name: c.Agent})
			i = len(all) - 1
		}
		all[i].Keys = append(all[i].Keys, credential(&c, now))
	}
	return all, nil
}

func credential(c *identity.Credential, now time.Time) admin.Credential {
	state := "active"
	switch err := c.Check(now); {
	case errors.Is(err, identity.ErrRevoked):
		state = "revoked"
	case errors.Is(err, identity.ErrExpired):
		state = "expired"
	}
	return admin.Credential{ID: c.ID, State: state, Created: c.Created, Expires: c.Expires, Revoked: c.Revoked, Used: c.Used}
}

// AddKey implements admin.API.
func (d desk) AddKey(ctx context.Context, agent string, ttl time.Duration) (admin.NewKey, error) {
	if err := d.declared(agent); err != nil {
		return admin.NewKey{}, err
	}
	key, c, err := d.keys.Add(ctx, agent, ttl)
	return admin.NewKey{Key: key, Details: credential(&c, time.Now())}, err
}

// Rotate implements admin.API.
func (d desk) Rotate(ctx context.Context, agent string, overlap time.Duration) (admin.NewKey, error) {
	if err := d.declared(agent); err != nil {
		return admin.NewKey{}, err
	}
	key, c, err := d.keys.Rotate(ctx, agent, overlap)
	if errors.Is(err, identity.ErrNoKey) {
		err = &because{fmt.Sprintf("agent %s has no key that works, and so none to rotate; make one: hopgate agents add %s", agent, agent), admin.ErrInvalid}
	}
	return admin.NewKey{Key: key, Details: credential(&c, time.Now())}, known(err)
}

// Revoke implements admin.API. Keys of an agent that is declared no more can be revoked too.
func (d desk) Revoke(ctx context.Context, agent, key string) (int, error) {
	n, err := d.keys.Revoke(ctx, agent, key)
	return n, known(err)
}

// Untaint implements admin.API.
func (d desk) Untaint(ctx context.Context, agent string) error {
	if !d.memory.Said.Untaint(agent, time.Now()) {
		return &because{"agent " + agent + " is not tainted", admin.ErrNotFound}
	}
	return d.journal.Event(ctx, "taint ended", map[string]string{"agent": agent}, nil)
}

func known(err error) error {
	if errors.Is(err, identity.ErrNoKey) {
		return &because{err.Error(), admin.ErrNotFound}
	}
	return err
}

// Search implements admin.API.
func (d desk) Search(ctx context.Context, q admin.Query) ([]json.RawMessage, error) {
	return encode(d.journal.Search(ctx, audit.Query(q)))
}

// Show implements admin.API.
func (d desk) Show(ctx context.Context, ref string) ([]json.RawMessage, error) {
	all, err := encode(d.journal.Show(ctx, ref))
	if err == nil && len(all) == 0 {
		err = &because{"no call " + ref + " is on record", admin.ErrNotFound}
	}
	return all, err
}

func encode(records []audit.Record, err error) ([]json.RawMessage, error) {
	if err != nil {
		return nil, err
	}
	all := make([]json.RawMessage, len(records))
	for i := range records {
		if all[i], err = json.Marshal(&records[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Tail implements admin.API.
func (d desk) Tail(ctx context.Context, n int, follow bool) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		for r, err := range d.journal.Tail(ctx, n, follow) {
			var raw json.RawMessage
			if err == nil {
				raw, err = json.Marshal(&r)
			}
			if !yield(raw, err) || err != nil {
				return
			}
		}
	}
}
