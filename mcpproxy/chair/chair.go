// Package chair says who may read where several goroutines could: the one who has the chair. It is for both ends of the proxy,
// where whoever needs what is read reads it, because to wake another goroutine costs more than to judge a small call.
//
// It reads nothing, and knows nothing of what is read.
package chair

import (
	"sync"
	"time"
)

// vacantTime is how long nobody need have a chair, at least; and not twice as long.
const vacantTime = time.Millisecond

// Chair is the right to read. One goroutine has it, at first the one that made it, or nobody for a moment. Any goroutine
// may use it; what belongs to the one who has it is handed over with it.
type Chair struct {
	tired func()

	mu    sync.Mutex // guards what follows
	free  bool       // nobody has it
	used  bool       // it was taken again since the timer was started
	armed bool       // the timer is running
	over  bool       // nobody gets it any more who has it not
	timer *time.Timer
}

// New returns a chair. Where nobody takes it for longer than a moment, tired is called, in a goroutine of its own, and has it.
func New(tired func()) *Chair { return &Chair{tired: tired} }

// Take takes the chair where it is free, and reports whether that is so.
func (c *Chair) Take() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.free || c.over {
		return false
	}
	c.free, c.used = false, true
	return true
}

// Leave gives the chair up. The timer may have run for a while: to start it over each time would cost more.
func (c *Chair) Leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.free = true; !c.armed && !c.over {
		c.arm()
	}
}

// Close lets nobody have the chair who has it not.
func (c *Chair) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	if c.timer != nil {
		c.timer.Stop()
	}
}

func (c *Chair) arm() {
	c.armed, c.used = true, false
	if c.timer == nil {
		c.timer = time.AfterFunc(vacantTime, c.tire)
		return
	}
	c.timer.Reset(vacantTime)
}

// tire lets tired have a chair that was vacant for too long.
func (c *Chair) tire() {
	if c.claim() {
		c.tired()
	}
}

func (c *Chair) claim() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = false
	switch {
	case !c.free || c.over: // who has it starts the timer again
		return false
	case c.used:
		c.arm()
		return false
	}
	c.free = false
	return true
}
