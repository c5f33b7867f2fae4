//go:build unix

package mcpproxy_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// listener takes what is logged.
type listener func(line string)

func (l listener) Write(b []byte) (int, error) {
	l(string(b))
	return len(b), nil
}

// startOf makes a world with one server that is a program, and does something while a child of it is being started. What the
// log says of children and panics is told.
func startOf(t *testing.T, during func(w *world)) (w *world, told chan string) {
	t.Helper()
	told = make(chan string, 100)
	log := zerolog.New(listener(func(line string) {
		started := strings.Contains(line, "child started")
		if started || strings.Contains(line, "child ended") || strings.Contains(line, "panic") {
			told <- line
		}
		if started {
			during(w)
		}
	}))
	w = newWorld(t, func(c *mcpproxy.Config) { c.Log = log })
	s, err := upstream.New(upstream.Config{
		Name: "up", Command: []string{os.Args[0]}, Env: []string{modeVar + "=1", "GORACE=atexit_sleep_ms=0"}, Environ: os.Environ(),
		Limits: wire.DefaultLimits, Clock: time.Now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.servers["up"] = s
	return w, told
}

// wantNext is what the log says next. None of it comes by itself.
func wantNext(t *testing.T, told <-chan string, want string) {
	t.Helper()
	select {
	case line := <-told:
		if !strings.Contains(line, want) {
			t.Errorf("got %s, want %s", line, want)
		}
	case <-time.After(time.Minute):
		t.Errorf("nothing is heard of a %s", want)
	}
}

// without is a policy in which alice, the user, has no connection any more, and bob has.
func (w *world) without(revision string) *mcpproxy.Policy {
	p := w.local(revision)
	delete(p.Connections, mcpproxy.Way{Agent: "alice", Upstream: "up"})
	return p
}

// TestAChildThatComesTooLateIsEnded takes the right to it away while it is being started.
func TestAChildThatComesTooLateIsEnded(t *testing.T) {
	t.Run("the key is revoked", func(t *testing.T) {
		w, told := startOf(t, func(w *world) { w.revoke("alice-key") })
		defer w.close()
		w.receive()
		if r := w.agent("alice").post(fmt.Sprintf(helloFormat, "2025-11-25")); r.status != 401 {
			t.Errorf("status %d", r.status)
		}
		wantNext(t, told, "child started")
		wantNext(t, told, "child ended")
	})
	t.Run("the connection is gone", func(t *testing.T) {
		w, told := startOf(t, func(w *world) { w.proxy.SetPolicy(w.without("r2")) })
		defer w.close()
		p := w.process()
		defer p.close()
		p.say(fmt.Sprintf(helloFormat, "2025-11-25"))
		p.hear(`"error"`)
		wantNext(t, told, "child started")
		wantNext(t, told, "child ended")
	})
	t.Run("the connection is gone, and the call needs no session", func(t *testing.T) {
		w, told := startOf(t, func(w *world) { w.proxy.SetPolicy(w.without("r2")) })
		defer w.close()
		w.receive()
		if got := w.agent("alice").post(modernTool("1", "echo", "{}"), modernHead("tools/call", "echo")).last(); !strings.Contains(got, "UPSTREAM_UNAVAILABLE") {
			t.Errorf("got %s", got)
		}
		wantNext(t, told, "child started")
		wantNext(t, told, "child ended")
	})
}

// TestNothingIsStartedWithoutAConnection takes the connection of a process away, and gives it back.
func TestNothingIsStartedWithoutAConnection(t *testing.T) {
	w, told := startOf(t, func(*world) {})
	defer w.close()
	p := w.process()
	defer p.close()
	p.initialize("2025-11-25")
	p.say(tool("1", "echo", "{}"))
	p.hear(`"id":1,`)
	wantNext(t, told, "child started")
	w.proxy.SetPolicy(w.without("r2"))
	wantNext(t, told, "child ended")
	p.say(tool("2", "echo", "{}"))
	if got := p.hear(`"id":2,`); !strings.Contains(got, "FORBIDDEN") {
		t.Errorf("without a connection: %s", got)
	}
	if len(told) > 0 {
		t.Errorf("then: %s", <-told)
	}
	w.proxy.SetPolicy(w.local("r3"))
	p.say(tool("3", "echo", "{}"))
	p.hear(`"id":3,"result"`)
	wantNext(t, told, "child started")
}
