package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// tally is a ledger of values by key.
type tally struct {
	mu    sync.Mutex
	dirty map[string][]byte
}

func (c *tally) set(key string, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dirty == nil {
		c.dirty = map[string][]byte{}
	}
	c.dirty[key] = value
}

func (c *tally) Changes(put func(store.Put)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, v := range c.dirty {
		put(store.Put{Key: []byte(k), Value: v})
	}
	clear(c.dirty)
}

// crashed returns a place with the journal as a crash would leave it now, and nothing of what it adds up to.
func (p *place) crashed(t *testing.T) *place {
	t.Helper()
	c := p.copyOf(t)
	c.store = new(store.Memory)
	return c
}

func TestChangesOfALedgerAreDurableWithTheRecordThatFollows(t *testing.T) {
	info := &policy.Outcome{Gate: "rate", Reason: &policy.Reason{Code: "RATE_LIMITED"}}
	for name, record := range map[string]func(*testing.T, *audit.Journal) error{
		"an allowed call": func(t *testing.T, j *audit.Journal) error {
			t.Helper()
			return j.Begin(t.Context(), aCall(t, 1), &policy.Outcome{Allowed: true})
		},
		"a refusal that says something about the agent": func(t *testing.T, j *audit.Journal) error {
			t.Helper()
			return j.Begin(t.Context(), aCall(t, 1), &policy.Outcome{Gate: "scope", Reason: &policy.Reason{Code: "TOOL", Severity: policy.Low}})
		},
		"the end of a call that failed": func(t *testing.T, j *audit.Journal) error {
			t.Helper()
			j.End(aCall(t, 1), &policy.Outcome{Allowed: true}, &policy.Report{Status: policy.StatusError})
			return nil
		},
		"the end of a call that must be durable": func(t *testing.T, j *audit.Journal) error {
			t.Helper()
			return j.End(aCall(t, 1), &policy.Outcome{Allowed: true, Durable: true}, &policy.Report{Status: policy.StatusOK})
		},
		"an event": func(t *testing.T, j *audit.Journal) error {
			t.Helper()
			return j.Event(t.Context(), "adjusted", nil, nil)
		},
		"what came before, at the end": func(t *testing.T, j *audit.Journal) error {
			t.Helper()
			err := j.Begin(t.Context(), aCall(t, 1), info)
			return errors.Join(err, j.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, ledger := newPlace(t), new(tally)
			j := p.open(t)
			j.Attach(ledger)
			ledger.set("t/agent", []byte("42"))
			if err := record(t, j); err != nil {
				t.Fatal(err)
			}
			crashed := p.crashed(t)
			got, err := crashed.open(t).State().Get([]byte("t/agent"))
			if err != nil || string(got) != "42" {
				t.Errorf("after a crash the state is %q, %v; want 42", got, err)
			}
		})
	}
}

func TestManyChangesOfALedgerMakeSeveralFrames(t *testing.T) {
	p, ledger := newPlace(t), new(tally)
	j := p.open(t)
	j.Attach(ledger)
	const n = 100
	value := bytes.Repeat([]byte("x"), 100<<10)
	for i := range n {
		ledger.set(fmt.Sprintf("q/%03d", i), value)
	}
	if err := j.Event(t.Context(), "registered", nil, nil); err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]*place{"crashed": p.crashed(t), "store as it was": p.copyOf(t)} {
		state := at.open(t).State()
		for i := range n {
			if got, err := state.Get(fmt.Appendf(nil, "q/%03d", i)); err != nil || !bytes.Equal(got, value) {
				t.Fatalf("%s: change %d is lost: %d bytes, %v", name, i, len(got), err)
			}
		}
	}
	p.wantSound(t)
}

func TestWhatALedgerMayNotChangeEndsTheJournal(t *testing.T) {
	for name, key := range map[string]string{"the journal's own": "j/x", "no key": ""} {
		t.Run(name, func(t *testing.T) {
			p, ledger := newPlace(t), new(tally)
			j := p.open(t)
			j.Attach(ledger)
			ledger.set(key, []byte("1"))
			if err := j.Event(t.Context(), "x", nil, nil); !errors.Is(err, audit.ErrFailed) {
				t.Errorf("got %v, want ErrFailed", err)
			}
		})
	}
}
