package mcpproxy

import (
	"context"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// A session is bound to an agent, and not to the key that it was opened with: an agent changes its key and goes on. Every
// message is verified with the key that it comes with. What lasts longer than a message, the session and the streams that
// carry it, ends when the key that it is used with does not count any more. A key that is revoked may be in other hands, so
// it takes with it whatever hangs on it. One that expires, as it does where it was rotated, does not end the stream that is
// a whole session: its agent has shown there a newer one.

// carrier is an HTTP request that carries a stream of a session for as long as the client listens.
type carrier struct {
	key  string
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

// carry notes that a stream of the session hangs on a key. What it returns ends with the key; leave forgets it.
func (s *session) carry(ctx context.Context, key string) (life context.Context, leave func()) {
	life, stop := context.WithCancel(ctx)
	c := &carrier{key, stop}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carriers[c] = struct{}{}
	return life, func() {
		stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.carriers, c)
	}
}

// expel ends the session, where the key does not count any more that it was last used with, and else the streams of keys
// that do not: the client that has a newer one opens them again. One that is the whole session cannot be opened again, and
// ends with a key that is revoked.
func (s *session) expel(void, revoked func(key string) bool) {
	s.mu.Lock()
	key := s.key
	open := make([]*carrier, 0, len(s.carriers))
	for c := range s.carriers {
		open = append(open, c)
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
