package configs

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// The forms of what the language writes as text. They are anchored, and mean the same in Go and in JSON Schema.
var (
	nameForm     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$`)
	variableForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	tokenForm    = regexp.MustCompile("^[!#$%&'*+.^_`|~A-Za-z0-9-]{1,256}$") // RFC 9110 section 5.6.2
	durationForm = regexp.MustCompile(policy.DurationPattern)
	sizeForm     = regexp.MustCompile(`^[0-9]+(B|KiB|MiB|GiB)?$`)
	instantForm  = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$`)
	targetForm   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}/[^\n]+$`)
	numberForm   = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`) // RFC 8259 section 6
)

// text is a scalar that may hold references.
type text struct {
	Text string
	At   policy.Pos
}

// argument is a text that goes to a program as it is written, also where YAML would read it as a number or a boolean.
type argument text

// name is what the file calls an agent, an upstream, a connection or a task. It is safe as a segment of a URL's path.
type name string

func (n *name) UnmarshalText(b []byte) error {
	if !nameForm.Match(b) {
		return hinted{
			fmt.Sprintf("%q is not a name", b),
			"names are 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter, a digit or _",
		}
	}
	*n = name(b)
	return nil
}

func (name) SchemaPattern() string { return nameForm.String() }

// variableName is the name of an environment variable.
type variableName string

func (v *variableName) UnmarshalText(b []byte) error {
	if !variableForm.Match(b) {
		return fmt.Errorf("%q is not the name of a variable", b)
	}
	*v = variableName(b)
	return nil
}

func (variableName) SchemaPattern() string { return variableForm.String() }

// headerName is the name of an HTTP header field.
type headerName string

func (h *headerName) UnmarshalText(b []byte) error {
	if !tokenForm.Match(b) {
		return fmt.Errorf("%q is not the name of a header", b)
	}
	*h = headerName(b)
	return nil
}

func (headerName) SchemaPattern() string { return tokenForm.String() }

// word is a text without references that says something on its own: the name of a tool, or an expectation.
type word struct {
	Text string
	At   policy.Pos
}

func (w *word) UnmarshalText(b []byte) error {
	if len(b) == 0 || strings.ContainsFunc(string(b), func(c rune) bool { return c < 0x20 || c == 0x7f }) {
		return errors.New("a name is empty or holds a control character")
	}
	w.Text = string(b)
	return nil
}

// duration is a span of time in Go's notation, with d for 24 hours and w for 7 days.
type duration struct {
	time.Duration
	At policy.Pos
}

func (d *duration) UnmarshalText(b []byte) (err error) {
	d.Duration, err = ParseDuration(string(b))
	return err
}

func (duration) SchemaPattern() string { return durationForm.String() }
func (duration) SchemaTitle() string   { return "a duration" }

// ParseDuration is [policy.ParseDuration], whose errors tell the admin what to write.
func ParseDuration(s string) (time.Duration, error) {
	d, err := policy.ParseDuration(s)
	if err != nil {
		return 0, hinted{err.Error(), "write a number with a unit, e.g. 30s, 5m, 2h, 90d"}
	}
	return d, nil
}

// size is a number of bytes.
type size struct {
	Bytes int
	At    policy.Pos
}

func (s *size) UnmarshalText(b []byte) error {
	if !sizeForm.Match(b) {
		return hinted{fmt.Sprintf("%q is not a size", b), "write a number of bytes, or one with KiB, MiB or GiB"}
	}
	number := strings.TrimRight(string(b), "BKMGi")
	i, err := strconv.ParseInt(number, 10, 64)
	shift := map[string]int{"": 0, "B": 0, "KiB": 10, "MiB": 20, "GiB": 30}[string(b[len(number):])]
	if err != nil || i > math.MaxInt>>shift {
		return errors.New("the size is too large")
	}
	if number != strconv.FormatInt(i, 10) {
		return hinted{fmt.Sprintf("%q is not a size", b), "write it in decimal, without leading zeros"}
	}
	s.Bytes = int(i) << shift
	return nil
}

func (size) SchemaPattern() string { return sizeForm.String() }
func (size) SchemaTypes() []string { return []string{"string", "integer"} }
func (size) SchemaTitle() string   { return "a size" }

// count is a whole number.
type count struct {
	N  int
	At policy.Pos
}

func (c *count) UnmarshalText(b []byte) (err error) {
	c.N, err = decimal(string(b))
	return err
}

func (count) SchemaTypes() []string { return []string{"integer"} }

// cidr is a network of IP addresses.
type cidr struct{ netip.Prefix }

func (c *cidr) UnmarshalText(b []byte) (err error) {
	c.Prefix, err = netip.ParsePrefix(string(b))
	if err != nil || c.Prefix != c.Masked() {
		return hinted{fmt.Sprintf("%q is not a network", b), "write the first address and the length of the prefix: 10.0.0.0/8, fd00::/8, 10.1.2.3/32"}
	}
	return nil
}

// instant is a moment, in the notation of RFC 3339.
type instant struct {
	time.Time
	At policy.Pos
}

func (i *instant) UnmarshalText(b []byte) (err error) {
	if i.Time, err = time.Parse(time.RFC3339Nano, string(b)); err != nil {
		return hinted{fmt.Sprintf("%q is not a time", b), "write it like 2026-11-22T12:00:00+01:00 (RFC 3339)"}
	}
	return nil
}

func (instant) SchemaPattern() string { return instantForm.String() }
func (instant) SchemaTitle() string   { return "a time" }

// target is something that an upstream has: UPSTREAM/NAME, where a resource's name is its URI.
type target struct {
	Upstream, Name string
	At             policy.Pos
}

func (t *target) UnmarshalText(b []byte) error {
	if !targetForm.Match(b) {
		return hinted{fmt.Sprintf("%q does not name something of an upstream", b), "write UPSTREAM/NAME"}
	}
	t.Upstream, t.Name, _ = strings.Cut(string(b), "/")
	return nil
}

func (target) SchemaPattern() string { return targetForm.String() }
func (target) SchemaTitle() string   { return "UPSTREAM/NAME" }

// jsonObject is a mapping of any content, as the text of a JSON object.
type jsonObject struct {
	Raw []byte
	At  policy.Pos
}

func appendString(dst []byte, s string) []byte { return wire.AppendQuote(dst, s) }
