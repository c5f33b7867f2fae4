package quota_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/quota"
	"github.com/hopgate/hopgate/store"
)

// TestManyCallersStayBelowTheCap has callers of one team race for its money and its places, while a journal reads.
func TestManyCallersStayBelowTheCap(t *testing.T) {
	const callers, each, places, most = 16, 300, 5, 1000 // most is what the cap has room for
	b := newBook(t)
	l := mustConnect(t, b, setup{
		rate: quota.RateKeys{Concurrency: &quota.Count{N: places}}, team: one("spend", &quota.SpendKeys{Spend: budgets("$1000/month")}),
		upstream: cost(quota.Prices{Reported: &quota.Reported{Pointer: pointer("/c"), Max: price("$2")}}),
	})
	answer := answered(t, `{"_meta":{"c":1}}`)
	reports := []*policy.Report{nil, answer, answer, answer, {Status: policy.StatusTimeout}, {Status: policy.StatusFailed, Unsent: true}}
	var truth, busy atomic.Int64
	var work sync.WaitGroup
	for i := range callers {
		work.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 7))
			for range each {
				d := l.decide(t, l.toolCall(t, "x", "{}", noon))
				if !d.Allowed {
					continue
				}
				if n := busy.Add(1); n > places {
					t.Errorf("%d calls at once", n)
				}
				r := reports[random.IntN(len(reports))]
				switch {
				case r == answer:
					truth.Add(1)
				case r != nil && !r.Unsent:
					truth.Add(2)
				}
				busy.Add(-1)
				d.end(t, r)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		work.Wait()
		close(done)
	}()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
			b.Changes(func(store.Put) {})
			b.Usage(l.Connection)
			b.Snapshot()
		}
	}
	if truth.Load() > most {
		t.Errorf("upstreams took %d of %d", truth.Load(), most)
	}
	for _, u := range b.Usage(l.Connection) {
		if u.Reserved != 0 {
			t.Errorf("%s %s: %d are still reserved", u.Place, u.Text, u.Reserved)
		}
		if u.Kind == quota.KindSpend && u.Used != truth.Load()*unit {
			t.Errorf("charged %d, upstreams took %d", u.Used, truth.Load()*unit)
		}
	}
}
