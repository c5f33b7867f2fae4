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

// TestOnlyFill takes all that an agent has of the memory but so many bytes, and returns what gives it back.
func (p *Proxy) TestOnlyFill(agent string, left int) (empty func()) {
	r := p.rooms.of(agent)
	messages, answers, kept := underWay*p.largest()-left, unread*p.largest()-left, keptBytes-left
	r.messages.take(messages, 0, messages)
	r.answers.take(answers, 0, answers)
	r.kept.take(kept, 0, kept)
	return func() {
		r.messages.give(messages)
		r.answers.give(answers)
		r.kept.give(kept)
	}
}
