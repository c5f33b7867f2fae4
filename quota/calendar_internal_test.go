package quota

import (
	"testing"
	"time"
)

// zones are twenty in which calendars have done what one does not expect.
var zones = []string{
	"UTC", "Europe/Prague", "Europe/Berlin", "Europe/Lisbon", "Europe/Moscow", "America/New_York", "America/Asuncion", "America/Havana",
	"America/St_Johns", "America/Goose_Bay", "America/Sao_Paulo", "America/Santiago", "Asia/Tehran", "Asia/Kathmandu", "Asia/Amman",
	"Asia/Beirut", "Africa/Casablanca", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham",
}

// TestMonthBoundaries holds the ends of all months of 57 years to their definition: the first instant whose civil month is
// a later one.
func TestMonthBoundaries(t *testing.T) {
	t.Parallel()
	const first, last = 1980 * 12, 2037*12 - 1
	checked := 0
	for _, name := range zones {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		before := monthly.end(first-1, zone)
		for id := int64(first); id <= last; id++ {
			end := monthly.end(id, zone)
			if at := earliest(id, end, zone); !at.Equal(end) {
				t.Errorf("%s: month %d ends %v, want %v", name, id, end, at)
			}
			if !end.After(before) {
				t.Errorf("%s: month %d ends %v, the one before %v", name, id, end, before)
			}
			before = end
			checked++
		}
	}
	if checked != 13680 {
		t.Errorf("checked %d boundaries", checked)
	}
}

// earliest finds the first instant whose month is later, by looking at every quarter of an hour around one that is said to
// be it, and then between. Zones change on the quarter, save a minute past midnight in a few.
func earliest(id int64, around time.Time, zone *time.Location) time.Time {
	later := func(t time.Time) bool { return monthly.window(t.In(zone)) > id }
	at := around.Add(-36 * time.Hour).Truncate(15 * time.Minute)
	for !later(at) {
		at = at.Add(15 * time.Minute)
	}
	for lo, hi := at.Add(-15*time.Minute), at; ; {
		if hi.Sub(lo) <= 1 {
			return hi
		}
		if mid := lo.Add(hi.Sub(lo) / 2); later(mid) {
			hi = mid
		} else {
			lo = mid
		}
	}
}

func TestKnownBoundaries(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		per        period
		zone       string
		within     string
		want       string
		wantWindow string // an instant of the next window
	}{
		"Asuncion 2023-10 has no midnight":     {monthly, "America/Asuncion", "2023-09-15T00:00:00Z", "2023-10-01T04:00:00Z", "2023-10-01T04:00:00Z"},
		"St John's 2009-11 comes twice":        {monthly, "America/St_Johns", "2009-10-15T00:00:00Z", "2009-11-01T02:30:00Z", "2009-11-15T00:00:00Z"},
		"a day of 23 hours":                    {daily, "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T00:00:00Z"},
		"a day of 25 hours":                    {daily, "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-25T23:00:00Z", "2026-10-26T00:00:00Z"},
		"a day that Apia left out":             {daily, "Pacific/Apia", "2011-12-30T00:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"},
		"a week from Monday":                   {weekly, "UTC", "2026-11-25T00:00:00Z", "2026-11-30T00:00:00Z", "2026-11-30T00:00:00Z"},
		"a week in a zone":                     {weekly, "Asia/Tokyo", "2026-11-29T14:00:00Z", "2026-11-29T15:00:00Z", "2026-11-29T15:00:00Z"},
		"a month of December":                  {monthly, "UTC", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z", "2027-01-15T00:00:00Z"},
		"a leap day":                           {daily, "UTC", "2028-02-29T01:00:00Z", "2028-03-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		"a month that ends within a half hour": {monthly, "Asia/Kathmandu", "2026-11-30T18:00:00Z", "2026-11-30T18:15:00Z", "2026-11-30T18:15:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(x.zone)
			if err != nil {
				t.Fatal(err)
			}
			id := x.per.window(instantOf(t, x.within).In(zone))
			if got, want := x.per.end(id, zone), instantOf(t, x.want); !got.Equal(want) {
				t.Errorf("got %v, want %v", got.UTC(), want)
			}
			if next := x.per.window(instantOf(t, x.wantWindow).In(zone)); next <= id {
				t.Errorf("window %d is followed by %d", id, next)
			}
		})
	}
}

func instantOf(tb testing.TB, text string) time.Time {
	tb.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		tb.Fatal(err)
	}
	return at
}

// TestWindowsNeverGoBack walks through the hour in which St John's went from November to October and back.
func TestWindowsNeverGoBack(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/St_Johns")
	if err != nil {
		t.Fatal(err)
	}
	w := &window{windowKey: windowKey{kind: KindSpend, per: monthly}, zone: zone}
	turns, used := 0, int64(0)
	for at := instantOf(t, "2009-10-31T00:00:00Z"); at.Before(instantOf(t, "2009-11-02T00:00:00Z")); at = at.Add(time.Minute) {
		id := w.id
		if w.turn(at.UnixNano()); w.id != id {
			turns, used = turns+1, 0
		}
		if w.used != used {
			t.Fatalf("%v: used %d, want %d", at, w.used, used)
		}
		w.used++
		used++
	}
	if turns != 2 { // into October, where it begins, and into November
		t.Errorf("got %d windows", turns)
	}
}

// TestHoursOpenWhenTheySay compares with a search minute by minute, over both changes of the clock.
func TestHoursOpenWhenTheySay(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"02:15-02:45 Europe/Berlin", "Sat-Sun 22:00-06:00 Europe/Berlin", "Mon-Fri 06:00-22:00 America/New_York", "Sun 01:30-02:30 America/New_York",
		"Fri-Mon 23:00-24:00 Australia/Lord_Howe", "00:00-00:30 America/Havana", "Tue,Thu-Fri 12:00-00:00 UTC", "00:15-00:45 America/Asuncion",
	} {
		var s Schedule
		if err := s.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		for _, begin := range []string{"2026-03-06T00:00:00Z", "2026-03-27T00:00:00Z", "2026-10-02T00:00:00Z", "2026-10-23T00:00:00Z", "2026-10-30T00:00:00Z"} {
			at := instantOf(t, begin)
			next := time.Time{} // found from the end backwards
			for m := at.Add(18 * day); !m.Before(at); m = m.Add(-time.Minute) {
				if s.open(m) {
					next = m
				}
				if got := s.opens(m); m.Before(at.Add(10*day)) && !got.Equal(next) {
					t.Fatalf("%s: from %v it opens %v, want %v", text, m, got.UTC(), next)
				}
			}
		}
	}
}
