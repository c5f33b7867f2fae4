package quota

import "time"

// period is the length of a calendar window.
type period uint8

const (
	daily period = iota + 1
	weekly
	monthly
)

var periodNames = map[string]period{"day": daily, "week": weekly, "month": monthly}

func (p period) String() string { return [...]string{"", "day", "week", "month"}[p] }

const (
	day     = 24 * time.Hour
	weekday = 3 // 1970-01-01 was a Thursday, the fourth day of a week that begins on Monday
)

// window returns the number of the window that an instant lies in, as the calendar of its zone has it. Numbers grow
// with the calendar. They are made from civil fields alone, so that a day of 23 hours is a day.
func (p period) window(t time.Time) int64 {
	y, m, d := t.Date()
	if p == monthly {
		return int64(y)*12 + int64(m) - 1
	}
	days := floorDiv(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix(), int64(day/time.Second))
	if p == weekly {
		return floorDiv(days+weekday, 7)
	}
	return days
}

// begin returns the first instant of a window, where the zone is UTC.
func (p period) begin(window int64) time.Time {
	switch p {
	case monthly:
		return time.Date(int(floorDiv(window, 12)), time.Month(window-12*floorDiv(window, 12)+1), 1, 0, 0, 0, 0, time.UTC)
	case weekly:
		return time.Unix((7*window-weekday)*int64(day/time.Second), 0).UTC()
	default:
		return time.Unix(window*int64(day/time.Second), 0).UTC()
	}
}

// end returns the first instant whose window is a later one. Asking for the civil midnight would be wrong where a zone
// has none on that day (Asuncion 2023-10-01), or has it twice (St John's 2009-11-01); so this walks from one change of
// the zone to the next, between which civil time runs evenly.
func (p period) end(window int64, zone *time.Location) time.Time {
	next := p.begin(window + 1)
	t := next.Add(-2 * day).In(zone) // no zone is two days from UTC
	for {
		_, change := t.ZoneBounds()
		_, offset := t.Zone()
		boundary := next.Add(-time.Duration(offset) * time.Second)
		switch {
		case p.window(t) > window:
			return t
		case change.IsZero() || boundary.Before(change):
			return boundary.In(zone)
		}
		t = change.In(zone)
	}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
