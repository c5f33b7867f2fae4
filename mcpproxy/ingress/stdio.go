package ingress

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// Stdio serves one peer over a pair of streams, one message a line. What the peer sends first is dealt with first as far
// as the upstream; answers come in the order in which they are ready.
type Stdio struct {
	Handler Handler
	In      io.Reader
	Out     io.Writer
	Leaving <-chan struct{} // closed when no more messages are to be taken; nil: never
}

// Serve admits the peer and deals with its messages until In ends, Leaving is closed, or ctx ends. It then waits for the
// answers under way; at the end of ctx not for long, whether or not anybody reads Out. Where In goes on, Serve closes it if
// it is an [io.Closer]. One that is none, or does not heed it, keeps a goroutine until it ends. Where the peer is not
// admitted, every request is answered with the refusal, because clients show that to people.
func (s *Stdio) Serve(ctx context.Context, p *Peer) error {
	guest, refusal := s.Handler.Admit(ctx, p)
	if refusal != nil {
		guest = turnedAway{refusal}
	}
	d := newConversation(s.Handler, p, guest, &lineReader{s.In, bufio.NewReaderSize(s.In, 64<<10)}, newLineWriter(s.Out))
	d.leaving = s.Leaving
	return d.serve(ctx)
}

// lineReader takes messages off a stream of lines.
type lineReader struct {
	in io.Reader
	br *bufio.Reader
}

func (l *lineReader) next(_ context.Context, into *bytes.Buffer, limit int, holds *load) error {
	err := readLine(l.br, into, limit, holds)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errLoad):
		return &broken{reasonBusy, nil}
	case errors.Is(err, errLine):
		return &broken{reasonLarge, nil}
	case into.Len() > 0:
		return &broken{reasonEnd, ended(err)}
	}
	return ended(err)
}

// ended says how it is bad that there is no more to read.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return fmt.Errorf("reading messages: %w", err)
}

func (l *lineReader) ahead() bool { return l.br.Buffered() > 0 }

func (l *lineReader) stop() {
	if c, ok := l.in.(io.Closer); ok {
		_ = c.Close() // it is only to end a read
	}
}

// turnedAway stands for a peer that was not admitted.
type turnedAway struct{ refusal *Refusal }

// MaxFrame is the default limit.
func (turnedAway) MaxFrame() int { return wire.DefaultLimits.Frame }

// Hold counts nothing: one connection has messages enough of its own.
func (turnedAway) Hold(int, int) bool { return true }

// Free does nothing.
func (turnedAway) Free(int) {}

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
func (turnedAway) Listen(ctx context.Context, _ *Head, _ Reply, over func()) {
	defer over()
	<-ctx.Done()
}

// End has nothing to end.
func (t turnedAway) End(context.Context, *Head) *Refusal { return t.refusal }
