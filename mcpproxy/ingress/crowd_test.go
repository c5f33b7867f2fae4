package ingress_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// crowded serves the fake handler in a process of 64 descriptors: 8 strangers, 4 of them of one address, 8 connections of
// one agent, and 48 in all.
func crowded(t *testing.T, wrap func(net.Listener) net.Listener) (*handler, string) {
	t.Helper()
	h := &handler{post: func(_ context.Context, _ *ingress.Message, r ingress.Reply) { r.Accept() }}
	front, err := ingress.NewHTTP(ingress.Config{Handler: h, Clock: time.Now, Lasting: ingress.NewLasting()})
	if err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := ingress.NewServer(t.Context(), front, time.Now, 64)
	go s.Serve(wrap(l))
	t.Cleanup(func() { s.Close() })
	return h, l.Addr().String()
}

func plainly(l net.Listener) net.Listener { return l }

// requested sends a request with a key and returns the status of the answer.
func requested(t *testing.T, c net.Conn, head, key string) int {
	t.Helper()
	_, _ = fmt.Fprintf(c, "POST /mcp/up HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
		"Accept: application/json, text/event-stream\r\n%sContent-Length: 2\r\n\r\n{}", key, head)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// TestStrangersMakeRoom has connections on which nobody is known give way to newer ones, and those of an agent stay.
func TestStrangersMakeRoom(t *testing.T) {
	for name, head := range map[string]string{"plain": "", "by net/http": "Content-Encoding: \r\n"} {
		t.Run(name, func(t *testing.T) {
			_, at := crowded(t, plainly)
			agent := dial(t, at)
			want := 202
			if head != "" {
				want = 415
			}
			if got := requested(t, agent, head, "good"); got != want {
				t.Fatalf("the agent: %d", got)
			}
			first := dial(t, at)
			if got := requested(t, first, head, "bad"); got != 401 {
				t.Fatalf("a stranger: %d", got)
			}
			for _, start := range []string{"", "POST /mcp", "GET /sse/up HTTP/1.1\r\nHost: localhost\r\n", "\x16\x03"} {
				_, _ = io.WriteString(dial(t, at), start)
			}
			_ = first.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := first.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the first of five strangers of one address is still there: %v", err)
			}
			if got := requested(t, agent, head, "good"); got != want {
				t.Errorf("the agent, afterwards: %d", got)
			}
		})
	}
}

// TestOneAgentHasAPartOfTheConnections refuses it another one, and lets it connect again when one is closed.
func TestOneAgentHasAPartOfTheConnections(t *testing.T) {
	h, at := crowded(t, plainly)
	var open []net.Conn
	for range 8 {
		c := dial(t, at)
		if got := requested(t, c, "", "good"); got != 202 {
			t.Fatalf("connection %d: %d", len(open), got)
		}
		open = append(open, c)
	}
	if got := requested(t, dial(t, at), "", "good"); got != 429 || h.codes() != "TOO_MANY_CONNECTIONS" {
		t.Errorf("one too many: %d %s", got, h.codes())
	}
	if got := requested(t, open[0], "", "good"); got != 202 {
		t.Errorf("one that there is: %d", got)
	}
	open[1].Close()
	for end := time.Now().Add(20 * time.Second); requested(t, dial(t, at), "", "good") != 202; {
		if time.Now().After(end) {
			t.Fatal("there is no room for another one")
		}
	}
}

// scarce is a listener that has no descriptors for a while.
type scarce struct {
	net.Listener
	left atomic.Int32
}

func (s *scarce) Accept() (net.Conn, error) {
	if s.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return s.Listener.Accept()
}

// TestAcceptingGoesOn when there are descriptors again.
func TestAcceptingGoesOn(t *testing.T) {
	_, at := crowded(t, func(l net.Listener) net.Listener {
		s := &scarce{Listener: l}
		s.left.Store(5)
		return s
	})
	if got := requested(t, dial(t, at), "", "good"); got != 202 {
		t.Errorf("got %d", got)
	}
}
