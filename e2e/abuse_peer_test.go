package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

// recorder is an upstream that keeps every byte that reaches it, and answers as a test says. It serves streamable HTTP, the
// transport of 2024-11-05 and WebSockets; over standard streams its child is a pipe to it.
type recorder struct {
	t    testing.TB
	url  string
	addr string

	// tools and methods answer calls and other requests. What has no entry gets a plain answer.
	tools, methods map[string]func(*asked)
	// post, where set, may answer an HTTP request in its own way.
	post func(w http.ResponseWriter, r *http.Request, raw []byte) bool

	posts sync.Map // of chan string, by the id of a stream of 2024-11-05

	mu       sync.Mutex // guards what follows
	messages []asked
	sessions int
	general  map[int]func(string) // writers of what belongs to no request
	writers  int
	changed  chan struct{}
}

// asked is a message that reached a recorder.
type asked struct {
	raw, id, method, name, token string
	version                      string // that initialize asks for
	modern                       bool
	http                         http.Header
	send                         func(string) // a message on the stream of the request
	gone                         <-chan struct{}
	bytes                        func(string) // as they are, on what carries the answer
	hangUp                       func()
	conn                         net.Conn // of a WebSocket
}

// result sends the answer.
func (a *asked) result(members string) {
	if a.modern {
		members = strings.TrimSuffix(`"resultType":"complete",`+members, ",")
	}
	a.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{%s}}`, a.id, members))
}

// text sends the answer of a tool.
func (a *asked) text(s string) { a.result(fmt.Sprintf(`"content":[{"type":"text","text":%q}]`, s)) }

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{
		t: t, tools: map[string]func(*asked){}, methods: map[string]func(*asked){}, general: map[int]func(string){}, changed: make(chan struct{}),
	}
	web := httptest.NewServer(http.HandlerFunc(r.serveHTTP))
	r.url = web.URL + "/mcp"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() { r.serveLines(c) })
		}
	})
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
		l.Close()
		work.Wait()
	})
	return r
}

// upstream is the recorder in a configuration, by the way that it is reached.
func (r *recorder) upstream(way string) string {
	base := strings.TrimSuffix(r.url, "/mcp")
	switch way {
	case "stdio":
		return fmt.Sprintf("{ command: [%q, %q] }", program(r.t, "pipe"), r.addr)
	case "sse":
		return fmt.Sprintf("{ url: %q, transport: sse }", base+"/sse")
	case "ws":
		return fmt.Sprintf("{ url: %q }", "ws"+strings.TrimPrefix(base, "http")+"/ws")
	}
	return fmt.Sprintf("{ url: %q }", r.url)
}

// keep notes a message.
func (r *recorder) keep(raw string, h http.Header) asked {
	var m struct {
		ID     json.RawMessage
		Method string
		Params struct {
			Name            string
			ProtocolVersion string
			Meta            map[string]json.RawMessage `json:"_meta"`
		}
	}
	_ = json.Unmarshal([]byte(raw), &m) // what is not a message is kept too
	a := asked{raw: raw, id: string(m.ID), method: m.Method, name: m.Params.Name, version: m.Params.ProtocolVersion, http: h}
	a.token = string(m.Params.Meta["progressToken"])
	a.modern = m.Params.Meta["io.modelcontextprotocol/protocolVersion"] != nil
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, a)
	r.signal()
	return a
}

// signal wakes those who wait for something to change. The mutex is held.
func (r *recorder) signal() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// until waits until a condition holds.
func (r *recorder) until(what string, holds func() bool) {
	r.t.Helper()
	deadline := soon(r.t)
	for {
		r.mu.Lock()
		ok, changed := holds(), r.changed
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			r.t.Fatalf("the upstream waits in vain: %s", what)
		}
	}
}

// await waits for a message.
func (r *recorder) await(what string, is func(asked) bool) {
	r.t.Helper()
	r.until(what, func() bool { return slices.ContainsFunc(r.messages, is) })
}

// got returns the messages so far.
func (r *recorder) got() []asked {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.messages)
}

// say sends something that belongs to no request, to every client that listens.
func (r *recorder) say(message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, send := range r.general {
		send(message)
	}
}

// hear waits until some client listens.
func (r *recorder) hear() {
	r.t.Helper()
	r.until("somebody listens", func() bool { return len(r.general) > 0 })
}

func (r *recorder) join(send func(string)) (leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.writers
	r.writers++
	r.general[n] = send
	r.signal()
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.general, n)
		r.signal()
	}
}

const recorderCapabilities = `"capabilities":{"tools":{"listChanged":true},"prompts":{},"logging":{}},"serverInfo":{"name":"recorder","version":"1"}`

const recorderTools = `"tools":[{"name":"run","inputSchema":{"type":"object"}},{"name":"rm","inputSchema":{"type":"object"}},` +
	`{"name":"zone","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}]`

const recorderQuestion = `"resultType":"input_required","inputRequests":{"q":{"method":"elicitation/create","params":{"message":"x","requestedSchema":{"type":"object"}}}}`

// answer answers a message.
func (r *recorder) answer(a *asked) {
	if answer := r.methods[a.method]; answer != nil {
		answer(a)
		return
	}
	switch a.method {
	case "initialize":
		version := a.version
		if !slices.Contains([]string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"}, version) {
			version = "2025-11-25"
		}
		a.result(fmt.Sprintf(`"protocolVersion":%q,`, version) + recorderCapabilities)
	case "server/discover":
		a.result(`"supportedVersions":["2026-07-28"],"ttlMs":0,"cacheScope":"private",` + recorderCapabilities)
	case "tools/list":
		a.result(recorderTools)
	case "tools/call":
		if a.name == "input" {
			a.send(`{"jsonrpc":"2.0","id":` + a.id + `,"result":{` + recorderQuestion + `}}`)
			return
		}
		if tool := r.tools[a.name]; tool != nil {
			tool(a)
			return
		}
		a.text("done")
	default:
		a.result("")
	}
}

func (r *recorder) serveHTTP(w http.ResponseWriter, req *http.Request) {
	switch req.URL.Path {
	case "/sse":
		r.serveSSE(w, req)
		return
	case "/ws":
		r.serveWS(w, req)
		return
	}
	ctl := http.NewResponseController(w)
	switch req.Method {
	case http.MethodGet:
		w.Header().Set("Content-Type", "text/event-stream")
		ctl.Flush()
		defer r.join(func(s string) {
			fmt.Fprintf(w, "data: %s\n\n", s)
			ctl.Flush()
		})()
		<-req.Context().Done()
		return
	case http.MethodDelete:
		return
	}
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	a := r.keep(string(raw), req.Header)
	if r.post != nil && r.post(w, req, raw) {
		return
	}
	if a.id == "" || a.method == "" {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if a.method == "initialize" {
		r.mu.Lock()
		r.sessions++
		w.Header().Set("Mcp-Session-Id", fmt.Sprintf("upstream-%d", r.sessions))
		r.mu.Unlock()
	}
	var mu sync.Mutex
	streams := r.tools[a.name] != nil || r.methods[a.method] != nil
	w.Header().Set("Content-Type", "application/json")
	if streams {
		w.Header().Set("Content-Type", "text/event-stream")
	}
	a.gone = req.Context().Done()
	a.bytes = func(s string) {
		mu.Lock()
		defer mu.Unlock()
		io.WriteString(w, s)
		ctl.Flush()
	}
	a.send = func(s string) {
		if streams {
			s = "data: " + s + "\n\n"
		}
		a.bytes(s)
	}
	a.hangUp = func() { panic(http.ErrAbortHandler) }
	r.answer(&a)
}

func (r *recorder) serveLines(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	r.converse(c, func(s string) { io.WriteString(c, s) }, "\n", func() { c.Close() }, func() (string, error) {
		line, err := in.ReadString('\n')
		return strings.TrimSuffix(line, "\n"), err
	})
}

// converse serves one client over a connection that carries everything.
func (r *recorder) converse(c net.Conn, out func(string), end string, hangUp func(), read func() (string, error)) {
	var mu sync.Mutex
	write := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		out(s)
	}
	send := func(s string) { write(s + end) }
	defer r.join(send)()
	gone := make(chan struct{})
	var work sync.WaitGroup
	defer work.Wait()
	defer close(gone)
	for {
		raw, err := read()
		if err != nil {
			return
		}
		a := r.keep(raw, nil)
		if a.id == "" || a.method == "" {
			continue
		}
		a.send, a.bytes, a.gone, a.hangUp, a.conn = send, write, gone, hangUp, c
		work.Go(func() { r.answer(&a) })
	}
}

// serveSSE serves the transport of 2024-11-05.
func (r *recorder) serveSSE(w http.ResponseWriter, req *http.Request) {
	if req.Method == http.MethodPost {
		raw, _ := io.ReadAll(req.Body)
		posts, ok := r.posts.Load(req.URL.Query().Get("id"))
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		posts.(chan string) <- string(raw)
		return
	}
	ctl := http.NewResponseController(w)
	ctx, hangUp := context.WithCancel(req.Context())
	defer hangUp()
	posts := make(chan string, 1000)
	id := fmt.Sprintf("%p", posts)
	r.posts.Store(id, posts)
	defer r.posts.Delete(id)
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprintf(w, "event: endpoint\ndata: ?id=%s\n\n", id)
	ctl.Flush()
	r.converse(nil, func(s string) {
		if strings.HasSuffix(s, "\n\n") {
			s = "data: " + s
		}
		io.WriteString(w, s)
		ctl.Flush()
	}, "\n\n", hangUp, func() (string, error) {
		select {
		case raw := <-posts:
			return raw, nil
		case <-ctx.Done():
			return "", io.EOF
		}
	})
}

// serveWS serves a WebSocket.
func (r *recorder) serveWS(w http.ResponseWriter, req *http.Request) {
	c, err := (&websocket.Upgrader{Subprotocols: []string{"mcp"}}).Upgrade(w, req, nil)
	if err != nil {
		return
	}
	defer c.Close()
	r.converse(c.NetConn(), func(s string) { c.WriteMessage(websocket.TextMessage, []byte(s)) }, "", func() { c.Close() }, func() (string, error) {
		_, raw, err := c.ReadMessage()
		return string(raw), err
	})
}
