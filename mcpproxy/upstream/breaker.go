package upstream

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Breaker says when calls to a server are refused at once because it fails. The zero Breaker refuses none.
type Breaker struct {
	Failures int           // in a row, after which it opens; 0 or less for never
	Delay    time.Duration // that it is open before one call may try
}

// Health is what a call has shown of its server.
type Health uint8

// Healths. The zero Health says nothing.
const (
	NothingShown Health = iota // cancelled, not sent for reasons of ours, or answered with what may be the caller's doing
	Answered                   // the server answers, be it with an error
	Failed                     // it was called and gave no usable answer
	Unreachable                // no connection to it could be made, which is no caller's doing
)

// Condition is the state of a breaker.
type Condition struct {
	Open     bool
	Failures int       // in a row
	Since    time.Time // that it is open; zero where it is not
	Next     time.Time // when a call may try; zero where it is not open
}

// breaker counts failures in a row. When it is open, only a probe passes: one call at a time, whose answer closes it. Who has
// made no failed call may probe at once, so that no agent can close a server to the others by calls that make it fail.
type breaker struct {
	Breaker
	clock func() time.Time
	log   zerolog.Logger

	mu       sync.Mutex // guards what follows
	failures int
	blamed   map[string]struct{} // callers of the failures
	all      bool                // the server could not be reached, so that nobody's call would do
	since    time.Time           // that it is open; zero where it is not
	next     time.Time           // when the next probe may pass
	probing  time.Time           // until then a probe counts as being under way; zero for none
}

// Turn is the admission of one call. The zero Turn is one of a server that has no breaker.
type Turn struct {
	b      *breaker
	caller string
	probe  bool
}

// Admit says whether a call may be sent, for a caller whose calls must not close the server to others. Where it may not,
// wait is above 0: after that time a call may be let through. Whoever was admitted ends the Turn, once.
func (s *Server) Admit(caller string) (t Turn, wait time.Duration) {
	if s == nil || s.breaker == nil {
		return Turn{}, 0
	}
	return s.breaker.admit(caller)
}

// Condition returns the state of the server's breaker.
func (s *Server) Condition() Condition {
	if s.breaker == nil {
		return Condition{}
	}
	b := s.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	return Condition{Open: !b.since.IsZero(), Failures: b.failures, Since: b.since, Next: b.next}
}

func newBreaker(c *Config) *breaker {
	if c.Breaker.Failures <= 0 {
		return nil
	}
	return &breaker{Breaker: c.Breaker, clock: c.Clock, log: c.Log.With().Str("upstream", c.Name).Logger(), blamed: map[string]struct{}{}}
}

func (b *breaker) admit(caller string) (Turn, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.since.IsZero() {
		return Turn{b: b, caller: caller}, 0
	}
	now := b.clock()
	if wait := b.probing.Sub(now); wait > 0 {
		return Turn{}, wait
	}
	_, blamed := b.blamed[caller]
	if wait := b.next.Sub(now); wait > 0 && (blamed || b.all) {
		return Turn{}, wait
	}
	b.probing = now.Add(max(b.Delay, time.Second)) // a probe that takes longer is not waited for
	return Turn{b: b, caller: caller, probe: true}, 0
}

// End says what the call has shown. A Turn that has ended, or never began, does nothing.
func (t *Turn) End(h Health) {
	b := t.b
	if b == nil {
		return
	}
	t.b = nil
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.probe {
		b.probing = time.Time{}
	}
	switch h {
	case Answered:
		b.close()
	case Failed, Unreachable:
		b.fail(t, h)
	default:
	}
}

func (b *breaker) close() {
	if !b.since.IsZero() {
		b.log.Info().Dur("open", b.clock().Sub(b.since)).Msg("the breaker closes: the upstream answers again")
	}
	b.failures, b.all, b.since, b.next = 0, false, time.Time{}, time.Time{}
	clear(b.blamed)
}

func (b *breaker) fail(t *Turn, h Health) {
	b.failures++
	b.blamed[t.caller] = struct{}{}
	b.all = b.all || h == Unreachable
	now := b.clock()
	switch open := !b.since.IsZero(); {
	case open && t.probe:
		b.next = now.Add(b.Delay)
	case !open && b.failures >= b.Failures:
		b.since, b.next = now, now.Add(b.Delay)
		b.log.Warn().Int("failures", b.failures).Dur("for", b.Delay).Msg("the breaker opens: the upstream fails")
	}
}
