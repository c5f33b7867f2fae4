package ingress_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// said is a connection on which the peer has said something and hung up.
type said struct {
	io.Reader
	mu   sync.Mutex
	out  bytes.Buffer
	shut chan struct{}
	once sync.Once
}

func (c *said) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

func (c *said) Close() error {
	c.once.Do(func() { close(c.shut) })
	return nil
}
func (*said) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*said) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*said) SetDeadline(time.Time) error      { return nil }
func (*said) SetReadDeadline(time.Time) error  { return nil }
func (*said) SetWriteDeadline(time.Time) error { return nil }

// once is a listener with one connection.
type once struct {
	conn chan net.Conn
	shut chan struct{}
	end  sync.Once
}

func (l *once) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.shut:
		return nil, net.ErrClosed
	}
}

func (l *once) Close() error {
	l.end.Do(func() { close(l.shut) })
	return nil
}
func (*once) Addr() net.Addr { return &net.TCPAddr{} }

// heard returns what a handler is asked when somebody says something to a server, and the status of each answer.
func heard(raw []byte, serve func(http.Handler) (func(net.Listener) error, func() error)) (seen []string) {
	c := &said{Reader: bytes.NewReader(raw), shut: make(chan struct{})}
	l := &once{conn: make(chan net.Conn, 1), shut: make(chan struct{})}
	l.conn <- c
	run, end := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		var asked strings.Builder
		fmt.Fprintf(&asked, "%s %s %s %d %q %v", r.Method, r.URL.Path, r.Host, r.ContentLength, b, err != nil)
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			if strings.HasPrefix(name, "Mcp-") || slices.Contains([]string{"Authorization", "X-Api-Key", "Origin", "Accept", "Content-Type", "Content-Encoding", "Last-Event-Id"}, name) {
				fmt.Fprintf(&asked, " %s=%q", name, r.Header[name])
			}
		}
		seen = append(seen, asked.String())
	}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = run(l)
	}()
	<-c.shut
	_ = end()
	<-done
	c.mu.Lock()
	defer c.mu.Unlock()
	for answers := bufio.NewReader(&c.out); ; {
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			return seen
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		seen = append(seen, resp.Status)
	}
}

// FuzzServer says anything to the server: the handler is asked the same as behind net/http alone, and answers the same.
func FuzzServer(f *testing.F) {
	for _, more := range []string{
		"", "Origin: null\r\n", "X-API-Key: good\r\n", "Mcp-Session-Id: a\r\nmcp-session-id: b\r\n", "Mcp-Param-X:\t1 \r\nmcp-param-x:2\r\n",
		"Transfer-Encoding: chunked\r\n", "Content-Length: 2\r\n", "Connection: close\r\n", "Connection: keep-alive\r\n", "Host: x\r\n",
		"Mcp-Name: \x80\r\n", "Mcp-Name: a\n", "Mcp-Name: a\r\n b\r\n", ": x\r\n", "Mcp Name: x\r\n", "Expect: 100-continue\r\n", "Te: trailers\r\n",
	} {
		one := plainHead + more + "Content-Length: 2\r\nAccept: */*\r\n\r\n{}"
		f.Add([]byte(one + one))
	}
	f.Add([]byte("POST /mcp/../up HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("POST /mcp/up HTTP/1.1\r\nHost: [::1]:1\r\nContent-Length: 0002\r\n\r\n{}GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	f.Add([]byte("POST /mcp/up HTTP/1.1\r\nHost: a:b:c[]\r\nContent-Length: 9\r\n\r\n{}"))
	for _, second := range repeated {
		f.Add([]byte(repeatable + second))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { agree(t, raw) })
}

// agree has the server and net/http alone hear the same.
func agree(t *testing.T, raw []byte) (got []string) {
	t.Helper()
	got, want := ours(t, raw), theirs(t, raw)
	if !slices.Equal(got, want) && !fewLeft(t, raw, got, want) {
		t.Errorf("%q:\n got %q\nwant %q", raw, got, want)
	}
	return got
}

func ours(t *testing.T, raw []byte) []string {
	t.Helper()
	return heard(raw, func(h http.Handler) (func(net.Listener) error, func() error) {
		s := ingress.NewServer(t.Context(), h, time.Now, 1<<16)
		return s.Serve, s.Close
	})
}

func theirs(t *testing.T, raw []byte) []string {
	t.Helper()
	return heard(raw, func(h http.Handler) (func(net.Listener) error, func() error) {
		s := ingress.NewServer(t.Context(), h, time.Now, 1<<16).Server
		return s.Serve, s.Close
	})
}

// fewLeft holds for the one difference that there is. Behind a request net/http waits for four bytes before it reads, and
// says nothing to fewer; where they are all that it ever gets of a connection, as when they are handed over, it says 400.
func fewLeft(t *testing.T, raw []byte, got, want []string) bool {
	t.Helper()
	n := len(got) - 1
	if n < 1 || got[n] != "400 Bad Request" || !slices.Equal(got[:n], want) {
		return false
	}
	for left := 1; left < 4 && left < len(raw); left++ {
		if whole := raw[:len(raw)-left]; slices.Equal(ours(t, whole), want) && slices.Equal(theirs(t, whole), want) {
			return true
		}
	}
	return false
}

// repeatable is a request whose head is remembered.
const repeatable = plainHead + "Mcp-Name: a\r\nContent-Length: 2\r\nAccept: */*\r\n\r\n{}"

// repeated are requests that begin as repeatable does.
var repeated = map[string]string{
	"the same":                repeatable,
	"another length":          plainHead + "Mcp-Name: a\r\nContent-Length: 10\r\nAccept: */*\r\n\r\n{\"a\":1234}",
	"no content":              plainHead + "Mcp-Name: a\r\nContent-Length: 0\r\nAccept: */*\r\n\r\n",
	"zeros before the length": plainHead + "Mcp-Name: a\r\nContent-Length: 002\r\nAccept: */*\r\n\r\n{}",
	"a length too long":       plainHead + "Mcp-Name: a\r\nContent-Length: 2222222222\r\nAccept: */*\r\n\r\n{}",
	"no length":               plainHead + "Mcp-Name: a\r\nContent-Length: \r\nAccept: */*\r\n\r\n{}",
	"a sign":                  plainHead + "Mcp-Name: a\r\nContent-Length: +2\r\nAccept: */*\r\n\r\n{}",
	"a space behind":          plainHead + "Mcp-Name: a\r\nContent-Length: 2 \r\nAccept: */*\r\n\r\n{}",
	"two lengths":             plainHead + "Mcp-Name: a\r\nContent-Length: 2\r\nAccept: */*\r\nContent-Length: 3\r\n\r\n{}",
	"another value in front":  plainHead + "Mcp-Name: b\r\nContent-Length: 2\r\nAccept: */*\r\n\r\n{}",
	"another value behind":    plainHead + "Mcp-Name: a\r\nContent-Length: 2\r\nAccept: a/b\r\n\r\n{}",
	"one header more":         plainHead + "Mcp-Name: a\r\nContent-Length: 2\r\nAccept: */*\r\nMcp-Name: b\r\n\r\n{}",
	"one header less":         plainHead + "Content-Length: 2\r\nAccept: */*\r\n\r\n{}",
	"chunks":                  plainHead + "Mcp-Name: a\r\nContent-Length: 2\r\nAccept: */*\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"another host":            "POST /mcp/up HTTP/1.1\r\nHost: localhosx\r\nMcp-Name: a\r\nContent-Length: 2\r\nAccept: */*\r\n\r\n{}",
	"another path":            "POST /mcp/vp HTTP/1.1\r\nHost: localhost\r\nMcp-Name: a\r\nContent-Length: 2\r\nAccept: */*\r\n\r\n{}",
	"line ends in front":      "\r\n" + repeatable,
	"a part of it":            plainHead + "Mcp-Name: a\r\nContent-Length: 2\r\nAcc",
}

// TestAHeadLikeTheOneBefore has requests that begin as the one before them mean what they mean behind net/http, and a third
// one after them.
func TestAHeadLikeTheOneBefore(t *testing.T) {
	for name, second := range repeated {
		t.Run(name, func(t *testing.T) {
			asked := agree(t, []byte(repeatable+second+repeatable))
			if want := `POST /mcp/up localhost 2 "{}" false Accept=["*/*"] Mcp-Name=["a"]`; len(asked) < 2 || asked[0] != want {
				t.Errorf("got %q, want %q first", asked, want)
			}
		})
	}
}
