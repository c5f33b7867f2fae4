package policy

import (
	"errors"
	"strings"
)

// Pattern is a name, or names with * for any run of characters, the empty one included. It compares bytes: no case is
// folded, nothing is trimmed. The zero Pattern matches nothing.
type Pattern struct {
	Text string
	At   Pos
}

// UnmarshalText reads a pattern. It refuses the empty text and characters that cannot be seen.
func (p *Pattern) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("a pattern is empty")
	}
	for _, c := range text {
		if c < 0x20 || c == 0x7f {
			return errors.New("a pattern holds a control character")
		}
	}
	p.Text = string(text)
	return nil
}

// MarshalText writes the pattern as it was read.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.Text), nil }

// Match reports whether a name fits. It takes time linear in the name for each star.
func (p Pattern) Match(name string) bool {
	head, rest, star := strings.Cut(p.Text, "*")
	if !star {
		return p.Text != "" && p.Text == name
	}
	if !strings.HasPrefix(name, head) {
		return false
	}
	name = name[len(head):]
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(name, part)
		}
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(part):], after
	}
}
