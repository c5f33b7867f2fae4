// Package relay says how a process on standard streams reaches the one that owns the state: by a Unix socket that both
// sides check, a handshake of one line each way, and from then on messages as they are. When the owner dies, the relay
// tells the client what has become of its requests, finds another owner, and repeats the client's greeting to it.
//
// It judges nothing, keeps no message but the greeting, and never sends a request twice. It neither knows how an owner is
// started nor what one does.
package relay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

const (
	pause      = 5 * time.Second  // between attempts to attach that clients cause
	brief      = time.Second      // of life, below which a connection counts as a failure
	maxBrief   = 5                // connections in a row
	greetTime  = 15 * time.Second // to repeat the greeting; it may start a server
	maxLine    = 64<<20 + 2       // above every limit that can be configured, so that the owner still sees what is too long
	keepBuffer = 64 << 10
)

// Relay carries the messages of one client. All fields are required.
type Relay struct {
	In  io.Reader
	Out io.Writer
	// Attach finds or starts an owner, in bounded time. again says that the relay was attached before. A *Refusal ends the
	// relay; after another error requests are refused, and one of them now and then leads to another attempt.
	Attach func(ctx context.Context, again bool) (*Conn, error)
	Clock  func() time.Time
	Log    zerolog.Logger
}

// Run relays until In ends and everything is answered, or until ctx ends. It returns the error of the last attempt where
// no owner was found; a *Refusal is one. A goroutine reads In, until that ends.
func (r *Relay) Run(ctx context.Context) error {
	done := make(chan struct{})
	defer close(done)
	x := &run{Relay: r, book: newBook(), lines: make(chan line), free: make(chan struct{}), done: done}
	go x.read()
	return x.loop(ctx)
}

// run is one run of a relay. One goroutine reads the client, one the owner, and the loop between them does the rest.
type run struct {
	*Relay
	book  *book
	lines chan line
	free  chan struct{} // has a value when the last line may be overwritten
	done  <-chan struct{}

	link     *link // nil while there is none
	attached bool  // there was one
	failed   error // of the last attempt
	at       time.Time
	briefs   int

	mu sync.Mutex // held while a line is written to Out
}

// line is what the client has sent, without its end where it has none.
type line struct {
	text []byte
	err  error // after it nothing comes; io.EOF is the end of the input
}

// link is a connection in use.
type link struct {
	conn *Conn
	born time.Time
	over chan error // has a value when nothing more comes
}

// read reads lines and waits until each is dealt with.
func (x *run) read() {
	in := bufio.NewReaderSize(x.In, keepBuffer)
	var buf []byte
	for {
		var err error
		buf, err = readLine(buf[:0], in)
		select {
		case x.lines <- line{buf, err}:
		case <-x.done:
			return
		}
		if err != nil {
			return
		}
		select {
		case <-x.free:
		case <-x.done:
			return
		}
		if cap(buf) > keepBuffer {
			buf = nil
		}
	}
}

// readLine appends a line with its end. One that is too long is cut off, which leaves it too long for the owner.
func readLine(dst []byte, in *bufio.Reader) ([]byte, error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(dst)+len(part) <= maxLine {
			dst = append(dst, part...)
		} else if err == nil {
			dst = append(dst, '\n')
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return dst, err
		}
	}
}

func (x *run) loop(ctx context.Context) error {
	defer x.hangUp()
	if err := x.attach(ctx); err != nil {
		return err
	}
	for {
		var over chan error
		if x.link != nil {
			over = x.link.over
		}
		select {
		case <-ctx.Done():
			return nil
		case l := <-x.lines:
			if err := x.pass(ctx, l.text); err != nil {
				return err
			}
			if l.err != nil {
				return x.last(ctx, l.err)
			}
			x.free <- struct{}{}
		case err := <-over:
			if err := x.lost(ctx, err); err != nil {
				return err
			}
		}
	}
}

// attach attaches, and repeats the greeting where there was one. An error is final; where there is merely no owner just
// now, there is no link and no error.
func (x *run) attach(ctx context.Context) error {
	for x.link == nil {
		conn, err := x.Attach(ctx, x.attached)
		var refused *Refusal
		switch {
		case ctx.Err() != nil:
			if conn != nil {
				_ = conn.Close() // nothing was sent
			}
			return nil
		case errors.As(err, &refused):
			return err
		case err != nil:
			x.fail(err)
			return nil
		}
		x.attached, x.failed = true, nil
		l := &link{conn: conn, born: x.Clock(), over: make(chan error, 1)}
		err = x.greet(ctx, l)
		switch {
		case err == nil:
			x.link = l
			go x.receive(l)
		case errors.Is(err, errGreeting):
			return errors.Join(err, conn.Close())
		default:
			_ = conn.Close() // it is lost
			if !x.again(l) {
				return nil
			}
		}
	}
	return nil
}

// fail notes that there is no owner just now.
func (x *run) fail(err error) {
	x.failed, x.at = err, x.Clock()
	x.Log.Error().Err(err).Msg("requests are refused: no process that owns the state can be reached")
}

// again says whether it is worth while to attach again after a link was lost.
func (x *run) again(l *link) bool {
	if x.Clock().Sub(l.born) >= brief {
		x.briefs = 0
	}
	if x.briefs++; x.briefs < maxBrief {
		return true
	}
	x.briefs = 0
	x.fail(errors.New("the owner ends again and again"))
	return false
}

// pass sends a line to the owner, or refuses it where there is none.
func (x *run) pass(ctx context.Context, text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if x.link == nil && x.Clock().Sub(x.at) >= pause {
		if err := x.attach(ctx); err != nil {
			return err
		}
	}
	if x.link == nil {
		x.book.refuse(text, func(id []byte) { x.answer(ReasonNoOwner, id) })
		return nil
	}
	if whole := text[len(text)-1] == '\n'; whole && !x.book.sent(text) {
		return nil
	}
	conn := x.link.conn                                         // x.link may be another, or none, when the function runs
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // an owner that does not read must not hold us
	defer stop()
	_, _ = conn.Write(text) // where it is lost, so is the link, and that is noticed on the other way
	return nil
}

// receive copies what the owner sends, until nothing more comes.
func (x *run) receive(l *link) {
	var buf []byte
	for {
		var err error
		if buf, err = readLine(buf[:0], l.conn.Reader); err == nil {
			x.book.received(buf)
			err = x.write(buf)
		}
		if err != nil {
			l.over <- err
			return
		}
		if cap(buf) > keepBuffer {
			buf = nil
		}
	}
}

// errClient says that the client reads no more.
var errClient = errors.New("writing to the client")

func (x *run) write(text []byte) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, err := x.Out.Write(text); err != nil {
		return fmt.Errorf("%w: %w", errClient, err)
	}
	return nil
}

// lost ends a link that was broken off: what waits for an answer gets one, and there is another link.
func (x *run) lost(ctx context.Context, err error) error {
	l := x.link
	x.link = nil
	_ = l.conn.Close() // it is lost
	x.book.lost(func(id []byte) { x.answer(ReasonLost, id) })
	if errors.Is(err, errClient) {
		return err
	}
	x.Log.Warn().Msg("the process that owned the state has gone")
	if !x.again(l) {
		return nil
	}
	return x.attach(ctx)
}

// last waits for the answers to what the client has sent, which says nothing more.
func (x *run) last(ctx context.Context, err error) error {
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading messages: %w", err)
	}
	if x.link == nil {
		return x.failed
	}
	l := x.link
	x.link = nil
	defer context.AfterFunc(ctx, func() { _ = l.conn.Close() })()
	_ = l.conn.CloseWrite() // where it is lost already, nothing more comes
	err = <-l.over
	x.book.lost(func(id []byte) { x.answer(ReasonLost, id) })
	_ = l.conn.Close() // nothing more comes
	if errors.Is(err, errClient) {
		return err
	}
	return nil
}

// hangUp ends the connection, and with it the goroutine that reads it.
func (x *run) hangUp() {
	if x.link != nil {
		_ = x.link.conn.Close() // the owner notices
	}
}

// answer answers a request in place of the owner.
func (x *run) answer(r *policy.Reason, id []byte) { _ = x.write(appendRefusal(nil, r, id)) }

// errGreeting says that the greeting was repeated in vain. What the client has been told does not hold any more.
var errGreeting = errors.New("repeating the client's greeting")

// greet repeats to a new owner what the client has said to the old one: initialize, whose answer the client knows
// already, and that it is initialized.
func (x *run) greet(ctx context.Context, l *link) error {
	g := x.book.greeting()
	if g.version == "" {
		return nil
	}
	defer context.AfterFunc(ctx, func() { _ = l.conn.Close() })() // an owner that says nothing must not hold us
	if err := l.conn.SetDeadline(x.Clock().Add(greetTime)); err != nil {
		return err
	}
	if _, err := l.conn.Write(g.hello); err != nil {
		return err
	}
	for answered := false; !answered; {
		text, err := readLine(nil, l.conn.Reader)
		if err != nil {
			return err
		}
		var f wire.Frame
		if wire.Parse(&f, text, wire.FromUpstream, &limits) != nil || !f.Response() || string(f.Get(wire.ID)) != g.id {
			x.book.received(text)
			if err := x.write(text); err != nil {
				return err
			}
			continue
		}
		answered = true
		switch version := f.String(wire.ResultProtocolVersion); {
		case f.Kind == wire.KindError:
			return fmt.Errorf("%w: it was refused", errGreeting)
		case version != g.version:
			return fmt.Errorf("%w: the protocol version was %s and would be %s now", errGreeting, g.version, version)
		}
	}
	if g.ready != nil {
		if _, err := l.conn.Write(g.ready); err != nil {
			return err
		}
	}
	return l.conn.SetDeadline(time.Time{})
}
