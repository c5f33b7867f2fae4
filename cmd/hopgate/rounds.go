package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/store"
)

// sealKeyName is the file, in the state directory, of the key that seals what agents carry. It is in no backup.
const sealKeyName = "seal.key"

// openRounds opens which calls may go on in a further round, and the key of what agents bring back for that. Where the state
// may be older than what was done under it, a round that is open in it may have been made: then there is another key, for
// good, and nothing that was sealed before is opened again.
func (e *engine) openRounds(old bool) (err error) {
	path := filepath.Join(e.dir, sealKeyName)
	e.sealKey, err = os.ReadFile(path)
	var state store.Reader
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil && !old && len(e.sealKey) == mcpproxy.SealKeySize:
		state = e.journal.State()
	default:
		e.sealKey = make([]byte, mcpproxy.SealKeySize)
		if _, err := rand.Read(e.sealKey); err != nil {
			return fmt.Errorf("drawing a key: %w", err)
		}
		if err := replace(path, e.sealKey); err != nil {
			return fmt.Errorf("keeping a key: %w", err)
		}
	}
	e.rounds, err = mcpproxy.OpenRounds(state)
	return err
}
