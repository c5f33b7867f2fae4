package mcpproxy

import (
	"sync"
	"sync/atomic"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// What one agent may take of the memory, however many connections and sessions it has, so that no agent takes it from the
// others. One message always has room, whatever its size.
const (
	underWay   = 16       // messages of the largest size that are dealt with at once
	unread     = 32       // answers of the largest size that it has not taken yet
	leastFrame = 4 << 20  // bytes that the largest size counts as, at least
	keptBytes  = 16 << 20 // of what sessions keep of its messages; what they keep for clients that come back is apart
	smallFrame = 16 << 10 // bytes of an answer that does not count: the call that it answers has counted as much
	tokenBytes = 64       // that a token counts as which is kept
)

// rooms are the rooms of all agents: as many as have ever been let in, and each is declared.
type rooms struct {
	mu  sync.RWMutex // guards all
	all map[string]*room
}

// room is what one agent takes, in bytes.
type room struct{ messages, answers, kept gauge }

// of returns the room of an agent.
func (r *rooms) of(agent string) *room {
	r.mu.RLock()
	mine := r.all[agent]
	r.mu.RUnlock()
	if mine != nil {
		return mine
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all[agent] == nil {
		r.all[agent] = new(room)
	}
	return r.all[agent]
}

// gauge counts bytes. The zero gauge is ready, and may be used by many goroutines.
type gauge struct{ used atomic.Int64 }

// take counts n bytes for somebody who has mine already, unless with those of others that would be more than most.
func (g *gauge) take(n, mine, most int) bool {
	for {
		used := g.used.Load()
		if used > int64(mine) && used+int64(n) > int64(most) {
			return false
		}
		if g.used.CompareAndSwap(used, used+int64(n)) {
			return true
		}
	}
}

func (g *gauge) give(n int) { g.used.Add(-int64(n)) }

// largest is the size of a message by which the rooms are measured.
func (p *Proxy) largest() int { return max(p.policy.Load().Limits.Frame, leastFrame) }

// Hold counts what a message takes; see [ingress.Guest].
func (g *guest) Hold(n, mine int) bool {
	return g.room.messages.take(n, mine, underWay*g.p.largest())
}

// Free ends what Hold began.
func (g *guest) Free(n int) { g.room.messages.give(n) }

// holdAnswer counts an answer until the agent has taken it. It reports false where too many wait for that.
func (x *exchange) holdAnswer(n int) bool {
	if n <= smallFrame {
		return true
	}
	if !x.g.room.answers.take(n, 0, unread*x.g.p.largest()) {
		return false
	}
	x.holds = n
	return true
}

// freeAnswer ends what holdAnswer began; a batch keeps the answers to its members until it has been answered itself.
func (x *exchange) freeAnswer(reply ingress.Reply) {
	if x.holds == 0 {
		return
	}
	if p, ok := reply.(*part); ok {
		p.holds = x.holds
	} else {
		x.g.room.answers.give(x.holds)
	}
	x.holds = 0
}

// keep makes the session keep at least n bytes of what its agent has sent; more, so many more. They report false where the
// agent's sessions keep as much as they may, and keep nothing more then. The mutex is held.
func (s *session) keep(n int) bool { return n <= s.kept || s.more(n-s.kept) }

func (s *session) more(n int) bool {
	if s.ended || n > 0 && !s.room.kept.take(n, -1, keptBytes) {
		return false
	}
	if n < 0 {
		s.room.kept.give(-n)
	}
	s.kept += n
	return true
}

// fits reports whether the session may keep n bytes more. The mutex is held.
func (s *session) fits(n int) bool {
	return s.room.kept.used.Load()+int64(n) <= keptBytes
}

// hasRoom reserves room for a message of the handshake, of n bytes, behind those that there are. One that comes again takes
// the place of the one before.
func (s *session) hasRoom(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state >= negotiated {
		n += len(s.hello)
	}
	return s.keep(n)
}
