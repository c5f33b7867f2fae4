package upstream

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	steady      = 30 * time.Second // of life after which a child counts as sound
	firstDelay  = 500 * time.Millisecond
	longDelay   = 30 * time.Second
	served      = time.Second // longest delay that children cause which have answered something
	maxFailures = 8           // counted; more do not delay for longer
)

// launcher is a server that is reached by starting it.
type launcher struct {
	Config
	env    []string
	counts *counts

	mu       sync.Mutex // guards what follows
	children map[*child]struct{}
	failures int // children in a row that did not live for long
	next     time.Time
	last     string // what became of the last of them, in the words of Cause
	closed   bool
}

func newLauncher(c *Config, n *counts) (*launcher, error) {
	if c.Command[0] == "" {
		return nil, fmt.Errorf("the command is empty")
	}
	env, err := environment(c)
	if err != nil {
		return nil, err
	}
	if err := c.Rules.Check(); err != nil {
		return nil, err
	}
	return &launcher{Config: *c, env: env, counts: n, children: map[*child]struct{}{}}, nil
}

// environment returns what a child sees of ours, which may hold the secrets of others, and what it is configured to see.
func environment(c *Config) ([]string, error) {
	var env []string
	for _, kv := range c.Environ {
		switch name, _, _ := strings.Cut(kv, "="); name {
		case "PATH", "HOME", "LANG":
			env = append(env, kv)
		}
	}
	for _, kv := range c.Env {
		if name, _, ok := strings.Cut(kv, "="); !ok || name == "" || strings.ContainsRune(kv, 0) {
			return nil, fmt.Errorf("an environment variable is not KEY=VALUE")
		}
		env = append(env, kv)
	}
	return env, nil
}

func (l *launcher) open(ctx context.Context, stateless bool, dir string) (Link, error) {
	if err := ctx.Err(); err != nil {
		return nil, because(ctx, ErrUnavailable, err)
	}
	if err := l.admit(); err != nil {
		return nil, err
	}
	proc, err := startProcess(l.Command, l.env, cmp.Or(l.Dir, dir), &l.Rules)
	if err != nil {
		err = fmt.Errorf("%w: %w: %w", ErrUnavailable, errStart, err)
		l.failed(0, false, Cause(err))
		return nil, err
	}
	c := newChild(l, proc, stateless)
	l.mu.Lock()
	closed := l.closed
	if !closed {
		l.children[c] = struct{}{}
	}
	l.mu.Unlock()
	c.log.Info().Int("pid", proc.pid).Bool("shared", stateless).Msg("child started")
	c.start()
	if closed {
		c.leave(nil)
		return nil, because(ctx, ErrUnavailable, errClosed)
	}
	return c, nil
}

// admit says whether a child may be started now.
func (l *launcher) admit() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("%w: %w", ErrUnavailable, errClosed)
	}
	if wait := l.next.Sub(l.Clock()); wait > 0 {
		return &BackoffError{wait, l.last}
	}
	return nil
}

// ended takes a child off the list. wanted says that it was told to end.
func (l *launcher) ended(c *child, wanted, answered bool) {
	l.mu.Lock()
	delete(l.children, c)
	l.mu.Unlock()
	lived := l.Clock().Sub(c.born)
	if !wanted || lived >= steady {
		l.failed(lived, answered, Cause(&endError{c.proc.state}))
	}
}

// failed delays the next start, the longer the more children in a row have lived shortly. One that has answered before
// it ended delays little: else an agent that knows how to crash its own child could keep all others out.
func (l *launcher) failed(lived time.Duration, answered bool, cause string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = cause
	if lived >= steady {
		l.failures = 0
		return
	}
	l.failures = min(l.failures+1, maxFailures)
	delay := backoff(l.failures)
	if answered {
		delay = min(delay, served)
	}
	if at := l.Clock().Add(delay); at.After(l.next) {
		l.next = at
	}
}

// backoff returns the delay after so many failures: none after the first, then half a second, and twice as much each.
func backoff(failures int) time.Duration {
	if failures < 2 {
		return 0
	}
	return min(firstDelay<<(failures-2), longDelay)
}

// close ends all children together.
func (l *launcher) close() {
	l.mu.Lock()
	l.closed = true
	all := make([]*child, 0, len(l.children))
	for c := range l.children {
		all = append(all, c)
	}
	l.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() { c.leave(nil) })
	}
	wg.Wait()
}
