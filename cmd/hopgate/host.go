package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hopgate/hopgate/cmd/hopgate/relay"
	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// handshakeTime is how long a front-end may take to say what it wants.
const handshakeTime = 5 * time.Second

// host serves the front-ends that find this process, each as if the process had been started for it alone.
type host struct {
	*engine
	version string
	yields  bool          // a front-end has started us: we end where another process is to own the state
	idle    time.Duration // without front-ends, after which we end; 0 for never
	leave   context.CancelFunc

	socket   string
	listener *net.UnixListener
	work     sync.WaitGroup
	serving  sync.WaitGroup // front-ends that are being served; grows only under mu, while leaving is not set

	mu      sync.Mutex               // guards what follows
	conns   map[*relay.Conn]struct{} // nil before we listen and after we have hung up
	timer   *time.Timer              // runs while there are no front-ends; nil where idle is 0
	leaving bool                     // whoever comes is told to look for another owner
}

// open begins to take front-ends. The configuration is in force.
func (h *host) open(ctx context.Context) error {
	h.socket = h.app.socket(h.dir, socketRelay)
	var err error
	if h.listener, err = relay.Listen(h.socket); err != nil {
		return fmt.Errorf("opening the socket for front-ends: %w", err)
	}
	h.mu.Lock()
	h.conns = map[*relay.Conn]struct{}{}
	if h.idle > 0 {
		h.timer = time.AfterFunc(h.idle, h.expire)
	}
	h.mu.Unlock()
	ctx = context.WithoutCancel(ctx) // what is under way ends with drain
	h.work.Go(func() {
		for {
			raw, err := h.listener.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					h.log.Error().Err(err).Msg("no front-end can be taken any more")
					h.leave()
				}
				return
			}
			h.work.Go(func() { h.meet(ctx, raw) })
		}
	})
	return nil
}

// meet deals with one connection.
func (h *host) meet(ctx context.Context, raw net.Conn) {
	c, hello, err := relay.Accept(raw, time.Now().Add(handshakeTime))
	if err != nil {
		h.log.Warn().Err(err).Msg("a front-end is turned away")
		_ = raw.Close() // nothing was agreed on
		return
	}
	peer := &ingress.Peer{
		Transport: ingress.OverStdio, Remote: username(), Upstream: hello.Upstream, As: hello.Agent, Dir: hello.Dir,
		Credential: ingress.Credential(hello.Key), Local: hello.Key == "",
	}
	w := h.judge(hello, peer)
	if w.Code != 0 {
		_ = errors.Join(c.Answer(w), c.Close()) // a front-end that is gone needs no answer
		return
	}
	if !h.enter(c, w) {
		_ = c.Close() // the front-end looks for another owner
		return
	}
	err = c.Answer(w)
	if w.Leaving {
		h.leave()
		return // the end of the connection tells that we have gone
	}
	if err == nil {
		err = h.attend(ctx, c, peer)
	}
	if err != nil {
		h.log.Debug().Err(err).Msg("a front-end was cut off")
	}
	h.exit(c)
}

// attend serves a front-end. One that has no more to say still gets its answers; for one that is gone nothing goes on.
func (h *host) attend(ctx context.Context, c *relay.Conn, peer *ingress.Peer) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	in := ending{c.Reader, sync.OnceFunc(func() { h.work.Go(func() { c.OnHangUp(ctx, end) }) })}
	s := ingress.Stdio{Handler: h.proxy, In: in, Out: c.UnixConn}
	return s.Serve(ctx, peer)
}

// ending is an input whose end is told.
type ending struct {
	io.Reader
	ended func()
}

func (e ending) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if err != nil {
		e.ended()
	}
	return n, err
}

// judge says whether a front-end can be served here.
func (h *host) judge(hello *relay.Hello, peer *ingress.Peer) *relay.Welcome {
	w := &relay.Welcome{Version: h.version}
	err := h.fits(hello, peer, w)
	if err == nil {
		return w
	}
	var words bytes.Buffer
	w.Code = (&app{words: &words}).explain(err)
	w.Words = words.String()
	return w
}

func (h *host) fits(hello *relay.Hello, peer *ingress.Peer, w *relay.Welcome) error {
	switch other := hello.Protocol != relay.Protocol; {
	case !samePath(hello.Config, h.app.config):
		bound, err := filepath.Abs(h.app.config)
		if err != nil {
			return err
		}
		return foreign(h.dir, bound)
	case hello.Order == relay.OrderYield && !h.yields:
		return &coded{
			exitLocked, fmt.Errorf("process %d, which owns the state in %s, was not started by a front-end", os.Getpid(), h.dir),
			"it is hopgate serve: end it where it was started",
		}
	case hello.Order == relay.OrderYield, h.yields && !hello.Again && (other || hello.Version != h.version):
		w.Leaving = true
		return nil
	case other, hello.Version != h.version && !hello.Again:
		return &coded{
			exitLocked, fmt.Errorf("process %d owns the state in %s and is hopgate %s; this is hopgate %s", os.Getpid(), h.dir, h.version, hello.Version),
			"use the same program for both: restart that process, or this one",
		}
	case hello.Order != relay.OrderServe, !filepath.IsAbs(hello.Dir):
		return errors.New("the front-end speaks another language")
	}
	h.engine.mu.Lock()
	file := h.file
	h.engine.mu.Unlock()
	return choice(file, peer)
}

// enter counts a front-end in. It reports false where we have hung up already.
func (h *host) enter(c *relay.Conn, w *relay.Welcome) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conns == nil {
		return false
	}
	h.leaving = h.leaving || w.Leaving
	w.Leaving = h.leaving
	if !h.leaving {
		h.serving.Add(1)
	}
	h.conns[c] = struct{}{}
	if h.timer != nil {
		h.timer.Stop()
	}
	return true
}

// exit counts a front-end out that was served. Where we are about to end, its connection stays until the state is free, so
// that the front-end looks for another owner when there can be one.
func (h *host) exit(c *relay.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serving.Done()
	if h.leaving {
		return
	}
	delete(h.conns, c)
	_ = c.Close() // all is said
	if len(h.conns) == 0 && h.timer != nil {
		h.timer.Reset(h.idle)
	}
}

// expire ends the process where nobody has come meanwhile.
func (h *host) expire() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.conns) == 0 {
		h.leaving = true
		h.log.Info().Dur("after", h.idle).Msg("no front-end is there")
		h.leave()
	}
}

// drain takes no front-end and no message any more, and gives what is under way some time.
func (h *host) drain() {
	if h.listener == nil {
		return
	}
	_ = errors.Join(h.listener.Close(), os.Remove(h.socket)) // the name is ours as long as the state is
	if h.timer != nil {
		h.timer.Stop()
	}
	h.each(func(c *relay.Conn) { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	ended := make(chan struct{})
	go func() {
		h.serving.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(drainTime):
		h.each(func(c *relay.Conn) { _ = c.SetWriteDeadline(time.Unix(1, 0)) }) // front-ends that do not read hold nobody up
	}
}

// each calls f for each front-end. No further one is served.
func (h *host) each(f func(*relay.Conn)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leaving = true
	for c := range h.conns {
		f(c)
	}
}

// hangUp ends all connections. The state is free.
func (h *host) hangUp() {
	h.each(func(c *relay.Conn) { _ = c.Close() }) // they were told before
	h.mu.Lock()
	h.conns = nil
	h.mu.Unlock()
	h.work.Wait()
}
