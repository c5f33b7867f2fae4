package quota_test

import (
	"math"
	"testing"
	"time"

	"github.com/hopgate/hopgate/quota"
)

// TestModeObserveCountsWhatItLetsPass has calls pass a cap, a quota and a concurrency, and then acts on them.
func TestModeObserveCountsWhatItLetsPass(t *testing.T) {
	s := setup{
		rate:  quota.RateKeys{Rate: buckets("1/min burst 2"), Quota: calls("2/day"), Concurrency: &quota.Count{N: 2}},
		spend: quota.SpendKeys{Spend: budgets("$2/month")}, upstream: cost(quota.Prices{Call: price("$1"), X402: true}),
	}
	b := newBook(t)
	l := mustConnect(t, b, s)
	for i := range l.Gates {
		l.Gates[i].Observe = true
	}
	var all []*decision
	for i := range 5 {
		d := l.decide(t, l.toolCall(t, "x", "{}", noon))
		all = append(all, d)
		var codes []string
		for _, f := range d.Findings {
			codes = append(codes, f.Reason.Code)
		}
		if !d.Allowed || len(codes) != 2*min(1, i/2) {
			t.Errorf("call %d: %s, findings %v", i, d.code(), codes)
		}
		if d.Facts.Reserved != unit {
			t.Errorf("call %d reserves %d", i, d.Facts.Reserved)
		}
	}
	usage := func(kind quota.Kind) quota.Usage {
		for _, u := range b.Usage(l.Connection) {
			if u.Kind == kind && u.Place == "connection c" {
				return u
			}
		}
		t.Fatal("no such limit")
		return quota.Usage{}
	}
	if u := usage(quota.KindConcurrency); u.Reserved != 5 || u.Left != 0 {
		t.Errorf("under way: %+v", u)
	}
	for _, d := range all {
		d.end(t, answered(t, "{}"))
		if d.Facts.Charged != unit {
			t.Errorf("charged %d", d.Facts.Charged)
		}
	}
	if u := usage(quota.KindConcurrency); u.Reserved != 0 {
		t.Errorf("at the end: %+v", u)
	}
	if u := usage(quota.KindSpend); u.Used != 5*unit || u.Left != 0 || u.Reserved != 0 {
		t.Errorf("spend: %+v", u)
	}
	if u := usage(quota.KindQuota); u.Used != 5 {
		t.Errorf("quota: %+v", u)
	}
	if u := usage(quota.KindRate); u.Left != 0 || !u.Resets.Equal(noon.Add(2*time.Minute)) {
		t.Errorf("a rate went into debt: %+v", u)
	}

	huge := l.message(t, "tools/call", `{"name":"x","arguments":{},"_meta":{"x402/payment":{"payload":{"authorization":{"value":"9223372036854775807"}}}}}`, noon)
	for range 2 {
		d := l.decide(t, huge)
		if !d.Allowed {
			t.Fatal(d.code())
		}
		d.end(t, answered(t, "{}"))
	}
	if u := usage(quota.KindSpend); u.Used != math.MaxInt64 {
		t.Errorf("more than can be counted: %+v", u)
	}

	enforced := mustConnect(t, b, s)
	if got := enforced.try(t, "x", noon.Add(time.Hour)); got != "QUOTA_EXCEEDED" {
		t.Errorf("when it is acted on: %q", got)
	}
	for range 3 {
		enforced.try(t, "x", noon.Add(time.Hour))
	}
	if u := usage(quota.KindQuota); u.Used != 7 {
		t.Errorf("a refused call counts: %+v", u)
	}
}
