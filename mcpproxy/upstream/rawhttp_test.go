package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

func httpConfig(url string) upstream.Config {
	return upstream.Config{Name: "up", URL: url, Limits: wire.DefaultLimits, Clock: time.Now, Log: zerolog.Nop()}
}

// peer is the server's end of one connection, in the hands of a test.
type peer struct {
	net.Conn
	br *bufio.Reader
}

// request reads a request; nil where the connection has ended.
func (p *peer) request() *http.Request {
	r, err := http.ReadRequest(p.br)
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return r
}

func (p *peer) write(s string) { _, _ = io.WriteString(p, s) }

// json answers with a message.
func (p *peer) json(status int, s string) {
	p.write(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(s), s))
}

// events begins a stream, and chunk continues it.
func (p *peer) events() {
	p.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
}
func (p *peer) chunk(s string) { p.write(fmt.Sprintf("%x\r\n%s\r\n", len(s), s)) }
func (p *peer) end()           { p.write("0\r\n\r\n") }

// ended waits until the client has closed the connection.
func (p *peer) ended() {
	_, _ = io.Copy(io.Discard, p.br)
}

// fake is a server made of one function per connection, in order. More connections are refused.
type fake struct {
	upstream.Config
	wg    sync.WaitGroup
	mu    sync.Mutex
	conns int
}

// newFake makes a fake that is reached without a network, so that it works inside a bubble of synctest.
func newFake(t *testing.T, handlers ...func(*peer)) *fake {
	t.Helper()
	f := &fake{Config: httpConfig("http://up.example/mcp")}
	f.Dial = func(context.Context, string, string) (net.Conn, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.conns >= len(handlers) {
			return nil, fmt.Errorf("connection %d is one too many", f.conns)
		}
		h := handlers[f.conns]
		f.conns++
		ours, theirs := net.Pipe()
		f.wg.Go(func() {
			defer theirs.Close()
			h(&peer{theirs, bufio.NewReader(theirs)})
		})
		return ours, nil
	}
	return f
}

// open returns a link to the fake. It and the server are closed when the test ends, or when the function is called.
func (f *fake) open(t *testing.T) (l upstream.Link, done func()) {
	t.Helper()
	s, err := upstream.New(f.Config)
	if err != nil {
		t.Fatal(err)
	}
	l = open(t, s)
	done = func() {
		_ = s.Close()
		f.wg.Wait()
	}
	t.Cleanup(done)
	return l, done
}
