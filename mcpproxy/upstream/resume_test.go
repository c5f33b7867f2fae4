package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

// seen notes what the server was asked for, and when.
type seen struct {
	Method, LastEvent string
	At                time.Duration
}

// script makes handlers of answers: each serves one request and ends the connection.
func script(start *time.Time, log *[]seen, answers ...string) (handlers []func(*peer)) {
	for _, a := range answers {
		handlers = append(handlers, func(p *peer) {
			r := p.request()
			if r == nil {
				return
			}
			*log = append(*log, seen{r.Method, r.Header.Get("Last-Event-Id"), time.Since(*start)})
			p.write(a)
		})
	}
	return handlers
}

const stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

func TestHTTPStreamThatBreaksOffIsContinued(t *testing.T) {
	cases := map[string]struct {
		modern  bool
		answers []string
		want    []string
		err     error
		log     []seen
	}{
		"polling": {
			answers: []string{
				stream + "id: a\nretry: 2000\ndata:\n\n",
				stream + "id: b\ndata: " + note + "\n\ndata: {",
				stream + "id: c\ndata: " + pong + "\n\n",
			},
			want: []string{note, pong},
			log:  []seen{{"POST", "", 0}, {"GET", "a", 2 * time.Second}, {"GET", "b", 4 * time.Second}},
		},
		"without a place to continue": {
			answers: []string{stream + "data: " + note + "\n\n"}, want: []string{note},
			err: upstream.ErrUnknownOutcome, log: []seen{{"POST", "", 0}},
		},
		"in a revision without": {
			modern: true, answers: []string{stream + "id: a\ndata: " + note + "\n\n"}, want: []string{note},
			err: upstream.ErrUnknownOutcome, log: []seen{{"POST", "", 0}},
		},
		"never again": {
			answers: []string{stream + "id: a\ndata:\n\n", stream, "", stream, "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"},
			err:     upstream.ErrUnknownOutcome,
			log: []seen{
				{"POST", "", 0},
				{"GET", "a", time.Second},
				{"GET", "a", 3 * time.Second},
				{"GET", "a", 7 * time.Second},
				{"GET", "a", 15 * time.Second},
			},
		},
		"refused": {
			answers: []string{stream + "id: a\ndata:\n\n", "HTTP/1.1 405 X\r\nContent-Length: 0\r\n\r\n"},
			err:     upstream.ErrUnknownOutcome, log: []seen{{"POST", "", 0}, {"GET", "a", time.Second}},
		},
		"by a hurried server": {
			answers: []string{stream + "id: a\nretry: 0\ndata:\n\n", stream + "data: " + pong + "\n\n"},
			want:    []string{pong}, log: []seen{{"POST", "", 0}, {"GET", "a", 100 * time.Millisecond}},
		},
		"with an answer to another": {
			answers: []string{stream + "id: a\ndata:\n\n", stream + "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n\n", "HTTP/1.1 405 X\r\nContent-Length: 0\r\n\r\n"},
			err:     upstream.ErrProtocol, log: []seen{{"POST", "", 0}, {"GET", "a", time.Second}, {"GET", "a", 2 * time.Second}},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, log := time.Now(), []seen(nil)
				l, done := newFake(t, script(&start, &log, c.answers...)...).open(t)
				out := message(t, ping)
				if c.modern {
					out = modern(t, ping)
				}
				s, err := l.Send(t.Context(), out)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for {
					in, e := s.Next(t.Context())
					if err = e; err != nil {
						break
					}
					got = append(got, string(in.Frame.Raw))
				}
				s.Close()
				done()
				want := c.err
				if want == nil {
					want = io.EOF
				}
				if !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(c.log, log); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestHTTPContinuationKnowsTheEndOfTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, done := newFake(t, func(p *peer) {
			p.request()
			p.write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: s\r\nContent-Length: 36\r\n\r\n" + pong)
			p.request()
			p.write(stream + "id: a\ndata:\n\n")
		}, func(p *peer) {
			if r := p.request(); r.Header.Get("Mcp-Session-Id") != "s" || r.Header.Get("Mcp-Protocol-Version") != "2025-11-25" {
				t.Errorf("the continuation is of session %v", r.Header)
			}
			p.write("HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n")
		}).open(t)
		if _, err := call(t, l, request(t, "1", "initialize")); err != nil {
			t.Fatal(err)
		}
		if _, err := call(t, l, message(t, ping)); !errors.Is(err, upstream.ErrSessionEnded) {
			t.Errorf("got %v, want ErrSessionEnded", err)
		}
		<-l.Done()
		done()
	})
}

func TestHTTPListen(t *testing.T) {
	const changed = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`
	refused := func(code int) string { return fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", code) }
	synctest.Test(t, func(t *testing.T) {
		start, log := time.Now(), []seen(nil)
		f := newFake(t, script(&start, &log,
			stream+"data: "+changed+"\n\nid: a\ndata: "+question+"\n\n",
			refused(503), refused(429), "",
			stream+"retry: 5000\ndata: "+pong+"\n\ndata: no message\n\nid: b\ndata: "+changed+"\n\n",
			refused(400), stream+"data: "+note+"\n\nid: c\ndata:\n\n",
			refused(405),
			refused(500),
			stream+"id: d\ndata: "+changed+"\n\n",
		)...)
		s := newServer(t, f.Config)
		l := open(t, s)
		st, err := l.Listen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Listen(t.Context()); !errors.Is(err, upstream.ErrInvalid) {
			t.Errorf("a second listener: %v, want ErrInvalid", err)
		}
		if err := st.Cancel(t.Context(), ""); err != nil {
			t.Error(err)
		}
		for i, want := range []string{changed, question, changed, note} {
			in, err := st.Next(t.Context())
			if err != nil || string(in.Frame.Raw) != want {
				t.Fatalf("message %d: got %v, %v, want %s", i, in, err, want)
			}
		}
		if _, err := st.Next(t.Context()); !errors.Is(err, upstream.ErrNoListen) {
			t.Errorf("a server that has changed its mind: %v", err)
		}
		st.Close()
		st.Close()
		if _, err := l.Listen(t.Context()); !errors.Is(err, upstream.ErrUnknownOutcome) { // a failure at first is the caller's
			t.Errorf("got %v", err)
		}
		if st, err = l.Listen(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // nobody is there any more
		defer cancel()
		if _, err := st.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		st.Close()
		_ = s.Close()
		f.wg.Wait()
		s1 := time.Second
		want := []seen{
			{"GET", "", 0},
			{"GET", "a", s1},
			{"GET", "a", 3 * s1},
			{"GET", "a", 7 * s1},
			{"GET", "a", 15 * s1},
			{"GET", "b", 20 * s1},
			{"GET", "", 20 * s1},
			{"GET", "c", 25 * s1},
			{"GET", "c", 25 * s1},
			{"GET", "c", 25 * s1},
		}
		if diff := cmp.Diff(want, log); diff != "" {
			t.Error(diff)
		}
		if got, want := s.Counts(), (upstream.Counts{Malformed: 1, Stray: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestHTTPListenEndsWithTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, done := newFake(t, func(p *peer) {
			p.request()
			p.write(stream)
		}).open(t)
		st, err := l.Listen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(500*time.Millisecond, func() { _ = l.Close(t.Context()) })
		if _, err := st.Next(t.Context()); !errors.Is(err, upstream.ErrSessionEnded) {
			t.Errorf("got %v, want ErrSessionEnded", err)
		}
		st.Close()
		done()
	})
}

func TestHTTPStatelessHasNothingToListenTo(t *testing.T) {
	f := newFake(t)
	l, err := newServer(t, f.Config).Stateless(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Listen(t.Context()); !errors.Is(err, upstream.ErrNoListen) {
		t.Errorf("got %v, want ErrNoListen", err)
	}
}
