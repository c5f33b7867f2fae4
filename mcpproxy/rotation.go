package mcpproxy

import (
	"context"
	"errors"
	"slices"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/policy"
)

// A session is bound to an agent, and not to the key that it was opened with: an agent changes its key and goes on. Every
// message is verified with the key that it comes with. What lasts longer than a message, the session and the streams that
// carry it, ends when the key that it is used with does not count any more. A key that is revoked may be in other hands, so
// it takes with it whatever hangs on it. One that expires, as it does where it was rotated, does not end the stream that is
// a whole session: its agent has shown there a newer one.

// carrier is an HTTP request that carries a stream of a session for as long as the client listens, or a connection.
type carrier struct {
	s    *session
	key  string          // that it hangs on; empty: none
	ctx  context.Context //nolint:containedctx // the carrier's life, which ends with the request, the key, or the session
	stop context.CancelFunc
}

// usedBy notes whose a message of the session is, and with which key it came.
func (s *session) usedBy(peer *ingress.Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = peer.Key
	if s.tied {
		s.speaker = peer
	}
}

// speakFor makes what the server says of its own accord be judged with the key that the session is used with, which need
// not be that of the opener of the stream.
func (in *inbound) speakFor(opener *ingress.Peer) {
	in.session.mu.Lock()
	defer in.session.mu.Unlock()
	if in.peer = in.session.speaker; in.peer == nil {
		in.peer = opener
	}
	in.origin.Key = in.peer.Key
}

// carry notes that a stream of the session hangs on a key. The carrier is to be left.
func (s *session) carry(ctx context.Context, key string) *carrier {
	c := &carrier{s: s, key: key}
	c.ctx, c.stop = context.WithCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		c.stop()
	}
	s.carriers = append(s.carriers, c)
	return c
}

// leave ends the carrier.
func (c *carrier) leave() {
	c.stop()
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.carriers, c); i >= 0 {
		s.carriers = slices.Delete(s.carriers, i, i+1)
	}
}

// expel ends the session, where the key does not count any more that it was last used with, and else the streams of keys
// that do not: the client that has a newer one opens them again. One that is the whole session cannot be opened again, and
// ends with a key that is revoked. This is asked every second, and allocates nothing for a session whose streams hang on
// its own key.
func (s *session) expel(void, revoked func(key string) bool) {
	s.mu.Lock()
	key := s.key
	var open []*carrier
	for _, c := range s.carriers {
		if c.key != key {
			open = append(open, c)
		}
	}
	s.mu.Unlock()
	if key != "" && void(key) {
		s.end()
		return
	}
	ends := void
	if s.tied {
		ends = revoked
	}
	for _, c := range open {
		if c.key != "" && ends(c.key) {
			c.stop()
		}
	}
}

// owner is who the agent of a message is by now.
func (x *exchange) owner() (a *policy.Agent, cause string, fault error) {
	a, _, cause, fault = x.g.p.identify(x.g.p.policy.Load(), x.g.peer)
	return a, cause, fault
}

// interrupted is disowned for a message whose judgement the end of its session has broken off.
func (x *exchange) interrupted() {
	if errors.Is(x.out.Fault, errEnded) || errors.Is(x.out.Fault, context.Canceled) {
		x.disowned()
	}
}

// disowned makes nobody's credential the reason why a message is refused for want of a session, where the session has gone
// with the key: told to begin anew, the agent would try a key again that does not count any more.
func (x *exchange) disowned() {
	switch a, cause, fault := x.owner(); {
	case fault != nil:
		x.withhold(faulty("identity", fault))
	case a == nil:
		x.withhold(policy.Denied("identity", policy.ReasonNobody, cause))
	}
}
