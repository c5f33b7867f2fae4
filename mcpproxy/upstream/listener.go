package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

const (
	firstWait = time.Second            // before a stream is asked for again, where the server has said nothing
	leastWait = 100 * time.Millisecond // whatever the server has said
)

// listener is the stream of what belongs to no request, over as many connections as it takes.
type listener struct {
	link  *httpLink
	x     exchange
	ev    *eventReader
	tries int       // to come back without anything new
	in    *Incoming // nil while nothing is said
	err   error
}

func (l *httpLink) Listen(ctx context.Context) (Stream, error) {
	if l.stateless {
		return nil, ErrNoListen // 2026-07-28 has no GET
	}
	l.mu.Lock()
	busy, heard := l.listening, l.heard
	l.listening = true
	l.mu.Unlock()
	if busy {
		return nil, fmt.Errorf("%w: the link has a listener already", ErrInvalid)
	}
	s := &listener{link: l, x: exchange{pool: l.pool}}
	s.ev, _ = eventReaders.Get().(*eventReader)
	s.ev.id = append(s.ev.id, heard...)
	if err := s.open(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// open asks for the stream, behind the last event where there is one. A server that does not know that event any more
// is asked for what it has.
func (s *listener) open(ctx context.Context) error {
	err := s.link.reopen(ctx, &s.x, s.ev, string(s.ev.id))
	if status, ok := errors.AsType[*StatusError](err); ok && status.Code == http.StatusBadRequest && len(s.ev.id) > 0 {
		s.ev.id = s.ev.id[:0]
		err = s.link.reopen(ctx, &s.x, s.ev, "")
	}
	return err
}

// reopen sends a GET for a stream and makes ev read it. Where it returns an error there is no connection.
func (l *httpLink) reopen(ctx context.Context, x *exchange, ev *eventReader, lastEvent string) error {
	token, err := l.token(ctx)
	if err != nil {
		return err
	}
	request, session, err := l.get(lastEvent, token)
	if err != nil {
		return err
	}
	if err := l.ask(ctx, x, request, token); err != nil {
		return err
	}
	switch h := &x.head; {
	case h.status == http.StatusOK && h.media == mediaEvents:
		ev.reset(&x.body, l.limits.Frame, l.counts)
		ev.rest = x.rest
		return nil
	case h.status == http.StatusMethodNotAllowed:
		err = fmt.Errorf("%w: %w", ErrNoListen, &StatusError{h.status})
	case h.status == http.StatusOK:
		err = fmt.Errorf("%w: the content is not an event stream", ErrProtocol)
	default:
		err = l.refused(h.status, session)
	}
	x.finish()
	return err
}

// wait waits for as long as the link lasts.
func (l *httpLink) wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return because(ctx, ErrUnavailable, ctx.Err())
	case <-l.done:
		return ErrSessionEnded
	}
}

// comeBack returns how long to stay away: at least as long as the server wants, twice as long with each vain try.
func comeBack(retry time.Duration, tries int) time.Duration {
	if retry == 0 {
		retry = firstWait
	}
	return min(max(retry, leastWait)<<(tries-1), maxRetry)
}

func (s *listener) Next(ctx context.Context) (*Incoming, error) {
	s.x.lazy = false
	return s.next(ctx)
}

// Try is Next where that need not wait; see [Patient].
func (s *listener) Try(ctx context.Context, wake func()) (*Incoming, error) {
	s.x.lazy = true
	in, err := s.next(ctx)
	if !errors.Is(err, errQuiet) {
		return in, err
	}
	s.free()
	stop := s.x.arm(ctx)
	go func() { // it is shallow, and so is its stack
		_ = s.x.conn.probe.await() // what is wrong shows when it is read
		s.x.disarm(stop)
		s.x.wakeUp()
		s.x.come = true
		wake()
	}()
	return nil, nil
}

func (s *listener) next(ctx context.Context) (*Incoming, error) {
	for s.err == nil {
		err := s.pull(ctx)
		switch {
		case err == nil:
			if s.take() {
				return s.in, nil
			}
		case errors.Is(err, errQuiet):
			return nil, err
		case ctx.Err() != nil || errors.Is(err, ErrNoListen) || errors.Is(err, ErrSessionEnded):
			s.err = err
		default:
			s.err = s.again(ctx)
		}
	}
	return nil, s.err
}

// pull reads the next event from the connection that there is.
func (s *listener) pull(ctx context.Context) error {
	seen := s.ev.seen
	stop := s.x.arm(ctx)
	err := s.ev.next()
	s.x.disarm(stop)
	if s.ev.seen != seen {
		s.tries = 0
	}
	if errors.Is(err, errQuiet) {
		return err
	}
	if err != nil {
		s.x.drop()
		return because(ctx, meaning(err), err)
	}
	return nil
}

// incomings are what listeners that hear something have it in.
var incomings = sync.Pool{New: func() any { return new(Incoming) }}

// free gives back what the last message was in. Nothing may refer to it any more.
func (s *listener) free() {
	if s.in != nil {
		*s.in = Incoming{}
		incomings.Put(s.in)
		s.in = nil
	}
}

// take reports whether the event holds a message that may come without being asked for.
func (s *listener) take() bool {
	if s.in == nil {
		s.in, _ = incomings.Get().(*Incoming)
	}
	s.in.Status = s.x.head.status
	err := wire.Parse(&s.in.Frame, s.ev.data, wire.FromUpstream, &s.link.limits)
	switch {
	case err != nil:
		s.link.counts.malformed.Add(1)
	case s.in.Frame.Response():
		s.link.counts.stray.Add(1)
	default:
		s.ev.idle = 0
		return true
	}
	s.ev.idle += len(s.ev.data)
	return false
}

// again asks for the stream until it is there.
func (s *listener) again(ctx context.Context) error {
	for {
		s.tries = min(s.tries+1, 10) // enough to reach the longest wait from the shortest
		s.ev.idle = 0
		if err := s.link.wait(ctx, comeBack(s.ev.retry, s.tries)); err != nil {
			return err
		}
		err := s.open(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrNoListen) || errors.Is(err, ErrSessionEnded) {
			return err
		}
	}
}

// Cancel does nothing: there is no request to cancel.
func (s *listener) Cancel(context.Context, string) error { return nil }

func (s *listener) Close() {
	if s.ev == nil {
		return
	}
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	s.link.listening, s.link.heard = false, string(s.ev.id)
	s.x.drop()
	s.ev.recycle()
	s.ev = nil
	s.free()
	if s.err == nil {
		s.err = errClosed
	}
}
