package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

func TestHTTPContextEndsWaiting(t *testing.T) {
	for name, answer := range map[string]string{
		"no answer":     "",
		"half a head":   "HTTP/1.1 200 OK\r\nContent-",
		"half a length": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 36\r\n\r\n{",
		"silence":       "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: ping\n\n",
		"refusal":       "HTTP/1.1 500 X\r\nContent-Type: application/json\r\nContent-Length: 36\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			cut := make(chan struct{})
			l, _ := newFake(t, func(p *peer) {
				p.request()
				p.write(answer)
				p.ended()
				close(cut)
			}).open(t)
			s := send(t, l, message(t, ping))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			_, err := s.Next(ctx)
			if !errors.Is(err, upstream.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want ErrUnknownOutcome and the context's error", err)
			}
			<-cut
		})
	}
}

func TestHTTPContextGovernsOneCallAlone(t *testing.T) {
	l, _ := newFake(t, func(p *peer) {
		p.request()
		p.events()
		for range 3 {
			p.chunk("data: " + note + "\n\n")
		}
		p.chunk("data: " + pong + "\n\n")
		p.ended()
	}).open(t)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := l.Send(ctx, message(t, ping))
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 4 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		_, err := s.Next(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestHTTPCancel(t *testing.T) {
	t.Run("legacy", func(t *testing.T) {
		told := make(chan string, 1)
		release := make(chan struct{})
		l, _ := newFake(t, func(p *peer) {
			p.request()
			<-release
			p.json(200, `{"jsonrpc":"2.0","id":"x","result":{}}`)
			p.ended()
		}, func(p *peer) {
			b, _ := io.ReadAll(p.request().Body)
			told <- string(b)
			p.write("HTTP/1.1 202 X\r\nContent-Length: 0\r\n\r\n")
			p.ended()
		}).open(t)
		s := send(t, l, request(t, `"x"`, "ping"))
		if err := s.Cancel(limited(t), "no more"); err != nil {
			t.Fatal(err)
		}
		want := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x","reason":"no more"}}`
		if got := <-told; got != want {
			t.Errorf("the server was told %s", got)
		}
		close(release)
		if got := next(t, s); got != `{"jsonrpc":"2.0","id":"x","result":{}}` {
			t.Errorf("the late answer is %s", got)
		}
		if err := s.Cancel(limited(t), "too late"); err != nil {
			t.Error(err)
		}
	})
	t.Run("modern", func(t *testing.T) {
		l, _ := newFake(t, func(p *peer) {
			p.request()
			p.ended()
		}).open(t)
		s := send(t, l, modern(t, ping))
		ctx, failed := limited(t), make(chan error)
		go func() {
			_, err := s.Next(ctx)
			failed <- err
		}()
		if err := s.Cancel(ctx, "no more"); err != nil {
			t.Fatal(err)
		}
		if err := <-failed; !errors.Is(err, upstream.ErrUnknownOutcome) {
			t.Errorf("got %v, want ErrUnknownOutcome", err)
		}
	})
}

func TestHTTPSNeedsSomebodyWhoVouches(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, strings.Replace(pong, "{}", `{"proto":"`+r.Proto+`"}`, 1))
	}))
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // it tells of the handshake that is to fail
	srv.StartTLS()
	defer srv.Close()
	if _, err := call(t, open(t, newServer(t, httpConfig(srv.URL))), message(t, ping)); !errors.Is(err, upstream.ErrUnavailable) {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
	c := httpConfig(srv.URL)
	c.Roots = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	l := open(t, newServer(t, c))
	for range 3 {
		got, err := call(t, l, message(t, ping))
		if want := strings.Replace(pong, "{}", `{"proto":"HTTP/1.1"}`, 1); err != nil || got != want {
			t.Errorf("got %s, %v", got, err)
		}
	}
}

func TestCloseDeletesTheSession(t *testing.T) {
	for status, bad := range map[int]bool{200: false, 204: false, 404: false, 405: false, 302: true, 500: true} {
		l, _ := newFake(t, func(p *peer) {
			p.request()
			p.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: s\r\nContent-Length: 36\r\n\r\n" + pong)
			if r := p.request(); r.Method != http.MethodDelete {
				t.Errorf("got %s", r.Method)
			}
			p.write(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", status))
		}).open(t)
		if _, err := call(t, l, request(t, "1", "initialize")); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(limited(t)); (err != nil) != bad {
			t.Errorf("%d: got %v", status, err)
		}
		<-l.Done()
	}
}

func TestHTTPListenWantsEvents(t *testing.T) {
	l, _ := newFake(t, func(p *peer) {
		p.request()
		p.json(200, pong)
	}).open(t)
	if _, err := l.Listen(limited(t)); !errors.Is(err, upstream.ErrProtocol) {
		t.Errorf("got %v, want ErrProtocol", err)
	}
}

func TestHTTPClosedStreamGivesNothing(t *testing.T) {
	l, _ := newFake(t, func(p *peer) {
		p.request()
		p.ended()
	}).open(t)
	s := send(t, l, message(t, ping))
	s.Close()
	s.Close()
	if _, err := s.Next(limited(t)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}
