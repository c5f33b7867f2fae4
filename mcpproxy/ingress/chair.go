package ingress

import (
	"sync"
	"time"
)

const (
	vacantTime = time.Millisecond // that nobody need have a chair, at least; and not twice as long
	slowTurns  = 16               // that are dealt with apart after one that took longer
)

// chair is the right to read what a peer says. Who has it and has read a request with which the peer is alone deals with it
// there and then, because to wake another goroutine costs more than to judge a small call, and reads on behind it. Where
// that takes longer, another one reads on.
type chair struct {
	take func() // reads on, in the goroutine that calls it

	mu    sync.Mutex // guards what follows
	free  bool       // nobody has it
	used  bool       // it was taken again since the timer was started
	armed bool       // the timer is running
	over  bool       // nobody gets it any more who has it not
	slow  int        // turns that are still to be dealt with apart
	timer *time.Timer
}

// quick reports whether the one who has the chair is to deal with a turn, of which it may be thought that it is quickly done.
func (s *chair) quick() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slow > 0 {
		s.slow--
		return false
	}
	return true
}

// leave gives the chair up for a moment. The timer may have run for a while: to start it over each time would cost more.
func (s *chair) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free = true; !s.armed && !s.over {
		s.arm()
	}
}

// back takes the chair again, and reports whether nobody else has done so.
func (s *chair) back() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.free || s.over {
		return false
	}
	s.free, s.used = false, true
	return true
}

func (s *chair) arm() {
	s.armed, s.used = true, false
	if s.timer == nil {
		s.timer = time.AfterFunc(vacantTime, s.tire)
		return
	}
	s.timer.Reset(vacantTime)
}

// tire reads on where the chair was vacant for too long.
func (s *chair) tire() {
	if s.claim() {
		s.take()
	}
}

func (s *chair) claim() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = false
	switch {
	case !s.free || s.over: // who has it starts the timer again
		return false
	case s.used:
		s.arm()
		return false
	}
	s.free, s.slow = false, slowTurns
	return true
}

// close lets nobody have the chair who has it not.
func (s *chair) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.timer != nil {
		s.timer.Stop()
	}
}
