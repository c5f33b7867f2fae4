package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	tail     = 4 << 10              // bytes behind an answer that are read for the sake of the connection
	tailTime = 5 * time.Millisecond // for them to come
)

// exchange is one HTTP request on a connection, and the response to it. One goroutine drives it.
type exchange struct {
	pool *pool
	head head
	body body
	lazy bool // rest does not wait
	come bool // something can be read that rest was waited out for

	mu   sync.Mutex // guards what follows against cut, which other goroutines may call
	conn *conn      // nil: none yet, or given back; only the driving goroutine changes it
	gone bool       // cut off: no connection is of use any more
}

// send writes a request, head and content in one piece. On an idle connection that turns out to be closed it tries once
// more on a new one: a server that has not got all of a request cannot act on it. For that reason every error here is an
// ErrUnavailable.
func (x *exchange) send(ctx context.Context, request []byte) error {
	x.head, x.body = head{session: x.head.session}, body{}
	for fresh := false; ; fresh = true {
		c, reused, err := x.pool.get(ctx, fresh)
		if err != nil {
			return because(ctx, ErrUnavailable, err)
		}
		if !x.attach(c) {
			x.pool.drop(c)
			return fmt.Errorf("%w: cancelled", ErrUnavailable)
		}
		if err = x.write(ctx, c, request); err == nil {
			return nil
		}
		x.drop()
		if !reused || ctx.Err() != nil {
			return because(ctx, ErrUnavailable, err)
		}
	}
}

// write writes a request. Nearly always the socket takes all of it at once, and nobody needs to be able to break that off.
func (x *exchange) write(ctx context.Context, c *conn, request []byte) error {
	if ctx.Err() == nil {
		if request = request[c.push(request):]; len(request) == 0 {
			return nil
		}
	}
	stop := x.arm(ctx)
	_, err := c.Write(request)
	x.disarm(stop)
	return err
}

// receive reads the head of the response. Its errors are ErrUnknownOutcome and ErrProtocol.
func (x *exchange) receive(ctx context.Context) error {
	stop := x.arm(ctx)
	err := x.head.read(x.conn.br)
	x.disarm(stop)
	if err != nil {
		x.drop()
		return because(ctx, meaning(err), err)
	}
	x.body = newBody(x.conn.br, &x.head)
	return nil
}

// readers serve connections on which something is said.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, lineSize) }}

// errQuiet says that there is nothing to read yet, and that whoever reads does not want to wait.
var errQuiet = errors.New("nothing has been said yet")

// rest waits until there is something to read, or the connection is broken off. Most streams that belong to no request say
// nothing for hours, and would hold a buffer each. A lazy exchange does not wait: it returns errQuiet, and is without a
// buffer until wakeUp.
func (x *exchange) rest() error {
	c := x.conn
	if x.come {
		x.come = false
		return nil
	}
	x.body.settle()
	if c.br.Buffered() > 0 || !c.probe.waits() || !c.unread() {
		return nil // the read itself waits
	}
	c.br.Reset(nil)
	readers.Put(c.br)
	c.br, x.body.br = nil, nil
	if x.lazy {
		return errQuiet
	}
	err := c.probe.await()
	x.wakeUp()
	return err
}

// wakeUp ends what rest has begun.
func (x *exchange) wakeUp() {
	c := x.conn
	c.br, _ = readers.Get().(*bufio.Reader)
	c.br.Reset(c.Conn)
	x.body.br = c.br
}

// violation is something that a server must not do. It holds nothing of what the server wrote.
type violation string

func (v violation) Error() string { return string(v) }

// Is makes a message that is too large known as ErrTooLarge, however it came.
func (v violation) Is(target error) bool {
	return target == ErrTooLarge && (v == errContent || v == errLine || v == errEventSize || v == errMessageSize)
}

// blames reports whether an error is the server's doing. Elsewhere something has not come.
func blames(err error) bool {
	_, ok := errors.AsType[violation](err)
	return ok
}

func meaning(err error) error {
	if blames(err) {
		return ErrProtocol
	}
	return ErrUnknownOutcome
}

// arm makes the end of the context break off what the connection does, until disarm is called with what arm returns.
func (x *exchange) arm(ctx context.Context) (stop func() bool) {
	if ctx.Done() == nil {
		return nil
	}
	return context.AfterFunc(ctx, x.conn.breakOff)
}

// disarm ends what arm began. A connection that was broken off is of no further use.
func (x *exchange) disarm(stop func() bool) {
	if stop != nil && !stop() {
		x.conn.broken = true
	}
}

func (x *exchange) attach(c *conn) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.gone {
		return false
	}
	x.conn = c
	return true
}

// detach takes the connection away, and reports whether it is still of use.
func (x *exchange) detach() (c *conn, sound bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c, x.conn = x.conn, nil
	return c, c != nil && !c.broken && !x.gone
}

// cut breaks off the exchange, from any goroutine. What it waits for fails.
func (x *exchange) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.gone = true
	if x.conn != nil {
		x.conn.breakOff()
	}
}

// drop closes the connection.
func (x *exchange) drop() {
	if c, _ := x.detach(); c != nil {
		x.pool.drop(c)
	}
}

// finish gives the connection back where another request can follow on it, and closes it elsewhere. The rest of the
// response may be on its way; a little of it is waited for, because a new connection costs more.
func (x *exchange) finish() {
	c, sound := x.detach()
	switch {
	case c == nil:
	case sound && x.head.keep && x.drain(c) && c.br.Buffered() == 0:
		x.pool.put(c, x.head.patient)
	default:
		x.pool.drop(c)
	}
}

// drain reads what is left of the response, if that is short and comes at once.
func (x *exchange) drain(c *conn) bool {
	if x.body.done {
		return true
	}
	if x.body.br == nil || x.body.left > tail {
		return false
	}
	if c.SetReadDeadline(x.pool.clock().Add(tailTime)) != nil {
		return false
	}
	var b [512]byte
	for range tail / len(b) {
		if _, err := x.body.Read(b[:]); err != nil {
			break
		}
	}
	return x.body.done && c.SetReadDeadline(time.Time{}) == nil
}
