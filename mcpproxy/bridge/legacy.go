package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// Bounds of what a bridge keeps for clients that say everything anew with each request.
const (
	maxTalks = 8                // sessions: one for each set of capabilities that clients declare
	maxHeld  = 64               // calls that wait for answers of clients
	holdTime = 10 * time.Minute // that one of them waits
	takeTime = 5 * time.Second  // to tell a server that nobody answers, or to take leave of it
	hearTime = 2 * time.Second  // that a session hears nothing else while a call takes what belongs to no stream
	maxAsked = 32               // questions that a client gets together
)

// ToLegacy takes requests of the later era to a server that knows sessions alone. It holds the sessions: one for what each
// kind of client can do, because a session says that once. It is for one agent; what the server remembers of one request
// is there for the next. It is safe for concurrent use.
type ToLegacy struct {
	Config
	done chan struct{}

	opening chan struct{} // holds a token while a session is opened
	mu      sync.Mutex    // guards what follows
	talks   []*talk       // the least recently used first
	held    map[string]*legacyCall
	serial  int
	closed  bool
	work    sync.WaitGroup
}

// NewToLegacy makes a bridge. Nothing is opened before a request needs it.
func NewToLegacy(c Config) *ToLegacy {
	return &ToLegacy{Config: c, done: make(chan struct{}), opening: make(chan struct{}, 1), held: map[string]*legacyCall{}}
}

// Send takes a request to the server; see [upstream.Link].
func (l *ToLegacy) Send(ctx context.Context, out *upstream.Outgoing) (upstream.Stream, error) {
	f := out.Frame
	if f.Kind != wire.KindRequest {
		return nil, nil //nolint:nilnil // no message of the later era but requests means anything to the server; see upstream.Link
	}
	name := method(f)
	switch {
	case f.Has(wire.ParamsRequestState):
		return l.goOn(ctx, f)
	case name == methodListen:
		return l.listen(ctx, f)
	case strings.HasPrefix(name, "tasks/"):
		return l.said(failure(f.Get(wire.ID), codeNotFound, textNoSuchMethod)) // those of sessions are of another kind, and not declared
	}
	for again := false; ; again = true {
		t, err := l.talk(ctx, f)
		if err != nil {
			return nil, err
		}
		if name == methodDiscover {
			return l.said(result(f.Get(wire.ID), t.discovered()))
		}
		s, err := t.send(ctx, f)
		switch {
		case err == nil:
			return s, nil
		case !errors.Is(err, upstream.ErrSessionEnded) || again:
			return nil, err
		}
	}
}

// talk returns the session for what a request says of its client.
func (l *ToLegacy) talk(ctx context.Context, f *wire.Frame) (*talk, error) {
	capabilities, info := string(f.Get(wire.MetaClientCapabilities)), string(f.Get(wire.MetaClientInfo))
	find := func() (*talk, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.closed {
			return nil, errGone
		}
		i := slices.IndexFunc(l.talks, func(t *talk) bool { return t.capabilities == capabilities && t.info == info })
		if i < 0 {
			return nil, nil //nolint:nilnil // there is none
		}
		t := l.talks[i]
		l.talks = slices.Delete(l.talks, i, i+1)
		if t.over() {
			l.leave(t)
			return nil, nil //nolint:nilnil // nor is there one that lives
		}
		l.talks = append(l.talks, t)
		return t, nil
	}
	if t, err := find(); t != nil || err != nil {
		return t, err
	}
	select {
	case l.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", upstream.ErrUnavailable, context.Cause(ctx))
	}
	defer func() { <-l.opening }()
	if t, err := find(); t != nil || err != nil { // somebody else has opened it
		return t, err
	}
	t, err := l.greet(ctx, capabilities, info)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.leave(t)
		return nil, errGone
	}
	l.talks = append(l.talks, t)
	if len(l.talks) > maxTalks {
		i := slices.IndexFunc(l.talks, (*talk).idle)
		if i >= 0 && l.talks[i] != t {
			l.leave(l.talks[i])
			l.talks = slices.Delete(l.talks, i, i+1)
		}
	}
	return t, nil
}

// greet opens a session.
func (l *ToLegacy) greet(ctx context.Context, capabilities, info string) (*talk, error) {
	link, err := l.Open(ctx)
	if err != nil {
		return nil, err
	}
	t := &talk{l: l, link: link, capabilities: capabilities, info: info, calls: map[*legacyCall]struct{}{}}
	if err := t.greet(ctx); err != nil {
		l.closeLink(link)
		return nil, err
	}
	life, stop := context.WithCancel(l.Life)
	t.stop = stop
	l.work.Go(func() { t.hear(life) })
	return t, nil
}

// leave ends a session that nobody finds any more. The mutex of l is held.
func (l *ToLegacy) leave(t *talk) {
	t.stop()
	l.work.Go(func() { l.closeLink(t.link) })
}

func (c *Config) closeLink(link upstream.Link) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Life), takeTime)
	defer cancel()
	_ = link.Close(ctx) // a server that is gone needs no leave
}

// Listen says that there is nothing to hear: what belongs to no request is for subscriptions.
func (*ToLegacy) Listen(context.Context) (upstream.Stream, error) { return nil, upstream.ErrNoListen }

// Done is closed when the bridge is. A session that ends is replaced by another.
func (l *ToLegacy) Done() <-chan struct{} { return l.done }

// Close ends all sessions and waits for that.
func (l *ToLegacy) Close(context.Context) error {
	l.mu.Lock()
	talks, held, closed := l.talks, l.held, l.closed
	l.talks, l.held, l.closed = nil, map[string]*legacyCall{}, true
	for _, t := range talks {
		l.leave(t)
	}
	l.mu.Unlock()
	if closed {
		return nil
	}
	close(l.done)
	for _, k := range held {
		k.expire.Stop()
		k.stop()
	}
	l.work.Wait()
	return nil
}

// next numbers what the bridge names itself.
func (l *ToLegacy) next() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	return strconv.Itoa(l.serial)
}

var _ upstream.Link = (*ToLegacy)(nil)
