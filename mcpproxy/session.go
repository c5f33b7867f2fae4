package mcpproxy

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// Bounds of sessions. They keep an agent that opens sessions and forgets them from filling the memory.
const (
	idleSession  = 30 * time.Minute // without a message and without an open stream, where the policy does not say
	longSession  = 24 * time.Hour   // likewise
	maxSessions  = 1000             // of one agent
	maxChildren  = 128              // of these, sessions that have a process or a connection of their own
	maxQuestions = 128              // of a server that the agent has not answered yet
	maxTokens    = 1024             // progress tokens that may still be used
	sweepEvery   = time.Minute      // or more often, where sessions last less
	endTime      = 10 * time.Second // to take leave of the upstream
)

// session is what the protocol's earlier era keeps between messages: over streamable HTTP it goes by an id of our own;
// elsewhere it is tied to a connection, or to the process on stdio. It is bound to one agent and one upstream, and has a
// link of its own to the upstream.
type session struct {
	p        *Proxy
	id       string // empty on stdio
	tied     bool   // it begins and ends with the one connection that carries it, so that nobody comes back to it
	over     string // transport of the agent
	digest   string // of the id, for the record
	agent    string
	room     *room // of the agent
	child    bool  // it counts among the sessions that have a process
	upstream string
	dir      string // that the agent works in
	server   *upstream.Server
	born     time.Time
	ctx      context.Context //nolint:containedctx // the session's life, which its calls outlive a request by
	stop     context.CancelCauseFunc

	mu        sync.Mutex    // guards what follows
	key       string        // that it was last used with
	speaker   *ingress.Peer // who last posted a message to a tied one; nil: its connection alone carries messages
	carriers  []*carrier
	state     state
	kept      int      // bytes that count in the agent's room
	version   string   // negotiated
	client    string   // name that the client gave itself
	hello     []byte   // the initialize request as it was sent, to greet a restarted child
	greeted   []byte   // the initialized notification as it was sent
	offers    []string // notifications of changed lists that the client may expect
	link      upstream.Link
	bridged   bool    // the upstream is of the later era
	standing  lasting // nil, as the maps that follow, until it is needed; requests that count for the rest of the session
	calls     map[idKey]*exchange
	questions map[idKey]question
	tokens    map[idKey]bool // of calls; true: of a task, which goes on under it
	reports   map[idKey]bool // progress tokens of server's requests that the agent has made tasks of
	used      time.Time
	ended     bool

	opening key           // held while a link is made; taken before mu
	ready   chan struct{} // of a tied one; closed when the client is initialized
	renewed chan struct{} // has a value when there is a new link
	pumping chan struct{} // has a value while somebody listens to the link
	streams streams
	calm    calm
}

// state is how far a session is.
type state uint8

const (
	fresh state = iota
	greeting
	negotiated // initialize is answered
	settled    // the client has said that it is initialized
)

// errEnded is why the calls of a session that ended are over.
var errEnded = errors.New("the session has ended")

func newSession(p *Proxy, g *guest) *session {
	s := &session{
		p: p, tied: g.peer.Lasting(), over: g.peer.Transport, agent: g.who.agent.Name, room: g.room, key: g.who.key, upstream: g.peer.Upstream, dir: g.peer.Dir, server: g.who.policy.Upstreams[g.peer.Upstream],
		born: p.Clock(), used: p.Clock(), renewed: make(chan struct{}, 1), pumping: make(chan struct{}, 1), opening: newKey(),
	}
	if s.tied {
		s.ready = make(chan struct{})
	}
	s.ctx, s.stop = context.WithCancelCause(p.ctx)
	s.streams.init(s)
	return s
}

// follow adapts the session to a new policy. A session that it grants no way, or whose upstream is another one now, ends,
// and its connection with it. A process on stdio stays, gets a new child when it may call again, and is refused meanwhile.
func (s *session) follow(p *Policy) {
	server := p.Upstreams[s.upstream]
	granted := p.Connections[Way{s.agent, s.upstream}] != nil
	if !granted {
		server = nil // nothing is started for it
	}
	s.mu.Lock()
	same := granted && server == s.server
	s.mu.Unlock()
	switch {
	case same:
	case s.id != "":
		s.end()
	default:
		s.mu.Lock()
		link := s.link
		s.link, s.server = nil, server
		s.mu.Unlock()
		if link != nil {
			s.p.spawn(func() { closeLink(s.ctx, link) })
		}
	}
}

// start begins the handshake; false where it has begun before.
func (s *session) start() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != fresh || s.ended {
		return false
	}
	s.state = greeting
	return true
}

// started ends the handshake, of which one that failed leaves nothing but a connection.
func (s *session) started() {
	s.mu.Lock()
	failed := s.state < negotiated
	s.mu.Unlock()
	if failed && !s.tied {
		s.end()
	}
}

// unstart lets a handshake that has failed be tried again on its connection. The mutex is held.
func (s *session) unstart(x *exchange) {
	if x.starts && s.state == greeting {
		s.state = fresh
	}
}

// speaks holds the version header to what the session has negotiated, by which every message of it is read: whoever stands
// before us and goes by the header must not read it as another revision's. Some clients leave the header out, and then
// the negotiated version counts (MCP 2025-11-25, streamable HTTP, protocol version header).
func (s *session) speaks(h *ingress.Head) *policy.Reason {
	if h == nil || h.Protocol == "" {
		return nil
	}
	version, _ := s.facts()
	if !legacyVersion(h.Protocol) || version != "" && h.Protocol != version {
		return reasonVersionHeader
	}
	return nil
}

// admits says whether a message may come at this point of the session.
func (s *session) admits(method string, h *ingress.Head) *policy.Reason {
	if r := s.speaks(h); r != nil {
		return r
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = s.p.Clock()
	switch {
	case s.state == settled, method == "ping", method == "notifications/cancelled",
		s.state == negotiated && method == "notifications/initialized":
		return nil
	}
	return reasonNotReady
}

// negotiate takes over what an initialize request, as it was sent, and its result, as the agent gets it, have settled.
func (s *session) negotiate(hello, result *wire.Frame) error {
	version := result.String(wire.ResultProtocolVersion)
	if !legacyVersion(version) {
		return errors.New("initialize is answered with a version that it cannot negotiate")
	}
	name, _ := wire.Lookup(hello.Get(wire.ParamsClientInfo), "name")
	client, _ := wire.Unquote(name.Value)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version, s.client, s.state = version, string(client), negotiated
	s.hello = bytes.Clone(hello.Raw)
	for _, l := range lists {
		if _, ok := wire.Lookup(result.Get(wire.ResultCapabilities), l.capability); ok {
			s.offers = append(s.offers, l.method)
		}
	}
	return nil
}

// facts are what calls of the session tell of it.
func (s *session) facts() (version, client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version, s.client
}

// expects returns the notifications of changed lists that the client understands now.
func (s *session) expects() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != settled {
		return nil
	}
	return s.offers
}

// settle notes that the client has said it is initialized.
func (s *session) settle(f *wire.Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == negotiated {
		s.state, s.greeted = settled, bytes.Clone(f.Raw)
		if s.ready != nil {
			close(s.ready)
		}
	}
}

// end closes the session and everything that it has open. It returns at once; Proxy.Close waits for the rest.
func (s *session) end() {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	s.more(-s.kept)
	s.ended = true
	link, carriers := s.link, slices.Clone(s.carriers)
	s.link = nil
	s.mu.Unlock()
	s.p.sessions.drop(s)
	s.stop(errEnded)
	for _, c := range carriers {
		c.stop()
	}
	s.streams.forget()
	if link != nil {
		s.p.spawn(func() { closeLink(s.ctx, link) })
	}
}

func closeLink(ctx context.Context, link upstream.Link) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	_ = link.Close(ctx) // an upstream that is gone needs no leave
}

// idle reports whether nobody has used the session for long.
func (s *session) idle(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id == "" {
		return false // it is the process, which nothing could bring back to life
	}
	unused, all := s.p.policy.Load().lifetimes()
	return len(s.calls) == 0 && s.streams.listening.Load() == 0 && now.Sub(s.used) > unused || now.Sub(s.born) > all
}

// rest lets go of what only a session needs that does something.
func (s *session) rest() {
	s.streams.rest()
	s.mu.Lock()
	defer s.mu.Unlock()
	drop(&s.calls)
	drop(&s.tokens)
	drop(&s.questions)
	drop(&s.reports)
}
