//go:build unix

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/toolscope"
)

// TestServeEndsWithAnErrorWhereTheConfigurationGoesMeanwhile has an editor take the file away for a moment, behind its reading.
func TestServeEndsWithAnErrorWhereTheConfigurationGoesMeanwhile(t *testing.T) {
	dir := t.TempDir()
	path, state := filepath.Join(dir, "hopgate.yaml"), filepath.Join(dir, "state")
	const text = `{ version: 1, agents: { me: local }, upstreams: { up: { command: [x], env: { A: "${env:A}" } } }, connections: { c: { from: me, to: up, tools: x } } }`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	owner, err := store.Lock(state)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	a := &app{config: path, state: state, level: "error", words: io.Discard, catalog: toolscope.NewCatalog(), env: func(name string) (string, bool) {
		if name == "A" {
			_ = os.Remove(path) // it is gone already when it is asked for again
		}
		return "a", name == "A"
	}}
	err = a.own(t.Context(), nil, func(context.Context, *engine) error { return nil })
	if !errors.Is(err, store.ErrLocked) {
		t.Errorf("got %v, want %v", err, store.ErrLocked)
	}
}
