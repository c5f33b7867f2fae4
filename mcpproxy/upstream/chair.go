package upstream

import (
	"context"
	"errors"
	"sync"
	"time"
)

// vacantTime is how long nobody need have a chair, at least; and not twice as long.
const vacantTime = time.Millisecond

// errRung says that a read was broken off for another reason than what is read.
var errRung = errors.New("the read was broken off")

// chair is the right to read what a child says. One goroutine stands by for it for ever. One that waits for an answer takes
// the chair where it is free and reads by itself, for all who wait: to wake it for each answer would cost more than to judge
// a small call. Where requests are left when it goes, the one that stands by gets the chair; else nobody has it for a
// moment, because the next request may come at once.
type chair struct {
	ear  *ear          // of who has the chair, as is bad
	ring func()        // breaks a read off; for any goroutine
	bad  error         // what reading has come to
	call chan struct{} // holds one token where the one that stands by gets the chair

	mu    sync.Mutex // guards what follows
	free  bool       // nobody has it
	used  bool       // since the timer was started
	armed bool       // the timer is running
	timer *time.Timer
}

func newChair(e *ear) *chair {
	return &chair{ear: e, ring: e.outlet.ring, call: make(chan struct{}, 1)}
}

// serve stands by, with the chair at first, and reads until there is no more to read.
func (s *chair) serve() error {
	for s.bad == nil {
		s.read()
		if s.bad == nil && s.ear.response && s.ear.calm() {
			s.leave(true)
			<-s.call
		}
	}
	return s.bad // nobody gets the chair any more
}

func (s *chair) read() {
	if err := s.ear.read(); !errors.Is(err, errRung) {
		s.bad = err
	}
}

// wait reads until something has come for a consumer or ctx ends. It returns sooner where somebody else reads, or is to
// read on.
func (s *chair) wait(ctx context.Context, b *inbox) {
	if !s.sit() {
		return
	}
	vacant := false
	defer func() { s.leave(vacant) }()
	if !b.ready() { // else it has come from the one who had the chair before
		stop := context.AfterFunc(ctx, s.ring)
		for s.bad == nil && s.ear.left == nil && ctx.Err() == nil && !b.ready() {
			s.read()
		}
		stop()
	}
	vacant = s.bad == nil && s.ear.calm()
}

// sit takes the chair where it is free.
func (s *chair) sit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.free
	s.free = false
	s.used = s.used || was
	return was
}

// leave gives the chair up: to the one that stands by, or where it may be vacant for a moment to nobody. The timer may have
// run for a while: to start it over each time would cost more.
func (s *chair) leave(vacant bool) {
	if !vacant {
		s.call <- struct{}{}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free = true; !s.armed {
		s.arm()
	}
}

func (s *chair) arm() {
	s.armed, s.used = true, false
	if s.timer == nil {
		s.timer = time.AfterFunc(vacantTime, s.tire)
		return
	}
	s.timer.Reset(vacantTime)
}

// tire gives the chair to the one that stands by, unless somebody had it since the timer was started.
func (s *chair) tire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = false
	switch {
	case !s.free: // who has it starts the timer again
	case s.used:
		s.arm()
	default:
		s.free = false
		s.call <- struct{}{}
	}
}
