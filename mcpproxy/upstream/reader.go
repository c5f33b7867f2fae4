package upstream

import (
	"context"
	"errors"

	"github.com/hopgate/hopgate/mcpproxy/chair"
)

// errRung says that a read was broken off for another reason than what is read.
var errRung = errors.New("the read was broken off")

// reader is the chair of who reads what a child says. One goroutine stands by for it for ever. One that waits for an answer
// takes the chair where it is free and reads by itself, for all who wait. Where requests are left when it goes, the one that
// stands by gets the chair; else nobody has it for a moment, because the next request may come at once.
type reader struct {
	*chair.Chair
	ear  *ear          // of who has the chair, as is bad
	ring func()        // breaks a read off; for any goroutine
	bad  error         // what reading has come to
	call chan struct{} // holds one token where the one that stands by gets the chair
}

func newReader(e *ear) *reader {
	r := &reader{ear: e, ring: e.outlet.ring, call: make(chan struct{}, 1)}
	r.Chair = chair.New(func() { r.call <- struct{}{} })
	return r
}

// serve stands by, with the chair at first, and reads until there is no more to read.
func (r *reader) serve() error {
	for r.bad == nil {
		r.read()
		if r.bad == nil && r.ear.response && r.ear.calm() {
			r.Leave()
			<-r.call
		}
	}
	return r.bad // nobody gets the chair any more
}

func (r *reader) read() {
	if err := r.ear.read(); !errors.Is(err, errRung) {
		r.bad = err
	}
}

// wait reads until something has come for a consumer or ctx ends. It returns sooner where somebody else reads, or is to
// read on.
func (r *reader) wait(ctx context.Context, b *inbox) {
	if !r.Take() {
		return
	}
	vacant := false
	defer func() { r.leave(vacant) }()
	if !b.ready() { // else it has come from the one who had the chair before
		stop := context.AfterFunc(ctx, r.ring)
		for r.bad == nil && r.ear.left == nil && ctx.Err() == nil && !b.ready() {
			r.read()
		}
		stop()
	}
	vacant = r.bad == nil && r.ear.calm()
}

// leave gives the chair up: where it may be vacant for a moment to nobody, else to the one that stands by.
func (r *reader) leave(vacant bool) {
	if vacant {
		r.Leave()
	} else {
		r.call <- struct{}{}
	}
}
