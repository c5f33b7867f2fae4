package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/cmd/hopgate/relay"
	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/store"
)

const (
	idleTime   = 10 * time.Minute // without front-ends, after which a daemon ends
	attendedFD = 3                // where an attended daemon tells who has started it
)

// daemon is what stdio starts. It is hidden: people start serve.
func (a *app) daemon() *cobra.Command {
	var attended bool
	var idle time.Duration
	c := &cobra.Command{
		Use:    "daemon",
		Short:  "Own the state and serve front-ends, until none has been there for a while",
		Hidden: true,
		Args:   args(0, "no arguments but flags"),
		RunE: func(c *cobra.Command, _ []string) error {
			ready := func() error { return nil }
			if attended {
				starter := os.NewFile(attendedFD, "starter")
				a.words = io.MultiWriter(starter, a.words)
				a.logs = &logFile{path: filepath.Join(a.state, "daemon.log")}
				ready = func() error {
					a.words = a.logs
					_, err := io.WriteString(starter, serving)
					return errors.Join(err, starter.Close())
				}
			}
			return a.hosting(c.Context(), true, idle, nil, func(ctx context.Context, e *engine, h *host) error {
				e.onReady = func(*configs.File) error {
					if err := h.open(ctx); err != nil {
						return err
					}
					_ = ready() // whoever has started us may be gone
					return nil
				}
				return a.run(ctx, e, nil)
			})
		},
	}
	c.Flags().BoolVar(&attended, "attended", false, "tell on file descriptor 3 how the start went, and log to daemon.log in the state directory")
	idleFlag(c, &idle)
	return c
}

func idleFlag(c *cobra.Command, idle *time.Duration) {
	c.Flags().DurationVar(idle, "idle", idleTime, "time without front-ends after which a daemon ends; 0 for never")
}

// hosting owns the state and hands engine and host to f. Front-ends are let go when the state is free.
func (a *app) hosting(ctx context.Context, yields bool, idle time.Duration, vacate vacate, f func(context.Context, *engine, *host) error) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	h := &host{version: a.release, yields: yields, idle: idle, leave: leave}
	defer h.hangUp()
	return a.own(ctx, vacate, func(ctx context.Context, e *engine) error {
		h.engine = e
		defer h.drain()
		return f(ctx, e, h)
	})
}

// vacate asks the owner of a state directory to make room, and reports whether it is worth while to lock it again.
type vacate func(ctx context.Context, dir string) bool

// takeOver asks a daemon that was started by a front-end to end, and the next that a front-end has started meanwhile. It
// gives one that is just being started, or about to end, some time.
func (a *app) takeOver() vacate {
	var deadline time.Time
	return func(ctx context.Context, dir string) bool {
		if deadline.IsZero() {
			deadline = time.Now().Add(a.patience / 2)
		}
		limited, cancel := context.WithTimeout(ctx, drainTime+a.patience)
		defer cancel()
		w, err := a.yield(limited, dir)
		if err == nil {
			deadline = time.Time{}
			return w.Code == 0 && limited.Err() == nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(longestWait):
		}
		return errors.Is(err, relay.ErrNobody) && ctx.Err() == nil && time.Now().Before(deadline)
	}
}

// yield asks the owner of a state directory to end, and waits until it has where it agrees.
func (a *app) yield(ctx context.Context, dir string) (*relay.Welcome, error) {
	config, err := filepath.Abs(a.config)
	if err != nil {
		return nil, err
	}
	hello := relay.Hello{Protocol: relay.Protocol, Order: relay.OrderYield, Version: a.release, Config: config}
	conn, w, err := relay.Dial(ctx, a.socket(dir, socketRelay), &hello)
	if err != nil {
		return nil, err
	}
	if w.Code != 0 {
		return w, conn.Close()
	}
	untilEnd(ctx, conn)
	return w, nil
}

func (a *app) stop() *cobra.Command {
	return &cobra.Command{
		Use:   "stop",
		Short: "End the daemon that hopgate stdio has started",
		Long: "End the daemon that hopgate stdio has started, when the calls under way are done or " + drainTime.String() + " later. Front-ends that\n" +
			"are open start another one, so this is a restart where there are any. hopgate serve is not ended: that is for who\n" +
			"has started it.",
		Args: args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			at, err := a.place(nil)
			if err != nil {
				return err
			}
			dir := at.dir
			if !store.Held(dir) {
				return nobody(dir, "there is nothing to stop")
			}
			ctx, cancel := context.WithTimeout(c.Context(), drainTime+a.patience)
			defer cancel()
			w, err := a.yield(ctx, dir)
			switch {
			case errors.Is(err, relay.ErrNobody):
				return &coded{exitUnreachable, err, "it was started with --no-daemon, or is starting, stopping or stuck"}
			case err != nil:
				return err
			case w.Code != 0:
				fmt.Fprint(a.words, w.Words)
				return silent(w.Code)
			}
			return ctx.Err()
		},
	}
}

// maxLog is the size above which a log is put aside; the one before is dropped.
const maxLog = 4 << 20

// logFile is the log of a daemon, in the state directory, which is there when the first line is. What cannot be written is
// dropped: a full disk must not stop what would relieve it. It is safe for concurrent use.
type logFile struct {
	path string

	mu   sync.Mutex // guards what follows
	f    *os.File
	size int64
}

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil && l.size+int64(len(p)) > maxLog {
		_ = l.f.Close() // lines are written whole
		l.f = nil
		_ = os.Rename(l.path, l.path+".old") // else it grows on
	}
	if l.f == nil {
		if err := l.open(); err != nil {
			return len(p), nil
		}
	}
	n, _ := l.f.Write(p)
	l.size += int64(n)
	return len(p), nil
}

func (l *logFile) open() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		err = debug.SetCrashOutput(f, debug.CrashOptions{})
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.f, l.size = f, info.Size()
	return nil
}
