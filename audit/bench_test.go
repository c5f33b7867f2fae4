package audit_test

import (
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// nowhere is a store that keeps only its position, to measure the journal alone.
type nowhere struct {
	store.Memory
	at atomic.Uint64
}

func (n *nowhere) Apply(pos uint64, _ []store.Put) error { n.at.Store(pos); return nil }
func (n *nowhere) Position() uint64                      { return n.at.Load() }

func alone(tb testing.TB) *audit.Journal {
	tb.Helper()
	p := newPlace(tb)
	p.config.State = func(bool) (store.Engine, error) { return new(nowhere), nil }
	return p.open(tb)
}

func TestACallCostsFewAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("under the race detector pools drop what they are given, at random")
	}
	j := alone(t)
	c, allowed, result := aCall(t, 1), &policy.Outcome{Allowed: true}, aResult(t)
	ctx := t.Context()
	got := math.Inf(1)
	for range 10 { // the smallest is without what the applier and timers take meanwhile
		got = min(got, testing.AllocsPerRun(100, func() {
			if err := j.Begin(ctx, c, allowed); err != nil {
				t.Fatal(err)
			}
			j.End(c, allowed, result)
		}))
	}
	if got > 5 {
		t.Errorf("Begin and End allocate %v times, want at most 5", got)
	}
}

// BenchmarkCall is the cost of a call's two records, the first of them durable, as callers see it.
func BenchmarkCall(b *testing.B) {
	for _, engine := range []string{"journal", "journal and Badger"} {
		for _, callers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", engine, callers), func(b *testing.B) {
				var j *audit.Journal
				if engine == "journal" {
					j = alone(b)
				} else {
					p := newPlace(b)
					p.config.State = nil
					j = p.open(b)
				}
				var refs atomic.Uint64
				allowed, result, ctx := &policy.Outcome{Allowed: true}, aResult(b), b.Context()
				b.ReportAllocs()
				inParallel(b, callers, func() func() error {
					c := aCall(b, 1)
					return func() error {
						c.Ref = policy.Ref(refs.Add(1))
						defer j.End(c, allowed, result)
						return j.Begin(ctx, c, allowed)
					}
				})
			})
		}
	}
}

// BenchmarkSyncedBadger is what the journal is measured against: one synced transaction for each call.
func BenchmarkSyncedBadger(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			db, err := badger.Open(badger.DefaultOptions(filepath.Join(b.TempDir(), "db")).WithSyncWrites(true).WithLogger(nil).WithMemTableSize(8 << 20).WithValueThreshold(1 << 20).WithDetectConflicts(false))
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			var n atomic.Uint64
			value := make([]byte, 600)
			b.ReportAllocs()
			inParallel(b, callers, func() func() error {
				return func() error {
					key := fmt.Appendf(nil, "a/%016d", n.Add(1))
					return db.Update(func(t *badger.Txn) error { return t.Set(key, value) })
				}
			})
		})
	}
}

// inParallel runs as many callers as it is told to. Each makes its own call.
func inParallel(b *testing.B, callers int, caller func() func() error) {
	b.Helper()
	if callers == 1 {
		call := caller()
		for b.Loop() {
			if err := call(); err != nil {
				b.Fatal(err)
			}
		}
		return
	}
	b.SetParallelism((callers + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		call := caller()
		for pb.Next() {
			if err := call(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkOpen is the start over 100,000 records, in segments behind snapshots, closed cleanly. CPU is that of the whole
// process, in user and system, while it opens.
func BenchmarkOpen(b *testing.B) {
	p := newPlace(b)
	p.config.State = nil
	j := p.open(b)
	var group sync.WaitGroup
	for at := range 64 {
		group.Go(func() {
			for i := at; i < 100_000; i += 64 {
				refuse(b, j, aCall(b, policy.Ref(i+1)), denied)
			}
		})
	}
	group.Wait()
	mustClose(b, j)
	var cpu time.Duration
	for b.Loop() {
		before := cpuTime(b)
		j := p.open(b)
		cpu += cpuTime(b) - before
		b.StopTimer()
		mustClose(b, j)
		b.StartTimer()
	}
	b.ReportMetric(float64(cpu.Microseconds())/1000/float64(b.N), "cpu-ms/op")
}
