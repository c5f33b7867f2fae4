package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// lineSize is the longest line of a response's head, and how much is read from a connection at once.
const lineSize = 8 << 10

// past is a deadline that has always passed: it breaks off what a connection is doing.
var past = time.Unix(1, 0)

var errClosed = errors.New("the upstream is closed")

// pool keeps connections to one address. A connection is driven by the goroutine of the call that has it; it has no
// goroutine of its own.
type pool struct {
	addr    string
	tls     *tls.Config // nil: plain
	dial    DialFunc
	dialing time.Duration // bound of connecting
	keep    time.Duration // bound of idleness
	maxIdle int
	clock   func() time.Time

	mu     sync.Mutex // guards what follows
	idle   []*conn    // the one used last is at the end
	all    map[*conn]struct{}
	sweep  *time.Timer // set while idle is not empty
	closed bool
}

// conn is a connection. It belongs to one call at a time.
type conn struct {
	net.Conn          // what is written to and read from: TLS where that is spoken
	socket   net.Conn // what lies below
	br       *bufio.Reader
	probe    probe
	breakOff func()      // fails what the connection does and will do; for any goroutine
	off      atomic.Bool // breakOff was called
	broken   bool        // breakOff may have been called
	until    time.Time   // it may be idle
}

// get returns an idle connection that still stands, or a new one. Where fresh is set it is a new one.
func (p *pool) get(ctx context.Context, fresh bool) (c *conn, reused bool, err error) {
	for !fresh {
		c := p.pop()
		if c == nil {
			break
		}
		if p.clock().Before(c.until) && c.probe.quiet() {
			return c, true, nil
		}
		p.drop(c)
	}
	if c, err = p.connect(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, errClosed) {
		err = fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	return c, false, err
}

func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle) - 1
	if n < 0 {
		return nil
	}
	c := p.idle[n]
	p.idle[n] = nil
	p.idle = p.idle[:n]
	return c
}

func (p *pool) connect(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.dialing)
	defer cancel()
	nc, err := p.dial(ctx, "tcp", p.addr)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc, socket: nc}
	c.breakOff = func() {
		c.off.Store(true)
		_ = nc.SetDeadline(past) // fails only where the connection is closed already
	}
	c.probe.watch(nc)
	if p.tls != nil {
		secure := tls.Client(nc, p.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = nc.Close() // the handshake's error says more
			return nil, fmt.Errorf("%w: %w", errHandshake, err)
		}
		c.Conn = secure
	}
	c.br, _ = readers.Get().(*bufio.Reader)
	c.br.Reset(c.Conn)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = nc.Close() // nothing was sent on it
		return nil, errClosed
	}
	p.all[c] = struct{}{}
	return c, nil
}

// put takes back a connection on which nothing is under way. Where the server has said for how many seconds it waits,
// we are not the last to be there.
func (p *pool) put(c *conn, patient int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= p.maxIdle {
		p.forget(c)
		return
	}
	keep := p.keep
	if patient > 0 && patient < int64(keep/time.Second) {
		keep = time.Duration(patient) * time.Second * 4 / 5
	}
	c.until = p.clock().Add(keep)
	p.idle = append(p.idle, c)
	if p.sweep == nil {
		p.sweep = time.AfterFunc(keep, p.expire)
	}
}

func (p *pool) drop(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget(c)
}

// forget closes a connection without TLS's farewell, which could wait for the server.
func (p *pool) forget(c *conn) {
	delete(p.all, c)
	_ = c.socket.Close() // whatever was on it has been read or is lost
}

// expire closes the connections that have been idle for too long, and comes back for the others.
func (p *pool) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.clock()
	p.idle = slices.DeleteFunc(p.idle, func(c *conn) bool {
		old := !now.Before(c.until)
		if old {
			p.forget(c)
		}
		return old
	})
	p.sweep = nil
	if len(p.idle) > 0 {
		p.sweep = time.AfterFunc(p.idle[0].until.Sub(now), p.expire)
	}
}

// close breaks off all connections. Calls that are under way fail.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.sweep != nil {
		p.sweep.Stop()
	}
	for c := range p.all {
		p.forget(c)
	}
	p.idle = nil
}

// unread reports whether all that is still to be read is on the socket. TLS may have read ahead: what it has is looked for
// with a deadline that has passed, so that nothing more comes to it.
func (c *conn) unread() bool {
	if c.Conn == c.socket {
		return true
	}
	if c.SetReadDeadline(past) != nil {
		return false
	}
	_, err := c.br.Peek(1)
	if c.SetReadDeadline(time.Time{}) != nil {
		return false
	}
	if c.off.Load() {
		c.breakOff() // its deadline may be the one that was lifted
	}
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// probe looks whether a server has closed, or written on, a connection that nobody reads, without waiting. It costs one
// system call, and without it a call on such a connection would be sent and never answered.
type probe struct {
	raw   syscall.RawConn // nil where there is no socket to look at
	look  func(fd uintptr) bool
	still bool

	give  func(fd uintptr) bool
	out   []byte // to be given
	given int
}

func (p *probe) watch(nc net.Conn) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	p.raw = raw
	p.look = func(fd uintptr) bool {
		p.still = silent(fd)
		return true // never wait
	}
	p.give = func(fd uintptr) bool {
		p.given = push(fd, p.out)
		return true // likewise
	}
}

// quiet reports whether there is nothing to read, not even the end.
func (p *probe) quiet() bool {
	if p.raw == nil {
		return true
	}
	p.still = false
	err := p.raw.Read(p.look)
	return err == nil && p.still
}

// push writes as much as the socket takes without waiting, and returns how much that is. What goes wrong shows again in the
// next write. Over TLS it is nothing.
func (c *conn) push(b []byte) int {
	p := &c.probe
	if p.raw == nil || c.Conn != c.socket {
		return 0
	}
	p.out, p.given = b, 0
	_ = p.raw.Write(p.give) // see above
	p.out = nil
	return p.given
}

// waits reports whether await waits.
func (p *probe) waits() bool { return waits && p.raw != nil }

// await waits until there is something to read, or the end. It returns at once where there is no socket to look at.
func (p *probe) await() error {
	if p.raw == nil {
		return nil
	}
	return p.raw.Read(readable)
}
