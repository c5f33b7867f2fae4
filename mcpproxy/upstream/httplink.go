package upstream

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// httpLink is a conversation over HTTP, or a way for calls without one.
type httpLink struct {
	*endpoint
	stateless bool
	done      chan struct{}

	mu        sync.Mutex // guards what follows
	session   string     // as the server has named it
	protocol  string     // of the last message that had one; what has no message says the same
	heard     string     // id of the last event that a listener has taken
	listening bool
	ended     bool
}

func (l *httpLink) Send(ctx context.Context, out *Outgoing) (Stream, error) {
	s, err := l.state(out)
	if err == nil {
		s.token, err = l.token(ctx)
	}
	if err != nil {
		return nil, err
	}
	buf := newBuffer()
	defer buf.free()
	if buf.b, err = l.post(buf.b, out, s); err != nil {
		return nil, err
	}
	if out.Frame.Kind != wire.KindRequest {
		return nil, l.deliver(ctx, buf.b, s)
	}
	a := newAnswer(l, out, s.session)
	if s.token != "" {
		a.token, a.request = s.token, bytes.Clone(buf.b)
	}
	if err := a.x.send(ctx, buf.b); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// state returns what a message's headers say of the session.
func (l *httpLink) state(out *Outgoing) (state, error) {
	if out.Protocol != "" && !isVisible([]byte(out.Protocol)) {
		return state{}, fmt.Errorf("%w: the protocol revision is no header value", ErrInvalid)
	}
	if out.Modern && isMethod(out.Frame, methodCancelled) {
		return state{}, fmt.Errorf("%w: a request is cancelled on its stream", ErrInvalid)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended:
		return state{}, ErrSessionEnded
	case out.Modern || l.stateless:
		return state{protocol: out.Protocol}, nil
	case out.Protocol != "":
		l.protocol = out.Protocol
	}
	return state{protocol: out.Protocol, session: l.session}, nil
}

// deliver sends what has no answer and waits until the server has taken it.
func (l *httpLink) deliver(ctx context.Context, request []byte, s state) error {
	x := exchange{pool: l.pool}
	defer x.finish()
	if err := l.ask(ctx, &x, request, s.token); err != nil {
		return err
	}
	if x.head.status >= 200 && x.head.status < 300 { // 202 by the protocol; others mean it no differently
		return nil
	}
	return l.refused(x.head.status, s.session)
}

// refused says what a status means for which there is no answer.
func (l *httpLink) refused(status int, session string) error {
	if status == http.StatusNotFound && session != "" {
		l.end()
		return fmt.Errorf("%w: %w", ErrSessionEnded, &StatusError{status})
	}
	return &StatusError{status}
}

// remember keeps the id of the session that the answer to initialize has opened.
func (l *httpLink) remember(id []byte) error {
	if len(id) == 0 {
		return nil
	}
	if !isVisible(id) {
		return fmt.Errorf("%w: the session id is not of visible ASCII, or too long", ErrProtocol)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session = string(id)
	return nil
}

func (l *httpLink) end() {
	l.mu.Lock()
	ended := l.ended
	l.ended = true
	l.mu.Unlock()
	if !ended {
		close(l.done)
		l.forget(l)
	}
}

func (l *httpLink) Done() <-chan struct{} { return l.done }

// Close tells the server that the session is over. A server that does not let clients end sessions says 405.
func (l *httpLink) Close(ctx context.Context) error {
	l.mu.Lock()
	s, ended := state{protocol: l.protocol, session: l.session}, l.ended
	l.mu.Unlock()
	l.end()
	if ended || s.session == "" {
		return nil
	}
	var err error
	if s.token, err = l.token(ctx); err != nil {
		return err
	}
	request := append(l.begin(nil, http.MethodDelete, "*/*", s), "\r\n"...)
	x := exchange{pool: l.pool}
	defer x.finish()
	if err := x.send(ctx, request); err != nil {
		return err
	}
	if err := x.receive(ctx); err != nil {
		return err
	}
	switch code := x.head.status; {
	case code >= 200 && code < 300, code == http.StatusNotFound, code == http.StatusMethodNotAllowed:
		return nil
	default:
		return &StatusError{code}
	}
}

// get writes the request for a stream that belongs to no request, or for the rest of one that broke off.
func (l *httpLink) get(lastEvent, token string) (request []byte, session string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil, "", ErrSessionEnded
	}
	s := state{protocol: l.protocol, session: l.session, lastEvent: lastEvent, token: token}
	return append(l.begin(nil, http.MethodGet, "text/event-stream", s), "\r\n"...), s.session, nil
}
