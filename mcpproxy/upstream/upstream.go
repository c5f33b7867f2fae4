// Package upstream says how an MCP server is reached: how it is started or dialled, watched, written to and read from.
//
// A [Link] carries whole messages, byte for byte, to one server and back: over streamable HTTP, the event streams of
// 2024-11-05, a WebSocket, or the standard streams of a child process. What comes back is pulled by the goroutine that
// asked; over streamable HTTP, on the connection that it wrote to. Whatever a server may do wrong is bounded here: sizes,
// silence, floods, answers to questions that nobody asked.
//
// The package judges nothing. It knows no agent and no policy, keeps no message, and repeats none of which a server may
// have seen all.
package upstream

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy/upstream/sandbox"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// Config says what server is meant and how far it is trusted with our time and memory. Exactly one of URL and Command
// is required.
type Config struct {
	Name string // in logs and errors; required

	URL      string         // of HTTP or, with the scheme ws or wss, of a WebSocket; without user and fragment
	SSE      bool           // the server speaks the transport of 2024-11-05, and no streamable HTTP
	Tokens   Tokens         // by which the server knows us; nil for none. Then Header has no Authorization
	Header   http.Header    // sent with every request; credentials are resolved already, and never logged
	Roots    *x509.CertPool // authorities that certify the server; nil: those of the system
	MaxIdle  int            // connections that wait for the next call; 0: 128
	Dial     DialFunc       // nil: TCP to addresses that the host may have
	Networks []netip.Prefix // that the host may have an address in, beside public ones and one that the URL itself says

	Command []string      // program and arguments of a child that speaks over its standard streams; no shell reads them
	Env     []string      // KEY=VALUE, for the child, on top of what it gets of Environ
	Environ []string      // our own environment, of which a child gets PATH, HOME and LANG and nothing else
	Dir     string        // working directory of the child; empty: that of In, else ours
	Rules   sandbox.Rules // what the child may do to this machine

	Veil     func(string) string // takes out of a line of stderr what must not be in a log; nil: nothing. Called from many goroutines
	Breaker  Breaker             // when calls are refused at once; zero for never
	Limits   wire.Limits         // of every message that comes back; required
	Timeouts Timeouts
	Log      zerolog.Logger
	Clock    func() time.Time // the time of day, by which connections have their deadlines; required
}

// DialFunc opens a connection, as [net.Dialer.DialContext] does.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// Timeouts bounds waiting that no call's context bounds. Zero fields have the default.
type Timeouts struct {
	Dial  time.Duration // to connect, TLS included; 10 s
	Idle  time.Duration // that an unused connection is kept; 60 s
	Write time.Duration // for a child, or the other end of a WebSocket, to take one message; 30 s
	Stall time.Duration // that a server waits for a consumer whose queue is full, before it loses the message; 2 s
	Grace time.Duration // for a child to end when its input is closed, and again when it is asked to terminate; 2 s
}

func (t *Timeouts) defaults() {
	for at, d := range map[*time.Duration]time.Duration{
		&t.Dial: 10 * time.Second, &t.Idle: time.Minute, &t.Write: 30 * time.Second,
		&t.Stall: 2 * time.Second, &t.Grace: 2 * time.Second,
	} {
		if *at <= 0 {
			*at = d
		}
	}
}

// Link is a way to one server, for one conversation or for calls that need none. It is safe for concurrent use. Whoever
// has opened it closes it.
type Link interface {
	// Send sends a message. For a request it returns what comes back, which the caller closes; for anything else the
	// Stream is nil, and the server has taken the message when Send returns. The message is not kept. The context governs
	// the sending alone.
	//
	// Errors are ErrInvalid, ErrUnavailable, ErrUnknownOutcome, ErrProtocol and ErrSessionEnded, or say in what way they are
	// one of these: StatusError.
	Send(ctx context.Context, out *Outgoing) (Stream, error)

	// Listen returns what the server says that belongs to no request: over HTTP the stream that GET opens (2025-11-25,
	// basic/transports, "Listening for messages"), which is opened again whenever it breaks off and continued where the
	// last one of this Link ended. A Link has one such stream at a time. ErrNoListen says that the server has none.
	Listen(ctx context.Context) (Stream, error)

	// Done is closed when nothing can be sent any more: the session or the child has ended, or the Link or its Server was
	// closed.
	Done() <-chan struct{}

	// Close ends the conversation: the session with DELETE, the child with the end of its input, then by force. It waits
	// for that; the context bounds the gentle part. Streams of a child fail with it. Those of a session go on until their
	// contexts or the server end them.
	Close(ctx context.Context) error
}

// Stream yields what comes back for one request, or what Listen has opened. Next and Close belong to one goroutine.
type Stream interface {
	// Next returns the next message. After the answer to the request it returns io.EOF; another error is final as well,
	// and says what became of the request. The context bounds the server's silence.
	Next(ctx context.Context) (*Incoming, error)

	// Cancel tells the server that nobody waits any more: with notifications/cancelled, or by closing the connection
	// where the revision has it so. A late answer may still come from Next. Cancel may be called from any goroutine, while
	// Next is waiting. It does nothing where there is nothing to cancel: the answer was there, Listen opened the stream, or
	// the request is initialize, which the protocol lets nobody cancel.
	Cancel(ctx context.Context, reason string) error

	// Close gives up what is left of the stream. It does not cancel.
	Close()
}

// Patient is a [Stream] that can be waited for without a goroutine that waits in Next. One that has been deep in the calls
// of a message keeps the stack that it needed there for as long as it waits.
type Patient interface {
	Stream

	// Try is Next, but does not wait for a message to begin. It returns nil without an error where there is none, and calls
	// wake then, once, on a goroutine of its own, when it should be asked again: something has come, or ctx has ended.
	// Neither Next nor Try may be called before, nor Close, and Try only with the same ctx.
	Try(ctx context.Context, wake func()) (*Incoming, error)
}

// Outgoing is one message to a server and what HTTP needs to know of it. Over standard streams only Frame counts.
type Outgoing struct {
	Frame    *wire.Frame
	Protocol string        // revision for the header MCP-Protocol-Version; empty before it is negotiated
	Modern   bool          // the message belongs to no session (2026-07-28 and later)
	Name     string        // decoded value for the header Mcp-Name; empty where the method has none
	Params   []Param       // further headers of a modern request
	Known    []*wire.Known // what the answer may say again; it is not read twice then
	Room     Room          // for the answer; nil: there is any
}

// Room is what there is for the answer to a message, so that many at the same time do not take all memory.
type Room interface {
	// Hold has room for a message of n bytes, in the place of the one before. It may wait for that until ctx ends. After
	// an error, which is an ErrNoRoom, no more of the answer is read.
	Hold(ctx context.Context, n int) error
}

// SmallAnswer is how many bytes of an answer need no room.
const SmallAnswer = 32 << 10

// Param is a header Mcp-Param-Name with its value, encoded as it goes out.
type Param struct{ Name, Value string }

// Incoming is one message from a server. It is valid until the next call of Next or Close.
type Incoming struct {
	// Frame has the id, the progress token and the subscription that the request had, to the byte. An error with a
	// Status of 400 and above may lack its id, and answers the request all the same. Over HTTP there may be line breaks
	// between its tokens.
	Frame  wire.Frame
	Status int  // of HTTP; 0 over standard streams
	Event  bool // it came on an event stream
}

// Server is one MCP server. It is safe for concurrent use.
type Server struct {
	way    way
	remote bool
	dir    string // of children, where the configuration names none
	counts *counts

	breaker *breaker // nil for none
}

// way is one kind of transport.
type way interface {
	open(ctx context.Context, stateless bool, dir string) (Link, error)
	close()
}

// New makes a Server. Nothing is started or dialled before a Link needs it.
func New(c Config) (*Server, error) {
	c.Timeouts.defaults()
	if c.MaxIdle <= 0 {
		c.MaxIdle = 128
	}
	switch {
	case c.Name == "" || c.Clock == nil || c.Limits.Frame <= 0:
		return nil, errors.New("describing an upstream: name, limits and clock are required")
	case (c.URL == "") == (len(c.Command) == 0):
		return nil, fmt.Errorf("describing upstream %s: exactly one of URL and command is required", c.Name)
	}
	s := &Server{counts: new(counts), breaker: newBreaker(&c)}
	var err error
	switch {
	case c.URL == "":
		s.way, err = newLauncher(&c, s.counts)
	case c.SSE, strings.HasPrefix(c.URL, "ws"):
		s.way, err = newFar(&c, s.counts)
	default:
		s.remote = true
		s.way, err = newEndpoint(&c, s.counts)
	}
	if err != nil {
		return nil, fmt.Errorf("describing upstream %s: %w", c.Name, err)
	}
	return s, nil
}

// Open returns a Link for one conversation: a session over HTTP, which begins with the answer to initialize, or a
// connection or child of its own. There the server gets the ids of requests as they are, unless an earlier request of an id was
// given up and may still be answered. After children that ended as soon as they were started it returns a *BackoffError for a while.
func (s *Server) Open(ctx context.Context) (Link, error) { return s.way.open(ctx, false, s.dir) }

// Stateless returns a Link for calls that need no session, of any number of conversations at once. Elsewhere than
// over streamable HTTP it opens one connection, or starts one child, which the calls share: their ids and progress tokens are replaced by our own on
// the way out, and put back on the way in. Requests that agree in their id do not disturb each other.
func (s *Server) Stateless(ctx context.Context) (Link, error) { return s.way.open(ctx, true, s.dir) }

// In returns the same server as it is for somebody who works in a directory: a child starts there, unless Config.Dir says
// where. An empty dir is ours. What is returned is closed with the Server that it was made from.
func (s *Server) In(dir string) *Server {
	in := *s
	in.dir = dir
	return &in
}

// Remote reports whether the server is reached over streamable HTTP. It has sessions of its own then, which outlive a
// connection; where it is false, a session is a connection or a child.
func (s *Server) Remote() bool { return s.remote }

// Child reports whether the server is a program: then a session is a child of its own, and no other can use what it has.
func (s *Server) Child() bool {
	_, ok := s.way.(*launcher)
	return ok
}

// Close ends every child and breaks off every connection, and waits for both. Links opened from the Server fail from
// then on.
func (s *Server) Close() error {
	s.way.close()
	return nil
}

// Counts is what a Server has held back so far, because it was no message, was nobody's, or was not taken.
type Counts struct {
	Malformed uint64 // lines and events that hold no message, or not one of the protocol
	Stray     uint64 // messages that belong to nothing: an unknown id, a second answer, a request where none is allowed
	Lost      uint64 // messages that nobody took in time
}

// Counts returns what has been held back so far. The figures only grow.
func (s *Server) Counts() Counts {
	return Counts{Malformed: s.counts.malformed.Load(), Stray: s.counts.stray.Load(), Lost: s.counts.lost.Load()}
}

type counts struct{ malformed, stray, lost atomic.Uint64 }
