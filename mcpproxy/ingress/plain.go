package ingress

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	plainBuffer = 4 << 10                // bytes that are read at once; a head that is longer is for net/http
	plainBody   = 256 << 10              // bytes of a body; a longer one is for net/http
	lingerTime  = 500 * time.Millisecond // for which a peer whose content is not taken may go on sending
	heedTime    = 20 * time.Millisecond  // after which it is watched whether the peer of a request has gone
)

// past is a deadline that has always passed.
var past = time.Unix(1, 0)

// What a connection is doing.
const (
	stateIdle int32 = iota
	stateBusy
	stateOver
)

// plain is a connection on which only plain requests have come so far. One goroutine drives it, that of serve; while it
// answers a request, which may take long, another one watches whether the peer goes.
type plain struct {
	nc      net.Conn
	seat    *seat
	door    *door
	server  *Server
	state   atomic.Int32
	ctx     context.Context //nolint:containedctx // the connection's life, which every request on it is given
	cancel  context.CancelFunc
	request *http.Request
	values  []string // of the request's headers
	before  string   // of the head that was read last, what stands before the length
	after   string   // and behind it; empty where no head was read to its end
	body    body
	answer  answer

	in         []byte
	from, to   int       // of in: what is read and not used
	readBy     time.Time // read deadline that is set; zero for none
	wantReadBy time.Time // that the handler wants for the body
	writeBy    time.Time // write deadline that is set

	heeded bool // the timer runs, or has run out, for this request
	timer  *time.Timer
	over   chan struct{} // has a value when the watch that the timer began has ended
	mu     sync.Mutex    // guards ending, and the read deadline while the watch goes on
	ending bool
}

var plainBuffers = sync.Pool{New: func() any { return new([plainBuffer]byte) }}

func newPlain(d *door, s *seat) *plain {
	c := &plain{nc: s.nc, seat: s, door: d, server: d.server}
	c.ctx, c.cancel = context.WithCancel(context.WithValue(d.server.ctx, seatKey{}, s))
	return c
}

// serve deals with requests until there are no more, or one comes that is for net/http.
func (c *plain) serve() {
	buffer, _ := plainBuffers.Get().(*[plainBuffer]byte)
	c.in = buffer[:]
	defer func() {
		plainBuffers.Put(buffer)
		c.server.exit(c)
	}()
	defer c.cancel()
	if !c.greet() {
		c.seat.leave()
		_ = c.nc.Close() // whoever it is cannot be talked to
		return
	}
	c.prepare()
	for c.await() {
		if !c.parse() {
			c.handOver()
			return
		}
		if !c.handle() {
			c.linger()
			break
		}
	}
	c.seat.leave()
	_ = c.nc.Close() // what was to be said has gone, or the peer has
}

// linger gives a peer that is still sending time to read why nothing more is taken, as net/http does: to close at once would
// reset the connection, and lose what the peer has not read by then.
func (c *plain) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if c.body.left == 0 || !ok || half.CloseWrite() != nil || c.nc.SetReadDeadline(c.server.clock().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c.nc, c.body.left-int64(c.to-c.from)) // it ends with what was announced, with the peer, or with the time
}

// greet shakes hands, where TLS is spoken.
func (c *plain) greet() bool {
	secure, ok := c.nc.(*tls.Conn)
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(c.ctx, headTime)
	defer cancel()
	err := secure.HandshakeContext(ctx)
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok && record.Conn != nil && looksLikeHTTP(record.RecordHeader) {
		_, _ = io.WriteString(record.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n") // as net/http does
	}
	return err == nil
}

// looksLikeHTTP guesses by the first bytes whether somebody speaks HTTP where TLS is spoken.
func looksLikeHTTP(b [5]byte) bool {
	switch string(b[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET":
		return true
	}
	return false
}

// prepare makes what all requests of the connection share.
func (c *plain) prepare() {
	base := &http.Request{
		Method: http.MethodPost, URL: &url.URL{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: &c.body,
		RemoteAddr: c.nc.RemoteAddr().String(),
	}
	c.request = base.WithContext(c.ctx)
	c.body.conn, c.answer.conn, c.answer.header = c, c, http.Header{}
	c.readBy = c.server.clock().Add(headTime)
	_ = c.nc.SetReadDeadline(c.readBy) // where that fails, so does the read
}

// await waits for something of a request. It reports false where nothing more comes.
func (c *plain) await() bool {
	if c.from == c.to {
		n, err := c.nc.Read(c.in)
		if n == 0 && err != nil {
			return false
		}
		c.from, c.to = 0, n
	}
	return c.state.CompareAndSwap(stateIdle, stateBusy)
}

// rest makes the connection wait for another request. The deadline is renewed only now and then: to set it costs as much
// as to parse a head.
func (c *plain) rest() bool {
	if now := c.server.clock(); c.readBy.Before(now.Add(idleTime)) {
		c.readBy = now.Add(idleTime + idleTime/4)
		if c.nc.SetReadDeadline(c.readBy) != nil {
			return false
		}
	}
	c.state.Store(stateIdle)
	select {
	case <-c.server.leaving:
		return false
	default:
		return true
	}
}

// handOver lets net/http go on with the connection.
func (c *plain) handOver() {
	ahead := bytes.Clone(c.in[c.from:c.to])
	if c.request.RequestURI != "" {
		ahead = ahead[lineEnds(ahead):]
	}
	if c.nc.SetDeadline(time.Time{}) == nil {
		select {
		case c.door.over <- &handed{c.nc, c.seat, ahead}:
			return
		case <-c.door.shut:
		}
	}
	c.seat.leave()
	_ = c.nc.Close() // nothing of the request was acted on
}

// lineEnds counts what net/http takes for the end of the POST before: there are clients that end a content with CR LF.
func lineEnds(b []byte) (n int) {
	for n < min(len(b), 4) && (b[n] == '\r' || b[n] == '\n') {
		n++
	}
	return n
}

// handle answers a request, and reports whether another may follow on the connection.
func (c *plain) handle() bool {
	defer func() {
		if v := recover(); v != nil {
			c.nc.Close()
			c.unheed()
			c.server.complain("a request has ended in a panic: %v", v)
		}
	}()
	c.answer.begin()
	c.server.Handler.ServeHTTP(&c.answer, c.request)
	c.unheed()
	return c.answer.finish() && c.body.drain() && c.rest()
}

// heed has the peer watched from soon on. It is called when all of the request is read; what the peer says after that is
// another request, behind which nobody can see whether it goes.
func (c *plain) heed() {
	if c.from < c.to {
		return
	}
	c.heeded = true
	if c.timer != nil {
		c.timer.Reset(heedTime)
		return
	}
	c.over = make(chan struct{}, 1)
	c.timer = time.AfterFunc(heedTime, c.watch)
}

// heedNow has the peer watched at once, because an answer has begun that may go on for long.
func (c *plain) heedNow() {
	if c.heeded && c.timer.Stop() {
		c.timer.Reset(0)
	}
}

// unheed ends what heed began.
func (c *plain) unheed() {
	if !c.heeded {
		return
	}
	c.heeded = false
	if c.timer.Stop() {
		return
	}
	c.mu.Lock()
	c.ending = true
	_ = c.nc.SetReadDeadline(past) // where that fails the connection is closed
	c.mu.Unlock()
	<-c.over
	c.ending, c.readBy = false, past
}

// watch waits until the peer goes, says something more, or unheed is called.
func (c *plain) watch() {
	defer func() { c.over <- struct{}{} }()
	for {
		n, err := c.nc.Read(c.in[:1])
		if n > 0 {
			c.from, c.to = 0, n
			return
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			c.cancel()
			return
		}
		c.mu.Lock()
		ending := c.ending
		if !ending {
			_ = c.nc.SetReadDeadline(time.Time{}) // it was for what came before
		}
		c.mu.Unlock()
		if ending {
			return
		}
	}
}

// body is what is left of the content of a request.
type body struct {
	conn *plain
	left int64
}

// Read reads the content, first what is in the buffer.
func (b *body) Read(p []byte) (n int, err error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	c := b.conn
	if c.from < c.to {
		n = copy(p, c.in[c.from:c.to])
		c.from += n
	} else {
		if !c.readBy.Equal(c.wantReadBy) {
			if err := c.nc.SetReadDeadline(c.wantReadBy); err != nil {
				return 0, err
			}
			c.readBy = c.wantReadBy
		}
		if n, err = c.nc.Read(p); errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
	}
	if b.left -= int64(n); b.left == 0 {
		c.heed()
		return n, io.EOF
	}
	return n, err
}

// Close does nothing: what nobody reads is drained.
func (*body) Close() error { return nil }

// drain reads what the handler has left of the content.
func (b *body) drain() bool {
	if b.left == 0 {
		return true
	}
	b.conn.wantReadBy = b.conn.server.clock().Add(restTime)
	_, err := io.Copy(io.Discard, b)
	b.conn.unheed()
	return err == nil
}
