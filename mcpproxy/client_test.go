package mcpproxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// client is an agent over HTTP.
type client struct {
	w             *world
	key, upstream string
	session       string
	version       string // header MCP-Protocol-Version, where not empty
	http          *http.Transport
}

// agent makes a client of an agent for the upstream up.
func (w *world) agent(name string) *client {
	tr := &http.Transport{DialContext: w.net.dial}
	w.dials = append(w.dials, tr)
	return &client{w: w, key: name + "-key", upstream: "up", http: tr}
}

// session makes a client with an initialized session.
func (w *world) session(name, version string) *client {
	w.t.Helper()
	c := w.agent(name)
	c.initialize(version)
	return c
}

const helloFormat = `{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`

const greeted = `{"jsonrpc":"2.0","method":"notifications/initialized"}`

func (c *client) initialize(version string) {
	c.w.t.Helper()
	r := c.post(fmt.Sprintf(helloFormat, version))
	if r.status != 200 {
		c.w.t.Fatalf("initialize: status %d, %s", r.status, r.last())
	}
	c.session = r.header.Get("Mcp-Session-Id")
	if got := r.last(); c.session == "" || !strings.Contains(got, `"protocolVersion":"`+version+`"`) {
		c.w.t.Fatalf("initialize: session %q, %s", c.session, got)
	}
	c.version = version
	if r := c.post(greeted); r.status != 202 {
		c.w.t.Fatalf("initialized: status %d, %s", r.status, r.last())
	}
}

// message is one that came back, with the id of its event where it came on a stream.
type message struct{ id, data string }

// response is what comes back for one HTTP request.
type response struct {
	t      *testing.T
	status int
	header http.Header
	body   io.ReadCloser
	br     *bufio.Reader
	cursor string // id of the newest event
}

// do sends a request; edit changes it.
func (c *client) do(method, body string, edit ...func(*http.Request)) (*response, error) {
	r, err := http.NewRequestWithContext(c.w.ctx, method, "http://localhost/mcp/"+c.upstream, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = http.Header{"Accept": {"application/json, text/event-stream"}, "Authorization": {"Bearer " + c.key}}
	if method == http.MethodPost {
		r.Header["Content-Type"] = []string{"application/json"}
	}
	if c.session != "" {
		r.Header["Mcp-Session-Id"] = []string{c.session}
	}
	if c.version != "" {
		r.Header["Mcp-Protocol-Version"] = []string{c.version}
	}
	for _, e := range edit {
		e(r)
	}
	resp, err := c.http.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	return &response{t: c.w.t, status: resp.StatusCode, header: resp.Header, body: resp.Body, br: bufio.NewReader(resp.Body)}, nil
}

func (c *client) must(method, body string, edit ...func(*http.Request)) *response {
	c.w.t.Helper()
	r, err := c.do(method, body, edit...)
	if err != nil {
		c.w.t.Fatal(err)
	}
	return r
}

func (c *client) post(body string, edit ...func(*http.Request)) *response {
	c.w.t.Helper()
	return c.must(http.MethodPost, body, edit...)
}

// listen opens the GET stream, behind an event where one is named.
func (c *client) listen(last string) *response {
	c.w.t.Helper()
	return c.must(http.MethodGet, "", func(r *http.Request) {
		if last != "" {
			r.Header["Last-Event-Id"] = []string{last}
		}
	})
}

// call posts a request and returns the status and the last message.
func (c *client) call(body string, edit ...func(*http.Request)) (int, string) {
	c.w.t.Helper()
	r := c.post(body, edit...)
	return r.status, r.last()
}

// begin posts a request and returns what comes back for it once it is there.
func (c *client) begin(body string, edit ...func(*http.Request)) <-chan *response {
	out := make(chan *response, 1)
	go func() {
		defer close(out)
		r, err := c.do(http.MethodPost, body, edit...)
		if err == nil {
			out <- r
		}
	}()
	return out
}

// next returns the next message; false at the end.
func (r *response) next() (message, bool) {
	if !strings.HasPrefix(r.header.Get("Content-Type"), "text/event-stream") {
		b, err := io.ReadAll(r.br)
		r.body.Close()
		return message{data: string(b)}, err == nil && len(b) > 0
	}
	var m message
	for {
		line, err := r.br.ReadString('\n')
		if err != nil {
			r.body.Close()
			return message{}, false
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "" && m.data != "":
			return m, true
		case name == "id":
			m.id, r.cursor = value, value
		case name == "data":
			m.data = value
		}
	}
}

// must returns the next message.
func (r *response) must() message {
	r.t.Helper()
	m, ok := r.next()
	if !ok {
		r.t.Fatal("the stream has ended")
	}
	return m
}

// all returns what comes up to the end.
func (r *response) all() []string {
	var all []string
	for m, ok := r.next(); ok; m, ok = r.next() {
		all = append(all, m.data)
	}
	return all
}

// last returns the last message, or nothing where there is none.
func (r *response) last() string {
	all := r.all()
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// tool is a tools/call.
func tool(id, name, arguments string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":%s,"_meta":{"progressToken":%s}}}`, id, name, arguments, id)
}

// says is a call of a tool that says a message, and then holds.
func says(id, text string) string {
	return tool(id, "chat", fmt.Sprintf(`{"m":%q}`, text))
}

const metaModern = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"progressToken":%s}`

// modernTool is a tools/call of 2026-07-28.
func modernTool(id, name, arguments string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":%s,`+metaModern+`}}`, id, name, arguments, id)
}

// modernHead sets the headers of 2026-07-28.
func modernHead(method, name string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header["Mcp-Protocol-Version"] = []string{"2026-07-28"}
		r.Header["Mcp-Method"] = []string{method}
		if name != "" {
			r.Header["Mcp-Name"] = []string{name}
		}
	}
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = []string{value} }
}

func errorCode(code int) string { return fmt.Sprintf(`"error":{"code":%d,`, code) }
