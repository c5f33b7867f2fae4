package e2e

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/hopgate/hopgate/audit"
)

// BenchmarkOneHotCounter has 64 callers spend from one cap, each call on record and synced before it is let through, and
// then as many count in one synced Badger transaction for each call, at will and in turn. It reports calls a second, and
// how many times more the first is: the disk is the same, and so is its mood. The journal has the settings that serve gives
// it.
func BenchmarkOneHotCounter(b *testing.B) {
	const callers, calls, transactions = 64, 32_000, 640
	var ours, theirs, inTurn time.Duration
	rounds := 0
	for b.Loop() {
		ours += spendFromOneCap(b, callers, calls)
		theirs += countInBadger(b, callers, transactions)
		inTurn += countInTurn(b, callers, transactions)
		rounds++
	}
	perSecond := func(n int, took time.Duration) float64 { return float64(n*rounds) / took.Seconds() }
	b.ReportMetric(perSecond(calls, ours), "calls/s")
	b.ReportMetric(perSecond(transactions, theirs), "badger/s")
	b.ReportMetric(perSecond(calls, ours)/perSecond(transactions, theirs), "times")
	b.ReportMetric(perSecond(calls, ours)/perSecond(transactions, inTurn), "times-in-turn")
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

// countInBadger reads, adds and writes in one transaction, and does so again where another came between.
func countInBadger(b *testing.B, callers, transactions int) time.Duration {
	b.Helper()
	return inBadger(b, callers, transactions, func(db *badger.DB) error {
		for {
			err := db.Update(func(t *badger.Txn) error {
				spent := uint64(0)
				switch item, err := t.Get(spentKey); {
				case errors.Is(err, badger.ErrKeyNotFound):
				case err != nil:
					return err
				default:
					if err := item.Value(func(v []byte) error { spent = binary.BigEndian.Uint64(v); return nil }); err != nil {
						return err
					}
				}
				return t.Set(spentKey, binary.BigEndian.AppendUint64(nil, spent+1))
			})
			if !errors.Is(err, badger.ErrConflict) {
				return err
			}
		}
	})
}

// countInTurn takes turns outside Badger and reads nothing: the best that a transaction for each call can do.
func countInTurn(b *testing.B, callers, transactions int) time.Duration {
	b.Helper()
	var turn sync.Mutex
	counter := uint64(0)
	return inBadger(b, callers, transactions, func(db *badger.DB) error {
		turn.Lock()
		defer turn.Unlock()
		counter++
		return db.Update(func(t *badger.Txn) error { return t.Set(spentKey, binary.BigEndian.AppendUint64(nil, counter)) })
	})
}

var spentKey = []byte("spent")

func inBadger(b *testing.B, callers, transactions int, count func(*badger.DB) error) time.Duration {
	b.Helper()
	db, err := badger.Open(badger.DefaultOptions(b.TempDir()).WithSyncWrites(true).WithLogger(nil).WithMemTableSize(8 << 20).WithValueThreshold(1 << 20))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	return each(b, callers, transactions, func() error { return count(db) })
}
