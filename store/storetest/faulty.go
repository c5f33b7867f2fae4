package storetest

import (
	"errors"

	"github.com/hopgate/hopgate/store"
)

// errInjected is the error of a [Faulty] engine.
var errInjected = errors.New("an injected fault")

// Fault is what happens to one Apply.
type Fault int

// Faults.
const (
	NoFault Fault = iota
	Before        // it fails, and has done nothing
	After         // it fails, and has done all
)

// Faulty is an engine whose Apply fails when Next says so. Next is called for each Apply.
type Faulty struct {
	store.Engine
	Next func() Fault
}

// Apply implements [store.Engine].
func (f *Faulty) Apply(pos uint64, puts []store.Put) error {
	fault := f.Next()
	if fault == Before {
		return errInjected
	}
	if err := f.Engine.Apply(pos, puts); err != nil || fault == NoFault {
		return err
	}
	return errInjected
}
