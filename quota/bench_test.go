package quota_test

import (
	"testing"
	"time"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/quota"
	"github.com/hopgate/hopgate/store"
)

// busy has five caps on spend, four rates and two on concurrency.
func busy() setup {
	spend := func(texts ...string) *quota.SpendKeys { return &quota.SpendKeys{Spend: budgets(texts...)} }
	return setup{
		rate:  quota.RateKeys{Rate: buckets("1000000000/s burst 1000000"), Concurrency: &quota.Count{N: 8}},
		spend: *spend("$1000000/day", "$1000000/month"),
		agent: policy.Settings{"rate": &quota.RateKeys{Rate: buckets("1000000000/s burst 1000000")}, "spend": spend("$1000000/month")},
		team: policy.Settings{
			"rate":  &quota.RateKeys{Rate: buckets("1000000000/s burst 1000000"), Concurrency: &quota.Count{N: 64}},
			"spend": spend("$1000000/month"),
		},
		org:      policy.Settings{"rate": &quota.RateKeys{Rate: buckets("1000000000/s burst 1000000")}, "spend": spend("$1000000/month")},
		upstream: cost(quota.Prices{Call: price("$0.000001")}),
	}
}

// pair checks and settles one call at the gates of rate and spend.
func pair(tb testing.TB) func(report *policy.Report) {
	tb.Helper()
	l := mustConnect(tb, newBook(tb), busy())
	c := l.toolCall(tb, "x", `{"a":1}`, noon)
	gates := []policy.Gate{l.Gates[1].Gate, l.Gates[2].Gate}
	ctx := tb.Context()
	out := &policy.Outcome{Allowed: true}
	var settles [2]policy.Settle
	return func(report *policy.Report) {
		c.Time = c.Time.Add(time.Microsecond)
		for i, g := range gates {
			v, err := g.Check(ctx, c)
			if err != nil || v.Effect != policy.Allow || v.Settle == nil {
				tb.Fatal(v, err)
			}
			settles[i] = v.Settle
		}
		for i := range settles {
			if err := settles[len(settles)-1-i](ctx, out, report); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

// BenchmarkLimits is all limits of a call: five of spend, four rates, two of concurrency, checked and settled.
func BenchmarkLimits(b *testing.B) {
	call, report := pair(b), answered(b, "{}")
	b.ReportAllocs()
	for b.Loop() {
		call(report)
	}
}

func TestACallAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector pools forget")
	}
	call, report := pair(t), answered(t, "{}")
	if n := testing.AllocsPerRun(1000, func() { call(report) }); n >= 1 {
		t.Errorf("a call allocates %v times", n)
	}
}

// BenchmarkChanges is what a frame of the journal costs when five scopes have changed.
func BenchmarkChanges(b *testing.B) {
	book := newBook(b)
	l := mustConnect(b, book, busy())
	c := l.toolCall(b, "x", "{}", noon)
	b.ReportAllocs()
	for b.Loop() {
		c.Time = c.Time.Add(time.Microsecond)
		for _, i := range []int{1, 2} {
			v, err := l.Gates[i].Gate.Check(b.Context(), c)
			if err != nil || v.Settle == nil {
				b.Fatal(v, err)
			}
			_ = v.Settle(b.Context(), &policy.Outcome{}, nil)
		}
		book.Changes(func(store.Put) {})
	}
}

func BenchmarkHours(b *testing.B) {
	l := mustConnect(b, newBook(b), setup{hours: quota.HoursKeys{Hours: spans("Mon-Fri 06:00-22:00 Europe/Prague")}})
	c := l.toolCall(b, "x", "{}", noon)
	b.ReportAllocs()
	for b.Loop() {
		if v, err := l.Gates[1].Gate.Check(b.Context(), c); err != nil || v.Effect != policy.Allow {
			b.Fatal(v, err)
		}
	}
}
