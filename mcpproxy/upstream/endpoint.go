package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// endpoint is a server that is reached over streamable HTTP (2025-11-25 and 2026-07-28, basic/transports).
type endpoint struct {
	pool   *pool
	target string // of the request line
	fixed  string // headers that every request has
	limits wire.Limits
	counts *counts
	tokens Tokens // nil for none

	mu     sync.Mutex // guards what follows; taken after the mutex of no link
	links  map[*httpLink]struct{}
	closed bool
}

// ours are the headers that a configuration cannot set, because they frame the message or say what the message says.
var ours = []string{
	"Accept", "Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Expect", "Host",
	"Keep-Alive", "Last-Event-Id", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func newEndpoint(c *Config, n *counts) (*endpoint, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, errors.New("the URL is malformed") // the parser's error would quote it, and what secrets it holds
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the URL is neither http nor https")
	case u.User != nil || u.Fragment != "" || u.Opaque != "":
		return nil, errors.New("the URL has a part that is never sent: a user or a fragment")
	case !isHost(u.Host) || u.Hostname() == "":
		return nil, errors.New("the URL has no host that can be dialled")
	case strings.ContainsFunc(u.RequestURI(), func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the URL has characters that have to be escaped")
	}
	fixed, err := fixedHeaders(u.Host, c.Header)
	if err != nil {
		return nil, err
	}
	if c.Tokens != nil && c.Header.Get("Authorization") != "" {
		return nil, errors.New("there are tokens, and a header Authorization beside them")
	}
	p := &pool{
		addr: u.Host, dial: c.dialer(u.Hostname()), dialing: c.Timeouts.Dial, keep: c.Timeouts.Idle, maxIdle: c.MaxIdle, clock: c.Clock,
		all: map[*conn]struct{}{},
	}
	port := u.Port()
	if u.Scheme == "https" {
		p.tls = &tls.Config{ServerName: u.Hostname(), RootCAs: c.Roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	}
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	p.addr = net.JoinHostPort(u.Hostname(), port)
	return &endpoint{
		pool: p, target: u.RequestURI(), fixed: fixed, limits: c.Limits, counts: n, tokens: c.Tokens, links: map[*httpLink]struct{}{},
	}, nil
}

// isHost reports whether a host and port can stand in a header as they are.
func isHost(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(".-_:[]", r)
	})
}

// fixedHeaders writes what every request says: to whom, by whom, and what the configuration adds.
func fixedHeaders(host string, h http.Header) (string, error) {
	var b strings.Builder
	b.WriteString(" HTTP/1.1\r\nHost: " + host + "\r\nAccept-Encoding: identity\r\n")
	if h.Get("User-Agent") == "" {
		b.WriteString("User-Agent: hopgate\r\n")
	}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		canonical := http.CanonicalHeaderKey(name)
		if !isToken(name) || slices.Contains(ours, canonical) || strings.HasPrefix(canonical, "Mcp-") || strings.HasPrefix(canonical, "Sec-") {
			return "", fmt.Errorf("the header %q cannot be configured", name)
		}
		for _, v := range h[name] {
			if !isText(v) || strings.Trim(v, " \t") != v {
				return "", fmt.Errorf("the value of header %s cannot be sent", name)
			}
			b.WriteString(name + ": " + v + "\r\n")
		}
	}
	return b.String(), nil
}

func (e *endpoint) open(_ context.Context, stateless bool, _ string) (Link, error) {
	l := &httpLink{endpoint: e, stateless: stateless, done: make(chan struct{})}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, errClosed)
	}
	e.links[l] = struct{}{}
	return l, nil
}

func (e *endpoint) forget(l *httpLink) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.links, l)
}

func (e *endpoint) close() {
	e.mu.Lock()
	e.closed = true
	links := slices.Collect(maps.Keys(e.links))
	e.mu.Unlock()
	for _, l := range links {
		l.end()
	}
	e.pool.close()
}

// state is what a request says of the session that it belongs to. Empty parts are left out; without a target the request
// goes to the configured one.
type state struct{ target, token, protocol, session, lastEvent string }

// begin writes the head of a request but for its end.
func (e *endpoint) begin(b []byte, method, accept string, s state) []byte {
	b = append(b, method...)
	b = append(b, ' ')
	b = append(b, cmp.Or(s.target, e.target)...)
	b = append(b, e.fixed...)
	b = bearer(b, s.token)
	b = header(b, "Accept", accept)
	b = header(b, "MCP-Protocol-Version", s.protocol)
	b = header(b, "Mcp-Session-Id", s.session)
	return header(b, "Last-Event-ID", s.lastEvent)
}

// post writes a request that carries a message.
func (e *endpoint) post(b []byte, out *Outgoing, s state) ([]byte, error) {
	b = e.begin(b, http.MethodPost, "application/json, text/event-stream", s)
	if out.Modern {
		var err error
		if b, err = mirror(b, out); err != nil {
			return b, err
		}
	}
	b = header(b, "Content-Type", "application/json")
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(out.Frame.Raw)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, out.Frame.Raw...), nil
}

// mirror writes the headers that repeat parts of the message (2026-07-28, streamable HTTP, "Request Metadata"). Nothing
// gets into them that could end a header.
func mirror(b []byte, out *Outgoing) ([]byte, error) {
	method, ok := out.Frame.Text(wire.Method)
	if !ok || !isPlain(method) {
		return b, fmt.Errorf("%w: the method is no header value", ErrInvalid)
	}
	b = header(b, "Mcp-Method", method)
	if out.Name != "" {
		b = append(b, "Mcp-Name: "...)
		b = append(appendValue(b, out.Name), "\r\n"...)
	}
	for _, p := range out.Params {
		if !isToken(p.Name) || !isPlain(p.Value) {
			return b, fmt.Errorf("%w: a parameter is no header value", ErrInvalid)
		}
		b = append(b, "Mcp-Param-"...)
		b = append(b, p.Name...)
		b = append(b, ": "...)
		b = append(b, p.Value...)
		b = append(b, "\r\n"...)
	}
	return b, nil
}

// header writes a header, unless its value is empty.
func header[T []byte | string](b []byte, name string, value T) []byte {
	if len(value) == 0 {
		return b
	}
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// appendValue writes a value plainly where that is safe, and in Base64 elsewhere ("Value Encoding"). What is safe is
// not encoded, because servers may compare without decoding.
func appendValue(b []byte, v string) []byte {
	if isPlain(v) && strings.Trim(v, " \t") == v && (!strings.HasPrefix(v, "=?base64?") || !strings.HasSuffix(v, "?=")) {
		return append(b, v...)
	}
	b = append(b, "=?base64?"...)
	b = base64.StdEncoding.AppendEncode(b, []byte(v))
	return append(b, "?="...)
}

// isPlain reports whether a value is of printable ASCII and tabs.
func isPlain[T []byte | string](v T) bool {
	for i := range len(v) {
		if c := v[i]; (c < ' ' || c > '~') && c != '\t' {
			return false
		}
	}
	return true
}

// isVisible reports whether a session id is as the protocol wants it: visible ASCII, and something.
func isVisible(v []byte) bool {
	for _, c := range v {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(v) > 0 && len(v) <= maxSession
}

// maxKept is the largest buffer that is kept for another message.
const maxKept = 1 << 20

// buffer is memory for one message at a time.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return &buffer{make([]byte, 0, 4<<10)} }}

func newBuffer() *buffer {
	b, _ := buffers.Get().(*buffer)
	return b
}

// free gives the memory back. Nothing may refer to it any more.
func (b *buffer) free() {
	if cap(b.b) <= maxKept {
		b.b = b.b[:0]
		buffers.Put(b)
	}
}
