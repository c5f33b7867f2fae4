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

// TestAChildThatComesTooLateIsEnded takes the key back while the child of its session is being started.
func TestAChildThatComesTooLateIsEnded(t *testing.T) {
	told := make(chan string, 100)
	var w *world
	log := zerolog.New(listener(func(line string) {
		switch {
		case strings.Contains(line, "child started"):
			w.revoke("alice-key")
		case strings.Contains(line, "child ended"), strings.Contains(line, "panic"):
			told <- line
		}
	}))
	w = newWorld(t, func(c *mcpproxy.Config) { c.Log = log })
	defer w.close()
	s, err := upstream.New(upstream.Config{
		Name: "up", Command: []string{os.Args[0]}, Env: []string{modeVar + "=1", "GORACE=atexit_sleep_ms=0"}, Environ: os.Environ(),
		Limits: wire.DefaultLimits, Clock: time.Now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.servers["up"] = s
	w.receive()
	if r := w.agent("alice").post(fmt.Sprintf(helloFormat, "2025-11-25")); r.status != 401 {
		t.Errorf("status %d", r.status)
	}
	select {
	case line := <-told:
		if !strings.Contains(line, "child ended") {
			t.Error(line)
		}
	case <-time.After(time.Minute): // it has not ended by itself
		t.Error("the child goes on")
	}
}
