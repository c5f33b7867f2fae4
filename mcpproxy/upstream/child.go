package upstream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

var (
	errChildEnded = errors.New("the child has ended")
	errNotRead    = errors.New("the child does not read its input")
)

// child is a conversation with a process over its standard streams (2025-11-25, basic/transports, "stdio"), or a process
// that calls without conversation share. Three goroutines serve it: one holds the thread that the process lives by, one
// reads its output where no caller does, one what it writes to stderr.
type child struct {
	talk
	launcher *launcher
	proc     *process
	born     time.Time
	log      zerolog.Logger

	slot  chan struct{} // holds one token while a message is written
	line  []byte        // of the one who has the slot, as are the next two
	own   []byte
	names wire.Edits

	ear     ear
	leaving sync.Once
	wanted  atomic.Bool   // it was told to end
	gone    chan struct{} // closed when nothing is left of it
	drained chan struct{} // closed when its stderr has ended
	stderr  diagnostics   // of the goroutine that reads it, until then
}

func newChild(l *launcher, p *process, shared bool) *child {
	c := &child{
		talk:     talk{hub: newHub(shared, l.Limits, l.Timeouts.Stall, l.counts), done: make(chan struct{})},
		launcher: l, proc: p, born: l.Clock(), log: l.Log.With().Str("upstream", l.Name).Logger(),
		slot: make(chan struct{}, 1), gone: make(chan struct{}), drained: make(chan struct{}),
	}
	c.stderr = diagnostics{log: c.log, clock: l.Clock, veil: l.Veil}
	c.pen = c
	c.ear = ear{child: c, outlet: newOutlet(p, p.out, l.Clock)}
	c.ear.br = bufio.NewReaderSize(c.ear.outlet, 64<<10)
	c.reader = newReader(&c.ear)
	return c
}

func (c *child) start() {
	go c.drain()
	go c.run()
}

// run reads what the child says until it ends or goes too far, and clears up behind it.
func (c *child) run() {
	err := c.reader.serve()
	wanted := c.wanted.Load() // before anybody can see that it has ended, and close it
	close(c.done)             // before a call fails: whoever asks next is to have another child
	if _, ok := errors.AsType[violation](err); ok {
		c.proc.kill()
		c.hangUp(fmt.Errorf("%w: %w", ErrProtocol, err))
	} else {
		c.hangUp(fmt.Errorf("%w: %w", ErrUnknownOutcome, &endError{c.proc.epitaph()}))
	}
	c.end(nil)
	<-c.drained
	c.proc.close()
	c.slot <- struct{}{} // nobody writes any more, and nobody begins to
	c.launcher.ended(c, wanted, c.ear.answered)
	c.tellEnd(wanted, err)
	close(c.gone)
}

// tellEnd logs the end. Of a child that has never answered, what it wrote to stderr is likely to say why.
func (c *child) tellEnd(wanted bool, err error) {
	level := zerolog.InfoLevel
	if !wanted || !c.ear.answered {
		level = zerolog.WarnLevel
	}
	e := c.log.WithLevel(level).Int("pid", c.proc.pid).Str("state", c.proc.state).Bool("wanted", wanted).AnErr("cause", err)
	if c.ear.answered {
		e.Msg("child ended")
		return
	}
	e.Strs("stderr", c.stderr.lines()).Msg("child ended without an answer")
}

// write writes a message as one line; see pen. What is written in part cannot be taken back: where the context's time is
// over in the middle, the rest is written without the caller.
func (c *child) write(ctx context.Context, f *wire.Frame, k *call) error {
	if err := c.claim(ctx); err != nil {
		return err
	}
	rest := false
	defer func() {
		if !rest {
			<-c.slot
		}
	}()
	c.names, c.own = k.names(c.names[:0], f, c.own)
	line, err := c.names.Splice(c.line[:0], f.Raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	line = append(oneLine(line), '\n')
	if c.line = line; cap(line) > maxKept {
		c.line = nil
	}
	rest, err = c.put(ctx, line)
	return err
}

// oneLine replaces the line breaks between tokens.
func oneLine(line []byte) []byte {
	if bytes.IndexByte(line, '\n') >= 0 || bytes.IndexByte(line, '\r') >= 0 {
		wire.OneLine(line)
	}
	return line
}

// claim waits for the slot.
func (c *child) claim(ctx context.Context) error {
	select {
	case <-c.ending:
		return ErrSessionEnded
	case <-c.done:
		return ErrSessionEnded
	default:
	}
	if err := ctx.Err(); err != nil {
		return because(ctx, ErrUnavailable, err)
	}
	select {
	case c.slot <- struct{}{}:
		return nil
	case <-ctx.Done():
		return because(ctx, ErrUnavailable, ctx.Err())
	case <-c.done:
		return ErrSessionEnded
	}
}

// put writes a line. A child that takes only a part of it in time is lost: whatever follows, it would read together with
// the rest. That time is longer than the caller's may be; rest says then that another goroutine writes on, and has the slot.
func (c *child) put(ctx context.Context, line []byte) (rest bool, err error) {
	last := c.launcher.Clock().Add(c.launcher.Timeouts.Write)
	until := last
	if end, ok := ctx.Deadline(); ok && end.Before(last) {
		until = end
	}
	n, err := c.pour(line, until)
	switch {
	case err == nil:
		return false, nil
	case !errors.Is(err, errNotRead) || until.Equal(last):
		return false, c.cutOff(len(line)-n, n, err)
	}
	<-ctx.Done() // at once, because its time is over
	if n == 0 {
		return false, because(ctx, ErrUnavailable, err)
	}
	go func() {
		defer func() { <-c.slot }()
		if more, err := c.pour(line[n:], last); err != nil {
			_ = c.cutOff(len(line)-n-more, n+more, err) // the caller knows as much as can be known
		}
	}()
	return true, because(ctx, ErrUnknownOutcome, err)
}

// pour writes bytes until a deadline, and returns how many the child has taken.
func (c *child) pour(b []byte, until time.Time) (n int, err error) {
	if err := c.proc.in.SetWriteDeadline(until); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrSessionEnded, err)
	}
	n, err = c.proc.in.Write(b)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errNotRead
	case err != nil: // nobody is at the other end any more
		err = &endError{c.proc.epitaph()}
	}
	return n, err
}

// cutOff says what it means that so many bytes of a line are left, and so many are written.
func (c *child) cutOff(left, written int, err error) error {
	switch {
	case errors.Is(err, ErrSessionEnded) && written == 0:
		return err
	case written > 0:
		c.proc.kill()
	}
	if left <= 1 { // the line break
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// Close ends the child. The context's end makes it end at once.
func (c *child) Close(ctx context.Context) error {
	c.leave(ctx.Done())
	return nil
}

// leave ends the child and waits until nothing is left of it.
func (c *child) leave(stop <-chan struct{}) {
	c.wanted.Store(true)
	c.end(stop)
	<-c.gone
}

func (c *child) end(stop <-chan struct{}) {
	c.leaving.Do(func() {
		close(c.ending)
		c.proc.end(stop, c.launcher.Timeouts.Grace)
	})
}

// drain reads what the child writes to stderr, so that it is never kept waiting.
func (c *child) drain() {
	defer close(c.drained)
	c.stderr.copy(newOutlet(c.proc, c.proc.diag, c.launcher.Clock))
}
