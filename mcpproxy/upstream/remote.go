package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// far is a server that is reached over connections that carry a conversation each: event streams of 2024-11-05, or
// WebSockets. A conversation that breaks off is over, as if a child had ended; whoever needs another one opens it.
type far struct {
	*endpoint
	Config
	base *url.URL
	ws   bool

	mu     sync.Mutex // guards what follows
	live   map[*remote]struct{}
	closed bool
}

// line is one connection to such a server.
type line interface {
	// put sends one message. Its errors are those of Link.Send.
	put(ctx context.Context, raw []byte) error
	// next appends the next message to dst. One goroutine calls it.
	next(dst []byte) ([]byte, error)
	// cut breaks the connection off, from any goroutine; next fails.
	cut()
}

func newFar(c *Config, n *counts) (*far, error) {
	plain := *c
	u, err := url.Parse(c.URL)
	ws := err == nil && (u.Scheme == "ws" || u.Scheme == "wss")
	if ws {
		plain.URL = "http" + c.URL[len("ws"):] // a WebSocket begins as a request of HTTP
	}
	e, err := newEndpoint(&plain, n)
	if err != nil {
		return nil, err
	}
	if ws && c.SSE {
		return nil, errors.New("the URL says WebSocket, and SSE is set")
	}
	base, err := url.Parse(plain.URL)
	if err != nil {
		return nil, errors.New("the URL is malformed")
	}
	return &far{endpoint: e, Config: *c, base: base, ws: ws, live: map[*remote]struct{}{}}, nil
}

func (f *far) open(ctx context.Context, stateless bool, _ string) (Link, error) {
	dialing, cancel := context.WithTimeout(ctx, f.Timeouts.Dial)
	defer cancel()
	l, err := f.connect(dialing)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, ErrCredential) {
			err = fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		return nil, because(ctx, ErrUnavailable, err)
	}
	r := &remote{
		talk: talk{hub: newHub(stateless, f.limits, f.Timeouts.Stall, f.counts), done: make(chan struct{})}, line: l, server: f,
		gone: make(chan struct{}),
	}
	r.pen = r
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		l.cut()
		return nil, because(ctx, ErrUnavailable, errClosed)
	}
	f.live[r] = struct{}{}
	go r.run()
	return r, nil
}

// connect opens a connection, and once more with another token where the server wants one.
func (f *far) connect(ctx context.Context) (l line, err error) {
	for tried := ""; ; {
		token, failed := f.token(ctx)
		switch {
		case failed != nil:
			return nil, failed
		case tried != "" && token == tried:
			return nil, err
		case f.ws:
			l, err = f.dialWS(ctx, token)
		default:
			l, err = f.openFeed(ctx, token)
		}
		if status, ok := errors.AsType[*StatusError](err); !ok || status.Code != http.StatusUnauthorized || token == "" || tried != "" {
			return l, err
		}
		tried = token
		f.tokens.Refused(token)
	}
}

func (f *far) close() {
	f.mu.Lock()
	f.closed = true
	all := slices.Collect(maps.Keys(f.live))
	f.mu.Unlock()
	for _, r := range all {
		r.leave()
	}
	f.endpoint.close()
}

// remote is a conversation with such a server, or a connection that calls without conversation share.
type remote struct {
	talk
	line   line
	server *far
	once   sync.Once
	gone   chan struct{} // closed when nothing is left of it
}

// run reads what the server says until the connection breaks off or the server goes too far.
func (r *remote) run() {
	err := r.read()
	what := fmt.Errorf("%w: %w", ErrUnknownOutcome, cutShort(err))
	if blames(err) {
		what = fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	close(r.done) // before a call fails: whoever asks next is to have another connection
	r.hangUp(what)
	r.end()
	r.server.Log.Info().Str("upstream", r.server.Name).AnErr("cause", err).Msg("connection ended")
	r.server.mu.Lock()
	delete(r.server.live, r)
	r.server.mu.Unlock()
	close(r.gone)
}

func (r *remote) read() error {
	for noise := 0; noise <= maxNoise; {
		m := newMessage()
		var err error
		if m.buf, err = r.line.next(m.buf); err != nil {
			m.free()
			return err
		}
		if r.take(m) {
			noise = 0
		} else {
			noise++
		}
	}
	return errBabel
}

// write sends a message; see pen.
func (r *remote) write(ctx context.Context, f *wire.Frame, k *call) error {
	select {
	case <-r.ending:
		return ErrSessionEnded
	case <-r.done:
		return ErrSessionEnded
	default:
	}
	if err := ctx.Err(); err != nil {
		return because(ctx, ErrUnavailable, err)
	}
	raw := f.Raw
	if edits, _ := k.names(nil, f, nil); len(edits) > 0 {
		var err error
		if raw, err = edits.Splice(nil, raw); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	return r.line.put(ctx, raw)
}

// Close breaks the connection off, which is how such a conversation ends.
func (r *remote) Close(context.Context) error {
	r.leave()
	return nil
}

func (r *remote) leave() {
	r.end()
	<-r.gone
}

func (r *remote) end() {
	r.once.Do(func() {
		close(r.ending)
		r.line.cut()
	})
}

// feed is a line of 2024-11-05: what the server says comes as events, what it is told is posted to the address that the
// first event has named.
type feed struct {
	server *far
	target string // of the request line of a POST
	x      exchange
	ev     *eventReader
}

const errNoEndpoint = violation("the stream does not begin with the address to post to")

// errElsewhere keeps what is posted, and the credential with it, from going where the configuration does not say.
const errElsewhere = violation("the address to post to is not of the server's origin")

// openFeed opens the stream and waits for the address. ctx bounds that alone.
func (f *far) openFeed(ctx context.Context, token string) (line, error) {
	l := &feed{server: f, x: exchange{pool: f.pool}}
	if err := l.x.send(ctx, append(f.begin(nil, http.MethodGet, "text/event-stream", state{token: token}), "\r\n"...)); err != nil {
		return nil, err
	}
	if err := l.x.receive(ctx); err != nil {
		return nil, err
	}
	if h := &l.x.head; h.status != http.StatusOK || h.media != mediaEvents {
		l.x.finish()
		if h.status == http.StatusOK {
			return nil, fmt.Errorf("%w: the content is not an event stream", ErrProtocol)
		}
		return nil, &StatusError{h.status}
	}
	l.ev, _ = eventReaders.Get().(*eventReader)
	l.ev.reset(&l.x.body, f.limits.Frame, f.counts)
	l.ev.also = eventEndpoint
	stop := l.x.arm(ctx)
	err := l.ev.next()
	l.x.disarm(stop)
	switch {
	case err != nil:
	case !l.ev.found:
		err = errNoEndpoint
	default:
		err = l.aim(l.ev.data)
	}
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		l.x.drop()
		return nil, because(ctx, meaning(err), err)
	}
	l.ev.also, l.ev.idle = "", 0 // another address, later on, is none
	l.ev.rest = l.x.rest
	return l, nil
}

const eventEndpoint = "endpoint"

// aim takes over the address to post to.
func (l *feed) aim(address []byte) error {
	base := l.server.base
	u, err := base.Parse(string(address))
	switch {
	case err != nil || !isPlain(address) || len(address) > maxHead/4:
		return errNoEndpoint
	case u.Scheme != base.Scheme || !strings.EqualFold(u.Hostname(), base.Hostname()) || portOf(u) != portOf(base) || u.User != nil || u.Opaque != "":
		return errElsewhere
	}
	l.target = u.RequestURI()
	if strings.ContainsFunc(l.target, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errNoEndpoint
	}
	return nil
}

// portOf is the port that a URL of HTTP leads to.
func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

func (l *feed) put(ctx context.Context, raw []byte) error {
	buf := newBuffer()
	defer buf.free()
	token, err := l.server.token(ctx)
	if err != nil {
		return err
	}
	buf.b, err = l.server.post(buf.b, &Outgoing{Frame: &wire.Frame{Raw: raw}}, state{target: l.target, token: token})
	if err != nil {
		return err
	}
	x := exchange{pool: l.server.pool}
	defer x.finish()
	if err := l.server.ask(ctx, &x, buf.b, token); err != nil {
		return err
	}
	if code := x.head.status; code < 200 || code > 299 {
		if code == http.StatusNotFound {
			l.cut() // the server knows the session no more
		}
		return &StatusError{code}
	}
	return nil
}

func (l *feed) next(dst []byte) ([]byte, error) {
	if err := l.ev.next(); err != nil {
		l.x.drop()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return dst, err
	}
	l.ev.idle = 0
	return append(dst, l.ev.data...), nil
}

func (l *feed) cut() { l.x.cut() }
