package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"

	"github.com/hopgate/hopgate/mcpproxy/ws"
)

const (
	errBinary      = violation("a message is not text")
	errMessageSize = violation("a message is larger than the limit")
	errSubprotocol = violation("the server has chosen another subprotocol")
)

// socket is a line over WebSocket: one message per text frame.
type socket struct {
	c      *websocket.Conn
	ctx    context.Context //nolint:containedctx // the connection's life, which no message bounds
	end    context.CancelFunc
	limit  int
	writes time.Duration
	buf    bytes.Buffer
}

// dialWS opens a WebSocket. ctx bounds that alone. A server need not name the subprotocol, as long as it names no other.
func (f *far) dialWS(ctx context.Context, token string) (line, error) {
	header := f.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", "hopgate")
	}
	way := &http.Transport{
		DialContext: f.pool.dial, TLSClientConfig: f.pool.tls.Clone(), TLSHandshakeTimeout: f.Timeouts.Dial, MaxResponseHeaderBytes: maxHead,
		DisableKeepAlives: true, DisableCompression: true,
	}
	client := &http.Client{Transport: way, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	c, resp, err := websocket.Dial(ctx, f.URL, &websocket.DialOptions{ //nolint:bodyclose // its documentation says never to
		HTTPClient: client, HTTPHeader: header, Subprotocols: []string{ws.Subprotocol}, CompressionMode: websocket.CompressionDisabled,
	})
	switch quoting, ok := errors.AsType[*url.Error](err); {
	case ok:
		return nil, quoting.Err // without the URL, which may hold secrets
	case err != nil && resp != nil && resp.StatusCode != http.StatusSwitchingProtocols:
		return nil, &StatusError{resp.StatusCode}
	case err != nil && resp != nil:
		return nil, errSubprotocol // or another answer that is none to the handshake
	case err != nil:
		return nil, errors.New("the handshake failed")
	}
	c.SetReadLimit(-1) // next counts, and tells whose fault it is
	s := &socket{c: c, limit: f.limits.Frame, writes: f.Timeouts.Write}
	s.ctx, s.end = context.WithCancel(context.WithoutCancel(ctx))
	go ws.Keep(s.ctx, c, s.cut)
	return s, nil
}

// put writes a message. A server that has not got all of it cannot act on it.
func (s *socket) put(ctx context.Context, raw []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.writes)
	defer cancel()
	if err := s.c.Write(ctx, websocket.MessageText, raw); err != nil {
		s.cut()
		return because(ctx, ErrUnavailable, err)
	}
	return nil
}

func (s *socket) next(dst []byte) ([]byte, error) {
	kind, r, err := s.c.Reader(s.ctx)
	switch {
	case err != nil:
		return dst, fmt.Errorf("%w: %d", io.ErrUnexpectedEOF, websocket.CloseStatus(err))
	case kind != websocket.MessageText:
		return dst, errBinary
	}
	s.buf.Reset()
	if s.buf.Cap() > maxKept {
		s.buf = bytes.Buffer{}
	}
	switch n, err := s.buf.ReadFrom(io.LimitReader(r, int64(s.limit)+1)); {
	case err != nil:
		return dst, err
	case n > int64(s.limit):
		return dst, errMessageSize
	}
	return append(dst, s.buf.Bytes()...), nil
}

// cut says farewell without waiting for one. What next is waiting for fails.
func (s *socket) cut() {
	s.end()
	_ = s.c.CloseNow() // it is closed then, one way or another
}
