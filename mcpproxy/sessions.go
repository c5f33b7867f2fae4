package mcpproxy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"sync"
	"time"
)

// sessions are the sessions of all agents.
type sessions struct {
	mu       sync.RWMutex // guards all
	live     map[*session]struct{}
	byID     map[string]*session // those not on stdio
	perAgent map[string]int      // how many each agent has, on stdio too
	children map[string]int      // how many of those in byID have a process or a connection of their own
	backlogs map[string]*backlog // what is kept for clients that may come back; as many as there are agents
}

// enter makes the session of a process known; false where its agent has too many.
func (t *sessions) enter(s *session) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.perAgent[s.agent] >= maxSessions {
		return false
	}
	t.live[s] = struct{}{}
	t.perAgent[s.agent]++
	return true
}

// add gives a session its id; false where its agent has too many.
func (t *sessions) add(s *session, random io.Reader) (bool, error) {
	var b [20]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return false, fmt.Errorf("drawing a session id: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	child := s.server != nil && !s.server.Remote()
	if t.perAgent[s.agent] >= maxSessions || child && t.children[s.agent] >= maxChildren {
		return false, nil
	}
	if s.child = child; child {
		t.children[s.agent]++
	}
	s.id = hex.EncodeToString(b[:])
	sum := sha256.Sum256([]byte(s.id))
	s.digest = hex.EncodeToString(sum[:8])
	t.live[s], t.byID[s.id] = struct{}{}, s
	t.perAgent[s.agent]++
	return true, nil
}

func (t *sessions) get(id string) *session {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byID[id]
}

func (t *sessions) drop(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.live[s]; !known {
		return
	}
	delete(t.live, s)
	delete(t.byID, s.id) // which on stdio is nobody's
	if t.perAgent[s.agent]--; t.perAgent[s.agent] == 0 {
		delete(t.perAgent, s.agent)
	}
	if !s.child {
		return
	}
	if t.children[s.agent]--; t.children[s.agent] == 0 {
		delete(t.children, s.agent)
	}
}

// rolls are memory for the sessions that each goes through. It does so every second, and what it allocated would look
// like work to whoever gives memory back at rest.
var rolls = sync.Pool{New: func() any { return new([]*session) }}

// each calls f for each session, without the lock.
func (t *sessions) each(f func(*session)) {
	roll, _ := rolls.Get().(*[]*session)
	all := (*roll)[:0]
	t.mu.RLock()
	for s := range t.live {
		all = append(all, s)
	}
	t.mu.RUnlock()
	for _, s := range all {
		f(s)
	}
	clear(all)
	*roll = all
	rolls.Put(roll)
}

// sweep ends sessions that nobody uses.
func (p *Proxy) sweep() {
	for {
		idle, long := p.policy.Load().lifetimes()
		tick := time.NewTimer(max(min(sweepEvery, idle, long), time.Second))
		select {
		case <-p.ctx.Done():
			tick.Stop()
			return
		case <-p.told:
			tick.Stop()
		case <-tick.C:
			now := p.Clock()
			p.Rounds.forget(now)
			p.Owners.forget(now)
			p.grace.forget(now)
			p.sessions.each(func(s *session) {
				if s.idle(now) {
					s.end()
				} else {
					s.rest()
				}
			})
		}
	}
}

// lifetimes returns how long a session lasts that nobody uses, and how long any does.
func (p *Policy) lifetimes() (idle, long time.Duration) {
	idle, long = p.IdleSession, p.LongSession
	if idle <= 0 {
		idle = idleSession
	}
	if long <= 0 {
		long = longSession
	}
	return idle, long
}
