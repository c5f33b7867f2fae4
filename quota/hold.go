package quota

import (
	"context"
	"errors"
	"fmt"

	"github.com/hopgate/hopgate/policy"
)

// taken is what a call has taken from one limit.
type taken struct {
	*limit
	n  int64
	id int64 // of the window that it is of
}

// hold is what one call has taken from the limits of one gate. It is used again when it is settled, so that a call makes
// no garbage; policy calls a Settle once.
type hold struct {
	book   *Book
	of     settler
	gate   string
	now    int64 // of the call, or of its last round
	agent  string
	first  policy.Ref // of the call; the same in all rounds
	rounds bool       // the call may go on in further rounds
	begun  bool       // a round of the call was sent
	units  int64      // that the call may cost at most
	fixed  int64      // of units: what is known before the call is sent
	told   int64      // what the upstream has reported in earlier rounds
	price  *price
	taken  []taken
	events []Event
	settle policy.Settle
}

// settler is a gate that reserves.
type settler interface {
	// actual returns how many units a call that was sent has cost. Where nobody knows, that is all of them. more says that
	// another round will tell, because the call goes on.
	actual(h *hold, o *policy.Outcome, r *policy.Report) (units int64, more bool)
}

// begin returns an empty hold for a call.
func (b *Book) begin(c *policy.Call, gate string, of settler) (*hold, error) {
	if b.fault != nil {
		return nil, b.fault
	}
	now, err := instant(c)
	if err != nil {
		return nil, err
	}
	h, ok := b.holds.Get().(*hold)
	if !ok {
		h = &hold{book: b}
		h.settle = h.end
	}
	h.of, h.gate, h.now, h.agent, h.first = of, gate, now, c.Agent.Name, c.Ref
	return h, nil
}

// drop gives an empty hold back for others.
func (h *hold) drop() {
	*h = hold{book: h.book, taken: h.taken[:0], events: h.events[:0], settle: h.settle}
	h.book.holds.Put(h)
}

// want adds limits to take from.
func (h *hold) want(limits []*limit) {
	for _, l := range limits {
		h.taken = append(h.taken, taken{limit: l})
	}
}

// refusal is a limit that has no room.
type refusal struct {
	*limit
	wait int64
}

// reserve takes from all limits that the hold wants, or from none. Where nobody acts on refusals it takes all the same, so
// that usage tells what would have been too much; but no rate goes into debt.
func (h *hold) reserve(c *policy.Call) policy.Verdict {
	b := h.book
	if c.Trace != nil {
		return h.look(c)
	}
	b.mu.Lock()
	for i := range h.taken {
		h.taken[i].advance(h.now)
	}
	refused := h.full()
	passes := refused == nil || c.Connection.Observes(h.gate)
	if passes {
		h.take()
	}
	for i := range refused {
		h.exhausted(&refused[i])
	}
	b.mu.Unlock()
	b.announce(h.events)
	h.events = h.events[:0]
	v := policy.Pass
	if refused != nil {
		v = verdict(refused)
	}
	switch {
	case !passes:
		h.drop()
		return v
	case h.price != nil:
		v.Facts = policy.Facts{Reserved: h.units, Currency: string(h.price.currency)}
	}
	if h.binds() {
		v.Settle = h.settle
	} else {
		h.drop()
	}
	return v
}

// look judges a call that explain makes up, at whatever time. It takes nothing and turns no window.
func (h *hold) look(c *policy.Call) policy.Verdict {
	h.book.mu.Lock()
	refused := h.full()
	steps := h.describe()
	h.book.mu.Unlock()
	h.drop()
	for _, s := range steps {
		c.Passed(s.Check, s.At, s.Detail)
	}
	return verdict(refused)
}

// full returns the limits without room. The mutex is held.
func (h *hold) full() (refused []refusal) {
	for i := range h.taken {
		t := &h.taken[i]
		t.n = t.amount(h.units)
		if wait, ok := t.room(h.now, t.n); !ok {
			refused = append(refused, refusal{t.limit, wait})
		}
	}
	return refused
}

// take takes. The mutex is held.
func (h *hold) take() {
	for i := range h.taken {
		t := &h.taken[i]
		t.n = min(t.n, t.most())
		t.id = t.take(h.now, t.n)
		h.book.touch(t.account())
	}
}

// binds reports whether there is anything to settle.
func (h *hold) binds() bool {
	if h.price != nil {
		return true
	}
	for i := range h.taken {
		if h.taken[i].kind != KindRate {
			return true
		}
	}
	return false
}

// describe says of each limit with room what is left, for explain. The mutex is held.
func (h *hold) describe() (steps []policy.Step) {
	for i := range h.taken {
		t := &h.taken[i]
		if _, ok := t.room(h.now, t.n); ok {
			steps = append(steps, policy.Step{
				Check: t.kind.String(), At: t.at, Detail: fmt.Sprintf("%s, %s left", t.limit, t.format(t.left(h.now))),
			})
		}
	}
	return steps
}

// end settles a hold; see [policy.Settle].
func (h *hold) end(_ context.Context, o *policy.Outcome, r *policy.Report) error {
	if h.of == nil {
		return errors.New("a reservation was settled twice")
	}
	sent := r != nil && !r.Unsent
	keep, more := int64(0), h.begun // a retry that was not sent may come again
	if sent {
		keep, more = h.of.actual(h, o, r)
		keep, h.begun = min(max(keep, 0), h.units), true
	}
	b := h.book
	b.mu.Lock()
	if more {
		o.Facts.Currency = "" // nothing is charged yet, and what is reserved is on record
		events := b.wait(h)
		b.mu.Unlock()
		b.announce(events)
		return nil
	}
	if h.price != nil {
		o.Facts.Charged, o.Facts.Currency = keep, string(h.price.currency)
	}
	if sent {
		h.keep(keep)
	} else {
		h.giveBack()
	}
	b.mu.Unlock()
	b.announce(h.events)
	h.drop()
	return nil
}

// keep settles a hold of which so many units were used. The mutex is held.
func (h *hold) keep(units int64) {
	for i := range h.taken {
		t := &h.taken[i]
		h.settleOne(t, min(t.amount(units), t.n))
	}
}

// giveBack settles a hold of which nothing was used. The mutex is held.
func (h *hold) giveBack() {
	for i := range h.taken {
		h.settleOne(&h.taken[i], 0)
	}
}

// settleOne settles what was taken from one limit. The mutex is held.
func (h *hold) settleOne(t *taken, keep int64) {
	if t.settle(t.id, t.n, keep) {
		h.book.touch(t.account())
	}
	h.crossed(t)
}
