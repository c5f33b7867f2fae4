package e2e

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/hopgate/hopgate/audit"
)

// BenchmarkOneHotCounter has 64 callers spend from one cap, each call on record and synced before it is let through, and
// then as many count in one synced Badger transaction for each call. It reports both in calls a second, and how many
// times more the first is: the disk is the same, and so is its mood.
func BenchmarkOneHotCounter(b *testing.B) {
	const callers, calls, transactions = 64, 32_000, 640
	var ours, theirs time.Duration
	rounds := 0
	for b.Loop() {
		ours += spendFromOneCap(b, callers, calls)
		theirs += countInBadger(b, callers, transactions)
		rounds++
	}
	perSecond := func(n int, took time.Duration) float64 { return float64(n*rounds) / took.Seconds() }
	b.ReportMetric(perSecond(calls, ours), "calls/s")
	b.ReportMetric(perSecond(transactions, theirs), "badger/s")
	b.ReportMetric(perSecond(calls, ours)/perSecond(transactions, theirs), "times")
}

// each has callers do something so many times together, and returns how long that took.
func each(b *testing.B, callers, times int, do func() error) time.Duration {
	b.Helper()
	var group sync.WaitGroup
	start := time.Now()
	for range callers {
		group.Go(func() {
			for range times / callers {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	return time.Since(start)
}

func spendFromOneCap(b *testing.B, callers, calls int) time.Duration {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "state")
	a, err := openAccount(b.Context(), audit.Config{Dir: dir, Anchor: dir + ".anchor"}, int64(calls)*mostCost)
	if err != nil {
		b.Fatal(err)
	}
	ledger, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer ledger.Close()
	took := each(b, callers, calls, func() error { return a.call(b.Context(), ledger) })
	if err := a.journal.Close(); err != nil {
		b.Fatal(err)
	}
	return took
}

// countInBadger takes turns outside Badger: transactions that meet on one key would be tried again and again inside.
func countInBadger(b *testing.B, callers, transactions int) time.Duration {
	b.Helper()
	db, err := badger.Open(badger.DefaultOptions(b.TempDir()).WithSyncWrites(true).WithLogger(nil).WithMemTableSize(8 << 20).WithValueThreshold(1 << 20))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	key, counter := []byte("spent"), uint64(0)
	var turn sync.Mutex
	return each(b, callers, transactions, func() error {
		turn.Lock()
		defer turn.Unlock()
		counter++
		return db.Update(func(t *badger.Txn) error { return t.Set(key, binary.BigEndian.AppendUint64(nil, counter)) })
	})
}
