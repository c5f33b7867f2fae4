//go:build unix

package upstream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

func TestChildInheritsNothingButWhatIsNamed(t *testing.T) {
	t.Setenv("HOPGATE_SECRET", "s3cret")
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil { // as if we had been started with it
		t.Fatal(err)
	}
	c := childConfig("environ", "a b", "$HOME", ";x")
	c.Environ = append(os.Environ(), "LANG=C")
	c.Env = append(c.Env, "TOKEN=t=1", "HOME=/elsewhere")
	c.Dir = t.TempDir()
	l := open(t, newServer(t, c))
	raw, err := call(t, l, request(t, "1", "x"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Result struct{ Env, Args, FDs, Dir string }
	}
	if err := json.Unmarshal([]byte(raw), &got); err != nil {
		t.Fatal(err)
	}
	r := got.Result
	env := strings.Split(r.Env, "|")
	for _, kv := range env {
		switch name, v, _ := strings.Cut(kv, "="); {
		case name == "PATH", kv == "LANG=C", kv == "TOKEN=t=1", kv == "HOME=/elsewhere", name == modeVar, name == "GORACE":
		default:
			t.Errorf("the child sees %s=%s", name, v)
		}
	}
	if len(env) != 6 || r.Args != "a b|$HOME|;x" || r.FDs != "0,1,2" || r.Dir != c.Dir {
		t.Errorf("got %+v", r)
	}
}

// alive reports whether a process runs; a zombie does not.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return !os.IsNotExist(err) && syscall.Kill(pid, 0) == nil
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return len(rest) > 0 && rest[0] != 'Z' && rest[0] != 'X'
}

// pidFrom reads the number that some modes of the child begin with.
func pidFrom(t *testing.T, l upstream.Link) int {
	t.Helper()
	s, err := l.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var note struct{ Params struct{ Data int } }
	if err := json.Unmarshal([]byte(next(t, s)), &note); err != nil {
		t.Fatal(err)
	}
	return note.Params.Data
}

// gone waits for a process to end that was told to.
func gone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(patience); alive(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d is left over", pid)
		}
	}
}

func finished(t *testing.T, l upstream.Link) {
	t.Helper()
	select {
	case <-l.Done():
	case <-time.After(patience):
		t.Fatal("the link does not end")
	}
}

func TestChildDiesWithUs(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux kills the children of a process that is killed")
	}
	parent := open(t, newServer(t, childConfig("parent")))
	pid := pidFrom(t, parent) // of the child's child, which neither reads its input nor ends by itself
	if !alive(pid) {
		t.Fatal("the child is not there")
	}
	if err := parent.Close(ended(t)); err != nil { // SIGKILL
		t.Fatal(err)
	}
	gone(t, pid)
}

func TestCloseEndsTheWholeGroup(t *testing.T) {
	l := open(t, newServer(t, childConfig("family")))
	pid := pidFrom(t, l)
	if err := l.Close(limited(t)); err != nil {
		t.Fatal(err)
	}
	finished(t, l)
	gone(t, pid)
	if _, err := l.Send(t.Context(), request(t, "1", "echo")); !errors.Is(err, upstream.ErrSessionEnded) {
		t.Errorf("sending on a closed link: %v", err)
	}
	if _, err := l.Listen(t.Context()); !errors.Is(err, upstream.ErrSessionEnded) {
		t.Errorf("listening on a closed link: %v", err)
	}
}

func TestCloseOfAStubbornChild(t *testing.T) {
	c := childConfig("stubborn")
	c.Timeouts.Grace = 50 * time.Millisecond
	s := newServer(t, c)
	l := open(t, s)
	if _, err := call(t, l, request(t, "1", "echo")); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := l.Close(limited(t)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 2*c.Timeouts.Grace || took > patience/2 {
		t.Errorf("it took %v", took)
	}

	c.Timeouts.Grace = time.Hour
	l = open(t, newServer(t, c))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Close(ctx); err != nil { // an ended context means now
		t.Fatal(err)
	}
}

func TestServerCloseEndsAllChildren(t *testing.T) {
	s := newServer(t, childConfig("serve"))
	links := []upstream.Link{open(t, s), open(t, s), stateless(t, s)}
	pending := send(t, links[0], request(t, "1", "hold"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		finished(t, l)
	}
	if _, err := pending.Next(t.Context()); !errors.Is(err, upstream.ErrUnknownOutcome) {
		t.Errorf("the pending request: %v, want ErrUnknownOutcome", err)
	}
	if _, err := s.Open(t.Context()); !errors.Is(err, upstream.ErrUnavailable) {
		t.Errorf("opening: %v, want ErrUnavailable", err)
	}
}

func TestChildThatEndsDuringACall(t *testing.T) {
	l := open(t, newServer(t, childConfig("serve")))
	listener, err := l.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	a, b := send(t, l, request(t, "1", "hold")), send(t, l, request(t, "2", "die"))
	for _, s := range []upstream.Stream{a, b} {
		if _, err := s.Next(limited(t)); !errors.Is(err, upstream.ErrUnknownOutcome) {
			t.Errorf("got %v, want ErrUnknownOutcome", err)
		}
		over(t, l)
	}
	if _, err := listener.Next(limited(t)); !errors.Is(err, upstream.ErrSessionEnded) {
		t.Errorf("the listener got %v, want ErrSessionEnded", err)
	}
	if _, err := l.Send(t.Context(), request(t, "3", "echo")); !errors.Is(err, upstream.ErrSessionEnded) {
		t.Errorf("sending: %v, want ErrSessionEnded", err)
	}
}

func TestChildWhoseOutputAnotherHoldsOpen(t *testing.T) {
	l := open(t, newServer(t, childConfig("hold")))
	pid := pidFrom(t, l)
	defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
	_, err := call(t, l, request(t, "1", "anything"))
	if !errors.Is(err, upstream.ErrUnknownOutcome) {
		t.Errorf("got %v, want ErrUnknownOutcome", err)
	}
	finished(t, l)
	if err := l.Close(limited(t)); err != nil {
		t.Fatal(err)
	}
}

func TestChildThatClosesItsOutput(t *testing.T) {
	c := childConfig("mute")
	c.Timeouts.Grace = 50 * time.Millisecond
	l := open(t, newServer(t, c))
	finished(t, l)
	if err := l.Close(limited(t)); err != nil {
		t.Fatal(err)
	}
}

func TestChildThatWritesALineWithoutEnd(t *testing.T) {
	c := childConfig("long")
	c.Limits.Frame = 1 << 20
	l := open(t, newServer(t, c))
	_, err := call(t, l, request(t, "1", "echo"))
	if !errors.Is(err, upstream.ErrProtocol) && !errors.Is(err, upstream.ErrSessionEnded) {
		t.Errorf("got %v, want ErrProtocol, or ErrSessionEnded where it was faster than we", err)
	}
	finished(t, l)
}

func TestChildThatTalksBeforeItServes(t *testing.T) {
	s := newServer(t, childConfig("chatter=100"))
	if _, err := call(t, open(t, s), request(t, "1", "echo")); err != nil {
		t.Error(err)
	}
	if n := s.Counts().Malformed; n != 100 {
		t.Errorf("%d lines are counted, want 100", n)
	}
	l := open(t, newServer(t, childConfig("chatter=100000")))
	finished(t, l)
}

func TestChildThatDoesNotRead(t *testing.T) {
	c := childConfig("deaf")
	c.Timeouts.Write = 500 * time.Millisecond // within which a write begins
	s := newServer(t, c)
	l := open(t, s)
	pid := pidFrom(t, l)
	big := message(t, `{"jsonrpc":"2.0","method":"notifications/x","params":{"arguments":"`+strings.Repeat("x", 1<<20)+`"}}`)
	if _, err := l.Send(limited(t), big); !errors.Is(err, upstream.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	gone(t, pid) // half a message is on its way; nothing can follow it
	finished(t, l)

	l = open(t, s)
	pid = pidFrom(t, l)
	small := message(t, `{"jsonrpc":"2.0","method":"notifications/x","params":{"arguments":"`+strings.Repeat("x", 1000)+`"}}`)
	var err error
	for range 100 { // until the pipe is full
		if _, err = l.Send(limited(t), small); err != nil {
			break
		}
	}
	if !errors.Is(err, upstream.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	_ = l.Close(ended(t))
	gone(t, pid)
}

// TestChildThatDoesNotReadKeepsNoCallWaiting has a call whose time is over while half of it is written.
func TestChildThatDoesNotReadKeepsNoCallWaiting(t *testing.T) {
	c := childConfig("deaf")
	l := open(t, newServer(t, c))
	pid := pidFrom(t, l)
	big := message(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":"`+strings.Repeat("x", 1<<20)+`"}}`)
	var begun time.Time
	err := upstream.ErrUnavailable
	for d := 50 * time.Millisecond; errors.Is(err, upstream.ErrUnavailable) && d < patience; d *= 2 { // the time may be over before the first byte is written
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		begun = time.Now()
		_, err = l.Send(ctx, big)
	}
	if !errors.Is(err, upstream.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want ErrUnknownOutcome and the context's error", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := l.Send(ctx, request(t, "2", "x")); !errors.Is(err, upstream.ErrUnavailable) { // it would follow the half
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if took := time.Since(begun); took > patience/2 {
		t.Errorf("the calls took %v", took)
	}
	_ = l.Close(ended(t))
	gone(t, pid)
}

// ended is a context that has ended.
func ended(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestSendOnAnEndedContextWritesNothing(t *testing.T) {
	l := open(t, newServer(t, childConfig("serve")))
	_, err := l.Send(ended(t), request(t, "1", "echo"))
	if !errors.Is(err, upstream.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want ErrUnavailable and the context's error", err)
	}
	if _, err := call(t, l, request(t, "1", "echo")); err != nil {
		t.Errorf("the id is not free again: %v", err)
	}
}

// lines is a log that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestStderrIsDrainedAndBounded(t *testing.T) {
	var log lines
	c := childConfig("flood")
	c.Log = zerolog.New(&log)
	s := newServer(t, c)
	l := open(t, s)
	// The child serves only when 9 MB of stderr have been taken.
	if _, err := call(t, l, request(t, "1", "echo")); err != nil {
		t.Fatal(err)
	}
	_ = l.Close(limited(t))
	text := log.String()
	if n := strings.Count(text, `"message":"stderr"`); n == 0 || n > 500 || len(text) > 700_000 {
		t.Errorf("%d lines of stderr, %d bytes of log", n, len(text))
	}
	for line := range strings.Lines(text) {
		if len(line) > 1500 || !strings.Contains(line, `"upstream":"up"`) {
			t.Fatalf("a line of the log: %.200s", line)
		}
	}
}
