package ingress

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
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

	mu      sync.Mutex // guards what follows
	conns   map[*plain]struct{}
	leaving chan struct{} // closed when nothing more is taken on
	left    bool
	work    sync.WaitGroup
}

// NewServer makes a server. The contexts of requests come from ctx.
func NewServer(ctx context.Context, h http.Handler, clock func() time.Time) *Server {
	return &Server{
		Server: &http.Server{
			Handler: h, ReadHeaderTimeout: headTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHead,
			DisableGeneralOptionsHandler: true, BaseContext: func(net.Listener) context.Context { return ctx },
		},
		ctx: ctx, clock: clock, conns: map[*plain]struct{}{}, leaving: make(chan struct{}),
	}
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

// admit accepts connections until the door is shut. net/http decides after which errors to go on, and how soon.
func (d *door) admit() {
	for {
		nc, err := d.Listener.Accept()
		if err != nil {
			select {
			case d.errs <- err:
				continue
			case <-d.shut:
				return
			}
		}
		if c := newPlain(d, nc); d.server.enter(c) {
			go c.serve()
		} else {
			_ = nc.Close() // nothing was said on it
		}
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

// bare returns the connection itself, if there is nothing ahead of it.
func bare(c net.Conn) net.Conn {
	if h, ok := c.(*handed); ok && len(h.ahead) == 0 {
		return h.Conn
	}
	return c
}
