package trust_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/trust"
)

// TestPowersAreExact holds each step of the table, t, against t^256 <= 2^(63*256-i) < (t+1)^256.
func TestPowersAreExact(t *testing.T) {
	raised := func(x uint64) *big.Int {
		return new(big.Int).Exp(new(big.Int).SetUint64(x), big.NewInt(256), nil)
	}
	for i, step := range trust.TestOnlySteps() {
		want := new(big.Int).Lsh(big.NewInt(1), uint(63*256-i))
		if raised(step).Cmp(want) > 0 || raised(step+1).Cmp(want) <= 0 {
			t.Errorf("step %d is %d, not 2^(63-%d/256) rounded down", i, step, i)
		}
	}
}

func TestPowersBetweenTheSteps(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		x := random.Uint64()
		got := math.Ldexp(float64(trust.TestOnlyExp2(x)), -63)
		if want := math.Exp2(-math.Ldexp(float64(x), -64)); math.Abs(got-want) > 1e-14 {
			t.Fatalf("2^-(%d/2^64) is %v, want %v", x, got, want)
		}
	}
}

func TestPowersFall(t *testing.T) {
	before := trust.TestOnlyExp2(0)
	if before != 1<<63 {
		t.Fatalf("2^0 is %d/2^63", before)
	}
	for x := uint64(1 << 44); x != 0; x += 1 << 44 {
		now := trust.TestOnlyExp2(x)
		if now >= before {
			t.Fatalf("2^-(%d/2^64) is not below the one before", x)
		}
		before = now
	}
}

// TestOftenIsNoWayAroundTime lets a day pass in steps of a second. Nothing that speaks against a party fades faster so,
// and nothing that speaks for it slower.
func TestOftenIsNoWayAroundTime(t *testing.T) {
	const seconds, week, x = 86400, 7 * 86400, 1 << 49
	down, up := uint64(x), uint64(x)
	for range seconds {
		down, _ = trust.TestOnlyFade(down, 1, week)
		_, up = trust.TestOnlyFade(up, 1, week)
	}
	exact := math.Ldexp(math.Exp2(-1.0/7), 49)
	if got := float64(down); got > exact || got < exact-2*seconds {
		t.Errorf("rounded down %v is left, exact is %v", got, exact)
	}
	if got := float64(up); got < exact || got > exact+2*seconds {
		t.Errorf("rounded up %v is left, exact is %v", got, exact)
	}
	if down, up := trust.TestOnlyFade(x, week, week); down != x/2 || up != x/2+1 {
		t.Errorf("after a half-life %d to %d of %d are left", down, up, x)
	}
	if down, up := trust.TestOnlyFade(x, 64*week, week); down != 0 || up != 1 {
		t.Errorf("after 64 half-lives %d to %d are left", down, up)
	}
}

// TestKnownScores holds the book against what the formula gives in floating point. The allowance is full at the start, and
// clean work is 200 calls that change something, once a day.
func TestKnownScores(t *testing.T) {
	clean := func(days int) func(testing.TB) *world {
		return func(tb testing.TB) *world {
			tb.Helper()
			return worked(tb, days)
		}
	}
	after := func(s policy.Severity, wait time.Duration) func(testing.TB) *world {
		return func(tb testing.TB) *world {
			tb.Helper()
			w := worked(tb, 90)
			w.violate(s, 1)
			w.pass(wait)
			return w
		}
	}
	cases := map[string]struct {
		make func(testing.TB) *world
		want int
	}{
		"new":                   {func(tb testing.TB) *world { tb.Helper(); return newWorld(tb) }, 500},
		"clean for 1 day":       {clean(1), 639},
		"clean for 7 days":      {clean(7), 795},
		"clean for 30 days":     {clean(30), 906},
		"clean for 90 days":     {clean(90), 941},
		"one low":               {after(policy.Low, 0), 878},
		"one medium":            {after(policy.Medium, 0), 665},
		"one high":              {after(policy.High, 0), 332},
		"one high, 7 days ago":  {after(policy.High, 7*day), 554},
		"one high, 30 days ago": {after(policy.High, 30*day), 848},
		"100,000 reads in 17 minutes": {func(tb testing.TB) *world {
			tb.Helper()
			w := newWorld(tb)
			w.pass(day)
			for range 1000 {
				w.succeed("read", 100)
				w.pass(1020 * time.Millisecond)
			}
			return w
		}, 584},
		"20 low in 20 minutes": {func(tb testing.TB) *world {
			tb.Helper()
			w := worked(tb, 90)
			for range 20 {
				w.violate(policy.Low, 1)
				w.pass(time.Minute)
			}
			return w
		}, 235},
		"critical, released": {func(tb testing.TB) *world {
			tb.Helper()
			w := after(policy.Critical, 0)(tb)
			if err := w.Release(trust.Agent(bot), orders); err != nil {
				tb.Fatal(err)
			}
			return w
		}, 58},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := c.make(t).score(); got != c.want {
				t.Errorf("the score is %d, want %d", got, c.want)
			}
		})
	}
}

func TestDestructiveFailuresDoNotHideBehindReads(t *testing.T) {
	w := newWorld(t)
	w.pass(day)
	w.succeed("read", 1000)
	before := w.score()
	w.fail("delete", 500)
	w.succeed("read", 100_000)
	if got := w.score(); got > before/10 {
		t.Errorf("the score is %d after 500 destructive failures, was %d", got, before)
	}
}

func TestACriticalViolationQuarantines(t *testing.T) {
	w := worked(t, 90)
	w.violate(policy.Critical, 1)
	w.pass(365 * day)
	if got, want := w.Standing(trust.Agent(bot)), (trust.Standing{Condition: trust.Quarantined, Params: trust.ParamsOf(nil).Version()}); got != want {
		t.Errorf("a year later the standing is %v, want %v", got, want)
	}
}
