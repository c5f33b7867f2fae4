package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// flood is what an agent does that has a name and a connection for its conversation, and sends more than it may.
type flood func(open func() *flooder)

// flooder is such a connection. What comes on it is read only where somebody reads.
type flooder struct {
	t     *testing.T
	write func(text string) error
	read  func() (string, error)
	close func()
}

// floodMemory is what one agent may make the process take, in KiB: large answers that it does not read, and large messages that
// are judged, and the same of another. Without bounds on one agent's messages it was 7 GiB, and grew with what was sent.
const floodMemory = 1536 << 10

// most is nearly the size that a message may have.
const most = 4<<20 - 1000

// lineFloods are what is done over WebSocket, and over the relay on standard streams.
func lineFloods() map[string]flood {
	return map[string]flood{
		"calls before answers": func(open func() *flooder) {
			f, n := open(), 1000
			go f.storm(n, func(i int) string { return floodCall(i, `{"slow":1}`) })
			seen := map[int]int{}
			for range n {
				seen[f.next().ID]++
			}
			if len(seen) != n {
				f.t.Errorf("%d of %d calls have an answer", len(seen), n)
			}
		},
		"calls whose answers nobody reads": func(open func() *flooder) {
			go open().storm(1000, func(i int) string { return floodCall(i, `{}`) })
			time.Sleep(2 * time.Second)
		},
		"large answers that nobody reads": func(open func() *flooder) {
			for range 4 {
				go open().storm(60, func(i int) string { return floodCall(i, fmt.Sprintf(`{"big":%d}`, most)) })
			}
			time.Sleep(3 * time.Second)
		},
		"large calls that wait": func(open func() *flooder) {
			large, refused := strings.Repeat("x", most), 0
			for range 4 {
				f := open()
				go f.storm(12, func(i int) string { return floodCall(i, `{"slow":1,"x":"`+large+`"}`) })
				defer func() {
					for range 12 {
						if f.next().refused {
							refused++
						}
					}
					f.t.Logf("%d were refused by then", refused)
				}()
			}
		},
		"messages that never end": func(open func() *flooder) {
			half := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"x":"` + strings.Repeat("x", most)
			for range 30 {
				f := open()
				go f.half(half)
			}
			time.Sleep(3 * time.Second)
		},
		"messages beyond the limit": func(open func() *flooder) {
			for range 3 {
				go open().storm(4, func(int) string { return strings.Repeat("x", 8<<20) })
			}
			time.Sleep(time.Second)
		},
		"pings": func(open func() *flooder) {
			f, n := open(), 3000
			go f.storm(n, func(i int) string { return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`, i) })
			for range n {
				f.next()
			}
		},
		"calls that are cancelled": func(open func() *flooder) {
			f := open()
			f.storm(600, func(i int) string {
				if i%2 == 0 {
					return floodCall(i, `{"slow":1}`)
				}
				return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}`, i-1)
			})
			f.settled()
		},
		"cancellations of nothing": func(open func() *flooder) {
			f := open()
			f.storm(10000, func(i int) string {
				return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"q%d"}}`, i)
			})
			f.settled()
		},
		"notifications": func(open func() *flooder) {
			f := open()
			f.storm(10000, func(i int) string {
				return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/%s","params":{"progressToken":%d,"progress":1}}`, []string{"progress", "initialized", "nosuch"}[i%3], i)
			})
			f.settled()
		},
		"answers to nothing": func(open func() *flooder) {
			f := open()
			f.storm(5000, func(i int) string { return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":{}}`, i) })
			f.settled()
		},
		"nonsense": func(open func() *flooder) {
			f := open()
			go f.storm(5000, func(int) string { return `{"jsonrpc":` })
			for range 5000 {
				f.next()
			}
		},
		"subscriptions": func(open func() *flooder) {
			f, large := open(), strings.Repeat("x", 1<<20)
			go f.storm(100, func(i int) string {
				return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"resources/subscribe","params":{"uri":"file:///%d","_meta":{"x":"%s"}}}`, i, i, large)
			})
			for range 100 {
				f.next()
			}
		},
		"subscriptions that last": func(open func() *flooder) {
			f, large := open(), strings.Repeat("x", 1<<20)
			go f.storm(150, func(i int) string {
				return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"x":"%s"}}}`, i, large)
			})
			time.Sleep(2 * time.Second)
		},
		"sessions with long greetings": func(open func() *flooder) {
			for i := range 12 {
				f := open()
				f.say(strings.Replace(hello("2025-11-25"), `"name":"test"`, `"name":"test","icon":"`+strings.Repeat("x", most)+`"`, 1))
				if got := f.next(); got.refused != (i >= 4) { // for the fifth there is no room
					f.t.Errorf("session %d: %s", i, got.raw)
				}
			}
		},
	}
}

// floodCall is a call of the tool run.
func floodCall(id int, args string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"run","arguments":%s}}`, id, args)
}

func (f *flooder) say(text string) {
	f.t.Helper()
	if err := f.write(text); err != nil {
		f.t.Error(err)
	}
}

// storm sends messages until the other side takes no more.
func (f *flooder) storm(n int, text func(i int) string) {
	for i := range n {
		if f.write(text(i)) != nil {
			return // it is hung up on, or the test is over
		}
	}
}

// floodAnswer is what came back.
type floodAnswer struct {
	ID      int
	Error   *struct{ Code int }
	Result  *struct{ IsError bool }
	refused bool
	raw     string
}

// next returns the next message.
func (f *flooder) next() (a floodAnswer) {
	f.t.Helper()
	raw, err := f.read()
	if err != nil {
		f.t.Fatal(err)
	}
	if a.ID = -1; json.Unmarshal([]byte(raw), &a) != nil {
		f.t.Fatalf("came %.300s", raw)
	}
	a.refused, a.raw = a.Error != nil || a.Result != nil && a.Result.IsError, raw[:min(len(raw), 300)]
	return a
}

// settled waits until a ping is answered, behind whatever else is.
func (f *flooder) settled() {
	f.t.Helper()
	for {
		f.say(`{"jsonrpc":"2.0","id":1000000,"method":"ping"}`)
		for {
			a := f.next()
			if a.ID == 1000000 && !a.refused {
				return
			}
			if a.ID == 1000000 {
				time.Sleep(10 * time.Millisecond)
				break // too many wait; once more
			}
		}
	}
}

// half sends a message that has no end.
func (f *flooder) half(text string) {
	_ = f.write("\x00" + text) // it is cut off some time
}

// wsFlooder opens a WebSocket.
func (h *hopgate) wsFlooder(t *testing.T) *flooder {
	t.Helper()
	d := &websocket.Dialer{Subprotocols: []string{"mcp"}, HandshakeTimeout: 20 * time.Second}
	c, _, err := d.Dial("ws"+strings.TrimPrefix(h.base, "http")+"/ws/flood", http.Header{"Authorization": {"Bearer " + h.mal}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	f := &flooder{t: t, close: func() { c.Close() }}
	f.write = func(text string) error {
		if half, ok := strings.CutPrefix(text, "\x00"); ok {
			w, err := c.NextWriter(websocket.TextMessage)
			if err == nil {
				_, err = io.WriteString(w, half)
			}
			return err
		}
		return c.WriteMessage(websocket.TextMessage, []byte(text))
	}
	f.read = func() (string, error) {
		c.SetReadDeadline(time.Now().Add(2 * time.Minute)) // what was sent before is dealt with first
		_, raw, err := c.ReadMessage()
		return string(raw), err
	}
	return f
}

// stdioFlooder starts a relay.
func (h *hopgate) stdioFlooder(t *testing.T) *flooder {
	t.Helper()
	cmd := h.command("stdio", "--to", "flood")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	lines := bufio.NewReader(out)
	f := &flooder{t: t, close: func() { cmd.Process.Kill() }}
	f.write = func(text string) error {
		line, half := strings.CutPrefix(text, "\x00")
		if !half {
			line += "\n"
		}
		_, err := io.WriteString(in, line)
		return err
	}
	f.read = func() (string, error) { return lines.ReadString('\n') }
	return f
}

// floodServer is a server that answers as large and as slowly as it is asked to.
func floodServer(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		var m struct {
			ID     json.RawMessage
			Method string
			Params struct{ Arguments struct{ Big, Slow int } }
		}
		if json.NewDecoder(r.Body).Decode(&m) != nil || m.ID == nil {
			w.WriteHeader(http.StatusAccepted)
			return
		}
		args := m.Params.Arguments
		time.Sleep(time.Duration(args.Slow) * 50 * time.Millisecond)
		w.Header().Set("Content-Type", "application/json")
		switch m.Method {
		case "initialize":
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25",%s}}`, m.ID, recorderCapabilities)
		case "subscriptions/listen":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{}}}\n\n")
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		default:
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"done%s"}]}}`, m.ID, strings.Repeat(" x", args.Big/2))
		}
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// TestAgentsThatFlood has agents send more than they may over connections that carry a conversation, and over many of HTTP.
func TestAgentsThatFlood(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*testing.T, *hopgate){
		"http, sessions with long greetings": func(t *testing.T, h *hopgate) {
			t.Helper()
			h.longGreetings(t)
		},
		"http, bodies that stop": func(t *testing.T, h *hopgate) {
			t.Helper()
			for range 200 {
				c, err := net.Dial("tcp", strings.TrimPrefix(h.base, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				go io.WriteString(c, strings.NewReplacer("KEY", h.mal, "/far", "/flood").Replace(ployHead)+fmt.Sprintf("Content-Length: %d\r\n\r\n{", most)+strings.Repeat(" ", most-10))
			}
			time.Sleep(3 * time.Second)
		},
	}
	for name, run := range cases {
		cases[name] = peaked(run)
	}
	for name, f := range lineFloods() {
		cases["ws, "+name] = peaked(func(t *testing.T, h *hopgate) {
			t.Helper()
			f(greeted(t, name, h.wsFlooder))
		})
		cases["stdio, "+name] = peaked(func(t *testing.T, h *hopgate) {
			t.Helper()
			f(greeted(t, name, h.stdioFlooder))
		})
	}
	conns := "  mal-far: { from: mal, to: flood, tools: [run], resources: ['*'], timeout: 20s }\n  here-far: { from: here, to: flood, tools: [run], resources: ['*'], timeout: 20s }\n"
	yaml := hostileYAML(t, fmt.Sprintf("  flood: { url: %q }\n", floodServer(t)), conns)
	// Near its limit Go collects what is held no more before it takes more memory. Without one the most was anything from 1.0
	// to 1.3 GiB, by when it happened to collect.
	h := newHopgate(t, strings.Replace(yaml, `mcp: "127.0.0.1:0"`, `mcp: { addr: "127.0.0.1:0", ws: true }`, 1), "GOMEMLIMIT=1GiB")
	h.atOnce, h.memory = 1, floodMemory
	h.underFire(cases, strings.NewReplacer(conns, ""))
	h.verify()
}

// peaked says how much memory there was at most in a case.
func peaked(run func(*testing.T, *hopgate)) func(*testing.T, *hopgate) {
	return func(t *testing.T, h *hopgate) {
		t.Helper()
		run(t, h)
		t.Logf("so far the process has had %d MiB at most", h.peak()>>10)
	}
}

// greeted opens connections that have been greeted, but for floods that are a greeting.
func greeted(t *testing.T, name string, open func(*testing.T) *flooder) func() *flooder {
	t.Helper()
	return func() *flooder {
		t.Helper()
		f := open(t)
		if strings.Contains(name, "greetings") {
			return f
		}
		for { // what its agent has done before may still be under way
			f.say(hello("2025-11-25"))
			a := f.next()
			if !a.refused {
				f.say(initialized)
				return f
			}
			if !strings.Contains(a.raw, "TOO_MANY_CALLS") {
				t.Fatalf("initialize: %s", a.raw)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// longGreetings opens more sessions than one agent may have, with greetings that are long.
func (h *hopgate) longGreetings(t *testing.T) {
	t.Helper()
	long := strings.Replace(hello("2025-11-25"), `"name":"test"`, `"name":"test","icon":"`+strings.Repeat("x", 1<<20)+`"`, 1)
	a := h.agent("flood", h.mal)
	a.t = t
	refused := 0
	for range 200 {
		got := a.post(long, nil)
		if got.status == 429 {
			refused++
			continue
		}
		defer func() { // else other cases have no room
			r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, a.url, nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header = a.header.Clone()
			r.Header.Set("Mcp-Session-Id", got.header.Get("Mcp-Session-Id"))
			if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
				resp.Body.Close()
			}
		}()
	}
	t.Logf("%d of 200 sessions were refused", refused)
	if refused < 100 {
		t.Errorf("%d of 200 sessions were refused", refused)
	}
}
