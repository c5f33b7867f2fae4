package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/cmd/hopgate/relay"
	"github.com/hopgate/hopgate/store"
)

const (
	attachTime  = 5 * time.Second       // to find an owner or to start one; the patience of an app
	firstWait   = time.Millisecond      // between attempts, and then twice as long each
	longestWait = 20 * time.Millisecond // between attempts
	startEvery  = time.Second           // between starts that another process has beaten
)

// finder finds the owner of a state directory, or starts one.
type finder struct {
	*app
	dir   string
	hello relay.Hello
	idle  time.Duration
	log   zerolog.Logger
}

// attach finds or starts an owner that serves us, in time. One that makes room for another has drainTime for that.
func (f *finder) attach(ctx context.Context, again bool) (*relay.Conn, error) {
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.AfterFunc(f.patience, cancel)
	defer timer.Stop()
	hello := f.hello
	hello.Again = again
	s := starter{finder: f}
	defer s.close()
	for wait, left := firstWait, false; ; wait = min(2*wait, longestWait) {
		conn, w, err := relay.Dial(limited, f.socket(f.dir, socketRelay), &hello)
		switch {
		case err == nil && w.Leaving:
			if !left {
				left = true
				timer.Reset(drainTime + f.patience)
			}
			if err = s.claim(); err == nil { // else those that are cut off could start the one before again
				untilEnd(limited, conn)
			}
		case err == nil && w.Code != 0:
			_ = conn.Close() // it serves us not
			return nil, &relay.Refusal{Code: w.Code, Words: w.Words}
		case err == nil:
			f.log.Info().Int("pid", w.PID).Str("version", w.Version).Msg("ready")
			return conn, nil
		case limited.Err() != nil: // the time is up, which Dial tells as it tells an interrupt
		case !errors.Is(err, relay.ErrNobody):
			return nil, err
		default:
			err = s.start(limited)
		}
		if _, refused := errors.AsType[*relay.Refusal](err); refused {
			return nil, err
		}
		select {
		case <-limited.Done():
			return nil, s.failure(f.dir)
		case <-time.After(wait):
		}
	}
}

// untilEnd waits until the other end closes a connection.
func untilEnd(ctx context.Context, c *relay.Conn) {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	_, _ = io.Copy(io.Discard, c.Reader) // how it ends says nothing
}

// starter starts owners. One front-end at a time has the right to, so that twenty that come together start one.
type starter struct {
	*finder
	right *store.Owner
	next  time.Time // of the next start
	lost  string    // words of an owner that another process has beaten
}

func (s *starter) close() {
	if s.right != nil {
		_ = s.right.Close() // a lock, which is free with the file
	}
}

// failure says why there is no owner.
func (s *starter) failure(dir string) error {
	if s.lost != "" {
		what, _, _ := strings.Cut(strings.TrimPrefix(s.lost, "hopgate: error: "), "\n")
		return &coded{exitLocked, errors.New(what), "that process takes no front-ends: it was started with --no-daemon, or is starting, stopping or stuck"}
	}
	return fmt.Errorf("%w: no process that owns the state in %s was found or could be started within %s", admin.ErrUnreachable, dir, s.patience)
}

// start starts an owner and waits until it takes front-ends, or gets the right to do so the next time: meanwhile somebody
// else may have started one. A *relay.Refusal says that it cannot serve.
func (s *starter) start(ctx context.Context) error {
	if s.right == nil {
		return s.claim()
	}
	if time.Now().Before(s.next) {
		return nil
	}
	s.next = time.Now().Add(startEvery)
	said, code, err := s.spawn(ctx)
	switch {
	case err != nil:
		return &relay.Refusal{Code: exitOther, Words: words(fmt.Errorf("starting the process that owns the state: %w", err))}
	case code == exitLocked:
		s.lost = said
	case code != 0:
		return &relay.Refusal{Code: code, Words: said}
	default:
		if ctx.Err() == nil { // else it has said nothing, and what the one before has said is all that is known
			s.lost = ""
		}
		fmt.Fprint(s.words, said) // warnings
	}
	return nil
}

// claim gets the right to start owners, unless another front-end has it.
func (s *starter) claim() error {
	if s.right != nil {
		return nil
	}
	folder, err := s.sockets(s.dir)
	if err == nil {
		s.right, err = store.Lock(filepath.Join(folder, startName))
	}
	if err != nil && !errors.Is(err, store.ErrLocked) {
		return &relay.Refusal{Code: exitOther, Words: words(err)}
	}
	return nil
}

func words(err error) string {
	var b strings.Builder
	_ = (&app{words: &b}).explain(err) // the exit code is the caller's
	return b.String()
}

// serving is what a daemon says after its words when it takes front-ends.
const serving = "\x00"

// spawn starts a daemon and returns its words, and its exit code or 0 where it serves. A daemon that says nothing before
// ctx ends may still come to serve.
func (s *starter) spawn(ctx context.Context) (said string, code int, err error) {
	program, err := os.Executable()
	if err != nil {
		return "", 0, err
	}
	// It works beside the configuration, which it names as short as people do. That keeps no directory of ours in use.
	dir, config := filepath.Split(s.hello.Config)
	if _, err := os.Stat(dir); err != nil {
		dir, config = string(filepath.Separator), s.hello.Config // it will say that there is none
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "", 0, err
	}
	defer r.Close()
	c := exec.Command(program, "daemon", "--attended", "--config", config, "--state", s.dir, "--log-level", s.level, "--idle", s.idle.String()) //nolint:noctx // it outlives us
	c.Dir, c.ExtraFiles, c.SysProcAttr, c.Env = dir, []*os.File{w}, detached(), []string{"PWD=" + dir}
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); name != "PWD" && name != keyVariable { // of which every front-end has its own
			c.Env = append(c.Env, kv)
		}
	}
	err = c.Start()
	_ = w.Close() // the daemon has its own
	if err != nil {
		return "", 0, err
	}
	defer context.AfterFunc(ctx, func() { _ = r.Close() })()
	text, err := io.ReadAll(r)
	if told, ok := bytes.CutSuffix(text, []byte(serving)); ok || err != nil {
		go func() { _ = c.Wait() }() // so that it is no zombie when it ends before us
		return string(told), 0, nil
	}
	_ = c.Wait() // the exit code says it
	return string(text), max(c.ProcessState.ExitCode(), exitOther), nil
}
