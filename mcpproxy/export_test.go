package mcpproxy

import "io"

// ParseEventID and EventID are for the tests of what no stream shows.
var (
	ParseEventID = parseEventID
	EventID      = eventID
)

// Sealer returns the two halves of a sealer.
func Sealer(random io.Reader) (
	seal func(text []byte, bound ...string) ([]byte, error), open func(sealed []byte, bound ...string) ([]byte, bool), err error,
) {
	s, err := newSealer(random, nil)
	if err != nil {
		return nil, nil, err
	}
	seal = func(text []byte, bound ...string) ([]byte, error) {
		sealed, _, err := s.seal(text, purpose(bound...))
		return sealed, err
	}
	open = func(sealed []byte, bound ...string) ([]byte, bool) {
		text, _, ok := s.open(sealed, purpose(bound...))
		return text, ok
	}
	return seal, open, nil
}

// TestOnlyFill takes all that an agent has of the memory, but so many bytes of messages and of answers, and returns what gives
// it back.
func (p *Proxy) TestOnlyFill(agent string, messages, answers int) (empty func()) {
	r := p.rooms.of(agent)
	messages, answers = underWay*p.largest()-messages, unread*p.largest()-answers
	r.messages.take(messages, 0, messages)
	r.answers.take(answers, answers)
	return func() {
		r.messages.give(messages)
		r.answers.give(answers)
	}
}

// TestOnlyPushed leaves an agent room for so many bytes that servers send it by themselves, and returns what tells how many
// are taken.
func (p *Proxy) TestOnlyPushed(agent string, left int) (taken func() int) {
	g := &p.rooms.of(agent).pushed
	before := unread*p.largest() - left
	g.take(before, 0, before)
	return func() int { return int(g.used.Load()) - before }
}

// TestOnlyUnread returns what the answers of an agent count as.
func (p *Proxy) TestOnlyUnread(agent string) int {
	q := &p.rooms.of(agent).answers
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.used
}
