package e2e

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/quota"
)

// What the child of the fault tests is told, in its environment.
const (
	faultDir     = "HOPGATE_FAULT_DIR" // state directory; without it the test is not a child
	faultLedger  = "HOPGATE_FAULT_LEDGER"
	faultCap     = "HOPGATE_FAULT_CAP" // billionths of a dollar
	faultCallers = "HOPGATE_FAULT_CALLERS"
	faultReserve = "HOPGATE_FAULT_RESERVE" // bytes of the disk; 0 for no ballast
	faultKeep    = "HOPGATE_FAULT_KEEP"    // for how long records are kept, in nanoseconds; 0 for ever
)

// mostCost is what a call may cost, in billionths of a dollar, and what is reserved for it.
const mostCost = 1000

// faultNow is the time of all calls, so that no month ends during a test.
var faultNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// account is a state directory with a book of spend in it, as a proxy has them.
type account struct {
	journal *audit.Journal
	book    *quota.Book
	link    *policy.Connection
	frame   *wire.Frame
}

// often has segments and checkpoints begin more often than by default, so that a process is killed in the midst of one.
func often(cfg audit.Config) audit.Config {
	cfg.SegmentSize, cfg.CheckpointRecords = 1<<20, 500
	return cfg
}

func openAccount(ctx context.Context, cfg audit.Config, limit int64) (*account, error) {
	cfg.Clock, cfg.Random, cfg.Log = time.Now, rand.Reader, zerolog.Nop()
	j, err := audit.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	a := &account{journal: j, frame: new(wire.Frame)}
	if err := j.Flush(ctx); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	if a.book, err = quota.Open(j.State(), func() time.Time { return faultNow }, nil); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	j.Attach(a.book)
	j.AttachMarks(func() (json.RawMessage, error) { return json.Marshal(a.book.Snapshot()) })
	if err := a.connect(limit); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return a, nil
}

// connect makes a connection whose upstream reports what a call has cost, under a cap for the month.
func (a *account) connect(limit int64) error {
	most := &quota.Price{Nanos: mostCost, Currency: "USD"}
	reported := &quota.Reported{Max: most}
	budget := quota.Budget{}
	if err := errors.Join(
		reported.Pointer.UnmarshalText([]byte("/cost")),
		budget.Max.UnmarshalText(fmt.Appendf(nil, "%d.%09d USD/month", limit/1e9, limit%1e9)),
	); err != nil {
		return err
	}
	a.link = &policy.Connection{
		Name: "c", Agent: &policy.Agent{Name: "bot"}, Limits: wire.DefaultLimits, Revision: "1",
		Upstream: &policy.Upstream{Name: "up", Settings: policy.Settings{
			"spend": &quota.UpstreamKeys{Cost: &quota.Cost{Prices: quota.Prices{Reported: reported}}},
		}},
	}
	gate, err := quota.Spend(a.book).Build(a.link, &quota.SpendKeys{Spend: []quota.Budget{budget}})
	if err != nil {
		return err
	}
	a.link.Gates = []policy.Named{{Name: "spend", Gate: gate}}
	const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{}}}`
	return wire.Parse(a.frame, []byte(call), wire.FromAgent, &wire.DefaultLimits)
}

// errSpent says that the cap is used up.
var errSpent = errors.New("the cap is used up")

// call makes one call. What it costs the upstream tells the ledger, as soon as the call is on record and before anybody
// is told.
func (a *account) call(ctx context.Context, ledger *os.File) error {
	ref, err := policy.NewRef(rand.Reader)
	if err != nil {
		return err
	}
	c := &policy.Call{
		Ref: ref, Time: faultNow, Agent: a.link.Agent, Connection: a.link, Upstream: "up",
		Frame: a.frame, Method: "tools/call", Target: "x",
	}
	_, out, settle := policy.Decide(ctx, c)
	if !out.Allowed {
		if out.Reason != nil && out.Reason.Code == "BUDGET_EXCEEDED" {
			return errSpent
		}
		return fmt.Errorf("refused: %+v", out)
	}
	if err := a.journal.Begin(ctx, c, &out); err != nil {
		return errors.Join(err, settle(ctx, &out, nil))
	}
	r := &policy.Report{Status: policy.StatusOK, Result: new(wire.Frame)}
	cost := mathrand.Int64N(mostCost + 1)
	switch mathrand.IntN(20) {
	case 0: // it never got there
		r, cost = &policy.Report{Status: policy.StatusFailed, Unsent: true}, 0
	case 1: // nobody knows
		r, cost = &policy.Report{Status: policy.StatusTimeout}, mostCost
	default:
		answer := fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"result":{"_meta":{"cost":0.%09d}}}`, cost)
		if err := wire.Parse(r.Result, answer, wire.FromUpstream, &wire.DefaultLimits); err != nil {
			return err
		}
	}
	if cost > 0 {
		if _, err := ledger.Write(binary.BigEndian.AppendUint64(nil, uint64(cost))); err != nil {
			return err
		}
	}
	err = settle(ctx, &out, r)
	a.journal.End(c, &out, r)
	return err
}

// spend has callers call until the cap is used up. While the disk is full they wait.
func (a *account) spend(ctx context.Context, callers int, ledger *os.File) error {
	var group sync.WaitGroup
	wrong := make(chan error, callers)
	var once sync.Once
	for range callers {
		group.Go(func() {
			for {
				switch err := a.call(ctx, ledger); {
				case errors.Is(err, errSpent):
					return
				case errors.Is(err, audit.ErrSpace):
					once.Do(func() { fmt.Println("full") })
					time.Sleep(5 * time.Millisecond) // a caller comes again
				case err != nil:
					wrong <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(wrong)
	return <-wrong
}

// TestFaultChild is the process that the fault tests kill.
func TestFaultChild(t *testing.T) {
	dir := os.Getenv(faultDir)
	if dir == "" {
		t.Skip("it is run by the fault tests")
	}
	number := func(name string) int64 {
		n, err := strconv.ParseInt(os.Getenv(name), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	reserve := number(faultReserve)
	a, err := openAccount(t.Context(), often(audit.Config{
		Dir: dir, Anchor: dir + ".anchor", Reserve: uint64(reserve), Ballast: reserve > 0,
		Keep: time.Duration(number(faultKeep)),
	}), number(faultCap))
	if err != nil {
		t.Fatal(err)
	}
	if r := a.journal.RolledBack(); r != nil {
		t.Fatalf("rolled back: %s", r.Why)
	}
	ledger, err := os.OpenFile(os.Getenv(faultLedger), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer ledger.Close()
	fmt.Println("ready")
	if err := a.spend(t.Context(), int(number(faultCallers)), ledger); err != nil {
		t.Fatal(err)
	}
	if err := a.journal.Close(); err != nil {
		t.Fatal(err)
	}
}
