package trust

import (
	"fmt"
	"regexp"
	"strconv"
)

// bounds are the least and the most of a key, in its own unit.
type bounds struct{ least, most uint64 }

// bounded is a key that says its bounds.
type bounded interface{ bounds() bounds }

// Bounds of the parameters. Within them the arithmetic cannot overflow, a violation is felt for days, and weights keep
// the order of their severities.
type (
	startBounds       struct{} // points
	perDayBounds      struct{} // credits
	penaltyBounds     struct{} // seconds
	creditBounds      struct{} // seconds
	reliabilityBounds struct{} // seconds
	lowBounds         struct{} // thousandths
	mediumBounds      struct{} // thousandths
	highBounds        struct{} // thousandths
	criticalBounds    struct{} // thousandths
	worthBounds       struct{} // thousandths
)

const (
	hour       = 60 * 60
	lifeMost   = 365 * day
	perDayMost = 100
)

func (startBounds) bounds() bounds       { return bounds{0, 800} }
func (perDayBounds) bounds() bounds      { return bounds{1, perDayMost} }
func (penaltyBounds) bounds() bounds     { return bounds{day, 90 * day} }
func (creditBounds) bounds() bounds      { return bounds{day, lifeMost} }
func (reliabilityBounds) bounds() bounds { return bounds{hour, 30 * day} }
func (lowBounds) bounds() bounds         { return bounds{10, 250} }
func (mediumBounds) bounds() bounds      { return bounds{250, 1000} }
func (highBounds) bounds() bounds        { return bounds{1000, 3000} }
func (criticalBounds) bounds() bounds    { return bounds{3000, 8000} }
func (worthBounds) bounds() bounds       { return bounds{0, 1000} }

// outside says that a value is out of its bounds, and what they are.
type outside struct{ text, hint string }

func (e outside) Error() string { return e.text }
func (e outside) Hint() string  { return e.hint }

// Whole is a whole number within the bounds of its key.
type Whole[B bounded] struct{ n uint64 }

var wholeForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,8})$`)

// UnmarshalText reads a whole number in decimal.
func (w *Whole[B]) UnmarshalText(text []byte) error {
	var key B
	b := key.bounds()
	hint := fmt.Sprintf("it is a whole number, %d to %d", b.least, b.most)
	if !wholeForm.Match(text) {
		return outside{fmt.Sprintf("%q is not a whole number", text), hint}
	}
	n, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil || n < b.least || n > b.most {
		return outside{fmt.Sprintf("%s is out of range", text), hint}
	}
	w.n = n
	return nil
}

// SchemaTypes returns how YAML writes the value.
func (*Whole[B]) SchemaTypes() []string { return []string{"integer"} }

// value returns the number, or nil where the key is absent.
func (w *Whole[B]) value() *uint64 {
	if w == nil {
		return nil
	}
	return &w.n
}

// Decimal is a number with up to three digits behind the point, within the bounds of its key.
type Decimal[B bounded] struct{ thousandths uint64 }

var decimalForm = regexp.MustCompile(`^([0-9]{1,3})(?:\.([0-9]{1,3}))?$`)

// UnmarshalText reads a decimal number.
func (d *Decimal[B]) UnmarshalText(text []byte) error {
	var key B
	b := key.bounds()
	hint := fmt.Sprintf("it is %s to %s, with up to three digits behind the point", thousandths(b.least), thousandths(b.most))
	m := decimalForm.FindSubmatch(text)
	if m == nil {
		return outside{fmt.Sprintf("%q is not a number that can stand here", text), hint}
	}
	n, err := strconv.ParseUint(string(m[1])+(string(m[2]) + "000")[:3], 10, 64)
	if err != nil || n < b.least || n > b.most {
		return outside{fmt.Sprintf("%s is out of range", text), hint}
	}
	d.thousandths = n
	return nil
}

// SchemaTypes returns how YAML writes the value.
func (*Decimal[B]) SchemaTypes() []string { return []string{"number"} }

// SchemaTitle says what messages call a value.
func (*Decimal[B]) SchemaTitle() string { return "a number" }

// scaled returns the number in a fixed point, rounded down, or nil where the key is absent.
func (d *Decimal[B]) scaled(one uint64) *uint64 {
	if d == nil {
		return nil
	}
	x := d.thousandths * one / 1000 // at most 8000 << 48
	return &x
}

// thousandths writes a number of thousandths as a decimal.
func thousandths(n uint64) string {
	return strconv.FormatFloat(float64(n)/1000, 'f', -1, 64)
}

// Span is a time in whole hours, days or weeks, within the bounds of its key.
type Span[B bounded] struct{ seconds uint64 }

var spanForm = regexp.MustCompile(`^([1-9][0-9]{0,3})([hdw])$`)

// UnmarshalText reads a span of time.
func (s *Span[B]) UnmarshalText(text []byte) error {
	var key B
	b := key.bounds()
	hint := fmt.Sprintf("it is %s to %s, in whole h, d or w", span(b.least), span(b.most))
	m := spanForm.FindSubmatch(text)
	if m == nil {
		return outside{fmt.Sprintf("%q is not a span of whole hours, days or weeks", text), hint}
	}
	n, err := strconv.ParseUint(string(m[1]), 10, 64)
	n *= map[byte]uint64{'h': hour, 'd': day, 'w': 7 * day}[m[2][0]]
	if err != nil || n < b.least || n > b.most {
		return outside{fmt.Sprintf("%s is out of range", text), hint}
	}
	s.seconds = n
	return nil
}

// SchemaPattern returns the form of the text.
func (*Span[B]) SchemaPattern() string { return spanForm.String() }

// SchemaTitle says what messages call a value.
func (*Span[B]) SchemaTitle() string { return "a span of time" }

// value returns the seconds, or nil where the key is absent.
func (s *Span[B]) value() *uint64 {
	if s == nil {
		return nil
	}
	return &s.seconds
}

// span writes seconds as a bound is written.
func span(seconds uint64) string {
	if seconds%day == 0 {
		return fmt.Sprintf("%dd", seconds/day)
	}
	return fmt.Sprintf("%dh", seconds/hour)
}
