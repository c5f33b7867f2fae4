package quota

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// Pointer names a value inside JSON (RFC 6901).
type Pointer struct {
	Text  string
	steps []string
	At    policy.Pos
}

// UnmarshalText reads a pointer that is not empty, like /usage/cost.
func (p *Pointer) UnmarshalText(b []byte) error {
	text := string(b)
	if !strings.HasPrefix(text, "/") {
		return hinted{fmt.Sprintf("%q is not a JSON pointer", b), "write the names on the way to the value, each after a slash: /usage/cost"}
	}
	steps := strings.Split(text[1:], "/")
	for i, s := range steps {
		if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(s), "~") {
			return hinted{fmt.Sprintf("%q has a ~ that is not ~0 or ~1", b), "write ~0 for ~ and ~1 for / in a name"}
		}
		steps[i] = strings.ReplaceAll(strings.ReplaceAll(s, "~1", "/"), "~0", "~")
	}
	p.Text, p.steps = text, steps
	return nil
}

// SchemaPattern is the form of a pointer.
func (*Pointer) SchemaPattern() string { return "^(/([^/~]|~[01])*)+$" }

// SchemaTitle says what messages call a value.
func (*Pointer) SchemaTitle() string { return "a JSON pointer" }

// find returns the raw value that the pointer names in JSON that [wire.Parse] has accepted, or nil.
func (p *Pointer) find(raw []byte) []byte {
	for _, step := range p.steps {
		switch {
		case len(raw) == 0:
			return nil
		case raw[0] == '[':
			raw = element(raw, step)
		default:
			e, _ := wire.Lookup(raw, step)
			raw = e.Value
		}
	}
	return raw
}

// element returns an element of an array by its index, or nil.
func element(array []byte, index string) []byte {
	n, err := strconv.Atoi(index)
	if err != nil || strconv.Itoa(n) != index {
		return nil
	}
	i := 0
	for _, raw := range wire.Elements(array) {
		if i == n {
			return raw
		}
		i++
	}
	return nil
}

// decimal reads a raw JSON number, or a string that is one, as billionths.
func decimal(raw []byte) (int64, bool) {
	if text, ok := wire.Unquote(raw); ok {
		raw = text
	}
	n, err := parseNanos(string(raw))
	return n, err == nil
}
