package configs

import "fmt"

// redacted is what every way of showing a Secret shows.
const redacted = "«secret»"

// Secret is a text that cannot be printed, logged or marshalled: whatever tries gets «secret». [Secret.Reveal] returns it.
// The zero Secret is the empty text.
type Secret struct {
	// A pointer, because fmt shows the unexported fields of what holds a Secret without asking its methods, and of a
	// pointer inside it shows the address.
	value   *string
	literal bool // written in the file itself, without a reference
}

// Reveal returns the text. What it returns must go where it belongs and nowhere else.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// String hides the text.
func (Secret) String() string { return redacted }

// GoString hides the text.
func (Secret) GoString() string { return redacted }

// Format hides the text from every verb.
func (Secret) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte(redacted)) // a fmt.State keeps its own errors
}

// MarshalText hides the text, from YAML and encoders that ask for text.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON hides the text, from JSON and from zerolog.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
