package upstream_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

// rawListener is a server on a real socket that serves each connection with a function.
func rawListener(t *testing.T, serve func(n int, p *peer)) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for n := 0; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(n, &peer{c, bufio.NewReader(c)})
			}()
		}
	}()
	return "http://" + ln.Addr().String() + "/mcp"
}

func TestPoolDoesNotRepeatWhatMayHaveBeenDone(t *testing.T) {
	var requests atomic.Int32
	url := rawListener(t, func(_ int, p *peer) {
		for p.request() != nil {
			if requests.Add(1) == 2 {
				return
			}
			p.json(200, pong)
		}
	})
	l := open(t, newServer(t, httpConfig(url)))
	if _, err := call(t, l, message(t, ping)); err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, l, message(t, ping)); !errors.Is(err, upstream.ErrUnknownOutcome) {
		t.Errorf("got %v, want ErrUnknownOutcome", err)
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("the server got %d requests, want 2", n)
	}
}

// deadWriter fails to write from a certain write on.
type deadWriter struct {
	net.Conn
	left *atomic.Int32
}

func (d deadWriter) Write(b []byte) (int, error) {
	if d.left.Add(-1) < 0 {
		return 0, errors.New("broken")
	}
	return d.Conn.Write(b)
}

func TestPoolRepeatsWhatCannotHaveArrived(t *testing.T) {
	f := newFake(t, func(p *peer) {
		p.request()
		p.json(200, pong)
		p.ended()
	}, func(p *peer) {
		p.request()
		p.json(200, pong)
		p.ended()
	})
	dial, first := f.Dial, new(atomic.Int32)
	first.Store(1)
	f.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		left := first
		first = new(atomic.Int32)
		first.Store(1)
		return deadWriter{c, left}, err
	}
	l, _ := f.open(t)
	for range 2 {
		if _, err := call(t, l, message(t, ping)); err != nil {
			t.Fatal(err)
		}
	}
	// The third call finds the second connection dead and gets no other.
	if _, err := call(t, l, message(t, ping)); !errors.Is(err, upstream.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestPoolKeepsConnections(t *testing.T) {
	const calls = 3
	keep := func(p *peer) {
		for p.request() != nil {
			p.json(200, pong)
		}
	}
	for name, c := range map[string]struct {
		answer func(p *peer)
		conns  int
	}{
		"length": {keep, 1},
		"chunks": {func(p *peer) {
			for p.request() != nil {
				p.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
				p.chunk(pong)
				p.end()
			}
		}, 1},
		"events": {func(p *peer) {
			for p.request() != nil {
				p.events()
				p.chunk("data: " + pong + "\n\n")
				p.end()
			}
		}, 1},
		"events that go on": {func(p *peer) {
			p.request()
			p.events()
			p.chunk("data: " + pong + "\n\n")
			p.ended()
		}, calls},
		"events with a long tail": {func(p *peer) {
			p.request()
			p.events()
			p.chunk("data: " + pong + "\n\n")
			p.chunk(strings.Repeat(": tail\n", 1000))
			p.end()
			p.ended()
		}, calls},
		"closing": {func(p *peer) {
			p.request()
			p.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 36\r\n\r\n" + pong)
			p.ended()
		}, calls},
		"something behind the answer": {func(p *peer) {
			p.request()
			p.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 36\r\n\r\n" + pong + "HTTP/1.1 200 OK\r\n\r\n")
			p.ended()
		}, calls},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, c.answer, c.answer, c.answer)
			l, done := f.open(t)
			for range calls {
				if got, err := call(t, l, message(t, ping)); err != nil || got != pong {
					t.Fatalf("got %s, %v", got, err)
				}
			}
			done()
			if f.conns != c.conns {
				t.Errorf("%d connections, want %d", f.conns, c.conns)
			}
		})
	}
}

func TestPoolLetsIdleConnectionsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		var ends []time.Duration
		serve := func(p *peer) {
			for p.request() != nil {
				p.json(200, pong)
			}
			mu.Lock()
			defer mu.Unlock()
			ends = append(ends, time.Since(start))
		}
		f := newFake(t, serve, serve, serve)
		f.Timeouts.Idle = 10 * time.Second
		f.MaxIdle = 2
		l, _ := f.open(t)
		var streams []upstream.Stream
		for range 3 {
			s, err := l.Send(t.Context(), message(t, ping))
			if err != nil {
				t.Fatal(err)
			}
			streams = append(streams, s)
		}
		for i, s := range streams {
			time.Sleep(time.Second)
			if _, err := s.Next(t.Context()); err != nil {
				t.Fatal(i, err)
			}
			s.Close()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		// The third finds two idle ones and is closed; these follow after their time.
		if got, want := fmt.Sprint(ends), "[3s 11s 12s]"; got != want {
			t.Errorf("connections ended at %s, want %s", got, want)
		}
	})
}

func TestPoolBelievesTheServerThatItWillNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serve := func(p *peer) {
			for p.request() != nil {
				p.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nKeep-Alive: max=9, timeout=5\r\nContent-Length: 36\r\n\r\n" + pong)
			}
		}
		f := newFake(t, serve, serve)
		l, _ := f.open(t)
		for i, c := range []struct {
			pause time.Duration
			conns int
		}{{0, 1}, {3900 * time.Millisecond, 1}, {4 * time.Second, 2}} {
			time.Sleep(c.pause)
			if _, err := call(t, l, message(t, ping)); err != nil || f.conns != c.conns {
				t.Errorf("call %d: %d connections, %v, want %d", i, f.conns, err, c.conns)
			}
		}
	})
}

func TestServerCloseBreaksCallsOff(t *testing.T) {
	f := newFake(t, func(p *peer) { p.ended() })
	s := newServer(t, f.Config)
	l := open(t, s)
	ctx, failed := limited(t), make(chan error)
	sent, err := l.Send(ctx, &upstream.Outgoing{Frame: message(t, ping).Frame})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := sent.Next(ctx)
		failed <- err
	}()
	_ = s.Close()
	if err := <-failed; !errors.Is(err, upstream.ErrUnknownOutcome) {
		t.Errorf("got %v, want ErrUnknownOutcome", err)
	}
	<-l.Done()
	if _, err := l.Send(ctx, message(t, ping)); !errors.Is(err, upstream.ErrSessionEnded) {
		t.Errorf("sending: %v, want ErrSessionEnded", err)
	}
	if _, err := s.Open(ctx); !errors.Is(err, upstream.ErrUnavailable) {
		t.Errorf("opening: %v, want ErrUnavailable", err)
	}
}

func TestADialThatFailsIsUnavailable(t *testing.T) {
	f := newFake(t)
	l, _ := f.open(t)
	if _, err := l.Send(t.Context(), message(t, ping)); !errors.Is(err, upstream.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		l, _ := f.open(t)
		start := time.Now()
		_, err := l.Send(t.Context(), message(t, ping))
		if !errors.Is(err, upstream.ErrUnavailable) || time.Since(start) != 10*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestNewRefusesWhatCannotBeMeant(t *testing.T) {
	for name, change := range map[string]func(*upstream.Config){
		"no name":              func(c *upstream.Config) { c.Name = "" },
		"no clock":             func(c *upstream.Config) { c.Clock = nil },
		"no limits":            func(c *upstream.Config) { c.Limits.Frame = 0 },
		"neither":              func(c *upstream.Config) { c.URL = "" },
		"both":                 func(c *upstream.Config) { c.Command = []string{"x"} },
		"empty command":        func(c *upstream.Config) { c.URL, c.Command = "", []string{""} },
		"environment":          func(c *upstream.Config) { c.URL, c.Command, c.Env = "", []string{"x"}, []string{"X"} },
		"no name of variable":  func(c *upstream.Config) { c.URL, c.Command, c.Env = "", []string{"x"}, []string{"=X"} },
		"NUL in a variable":    func(c *upstream.Config) { c.URL, c.Command, c.Env = "", []string{"x"}, []string{"X=\x00"} },
		"scheme":               func(c *upstream.Config) { c.URL = "ftp://h/" },
		"no scheme":            func(c *upstream.Config) { c.URL = "h/mcp" },
		"no host":              func(c *upstream.Config) { c.URL = "http:///mcp" },
		"only a port":          func(c *upstream.Config) { c.URL = "http://:80/mcp" },
		"user":                 func(c *upstream.Config) { c.URL = "http://s3cret@h/" },
		"fragment":             func(c *upstream.Config) { c.URL = "http://h/#s3cret" },
		"letters in the host":  func(c *upstream.Config) { c.URL = "http://ü.example/" },
		"space in the query":   func(c *upstream.Config) { c.URL = "http://h/?a=s3cret b" },
		"malformed":            func(c *upstream.Config) { c.URL = "http://h:port/s3cret" },
		"header of the frame":  func(c *upstream.Config) { c.Header = http.Header{"Content-Length": {"1"}} },
		"header in small type": func(c *upstream.Config) { c.Header = http.Header{"host": {"h"}} },
		"header of MCP":        func(c *upstream.Config) { c.Header = http.Header{"mcp-session-id": {"x"}} },
		"header with a break":  func(c *upstream.Config) { c.Header = http.Header{"X": {"s3cret\r\nY: z"}} },
		"header name":          func(c *upstream.Config) { c.Header = http.Header{"X Y": {"z"}} },
		"padded header":        func(c *upstream.Config) { c.Header = http.Header{"X": {" s3cret"}} },
	} {
		c := httpConfig("http://h.example/mcp")
		if _, err := upstream.New(c); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if _, err := upstream.New(c); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
