// Package mcpproxy stands between agents and servers: it knows sessions and protocol revisions, takes each message along
// the path of a call, and re-originates what may pass.
//
// It judges nothing itself. What a call may do is for the gates of its connection to say, in the order of gates.go; who
// an agent is, for an [Identity]; and nothing is sent that a [Journal] has not on record.
package mcpproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// Identity tells agents by their credentials.
type Identity interface {
	// Verify returns the name of the agent that a key belongs to, and the id of the key. Any error means nobody; it says
	// for the record why, without the key.
	Verify(key string) (agent, id string, err error)
}

// Journal puts decisions on record.
type Journal interface {
	// Begin records a decision. It returns when the record of an allowed call is durable; after an error the call must not
	// be sent. It keeps nothing of its arguments.
	Begin(ctx context.Context, c *policy.Call, o *policy.Outcome) error
	// End records what came of a call that Begin has recorded as allowed. Where o.Durable is set it returns when the record
	// is durable; after an error nothing of the answer must reach the agent then. It keeps nothing of its arguments.
	End(c *policy.Call, o *policy.Outcome, r *policy.Report) error
}

// Observer learns what became of calls, before the record of it is written, so that what it remembers becomes durable
// with the record. It has no veto, must not block, and keeps nothing of its arguments.
type Observer interface {
	Observe(c *policy.Call, o *policy.Outcome, r *policy.Report)
}

// Catalog learns what upstreams offer.
type Catalog interface {
	// Learn takes the result of a call as the upstream sent it. It keeps nothing of its arguments. After an error nothing
	// of the result may reach the agent.
	Learn(c *policy.Call, result *wire.Frame) error
	// Shown takes what the gates have left of a result that Learn was given. It keeps nothing of its arguments.
	Shown(c *policy.Call, came, went *wire.Frame)
	// HeaderParams returns the arguments of a tool that a client mirrors into headers, or nil.
	HeaderParams(upstream, tool string) []HeaderParam
}

// HeaderParam is an argument that is mirrored into the header Mcp-Param-Name (MCP 2026-07-28, streamable HTTP).
type HeaderParam struct {
	Name string
	Path []string // of properties, from the root of the arguments
}

// Config is what a Proxy needs. All of it is required but Observers, Rounds, Owners and SealKey.
type Config struct {
	Identity  Identity
	Journal   Journal
	Catalog   Catalog
	Observers []Observer
	Clock     func() time.Time
	Random    io.Reader
	Log       zerolog.Logger
	Rounds    *Rounds // nil: those of this process alone
	Owners    *Owners // likewise
	SealKey   []byte  // of [SealKeySize] bytes, for what agents carry over a restart; nil: one is drawn, and nothing survives
}

// Principal is an agent and how it proves who it is.
type Principal struct {
	*policy.Agent
	Local bool // the user who starts the process on stdio speaks for it; no key does
}

// Policy is one state of the configuration. It is immutable; a call is judged by one.
type Policy struct {
	Revision    string
	Agents      map[string]Principal
	Connections map[Way]*policy.Connection
	Upstreams   map[string]*upstream.Server // the proxy uses them and does not close them
	Limits      wire.Limits                 // of messages whose connection is not known

	// IdleSession is how long a session lasts without a message and without an open stream, LongSession how long it does at
	// most; 0 for half an hour and a day. A session on stdio lasts as long as its process.
	IdleSession, LongSession time.Duration
}

// Way is an agent and the upstream that it wants to reach.
type Way struct{ Agent, Upstream string }

// Ways arranges connections by the ways that they grant.
func Ways(connections []*policy.Connection) map[Way]*policy.Connection {
	m := make(map[Way]*policy.Connection, len(connections))
	for _, c := range connections {
		m[Way{c.Agent.Name, c.Upstream.Name}] = c
	}
	return m
}

// Proxy is the path between agents and servers, for all transports. It implements [ingress.Handler].
type Proxy struct {
	Config
	policy   atomic.Pointer[Policy]
	sessions sessions
	seals    *sealer
	started  time.Time
	grace    grace
	rooms    rooms
	repeats  repeats         // of lists
	ctx      context.Context //nolint:containedctx // the proxy's own life, which sessions outlive a request by
	stop     context.CancelFunc
	work     sync.WaitGroup

	doors     doors      // to stateless links; passed before mu
	mu        sync.Mutex // guards the maps
	stateless map[place]*shared
	staying   map[place]int // agents on stdio that work at a place of their own
	listeners map[*listener]struct{}
	eras      map[*upstream.Server]era
	told      chan struct{} // has a value when there is a new policy that sweep does not know
}

// New makes a proxy that refuses everything until SetPolicy is called. ctx bounds its life; Close ends it.
func New(ctx context.Context, c Config) (*Proxy, error) {
	if c.Identity == nil || c.Journal == nil || c.Catalog == nil || c.Clock == nil || c.Random == nil {
		return nil, errors.New("making a proxy: identity, journal, catalog, clock and randomness are required")
	}
	seals, err := newSealer(c.Random, c.SealKey)
	if err != nil {
		return nil, fmt.Errorf("making a proxy: %w", err)
	}
	if c.Rounds == nil {
		if c.Rounds, err = OpenRounds(nil); err != nil {
			return nil, err
		}
	}
	if c.Owners == nil {
		if c.Owners, err = OpenOwners(nil, false); err != nil {
			return nil, err
		}
	}
	p := &Proxy{
		Config: c, stateless: map[place]*shared{}, staying: map[place]int{}, doors: doors{open: map[place]*door{}}, listeners: map[*listener]struct{}{},
		eras: map[*upstream.Server]era{}, told: make(chan struct{}, 1),
		rooms: rooms{all: map[string]*room{}}, seals: seals, started: c.Clock(), grace: grace{strays: map[string]*stray{}},
		sessions: sessions{live: map[*session]struct{}{}, byID: map[string]*session{}, perAgent: map[string]int{}, children: map[string]int{}, backlogs: map[string]*backlog{}},
	}
	p.ctx, p.stop = context.WithCancel(ctx)
	p.policy.Store(&Policy{Limits: wire.DefaultLimits})
	p.spawn(p.sweep)
	return p, nil
}

// Close ends all sessions and waits for them. Transports are to be closed before.
func (p *Proxy) Close() {
	p.stop()
	p.sessions.each(func(s *session) { s.end() })
	p.mu.Lock()
	links := p.stateless
	p.stateless = map[place]*shared{}
	p.mu.Unlock()
	for _, s := range links {
		closeLink(p.ctx, s.link)
	}
	p.work.Wait()
}

// SetPolicy puts another state of the configuration in force: from the next message on, in open sessions too. Sessions
// and streams that it grants no way end; the others are told that their lists may have changed.
func (p *Proxy) SetPolicy(next *Policy) {
	old := p.policy.Swap(next)
	if old.Revision != "" && old.Revision != next.Revision {
		p.grace.replaced(old, p.Clock())
	}
	p.sessions.each(func(s *session) { s.follow(next) })
	select {
	case p.told <- struct{}{}:
	default:
	}
	p.dropShared(next)
	p.eachListener(func(l *listener) { l.recheck(next) })
	if old.Revision != "" && old.Revision != next.Revision {
		p.TellChanged()
	}
}

// Expel ends what is used with keys that do not count any more: sessions, and streams that nobody asks about again. revoked
// tells which of these keys have not just expired.
func (p *Proxy) Expel(void, revoked func(key string) bool) {
	p.sessions.each(func(s *session) { s.expel(void, revoked) })
	p.eachListener(func(l *listener) {
		if l.key != "" && void(l.key) {
			l.cancel()
		}
	})
}

var _ ingress.Handler = (*Proxy)(nil)
