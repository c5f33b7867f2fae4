package upstream_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// purse gives one token after the other, the next where one is refused; an empty one stands for an error.
type purse struct {
	mu      sync.Mutex
	tokens  []string
	refused []string
}

var errPurse = errors.New("the purse is empty")

func (p *purse) Token(context.Context) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tokens[0] == "" {
		return "", errPurse
	}
	return p.tokens[0], nil
}

func (p *purse) Refused(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused = append(p.refused, token)
	if len(p.tokens) > 1 && p.tokens[0] == token {
		p.tokens = p.tokens[1:]
	}
}

// doorman lets requests with one token through to a server.
type doorman struct {
	mu    sync.Mutex
	good  string
	asked []string // tokens of requests
	way   *httputil.ReverseProxy
}

func guarded(t *testing.T, to, good string) (d *doorman, at string) {
	t.Helper()
	u, err := url.Parse(strings.Replace(to, "ws", "http", 1))
	if err != nil {
		t.Fatal(err)
	}
	d = &doorman{good: good, way: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: u.Host})}
	d.way.FlushInterval = -1
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	return d, strings.Replace(to, u.Host, strings.TrimPrefix(s.URL, "http://"), 1)
}

func (d *doorman) want(token string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.good = token
}

func (d *doorman) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	got := r.Header.Get("Authorization")
	d.mu.Lock()
	d.asked = append(d.asked, got)
	ok := got == "Bearer "+d.good
	d.mu.Unlock()
	if ok {
		d.way.ServeHTTP(w, r)
		return
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"log in"}}`))
}

func wanting(at string, p *purse) upstream.Config {
	return upstream.Config{Name: "up", URL: at, Tokens: p, Limits: wire.DefaultLimits, Clock: time.Now, Log: zerolog.Nop()}
}

// TestATokenThatIsRefusedIsReplacedOnce: a session goes on over that, with every kind of message.
func TestATokenThatIsRefusedIsReplacedOnce(t *testing.T) {
	seen := make(chan string, 100)
	d, at := guarded(t, session(t, seen).URL+"/mcp", "one")
	p := &purse{tokens: []string{"one", "two", "three", "four", "five"}}
	s := newServer(t, wanting(at, p))
	l := open(t, s)
	if _, err := call(t, l, request(t, "1", "initialize")); err != nil {
		t.Fatal(err)
	}
	d.want("two")
	if got, err := call(t, l, request(t, "2", "tools/list")); err != nil || !strings.Contains(got, `"id":2`) {
		t.Fatalf("a request: %s, %v", got, err)
	}
	d.want("three")
	if stream, err := l.Send(limited(t), message(t, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)); err != nil || stream != nil {
		t.Errorf("a notification: %v", err)
	}
	d.want("five") // four is refused as well
	_, err := call(t, l, request(t, "3", "tools/list"))
	if status, ok := errors.AsType[*upstream.StatusError](err); !ok || status.Code != http.StatusUnauthorized {
		t.Errorf("refused twice: %v", err)
	}
	if got, err := call(t, l, request(t, "4", "tools/list")); err != nil {
		t.Errorf("with the next token: %s, %v", got, err)
	}
	if err := l.Close(limited(t)); err != nil {
		t.Errorf("closing: %v", err)
	}
	close(seen)
	var got []string
	for line := range seen {
		got = append(got, strings.TrimSpace(strings.TrimSuffix(line, " 2025-11-25")))
	}
	want := []string{"POST initialize", "POST tools/list s-1", "POST notifications/initialized s-1", "POST tools/list s-1", "DELETE  s-1"}
	if !slices.Equal(got, want) {
		t.Errorf("the server got %q, want %q", got, want)
	}
	if !slices.Equal(p.refused, []string{"one", "two", "three", "four"}) {
		t.Errorf("refused are %q", p.refused)
	}
}

func TestFarServersGetTokens(t *testing.T) {
	eachFar(t, func(t *testing.T, far *farServer) {
		t.Helper()
		d, at := guarded(t, far.url, "two")
		p := &purse{tokens: []string{"one", "two", "three"}}
		c := far.config()
		c.URL, c.Header, c.Tokens = at, nil, p
		l := open(t, newServer(t, c))
		if got, err := call(t, l, request(t, "1", "tools/list")); err != nil {
			t.Fatalf("%s, %v", got, err)
		}
		if d.asked[0] != "Bearer one" || d.asked[1] != "Bearer two" {
			t.Errorf("asked with %q", d.asked)
		}
		if c.SSE {
			d.want("three")
			if got, err := call(t, l, request(t, "2", "tools/list")); err != nil {
				t.Errorf("a POST with a new token: %s, %v", got, err)
			}
		}
	})
}

// TestWithoutATokenNothingIsSent, nor with one that could end a header.
func TestWithoutATokenNothingIsSent(t *testing.T) {
	for name, token := range map[string]string{"none": "", "a line break": "a\r\nX: y", "blanks": "a b", "too long": strings.Repeat("a", 20<<10)} {
		t.Run(name, func(t *testing.T) {
			d, at := guarded(t, "http://127.0.0.1:1/mcp", "x")
			l := open(t, newServer(t, wanting(at, &purse{tokens: []string{token}})))
			_, err := l.Send(limited(t), request(t, "1", "initialize"))
			if !errors.Is(err, upstream.ErrCredential) || !errors.Is(err, upstream.ErrUnavailable) || len(d.asked) > 0 {
				t.Errorf("got %v, and %d requests were sent", err, len(d.asked))
			}
			if strings.Contains(err.Error(), "aaaa") {
				t.Error("the error holds the token")
			}
		})
	}
	c := wanting("http://127.0.0.1:1/", &purse{})
	c.Header = http.Header{"Authorization": {"x"}}
	if _, err := upstream.New(c); err == nil {
		t.Error("a header beside the tokens is taken")
	}
}

// TestWhatServersNameIsNotWritten: an address, and localhost, count only where somebody has written them.
func TestWhatServersNameIsNotWritten(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for name, c := range map[string]struct {
		host     string
		networks []netip.Prefix
		written  []string
		may      bool
	}{
		"an address":                {host: "127.0.0.1"},
		"localhost":                 {host: "localhost"},
		"an address, written":       {host: "127.0.0.1", written: []string{"127.0.0.1"}, may: true},
		"localhost, written":        {host: "localhost", written: []string{"localhost"}, may: true},
		"something else is written": {host: "127.0.0.1", written: []string{"localhost"}},
		"a network that is listed":  {host: "127.0.0.1", networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, may: true},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := upstream.Dialer(c.networks, c.written...)(limited(t), "tcp", net.JoinHostPort(c.host, port))
			if err == nil {
				conn.Close()
			}
			if (err == nil) != c.may || !c.may && !errors.Is(err, upstream.ErrAddress) {
				t.Errorf("got %v", err)
			}
		})
	}
}
