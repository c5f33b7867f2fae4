package quota

import (
	"fmt"
	"math"
	"math/bits"
	"regexp"
	"strconv"
	"strings"

	"github.com/hopgate/hopgate/policy"
)

// nano is how many billionths make one. Amounts of money are int64 billionths of a unit of their currency: exact for
// prices of single tokens, and enough for nine billion units.
const nano = 1_000_000_000

const maxWhole = math.MaxInt64 / nano

// hinted is an error in what an admin wrote, with a way out.
type hinted struct{ text, hint string }

func (h hinted) Error() string { return h.text }

// Hint is what to do about it.
func (h hinted) Hint() string { return h.hint }

// parseNanos reads a decimal of zero or more with at most nine digits behind the point, as billionths. No float is
// involved, so that what is written is what counts.
func parseNanos(s string) (int64, error) {
	whole, fraction, point := strings.Cut(s, ".")
	hint := "write a decimal like 12.50, with at most 9 digits behind the point"
	switch {
	case s == "":
		return 0, hinted{"the amount is missing", hint}
	case s[0] == '+' || s[0] == '-':
		return 0, hinted{fmt.Sprintf("%q has a sign", s), "amounts are zero or more and have no sign"}
	case strings.ContainsAny(s, ",_"):
		return 0, hinted{fmt.Sprintf("%q has a separator", s), "write 1000.50, without separators of thousands"}
	case isDigits(s[:1]) && strings.ContainsAny(s, "eE"):
		return 0, hinted{fmt.Sprintf("%q has an exponent", s), "write it out: 0.002, not 2e-3"}
	case !isDigits(whole) || point && !isDigits(fraction):
		return 0, hinted{fmt.Sprintf("%q is not an amount", s), hint}
	case len(whole) > 1 && whole[0] == '0':
		return 0, hinted{fmt.Sprintf("%q begins with a zero", s), "leave out leading zeros"}
	case len(fraction) > 9:
		return 0, hinted{fmt.Sprintf("%q has more than 9 digits behind the point", s), "round it to billionths"}
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n >= maxWhole {
		return 0, hinted{fmt.Sprintf("%q is too large", s), fmt.Sprintf("amounts stay below %d", maxWhole)}
	}
	f, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	if err != nil {
		return 0, hinted{fmt.Sprintf("%q is not an amount", s), hint}
	}
	return n*nano + f, nil
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// formatNanos writes what parseNanos reads.
func formatNanos(n int64) string {
	s := strconv.FormatInt(n/nano, 10)
	if f := n % nano; f != 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%09d", f), "0")
	}
	return s
}

// add adds amounts of zero or more. What does not fit is the largest amount, which is above every cap.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// scale returns a*mul/div for values of zero or more, rounded up. What does not fit is the largest amount.
func scale(a, mul, div int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(mul))
	lo, carry := bits.Add64(lo, uint64(div-1), 0)
	if hi += carry; hi >= uint64(div) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(div))
	if q > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(q)
}

// kilobytes is how many began in so many bytes.
func kilobytes(n int) int64 { return (int64(n) + 1023) / 1024 }

// Code is a currency's name in ISO 4217.
type Code string

var codeForm = regexp.MustCompile(`^[A-Z]{3}$`)

// UnmarshalText reads three capital letters.
func (c *Code) UnmarshalText(b []byte) error {
	if !codeForm.Match(b) {
		return hinted{fmt.Sprintf("%q is not a currency", b), "write its ISO 4217 code, e.g. USD or EUR"}
	}
	*c = Code(b)
	return nil
}

// SchemaPattern is the form of a currency.
func (*Code) SchemaPattern() string { return codeForm.String() }

// SchemaTitle says what messages call a value.
func (*Code) SchemaTitle() string { return "a currency" }

// Price is an amount of money.
type Price struct {
	Nanos    int64 // billionths of a unit, zero or more
	Currency Code
	At       policy.Pos
}

const priceForm = `(\$[0-9]+(\.[0-9]{1,9})?|[0-9]+(\.[0-9]{1,9})? [A-Z]{3})`

// UnmarshalText reads 12.50 EUR, or $12.50 for US dollars.
func (p *Price) UnmarshalText(b []byte) error {
	amount, code, spaced := strings.Cut(string(b), " ")
	rest, dollars := strings.CutPrefix(amount, "$")
	switch {
	case dollars && spaced, !dollars && !spaced:
		return hinted{fmt.Sprintf("%q is not a price", b), "write an amount and a currency, e.g. 0.25 EUR, or $0.25"}
	case dollars:
		amount, code = rest, "USD"
	}
	n, err := parseNanos(amount)
	if err != nil {
		return err
	}
	p.Nanos = n
	return p.Currency.UnmarshalText([]byte(code))
}

// String writes the price as it may be read again.
func (p Price) String() string { return formatNanos(p.Nanos) + " " + string(p.Currency) }

// SchemaPattern is the form of a price.
func (*Price) SchemaPattern() string { return "^" + priceForm + "$" }

// SchemaTitle says what messages call a value.
func (*Price) SchemaTitle() string { return "a price" }

// Currency is what a unit of a currency is worth in another.
type Currency struct {
	Name Code `yaml:",key"`
	At   policy.Pos
	Rate Price `yaml:",value"`
}

// rates are what units of currencies are worth in one of them, the base, in billionths.
type rates struct {
	base Code
	of   map[Code]int64
}

// newRates checks what the file says of currencies. All rates are in one currency, so that no way around leads to
// another result.
func newRates(all []Currency) (rates, policy.Complaints) {
	r := rates{of: map[Code]int64{}}
	var wrong policy.Complaints
	for i := range all {
		c := &all[i]
		switch {
		case r.base == "":
			r.base = c.Rate.Currency
			r.of[r.base] = nano
		case c.Rate.Currency != r.base:
			wrong = append(wrong, policy.Complaint{
				At: c.Rate.At, Text: fmt.Sprintf("the rate of %s is in %s, others are in %s", c.Name, c.Rate.Currency, r.base),
				Hint: "give all rates in one currency",
			})
		}
		switch {
		case c.Name == r.base:
			wrong = append(wrong, policy.Complaint{At: c.At, Text: fmt.Sprintf("%s is what the rates are in", c.Name), Hint: "leave it out"})
		case c.Rate.Nanos == 0:
			wrong = append(wrong, policy.Complaint{At: c.Rate.At, Text: fmt.Sprintf("the rate of %s is zero", c.Name), Hint: "say what one unit is worth"})
		default:
			r.of[c.Name] = c.Rate.Nanos
		}
	}
	return r, wrong
}

// exchange turns amounts of one currency into another. The zero exchange is none.
type exchange struct{ mul, div int64 }

func (x exchange) apply(n int64) int64 {
	if x.mul == x.div {
		return n
	}
	return scale(n, x.mul, x.div)
}

// exchange returns the way from one currency to another, or a complaint about the place that needs it.
func (r *rates) exchange(from, to Code, at policy.Pos) (exchange, policy.Complaints) {
	if from == to {
		return exchange{1, 1}, nil
	}
	mul, div := r.of[from], r.of[to]
	for _, missing := range []struct {
		code Code
		rate int64
	}{{from, mul}, {to, div}} {
		if missing.rate == 0 {
			example := r.base
			if example == "" {
				example = to
			}
			if example == missing.code {
				example = from
			}
			return exchange{}, policy.Complaints{{
				At: at, Text: fmt.Sprintf("%s meets %s here, and there is no rate for %s", from, to, missing.code),
				Hint: fmt.Sprintf("add currencies: {%s: RATE %s} at the top of the file", missing.code, example),
			}}
		}
	}
	return exchange{mul, div}, nil
}
