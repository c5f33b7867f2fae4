//go:build unix

package upstream_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

// hand is a clock that is moved by hand.
type hand struct {
	mu  sync.Mutex
	now time.Time
}

func (h *hand) time() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hand) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func TestStartsAreSpacedOut(t *testing.T) {
	clock := &hand{now: time.Now().Add(time.Hour)} // deadlines that it sets do not pass
	c := childConfig("serve")
	c.Clock = clock.time
	s := newServer(t, c)
	// start returns how long the next start had to wait. The child ends as a child does that is told to die.
	start := func(crash bool, lives time.Duration) (waited time.Duration) {
		l, err := s.Open(t.Context())
		if wait, ok := errors.AsType[*upstream.BackoffError](err); ok {
			if !errors.Is(err, upstream.ErrUnavailable) {
				t.Errorf("%v is not ErrUnavailable", err)
			}
			waited = wait.After
			clock.pass(waited)
			l = open(t, s)
		} else if err != nil {
			t.Fatal(err)
		}
		if !crash {
			if _, err := call(t, l, request(t, "1", "echo")); err != nil {
				t.Fatal(err)
			}
		}
		clock.pass(lives)
		send(t, l, request(t, "2", "die"))
		finished(t, l)
		_ = l.Close(limited(t))
		return waited
	}
	sequence := func(name string, crash bool, want ...time.Duration) {
		t.Helper()
		for i, w := range want {
			if got := start(crash, 0); got != w {
				t.Errorf("%s: start %d waited %v, want %v", name, i, got, w)
			}
		}
	}
	s2 := time.Second
	sequence("crashes", true, 0, 0, s2/2, s2, 2*s2, 4*s2, 8*s2, 16*s2, 30*s2, 30*s2)
	if got := start(false, time.Minute); got != 30*s2 {
		t.Errorf("waited %v before the sound one, want 30s", got)
	}
	sequence("crashes after a sound one", true, 0, 0, s2/2, s2)
	if start(false, time.Minute) != 2*s2 {
		t.Error("the delay does not grow after a sound one")
	}
	sequence("those that have answered", false, 0, 0, s2/2, s2, s2, s2, s2, s2)
}

func TestAChildThatIsToldToEndDelaysNothing(t *testing.T) {
	s := newServer(t, childConfig("serve"))
	for range 5 {
		if err := open(t, s).Close(limited(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACommandThatDoesNotExist(t *testing.T) {
	c := childConfig("serve")
	c.Command = []string{"hopgate-no-such-program"}
	s := newServer(t, c)
	if _, err := s.Open(t.Context()); !errors.Is(err, upstream.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	c.Command = []string{t.TempDir()}
	s = newServer(t, c)
	if _, err := s.Open(t.Context()); !errors.Is(err, upstream.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}
