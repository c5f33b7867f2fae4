package pin

import (
	"errors"
	"fmt"
)

// Errors of Accept.
var (
	ErrUnknown = errors.New("no such definition is kept")
	ErrSettled = errors.New("it does not wait for anybody")
	ErrMoved   = errors.New("it is another definition by now; look at it again")
)

// Wish is a definition that an operator agrees to.
type Wish struct {
	ID     ID
	Digest string // of its bytes, as [Digest.String] writes it
}

// Accept pins definitions, all of them or none: those that wait, or where the digest is that of the pinned bytes those,
// so that the ones that wait are rejected. Shadowing is agreed to with it. The caller puts on record who did it and why,
// and with that record it becomes durable.
func (b *Book) Accept(upstream string, wishes []Wish) error {
	if b.assumed {
		return ErrUnknown
	}
	now := b.clock().Unix()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.shelves[upstream]
	next := make([]*Item, len(wishes))
	for i, w := range wishes {
		it, err := s.agree(w, now)
		if err != nil {
			return fmt.Errorf("%s: %w", w.ID, err)
		}
		next[i] = it
	}
	for _, it := range next {
		b.put(upstream, s, it)
	}
	return nil
}

func (s *shelf) agree(w Wish, now int64) (*Item, error) {
	if s == nil {
		return nil, ErrUnknown
	}
	was := s.items[slotOf(w.ID)]
	switch {
	case was == nil || was.damaged:
		return nil, ErrUnknown
	case was.Condition() == Pinned:
		return nil, ErrSettled
	}
	next := *was
	switch {
	case Sum(was.Waiting()).String() == w.Digest:
		next.Pinned = was.Waiting()
	case was.Pinned != nil && was.digest.String() == w.Digest:
	default:
		return nil, ErrMoved
	}
	next.Seen, next.Shadows, next.Times, next.Changed, next.By, next.Since = nil, "", 0, 0, "", now
	return &next, nil
}
