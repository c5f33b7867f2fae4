package mcpproxy_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/hopgate/hopgate/mcpproxy"
)

// line is a client whose messages share one connection: over SSE or WebSocket.
type line interface {
	say(text string)
	hear() string // the next message; empty at the end
	hangUp()
}

// patience is how long a client waits for a message, longer than a session lasts.
const patience = 30 * time.Hour

// sseLine is one over SSE: messages are posted, answers come on the stream.
type sseLine struct {
	*client
	stream   *response
	endpoint string
}

// sse opens the stream of an agent.
func (w *world) sse(name string) *sseLine {
	w.t.Helper()
	l := &sseLine{client: w.agent(name)}
	l.stream = l.must(http.MethodGet, "", l.at("/sse/up"))
	if l.stream.status != 200 {
		w.t.Fatalf("the stream has status %d: %s", l.stream.status, l.stream.last())
	}
	l.endpoint = l.stream.must().data
	return l
}

// at sends a request to an address.
func (l *sseLine) at(address string) func(*http.Request) {
	path, query, _ := strings.Cut(address, "?")
	return func(r *http.Request) { r.URL.Path, r.URL.RawQuery = path, query }
}

// send posts a message and returns what the POST is answered with.
func (l *sseLine) send(text string) *response {
	l.w.t.Helper()
	return l.post(text, l.at(l.endpoint))
}

func (l *sseLine) say(text string) {
	l.w.t.Helper()
	if r := l.send(text); r.status != 202 {
		l.w.t.Errorf("POST: status %d, %s", r.status, r.last())
	}
}

func (l *sseLine) hear() string {
	defer time.AfterFunc(patience, l.hangUp).Stop()
	m, _ := l.stream.next()
	return m.data
}

func (l *sseLine) hangUp() { l.stream.body.Close() }

// wsLine is one over WebSocket.
type wsLine struct {
	w *world
	c *websocket.Conn
}

func (w *world) ws(name string) *wsLine {
	w.t.Helper()
	d := &websocket.Dialer{NetDialContext: w.net.dial, Subprotocols: []string{"mcp", "bearer." + name + "-key"}}
	c, _, err := d.DialContext(w.ctx, "ws://localhost/ws/up", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return &wsLine{w, c}
}

func (l *wsLine) say(text string) {
	l.w.t.Helper()
	if err := l.c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		l.w.t.Error(err)
	}
}

func (l *wsLine) hear() string {
	defer time.AfterFunc(patience, l.hangUp).Stop()
	_, raw, err := l.c.ReadMessage()
	if err != nil {
		return ""
	}
	return string(raw)
}

func (l *wsLine) hangUp() { l.c.Close() }

// greetLine begins the session of a line.
func greetLine(t *testing.T, l line) {
	t.Helper()
	l.say(fmt.Sprintf(helloFormat, "2024-11-05"))
	if got := l.hear(); !strings.Contains(got, `"id":"hello","result"`) {
		t.Fatalf("initialize: %s", got)
	}
	l.say(greeted)
	synctest.Wait()
}

// eachLine runs a test over both transports.
func eachLine(t *testing.T, test func(t *testing.T, w *world, open func(agent string) line)) {
	t.Helper()
	for name, open := range map[string]func(*world, string) line{
		"sse": func(w *world, agent string) line { return w.sse(agent) },
		"ws":  func(w *world, agent string) line { return w.ws(agent) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) { test(w.t, w, func(agent string) line { return open(w, agent) }) })
		})
	}
}

func TestLinesCarryCallsAndQuestions(t *testing.T) {
	eachLine(t, func(t *testing.T, w *world, open func(string) line) {
		t.Helper()
		l := open("alice")
		defer l.hangUp()
		greetLine(t, l)
		l.say(tool("1", "progress", `{}`))
		for _, want := range []string{`"progressToken":1,"progress":0`, `"progressToken":1,"progress":1`, `"id":1,"result"`} {
			if got := l.hear(); !strings.Contains(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		l.say(tool("2", "ask", `{}`))
		if got := l.hear(); !strings.Contains(got, `"id":"ask-`) || !strings.Contains(got, "sampling/createMessage") {
			t.Fatalf("got %s", got)
		}
		answer := fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"result":{"role":"assistant"}}`, "ask-2")
		l.say(answer)
		if got := l.hear(); !strings.Contains(got, `"id":2,"result"`) || !strings.Contains(got, answer) {
			t.Errorf("got %s", got)
		}
		w.server.mu.Lock()
		for _, out := range w.server.sessions {
			out <- `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"loose"}}`
		}
		w.server.mu.Unlock()
		if got := l.hear(); !strings.Contains(got, "loose") {
			t.Errorf("what belongs to no request: got %s", got)
		}
		l.say(`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":7}}`)
		l.say(modernTool("4", "echo", `{"n":1.0}`))
		got := l.hear() + l.hear()
		if !strings.Contains(got, `"id":4,"result"`) || !strings.Contains(got, `{"n":1.0}`) {
			t.Errorf("a message of the later era got %s", got)
		}
		if e := w.last("tools/call"); e.origin.Transport != "sse" && e.origin.Transport != "ws" || e.origin.Session == "" {
			t.Errorf("on record: %+v", e.origin)
		}
	})
}

func TestLinesAreStrictlyApart(t *testing.T) {
	eachLine(t, func(t *testing.T, w *world, open func(string) line) {
		t.Helper()
		a, b := open("alice"), open("bob")
		defer a.hangUp()
		defer b.hangUp()
		greetLine(t, a)
		greetLine(t, b)
		a.say(tool("1", "ask", `{"of":"alice"}`))
		if got := a.hear(); !strings.Contains(got, `"of":"alice"`) {
			t.Fatalf("got %s", got)
		}
		b.say(`{"jsonrpc":"2.0","id":"ask-3","result":{"of":"bob"}}`)
		b.say(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		b.say(tool("1", "echo", `{"of":"bob"}`))
		if got := b.hear(); !strings.Contains(got, `{"of":"bob"}`) {
			t.Errorf("bob got %s", got)
		}
		a.say(`{"jsonrpc":"2.0","id":"ask-3","result":{"of":"alice"}}`)
		if got := a.hear(); !strings.Contains(got, `{"of":"alice"}`) || strings.Contains(got, "bob") {
			t.Errorf("alice got %s", got)
		}
	})
}

func TestLinesEndWithTheirAgent(t *testing.T) {
	cases := map[string]func(*world){
		"key revoked":    func(w *world) { w.revoke("alice-key") },
		"way closed":     func(w *world) { w.proxy.SetPolicy(w.policy("r2", closeWay("alice"))) },
		"24 hours later": func(*world) { time.Sleep(25 * time.Hour) },
	}
	for name, end := range cases {
		t.Run(name, func(t *testing.T) {
			eachLine(t, func(t *testing.T, w *world, open func(string) line) {
				t.Helper()
				l, other := open("alice"), open("bob")
				defer other.hangUp()
				greetLine(t, l)
				greetLine(t, other)
				end(w)
				for got := l.hear(); got != ""; got = l.hear() {
					if !strings.Contains(got, "list_changed") {
						t.Errorf("got %s", got)
					}
				}
				if name == "24 hours later" {
					return
				}
				other.say(tool("1", "echo", `{}`))
				for got := other.hear(); !strings.Contains(got, `"id":1`); got = other.hear() {
					if !strings.Contains(got, "list_changed") {
						t.Fatalf("bob got %q", got)
					}
				}
			})
		})
	}
}

// TestSSEOutlivesTheKeyThatOpenedIt where its agent has posted with a newer one since, and the old one expires. What the
// server says of its own accord is for the newer one then.
func TestSSEOutlivesTheKeyThatOpenedIt(t *testing.T) {
	cases := map[string]struct {
		post string // the key of a message before the end
		end  func(*world)
		ends bool
	}{
		"it expires":                {"second-key", func(w *world) { w.expire("alice-key") }, false},
		"it is revoked":             {"second-key", func(w *world) { w.revoke("alice-key") }, true},
		"no newer one was shown":    {"alice-key", func(w *world) { w.expire("alice-key") }, true},
		"both expire":               {"second-key", func(w *world) { w.expire("alice-key"); w.expire("second-key") }, true},
		"the newer one is revoked":  {"second-key", func(w *world) { w.expire("alice-key"); w.revoke("second-key") }, true},
		"another agent's was shown": {"bob-key", func(w *world) { w.expire("alice-key") }, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				w.keys.valid["second-key"] = "alice"
				l := w.sse("alice")
				defer l.hangUp()
				greetLine(t, l)
				l.key = c.post
				l.send(tool("1", "echo", "{}"))
				if c.post != "bob-key" {
					l.hear()
				}
				c.end(w)
				synctest.Wait()
				if c.ends {
					if got := l.hear(); got != "" {
						t.Errorf("the stream goes on with %s", got)
					}
					return
				}
				w.push("up-1", note("after"))
				if got := l.hear(); got != note("after") {
					t.Errorf("the server's own message: %s", got)
				}
				l.say(tool("2", "echo", "{}"))
				if got := l.hear(); !strings.Contains(got, `"id":2,"result"`) {
					t.Errorf("a call: %s", got)
				}
			})
		})
	}
}

// closeWay takes an agent's way to up away.
func closeWay(agent string) func(*mcpproxy.Policy) {
	return func(p *mcpproxy.Policy) { delete(p.Connections, mcpproxy.Way{Agent: agent, Upstream: "up"}) }
}

// TestSSEAddressIsBoundToItsAgentAndSession posts to a stream's address as somebody else, and to addresses that are none.
func TestSSEAddressIsBoundToItsAgentAndSession(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.sse("alice")
		defer a.hangUp()
		greetLine(w.t, a)
		web := w.session("alice", "2025-11-25")
		ws := w.ws("alice")
		defer ws.hangUp()
		cases := map[string]struct {
			agent, address string
			status         int
			code           string
		}{
			"other agent":     {"bob", a.endpoint, 404, "SESSION_FOREIGN"},
			"nobody":          {"carol", a.endpoint, 401, "UNAUTHENTICATED"},
			"unknown id":      {"alice", "/sse/up?session=" + strings.Repeat("0", 40), 404, "SESSION_UNKNOWN"},
			"id of /mcp/":     {"alice", "/sse/up?session=" + web.session, 404, "SESSION_UNKNOWN"},
			"other upstream":  {"alice", strings.Replace(a.endpoint, "/up", "/other", 1), 404, "SESSION_FOREIGN"},
			"on /mcp/ itself": {"alice", "/mcp/up", 404, "SESSION_UNKNOWN"},
		}
		for name, c := range cases {
			other := &sseLine{client: w.agent(c.agent), endpoint: c.address}
			_, id, _ := strings.Cut(a.endpoint, "=")
			r := other.post(tool("1", "echo", `{}`), other.at(c.address), func(r *http.Request) {
				if c.address == "/mcp/up" {
					r.Header.Set("Mcp-Session-Id", id)
				}
			})
			var codes []string
			for _, e := range append(w.journal.find(""), w.journal.find("tools/call")...) {
				codes = append(codes, e.code)
			}
			if r.status != c.status || !strings.Contains(strings.Join(codes, " "), c.code) {
				w.t.Errorf("%s: status %d, %s; on record %v", name, r.status, r.last(), codes)
			}
		}
		if got := w.server.messages("tools/call"); len(got) > 0 {
			w.t.Errorf("the server got %v", got)
		}
		a.say(tool("1", "echo", `{}`))
		if got := a.hear(); !strings.Contains(got, `"id":1,"result"`) {
			w.t.Errorf("the agent itself got %s", got)
		}
	})
}

// TestSSERefusesWhereTheClientLooks: what has an id is refused on the stream, what has none with the POST.
func TestSSERefusesWhereTheClientLooks(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.sse("alice")
		defer a.hangUp()
		a.say(tool("1", "echo", `{}`))
		if got := a.hear(); !strings.Contains(got, `"id":1,"error":{"code":-32600`) {
			w.t.Errorf("a call before the handshake got %s", got)
		}
		if r := a.send("hello"); r.status != 400 || !strings.Contains(r.last(), `"code":-32700`) {
			w.t.Errorf("no JSON got %d", r.status)
		}
		if r := a.send(greeted); r.status != 400 {
			w.t.Errorf("a notification before its time got %d", r.status)
		}
		greetLine(w.t, a)
	})
}

// TestLinesAreBoundedForEachAgent opens as many as one agent may have, and one more.
func TestLinesAreBoundedForEachAgent(t *testing.T) {
	bubble(t, func(w *world) {
		for range 1000 {
			defer w.sse("alice").hangUp()
		}
		c := w.agent("alice")
		if r := c.must(http.MethodGet, "", (&sseLine{client: c}).at("/sse/up")); r.status != 429 {
			w.t.Errorf("status %d, %s", r.status, r.last())
		}
		w.sse("bob").hangUp()
	})
}

// TestSilentLinesAreKeptAlive: over SSE a comment comes, over WebSocket a ping, which a client that is there answers; one
// that is not loses its session.
func TestSilentLinesAreKeptAlive(t *testing.T) {
	bubble(t, func(w *world) {
		a := w.sse("alice")
		defer a.hangUp()
		raw := make(chan string)
		go func() {
			br := bufio.NewReader(a.stream.br)
			text, _ := br.ReadString('\n')
			raw <- text
		}()
		time.Sleep(16 * time.Second)
		if got := <-raw; got != ": \n" {
			w.t.Errorf("got %q", got)
		}
	})
	bubble(t, func(w *world) {
		var pings int
		a := w.ws("alice")
		a.c.SetPingHandler(func(text string) error {
			pings++
			return a.c.WriteControl(websocket.PongMessage, []byte(text), time.Now().Add(time.Second))
		})
		done := make(chan string)
		go func() { done <- a.hear() }()
		time.Sleep(61 * time.Second)
		a.say(tool("1", "echo", `{}`))
		if got := <-done; !strings.Contains(got, "not initialized") || pings < 3 {
			w.t.Errorf("got %s after %d pings", got, pings)
		}
		time.Sleep(2 * time.Minute) // nobody reads
		synctest.Wait()
		a.c.SetReadDeadline(time.Now().Add(time.Second))
		a.c.SetPingHandler(func(string) error { return nil })
		if got := a.hear(); got != "" {
			w.t.Errorf("a client that answers no ping got %s", got)
		}
		a.hangUp()
	})
}
