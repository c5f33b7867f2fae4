package stats_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/audit/stats"
	"github.com/hopgate/hopgate/policy"
)

// desk is a meter and a clock that the test turns.
type desk struct {
	*stats.Meter
	now time.Time
}

func newDesk() *desk {
	d := &desk{now: time.Date(2026, 11, 23, 9, 0, 30, 0, time.UTC)}
	d.Meter = stats.New(func() time.Time { return d.now })
	return d
}

func way(name string) *policy.Connection {
	return &policy.Connection{
		Name: name, Agent: &policy.Agent{Name: "bot"}, Upstream: &policy.Upstream{Name: "up"},
		Gates: []policy.Named{{Name: "enforced"}, {Name: "observed", Observe: true}, {Name: "notes", Observe: true}},
	}
}

// found is the outcome of a call that passed, in which gates have found something. That of "notes" would refuse nothing.
func found(gates ...string) *policy.Outcome {
	o := &policy.Outcome{Allowed: true}
	for _, g := range gates {
		f := policy.Finding{Gate: g}
		if g != "notes" {
			f.Reason = policy.ReasonFault
		}
		o.Findings = append(o.Findings, f)
	}
	return o
}

func (d *desk) answered(c *policy.Connection, took time.Duration) {
	d.Observe(&policy.Call{Connection: c, Time: d.now}, &policy.Outcome{Allowed: true}, &policy.Report{Status: policy.StatusOK, Took: took})
}

func (d *desk) denied(c *policy.Connection) {
	d.Observe(&policy.Call{Connection: c, Time: d.now}, &policy.Outcome{Reason: &policy.Reason{Code: "X"}}, nil)
}

// nearly forgets how long calls took, which the histogram knows only roughly.
var nearly = cmp.FilterValues(func(x, y time.Duration) bool { return x > 0 && y > 0 }, cmp.Ignore())

func TestMeterCountsWhatBecameOfCalls(t *testing.T) {
	sent := &policy.Report{Status: policy.StatusOK, Took: time.Second}
	allowed := &policy.Outcome{Allowed: true}
	low := &policy.Outcome{Reason: &policy.Reason{Code: "LOW"}}
	cases := map[string]struct {
		call policy.Call
		o    *policy.Outcome
		r    *policy.Report
		want stats.Window
	}{
		"answered":          {policy.Call{}, allowed, sent, stats.Window{Calls: 1, P50: 1, P95: 1}},
		"error":             {policy.Call{}, allowed, &policy.Report{Status: policy.StatusError, Took: 1}, stats.Window{Calls: 1, Errors: 1, P50: 1, P95: 1}},
		"timeout":           {policy.Call{}, allowed, &policy.Report{Status: policy.StatusTimeout, Took: 1}, stats.Window{Calls: 1, Errors: 1, P50: 1, P95: 1}},
		"tool error":        {policy.Call{}, allowed, &policy.Report{Status: policy.StatusToolError, Took: 1}, stats.Window{Calls: 1, ToolErrors: 1, P50: 1, P95: 1}},
		"cancelled":         {policy.Call{}, allowed, &policy.Report{Status: policy.StatusCancelled, Took: 1}, stats.Window{Calls: 1}},
		"never arrived":     {policy.Call{}, allowed, &policy.Report{Status: policy.StatusFailed, Unsent: true, Took: 1}, stats.Window{Calls: 1, Errors: 1}},
		"notification":      {policy.Call{}, allowed, &policy.Report{Status: policy.StatusSent}, stats.Window{}},
		"server asks":       {policy.Call{Direction: policy.ToAgent}, allowed, sent, stats.Window{}},
		"refused":           {policy.Call{}, low, nil, stats.Window{Denied: 1, Reasons: map[string]uint64{"LOW": 1}}},
		"server is refused": {policy.Call{Direction: policy.ToAgent}, low, nil, stats.Window{Denied: 1, Reasons: map[string]uint64{"LOW": 1}}},
		"result withheld":   {policy.Call{}, low, sent, stats.Window{Calls: 1, Denied: 1, Reasons: map[string]uint64{"LOW": 1}, P50: 1, P95: 1}},
		"observed":          {policy.Call{}, found("notes", "notes", "observed"), sent, stats.Window{Calls: 1, Observed: 1, P50: 1, P95: 1}},
		"notes":             {policy.Call{}, found("notes"), sent, stats.Window{Calls: 1, P50: 1, P95: 1}},
		"an overrun":        {policy.Call{}, found("enforced"), sent, stats.Window{Calls: 1, P50: 1, P95: 1}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			c.call.Connection, c.call.Time = way("c"), d.now
			d.Observe(&c.call, c.o, c.r)
			if diff := cmp.Diff(stats.Health{Last: d.now, Hour: c.want, Total: c.want}, d.Of(way("c")), nearly); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMeterTellsConnectionsApart(t *testing.T) {
	d := newDesk()
	d.Observe(&policy.Call{Time: d.now}, &policy.Outcome{Reason: policy.ReasonNoConnection}, nil)
	d.denied(way("a"))
	other := way("a")
	other.Agent = &policy.Agent{Name: "else"}
	for name, c := range map[string]*policy.Connection{"other name": way("b"), "other agent": other} {
		if h := d.Of(c); h.Total.Denied != 0 || !h.Last.IsZero() {
			t.Errorf("%s has %+v", name, h)
		}
	}
	d.Keep([]*policy.Connection{way("b")})
	if h := d.Of(way("a")); h.Total.Denied != 0 {
		t.Errorf("what is not kept has %+v", h)
	}
	d.denied(way("b"))
	d.Keep([]*policy.Connection{way("b")})
	if h := d.Of(way("b")); h.Total.Denied != 1 {
		t.Errorf("what is kept has %+v", h)
	}
}

func TestHourForgets(t *testing.T) {
	type step struct {
		after time.Duration
		calls int
	}
	cases := map[string]struct {
		steps             []step
		wait              time.Duration
		wantHour, wantAll uint64
	}{
		"the 59 minutes before":       {[]step{{0, 2}}, 59 * time.Minute, 2, 2},
		"not the 60th":                {[]step{{0, 2}}, time.Hour, 0, 2},
		"each minute for itself":      {[]step{{0, 1}, {30 * time.Minute, 4}}, 40 * time.Minute, 4, 5},
		"a leap over many hours":      {[]step{{0, 3}}, 1000 * time.Hour, 0, 3},
		"a clock that is set back":    {[]step{{0, 3}, {-3 * time.Hour, 1}}, 0, 4, 4},
		"and the time that it caught": {[]step{{0, 3}, {-3 * time.Hour, 1}}, 4 * time.Hour, 0, 4},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			for _, s := range c.steps {
				d.now = d.now.Add(s.after)
				for range s.calls {
					d.answered(way("c"), time.Millisecond)
					d.denied(way("c"))
				}
			}
			d.now = d.now.Add(c.wait)
			h := d.Of(way("c"))
			if h.Hour.Calls != c.wantHour || h.Hour.Denied != c.wantHour || h.Hour.Reasons["X"] != c.wantHour {
				t.Errorf("the hour has %+v, want %d", h.Hour, c.wantHour)
			}
			if h.Total.Calls != c.wantAll || h.Total.Reasons["X"] != c.wantAll {
				t.Errorf("the total has %+v, want %d", h.Total, c.wantAll)
			}
			if (h.Hour.P95 != 0) != (c.wantHour != 0) || h.Total.P95 == 0 {
				t.Errorf("the percentiles are %v and %v", h.Hour.P95, h.Total.P95)
			}
		})
	}
}

func TestPercentilesAreAtMostAQuarterOff(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, spread := range map[string]func() time.Duration{
		"fast": func() time.Duration {
			return 100*time.Microsecond + time.Duration(random.Int64N(int64(time.Millisecond)))
		},
		"slow":  func() time.Duration { return time.Duration(1+random.Int64N(1000)) * 100 * time.Millisecond },
		"equal": func() time.Duration { return 777 * time.Millisecond },
		"lower": func() time.Duration { return 1 << 29 },
		"upper": func() time.Duration { return 1<<29 - 1 },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk()
			var all []time.Duration
			for range 2000 {
				all = append(all, spread())
				d.answered(way("c"), all[len(all)-1])
			}
			slices.Sort(all)
			h := d.Of(way("c")).Hour
			for want, got := range map[time.Duration]time.Duration{all[len(all)/2]: h.P50, all[len(all)*95/100]: h.P95} {
				if off := (got - want).Abs(); off > want/4 {
					t.Errorf("got %v, want %v", got, want)
				}
			}
		})
	}
}

func TestNoDurationIsLost(t *testing.T) {
	for _, took := range []time.Duration{-1, 0, 1, 1<<16 - 1, 1 << 16, 1 << 38, 1<<63 - 1} {
		d := newDesk()
		d.answered(way("c"), took)
		if h := d.Of(way("c")); h.Total.P50 <= 0 || took > 0 && took < 1<<38 && h.Total.P50 > 3*took+1<<16 {
			t.Errorf("%d ns is told as %v", took, h.Total.P50)
		}
	}
}

func TestObserveTakesNoMemory(t *testing.T) {
	d, c := newDesk(), way("c")
	calls := []func(){
		func() { d.answered(c, time.Second) },
		func() { d.denied(c) },
	}
	call, allowed := &policy.Call{Connection: c, Time: d.now}, &policy.Outcome{Allowed: true}
	refused, report := &policy.Outcome{Reason: &policy.Reason{Code: "X"}}, &policy.Report{Status: policy.StatusOK, Took: time.Second}
	for _, f := range calls {
		f() // what a connection and a reason take is taken once
	}
	if n := testing.AllocsPerRun(100, func() {
		d.now = d.now.Add(time.Second)
		d.Observe(call, allowed, report)
		d.Observe(call, refused, nil)
	}); n != 0 {
		t.Errorf("two calls take %v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	d, c := newDesk(), way("c")
	call, allowed, report := &policy.Call{Connection: c, Time: d.now}, &policy.Outcome{Allowed: true}, &policy.Report{Status: policy.StatusOK, Took: time.Second}
	b.ReportAllocs()
	for b.Loop() {
		d.Observe(call, allowed, report)
	}
}
