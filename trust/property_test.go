package trust_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/trust"
)

var tasks = []string{"read", "write", "delete", policy.Unclassified}

// deed is one thing that an agent does, after a while.
type deed struct {
	wait     time.Duration
	kind     string // success, failure or violation
	task     string
	severity policy.Severity
	times    int
}

func (d deed) do(w *world) {
	w.pass(d.wait)
	switch d.kind {
	case "success":
		w.succeed(d.task, d.times)
	case "failure":
		w.fail(d.task, d.times)
	default:
		w.violate(d.severity, d.times)
	}
}

// deeds draws what agents do. Nothing is critical where it would end in quarantine, which hides all else.
var deeds = rapid.Custom(func(t *rapid.T) deed {
	return deed{
		wait:     rapid.OneOf(rapid.Just(time.Duration(0)), durations(time.Hour), durations(60*day)).Draw(t, "wait"),
		kind:     rapid.SampledFrom([]string{"success", "success", "failure", "violation"}).Draw(t, "kind"),
		task:     rapid.SampledFrom(tasks).Draw(t, "task"),
		severity: rapid.SampledFrom([]policy.Severity{policy.Info, policy.Low, policy.Medium, policy.High}).Draw(t, "severity"),
		times:    rapid.SampledFrom([]int{1, 1, 3, 50}).Draw(t, "times"),
	}
})

func durations(most time.Duration) *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.Int64Range(0, int64(most)), func(n int64) time.Duration { return time.Duration(n) })
}

// lived is a world behind a random history.
func lived(t *rapid.T) *world {
	w := newWorld(t)
	for i, d := range rapid.SliceOfN(deeds, 0, 12).Draw(t, "history") {
		d.do(w)
		if s := w.score(); s < 0 || s > 999 {
			t.Fatalf("after deed %d the score is %d", i, s)
		}
	}
	return w
}

// copyOf is a world that goes on from here by itself.
func (w *world) copyOf(t fataler) *world {
	w.save(t)
	c := &world{now: w.now, conn: w.conn, ref: w.ref}
	for item, err := range w.state.Scan(nil, nil, false) {
		if err != nil {
			t.Fatal(err)
		}
		if err := c.state.Apply(0, []store.Put{{Key: item.Key, Value: item.Value}}); err != nil {
			t.Fatal(err)
		}
	}
	c.reopen(t)
	return c
}

func TestSuccessNeverLowersAndTheRestNeverRaises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := lived(t)
		w.pass(durations(60*day).Draw(t, "wait"))
		before := w.score()
		task := rapid.SampledFrom(tasks).Draw(t, "task")
		good, bad := w.copyOf(t), w.copyOf(t)
		good.succeed(task, 1)
		if got := good.score(); got < before {
			t.Errorf("a success lowers %d to %d", before, got)
		}
		bad.fail(task, 1)
		if got := bad.score(); got > before {
			t.Errorf("a failure raises %d to %d", before, got)
		}
		last := before
		for s := policy.Info; s <= policy.Critical; s++ {
			worse := w.copyOf(t)
			worse.violate(s, 1)
			got := worse.score()
			if got > last {
				t.Errorf("a violation of severity %s ends at %d, a lesser one at %d", s, got, last)
			}
			last = got
		}
	})
}

func TestNoNumberOfSuccessesWashesAViolationOut(t *testing.T) {
	weights := map[policy.Severity]float64{policy.Low: .1, policy.Medium: .5, policy.High: 1.5, policy.Critical: 4}
	rapid.Check(t, func(t *rapid.T) {
		w := lived(t)
		s := rapid.SampledFrom([]policy.Severity{policy.Low, policy.Medium, policy.High, policy.Critical}).Draw(t, "severity")
		w.violate(s, 1)
		if err := w.Release(trust.Agent(bot), orders); err != nil {
			t.Fatal(err)
		}
		then := w.now
		for range rapid.IntRange(1, 20).Draw(t, "rounds") {
			w.pass(durations(10*day).Draw(t, "wait"))
			w.succeed(rapid.SampledFrom(tasks).Draw(t, "task"), rapid.SampledFrom([]int{1, 100, 1000}).Draw(t, "times"))
			// The clock counts whole seconds.
			passed := float64(w.now.Unix() - then.Unix())
			bound := 1000 * math.Exp2(-weights[s]*math.Exp2(-passed/(7*day).Seconds()))
			if got := w.score(); float64(got) > bound+1e-3 {
				t.Fatalf("%v after a violation of severity %s the score is %d, above %v", w.now.Sub(then), s, got, bound)
			}
		}
	})
}

func TestCreditComesWithTimeAndNotWithCalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		then := w.now
		for range rapid.IntRange(1, 10).Draw(t, "rounds") {
			w.pass(durations(2*day).Draw(t, "wait"))
			w.succeed(rapid.SampledFrom(tasks).Draw(t, "task"), rapid.SampledFrom([]int{1, 300, 3000}).Draw(t, "times"))
			credit := 20 * w.now.Sub(then).Hours() / 24
			if bound := 500 + 500*credit/(credit+100); float64(w.score()) > bound+1e-3 {
				t.Fatalf("after %v the score is %d, above %v", w.now.Sub(then), w.score(), bound)
			}
		}
	})
}

func TestDeedsOfOneSecondCommute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := lived(t)
		together := rapid.SliceOfN(deeds, 2, 8).Draw(t, "deeds")
		for i := range together {
			together[i].wait = 0
		}
		again := w.copyOf(t)
		for _, d := range together {
			d.do(w)
		}
		for _, d := range rapid.Permutation(together).Draw(t, "order") {
			d.do(again)
		}
		later := durations(60*day).Draw(t, "later")
		w.pass(later)
		again.pass(later)
		want, got := numbers(t, w), numbers(t, again)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the order matters: %s", diff)
		}
	})
}

// numbers is what is known of the agent, without the causes, whose order is that of the deeds.
func numbers(t fataler, w *world) trust.Explanation {
	t.Helper()
	x, err := w.Explain(trust.Agent(bot), 100, 400, 600, 900)
	if err != nil {
		t.Fatal(err)
	}
	x.Causes = nil
	return x
}

func TestScoresComeBackToTheStart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := lived(t)
		w.pass(400 * day)
		if got := w.score(); got < 500 || got > 502 { // of the credit something may be left
			t.Errorf("after 400 quiet days the score is %d", got)
		}
	})
}

func TestAnIdleAgentWithoutCreditNeverFalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for _, d := range rapid.SliceOfN(deeds, 0, 12).Draw(t, "history") {
			if d.wait = 0; d.kind != "success" { // no time, no credit
				d.do(w)
			}
		}
		before := w.score()
		for range 50 {
			w.pass(durations(5*day).Draw(t, "wait"))
			now := w.score()
			if now < before {
				t.Fatalf("the score falls from %d to %d", before, now)
			}
			before = now
		}
	})
}

// TestACrashRaisesNoScore loses what came after the last frame. Violations are durable before anything else happens, as
// the proxy has it.
func TestACrashRaisesNoScore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := lived(t)
		w.save(t)
		for _, d := range rapid.SliceOfN(deeds, 0, 8).Draw(t, "unsaved") {
			d.do(w)
			if d.kind != "success" || rapid.Bool().Draw(t, "a frame is written") {
				w.save(t)
			}
		}
		before, list := w.score(), w.List()
		w.reopen(t)
		if got := w.score(); got > before {
			t.Errorf("a crash raises the score from %d to %d", before, got)
		}
		if diff := cmp.Diff(fmt.Sprint(list), fmt.Sprint(w.List())); diff != "" {
			t.Errorf("a crash changes who is known: %s", diff)
		}
	})
}

// TestReplayGivesTheSameIntegers does the same in two books, of which one is saved and opened again and again.
func TestReplayGivesTheSameIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := newWorld(t), newWorld(t)
		for _, d := range rapid.SliceOfN(deeds, 0, 20).Draw(t, "history") {
			d.do(a)
			d.do(b)
			if rapid.Bool().Draw(t, "reopened") {
				b.save(t)
				b.reopen(t)
			}
		}
		a.save(t)
		b.save(t)
		if diff := cmp.Diff(a.dump(t), b.dump(t)); diff != "" {
			t.Errorf("the states differ: %s", diff)
		}
	})
}

// dump is all that is stored.
func (w *world) dump(t fataler) map[string]string {
	t.Helper()
	all := map[string]string{}
	for item, err := range w.state.Scan(nil, nil, false) {
		if err != nil {
			t.Fatal(err)
		}
		all[string(item.Key)] = fmt.Sprintf("%x", item.Value)
	}
	return all
}
