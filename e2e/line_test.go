package e2e

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// fronts are the ways by which agents reach Hopgate.
var fronts = []string{"http", "stdio", "sse", "ws"}

// ways are all by which Hopgate reaches upstreams.
var ways = []string{"http", "stdio", "sse", "ws"}

// line is a raw client whose connection carries the whole conversation.
type line interface {
	send(text string)
	next() string // the next message that comes
	ask(text string) string
	greet(version string)
	end()
}

// line opens a connection for an agent, of a process that serves where the front needs one.
func (h *hopgate) line(front, upstream, key string) line {
	h.t.Helper()
	switch front {
	case "stdio":
		return h.stdio("--to", upstream)
	case "sse":
		return h.sse(upstream, key)
	}
	return h.ws(upstream, key)
}

// remoteLine is one over the network. hangUp breaks it off.
type remoteLine struct {
	t      testing.TB
	lines  chan string
	say    func(text string) error
	hangUp func()
}

func (l *remoteLine) send(text string) {
	l.t.Helper()
	if err := l.say(text); err != nil {
		l.t.Fatal(err)
	}
}

func (l *remoteLine) next() string {
	l.t.Helper()
	select {
	case m, ok := <-l.lines:
		if !ok {
			l.t.Fatal("the connection has ended")
		}
		return m
	case <-soon(l.t):
		l.t.Fatal("nothing comes")
		return ""
	}
}

func (l *remoteLine) ask(text string) string {
	l.t.Helper()
	l.send(text)
	return l.next()
}

func (l *remoteLine) greet(version string) {
	l.t.Helper()
	if got := l.ask(hello(version)); !strings.Contains(got, `"result"`) {
		l.t.Fatalf("initialize: %s", got)
	}
	l.send(initialized)
}

func (l *remoteLine) end() { l.hangUp() }

// sse opens the stream of 2024-11-05. A refusal of a POST counts as a message that came.
func (h *hopgate) sse(upstream, key string) *remoteLine {
	h.t.Helper()
	header := http.Header{"Authorization": {"Bearer " + key}}
	do := func(method, url, text string) (*http.Response, error) {
		r, err := http.NewRequestWithContext(h.t.Context(), method, url, strings.NewReader(text))
		if err != nil {
			return nil, err
		}
		r.Header = header.Clone()
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/json")
		}
		return http.DefaultTransport.RoundTrip(r)
	}
	resp, err := do(http.MethodGet, h.base+"/sse/"+upstream, "")
	if err != nil {
		h.t.Fatal(err)
	}
	l := &remoteLine{t: h.t, lines: make(chan string, 1000), hangUp: func() { resp.Body.Close() }}
	h.t.Cleanup(l.hangUp)
	events := make(chan string, 1000)
	go func() {
		defer close(events)
		br := bufio.NewReader(resp.Body)
		for {
			text, err := br.ReadString('\n')
			if err != nil {
				return
			}
			if data, ok := strings.CutPrefix(text, "data: "); ok {
				events <- strings.TrimSuffix(data, "\n")
			}
		}
	}()
	var endpoint string
	select {
	case endpoint = <-events:
	case <-soon(h.t):
	}
	if resp.StatusCode != 200 || endpoint == "" {
		h.t.Fatalf("the stream: %d %s", resp.StatusCode, endpoint)
	}
	l.lines = events
	l.say = func(text string) error {
		resp, err := do(http.MethodPost, h.base+endpoint, text)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if len(raw) > 0 {
			l.lines <- string(raw)
		}
		return err
	}
	return l
}

// ws opens a WebSocket.
func (h *hopgate) ws(upstream, key string) *remoteLine {
	h.t.Helper()
	d := &websocket.Dialer{Subprotocols: []string{"mcp"}, HandshakeTimeout: 20 * time.Second}
	c, resp, err := d.Dial("ws"+strings.TrimPrefix(h.base, "http")+"/ws/"+upstream, http.Header{"Authorization": {"Bearer " + key}})
	if err != nil {
		h.t.Fatalf("WebSocket: %v, %v", err, resp)
	}
	l := &remoteLine{
		t: h.t, lines: make(chan string, 1000), hangUp: func() { c.Close() },
		say: func(text string) error {
			err := c.WriteMessage(websocket.TextMessage, []byte(text))
			if closed := new(websocket.CloseError); errors.As(err, &closed) {
				return nil // next tells
			}
			return err
		},
	}
	h.t.Cleanup(l.hangUp)
	go func() {
		defer close(l.lines)
		for {
			_, raw, err := c.ReadMessage()
			if err != nil {
				return
			}
			l.lines <- string(raw)
		}
	}()
	return l
}
