package ingress

import (
	"context"
	"sync"
	"time"
)

// warmTime is how long a goroutine waits for another message, at least; and not twice as long.
const warmTime = time.Second

// hands are the goroutines that deal with the messages of a conversation. One that has finished waits for another message
// for a while, because its stack has grown to what a message needs: to grow a new one costs more than to judge a small
// call. An idle conversation keeps none.
type hands struct {
	turns chan *turn // to the one that rests; nil sends it away
	all   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	resting bool       // one waits for turns
	worked  bool       // since the timer was started
	armed   bool       // the timer is running
	over    bool       // none rests any more
	timer   *time.Timer
}

func newHands() *hands {
	return &hands{turns: make(chan *turn)}
}

// deal lets a goroutine deal with a message: the one that rests, else a new one.
func (h *hands) deal(ctx context.Context, t *turn) {
	select {
	case h.turns <- t:
	default:
		h.all.Go(func() {
			for next := t; next != nil; next = h.rest() {
				next.run(ctx)
			}
		})
	}
}

// rest waits for another message. It returns nil where there is none in time, or another goroutine waits.
func (h *hands) rest() *turn {
	if !h.sit() {
		return nil
	}
	t := <-h.turns
	h.mu.Lock()
	defer h.mu.Unlock()
	h.resting = false
	return t
}

// sit reports whether the caller may rest. The timer may have run for a while: to start it over each time would cost more.
func (h *hands) sit() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.worked = true
	if h.over || h.resting {
		return false
	}
	h.resting = true
	if !h.armed {
		h.arm()
	}
	return true
}

func (h *hands) arm() {
	h.armed, h.worked = true, false
	if h.timer == nil {
		h.timer = time.AfterFunc(warmTime, h.tire)
		return
	}
	h.timer.Reset(warmTime)
}

// tire sends the goroutine away that rests, unless there was work since the timer was started.
func (h *hands) tire() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.armed = false
	switch {
	case h.over || !h.resting && !h.worked:
		return
	case h.resting && !h.worked:
		select {
		case h.turns <- nil:
			return
		default: // it is about to sit down, or to work
		}
	}
	h.arm()
}

// dismiss ends what rests, and waits for that. There are no messages any more.
func (h *hands) dismiss() {
	h.mu.Lock()
	h.over = true
	close(h.turns)
	if h.timer != nil {
		h.timer.Stop()
	}
	h.mu.Unlock()
	h.all.Wait()
}
