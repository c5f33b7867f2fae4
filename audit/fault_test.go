package audit_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// acknowledged is what a journal has promised to keep.
type acknowledged struct {
	begun []policy.Ref
	state map[string]int // the values grow
}

// work runs a journal from start to end and collects what it acknowledges. Errors are expected.
func (p *place) work(t *testing.T, ack *acknowledged, pause func()) {
	t.Helper()
	j, err := audit.Open(t.Context(), p.config)
	if err != nil {
		return
	}
	for i := range 12 {
		c := aCall(t, policy.Ref(len(ack.begun)+1000*i+1))
		if j.Begin(t.Context(), c, &policy.Outcome{Allowed: true}) == nil {
			ack.begun = append(ack.begun, c.Ref)
			if i%3 > 0 { // the others stay open
				j.End(c, &policy.Outcome{Allowed: true}, aResult(t))
			}
		}
		_ = j.Begin(t.Context(), c, &policy.Outcome{Reason: denied})
		if key := fmt.Sprintf("k/%d", i%3); j.Event(t.Context(), "changed", nil, []store.Put{put(key, fmt.Sprint(i))}) == nil {
			ack.state[key] = i
		}
		pause()
	}
	_ = j.Close()
}

// wantKept opens the journal without faults: everything acknowledged is there, the journal is sound, and what was
// declared pruned is gone.
func (p *place) wantKept(t *testing.T, ack *acknowledged) {
	t.Helper()
	p.config.Files, p.config.Keep = newFaultyFiles(0, noFault), 0
	synctest.Test(t, func(t *testing.T) {
		j := p.openBubble(t)
		if r := j.RolledBack(); r != nil {
			t.Errorf("rolled back: %s", r.Why)
		}
		records, pruned := map[string]int{}, ""
		for _, r := range all(t, j) {
			if r.Event == "journal pruned" {
				pruned = r.Fields["first"]
			}
			if r.Ref != "" && r.Kind != audit.KindRefusal {
				records[r.Ref]++
			}
		}
		for _, ref := range ack.begun {
			// Where something was pruned, the time of most calls has come; state is what remains to be compared.
			if got := records[ref.String()]; got != 2 && pruned == "" {
				t.Errorf("call %s has %d records, want intent and outcome", ref, got)
			}
		}
		got := state(t, j.State())
		for key, want := range ack.state {
			// A change that was not acknowledged may be there, because nobody knows what the disk has done.
			if value, err := strconv.Atoi(got[key]); err != nil || value < want {
				t.Errorf("%s is %q, want %d or later", key, got[key], want)
			}
		}
		synctest.Wait() // for an interrupted removal
		if want := fmt.Sprintf("%020s.seg", pruned); filepath.Base(p.segments(t)[0]) < want {
			t.Errorf("segments are %v, those before %s were pruned", p.segments(t), want)
		}
		mustClose(t, j)
	})
	p.wantSound(t)
}

func newWork(t *testing.T, files *faultyFiles) (*place, *acknowledged) {
	t.Helper()
	p := newPlace(t)
	p.config.Files, p.config.SegmentSize, p.config.CheckpointRecords = files, 4000, 10
	return p, &acknowledged{state: map[string]int{}}
}

// Every operation of a journal's life fails once, and at every one the power fails, the store kept or lost with it.
func TestNoFaultLosesWhatWasAcknowledged(t *testing.T) {
	sweep(t, func(p *place, ack *acknowledged) {
		p.config.Anchor = filepath.Join(t.TempDir(), "anchor") // no crash may look like a rollback
		p.work(t, ack, func() {})
	})
}

// The same while segments come of age and are removed.
func TestNoFaultWhilePruningLosesWhatWasAcknowledged(t *testing.T) {
	sweep(t, func(p *place, ack *acknowledged) {
		synctest.Test(t, func(t *testing.T) {
			p.config.Clock, p.config.Keep = time.Now, 3*time.Minute
			p.work(t, ack, func() { time.Sleep(30 * time.Second); synctest.Wait() })
		})
		p.config.Clock = ticking()
	})
}

func sweep(t *testing.T, work func(*place, *acknowledged)) {
	t.Helper()
	t.Parallel()
	files := newFaultyFiles(0, noFault)
	p, ack := newWork(t, files)
	work(p, ack)
	if len(ack.state) != 3 {
		t.Fatalf("without a fault %d keys are acknowledged", len(ack.state))
	}
	if got := files.unsynced(); got != nil {
		t.Errorf("after Close %v are not synced", got)
	}
	p.wantKept(t, ack)
	random := rand.New(rand.NewPCG(1, 2))
	for at := range files.count {
		for _, c := range []struct {
			name      string
			kind      fault
			loseStore bool
		}{{"failure", failOnce, false}, {"power failure", powerLoss, false}, {"power failure, store lost", powerLoss, true}} {
			files := newFaultyFiles(at, c.kind)
			p, ack := newWork(t, files)
			work(p, ack)
			if c.kind == powerLoss {
				files.loseUnsynced(t, random)
			}
			if c.loseStore {
				p.store = new(store.Memory)
			}
			p.wantKept(t, ack)
			if t.Failed() {
				t.Fatalf("%s at operation %d of %d", c.name, at, files.count)
			}
		}
	}
}

// After a failed sync nobody knows what the disk holds: nothing is acknowledged any more, and the sync is not repeated.
func TestAfterAFaultNoCallIsLetThrough(t *testing.T) {
	files := newFaultyFiles(0, noFault)
	p, _ := newWork(t, files)
	j := p.open(t)
	begin(t, j, aCall(t, 1))
	for what, kind := range map[string]int{"write": 0, "sync": 1} {
		files.mu.Lock()
		files.kind, files.at = failOnce, files.count+kind
		files.mu.Unlock()
		for range 3 {
			if err := j.Begin(t.Context(), aCall(t, 2), &policy.Outcome{Allowed: true}); !errors.Is(err, audit.ErrFailed) {
				t.Errorf("Begin after a failed %s = %v, want %v", what, err, audit.ErrFailed)
			}
		}
	}
	j.End(aCall(t, 1), &policy.Outcome{Allowed: true}, aResult(t)) // does not hang
	if err := j.Blocked(); !errors.Is(err, audit.ErrFailed) {
		t.Errorf("Blocked = %v, want %v", err, audit.ErrFailed)
	}
	if err := j.Err(); !errors.Is(err, audit.ErrFailed) {
		t.Errorf("Err = %v, want %v", err, audit.ErrFailed)
	}
	if got := all(t, j); len(got) != 1 {
		t.Errorf("a failed journal shows %v, want the record before it failed", brief(got))
	}
	if err := j.Close(); !errors.Is(err, audit.ErrFailed) {
		t.Errorf("Close = %v, want %v", err, audit.ErrFailed)
	}
}

// brokenStore fails to apply.
type brokenStore struct{ *store.Memory }

func (brokenStore) Apply(uint64, []store.Put) error { return errors.New("the store is broken") }

func TestAStoreThatFailsStopsTheJournal(t *testing.T) {
	p := newPlace(t)
	p.config.State = func(bool) (store.Engine, error) { p.store.Reopen(); return brokenStore{p.store}, nil }
	j, err := audit.Open(t.Context(), p.config)
	if err != nil {
		t.Fatal(err)
	}
	begin(t, j, aCall(t, 1))
	if err := j.Flush(t.Context()); !errors.Is(err, audit.ErrFailed) {
		t.Errorf("Flush = %v, want %v", err, audit.ErrFailed)
	}
	if err := j.Begin(t.Context(), aCall(t, 2), &policy.Outcome{Allowed: true}); !errors.Is(err, audit.ErrFailed) {
		t.Errorf("Begin = %v, want %v", err, audit.ErrFailed)
	}
	if err := j.Close(); !errors.Is(err, audit.ErrFailed) {
		t.Errorf("Close = %v, want %v", err, audit.ErrFailed)
	}
}

// Too few descriptors stop calls before the journal needs one. A segment that cannot be begun, because they went in that
// moment, is begun when there are some; whoever waits for a record waits for that.
func TestTooFewDescriptorsStopCalls(t *testing.T) {
	files := newFaultyFiles(0, noFault)
	p, _ := newWork(t, files)
	p.config.SegmentSize = 1 // a few batches end one
	var seconds atomic.Int64
	p.config.Clock = func() time.Time { return time.Unix(1_800_000_000+seconds.Load(), 0) }
	set := func(bare bool) {
		files.mu.Lock()
		defer files.mu.Unlock()
		files.bare = bare
	}
	lacked := func() int {
		files.mu.Lock()
		defer files.mu.Unlock()
		return files.lacked
	}
	j := p.open(t)
	begin(t, j, aCall(t, 1))
	set(true) // not noticed while the clock stands
	began := make(chan error, 1)
	go func() {
		var err error
		for i := policy.Ref(100); i < 200 && err == nil; i++ {
			err = j.Begin(t.Context(), aCall(t, i), &policy.Outcome{Allowed: true})
		}
		began <- err
	}()
	for lacked() == 0 {
		time.Sleep(time.Millisecond)
	}
	seconds.Add(1)
	if err := j.Begin(t.Context(), aCall(t, 2), &policy.Outcome{Allowed: true}); !errors.Is(err, audit.ErrDescriptors) {
		t.Errorf("Begin = %v, want %v", err, audit.ErrDescriptors)
	}
	if err := j.Blocked(); !errors.Is(err, audit.ErrDescriptors) || j.Err() != nil {
		t.Errorf("Blocked = %v and Err = %v, want %v and nothing", err, j.Err(), audit.ErrDescriptors)
	}
	if err := first(began, 200*time.Millisecond); err != nil && !errors.Is(err, audit.ErrDescriptors) {
		t.Errorf("Begin = %v, want it to wait or to say what it lacks", err)
	}
	set(false)
	seconds.Add(1)
	begin(t, j, aCall(t, 3)) // behind the segment that has waited
	mustClose(t, j)
	p.verify(t)
}

// first returns the first error that comes in time.
func first(errs <-chan error, within time.Duration) error {
	select {
	case err := <-errs:
		return err
	case <-time.After(within):
		return nil
	}
}

// A full disk stops calls while there is still room to end those that are under way, and lets them through again when
// there is space. Refusals go on as numbers, but for the
// worst.
func TestAFullDiskStopsCalls(t *testing.T) {
	files := newFaultyFiles(0, noFault)
	p, _ := newWork(t, files)
	setFree := func(n uint64) {
		files.mu.Lock()
		defer files.mu.Unlock()
		files.free = n
	}
	synctest.Test(t, func(t *testing.T) {
		j := p.openBubble(t)
		begin(t, j, aCall(t, 1))
		setFree(96<<20 - 1)
		time.Sleep(100 * time.Millisecond)
		if err := j.Begin(t.Context(), aCall(t, 2), &policy.Outcome{Allowed: true}); !errors.Is(err, audit.ErrSpace) {
			t.Errorf("Begin = %v, want %v", err, audit.ErrSpace)
		}
		if err := j.Blocked(); !errors.Is(err, audit.ErrSpace) || j.Err() != nil {
			t.Errorf("Blocked = %v and Err = %v, want %v and nothing", err, j.Err(), audit.ErrSpace)
		}
		for range 1000 {
			refuse(t, j, aCall(t, 3), denied)
		}
		refuse(t, j, aCall(t, 5), &policy.Reason{Code: "STOLEN", Answer: policy.AnswerNotPermitted, Severity: policy.Critical})
		j.End(aCall(t, 1), &policy.Outcome{Allowed: true}, aResult(t))
		event(t, j, "key revoked")
		setFree(96 << 20)
		time.Sleep(time.Second)
		begin(t, j, aCall(t, 4))
		if err := j.Blocked(); err != nil {
			t.Errorf("Blocked = %v with space", err)
		}
		got := strings.Join(brief(all(t, j)), "; ")
		want := "intent 0000-0000-0001; refusal STOLEN 0000-0000-0005; outcome ok 0000-0000-0001; event key revoked; counted TOOL_NOT_ALLOWED x1000; intent 0000-0000-0004"
		if got != want {
			t.Errorf("records:\n got %s\nwant %s", got, want)
		}
		mustClose(t, j)
		setFree(0)
		if _, err := audit.Open(t.Context(), p.config); !errors.Is(err, audit.ErrSpace) {
			t.Errorf("Open = %v, want %v", err, audit.ErrSpace)
		}
	})
}
