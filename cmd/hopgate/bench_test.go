package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/toolscope"
)

// The benchmarks measure the whole proxy as serve wires it, journal and all, beside httputil.ReverseProxy, which checks
// nothing. Client and upstream are sockets without allocations, so what is counted is the proxy's.

// plainUpstream answers every POST with the same body, over keep-alive connections.
func plainUpstream(b *testing.B, answer func(request []byte) string) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				w := wireConn{c: c, br: bufio.NewReaderSize(c, 64<<10)}
				for {
					body, err := w.read()
					if err != nil {
						return
					}
					a := answer(body)
					w.out = append(w.out[:0], "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: s\r\nContent-Length: "...)
					w.out = strconv.AppendInt(w.out, int64(len(a)), 10)
					w.out = append(append(w.out, "\r\n\r\n"...), a...)
					if _, err := c.Write(w.out); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String() + "/mcp/up"
}

// wireConn reads HTTP messages with a length, and nothing else, without allocation.
type wireConn struct {
	c    net.Conn
	br   *bufio.Reader
	body []byte
	out  []byte
	head []byte
}

func (w *wireConn) read() ([]byte, error) {
	n := 0
	w.head = w.head[:0]
	for {
		line, err := w.br.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		w.head = append(w.head, line...)
		if len(line) <= 2 {
			break
		}
		const name = "content-length: "
		if len(line) > len(name) && bytes.EqualFold(line[:len(name)], []byte(name)) {
			n = 0
			for _, d := range line[len(name) : len(line)-2] {
				n = n*10 + int(d-'0')
			}
		}
	}
	if cap(w.body) < n {
		w.body = make([]byte, n)
	}
	w.body = w.body[:n]
	_, err := io.ReadFull(w.br, w.body)
	return w.body, err
}

// benchClient is one session with a proxy.
type benchClient struct {
	wireConn
	prefix string
}

func dial(b *testing.B, target, key string) *benchClient {
	b.Helper()
	u, err := url.Parse(target)
	if err != nil {
		b.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	x := &benchClient{wireConn: wireConn{c: c, br: bufio.NewReaderSize(c, 64<<10)}}
	x.prefix = "POST " + u.Path + " HTTP/1.1\r\nHost: " + u.Host + "\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n" +
		"Authorization: Bearer " + key + "\r\n"
	x.post(b, `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"b","version":"1"}}}`)
	for line := range strings.Lines(string(x.head)) {
		if name, v, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Mcp-Session-Id") {
			x.prefix += "Mcp-Session-Id: " + strings.TrimSpace(v) + "\r\n"
		}
	}
	x.post(b, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return x
}

func (x *benchClient) post(b *testing.B, body string) []byte { //nolint:thelper // it is what is measured
	x.out = append(x.out[:0], x.prefix...)
	x.out = append(x.out, "Content-Length: "...)
	x.out = strconv.AppendInt(x.out, int64(len(body)), 10)
	x.out = append(append(x.out, "\r\n\r\n"...), body...)
	if _, err := x.c.Write(x.out); err != nil {
		b.Fatal(err)
	}
	got, err := x.read()
	if err != nil {
		b.Fatal(err)
	}
	return got
}

const initAnswer = `{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"b","version":"1"}}}`

// benchEngine serves a configuration with one agent and returns the endpoint and a key.
func benchEngine(b *testing.B, upstreamURL, connection string) (target, key string) {
	b.Helper()
	dir := b.TempDir()
	a := &app{config: filepath.Join(dir, "hopgate.yaml"), state: filepath.Join(dir, "state"), words: io.Discard, env: os.LookupEnv, catalog: toolscope.NewCatalog()}
	text := fmt.Sprintf("version: 1\nlisten: {mcp: \"127.0.0.1:0\"}\nagents: {tester: key}\nupstreams: {up: {url: %q}}\nconnections: {c: {from: tester, to: up, %s}}\n", upstreamURL, connection)
	if err := os.WriteFile(a.config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	file, err := a.load()
	if err != nil {
		b.Fatal(err)
	}
	e, err := a.openState(b.Context(), place{a.state, a.state + ".anchor"}, zerolog.Nop(), 0)
	if err != nil {
		b.Fatal(err)
	}
	f := &front{engine: e, failed: make(chan error, 1)}
	e.prepare = f.follow
	if err := e.serve(b.Context(), file, nil); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		f.close()
		if err := e.close(); err != nil {
			b.Error(err)
		}
	})
	key, _, err = e.keys.Add(context.Background(), "tester", time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	return "http://" + f.bound.String() + "/mcp/up", key
}

func reverseProxy(b *testing.B, upstreamURL string) string {
	b.Helper()
	u, err := url.Parse(upstreamURL)
	if err != nil {
		b.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host },
		Transport: &http.Transport{MaxIdleConnsPerHost: 100, DisableCompression: true},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Else net/http closes the body when the answer begins, and an answer that comes before the transport has looked for
		// the body's end is cut.
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			b.Error(err)
		}
		proxy.ServeHTTP(w, r)
	}))
	b.Cleanup(s.Close)
	return s.URL + u.Path
}

// versus runs one request against the upstream itself, ReverseProxy and Hopgate. The upstream answers in turn.
func versus(b *testing.B, connection, request string, answers ...string) {
	b.Helper()
	var asked atomic.Uint64
	up := plainUpstream(b, func(body []byte) string {
		if bytes.Contains(body, []byte(`"initialize"`)) {
			return initAnswer
		}
		return answers[asked.Add(1)%uint64(len(answers))]
	})
	target, key := benchEngine(b, up, connection)
	for _, way := range []struct{ name, target string }{
		{"direct", up}, {"ReverseProxy", reverseProxy(b, up)}, {"hopgate", target},
	} {
		b.Run(way.name, func(b *testing.B) {
			c := dial(b, way.target, key)
			b.ReportAllocs()
			for b.Loop() {
				if got := c.post(b, request); len(got) == 0 {
					b.Fatalf("no answer: %s", c.head)
				}
			}
		})
	}
}

func BenchmarkCall1K(b *testing.B) {
	pad := strings.Repeat("x", 1000)
	versus(b, `tools: ["*"]`,
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"text":"`+pad+`"}}}`,
		`{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"`+pad+`"}]}}`)
}

func BenchmarkCallWithCondition(b *testing.B) {
	versus(b, `tools: ["*"], when: "args.n < 10"`,
		`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"n":5}}}`,
		`{"jsonrpc":"2.0","id":7,"result":{"content":[]}}`)
}

func BenchmarkList100(b *testing.B) {
	var tools []string
	for i := range 100 {
		tools = append(tools, fmt.Sprintf(`{"name":"tool_%d","description":"Looks one record up by its key and returns it as text.","inputSchema":{"type":"object","properties":{"key":{"type":"string"}},"required":["key"]}}`, i))
	}
	versus(b, `tools: ["tool_*"], deny: [tool_7]`,
		`{"jsonrpc":"2.0","id":7,"method":"tools/list"}`,
		`{"jsonrpc":"2.0","id":7,"result":{"tools":[`+strings.Join(tools, ",")+`]}}`)
}

// BenchmarkList1000 has a list that is the same each time, whole or cut to a half, and one that is always new: what comes
// after two others is not remembered.
func BenchmarkList1000(b *testing.B) {
	list := func(words string) string {
		var tools []string
		for i := range 1000 {
			tools = append(tools, fmt.Sprintf(`{"name":"tool_%04d","description":"Filler tool number %d: %s one record up by its key and returns it as text.","inputSchema":{"type":"object","properties":{"key":{"type":"string","description":"The key of the record."},"limit":{"type":"integer","minimum":1,"maximum":100}},"required":["key"]}}`, i, i, words))
		}
		return `{"jsonrpc":"2.0","id":7,"result":{"tools":[` + strings.Join(tools, ",") + `]}}`
	}
	const half = `deny: ["tool_*1", "tool_*3", "tool_*5", "tool_*7", "tool_*9"], `
	for _, c := range []struct {
		name, deny string
		answers    []string
	}{
		{"whole", "", []string{list("looks")}},
		{"half", half, []string{list("looks")}},
		{"new", "", []string{list("looks"), list("seeks"), list("takes")}},
	} {
		b.Run(c.name, func(b *testing.B) {
			versus(b, `tools: ["tool_*"], `+c.deny+`guard: strict`, `{"jsonrpc":"2.0","id":7,"method":"tools/list"}`, c.answers...)
		})
	}
}
