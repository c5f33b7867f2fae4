package ingress

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Parts of the descriptors that a process may have. What connections leave is for files, programs and servers.
const (
	crowdPart    = 4    // three of so many parts are for connections
	agentPart    = 8    // one of so many is for those of one agent
	strangerPart = 8    // likewise for those on which nobody is known yet
	maxStrangers = 4096 // however many descriptors there are: these take memory too
	hostPart     = 2    // of the strangers' part, for those of one address
	leastPart    = 4    // connections that any part has
)

// crowd bounds the connections of a listener, so that nobody takes all descriptors of the process. A peer is a stranger
// until a request on its connection is an agent's. One stranger too many pushes out the one that came first, of its own
// address where that has more than its part: whoever has a key need not wait until those who have none are tired of it.
type crowd struct {
	most, strangers, host, agent int

	mu      sync.Mutex // guards what follows
	open    int
	waiting *list.List // seats of strangers, oldest first
	hosts   map[netip.Prefix]int
	agents  map[string]int
}

// seat is the place of one connection.
type seat struct {
	crowd *crowd
	nc    net.Conn
	host  netip.Prefix
	known atomic.Bool

	at    *list.Element // in waiting; nil for an agent's. It is guarded by the crowd, as what follows
	agent string
	left  bool
}

// newCrowd returns the crowd of a process that may have so many descriptors.
func newCrowd(descriptors int) *crowd {
	strangers := min(max(descriptors/strangerPart, leastPart), maxStrangers)
	return &crowd{
		most: max(descriptors-descriptors/crowdPart, leastPart), strangers: strangers, host: max(strangers/hostPart, 1),
		agent: max(descriptors/agentPart, leastPart), waiting: list.New(), hosts: map[netip.Prefix]int{}, agents: map[string]int{},
	}
}

// enter gives a connection a place. It closes the one that has to make room, and returns nil where none can.
func (c *crowd) enter(nc net.Conn) (s *seat, pushed bool) {
	s = &seat{crowd: c, nc: nc, host: hostOf(nc.RemoteAddr())}
	c.mu.Lock()
	var out *seat
	switch {
	case c.hosts[s.host] >= c.host:
		out = c.oldest(s.host)
	case c.waiting.Len() >= c.strangers, c.open >= c.most:
		out = c.oldest(netip.Prefix{})
	}
	if out == nil && c.open >= c.most {
		c.mu.Unlock()
		return nil, false
	}
	if out != nil {
		c.leave(out)
	}
	c.open++
	c.hosts[s.host]++
	s.at = c.waiting.PushBack(s)
	c.mu.Unlock()
	if out != nil {
		out.cut()
	}
	return s, out != nil
}

// makeRoom closes the connection of the oldest stranger.
func (c *crowd) makeRoom() {
	c.mu.Lock()
	out := c.oldest(netip.Prefix{})
	if out != nil {
		c.leave(out)
	}
	c.mu.Unlock()
	if out != nil {
		out.cut()
	}
}

// oldest returns the first stranger of an address, or of all. The mutex is held.
func (c *crowd) oldest(host netip.Prefix) *seat {
	for e := c.waiting.Front(); e != nil; e = e.Next() {
		if s, _ := e.Value.(*seat); !host.IsValid() || s.host == host {
			return s
		}
	}
	return nil
}

// leave gives a place up, once. The mutex is held.
func (c *crowd) leave(s *seat) {
	if s.left {
		return
	}
	s.left = true
	c.open--
	if s.at != nil {
		c.rise(s)
	}
	if s.agent != "" {
		less(c.agents, s.agent)
	}
}

// rise takes a seat out of those of strangers. The mutex is held.
func (c *crowd) rise(s *seat) {
	c.waiting.Remove(s.at)
	s.at = nil
	less(c.hosts, s.host)
}

func less[K comparable](m map[K]int, k K) {
	if m[k]--; m[k] <= 0 {
		delete(m, k)
	}
}

// leave gives the place up. It may be called again.
func (s *seat) leave() {
	s.crowd.mu.Lock()
	defer s.crowd.mu.Unlock()
	s.crowd.leave(s)
}

// claim says that an agent speaks on the connection. It reports false where the agent has too many. Where several speak,
// as behind a proxy, the connection counts as the first one's.
func (s *seat) claim(agent string) bool {
	if s.known.Load() {
		return true
	}
	c := s.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case s.left, s.at == nil:
		return true // it is closed already, or was claimed meanwhile
	case c.agents[agent] >= c.agent:
		return false
	}
	c.rise(s)
	c.agents[agent]++
	s.agent = agent
	s.known.Store(true)
	return true
}

// cut closes the connection without a farewell, for which one of TLS would wait.
func (s *seat) cut() {
	nc := s.nc
	if secure, ok := nc.(*tls.Conn); ok {
		nc = secure.NetConn()
	}
	_ = nc.Close() // whoever drives it sees to the rest
}

// hostOf returns the address that a peer is counted under: of IPv6 the network, in which one peer has all addresses.
func hostOf(a net.Addr) netip.Prefix {
	at, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := at.AddrPort().Addr().Unmap()
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	p, _ := ip.WithZone("").Prefix(bits) // an address that is none has no prefix
	return p
}

// seatKey is where the context of a request has the seat of its connection.
type seatKey struct{}

// claim says whose connection a request came on; false where it is one too many.
func claim(ctx context.Context, agent string) bool {
	s, ok := ctx.Value(seatKey{}).(*seat)
	return !ok || s.claim(agent)
}
