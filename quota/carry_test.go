package quota_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/quota"
	"github.com/hopgate/hopgate/store"
)

// euro is what a EUR is worth in these tests, in USD.
const euro = "EUR=1.25 USD"

// changing is a book whose configuration changes, and a clock for both.
type changing struct {
	tb    testing.TB
	now   time.Time
	state *store.Memory
	book  *quota.Book
	link  *link
	spend []quota.Budget
}

func newChanging(tb testing.TB) *changing {
	tb.Helper()
	x := &changing{tb: tb, now: noon, state: &store.Memory{}}
	x.restart()
	return x
}

func (x *changing) restart() {
	x.tb.Helper()
	if x.book != nil {
		save(x.tb, x.book, x.state)
	}
	var err error
	if x.book, err = quota.Open(x.state, func() time.Time { return x.now }, nil); err != nil {
		x.tb.Fatal(err)
	}
	x.inForce(x.spend...)
}

// budgetIn is a cap with a zone of its own.
func budgetIn(text, zone string) quota.Budget {
	b := budgets(text)[0]
	b.Zone = read[quota.Zone](zone)
	return b
}

func (x *changing) setup(spend []quota.Budget, rates ...string) setup {
	return setup{
		spend: quota.SpendKeys{Spend: spend}, all: currencies(rates...),
		upstream: cost(quota.Prices{Argument: &quota.Argument{Pointer: pointer("/n"), Each: *price("$1")}}),
	}
}

func (x *changing) inForce(spend ...quota.Budget) {
	x.tb.Helper()
	x.spend = spend
	x.link = mustConnect(x.tb, x.book, x.setup(spend, euro))
	x.book.Register(x.link.Connection)
}

// use makes a call of so many dollars and reports whether it passed.
func (x *changing) use(dollars int64) bool {
	x.tb.Helper()
	d := x.link.decide(x.tb, x.link.toolCall(x.tb, "x", fmt.Sprintf(`{"n":%d}`, dollars), x.now))
	if d.Allowed {
		d.end(x.tb, answered(x.tb, "{}"))
	}
	return d.Allowed
}

// left is what the first cap has left, as text.
func (x *changing) left() string {
	u := x.book.Usage(x.link.Connection)[0]
	for _, u = range x.book.Usage(x.link.Connection) {
		if u.Kind == quota.KindSpend {
			break
		}
	}
	return quota.Price{Nanos: u.Left, Currency: quota.Code(u.Unit)}.String()
}

func TestAnotherZoneOrCurrencyBeginsWithWhatIsUsed(t *testing.T) {
	for name, c := range map[string]struct {
		then quota.Budget
		left string
	}{
		"the same":               {budgetIn("$100/month", "UTC"), "40 USD"},
		"another zone":           {budgetIn("$100/month", "Asia/Tokyo"), "40 USD"},
		"a lower cap":            {budgetIn("$50/month", "Asia/Tokyo"), "0 USD"},
		"another currency":       {budgetIn("100 EUR/month", "UTC"), "52 EUR"},
		"both":                   {budgetIn("100 EUR/month", "America/Los_Angeles"), "52 EUR"},
		"another period, anew":   {budgetIn("$100/week", "UTC"), "100 USD"},
		"another, already begun": {budgetIn("$100/day", "UTC"), "100 USD"},
	} {
		for _, crash := range []bool{false, true} {
			t.Run(fmt.Sprint(name, crash), func(t *testing.T) {
				x := newChanging(t)
				x.inForce(budgetIn("$100/month", "UTC"))
				if !x.use(60) {
					t.Fatal("refused")
				}
				if crash {
					x.spend = []quota.Budget{c.then}
					x.restart() // the file changed while nothing ran
				} else {
					x.inForce(c.then)
				}
				if got := x.left(); got != c.left {
					t.Errorf("%s left, want %s", got, c.left)
				}
			})
		}
	}
}

func TestWhatIsCarriedIsRoundedUp(t *testing.T) {
	x := newChanging(t)
	x.inForce(budgetIn("$100/month", "UTC"))
	x.use(1)
	x.link = mustConnect(t, x.book, x.setup([]quota.Budget{budgetIn("100 EUR/month", "UTC")}, "EUR=3 USD"))
	x.book.Register(x.link.Connection)
	if got, want := x.left(), "99.666666666 EUR"; got != want {
		t.Errorf("%s left, want %s", got, want)
	}
}

// TestACallUnderWayCountsInBoth has the configuration change between the judgement of a call and its end, and a call
// come that was judged by the one before.
func TestACallUnderWayCountsInBoth(t *testing.T) {
	x := newChanging(t)
	x.inForce(budgetIn("$10/month", "UTC"))
	before := x.link
	waiting := before.decide(t, before.toolCall(t, "x", `{"n":3}`, x.now))
	x.inForce(budgetIn("10 EUR/month", "Asia/Tokyo"))
	late := before.decide(t, before.toolCall(t, "x", `{"n":5}`, x.now))
	if !waiting.Allowed || !late.Allowed {
		t.Fatal("refused")
	}
	late.end(t, answered(t, "{}"))
	waiting.end(t, nil)
	if got, want := x.left(), "3.6 EUR"; got != want {
		t.Errorf("%s left, want %s", got, want)
	}
}

// TestCapsInTwoZonesCountApart has one of two caps begin a month while the other's runs, also over a restart.
func TestCapsInTwoZonesCountApart(t *testing.T) {
	x := newChanging(t)
	x.now = time.Date(2026, 11, 30, 14, 0, 0, 0, time.UTC)
	tokyo, utc := budgetIn("$10/month", "Asia/Tokyo"), budgetIn("$10/month", "UTC")
	tokyo.At = line(31)
	x.inForce(tokyo, utc)
	x.use(6)
	x.now = x.now.Add(2 * time.Hour) // December in Tokyo
	x.restart()
	if got := x.left(); got != "10 USD" {
		t.Errorf("in Tokyo %s is left", got)
	}
	if x.use(5) || !x.use(4) {
		t.Error("in UTC November has 4 left")
	}
}

func TestQuotasAndBytesCarryOverZones(t *testing.T) {
	x := newChanging(t)
	connect := func(zone string) {
		x.link = mustConnect(t, x.book, setup{
			rate: quota.RateKeys{Quota: calls("5/day " + zone)},
		})
		x.book.Register(x.link.Connection)
	}
	connect("UTC")
	for range 3 {
		x.link.try(t, "x", x.now)
	}
	connect("Europe/Prague")
	if n, _ := x.link.tries(t, "x", x.now); n != 2 {
		t.Errorf("%d more calls, want 2", n)
	}
}

func TestACurrencyThatWasSpentNeedsARate(t *testing.T) {
	x := newChanging(t)
	x.inForce(budgetIn("100 EUR/month", "UTC"))
	s := x.setup([]quota.Budget{budgetIn("$100/month", "UTC")})
	if _, err := s.connect(x.book); err != nil {
		t.Errorf("before anything is spent: %v", err)
	}
	x.use(5)
	want := "this month EUR was spent under this cap, and there is no rate for it"
	var got policy.Complaints
	_, err := s.connect(x.book)
	if !errors.As(err, &got) || len(got) != 1 || got[0].Text != want || got[0].At != line(30) ||
		got[0].Hint != "add currencies: {EUR: RATE USD} at the top of the file; it is needed until the month is over" {
		t.Errorf("got %v", err)
	}
	x.now = x.now.AddDate(0, 1, 0)
	if _, err := s.connect(x.book); err != nil {
		t.Errorf("a month later: %v", err)
	}
}

// TestNoSequenceOfChangesSpendsMoreThanTheLargestCap changes zone, currency and amount of a cap around the end of a month,
// with crashes between. Months of one name are one month, in whatever zone.
func TestNoSequenceOfChangesSpendsMoreThanTheLargestCap(t *testing.T) {
	zones := []string{"UTC", "Pacific/Kiritimati", "Pacific/Honolulu", "Europe/Prague", "America/St_Johns"}
	rapid.Check(t, func(rt *rapid.T) {
		x := newChanging(t)
		x.now = time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(-200, 30).Draw(rt, "start")) * time.Hour)
		zone, largest, spent := "", int64(0), map[string]int64{}
		change := func(rt *rapid.T) {
			zone = rapid.SampledFrom(zones).Draw(rt, "zone")
			n := rapid.Int64Range(5, 40).Draw(rt, "cap")
			largest = max(largest, n)
			text := fmt.Sprintf("$%d/month", n)
			if rapid.Bool().Draw(rt, "in EUR") {
				text = quota.Price{Nanos: n * unit * 100 / 125, Currency: "EUR"}.String() + "/month"
			}
			x.inForce(budgetIn(text, zone))
		}
		change(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"change": change, "again": change,
			"restart": func(*rapid.T) { x.restart() },
			"pass": func(rt *rapid.T) {
				x.now = x.now.Add(time.Duration(rapid.IntRange(1, 20).Draw(rt, "hours")) * time.Hour)
			},
			"use": func(rt *rapid.T) {
				n := rapid.Int64Range(1, 20).Draw(rt, "n")
				if !x.use(n) {
					return
				}
				month := x.now.In(x.spend[0].Zone.Location).Format("2006-01")
				if spent[month] += n; spent[month] > largest {
					rt.Fatalf("%d were spent in %s, and no cap was above %d", spent[month], month, largest)
				}
			},
		})
	})
}
