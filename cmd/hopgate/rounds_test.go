package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy"
)

// TestAStateThatMayBeOlderHasAnotherSealKey holds what agents carry to the state that it was made in: in an older one,
// a round that was made already would be open again.
func TestAStateThatMayBeOlderHasAnotherSealKey(t *testing.T) {
	e := &engine{place: place{dir: t.TempDir()}}
	before := bytes.Repeat([]byte{7}, mcpproxy.SealKeySize)
	path := filepath.Join(e.dir, sealKeyName)
	if err := os.WriteFile(path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.openRounds(true); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(e.sealKey, before) || !bytes.Equal(e.sealKey, kept) || len(kept) != mcpproxy.SealKeySize || e.rounds == nil {
		t.Errorf("the key is %x, and %x is kept", e.sealKey, kept)
	}
}
