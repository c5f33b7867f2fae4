package quota

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/policy"
)

// Schedule is a span of time on some days of the week. Where it ends before it begins, it ends on the next day.
type Schedule struct {
	days     [7]bool // from Monday
	from, to int     // minutes of the day, to up to 24:00
	zone     *time.Location
	text     string
	At       policy.Pos
}

var dayNames = []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

var scheduleForm = func() *regexp.Regexp {
	name := "(" + strings.Join(dayNames, "|") + ")"
	days := name + "(-" + name + ")?"
	clock := "(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)"
	return regexp.MustCompile("^(" + days + "(," + days + ")* )?" + clock + "-" + clock + "( [A-Za-z][A-Za-z0-9_+/-]*)?$")
}()

// UnmarshalText reads [DAYS ]HH:MM-HH:MM[ ZONE], like Mon-Fri 06:00-22:00 Europe/Prague. Without days it is every day,
// without a zone that of the file.
func (s *Schedule) UnmarshalText(b []byte) error {
	if !scheduleForm.Match(b) {
		return hinted{
			fmt.Sprintf("%q does not say hours", b),
			"write [DAYS ]HH:MM-HH:MM[ ZONE], e.g. Mon-Fri 06:00-22:00 Europe/Prague",
		}
	}
	fields := strings.Split(string(b), " ")
	if strings.Contains(fields[0], ":") {
		s.days = [7]bool{true, true, true, true, true, true, true}
	} else {
		s.days = parseDays(fields[0])
		fields = fields[1:]
	}
	from, to, _ := strings.Cut(fields[0], "-")
	s.from, s.to, s.text = minutes(from), minutes(to), string(b)
	switch {
	case s.from == s.to:
		return hinted{fmt.Sprintf("%q is no time at all", fields[0]), "for whole days write 00:00-24:00"}
	case s.from == 24*60:
		return hinted{"24:00 is an end, not a beginning", "write 00:00, on the next day"}
	case len(fields) == 1:
		return nil
	}
	var z Zone
	if err := z.UnmarshalText([]byte(fields[1])); err != nil {
		return err
	}
	s.zone = z.Location
	return nil
}

// SchemaPattern is the form of a schedule.
func (*Schedule) SchemaPattern() string { return scheduleForm.String() }

// SchemaTitle says what messages call a value.
func (*Schedule) SchemaTitle() string { return "hours" }

// parseDays reads days and ranges of days; a range may go over the end of the week.
func parseDays(text string) (days [7]bool) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		end := slices.Index(dayNames, last)
		for d := slices.Index(dayNames, first); ; d = (d + 1) % 7 {
			days[d] = true
			if d == end {
				break
			}
		}
	}
	return days
}

// minutes reads HH:MM in the form that was checked before.
func minutes(s string) int {
	digit := func(i int) int { return int(s[i] - '0') }
	return (10*digit(0)+digit(1))*60 + 10*digit(3) + digit(4)
}

// open reports whether an instant lies within the hours. The zone says what time it is there, never the other way
// round, so that hours that a clock skips or repeats need no care.
func (s *Schedule) open(t time.Time) bool {
	t = t.In(s.zone)
	today := (int(t.Weekday()) + 6) % 7
	now := t.Hour()*60 + t.Minute()
	if s.from < s.to {
		return s.days[today] && s.from <= now && now < s.to
	}
	return s.days[today] && now >= s.from || s.days[(today+6)%7] && now < s.to
}

// opens returns the first instant from t on that lies within the hours.
func (s *Schedule) opens(t time.Time) time.Time {
	t = t.In(s.zone)
	for !s.open(t) {
		next := t.Add(s.untilBegin(t))
		if _, change := t.ZoneBounds(); !change.IsZero() && !next.Before(change) {
			next = change.In(s.zone) // the clock is set before it gets there
		}
		t = next
	}
	return t
}

// untilBegin is how long it takes until the hours begin, while the clock runs evenly.
func (s *Schedule) untilBegin(t time.Time) time.Duration {
	today := (int(t.Weekday()) + 6) % 7
	gone := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute +
		time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
	for d := range 8 {
		wait := time.Duration(d)*day + time.Duration(s.from)*time.Minute - gone
		if s.days[(today+d)%7] && wait > 0 {
			return wait
		}
	}
	return 7 * day // cannot happen: some day is set, and eight days hold each one after its beginning
}
