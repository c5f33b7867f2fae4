package mcpproxy

import "context"

// A session is bound to an agent, and not to the key that it was opened with: an agent changes its key and goes on. Every
// message is verified with the key that it comes with. What lasts longer than a message, the session and the streams that
// carry it, ends when the key that it is used with does not count any more.

// carrier is an HTTP request that carries a stream of a session for as long as the client listens.
type carrier struct {
	key  string
	stop context.CancelFunc
}

// usedWith notes the key that a message of the session came with.
func (s *session) usedWith(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = key
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
// that do not. The client that has a newer one opens them again.
func (s *session) expel(void func(key string) bool) {
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
	for _, c := range open {
		if c.key != "" && void(c.key) {
			c.stop()
		}
	}
}
