package trust_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/trust"
)

// An older copy of the records, put back, and lowered to the marks of the newer ones: nobody stands better than in either.
func TestAnOlderStateWashesNobody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		newer := lived(t)
		older := newer.copyOf(t)
		for _, d := range rapid.SliceOfN(deeds, 1, 8).Draw(t, "forgotten") {
			d.do(newer)
		}
		marks := newer.Snapshot()
		wait := durations(3*day).Draw(t, "wait")
		newer.pass(wait)
		older.now = newer.now
		alone := older.copyOf(t)
		if err := older.Lower(marks); err != nil {
			t.Fatal(err)
		}
		older.save(t)
		older.reopen(t)
		for _, w := range []time.Duration{0, durations(90*day).Draw(t, "later")} {
			newer.pass(w)
			older.pass(w)
			alone.pass(w)
			if got, most := older.score(), min(newer.score(), alone.score()); got > most {
				t.Fatalf("the score is %d; of the newer records it was %d, of the older ones %d", got, newer.score(), alone.score())
			}
		}
	})
}

func TestAQuarantineOutlivesARollback(t *testing.T) {
	w := newWorld(t)
	older := w.copyOf(t)
	w.violate(policy.Critical, 1)
	if err := older.Lower(w.Snapshot()); err != nil {
		t.Fatal(err)
	}
	older.save(t)
	older.reopen(t)
	if got := older.Standing(trust.Agent(bot)); got.Condition != trust.Quarantined {
		t.Errorf("the agent is %+v", got)
	}
	if got := older.Standing(trust.Upstream(hub)); got.Condition != trust.Sound || got.Score != 500 {
		t.Errorf("the upstream is %+v", got)
	}
	// The same marks again say nothing new, and one of an older quarantine ends none that came later.
	before := older.Snapshot()
	if err := older.Lower(w.Snapshot()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, older.Snapshot()); diff != "" {
		t.Errorf("lowered twice:\n%s", diff)
	}
	marks := newWorld(t).Snapshot()
	if err := older.Lower(marks); err != nil || older.Standing(trust.Agent(bot)).Condition != trust.Quarantined {
		t.Errorf("older marks: %v, %+v", err, older.Standing(trust.Agent(bot)))
	}
}

// An agent that the older state does not know is what the marks say, and not a new one.
func TestAnAgentThatTheOlderStateDoesNotKnow(t *testing.T) {
	w, older := newWorld(t), newWorld(t)
	w.Register(trust.ParamsOf(nil), []string{"late"}, nil)
	late := trust.Agent("late")
	if err := w.Quarantine(late, orders); err != nil {
		t.Fatal(err)
	}
	if err := older.Lower(w.Snapshot()); err != nil {
		t.Fatal(err)
	}
	older.Register(trust.ParamsOf(nil), []string{"late"}, nil)
	if got := older.Standing(late); got.Condition != trust.Quarantined {
		t.Errorf("it is %+v", got)
	}
}

func TestMarksThatMakeNoSenseChangeNothing(t *testing.T) {
	w, older := newWorld(t), newWorld(t)
	w.violate(policy.High, 2)
	good := w.Snapshot()
	for name, change := range map[string]func(*trust.Mark){
		"key":                   func(m *trust.Mark) { m.Key = "q/c/bot" },
		"key of another party":  func(m *trust.Mark) { m.Key += "x" },
		"record":                func(m *trust.Mark) { m.Record = bytes.Clone(m.Record); m.Record[3] ^= 1 },
		"record that is no one": func(m *trust.Mark) { m.Record = nil },
	} {
		bad := good[1]
		change(&bad)
		before := older.Snapshot()
		if err := older.Lower([]trust.Mark{good[0], bad}); err == nil {
			t.Errorf("a mark with a wrong %s is taken", name)
		}
		if diff := cmp.Diff(before, older.Snapshot()); diff != "" {
			t.Errorf("after a wrong %s:\n%s", name, diff)
		}
	}
}
