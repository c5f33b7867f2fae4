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
	lastTime   = time.Second      // that the client has, when the context has ended, to take what is being written
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

// Run relays until In ends and everything is answered, or until ctx ends; then it waits for neither side for long. It
// returns the error of the last attempt where no owner was found; a *Refusal is one. A goroutine reads In until that ends,
// and one may write to Out as long as the client does not read.
func (r *Relay) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop() // which closes what connection there is
	x := &run{Relay: r, book: newBook(), slot: make(chan struct{}, 1), said: make(chan end, 1), over: make(chan error, 1)}
	done := make(chan error, 1)
	go func() { done <- x.loop(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	last := time.NewTimer(lastTime)
	defer last.Stop()
	select {
	case err := <-done:
		return err
	case <-last.C:
		return nil
	}
}

// run is one run of a relay. One goroutine copies what the client sends, one what the owner does; to hand each line over to
// a third would cost more than all else. The loop comes in where one of the two has nothing more to say.
type run struct {
	*Relay
	book *book
	said chan end   // has a value when the client sends nothing more, or there is no owner for it
	over chan error // has a value when the owner of the link sends nothing more

	slot     chan struct{} // holds one token where somebody deals with what follows
	link     *link         // nil while there is none
	attached bool          // there was one
	failed   error         // of the last attempt
	at       time.Time
	briefs   int

	mu sync.Mutex // held while a line is written to Out
}

// end is how the client's messages end.
type end struct {
	read  error // what was met with; io.EOF is the end of the input
	final error // what ends the relay at once; nil: nothing
}

// link is a connection in use. It is closed when the relay ends.
type link struct {
	conn *Conn
	born time.Time
	free func() bool // lets it be closed by nobody but us
}

func (l *link) close() {
	l.free()
	_ = l.conn.Close() // nothing more is to be said
}

// read passes lines of the client on until there are no more.
func (x *run) read(ctx context.Context) {
	in := bufio.NewReaderSize(x.In, keepBuffer)
	var buf []byte
	for {
		var e end
		buf, e.read = readLine(buf[:0], in)
		if !x.enter(ctx) {
			return
		}
		e.final = x.pass(ctx, buf)
		x.exit()
		if e.read != nil || e.final != nil {
			x.said <- e
			return
		}
		if cap(buf) > keepBuffer {
			buf = nil
		}
	}
}

// enter waits for the slot. It reports false where ctx has ended.
func (x *run) enter(ctx context.Context) bool {
	select {
	case x.slot <- struct{}{}:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

func (x *run) exit() { <-x.slot }

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
	if err := x.attach(ctx); err != nil {
		return err
	}
	go x.read(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-x.said:
			if e.final != nil {
				return e.final
			}
			return x.last(e.read)
		case err := <-x.over:
			if !x.enter(ctx) {
				return nil
			}
			err = x.lost(ctx, err)
			x.exit()
			if err != nil {
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
		l := &link{conn: conn, born: x.Clock(), free: context.AfterFunc(ctx, func() { _ = conn.Close() })} // an owner that does not read or say anything must not hold us
		err = x.greet(l)
		switch {
		case err == nil:
			x.link = l
			go x.receive(l)
		case errors.Is(err, errGreeting):
			l.close()
			return err
		default:
			l.close() // it is lost
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
	_, _ = x.link.conn.Write(text) // where it is lost, so is the link, and that is noticed on the other way
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
			x.over <- err
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
	l.close() // it is lost
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
func (x *run) last(err error) error {
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading messages: %w", err)
	}
	if x.link == nil {
		return x.failed
	}
	l := x.link
	x.link = nil
	_ = l.conn.CloseWrite() // where it is lost already, nothing more comes
	err = <-x.over
	x.book.lost(func(id []byte) { x.answer(ReasonLost, id) })
	l.close()
	if errors.Is(err, errClient) {
		return err
	}
	return nil
}

// answer answers a request in place of the owner.
func (x *run) answer(r *policy.Reason, id []byte) { _ = x.write(appendRefusal(nil, r, id)) }

// errGreeting says that the greeting was repeated in vain. What the client has been told does not hold any more.
var errGreeting = errors.New("repeating the client's greeting")

// greet repeats to a new owner what the client has said to the old one: initialize, whose answer the client knows
// already, and that it is initialized.
func (x *run) greet(l *link) error {
	g := x.book.greeting()
	if g.version == "" {
		return nil
	}
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
