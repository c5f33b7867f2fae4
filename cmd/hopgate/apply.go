package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/trust"
)

// apply tests a configuration and puts it in force, wholly or not at all.
func (e *engine) apply(ctx context.Context, file *configs.File) error {
	switch at, err := e.app.place(file); {
	case err != nil || at.dir != e.dir:
		return errors.Join(err, &coded{exitConfig, fmt.Errorf("the state is in %s, and %s names another store", e.dir, file.Path), "restart to change the store"})
	case at.anchor != e.anchor:
		return &coded{exitConfig, fmt.Errorf("the anchor is %s, and %s names another", e.anchor, file.Path), "stop the process, move the anchor, and start again"}
	}
	if failures := file.RunTests(ctx); len(failures) > 0 {
		return &failedTests{file.Diagnostics(failures)}
	}
	// Its tests were asked of gates that remember nothing; real calls are judged by gates that do.
	file, err := configs.Parse(file.Path, file.Source, e.options())
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	next, policy, err := e.compile(file)
	if err != nil {
		return err
	}
	finish := func(bool) {}
	if e.prepare != nil {
		if finish, err = e.prepare(file); err != nil {
			return errors.Join(err, e.discard(next))
		}
	}
	if err := e.announce(ctx, file); err != nil {
		finish(false)
		return errors.Join(err, e.discard(next))
	}
	e.proxy.SetPolicy(policy)
	e.health.Keep(file.Connections)
	finish(true)
	e.retire(next)
	e.file, e.servers, e.notGood = file, next, ""
	if err := replace(e.lastGood(), file.Source); err != nil {
		e.log.Warn().Err(err).Msg("the configuration in force could not be kept for the next start")
	}
	return nil
}

// announce puts on record that a configuration comes into force, and binds the state to its path.
func (e *engine) announce(ctx context.Context, file *configs.File) error {
	path, err := filepath.Abs(e.app.config)
	if err != nil {
		return err
	}
	register(e.memory.Scores, file) // durable with the event, as is what limits carry over
	e.memory.Limits.Register(file.Connections...)
	e.memory.Pins.Reach(neighbours(file))
	facts := map[string]string{"revision": configs.ShortRevision(file.Revision), "path": path, "score_params": trust.ParamsOf(file.Settings).Version()}
	return e.journal.Event(ctx, "configuration in force", facts, []store.Put{{Key: []byte(keyConfig), Value: []byte(path)}})
}

// register makes the scores of whom a configuration declares for the first time, and puts its parameters in force.
func register(scores *trust.Book, file *configs.File) {
	var agents, upstreams []string
	for _, a := range file.Agents {
		agents = append(agents, a.Name)
	}
	for _, u := range file.Upstreams {
		upstreams = append(upstreams, u.Name)
	}
	scores.Register(trust.ParamsOf(file.Settings), agents, upstreams)
}

// replace writes a file so that a crash leaves the old one or the new one.
func replace(path string, data []byte) error {
	young := path + ".new"
	if err := os.WriteFile(young, data, 0o600); err != nil { //nolint:gosec // the path lies in our own state directory
		return err
	}
	return os.Rename(young, path)
}

// failedTests says that a configuration does not do what its own tests say.
type failedTests struct{ configs.Diagnostics }

func (f *failedTests) Error() string {
	return "the tests of the configuration fail:\n" + f.Diagnostics.Error()
}

// lastGood is where the text of the configuration in force is kept, references unresolved.
func (e *engine) lastGood() string { return filepath.Join(e.dir, "last-good.yaml") }

// fallBack starts with the configuration that was last in force, because the one on disk is not sound. It reports whether
// there is one.
func (e *engine) fallBack(ctx context.Context, problem error) bool {
	source, err := os.ReadFile(e.lastGood())
	if err != nil {
		return false
	}
	file, err := configs.Parse(e.app.config, source, e.app.options())
	if err == nil {
		err = e.apply(ctx, file)
	}
	if err != nil {
		e.log.Error().Err(err).Msg("nor is the configuration usable that was last in force")
		return false
	}
	e.refused(ctx, problem)
	return true
}

// reload reads the configuration again. An error means that the one in force stays.
func (e *engine) reload(ctx context.Context) error {
	file, err := configs.Load(e.app.config, e.app.options())
	if err == nil {
		err = e.apply(ctx, file)
	}
	if err != nil {
		e.refused(ctx, err)
		return err
	}
	e.log.Info().Str("revision", configs.ShortRevision(file.Revision)).Msg("configuration in force")
	return nil
}

// refused tells that the file on disk is not in force.
func (e *engine) refused(ctx context.Context, problem error) {
	e.mu.Lock()
	e.notGood = problem.Error()
	e.mu.Unlock()
	e.log.Error().Err(problem).Msg("the configuration on disk is not sound; the last good one is in force")
	if err := e.journal.Event(ctx, "configuration refused", nil, nil); err != nil {
		e.log.Error().Err(err).Msg("a refused configuration is not on record")
	}
}

// watch reloads when the file changes, or when told.
func (e *engine) watch(ctx context.Context, told <-chan os.Signal) error {
	changed, err := configs.Watch(ctx, e.app.config, e.log)
	if err != nil {
		return fmt.Errorf("watching the configuration: %w", err)
	}
	e.work.Go(func() {
		if e.outdated() {
			_ = e.reload(ctx) // told by reload itself
		}
		for {
			select {
			case <-ctx.Done():
				return
			case <-told:
			case _, ok := <-changed:
				if !ok {
					return
				}
			}
			_ = e.reload(ctx) // told by reload itself
		}
	})
	return nil
}

// outdated reports whether the file has changed since it was read, before the watch over it began.
func (e *engine) outdated() bool {
	data, err := os.ReadFile(e.app.config)
	e.mu.Lock()
	defer e.mu.Unlock()
	return err == nil && e.notGood == "" && !bytes.Equal(data, e.file.Source)
}
