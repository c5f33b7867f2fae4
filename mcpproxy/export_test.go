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
