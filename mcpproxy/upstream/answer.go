package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// answer is what comes back for one request over HTTP: one message, or a stream of events up to the answer.
type answer struct {
	link     *httpLink
	x        exchange
	id       ident
	session  string // that the request was sent in
	protocol string
	modern   bool
	starts   bool // the request is initialize
	known    []*wire.Known

	token   string // that the request was sent with; empty for none
	room    Room   // for what comes; nil: any
	request []byte // to be sent once more with another token; nil where there is none

	begun bool
	buf   *buffer      // what Incoming refers to, where that is no event
	ev    *eventReader // nil where the answer is not a stream
	tries int          // to come back to the stream without anything new on it
	stray bool         // something came that is no answer to this request

	in   Incoming
	err  error       // what Next has come to
	over atomic.Bool // the answer is there: there is nothing to cancel
}

func newAnswer(l *httpLink, out *Outgoing, session string) *answer {
	a := &answer{
		link: l, x: exchange{pool: l.pool}, session: session, protocol: out.Protocol, modern: out.Modern, known: out.Known, room: out.Room,
		starts: !out.Modern && isMethod(out.Frame, methodInitialize),
	}
	a.id.set(out.Frame.Get(wire.ID))
	return a
}

func (a *answer) Next(ctx context.Context) (*Incoming, error) {
	if a.err != nil {
		return nil, a.err
	}
	final, err := a.next(ctx)
	switch {
	case err != nil:
		a.err = err
		a.x.drop()
		return nil, err
	case final:
		a.err = io.EOF
		a.over.Store(true)
	}
	return &a.in, nil
}

// next reads the next message into in, and reports whether it is the answer.
func (a *answer) next(ctx context.Context) (final bool, err error) {
	if !a.begun {
		if err := a.x.receive(ctx); err != nil {
			return false, err
		}
		a.begun = true
		if err := a.link.askAgain(ctx, &a.x, a.request, a.token); err != nil {
			return false, err
		}
		a.request = nil
	}
	h := &a.x.head
	switch {
	case a.ev != nil:
	case h.status == http.StatusNotFound && a.session != "" && !a.modern:
		return false, a.link.refused(h.status, a.session)
	case h.status == http.StatusUnauthorized && a.token != "":
		return false, a.odd() // what it says is for us, and not for the agent
	case h.status >= http.StatusBadRequest && h.media == mediaJSON:
		return true, a.problem(ctx)
	case h.status != http.StatusOK || h.media != mediaJSON && h.media != mediaEvents:
		return false, a.odd()
	case a.starts && !a.link.stateless:
		if err := a.link.remember(h.session); err != nil {
			return false, err
		}
	}
	a.in.Status = h.status
	if h.media == mediaJSON {
		return true, a.whole(ctx)
	}
	if a.ev == nil {
		a.ev, _ = eventReaders.Get().(*eventReader)
		a.ev.reset(&a.x.body, a.link.limits.Frame, a.link.counts)
	}
	a.in.Event = true
	return a.event(ctx)
}

// odd says what a response means that holds no message.
func (a *answer) odd() error {
	if a.x.head.status == http.StatusOK {
		return fmt.Errorf("%w: the content is neither JSON nor an event stream", ErrProtocol)
	}
	err := a.link.refused(a.x.head.status, a.session)
	a.x.finish()
	return err
}

// read reads a content that is one message. Nothing follows it, so the connection is free before the message is used.
func (a *answer) read(ctx context.Context) error {
	a.buf = newBuffer()
	var err error
	var stop func() bool
	if !a.x.body.here() {
		stop = a.x.arm(ctx)
	}
	err = a.fill(ctx)
	a.x.disarm(stop)
	switch {
	case errors.Is(err, ErrNoRoom):
		return err
	case err != nil:
		return because(ctx, meaning(err), err)
	}
	a.x.finish()
	return nil
}

// fill reads a content for which there is room.
func (a *answer) fill(ctx context.Context) (err error) {
	limit, room := a.link.limits.Frame, SmallAnswer
	if a.room == nil {
		room = limit + 1
	}
	a.buf.b, err = a.x.body.readAll(a.buf.b, limit, room)
	if !errors.Is(err, errRoom) {
		return err
	}
	all := limit // all at once: two that had room for a part each could wait for each other
	if b := &a.x.body; !b.chunked && b.left > 0 {
		all = len(a.buf.b) + int(b.left)
	}
	if err := a.room.Hold(ctx, all); err != nil {
		return err
	}
	a.buf.b, err = a.x.body.readAll(a.buf.b, limit, limit+1)
	return err
}

// whole reads an answer that is no stream.
func (a *answer) whole(ctx context.Context) error {
	if err := a.read(ctx); err != nil {
		return err
	}
	if err := a.parse(a.buf.b); err != nil {
		return err
	}
	if !a.in.Frame.Response() || !a.id.is(a.in.Frame.Get(wire.ID)) {
		a.link.counts.stray.Add(1)
		return fmt.Errorf("%w: what came back is no answer to the request", ErrProtocol)
	}
	return a.restore()
}

func (a *answer) parse(raw []byte) error {
	for _, k := range a.known {
		if k.Read(&a.in.Frame, raw, wire.FromUpstream, &a.link.limits) {
			return nil
		}
	}
	if err := wire.Parse(&a.in.Frame, raw, wire.FromUpstream, &a.link.limits); err != nil {
		a.link.counts.malformed.Add(1)
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return nil
}

// problem reads what came with a status of failure. It is the answer where it is an error for this request, or for none:
// the protocol lets servers leave the id out there.
func (a *answer) problem(ctx context.Context) error {
	a.in.Status = a.x.head.status
	status := &StatusError{a.in.Status}
	if err := a.read(ctx); err != nil {
		return fmt.Errorf("%w: %w", status, err)
	}
	f := &a.in.Frame
	if wire.Parse(f, a.buf.b, wire.FromUpstream, &a.link.limits) != nil || f.Kind != wire.KindError {
		return status // JSON of another kind is how some servers put an error into words
	}
	switch id := f.Get(wire.ID); {
	case id == nil:
		return nil
	case !a.id.is(id):
		a.link.counts.stray.Add(1)
		return status
	}
	return a.restore()
}

// restore puts the id back as the request had it, where the server spells it otherwise.
func (a *answer) restore() error {
	f := &a.in.Frame
	if bytes.Equal(f.Get(wire.ID), a.id.raw) {
		return nil
	}
	raw, err := wire.Edits{{At: f.Span(wire.ID), New: a.id.raw}}.Splice(nil, f.Raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return a.parse(raw)
}

// event reads events up to one that holds a message for us.
func (a *answer) event(ctx context.Context) (final bool, err error) {
	for {
		if err := a.pull(ctx); err != nil {
			return false, err
		}
		if err := a.parse(a.ev.data); err != nil {
			return false, err
		}
		f := &a.in.Frame
		switch {
		case f.Response() && a.id.is(f.Get(wire.ID)):
			return true, a.restore()
		case !f.Response() && (f.Kind != wire.KindRequest || !a.modern):
			a.ev.idle = 0
			return false, nil
		}
		a.link.counts.stray.Add(1)
		a.stray = true
		a.ev.idle += len(f.Raw)
	}
}

// pull reads the next event, on as many connections as that takes.
func (a *answer) pull(ctx context.Context) error {
	for {
		if a.room != nil && a.ev.room == 0 { // the event before has gone on
			_ = a.room.Hold(ctx, 0) // to give room back nobody waits
			a.ev.room = SmallAnswer
		}
		seen := a.ev.seen
		stop := a.x.arm(ctx)
		err := a.ev.next()
		if errors.Is(err, errRoom) {
			a.ev.room = 0
			if err = a.room.Hold(ctx, a.link.limits.Frame); err == nil {
				err = a.ev.next()
			}
		}
		a.x.disarm(stop)
		if errors.Is(err, ErrNoRoom) {
			return err
		}
		if a.ev.seen != seen {
			a.tries = 0
		}
		if err == nil {
			return nil
		}
		if a.modern || len(a.ev.id) == 0 || blames(err) || ctx.Err() != nil {
			return a.lost(ctx, err)
		}
		if err := a.resume(ctx); err != nil {
			return err
		}
	}
}

// maxTries bounds how often a stream is asked for again without anything new coming of it.
const maxTries = 6

// resume asks for the rest of a stream that has broken off, or that the server has closed so as not to hold it open
// (2025-11-25, basic/transports, "Resumability and Redelivery").
func (a *answer) resume(ctx context.Context) error {
	cause := io.ErrUnexpectedEOF
	for {
		a.x.drop()
		if a.tries++; a.tries > maxTries {
			return a.lost(ctx, cause)
		}
		if err := a.link.wait(ctx, comeBack(a.ev.retry, a.tries)); err != nil {
			return a.lost(ctx, err)
		}
		err := a.link.reopen(ctx, &a.x, a.ev, string(a.ev.id))
		status, answered := errors.AsType[*StatusError](err)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, ErrSessionEnded):
			return err
		case errors.Is(err, ErrProtocol), answered && status.Code < http.StatusInternalServerError, ctx.Err() != nil:
			return a.lost(ctx, err)
		}
		cause = err
	}
}

// lost says what it means that a stream has ended without the answer.
func (a *answer) lost(ctx context.Context, cause error) error {
	if a.stray && ctx.Err() == nil {
		return fmt.Errorf("%w: what came back is no answer to the request", ErrProtocol)
	}
	return because(ctx, meaning(cause), cause)
}

func (a *answer) Cancel(ctx context.Context, reason string) error {
	switch {
	case a.over.Load() || a.starts:
		return nil
	case a.modern:
		a.x.cut()
		return nil
	}
	f := wire.Frame{Raw: appendCancellation(nil, a.id.raw, reason), Kind: wire.KindNotification}
	_, err := a.link.Send(ctx, &Outgoing{Frame: &f, Protocol: a.protocol})
	return err
}

func (a *answer) Close() {
	if a.over.Load() {
		a.x.finish()
	} else {
		a.x.drop()
	}
	if a.ev != nil {
		a.ev.recycle()
	}
	if a.buf != nil {
		a.buf.free()
	}
	a.ev, a.buf, a.in = nil, nil, Incoming{}
	if a.err == nil {
		a.err = errClosed
	}
}
