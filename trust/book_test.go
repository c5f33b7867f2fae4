package trust_test

import (
	"errors"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/trust"
)

// spoil saves, changes one value of the state behind the book's back, and opens the book again.
func (w *world) spoil(tb fataler, key string, value []byte) {
	tb.Helper()
	w.save(tb)
	if err := w.state.Apply(w.state.Position()+1, []store.Put{{Key: []byte(key), Value: value}}); err != nil {
		tb.Fatal(err)
	}
	w.reopen(tb)
}

func TestNothingIsWashedByRegisteringAgain(t *testing.T) {
	w := newWorld(t)
	w.violate(policy.High, 1)
	want := w.score()
	w.save(t)
	w.Register(trust.ParamsOf(nil), nil, nil) // gone from the file
	w.Register(trust.ParamsOf(nil), []string{bot}, []string{hub})
	if got := w.score(); got != want {
		t.Errorf("after leaving the file and coming back the score is %d, was %d", got, want)
	}
	w.save(t)
	w.reopen(t)
	w.Register(trust.ParamsOf(nil), []string{bot}, []string{hub})
	if got := w.score(); got != want {
		t.Errorf("after a restart the score is %d, was %d", got, want)
	}
}

func TestALostRecordIsNotMadeAgain(t *testing.T) {
	for name, value := range map[string][]byte{"gone": nil, "emptied": {}, "of another": {1, 0, 0}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.spoil(t, "t/a/bot", value)
			w.Register(trust.ParamsOf(nil), []string{bot}, []string{hub})
			agent := trust.Agent(bot)
			if got, want := w.Standing(agent), (trust.Standing{Condition: trust.Damaged}); got != want {
				t.Errorf("the standing is %v, want %v", got, want)
			}
			w.succeed("write", 5)
			if err := w.Release(agent, orders); !errors.Is(err, trust.ErrDamaged) {
				t.Errorf("releasing it: %v", err)
			}
			if _, after, err := w.Adjust(agent, 300, orders); err != nil || after != 300 {
				t.Errorf("adjusting it gives %d, error %v", after, err)
			}
			w.save(t)
			w.reopen(t)
			if got := w.score(); got != 300 {
				t.Errorf("after an operator has begun another record the score is %d", got)
			}
		})
	}
}

func TestARecordUnderAnotherNameIsDamaged(t *testing.T) {
	w := newWorld(t)
	w.Register(trust.ParamsOf(nil), []string{"evil"}, nil)
	w.violate(policy.Critical, 1)
	w.save(t)
	good, err := w.state.Get([]byte("t/a/evil"))
	if err != nil {
		t.Fatal(err)
	}
	w.spoil(t, "t/a/bot", good)
	if got := w.Standing(trust.Agent(bot)).Condition; got != trust.Damaged {
		t.Errorf("with the record of another the agent is %v", got)
	}
}

func TestOpenRefusesWhatItCannotRead(t *testing.T) {
	for name, c := range map[string]struct{ key, value string }{
		"damaged parameters": {"t/rules", "\x01\x02"},
		"a foreign key":      {"t/z", ""},
		"a key without name": {"t/a/", ""},
	} {
		w := newWorld(t)
		if err := w.state.Apply(1, []store.Put{{Key: []byte(c.key), Value: []byte(c.value)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := trust.Open(&w.state, w.clock); err == nil {
			t.Errorf("%s: the book opens", name)
		}
	}
	if _, err := trust.Open(broken{}, time.Now); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a broken store: %v", err)
	}
}

// broken is a state that cannot be read.
type broken struct{ store.Reader }

func (broken) Scan([]byte, []byte, bool) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) { yield(store.Item{}, store.ErrDamaged) }
}

func TestOtherParametersRewriteNoPast(t *testing.T) {
	quick := params(t, func(s *trust.Section) {
		s.Start = read[trust.StartScore](t, "700")
		s.HalfLife = &trust.HalfLife{Penalty: read[trust.PenaltyLife](t, "1d")}
		s.Weights = &trust.Weights{High: read[trust.HighWeight](t, "3")}
	})
	w := newWorld(t)
	w.violate(policy.High, 1)
	w.pass(7 * day) // a penalty of 0.75 is left
	before := w.score()
	w.Register(quick, []string{bot, "late"}, []string{hub})
	if got := w.score(); got != before {
		t.Errorf("the new parameters move the score from %d to %d", before, got)
	}
	if got := w.Standing(trust.Agent("late")).Score; got != 700 {
		t.Errorf("a new agent begins at %d", got)
	}
	w.save(t)
	w.reopen(t)
	w.pass(day)
	if got := w.score(); got != 385 { // 500 * 2^-(0.75/2)
		t.Errorf("a day later the score is %d", got)
	}
	w.Register(trust.ParamsOf(nil), []string{bot}, []string{hub})
	if got := w.score(); got != 385 {
		t.Errorf("the day under the other parameters became one under these: %d", got)
	}
}

func TestChangesAreOnlyWhatHasChanged(t *testing.T) {
	w := newWorld(t)
	w.Register(trust.ParamsOf(nil), []string{"other"}, nil)
	w.save(t)
	w.succeed("write", 3)
	w.pass(time.Second)
	var keys []string
	w.Changes(func(p store.Put) {
		keys = append(keys, string(p.Key))
		if len(p.Value) > 200 {
			t.Errorf("the value of %s has %d bytes", p.Key, len(p.Value))
		}
	})
	if diff := cmp.Diff([]string{"t/a/bot", "t/u/hub"}, keys); diff != "" {
		t.Error(diff)
	}
	w.Changes(func(p store.Put) { t.Errorf("%s has not changed", p.Key) })
}

func TestOperatorsBringAScoreWhereTheyWant(t *testing.T) {
	agent := trust.Agent(bot)
	for _, history := range []func(*world){
		func(*world) {},
		func(w *world) { w.violate(policy.High, 3) },
		func(w *world) { w.fail("delete", 40) },
		func(w *world) { w.fail("read", 4); w.violate(policy.Low, 1); w.pass(3 * day); w.succeed("write", 50) },
	} {
		for _, want := range []int{0, 1, 333, 480, 500, 501, 750, 999} {
			w := newWorld(t)
			history(w)
			before := w.score()
			b, after, err := w.Adjust(agent, want, orders)
			if b != before || after != want || err != nil || w.score() != want {
				t.Errorf("from %d to %d: %d, %d, now %d, error %v", before, want, b, after, w.score(), err)
			}
		}
	}
	w := newWorld(t)
	for _, step := range []struct{ by, want int }{{-100, 400}, {50, 450}, {-2000, 0}, {5000, 999}} {
		if _, after, err := w.AdjustBy(agent, step.by, orders); err != nil || after != step.want {
			t.Errorf("by %d: %d, error %v", step.by, after, err)
		}
	}
	for _, score := range []int{-1, 1000} {
		if _, _, err := w.Adjust(agent, score, orders); !errors.Is(err, trust.ErrScore) {
			t.Errorf("to %d: %v", score, err)
		}
	}
	if _, _, err := w.Adjust(trust.Agent("nobody"), 5, orders); !errors.Is(err, trust.ErrUnknown) {
		t.Errorf("of nobody: %v", err)
	}
}

func TestAnAdjustmentEndsNoQuarantine(t *testing.T) {
	w := newWorld(t)
	agent := trust.Agent(bot)
	w.violate(policy.Critical, 1)
	if _, _, err := w.Adjust(agent, 800, orders); err != nil {
		t.Fatal(err)
	}
	if got := w.score(); got != 0 {
		t.Errorf("in quarantine the score is %d", got)
	}
	if err := w.Release(agent, orders); err != nil {
		t.Fatal(err)
	}
	if got := w.score(); got != 800 {
		t.Errorf("after the release the score is %d", got)
	}
}

func TestAnOperatorSetsARecordBackIntoThePresent(t *testing.T) {
	w := newWorld(t)
	agent := trust.Agent(bot)
	w.pass(100 * day) // the clock was wrong
	w.succeed("write", 1)
	w.pass(-100 * day)
	if got := w.Standing(agent).Condition; got != trust.Stale {
		t.Fatalf("the agent is %v", got)
	}
	if _, _, err := w.Adjust(agent, 500, orders); err != nil {
		t.Fatal(err)
	}
	if got, want := w.Standing(agent), (trust.Standing{Score: 500, Condition: trust.Sound, Params: trust.ParamsOf(nil).Version()}); got != want {
		t.Errorf("the standing is %v, want %v", got, want)
	}
}

func TestAClockThatStepsBackForgivesNothing(t *testing.T) {
	w := newWorld(t)
	w.violate(policy.High, 1)
	before := w.score()
	w.pass(-30 * day)
	w.violate(policy.Low, 1)
	w.succeed("write", 100)
	w.pass(30 * day)
	if got := w.score(); got >= before {
		t.Errorf("the score is %d, was %d", got, before)
	}
}

func TestTheBookIsSafeForManyAtOnce(t *testing.T) {
	w := newWorld(t)
	w.build(t, need(600, 3))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				c := &policy.Call{Time: w.now, Agent: w.conn.Agent, Connection: w.conn, Method: "tools/call", Task: "write"}
				w.Observe(c, &policy.Outcome{Allowed: true}, &policy.Report{Status: policy.StatusOK})
				w.ask(t, c)
				w.Standing(trust.Agent(bot))
				w.Changes(func(store.Put) {})
				if _, err := w.Explain(trust.Agent(bot), 700); err != nil {
					t.Error(err)
				}
				w.Register(trust.ParamsOf(nil), []string{bot}, []string{hub})
			}
		})
	}
	all.Wait()
	if got := w.List(); len(got) != 2 || got[0] != trust.Agent(bot) || got[1] != trust.Upstream(hub) {
		t.Errorf("the list is %v", got)
	}
}
