package mcpproxy

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// What one agent may take of the memory, however many connections and sessions it has, so that no agent takes it from the
// others. One message always has room, whatever its size.
const (
	underWay   = 16        // messages of the largest size that are dealt with at once
	unread     = 16        // answers of the largest size that it has not taken yet, and as much of what servers say beside them
	leastFrame = 4 << 20   // bytes that the largest size counts as, at least
	keptBytes  = 16 << 20  // of what sessions keep of its messages; what they keep for clients that come back is apart
	overdraft  = 2         // times unread, of answers that have come already
	heavyFrame = 256 << 10 // bytes of a message that is judged beside few others of its agent: detectors take many times its size
	judgedOnce = 4 << 20   // bytes of these for each processor
	tokenBytes = 64        // that a token counts as which is kept
)

// rooms are the rooms of all agents: as many as have ever been let in, and each is declared.
type rooms struct {
	mu  sync.RWMutex // guards all
	all map[string]*room
}

// room is what one agent takes, in bytes.
type room struct {
	messages, kept, pushed gauge
	answers, heavy         queue
}

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

// holds is what the answer to a call counts as. It implements [upstream.Room].
type holds struct {
	p     *Proxy
	room  *room
	n     int
	alone bool // nobody gives anything back while it waits: the others of a batch wait for each other
}

// Hold has room for n bytes, and for none that it had room for before: who waits holds nothing that another waits for.
func (h *holds) Hold(ctx context.Context, n int) error {
	h.room.answers.give(h.n)
	h.n = 0
	switch most := unread * h.p.largest(); {
	case n == 0:
	case h.alone:
		if !h.room.answers.take(n, most) {
			return upstream.ErrNoRoom
		}
	default:
		if err := h.room.answers.wait(ctx, n, most); err != nil {
			return err
		}
	}
	h.n = n
	return nil
}

// came makes the answer count as what it has come to. It reports false where there is no room for one that has come without
// being asked for room: that of a connection that carries other answers too, which would have to wait with it.
func (h *holds) came(n int) bool {
	switch {
	case h.n > n:
		h.room.answers.give(h.n - n)
	case n <= upstream.SmallAnswer:
		return true
	case h.n < n && !h.room.answers.take(n-h.n, overdraft*unread*h.p.largest()):
		return false
	}
	h.n = n
	return true
}

// drop ends what the answer counts as; a batch keeps those to its members until it has been answered itself.
func (h *holds) drop(reply ingress.Reply) {
	if h.n == 0 {
		return
	}
	if p, ok := reply.(*part); ok {
		p.holds = h.n
	} else {
		h.room.answers.give(h.n)
	}
	h.n = 0
}

// hold counts a message that a server sends by itself until the agent has taken it. It reports false where it has left so much
// untaken that there is no room: then the message goes no further, because to wait would keep it as well.
func (t *transit) hold(n int) bool {
	if n <= upstream.SmallAnswer {
		return true
	}
	room := t.p.rooms.of(t.call.Agent.Name)
	if !room.pushed.take(n, 0, unread*t.p.largest()) {
		return false
	}
	t.drop = func() { room.pushed.give(n) }
	return true
}

// judge decides on the call, when there is room to judge a message of its size. Where ctx ends before, the call is refused,
// because the context of a decision has ended then.
func (x *exchange) judge(ctx context.Context) (send *policy.Call, out policy.Outcome, settle policy.Settle) {
	defer x.judging(ctx, len(x.frame.Raw))()
	return policy.Decide(ctx, &x.call)
}

// screen reviews the answer likewise.
func (x *exchange) screen(ctx context.Context, result *wire.Frame) (*wire.Frame, policy.Outcome) {
	defer x.judging(ctx, len(result.Raw))()
	return policy.Review(ctx, &x.call, result, x.out)
}

// judging waits until there is room to judge n bytes, and returns what gives that back.
func (x *exchange) judging(ctx context.Context, n int) (done func()) {
	if n < heavyFrame || x.g.room.heavy.wait(ctx, n, judgedOnce*runtime.GOMAXPROCS(0)) != nil {
		return nothing
	}
	return func() { x.g.room.heavy.give(n) }
}

func nothing() {}

// queue counts bytes for which others may wait. The zero queue is ready, and may be used by many goroutines.
type queue struct {
	mu    sync.Mutex // guards what follows
	used  int
	waits []*wait // in their order
}

// wait is somebody who waits for room.
type wait struct {
	n, most int
	has     chan struct{} // closed when there is room
}

func (q *queue) fits(n, most int) bool { return q.used == 0 || q.used+n <= most }

// take counts n bytes, unless there would be more than most.
func (q *queue) take(n, most int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.fits(n, most) {
		return false
	}
	q.used += n
	return true
}

// wait counts n bytes when nobody waits before, and there is room.
func (q *queue) wait(ctx context.Context, n, most int) error {
	q.mu.Lock()
	if len(q.waits) == 0 && q.fits(n, most) {
		q.used += n
		q.mu.Unlock()
		return nil
	}
	w := &wait{n: n, most: most, has: make(chan struct{})}
	q.waits = append(q.waits, w)
	q.mu.Unlock()
	select {
	case <-w.has:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waits, w); i >= 0 {
		q.waits = slices.Delete(q.waits, i, i+1)
	} else {
		q.used -= n
	}
	q.pass()
	return fmt.Errorf("%w: %w", upstream.ErrNoRoom, context.Cause(ctx))
}

// give ends what take or wait began.
func (q *queue) give(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.used -= n
	q.pass()
}

// pass lets those go who have room now. The mutex is held.
func (q *queue) pass() {
	for len(q.waits) > 0 && q.fits(q.waits[0].n, q.waits[0].most) {
		q.used += q.waits[0].n
		close(q.waits[0].has)
		q.waits = slices.Delete(q.waits, 0, 1)
	}
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
