package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/audit/stats"
	"github.com/hopgate/hopgate/cmd/hopgate/relay"
	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/quota"
	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/toolscope"
	"github.com/hopgate/hopgate/trust"
)

// withJudge runs a command that only looks against the process that owns the state; where none does, against the
// configuration on disk and the state; and where there is no state, against one in which nothing has happened yet. It
// makes no state.
func (a *app) withJudge(ctx context.Context, f func(context.Context, admin.API) error) error {
	at, err := a.place(nil)
	if err != nil {
		return err
	}
	if store.Held(at.dir) {
		api := admin.NewClient(a.socket(at.dir, socketAdmin), relay.Ours)
		if err := a.ours(ctx, api); err != nil {
			return err
		}
		return f(ctx, api)
	}
	file, err := a.load()
	if err != nil {
		return err
	}
	if _, err := os.Stat(at.dir); errors.Is(err, fs.ErrNotExist) {
		e, err := a.begin(file)
		if err != nil {
			return err
		}
		return f(ctx, desk{e})
	}
	return a.withAPI(ctx, file, a.bound, f)
}

// begin is an engine over nothing, to judge calls that nobody makes. It has no journal.
func (a *app) begin(file *configs.File) (*engine, error) {
	e := &engine{app: a, file: file, health: stats.New(time.Now), watches: stats.NewWatch(time.Now)}
	e.memory.Catalog, e.memory.Vault, e.memory.Said = a.catalog, forgetful(), guardrails.NewBook()
	var err error
	if e.memory.Scores, err = trust.Open(new(store.Memory), time.Now); err != nil {
		return nil, err
	}
	if e.memory.Pins, err = toolscope.OpenPins(new(store.Memory), time.Now, nil); err != nil {
		return nil, err
	}
	if e.memory.Limits, err = quota.Open(nil, time.Now, nil); err != nil {
		return nil, err
	}
	return e, nil
}

// withOrders runs a command that changes something in the state. A configuration that is not sound does not stand in its
// way: to stop an agent must be possible then too.
func (a *app) withOrders(ctx context.Context, f func(context.Context, admin.API) error) error {
	at, err := a.records()
	if err != nil {
		return err
	}
	var file *configs.File
	if !store.Held(at.dir) {
		if sound, err := a.load(); err == nil {
			file = sound
		}
	}
	return a.withAPI(ctx, file, a.ours, f)
}
