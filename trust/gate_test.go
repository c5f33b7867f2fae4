package trust_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/trust"
)

// need makes the keys of a connection, tool or task that set a minimum.
func need(score, line int) *trust.Config {
	return &trust.Config{Trust: &trust.Minimum{Min: trust.Points(score), At: policy.Pos{File: "t.yaml", Line: line, Col: 1}}}
}

func scope(pattern string, score, line int) policy.Scope {
	return policy.Scope{Name: policy.Pattern{Text: pattern}, Settings: policy.Settings{"trust": need(score, line)}}
}

// build makes the gates of the world's connection.
func (w *world) build(tb testing.TB, cfg *trust.Config) {
	tb.Helper()
	if cfg == nil {
		cfg = new(trust.Config)
	}
	spec := trust.Spec(w.Book)
	gate, err := spec.Build(w.conn, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	w.conn.Gates = []policy.Named{{Name: spec.Name, Gate: gate}}
	spec = trust.Parts(w.Book)
	if gate, err = spec.Build(w.conn, spec.Config()); err != nil {
		tb.Fatal(err)
	}
	if gate != nil {
		w.conn.Gates = append(w.conn.Gates, policy.Named{Name: spec.Name, Gate: gate})
	}
}

// ask returns the code of the refusal of a call, or nothing.
func (w *world) ask(tb testing.TB, c *policy.Call) string {
	tb.Helper()
	for i := range w.conn.Gates {
		v, err := w.conn.Gates[i].Gate.Check(tb.Context(), c)
		switch {
		case err != nil:
			tb.Fatal(err)
		case v.Effect != policy.Allow:
			return v.Reason.Code
		}
	}
	return ""
}

func TestGateLetsPassWhatIsTrustedEnough(t *testing.T) {
	w := newWorld(t)
	w.build(t, need(500, 3))
	v, err := w.conn.Gates[0].Gate.Check(t.Context(), w.call("write"))
	want := policy.Verdict{Effect: policy.Allow, At: policy.Pos{File: "t.yaml", Line: 3, Col: 1}, Facts: policy.Facts{Score: 500, Scored: true, ScoreParams: "1-1f0943a1"}}
	if diff := cmp.Diff(want, v); diff != "" || err != nil {
		t.Errorf("the verdict is another, error %v: %s", err, diff)
	}
}

func TestGateRefusesWhatIsNotTrustedEnough(t *testing.T) {
	w := newWorld(t)
	w.build(t, need(501, 3))
	v, err := w.conn.Gates[0].Gate.Check(t.Context(), w.call("write"))
	switch {
	case err != nil:
		t.Fatal(err)
	case v.Effect != policy.Deny || v.Reason.Code != "TRUST_TOO_LOW":
		t.Errorf("the verdict is %v", v)
	case v.Detail != "score 500, minimum 501" || v.At.Line != 3 || !v.Facts.Scored:
		t.Errorf("the record says %q at %v, %v", v.Detail, v.At, v.Facts)
	case v.Wait != 0 || v.Reason.Severity != policy.Info:
		t.Errorf("the agent would learn %v, or lose for it (%v)", v.Wait, v.Reason.Severity)
	}
}

func TestGateTakesAScoreForKnownWhereNobodyCalls(t *testing.T) {
	trace := func(policy.Step) {}
	cases := map[string]struct {
		score int // of the record
		call  policy.Call
		want  string
	}{
		"high enough":       {300, policy.Call{Trace: trace, Assumed: &policy.Facts{Score: 500, Scored: true}}, ""},
		"too low":           {700, policy.Call{Trace: trace, Assumed: &policy.Facts{Score: 499, Scored: true}}, "TRUST_TOO_LOW"},
		"nothing assumed":   {300, policy.Call{Trace: trace, Assumed: &policy.Facts{Score: 900}}, "TRUST_TOO_LOW"},
		"somebody calls":    {300, policy.Call{Assumed: &policy.Facts{Score: 900, Scored: true}}, "TRUST_TOO_LOW"},
		"trusted and calls": {700, policy.Call{Assumed: &policy.Facts{Score: 0, Scored: true}}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.build(t, need(500, 3))
			if _, _, err := w.Adjust(trust.Agent(bot), c.score, orders); err != nil {
				t.Fatal(err)
			}
			call := w.call("write")
			call.Trace, call.Assumed = c.call.Trace, c.call.Assumed
			if got := w.ask(t, call); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestGateWithoutAMinimumStillStopsQuarantine(t *testing.T) {
	w := newWorld(t)
	w.build(t, nil)
	w.violate(policy.High, 10)
	if got := w.ask(t, w.call("write")); got != "" || w.score() != 0 {
		t.Errorf("without a minimum a score of %d is refused with %q", w.score(), got)
	}
	if err := w.Quarantine(trust.Agent(bot), orders); err != nil {
		t.Fatal(err)
	}
	if got := w.ask(t, w.call("write")); got != "AGENT_QUARANTINED" {
		t.Errorf("in quarantine the answer is %q", got)
	}
	c := w.call("write")
	c.Method = "notifications/cancelled"
	if got := w.ask(t, c); got != "" {
		t.Errorf("a cancellation is refused with %q", got)
	}
	if err := w.Release(trust.Agent(bot), orders); err != nil {
		t.Fatal(err)
	}
	if got := w.ask(t, w.call("write")); got != "" {
		t.Errorf("after the release the answer is %q", got)
	}
}

func TestGateStopsAnUpstreamInQuarantine(t *testing.T) {
	w := newWorld(t)
	w.build(t, nil)
	if err := w.Quarantine(trust.Upstream(hub), orders); err != nil {
		t.Fatal(err)
	}
	if got := w.ask(t, w.call("write")); got != "UPSTREAM_QUARANTINED" {
		t.Errorf("the answer is %q", got)
	}
}

func TestGateTrustsNobodyWithoutASoundRecord(t *testing.T) {
	cases := map[string]struct {
		spoil         func(*testing.T, *world)
		free, limited string // without a minimum, and with one
	}{
		"never registered": {func(t *testing.T, w *world) {
			t.Helper()
			w.state.Reopen()
			b, err := trust.Open(&w.state, w.clock)
			if err != nil {
				t.Fatal(err)
			}
			w.Book = b
		}, "TRUST_UNKNOWN", "TRUST_UNKNOWN"},
		"upstream never registered": {func(t *testing.T, w *world) {
			t.Helper()
			w.spoil(t, "t/m/u/hub", nil)
			w.spoil(t, "t/u/hub", nil)
		}, "TRUST_UNKNOWN", "TRUST_UNKNOWN"},
		"lost": {func(t *testing.T, w *world) {
			t.Helper()
			w.spoil(t, "t/a/bot", nil)
		}, "TRUST_DAMAGED", "TRUST_DAMAGED"},
		"damaged": {func(t *testing.T, w *world) {
			t.Helper()
			w.spoil(t, "t/a/bot", []byte{1, 2, 3})
		}, "TRUST_DAMAGED", "TRUST_DAMAGED"},
		"upstream lost": {func(t *testing.T, w *world) {
			t.Helper()
			w.spoil(t, "t/u/hub", nil)
		}, "TRUST_DAMAGED", "TRUST_DAMAGED"},
		"state that is older":         {func(_ *testing.T, w *world) { w.Doubt(func() bool { return true }) }, "", "TRUST_ROLLED_BACK"},
		"state that is older no more": {func(_ *testing.T, w *world) { w.Doubt(func() bool { return false }) }, "", ""},
		"quarantine in an older state": {func(t *testing.T, w *world) {
			t.Helper()
			w.Doubt(func() bool { return true })
			if err := w.Quarantine(trust.Agent(bot), orders); err != nil {
				t.Fatal(err)
			}
		}, "AGENT_QUARANTINED", "AGENT_QUARANTINED"},
		"clock 2 s behind": {func(_ *testing.T, w *world) { w.pass(-2 * time.Second) }, "", ""},
		"clock 3 s behind": {func(_ *testing.T, w *world) { w.pass(-3 * time.Second) }, "", "TRUST_STALE"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.spoil(t, w)
			for cfg, want := range map[*trust.Config]string{nil: c.free, need(1, 3): c.limited} {
				w.build(t, cfg)
				if got := w.ask(t, w.call("write")); got != want {
					t.Errorf("with %v the answer is %q, want %q", cfg, got, want)
				}
			}
		})
	}
}

func TestGateFaultsOnACallOfAnother(t *testing.T) {
	w := newWorld(t)
	w.build(t, nil)
	for name, agent := range map[string]*policy.Agent{"nobody": nil, "another agent": {Name: "x"}} {
		c := w.call("write")
		c.Agent = agent
		if v, err := w.conn.Gates[0].Gate.Check(t.Context(), c); err == nil || v.Effect == policy.Allow {
			t.Errorf("a call of %s: %v, error %v", name, v, err)
		}
	}
}

func TestTheHighestMinimumCounts(t *testing.T) {
	w := newWorld(t)
	w.conn.Tools = []policy.Scope{scope("tool_*", 450, 5), scope("tool_write", 600, 6)}
	w.conn.Tasks = []policy.Scope{scope("delete", 700, 7), scope("read", 100, 8)}
	w.build(t, need(400, 3))
	list := w.call("")
	list.Method, list.Target, list.Task = "tools/list", "", ""
	cases := map[string]struct {
		gate int // 0: of the connection, 1: of its parts
		call *policy.Call
		want string
		line int
	}{
		"a tool":                     {1, w.call("write"), "TRUST_TOO_LOW", 6},
		"a task":                     {1, w.call("delete"), "TRUST_TOO_LOW", 7},
		"a lower one below":          {1, w.call("read"), "", 5},
		"the connection's":           {0, list, "", 3},
		"the connection's of a tool": {0, w.call("delete"), "", 3},
		"no part's":                  {1, list, "", 0},
	}
	for name, c := range cases {
		v, err := w.conn.Gates[c.gate].Gate.Check(t.Context(), c.call)
		got := ""
		if v.Reason != nil {
			got = v.Reason.Code
		}
		if err != nil || got != c.want || v.At.Line != c.line {
			t.Errorf("%s: %q at line %d (error %v), want %q at %d", name, got, v.At.Line, err, c.want, c.line)
		}
	}
}

func TestWhoHasBeenBelowIsLetInAgain25PointsAbove(t *testing.T) {
	w := newWorld(t)
	w.build(t, need(480, 3))
	agent := trust.Agent(bot)
	for _, step := range []struct {
		score  int
		reopen bool
		want   string
	}{
		{485, false, ""},
		{479, false, "TRUST_TOO_LOW"},
		{480, false, "TRUST_TOO_LOW"},
		{504, true, "TRUST_TOO_LOW"}, // also after a restart
		{505, false, ""},
		{480, true, ""},
		{479, false, "TRUST_TOO_LOW"},
	} {
		if step.reopen {
			w.save(t)
			w.reopen(t)
			w.build(t, need(480, 3))
		}
		if _, _, err := w.Adjust(agent, step.score, orders); err != nil {
			t.Fatal(err)
		}
		if got := w.ask(t, w.call("write")); got != step.want {
			t.Errorf("at %d the answer is %q, want %q", step.score, got, step.want)
		}
	}
	w.build(t, need(990, 3))
	for _, step := range []struct {
		score int
		want  string
	}{{989, "TRUST_TOO_LOW"}, {998, "TRUST_TOO_LOW"}, {999, ""}} { // there is no room for 25 points
		if _, _, err := w.Adjust(agent, step.score, orders); err != nil {
			t.Fatal(err)
		}
		if got := w.ask(t, w.call("write")); got != step.want {
			t.Errorf("with a minimum of 990, at %d the answer is %q, want %q", step.score, got, step.want)
		}
	}
	if _, _, err := w.Adjust(agent, 479, orders); err != nil {
		t.Fatal(err)
	}
	w.build(t, need(470, 3))
	if got := w.ask(t, w.call("write")); got != "" {
		t.Errorf("with the minimum lowered to 470, at 479, the answer is %q", got)
	}
}

func TestExplainingLeavesNoTrace(t *testing.T) {
	w := newWorld(t)
	w.build(t, need(600, 3))
	w.save(t)
	before := w.dump(t)
	c := w.call("write")
	c.Trace = func(policy.Step) {}
	if got := w.ask(t, c); got != "TRUST_TOO_LOW" {
		t.Fatalf("the answer is %q", got)
	}
	w.save(t)
	if diff := cmp.Diff(before, w.dump(t)); diff != "" {
		t.Errorf("the question changes the state: %s", diff)
	}
}

func TestExplainHearsOfMinimaThatAreMet(t *testing.T) {
	w := newWorld(t)
	w.build(t, need(400, 3))
	var heard []policy.Step
	c := w.call("write")
	c.Trace = func(s policy.Step) { heard = append(heard, s) }
	w.ask(t, c)
	want := []policy.Step{{Check: "trust", Passed: true, Detail: "500, at least 400", At: policy.Pos{File: "t.yaml", Line: 3, Col: 1}}}
	if diff := cmp.Diff(want, heard); diff != "" {
		t.Error(diff)
	}
}

func TestAnAssumedScoreHoldsForEverybody(t *testing.T) {
	w := newWorld(t)
	for score, want := range map[int]string{399: "TRUST_TOO_LOW", 400: ""} {
		w.Book = trust.Assume(score)
		w.build(t, need(400, 3))
		w.violate(policy.Critical, 1)
		w.Register(trust.ParamsOf(nil), []string{bot}, nil)
		if got := w.ask(t, w.call("write")); got != want {
			t.Errorf("at %d the answer is %q, want %q", score, got, want)
		}
		w.Changes(func(store.Put) { t.Error("an assumption is to be stored") })
	}
}

func TestOperatorsSeeThatNobodyReachesAMinimumInAnOlderState(t *testing.T) {
	w := newWorld(t)
	w.build(t, need(100, 3))
	old := true
	w.Doubt(func() bool { return old })
	for _, want := range []bool{true, false} {
		old = want
		if got := w.Needs(w.conn); len(got) != 1 || got[0].Held != want || got[0].From != 100 {
			t.Errorf("older %v: got %+v", want, got)
		}
	}
}

func TestOperatorsSeeWhatAConnectionNeeds(t *testing.T) {
	w := newWorld(t)
	w.conn.Tools = []policy.Scope{scope("tool_*", 600, 5)}
	w.conn.Tasks = []policy.Scope{scope("delete", 450, 7), {Name: policy.Pattern{Text: "read"}}}
	w.build(t, need(400, 3))
	at := func(line int) policy.Pos { return policy.Pos{File: "t.yaml", Line: line, Col: 1} }
	want := func(held ...bool) []trust.Need {
		all := []trust.Need{
			{Part: "tool tool_*", Min: 600, From: 600, At: at(5)},
			{Part: "task delete", Min: 450, From: 450, At: at(7)},
			{Min: 400, From: 400, At: at(3)},
		}
		for i := range all {
			if all[i].Held = held[i]; held[i] {
				all[i].From += 25
			}
		}
		return all
	}
	if diff := cmp.Diff(want(true, false, false), w.Needs(w.conn)); diff != "" {
		t.Errorf("at 500: %s", diff)
	}
	if _, _, err := w.Adjust(trust.Agent(bot), 449, orders); err != nil {
		t.Fatal(err)
	}
	w.ask(t, w.call("delete"))
	if _, _, err := w.Adjust(trust.Agent(bot), 460, orders); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want(true, true, false), w.Needs(w.conn)); diff != "" {
		t.Errorf("at 460, after having been below 450: %s", diff)
	}
	if err := w.Quarantine(trust.Agent(bot), orders); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want(true, true, true), w.Needs(w.conn)); diff != "" {
		t.Errorf("in quarantine: %s", diff)
	}
}

func TestACallThatWasLongUnderWayIsNotStale(t *testing.T) {
	w := newWorld(t)
	w.build(t, need(400, 3))
	c := w.call("write")
	w.pass(time.Minute)
	w.succeed("write", 1)
	if got := w.ask(t, c); got != "" {
		t.Errorf("the answer is %q", got)
	}
}
