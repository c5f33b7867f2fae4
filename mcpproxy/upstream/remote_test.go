package upstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// farServer is an MCP server over connections that carry a conversation each. It answers every request with what it got,
// unless the method says otherwise.
type farServer struct {
	url string // of the configuration

	mu       sync.Mutex
	got      []string
	held     []string      // ids of requests that are not answered yet
	headers  []http.Header // of the handshake, or the GET
	conns    []func()      // break off
	endpoint func(r *http.Request, id string) string
	opening  string // what the stream begins with, in place of the address
	status   int    // of POSTs; 0: 202
}

func (s *farServer) note(raw string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, raw)
}

func (s *farServer) messages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got...)
}

// breakOff ends all connections.
func (s *farServer) breakOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.conns {
		f()
	}
	s.conns = nil
}

func (s *farServer) enter(h http.Header, breakOff func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.headers = append(s.headers, h)
	s.conns = append(s.conns, breakOff)
}

// act answers a message.
func (s *farServer) act(raw []byte, say func(string)) {
	s.note(string(raw))
	var f wire.Frame
	if wire.Parse(&f, bytes.Clone(raw), wire.FromAgent, &wire.DefaultLimits) != nil || f.Kind != wire.KindRequest {
		return
	}
	id := f.Get(wire.ID)
	switch f.String(wire.Method) {
	case "silent":
	case "hold", "count", "oldest", "release":
		s.keep(f.String(wire.Method), string(id), say)
	case "break":
		s.breakOff()
	case "twice":
		say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"n":1}}`, id))
		say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"n":2}}`, id))
	case "ask":
		say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"ping"}`, id))
		say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{}}`, id))
	case "huge":
		say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"a":"%s"}}`, id, strings.Repeat("x", 1<<20)))
	case "babel":
		for range 300 {
			say("no message")
		}
	default:
		say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"got":%s}}`, id, raw))
	}
}

// keep holds requests, and answers them when it is told to, in the order of the child of these tests.
func (s *farServer) keep(method, id string, say func(string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch method {
	case "hold":
		s.held = append(s.held, id)
		return
	case "count":
		say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"held":%d}}`, id, len(s.held)))
		return
	case "oldest":
		say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"late":true}}`, s.held[0]))
		s.held = s.held[1:]
	case "release":
		for i, id := range slices.Backward(s.held) {
			say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"held":%d}}`, id, i))
		}
		s.held = nil
	}
	say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{}}`, id))
}

// sse serves the transport of 2024-11-05.
func newSSE(t *testing.T) *farServer {
	t.Helper()
	s := &farServer{endpoint: func(_ *http.Request, id string) string { return "/post?id=" + id }}
	var mu sync.Mutex
	streams := map[string]func(string){}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			mu.Lock()
			say := streams[r.URL.Query().Get("id")]
			mu.Unlock()
			raw, _ := io.ReadAll(r.Body)
			if s.status != 0 {
				w.WriteHeader(s.status)
				return
			}
			w.WriteHeader(http.StatusAccepted)
			go s.act(raw, say)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		mu.Lock()
		id := fmt.Sprint(len(streams))
		var out sync.Mutex
		over := false
		streams[id] = func(m string) {
			out.Lock()
			defer out.Unlock()
			if over {
				return
			}
			fmt.Fprintf(w, "event: message\ndata: %s\n\n", m)
			w.(http.Flusher).Flush()
		}
		mu.Unlock()
		s.enter(r.Header.Clone(), cancel)
		out.Lock()
		w.Header().Set("Content-Type", "text/event-stream")
		if s.opening != "" {
			io.WriteString(w, s.opening)
		} else {
			fmt.Fprintf(w, ": hello\n\nevent: endpoint\ndata: %s\n\n", s.endpoint(r, id))
		}
		w.(http.Flusher).Flush()
		out.Unlock()
		<-ctx.Done()
		out.Lock()
		defer out.Unlock()
		over = true
	}))
	t.Cleanup(h.Close)
	s.url = h.URL + "/sse"
	return s
}

// ws serves WebSockets with another implementation than ours.
func newWS(t *testing.T, edit func(*websocket.Upgrader)) *farServer {
	t.Helper()
	s := &farServer{}
	up := &websocket.Upgrader{Subprotocols: []string{"mcp"}}
	if edit != nil {
		edit(up)
	}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.status != 0 {
			w.Header().Set("Location", "http://elsewhere.example/")
			w.WriteHeader(s.status)
			return
		}
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		s.enter(r.Header.Clone(), func() { c.UnderlyingConn().Close() })
		for {
			_, raw, err := c.ReadMessage()
			if err != nil {
				return
			}
			if bytes.Contains(raw, []byte(`"binary"`)) {
				c.WriteMessage(websocket.BinaryMessage, []byte("{}"))
				continue
			}
			s.act(raw, func(m string) { c.WriteMessage(websocket.TextMessage, []byte(m)) })
		}
	}))
	t.Cleanup(h.Close)
	s.url = "ws" + strings.TrimPrefix(h.URL, "http") + "/ws"
	return s
}

func (s *farServer) config() upstream.Config {
	limits := wire.DefaultLimits
	limits.Frame = 64 << 10
	return upstream.Config{
		Name: "up", URL: s.url, SSE: strings.HasPrefix(s.url, "http"), Header: http.Header{"Authorization": {"Bearer secret"}},
		Limits: limits, Clock: time.Now, Log: zerolog.Nop(),
	}
}

func eachFar(t *testing.T, test func(t *testing.T, s *farServer)) {
	t.Helper()
	t.Run("sse", func(t *testing.T) { test(t, newSSE(t)) })
	t.Run("ws", func(t *testing.T) { test(t, newWS(t, nil)) })
}

func TestFarServersGetAndGiveWholeMessages(t *testing.T) {
	eachFar(t, func(t *testing.T, s *farServer) {
		t.Helper()
		l := open(t, newServer(t, s.config()))
		for _, raw := range []string{
			`{"jsonrpc":"2.0","id":1,"method":"echo","params":{"n":12345678901234567890,"f":1.0,"e":"\u00e9\/"}}`,
			`{"jsonrpc":"2.0","id":"\u0041","method":"echo","params":{"a":"` + strings.Repeat("x", 50<<10) + `"}}`,
		} {
			got, err := call(t, l, message(t, raw))
			if err != nil || !strings.HasSuffix(got, `"result":{"got":`+raw+`}}`) {
				t.Errorf("%.80s: got %.200s, %v", raw, got, err)
			}
		}
		note := `{"jsonrpc":"2.0","method":"notifications/initialized"}`
		send(t, l, message(t, note))
		for deadline := time.Now().Add(patience); !strings.Contains(strings.Join(s.messages(), "\n"), note); {
			if time.Now().After(deadline) {
				t.Fatalf("the server got %v", s.messages())
			}
			time.Sleep(time.Millisecond)
		}
		if got := s.headers[0].Get("Authorization"); got != "Bearer secret" {
			t.Errorf("the credential is %q", got)
		}
		if got, err := all(t, send(t, l, request(t, "5", "ask"))); err != nil || len(got) != 2 {
			t.Errorf("a request of the server with the id of ours: got %v, %v", got, err)
		}
	})
}

func TestFarServersServeManyOnOneConnection(t *testing.T) {
	eachFar(t, func(t *testing.T, s *farServer) {
		t.Helper()
		l := stateless(t, newServer(t, s.config()))
		var work sync.WaitGroup
		for i := range 20 {
			work.Go(func() {
				raw := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"echo","params":{"n":%d}}`, i)
				got, err := call(t, l, modern(t, raw))
				if err != nil || !strings.Contains(got, `"id":1,`) || !strings.Contains(got, fmt.Sprintf(`{"n":%d}`, i)) {
					t.Errorf("call %d got %s, %v", i, got, err)
				}
			})
		}
		work.Wait()
		if len(s.headers) != 1 {
			t.Errorf("%d connections", len(s.headers))
		}
	})
}

// over checks that a link is known to have ended by those whom it has failed: their next call takes another.
func over(t *testing.T, l upstream.Link) {
	t.Helper()
	select {
	case <-l.Done():
	default:
		t.Error("a call has failed with the link, which is not over")
	}
}

func TestFarServersThatBreakOff(t *testing.T) {
	eachFar(t, func(t *testing.T, s *farServer) {
		t.Helper()
		server := newServer(t, s.config())
		l := open(t, server)
		waits := send(t, l, request(t, "1", "silent"))
		if _, err := call(t, l, request(t, "2", "break")); !errors.Is(err, upstream.ErrUnknownOutcome) {
			t.Errorf("got %v", err)
		}
		if _, err := all(t, waits); !errors.Is(err, upstream.ErrUnknownOutcome) {
			t.Errorf("another call got %v", err)
		}
		over(t, l)
		if _, err := l.Send(limited(t), request(t, "3", "echo")); !errors.Is(err, upstream.ErrSessionEnded) {
			t.Errorf("afterwards: %v", err)
		}
		if got, err := call(t, open(t, server), request(t, "4", "echo")); err != nil || !strings.Contains(got, `"id":4`) {
			t.Errorf("on another connection: %s, %v", got, err)
		}
	})
}

func TestFarServersThatMisbehave(t *testing.T) {
	eachFar(t, func(t *testing.T, s *farServer) {
		t.Helper()
		for _, method := range []string{"huge", "babel"} {
			l := open(t, newServer(t, s.config()))
			if _, err := call(t, l, request(t, "1", method)); !errors.Is(err, upstream.ErrProtocol) {
				t.Errorf("%s: got %v", method, err)
			}
			<-l.Done()
		}
		server := newServer(t, s.config())
		l := open(t, server)
		if got, err := call(t, l, request(t, "1", "twice")); err != nil || !strings.Contains(got, `"n":1`) {
			t.Errorf("got %s, %v", got, err)
		}
		if _, err := call(t, l, request(t, "2", "echo")); err != nil || server.Counts().Stray != 1 {
			t.Errorf("a second answer: %+v, %v", server.Counts(), err)
		}
	})
	t.Run("binary frame", func(t *testing.T) {
		l := open(t, newServer(t, newWS(t, nil).config()))
		if _, err := call(t, l, request(t, "1", "binary")); !errors.Is(err, upstream.ErrProtocol) {
			t.Errorf("got %v", err)
		}
	})
}

func TestSSEPostsOnlyToItsOwnOrigin(t *testing.T) {
	cases := map[string]struct {
		endpoint, opening string
		ok                bool
	}{
		"path":                  {endpoint: "/post?id=0", ok: true},
		"query alone":           {endpoint: "?id=0", ok: true},
		"whole":                 {endpoint: "http://HOST/post?id=0", ok: true},
		"other host":            {endpoint: "http://evil.example/post"},
		"other host, no scheme": {endpoint: "//evil.example/post"},
		"other port":            {endpoint: "http://127.0.0.1:1/post"},
		"other scheme":          {endpoint: "https://HOST/post"},
		"user":                  {endpoint: "http://me:pw@HOST/post"},
		"no URL":                {endpoint: "http://%zz"},
		"a header":              {endpoint: "/post\tX: 1"},
		"message first":         {opening: "data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n"},
		"endless":               {opening: strings.Repeat(": noise\n", 20000)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSSE(t)
			s.opening = c.opening
			s.endpoint = func(r *http.Request, _ string) string { return strings.Replace(c.endpoint, "HOST", r.Host, 1) }
			l, err := newServer(t, s.config()).Open(limited(t))
			if c.ok != (err == nil) {
				t.Fatalf("got %v", err)
			}
			if err != nil {
				if !errors.Is(err, upstream.ErrUnavailable) || strings.Contains(err.Error(), "evil") {
					t.Errorf("got %v", err)
				}
				return
			}
			if _, err := call(t, l, request(t, "1", "echo")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSSEAddressDoesNotMove(t *testing.T) {
	s := newSSE(t)
	s.opening = "event: endpoint\ndata: /post?id=0\n\nevent: endpoint\ndata: /other?id=0\n\n"
	server := newServer(t, s.config())
	if _, err := call(t, open(t, server), request(t, "1", "echo")); err != nil || server.Counts().Malformed != 1 {
		t.Errorf("%v, %+v", err, server.Counts())
	}
}

func TestSSEStatusOfAPostFailsTheCall(t *testing.T) {
	for status, ends := range map[int]bool{400: false, 404: true, 500: false, 302: false} {
		s := newSSE(t)
		s.status = status
		l := open(t, newServer(t, s.config()))
		_, err := call(t, l, request(t, "1", "echo"))
		if code, ok := errors.AsType[*upstream.StatusError](err); !ok || code.Code != status {
			t.Errorf("%d: got %v", status, err)
		}
		if ends {
			<-l.Done()
		}
	}
}

func TestWebSocketHandshakeIsHeldTo(t *testing.T) {
	t.Run("no subprotocol", func(t *testing.T) {
		s := newWS(t, func(u *websocket.Upgrader) { u.Subprotocols = nil })
		if _, err := call(t, open(t, newServer(t, s.config())), request(t, "1", "echo")); err != nil {
			t.Error(err)
		}
	})
	t.Run("statuses", func(t *testing.T) {
		for _, status := range []int{200, 302, 401, 404, 500} {
			s := newWS(t, nil)
			s.status = status
			if _, err := newServer(t, s.config()).Open(limited(t)); !errors.Is(err, upstream.ErrUnavailable) || !strings.Contains(err.Error(), fmt.Sprint(status)) {
				t.Errorf("%d: got %v", status, err)
			}
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		s := &farServer{url: "ws://127.0.0.1:1/ws?token=hidden"}
		if _, err := newServer(t, s.config()).Open(limited(t)); !errors.Is(err, upstream.ErrUnavailable) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("got %v", err)
		}
	})
}
