package toolscope

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// maxValues bounds the values that are decoded for one condition. It could not look at more within its cost limit.
const maxValues = maxCost

// Why arguments cannot be judged. The texts go on record.
var (
	errNoObject  = errors.New("the arguments are not an object")
	errInteger   = errors.New("an argument holds an integer beyond 64 bits")
	errNumber    = errors.New("an argument holds a number that no double can hold")
	errSurrogate = errors.New("an argument holds half of a surrogate pair")
	errValues    = errors.New("an argument holds too many values for a condition")
)

// arguments decodes the members of raw arguments that are wanted, nil for all. Absent arguments, and null, have no
// members. Integers become int64, other numbers float64; nothing is rounded to fit or replaced.
func arguments(raw []byte, want []string) (map[string]any, error) {
	args := map[string]any{}
	switch {
	case raw == nil || string(raw) == "null":
		return args, nil
	case raw[0] != '{':
		return nil, errNoObject
	}
	d := decoder{left: maxValues}
	for e := range wire.Entries(raw) {
		name, ok := wire.Unquote(e.Name)
		if want != nil && !slices.Contains(want, string(name)) {
			continue
		}
		if !ok {
			return nil, errSurrogate
		}
		v, err := d.value(e.Value)
		if err != nil {
			return nil, err
		}
		args[string(name)] = v
	}
	return args, nil
}

// decoder makes values for CEL out of raw JSON. It recurses as deep as the value is nested, which wire bounds.
type decoder struct{ left int }

func (d *decoder) value(raw []byte) (any, error) {
	if d.left--; d.left < 0 {
		return nil, errValues
	}
	switch raw[0] {
	case '"':
		text, ok := wire.Unquote(raw)
		if !ok {
			return nil, errSurrogate
		}
		return string(text), nil
	case '{':
		return d.object(raw)
	case '[':
		return d.array(raw)
	case 't':
		return true, nil
	case 'f':
		return false, nil
	case 'n':
		return types.NullValue, nil
	default:
		return number(string(raw))
	}
}

func (d *decoder) object(raw []byte) (any, error) {
	m := map[string]any{}
	for e := range wire.Entries(raw) {
		name, ok := wire.Unquote(e.Name)
		if !ok {
			return nil, errSurrogate
		}
		v, err := d.value(e.Value)
		if err != nil {
			return nil, err
		}
		m[string(name)] = v
	}
	return m, nil
}

func (d *decoder) array(raw []byte) (any, error) {
	list := []any{}
	for _, e := range wire.Elements(raw) {
		v, err := d.value(e)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func number(raw string) (any, error) {
	if !strings.ContainsAny(raw, ".eE") {
		n, err := strconv.ParseInt(raw, 10, 64)
		if err != nil {
			return nil, errInteger
		}
		return n, nil
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil {
		return nil, errNumber
	}
	return f, nil
}
