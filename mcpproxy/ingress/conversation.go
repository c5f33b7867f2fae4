package ingress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/chair"
	"github.com/hopgate/hopgate/policy"
)

// source is where the messages of a conversation come from. One goroutine at a time reads it.
type source interface {
	// next reads the next message into the buffer. It returns io.EOF where there are no more, and a *broken for what cannot
	// be taken. MaxFrame bounds it in bytes. What is read counts as holds, which the caller drops.
	next(ctx context.Context, into *bytes.Buffer, limit int, holds *load) error
	// ahead reports whether more has been read than next has returned, or next has to be under way always.
	ahead() bool
	// stop ends next, from another goroutine.
	stop()
}

// sink is where messages go to the peer. Any goroutine may call it.
type sink interface {
	// send sees one message off. It keeps nothing of it.
	send(frame []byte) error
	// give makes send fail instead of waiting for a peer that does not read.
	give()
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

// conversation is what one peer says and hears over a connection that lasts. It keeps the order of messages: a request may overtake another one, nothing overtakes a notification, and a
// notification overtakes nothing. A client may cancel only what the upstream knows of, and may call only after it has
// said that it is initialized.
type conversation struct {
	handler Handler
	peer    *Peer
	guest   Guest
	in      source
	out     sink
	slots   chan struct{}
	answers chan struct{}
	leaving <-chan struct{} // closed when no more messages are taken; nil: never
	queue   chan *turn
	queued  atomic.Int64 // turns that were put into the queue and are not started
	bytes   atomic.Int64 // of what is in the queue
	order   sync.RWMutex
	held    atomic.Bool    // the handshake is under way; in it a server may ask, and only answers overtake
	started sync.WaitGroup // of what was in the queue
	work    sync.WaitGroup
	hands   *hands
	chair   *chair.Chair // of who reads
	mine    *turn        // what that one is to deal with; nil: nothing
	slow    int          // turns that are still to be dealt with apart; of that one too
	ended   chan error   // why there is no more to read

	mu   sync.Mutex // held while a message is admitted; guards what follows, and the queue against being closed
	over bool       // no message is admitted any more
}

func newConversation(h Handler, p *Peer, g Guest, in source, out sink) *conversation {
	return &conversation{
		handler: h, peer: p, guest: g, in: in, out: out, slots: make(chan struct{}, inFlight), answers: make(chan struct{}, answering),
		queue: make(chan *turn, waiting), hands: newHands(), ended: make(chan error, 1),
	}
}

// serve deals with the peer's messages until they end, the session does, or ctx does. It then waits for the answers under
// way; at the end of ctx not for long.
func (d *conversation) serve(ctx context.Context) error {
	listening, leave := context.WithCancel(ctx)
	defer leave()
	posting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	done := make(chan struct{})
	var general sync.WaitGroup
	general.Add(1)
	go d.guest.Listen(listening, &Head{}, plainReply{d.out}, func() {
		if ctx.Err() == nil { // else that is why, and posting may not have heard of it yet
			stop(errOver)
		}
		general.Done()
	})
	d.work.Go(func() { d.sequence(posting) })
	err := d.receive(posting)
	go func() {
		defer close(done)
		d.started.Wait()
		stop(nil) // what would go on for ever ends
		d.work.Wait()
		d.hands.dismiss()
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
		d.out.give()
	}
	return err
}

// errOver is why a conversation ends whose session has.
var errOver = errors.New("the session has ended")

// broken is a message that cannot be taken.
type broken struct {
	reason *policy.Reason
	end    error // what comes behind it; nil: further messages
}

func (b *broken) Error() string { return "message refused: " + b.reason.Code }

// receive takes message after message in until there are no more, or ctx ends. A read that does not end with it goes on, and
// comes to nothing.
func (d *conversation) receive(ctx context.Context) error {
	d.chair = chair.New(func() {
		d.slow = slowTurns
		d.read(ctx)
	})
	go d.read(ctx)
	err := d.await(ctx)
	d.chair.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	close(d.queue)
	return err
}

// await waits until no more messages are to be taken, and says why.
func (d *conversation) await(ctx context.Context) error {
	select {
	case <-ctx.Done():
		d.in.stop()
		return context.Cause(ctx)
	case <-d.leaving:
		d.in.stop()
		return nil
	case err := <-d.ended:
		return err
	}
}

// slowTurns is how many turns are dealt with apart after one that took longer than a chair may be vacant.
const slowTurns = 16

// read reads messages until there are no more, none is admitted, or another goroutine reads. Who has read a request with which
// the peer is alone deals with it there and then, and reads on behind it. Where that takes longer, another one reads on.
func (d *conversation) read(ctx context.Context) {
	for {
		t := newTurn(d)
		t.load = load{guest: d.guest}
		err := d.in.next(ctx, &t.line, d.guest.MaxFrame(), &t.load)
		more, err := d.take(ctx, t, err)
		if !more {
			d.ended <- err
			return
		}
		if d.mine == nil {
			continue
		}
		t, d.mine = d.mine, nil
		d.chair.Leave()
		t.run(ctx)
		if !d.chair.Take() {
			return
		}
	}
}

// take deals with what a read has come to, and reports whether there is more to read.
func (d *conversation) take(ctx context.Context, t *turn, err error) (more bool, end error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil || d.over {
		t.drop()
	}
	if d.over {
		return false, nil
	}
	if b, ok := errors.AsType[*broken](err); ok {
		refuse(d.out, d.handler.Refuse(ctx, d.peer, b.reason, ""))
		if err = b.end; err == nil {
			return true, nil
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return false, nil
	case err == nil:
		err = d.admit(ctx, t)
	}
	return err == nil, err
}

// admit starts a message, or lets it wait for its turn. An answer overtakes those that wait, because they may wait for it.
func (d *conversation) admit(ctx context.Context, t *turn) error {
	t.passed, t.answer, t.alone = false, mayBeAnswer(t.line.Bytes()), !mayBeRequest(t.line.Bytes())
	if !t.grow(leastLoad) && !t.answer { // a call may wait for an answer, and make room then
		d.turnAway(ctx, t)
		return nil
	}
	idle := d.queued.Load() == 0 // nothing comes before it
	if t.answer && (!idle || len(d.slots) == cap(d.slots) || d.held.Load()) {
		t.passed = true
		return t.start(ctx)
	}
	if idle && t.startNow(ctx) {
		return nil
	}
	if n := int64(t.line.Len()); d.bytes.Add(n) <= waitBytes || len(d.queue) == 0 {
		d.started.Add(1)
		d.queued.Add(1)
		select {
		case d.queue <- t:
			return nil
		default:
			d.queued.Add(-1)
			d.started.Done()
		}
	}
	d.bytes.Add(-int64(t.line.Len()))
	d.turnAway(ctx, t)
	return nil
}

// turnAway refuses a message for which there is no room.
func (d *conversation) turnAway(ctx context.Context, t *turn) {
	r := d.handler.Refuse(ctx, d.peer, reasonBusy, "")
	turnedAway{r}.Post(ctx, &Message{Raw: t.line.Bytes()}, plainReply{d.out})
	t.drop()
}

// sequence starts the messages that wait, in their order.
func (d *conversation) sequence(ctx context.Context) {
	for t := range d.queue {
		d.bytes.Add(-int64(t.line.Len()))
		_ = t.start(ctx) // at the end of the context nobody waits for the rest
		d.queued.Add(-1)
		d.started.Done()
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

// plainReply answers one message of a conversation.
type plainReply struct{ out sink }

// Session does nothing: the connection is the session.
func (plainReply) Session(string) {}

// Resumable does nothing: a connection that is gone does not come back.
func (plainReply) Resumable(string) {}

// Streaming reports false: there are no streams to tell apart.
func (plainReply) Streaming() bool { return false }

// Open does nothing: the stream is always open.
func (plainReply) Open() error { return nil }

// Send sends a message.
func (r plainReply) Send(_ string, frame []byte) error { return r.out.send(frame) }

// Finish sends a message.
func (r plainReply) Finish(_ string, _ int, frame []byte) error { return r.out.send(frame) }

// End does nothing.
func (plainReply) End() {}

// Accept does nothing: a notification has no answer.
func (plainReply) Accept() {}

// Refuse sends the refusal. A notification gets no answer, refused or not (JSON-RPC 2.0 section 4.1).
func (r plainReply) Refuse(refusal *Refusal) {
	if refusal.ID == nil && refusal.Method != "" {
		return
	}
	refuse(r.out, refusal)
}

func refuse(out sink, r *Refusal) {
	_ = out.send(r.Append(make([]byte, 0, 512))) // a peer that is gone needs no answer
}
