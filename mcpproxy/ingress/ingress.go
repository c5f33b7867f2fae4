// Package ingress is the agents' side of the proxy: it takes messages off a transport and puts answers back on it.
//
// It checks what only the transport can see (Host, Origin, content types, sizes, deadlines) and reads credentials, but
// neither parses messages nor judges them: that is what a [Handler] does, the same one for every transport.
package ingress

import (
	"context"
	"sync/atomic"

	"github.com/hopgate/hopgate/policy"
)

// Handler deals with what comes in. Its methods are called from many goroutines.
type Handler interface {
	// Admit says who a peer is. It returns a Refusal, which is on record then, where the peer is nobody, has no way to the
	// upstream that it names, or names a session that is not its own. It is called for every HTTP request, and once for a
	// process on stdio and for a WebSocket. Where it begins a session for a connection that lasts, Listen or End of the
	// Guest is to be called, which end it.
	Admit(ctx context.Context, p *Peer) (Guest, *Refusal)
	// Refuse puts on record what the transport itself refuses.
	Refuse(ctx context.Context, p *Peer, r *policy.Reason, detail string) *Refusal
}

// Guest is an admitted peer.
type Guest interface {
	// MaxFrame is the size in bytes above which a message need not be read.
	MaxFrame() int
	// Hold counts n more bytes of a message of which mine are counted already, among all that the peer's agent has under
	// way. It reports false where that has no room for them, and counts nothing then. Free ends it.
	Hold(n, mine int) bool
	Free(n int)
	// Post deals with one message and answers it through reply. It returns when nothing more will come of the message,
	// and keeps neither m nor its bytes. ctx ends when the peer can say nothing more; on a connection that lasts it may
	// still read, so that there what has an answer gets it, and only what would go on for ever ends.
	Post(ctx context.Context, m *Message, reply Reply)
	// Listen streams what belongs to no request, or what a broken stream has missed, until ctx ends or the stream does. Then
	// it calls over, once; it may return before. For a connection that lasts that is when the session has ended, or it ends
	// the session with ctx.
	Listen(ctx context.Context, h *Head, reply Reply, over func())
	// End ends a session; nil means that it is gone.
	End(ctx context.Context, h *Head) *Refusal
}

// Peer is who is at the other end, as the transport saw it.
type Peer struct {
	Transport  string     // one of those below
	Remote     string     // address, or user
	Upstream   string     // name that the peer asked for
	Credential Credential // empty where none was presented
	Local      bool       // the peer started this very process; on stdio
	As         string     // agent that a local peer wants to be, empty for the only one
	Dir        string     // working directory for the children that serve the peer; empty: ours
	Agent      *policy.Agent
	Key        string // id of the credential; Admit sets it, and Agent
	// Session is the id of a connection that lasts and is not on stdio. Admit sets it, unless it is set already: then the
	// peer says that it belongs to that one.
	Session string
}

// Transports.
const (
	OverHTTP  = "http"  // streamable HTTP, since 2025-03-26
	OverStdio = "stdio" // standard streams of a process
	OverSSE   = "sse"   // HTTP with server-sent events, of 2024-11-05
	OverWS    = "ws"    // WebSocket
)

// Lasting reports whether the peer's connection carries one conversation, which ends with it, and any number of messages
// that name no session.
func (p *Peer) Lasting() bool { return p.Transport != OverHTTP }

// Credential is a secret that a peer presented. It prints as nothing useful; Reveal gives it away.
type Credential string

// String hides the secret.
func (Credential) String() string { return "«secret»" }

// GoString hides the secret.
func (Credential) GoString() string { return "«secret»" }

// MarshalText hides the secret.
func (Credential) MarshalText() ([]byte, error) { return []byte("«secret»"), nil }

// Reveal returns the secret, to verify it.
func (c Credential) Reveal() string { return string(c) }

// Message is one message, or one batch, as it came off the transport.
type Message struct {
	Raw []byte
	// Head has the headers of a request over streamable HTTP. It is nil elsewhere.
	Head *Head
	turn *turn  // where the order of messages means something
	gone func() // in place of turn, for a member of a batch
}

// Dispatched says that the message has gone to the upstream, or will not go, so that the next one may overtake it.
func (m *Message) Dispatched() {
	switch {
	case m.gone != nil:
		gone := m.gone
		m.gone = nil
		gone()
	case m.turn != nil:
		m.turn.pass()
	}
}

// Members returns the messages of a batch. The batch is dispatched when all of them are: their answers may wait for what
// the peer says next.
func (m *Message) Members(raw [][]byte) []Message {
	var left atomic.Int64
	left.Store(int64(len(raw)))
	members := make([]Message, len(raw))
	for i := range raw {
		members[i] = Message{Raw: raw[i], Head: m.Head, gone: func() {
			if left.Add(-1) == 0 {
				m.Dispatched()
			}
		}}
	}
	return members
}

// Head has the headers that the protocol defines for streamable HTTP. A header that came twice is refused before.
type Head struct {
	Session     string // Mcp-Session-Id
	HasSession  bool
	Protocol    string // MCP-Protocol-Version
	Method      string // Mcp-Method
	Name        string // Mcp-Name, as it was sent
	HasName     bool
	LastEventID string
	Params      []Param // Mcp-Param-*
}

// Param is a header Mcp-Param-Name.
type Param struct{ Name, Value string }

// Reply is where the answer to one message goes. Send may be called from several goroutines; the last call is one of
// Finish, End, Accept and Refuse.
type Reply interface { //nolint:interfacebloat // one answer, and the few ways in which it can go
	// Session names the new session in the head of the answer; before anything is sent.
	Session(id string)
	// Resumable names the event under which a stream begins, if the answer becomes one, so that a client can resume it
	// before there was a message; before anything is sent.
	Resumable(event string)
	// Streaming reports whether the head of a stream has been sent.
	Streaming() bool
	// Open starts a stream before there is a message for it.
	Open() error
	// Send puts a message on the stream that answers; more will follow. event is the id under which a client may resume,
	// or empty. An error means that the peer is gone.
	Send(event string, frame []byte) error
	// Finish sends the last message. status is for HTTP, and counts only where nothing was sent before.
	Finish(event string, status int, frame []byte) error
	// End ends the answer without a message.
	End()
	// Accept confirms a message that has no answer.
	Accept()
	// Refuse answers with a refusal.
	Refuse(r *Refusal)
}
