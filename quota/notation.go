package quota

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hopgate/hopgate/policy"
)

// The forms of what an admin writes. They mean the same in Go and in JSON Schema.
var (
	rateForm  = regexp.MustCompile(`^([0-9]+)/(s|min|hour|day)( burst ([0-9]+))?$`)
	callsForm = regexp.MustCompile(`^([0-9]+)/(day|week|month)$`)
	capForm   = regexp.MustCompile(`^` + priceForm + `/(day|week|month)$`)
	bytesForm = regexp.MustCompile(`^([0-9]+)(B|KiB|MiB|GiB)?$`)
)

var units = map[string]time.Duration{"s": time.Second, "min": time.Minute, "hour": time.Hour, "day": day}

// Bounds of what can be written.
const (
	maxCount = 1_000_000_000
	maxDepth = 31 * day // longest that a rate may remember
	maxCalls = math.MaxInt64 / 4
)

// Bucket is a rate: so many messages in a unit of time, evenly, of which a burst may come at once.
type Bucket struct {
	Count, Burst int64
	Unit         string // s, min, hour or day
	At           policy.Pos
}

// UnmarshalText reads 60/min, or 60/min burst 20. Without a burst it is what one second brings, at least 1.
func (r *Bucket) UnmarshalText(b []byte) error {
	m := rateForm.FindStringSubmatch(string(b))
	if m == nil {
		return hinted{fmt.Sprintf("%q is not a rate", b), "write calls per s, min, hour or day, e.g. 60/min, or 60/min burst 20"}
	}
	count, err := whole(m[1], maxCount)
	if err != nil {
		return err
	}
	burst := max(1, count/int64(units[m[2]]/time.Second))
	if m[4] != "" {
		if burst, err = whole(m[4], maxCount); err != nil {
			return err
		}
	}
	r.Count, r.Unit, r.Burst = count, m[2], burst
	if burst > int64(maxDepth)/r.step() {
		return hinted{fmt.Sprintf("the burst of %q takes more than 31 days to come back", b), "choose a smaller burst, or write a quota"}
	}
	return nil
}

// step is the time between two messages, in nanoseconds, rounded up, so that the rate is never exceeded.
func (r *Bucket) step() int64 { return (int64(units[r.Unit]) + r.Count - 1) / r.Count }

func (r *Bucket) String() string {
	s := fmt.Sprintf("%d/%s", r.Count, r.Unit)
	if r.Burst != max(1, r.Count/int64(units[r.Unit]/time.Second)) {
		s += fmt.Sprintf(" burst %d", r.Burst)
	}
	return s
}

// SchemaPattern is the form of a rate.
func (*Bucket) SchemaPattern() string { return rateForm.String() }

// SchemaTitle says what messages call a value.
func (*Bucket) SchemaTitle() string { return "a rate" }

// whole reads a whole number of 1 to most.
func whole(s string, most int64) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || n > most {
		return 0, hinted{fmt.Sprintf("%s is out of range", s), fmt.Sprintf("it is 1 to %d", most)}
	}
	if len(s) > 1 && s[0] == '0' {
		return 0, hinted{fmt.Sprintf("%s begins with a zero", s), "leave out leading zeros"}
	}
	return n, nil
}

// Count is how many at once.
type Count struct {
	N  int64
	At policy.Pos
}

var countForm = regexp.MustCompile(`^[0-9]+$`)

// UnmarshalText reads a whole number from 1.
func (c *Count) UnmarshalText(b []byte) error {
	if !countForm.Match(b) {
		return hinted{fmt.Sprintf("%q is not a whole number", b), "write it in decimal, e.g. 4"}
	}
	n, err := whole(string(b), maxCount)
	c.N = n
	return err
}

// SchemaPattern is the form of a count.
func (*Count) SchemaPattern() string { return countForm.String() }

// SchemaTypes says that a count is a number.
func (*Count) SchemaTypes() []string { return []string{"integer"} }

// SchemaTitle says what messages call a value.
func (*Count) SchemaTitle() string { return "a whole number" }

// Calls is a number of calls in a calendar window.
type Calls struct {
	N   int64
	per period
	At  policy.Pos
}

// UnmarshalText reads 1000/day, 5000/week or 20000/month.
func (c *Calls) UnmarshalText(b []byte) error {
	m := callsForm.FindStringSubmatch(string(b))
	if m == nil {
		return hinted{fmt.Sprintf("%q is not a quota", b), "write calls per day, week or month, e.g. 1000/day"}
	}
	n, err := whole(m[1], maxCalls)
	c.N, c.per = n, periodNames[m[2]]
	return err
}

// SchemaPattern is the form of a quota.
func (*Calls) SchemaPattern() string { return callsForm.String() }

// SchemaTitle says what messages call a value.
func (*Calls) SchemaTitle() string { return "a quota" }

// Cap is an amount of money in a calendar window.
type Cap struct {
	Price
	per period
}

// UnmarshalText reads 50 EUR/month, or $50/month.
func (c *Cap) UnmarshalText(b []byte) error {
	price, per, ok := strings.Cut(string(b), "/")
	if c.per = periodNames[per]; !ok || c.per == 0 {
		return hinted{fmt.Sprintf("%q is not a cap", b), "write an amount per day, week or month, e.g. 50 EUR/month, or $50/month"}
	}
	return c.Price.UnmarshalText([]byte(price))
}

// SchemaPattern is the form of a cap.
func (*Cap) SchemaPattern() string { return capForm.String() }

// SchemaTitle says what messages call a value.
func (*Cap) SchemaTitle() string { return "a cap" }

// Bytes is a size.
type Bytes struct {
	N  int64
	At policy.Pos
}

var byteUnits = map[string]int64{"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

func parseBytes(number, unit string) (int64, error) {
	n, err := whole(number, math.MaxInt64)
	if err != nil {
		return 0, err
	}
	if n > maxCalls/byteUnits[unit] {
		return 0, hinted{number + unit + " is too large", "sizes stay below 2147483648GiB"}
	}
	return n * byteUnits[unit], nil
}

// UnmarshalText reads 64KiB; a plain number means bytes.
func (s *Bytes) UnmarshalText(b []byte) (err error) {
	m := bytesForm.FindStringSubmatch(string(b))
	if m == nil {
		return hinted{fmt.Sprintf("%q is not a size", b), "write a number of B, KiB, MiB or GiB, e.g. 64KiB"}
	}
	s.N, err = parseBytes(m[1], m[2])
	return err
}

// SchemaPattern is the form of a size.
func (*Bytes) SchemaPattern() string { return bytesForm.String() }

// SchemaTypes says that a size may be a plain number.
func (*Bytes) SchemaTypes() []string { return []string{"string", "integer"} }

// SchemaTitle says what messages call a value.
func (*Bytes) SchemaTitle() string { return "a size" }

// formatBytes writes a size in the largest unit that keeps it whole.
func formatBytes(n int64) string {
	for _, unit := range []string{"GiB", "MiB", "KiB"} {
		if n > 0 && n%byteUnits[unit] == 0 {
			return strconv.FormatInt(n/byteUnits[unit], 10) + unit
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// Zone is a time zone of the IANA database. The zero Zone is none.
type Zone struct {
	*time.Location
	At policy.Pos
}

// UnmarshalText reads the name of a zone, like Europe/Prague or UTC.
func (z *Zone) UnmarshalText(b []byte) error {
	name := string(b)
	if name == "" || name == "Local" { // "Local" would mean another thing on another machine
		return hinted{fmt.Sprintf("%q is not a time zone", b), "write a name of the IANA database, e.g. Europe/Prague or UTC"}
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return hinted{fmt.Sprintf("there is no time zone %q", b), "write a name of the IANA database, e.g. Europe/Prague or UTC"}
	}
	z.Location = loc
	return nil
}

// SchemaTitle says what messages call a value.
func (*Zone) SchemaTitle() string { return "a time zone" }
