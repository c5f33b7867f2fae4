package trust_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/trust"
)

func (w *world) explain(tb testing.TB, minima ...int) trust.Explanation {
	tb.Helper()
	x, err := w.Explain(trust.Agent(bot), minima...)
	if err != nil {
		tb.Fatal(err)
	}
	return x
}

func TestExplainTellsHowAScoreHasComeAbout(t *testing.T) {
	w := worked(t, 90)
	w.violate(policy.High, 1)
	w.pass(time.Minute)
	w.violate(policy.Low, 2)
	x := w.explain(t, 200, 700, 945, 950)
	want := strings.TrimLeft(`
bot  289
  500 base + 441 earned -> 941 x reliability 1.000 x leniency 0.307 (penalty 1.699)
    -43  BAD_low x 2, last 2027-02-23T09:01:00Z 0000-0000-0HRV
   -609  BAD_high 2027-02-23T09:00:00Z 0000-0000-0HRS
  200 is reached
  reaches 700 in 14 days without new violations
  945 needs 58 more credits: at least 2 days of good work without new violations
  950 is reached only through an operator
`, "\n")
	if diff := cmp.Diff(want, x.Text()); diff != "" {
		t.Error(diff)
	}
}

func TestExplainOfQuarantineNamesTheWayOut(t *testing.T) {
	w := newWorld(t)
	if err := w.Quarantine(trust.Agent(bot), orders); err != nil {
		t.Fatal(err)
	}
	want := strings.TrimLeft(`
bot  0  (quarantined)
  500 base + 0 earned -> 500 x reliability 1.000 x leniency 1.000 (penalty 0.000)
   -500  OPERATOR_QUARANTINED 2026-11-23T09:00:00Z 0000-0000-0QQD
  400 is reached only through an operator
`, "\n")
	x := w.explain(t, 400)
	if diff := cmp.Diff(want, x.Text()); diff != "" {
		t.Error(diff)
	}
}

func TestExplainOfALostRecordSaysSo(t *testing.T) {
	w := newWorld(t)
	w.spoil(t, "t/a/bot", nil)
	x := w.explain(t, 400)
	if got, want := x.Text(), "bot  0  (damaged)\n"; got != want {
		t.Errorf("the text is %q, want %q", got, want)
	}
	if _, err := w.Explain(trust.Agent("nobody")); !errors.Is(err, trust.ErrUnknown) {
		t.Errorf("of nobody: %v", err)
	}
}

func TestExplanationsAreReadByPrograms(t *testing.T) {
	w := newWorld(t)
	b, err := json.Marshal(w.explain(t, 400))
	want := `{"agent":"bot","score":500,"condition":"sound","params":"1-1f0943a1","base":500,"earned":0,"reliability":1000,"leniency":1000,"penalty":0,` +
		`"causes":[],"prospects":[{"min":400,"reached":true}]}`
	if err != nil || string(b) != want {
		t.Errorf("the JSON is %s, want %s (error %v)", b, want, err)
	}
	var again trust.Explanation
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.explain(t, 400), again); diff != "" {
		t.Errorf("read again it is another: %s", diff)
	}
}

// TestProspectsComeTrue waits as long as it says.
func TestProspectsComeTrue(t *testing.T) {
	for name, spoil := range map[string]func(*world){
		"violations": func(w *world) { w.violate(policy.High, 2) },
		"failures":   func(w *world) { w.fail("delete", 30) },
		"both":       func(w *world) { w.violate(policy.Medium, 3); w.fail("read", 9); w.succeed("read", 40) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			spoil(w)
			p := w.explain(t, 450).Prospects[0]
			if p.After == 0 {
				t.Fatalf("the prospect is %+v", p)
			}
			w.pass(p.After - time.Second)
			if got := w.score(); got >= 450 {
				t.Errorf("a second before, the score is %d", got)
			}
			w.pass(time.Second)
			if got := w.score(); got != 450 {
				t.Errorf("then the score is %d", got)
			}
		})
	}
}

// TestProspectsOfAnyHistoryComeTrue does what a prospect names, after any history: waits that long while the credit is kept
// up, works for that many days, or works for a year where only an operator can help.
func TestProspectsOfAnyHistoryComeTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := lived(t)
		minimum := rapid.IntRange(1, 999).Draw(t, "minimum")
		x, err := w.Explain(trust.Agent(bot), minimum)
		if err != nil {
			t.Fatal(err)
		}
		switch p := x.Prospects[0]; {
		case p.Reached:
			if got := w.score(); got < minimum {
				t.Fatalf("%d is reached, and the score is %d", minimum, got)
			}
		case p.After > 0:
			// Keeping the credit up takes work, which adds to it and to the successes: so the time is the longest it takes.
			// A clock of whole seconds hides up to one.
			w.pass(p.After + time.Second)
			if got := w.score() + w.faded(t, x); got < minimum {
				t.Fatalf("after %v the score is %d, less than %d", p.After, got, minimum)
			}
		case p.Operator:
			if days := w.workUntil(minimum, 365); days >= 0 {
				t.Fatalf("%d takes an operator, and is reached after %d days of work", minimum, days)
			}
		default:
			if days := w.workUntil(minimum, 2000); days < p.Days {
				t.Fatalf("%d takes %d days at least, and is reached after %d", minimum, p.Days, days)
			}
		}
	})
}

// faded is an upper bound of the points that are lost with the credit that has faded since an explanation.
func (w *world) faded(t fataler, before trust.Explanation) int {
	t.Helper()
	x, err := w.Explain(trust.Agent(bot))
	if err != nil {
		t.Fatal(err)
	}
	return before.Earned - x.Earned + 2
}

// workUntil works as much as counts, a day after another, and returns after how many days a score is there; -1 where it
// never is.
func (w *world) workUntil(score, days int) int {
	for n := range days {
		w.pass(day)
		w.succeed("delete", 20)
		w.succeed("read", 100)
		w.succeed("write", 100)
		if w.score() >= score {
			return n + 1
		}
	}
	return -1
}

func TestTheLastReasonsAreKept(t *testing.T) {
	w := newWorld(t)
	for code := range strings.SplitSeq("ABCDEFGHIJ", "") {
		out := policy.Denied("gate", &policy.Reason{Code: strings.Repeat(code, 40), Answer: policy.AnswerNotPermitted, Severity: policy.Low}, "")
		w.Observe(w.call("write"), &out, nil)
	}
	w.save(t)
	w.reopen(t)
	var got strings.Builder
	for _, c := range w.explain(t).Causes {
		got.WriteString(c.Code[:1])
		if len(c.Code) != 32 || c.Times != 1 || c.Effect >= 0 || c.Ref == "" {
			t.Errorf("a cause is %+v", c)
		}
	}
	if got.String() != "JIHGFEDC" {
		t.Errorf("the causes are %s", got.String())
	}
}
