package ingress

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// Stdio serves one peer over a pair of streams, one message a line. What the peer sends first is dealt with first as far
// as the upstream; answers come in the order in which they are ready.
type Stdio struct {
	Handler Handler
	In      io.Reader
	Out     io.Writer
}

// Bounds of the messages of one peer.
const (
	inFlight  = 256      // requests and notifications that are dealt with at the same time
	answering = 64       // answers, which wait for nothing: a call that waits for one must not keep it out
	waiting   = 1024     // further messages; more are refused
	waitBytes = 16 << 20 // of these
)

// lastTime is how long a peer has, when the context has ended, to take what is still to be said.
const lastTime = 2 * time.Second

// Serve admits the peer and deals with its messages until In ends or ctx does. It then waits for the answers under way;
// at the end of ctx not for long, whether or not anybody reads Out, and it closes In where that is an [io.Closer]. One that
// is none, or does not heed it, keeps a goroutine until it ends. Where the peer is not admitted, every request is answered
// with the refusal, because clients show that to people.
func (s *Stdio) Serve(ctx context.Context, p *Peer) error {
	out := newLineWriter(s.Out)
	guest, refusal := s.Handler.Admit(ctx, p)
	if refusal != nil {
		guest = turnedAway{refusal}
	}
	listening, leave := context.WithCancel(ctx)
	defer leave()
	d := &dispatcher{
		Stdio: s, peer: p, guest: guest, out: out, slots: make(chan struct{}, inFlight), answers: make(chan struct{}, answering),
		queue: make(chan *turn, waiting),
	}
	done := make(chan struct{})
	var general sync.WaitGroup
	general.Go(func() { guest.Listen(listening, &Head{}, lineReply{out}) })
	posting, stop := context.WithCancel(ctx)
	defer stop()
	d.work.Go(func() { d.sequence(posting) })
	err := d.receive(posting)
	go func() {
		defer close(done)
		d.started.Wait()
		stop() // what would go on for ever ends
		d.work.Wait()
		leave()
		general.Wait()
	}()
	select {
	case <-done:
		return err
	case <-ctx.Done():
	}
	last := time.NewTimer(lastTime)
	defer last.Stop()
	select {
	case <-done:
	case <-last.C:
		close(out.gone)
	}
	return err
}

// arrival is what a read has come to.
type arrival struct {
	turn *turn
	err  error
}

// receive takes message after message off In until that ends, or ctx does.
func (d *dispatcher) receive(ctx context.Context) error {
	defer close(d.queue)
	lines, done := make(chan arrival), make(chan struct{})
	defer close(done)
	go d.read(lines, done)
	for {
		var a arrival
		select {
		case <-ctx.Done():
			if c, ok := d.In.(io.Closer); ok {
				_ = c.Close() // it is only to end a read
			}
			return context.Cause(ctx)
		case a = <-lines:
		}
		switch {
		case errors.Is(a.err, errLine):
			d.out.refuse(d.Handler.Refuse(ctx, d.peer, ReasonLarge, ""))
			continue
		case a.err != nil && a.turn.line.Len() > 0:
			d.out.refuse(d.Handler.Refuse(ctx, d.peer, ReasonEnd, ""))
			return ended(a.err)
		case a.err != nil:
			return ended(a.err)
		}
		if err := d.admit(ctx, a.turn); err != nil {
			return err
		}
	}
}

// read reads lines until In ends or nobody takes them.
func (d *dispatcher) read(lines chan<- arrival, done <-chan struct{}) {
	in := bufio.NewReaderSize(d.In, 64<<10)
	for {
		t := newTurn(d)
		err := readLine(in, &t.line, d.guest.MaxFrame())
		select {
		case lines <- arrival{t, err}:
		case <-done:
			return
		}
		if err != nil && !errors.Is(err, errLine) {
			return
		}
	}
}

// admit lets a message wait for its turn. An answer overtakes those that wait, because they may wait for it.
func (d *dispatcher) admit(ctx context.Context, t *turn) error {
	t.passed, t.answer, t.alone = false, mayBeAnswer(t.line.Bytes()), !mayBeRequest(t.line.Bytes())
	if t.answer && (len(d.queue) > 0 || len(d.slots) == cap(d.slots) || d.held.Load()) {
		t.passed = true
		return t.start(ctx)
	}
	if n := int64(t.line.Len()); d.bytes.Add(n) <= waitBytes || len(d.queue) == 0 {
		d.started.Add(1)
		select {
		case d.queue <- t:
			return nil
		default:
			d.started.Done()
		}
	}
	d.bytes.Add(-int64(t.line.Len()))
	r := d.Handler.Refuse(ctx, d.peer, ReasonBusy, "")
	turnedAway{r}.Post(ctx, &Message{Raw: t.line.Bytes()}, lineReply{d.out})
	return nil
}

// sequence starts the messages that wait, in their order.
func (d *dispatcher) sequence(ctx context.Context) {
	for t := range d.queue {
		d.bytes.Add(-int64(t.line.Len()))
		_ = t.start(ctx) // at the end of the context nobody waits for the rest
		d.started.Done()
	}
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("reading messages: %w", err)
}

// dispatcher keeps the order of messages: a request may overtake another one, nothing overtakes a notification, and a
// notification overtakes nothing. A client may cancel only what the upstream knows of, and may call only after it has
// said that it is initialized.
type dispatcher struct {
	*Stdio
	peer    *Peer
	guest   Guest
	out     *lineWriter
	slots   chan struct{}
	answers chan struct{}
	queue   chan *turn
	bytes   atomic.Int64 // of what is in the queue
	order   sync.RWMutex
	held    atomic.Bool    // the handshake is under way; in it a server may ask, and only answers overtake
	started sync.WaitGroup // of what was in the queue
	work    sync.WaitGroup
}

// turn is one message's turn.
type turn struct {
	*dispatcher
	line   bytes.Buffer
	msg    Message
	alone  bool // nothing may overtake the message
	answer bool // it has room of its own
	passed bool // the next message may go
}

var turns = sync.Pool{New: func() any { return new(turn) }}

func newTurn(d *dispatcher) *turn {
	t, _ := turns.Get().(*turn)
	t.dispatcher = d
	return t
}

// start waits until it is the message's turn, and deals with it in a goroutine of its own.
func (t *turn) start(ctx context.Context) error {
	select {
	case t.room() <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	switch {
	case t.passed: // it has overtaken the others
	case t.alone:
		t.order.Lock()
		t.held.Store(mayBeGreeting(t.line.Bytes()))
	default:
		t.order.RLock()
	}
	t.work.Add(1)
	t.msg = Message{Raw: t.line.Bytes(), turn: t}
	go t.run(ctx)
	return nil
}

// room bounds the messages of a kind that are dealt with.
func (t *turn) room() chan struct{} {
	if t.answer {
		return t.answers
	}
	return t.slots
}

func (t *turn) run(ctx context.Context) {
	d, room := t.dispatcher, t.room()
	defer func() {
		t.pass()
		if t.line.Cap() <= keepBody {
			t.dispatcher, t.msg = nil, Message{}
			turns.Put(t)
		}
		<-room
		d.work.Done()
	}()
	d.guest.Post(ctx, &t.msg, lineReply{d.out})
}

// pass lets the next message go.
func (t *turn) pass() {
	switch {
	case t.passed:
	case t.alone:
		t.passed = true
		t.held.Store(false)
		t.order.Unlock()
	default:
		t.passed = true
		t.order.RUnlock()
	}
}

// mayBeRequest is a guess by which messages are ordered, nothing else: whether the line has an id and a method.
func mayBeRequest(line []byte) bool {
	return bytes.Contains(line, []byte(`"id"`)) && bytes.Contains(line, []byte(`"method"`)) &&
		!bytes.Contains(line, []byte(`"notifications/`)) && !mayBeGreeting(line)
}

// mayBeGreeting is a guess of the same kind: whether the line begins the handshake.
func mayBeGreeting(line []byte) bool { return bytes.Contains(line, []byte(`"initialize"`)) }

// mayBeAnswer is a guess of the same kind: whether the line answers a request.
func mayBeAnswer(line []byte) bool {
	return !bytes.Contains(line, []byte(`"method"`)) && (bytes.Contains(line, []byte(`"result"`)) || bytes.Contains(line, []byte(`"error"`)))
}

// turnedAway stands for a peer that was not admitted.
type turnedAway struct{ refusal *Refusal }

// MaxFrame is the default limit.
func (turnedAway) MaxFrame() int { return wire.DefaultLimits.Frame }

// Post answers a request with the refusal.
func (t turnedAway) Post(_ context.Context, m *Message, reply Reply) {
	r := *t.refusal
	var f wire.Frame
	var fault *wire.Fault
	switch err := wire.Parse(&f, m.Raw, wire.FromAgent, &wire.DefaultLimits); {
	case err == nil && f.Response():
		return // an answer is not answered
	case err == nil:
		r.ID, r.Method, r.Modern = f.Get(wire.ID), f.String(wire.Method), f.Has(wire.MetaProtocolVersion)
	case errors.As(err, &fault):
		r.ID = fault.ID
	}
	reply.Refuse(&r)
}

// Listen has nothing to tell.
func (turnedAway) Listen(ctx context.Context, _ *Head, _ Reply) { <-ctx.Done() }

// End has nothing to end.
func (t turnedAway) End(context.Context, *Head) *Refusal { return t.refusal }
