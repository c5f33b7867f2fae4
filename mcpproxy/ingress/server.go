package ingress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Server serves agents on a listener, with the deadlines and bounds that it needs. Nearly every request is a POST to
// /mcp/{upstream} that has a length and nothing unusual about it. Those it reads and answers by itself, because net/http
// has a second goroutine read the connection during each of them. A connection on which anything else comes goes over to
// net/http for good, with what was read of it: nothing is refused here, and nothing is read leniently.
//
// A handler must keep nothing of a request or of its ResponseWriter. Of headers it sees those that [HTTP] reads.
type Server struct {
	*http.Server
	clock func() time.Time
	ctx   context.Context //nolint:containedctx // what the contexts of all requests come from, as with http.Server.BaseContext
	date  atomic.Pointer[date]
	crowd *crowd

	mu      sync.Mutex // guards what follows
	conns   map[*plain]struct{}
	leaving chan struct{} // closed when nothing more is taken on
	left    bool
	work    sync.WaitGroup
}

// NewServer makes a server, in a process that may have so many descriptors; connections take three quarters of them at
// most. The contexts of requests come from ctx.
func NewServer(ctx context.Context, h http.Handler, clock func() time.Time, descriptors int) *Server {
	return &Server{
		Server: &http.Server{
			Handler: h, ReadHeaderTimeout: headTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHead,
			DisableGeneralOptionsHandler: true, BaseContext: func(net.Listener) context.Context { return ctx }, ConnContext: seated,
		},
		ctx: ctx, clock: clock, crowd: newCrowd(descriptors), conns: map[*plain]struct{}{}, leaving: make(chan struct{}),
	}
}

// seated gives the requests that net/http reads the seat of their connection.
func seated(ctx context.Context, c net.Conn) context.Context {
	if h, ok := c.(*handed); ok {
		return context.WithValue(ctx, seatKey{}, h.seat)
	}
	return ctx
}

// Serve serves on a listener until Shutdown or Close, which close it; then it returns http.ErrServerClosed.
func (s *Server) Serve(l net.Listener) error {
	return s.Server.Serve(&door{Listener: l, server: s, over: make(chan net.Conn), errs: make(chan error), shut: make(chan struct{})})
}

// Shutdown takes on nothing more and waits for the requests under way, until ctx ends. Its error is that of ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.leave(func(c *plain) bool { return c.state.CompareAndSwap(stateIdle, stateOver) })
	err := s.Server.Shutdown(ctx)
	done := make(chan struct{})
	go func() {
		s.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close breaks off everything.
func (s *Server) Close() error {
	s.leave(func(*plain) bool { return true })
	return s.Server.Close()
}

// leave takes on no more connections, and closes those that are to be.
func (s *Server) leave(which func(*plain) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.left {
		s.left = true
		close(s.leaving)
	}
	for c := range s.conns {
		if which(c) {
			_ = c.nc.Close() // whoever drives it sees to the rest
		}
	}
}

// enter takes a connection on; false where none is taken on any more.
func (s *Server) enter(c *plain) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return false
	}
	s.conns[c] = struct{}{}
	s.work.Add(1)
	return true
}

func (s *Server) exit(c *plain) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.work.Done()
}

// date is the header Date of one second.
type date struct {
	second int64
	text   string
}

// today returns the header Date as it is now.
func (s *Server) today() string {
	now := s.clock()
	d := s.date.Load()
	if d == nil || d.second != now.Unix() {
		d = &date{now.Unix(), now.UTC().Format(http.TimeFormat)}
		s.date.Store(d)
	}
	return d.text
}

// door is the listener that net/http knows: it gets what is for it.
type door struct {
	net.Listener
	server *Server
	over   chan net.Conn // connections for net/http
	errs   chan error    // of Accept
	begin  sync.Once
	end    sync.Once
	shut   chan struct{}
}

// Accept returns the next connection that is for net/http.
func (d *door) Accept() (net.Conn, error) {
	d.begin.Do(func() { go d.admit() })
	select {
	case c := <-d.over:
		return c, nil
	case err := <-d.errs:
		return nil, err
	case <-d.shut:
		return nil, net.ErrClosed
	}
}

// admit accepts connections until the door is shut. Where there are no descriptors left a stranger makes room, and it
// goes on; what else goes wrong is for net/http to decide.
func (d *door) admit() {
	pause := time.Duration(0)
	for {
		nc, err := d.Listener.Accept()
		switch {
		case err == nil:
			pause = 0
			d.seat(nc)
			continue
		case passes(err):
			pause = min(max(2*pause, leastPause), mostPause)
			d.server.complain("accepting connections: %v", err)
			d.server.crowd.makeRoom()
			if d.wait(pause) {
				continue
			}
			return
		}
		select {
		case d.errs <- err:
		case <-d.shut:
			return
		}
	}
}

// Pauses after connections could not be accepted.
const (
	leastPause = 5 * time.Millisecond
	mostPause  = time.Second
)

// passes reports whether Accept may work again later.
func passes(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// wait waits; false where the door is shut meanwhile.
func (d *door) wait(pause time.Duration) bool {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-d.shut:
		return false
	}
}

// seat takes a connection on, if there is room for it.
func (d *door) seat(nc net.Conn) {
	s, pushed := d.server.crowd.enter(nc)
	switch {
	case s == nil:
		d.server.complain("a connection was turned away: there are as many as may be")
		_ = nc.Close() // nothing was said on it
		return
	case pushed:
		d.server.complain("a connection of nobody has made room for another one")
	}
	if c := newPlain(d, s); d.server.enter(c) {
		go c.serve()
		return
	}
	s.leave()
	_ = nc.Close() // likewise
}

// complain says what is wrong with connections.
func (s *Server) complain(format string, args ...any) {
	if s.ErrorLog != nil {
		s.ErrorLog.Printf(format, args...)
	}
}

// Close closes the listener.
func (d *door) Close() error {
	d.end.Do(func() { close(d.shut) })
	return d.Listener.Close()
}

// handed is a connection that net/http goes on with. It reads what has been read of it first.
type handed struct {
	net.Conn
	seat  *seat
	ahead []byte
}

func (h *handed) Read(p []byte) (int, error) {
	if len(h.ahead) == 0 {
		return h.Conn.Read(p)
	}
	n := copy(p, h.ahead)
	if h.ahead = h.ahead[n:]; len(h.ahead) == 0 {
		h.ahead = nil
	}
	return n, nil
}

// Close closes the connection and gives its place up.
func (h *handed) Close() error {
	h.seat.leave()
	return h.Conn.Close()
}

// CloseWrite is what net/http has a refusal arrive by, when the peer is still sending.
func (h *handed) CloseWrite() error {
	if c, ok := h.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}
