package ingress

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// Stdio serves one peer over a pair of streams, one message a line. What the peer sends first is dealt with first as far
// as the upstream; answers come in the order in which they are ready.
type Stdio struct {
	Handler Handler
	In      io.Reader
	Out     io.Writer
}

// inFlight bounds the messages of one peer that are dealt with at the same time. Further ones wait in the pipe.
const inFlight = 256

// Serve admits the peer and deals with its messages until In ends or ctx does. It then waits for the answers under way.
// Where the peer is not admitted, every request is answered with the refusal, because clients show that to people.
func (s *Stdio) Serve(ctx context.Context, p *Peer) error {
	out := &lineWriter{w: s.Out}
	guest, refusal := s.Handler.Admit(ctx, p)
	if refusal != nil {
		guest = turnedAway{refusal}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	general := make(chan struct{})
	go func() {
		defer close(general)
		guest.Listen(ctx, &Head{}, lineReply{out})
	}()
	defer func() { cancel(); <-general }()
	d := &dispatcher{guest: guest, out: out, slots: make(chan struct{}, inFlight)}
	defer d.work.Wait()
	posting, stop := context.WithCancel(ctx)
	defer stop()
	in := bufio.NewReaderSize(s.In, 64<<10)
	for {
		t := newTurn(d)
		err := readLine(in, &t.line, guest.MaxFrame())
		switch {
		case errors.Is(err, errLine):
			out.refuse(s.Handler.Refuse(ctx, p, ReasonLarge, ""))
			continue
		case err != nil && t.line.Len() > 0:
			out.refuse(s.Handler.Refuse(ctx, p, ReasonEnd, ""))
			return ended(err)
		case err != nil:
			return ended(err)
		}
		if err := t.start(posting); err != nil {
			return err
		}
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
	guest Guest
	out   *lineWriter
	slots chan struct{}
	order sync.RWMutex
	work  sync.WaitGroup
}

// turn is one message's turn.
type turn struct {
	*dispatcher
	line   bytes.Buffer
	msg    Message
	alone  bool // nothing may overtake the message
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
	case t.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	t.passed, t.alone = false, !mayBeRequest(t.line.Bytes())
	if t.alone {
		t.order.Lock()
	} else {
		t.order.RLock()
	}
	t.work.Add(1)
	t.msg = Message{Raw: t.line.Bytes(), turn: t}
	go t.run(ctx)
	return nil
}

func (t *turn) run(ctx context.Context) {
	d := t.dispatcher
	defer func() {
		t.pass()
		if t.line.Cap() <= keepBody {
			t.dispatcher, t.msg = nil, Message{}
			turns.Put(t)
		}
		<-d.slots
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
		t.order.Unlock()
	default:
		t.passed = true
		t.order.RUnlock()
	}
}

// mayBeRequest is a guess by which messages are ordered, nothing else: whether the line has an id and a method.
func mayBeRequest(line []byte) bool {
	return bytes.Contains(line, []byte(`"id"`)) && bytes.Contains(line, []byte(`"method"`)) &&
		!bytes.Contains(line, []byte(`"notifications/`)) && !bytes.Contains(line, []byte(`"initialize"`))
}

// errLine tells of a line that was longer than the limit. It was read to its end and dropped.
var errLine = errors.New("line too long")

// readLine reads one line into buf, without its line break. Empty lines are passed over. At the end of the input it
// returns io.EOF, with what the input held of an unfinished line in buf.
func readLine(in *bufio.Reader, buf *bytes.Buffer, limit int) error {
	buf.Reset()
	long := false
	for {
		part, err := in.ReadSlice('\n')
		if !long && buf.Len()+len(part) > limit+2 {
			long = true
			buf.Reset()
		}
		if !long {
			buf.Write(part)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return err
		case long:
			return errLine
		}
		buf.Truncate(len(bytes.TrimRight(buf.Bytes(), "\r\n")))
		if buf.Len() > 0 {
			return nil
		}
	}
}

// lineWriter writes whole lines; several goroutines share it.
type lineWriter struct {
	mu  sync.Mutex // guards all
	w   io.Writer
	buf []byte
	err error // of the first write that failed; nothing is written after it
}

func (l *lineWriter) line(frame []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	l.buf = append(appendLine(l.buf[:0], frame), '\n')
	_, l.err = l.w.Write(l.buf)
	if cap(l.buf) > keepBody {
		l.buf = nil
	}
	return l.err
}

// appendLine appends a message as one line. Line breaks between its tokens become spaces; inside strings JSON has none.
func appendLine(dst, frame []byte) []byte {
	at := len(dst)
	dst = append(dst, frame...)
	wire.OneLine(dst[at:])
	return dst
}

func (l *lineWriter) refuse(r *Refusal) {
	_ = l.line(r.Append(make([]byte, 0, 512))) // a peer that is gone needs no answer
}

// lineReply answers one message on stdio.
type lineReply struct{ out *lineWriter }

// Session does nothing: the process is the session.
func (lineReply) Session(string) {}

// Resumable does nothing: a process that is gone does not come back.
func (lineReply) Resumable(string) {}

// Streaming reports false: there are no streams to tell apart.
func (lineReply) Streaming() bool { return false }

// Open does nothing: the stream is always open.
func (lineReply) Open() error { return nil }

// Send writes a line.
func (r lineReply) Send(_ string, frame []byte) error { return r.out.line(frame) }

// Finish writes a line.
func (r lineReply) Finish(_ string, _ int, frame []byte) error { return r.out.line(frame) }

// End does nothing.
func (lineReply) End() {}

// Accept does nothing: a notification has no answer on stdio.
func (lineReply) Accept() {}

// Refuse writes the refusal. A notification gets no answer, refused or not (JSON-RPC 2.0 section 4.1).
func (r lineReply) Refuse(refusal *Refusal) {
	if refusal.ID == nil && refusal.Method != "" {
		return
	}
	r.out.refuse(refusal)
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
