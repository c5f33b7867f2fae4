package mcpproxy

import (
	"bytes"
	"context"
	"crypto/sha256"
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

// question is a server's request that an agent has to answer.
type question struct {
	method string
	token  idKey // under which the agent may report progress; zero for none
	task   bool  // the agent may go on after it has answered
}

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
	s.mu.Lock()
	server := p.Upstreams[s.upstream]
	same := p.Connections[Way{s.agent, s.upstream}] != nil && server == s.server
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

// claim registers a call under its id, unless that is in use.
func (s *session) claim(x *exchange) *policy.Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return reasonSession
	}
	if _, used := s.calls[x.id]; used {
		s.unstart(x)
		return reasonIDInUse
	}
	if lasts[x.call.Method] && x.call.Method != "resources/unsubscribe" && !s.fits(len(x.frame.Raw)) {
		return reasonSessions
	}
	put(&s.calls, x.id, x)
	if t := x.frame.Get(wire.MetaProgressToken); t != nil && len(s.tokens) < maxTokens {
		k := newIDKey(t)
		put(&s.tokens, k, s.tokens[k])
	}
	return nil
}

// release ends what claim began. The token of a call that became a task lives on: the task reports under it.
func (s *session) release(x *exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls[x.id] != x {
		return // it was not claimed, or is another call's by now
	}
	delete(s.calls, x.id)
	s.unstart(x)
	if t := x.frame.Get(wire.MetaProgressToken); t != nil {
		s.endToken(newIDKey(t), x.frame.Has(wire.ParamsTask))
	}
	s.used = s.p.Clock()
}

// endToken forgets the token of a call that is over, but for one that its task goes on with. The mutex is held.
func (s *session) endToken(k idKey, task bool) {
	kept, known := s.tokens[k]
	switch {
	case task && (kept || !known):
	case task && s.more(tokenBytes):
		s.tokens[k] = true
	default:
		if kept {
			s.more(-tokenBytes)
		}
		delete(s.tokens, k)
	}
}

// cancel gives up the call with an id. It reports whether there is one, and whether it is of the later era.
func (s *session) cancel(id []byte) (known, modern bool) {
	s.mu.Lock()
	x, known := s.calls[newIDKey(id)]
	if !known {
		s.mu.Unlock()
		return false, false
	}
	first, modern, reply := x.giveUp(), x.modern, x.reply
	s.mu.Unlock()
	if first {
		s.p.spawn(reply.End) // it may have to wait for a peer that does not read
	}
	return true, modern
}

// knows reports whether a call with an id is under way.
func (s *session) knows(id []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[newIDKey(id)] != nil
}

// awaits reports whether a server has given the agent a progress token that still counts.
func (s *session) awaits(token []byte) bool {
	if token == nil {
		return false
	}
	k := newIDKey(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.questions {
		if q.token == k {
			return true
		}
	}
	return s.reports[k]
}

// keepToken lets the agent go on reporting on a server's request that became a task when it was answered.
func (s *session) keepToken(q question) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.task && q.token != (idKey{}) && len(s.reports) < maxTokens && !s.reports[q.token] && s.more(tokenBytes) {
		put(&s.reports, q.token, true)
	}
}

// owns reports whether a progress token belongs to a call of the session.
func (s *session) owns(token []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, owns := s.tokens[newIDKey(token)]
	return token != nil && owns
}

// ask registers a server's request, so that the agent's answer finds its way. It says why it does not: too many are open,
// or one with the same id is, whose answer nobody could tell from this one's.
func (s *session) ask(id []byte, q question) *policy.Reason {
	k := newIDKey(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, used := s.questions[k]
	switch {
	case used:
		return reasonIDInUse
	case len(s.questions) >= maxQuestions:
		return reasonUnsolicited
	}
	put(&s.questions, k, q)
	return nil
}

// asks reports whether a server's request with an id waits for its answer.
func (s *session) asks(id []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.questions[newIDKey(id)]
	return ok
}

// takeQuestion returns the request that an answer is for. Each is answered once.
func (s *session) takeQuestion(id []byte) (question, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := newIDKey(id)
	q, ok := s.questions[k]
	delete(s.questions, k)
	return q, ok
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

// put puts a value into a map that may not be there yet.
func put[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

// drop lets go of a map that has nothing in it.
func drop[K comparable, V any](m *map[K]V) {
	if len(*m) == 0 {
		*m = nil
	}
}

// idKey is the value of a JSON-RPC id or a progress token, whatever its spelling. Long ones are hashed.
type idKey [32]byte

func newIDKey(raw []byte) (k idKey) {
	kind := byte('n')
	if text, ok := wire.Unquote(raw); ok {
		kind, raw = 's', text
	}
	if len(raw) > len(k)-2 {
		k = sha256.Sum256(raw)
		k[0] = kind | 0x80
		return k
	}
	k[0], k[1] = kind, byte(len(raw))
	copy(k[2:], raw)
	return k
}
