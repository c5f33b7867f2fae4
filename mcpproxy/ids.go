package mcpproxy

import (
	"crypto/sha256"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// A session knows what is under way by ids and progress tokens: the agent's calls, and the requests of its server that the
// agent has to answer.

// question is a server's request that an agent has to answer.
type question struct {
	method string
	token  idKey // under which the agent may report progress; zero for none
	task   bool  // the agent may go on after it has answered
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
