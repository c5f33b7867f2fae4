package audit

import (
	"errors"
	"syscall"
	"time"
)

const (
	spareCalls = 16                     // descriptors that must be free for a call to be let through
	spareWork  = 8                      // likewise, for the journal and the store to go on
	spareEvery = 100 * time.Millisecond // how often it is tried whether there are some again
)

// patient is a Files that waits for descriptors where the process has none left. Whoever waits for a record waits with
// it, so nothing passes without one, and no restart is needed when there are some again.
type patient struct {
	Files
	dir  string
	over <-chan struct{} // closed when nobody waits any more
}

// Create makes a file.
func (p *patient) Create(name string) (f File, err error) {
	err = p.wait(func() error { f, err = p.Files.Create(name); return err })
	return f, err
}

// Append opens a file.
func (p *patient) Append(name string) (f File, err error) {
	err = p.wait(func() error { f, err = p.Files.Append(name); return err })
	return f, err
}

// Open opens a file to write at any place of it.
func (p *patient) Open(name string) (f File, err error) {
	err = p.wait(func() error { f, err = p.Files.Open(name); return err })
	return f, err
}

// SyncDir makes the names in a directory durable.
func (p *patient) SyncDir(dir string) error {
	return p.wait(func() error { return p.Files.SyncDir(dir) })
}

// room waits until there are descriptors for what goes past Files: the store, which does not survive without, and what
// is only read.
func (p *patient) room() {
	_ = p.wait(func() error { return p.Spare(p.dir, spareWork) }) // at the end there is nothing to wait for
}

func (p *patient) wait(do func() error) error {
	for {
		err := do()
		if !scarce(err) {
			return err
		}
		t := time.NewTimer(spareEvery)
		select {
		case <-t.C:
		case <-p.over:
			t.Stop()
			return err
		}
	}
}

// scarce reports whether an error says that there are no descriptors.
func scarce(err error) bool { return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) }
