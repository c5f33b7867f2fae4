package quota_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/quota"
	"github.com/hopgate/hopgate/store"
)

const asked = `{"requestState":"s","inputRequests":{"q":{"method":"roots/list"}},"_meta":{"c":0.5}}`

// reporting is a cap under prices of a dollar and at most five that the upstream reports.
func reporting() setup {
	return setup{
		spend:    quota.SpendKeys{Spend: budgets("$20/month")},
		upstream: cost(quota.Prices{Call: price("$1"), Reported: &quota.Reported{Pointer: pointer("/c"), Max: price("$5")}}),
	}
}

// round makes a round of a call; 0 is the first.
func (l *link) round(tb testing.TB, first policy.Ref, no int, at time.Time) *decision {
	tb.Helper()
	c := l.toolCall(tb, "x", "{}", at)
	c.Ref = first
	if no > 0 {
		c.Ref, c.First, c.Round = first+1000, first, no
	}
	d := l.decide(tb, c)
	if !d.Allowed {
		tb.Fatalf("round %d: %s", no, d.code())
	}
	return d
}

// spent is what is used of the only cap, and what is reserved.
func (l *link) spent(tb testing.TB) string {
	tb.Helper()
	for _, u := range l.book.Usage(l.Connection) {
		if u.Kind == quota.KindSpend {
			return fmt.Sprintf("%v used, %v reserved", quota.Price{Nanos: u.Used, Currency: "USD"}, quota.Price{Nanos: u.Reserved, Currency: "USD"})
		}
	}
	tb.Fatal("no cap")
	return ""
}

func (l *link) wantSpent(tb testing.TB, when, want string) {
	tb.Helper()
	if got := l.spent(tb); got != want {
		tb.Errorf("%s: %s, want %s", when, got, want)
	}
}

func TestTheLastRoundSettlesTheCall(t *testing.T) {
	l := mustConnect(t, newBook(t), reporting())
	for i := range 2 {
		d := l.round(t, 7, i, noon)
		if reserved := d.Facts.Reserved > 0; reserved != (i == 0) {
			t.Errorf("round %d reserves %d", i, d.Facts.Reserved)
		}
		d.end(t, answered(t, asked))
		if d.Facts.Currency != "" {
			t.Errorf("round %d charges %d on record, before it is known", i, d.Facts.Charged)
		}
		l.wantSpent(t, "between rounds", "0 USD used, 6 USD reserved")
	}
	l.round(t, 7, 2, noon).end(t, nil) // a later gate refuses
	l.round(t, 7, 2, noon).end(t, &policy.Report{Status: policy.StatusFailed, Unsent: true})
	l.wantSpent(t, "after retries that were not sent", "0 USD used, 6 USD reserved")
	d := l.round(t, 7, 2, noon)
	d.end(t, answered(t, `{"_meta":{"c":2}}`))
	if d.Facts.Charged != price("$4").Nanos || d.Facts.Currency != "USD" {
		t.Errorf("the last round charges %d %s", d.Facts.Charged, d.Facts.Currency)
	}
	l.wantSpent(t, "at the end", "4 USD used, 0 USD reserved")
	l.round(t, 7, 3, noon).end(t, answered(t, `{"_meta":{"c":0}}`))
	l.wantSpent(t, "after a round of what has ended", "4 USD used, 0 USD reserved")
}

func TestRoundsThatEndOtherwiseKeepTheReservation(t *testing.T) {
	refused := func(d *decision) { d.Outcome = policy.Denied("guardrails", policy.ReasonFault, "") }
	for name, end := range map[string]func(t *testing.T, d *decision){
		"timeout":             func(t *testing.T, d *decision) { t.Helper(); d.end(t, &policy.Report{Status: policy.StatusTimeout}) },
		"a question withheld": func(t *testing.T, d *decision) { t.Helper(); refused(d); d.end(t, answered(t, asked)) },
		"a task":              func(t *testing.T, d *decision) { t.Helper(); d.end(t, answered(t, `{"task":{"taskId":"t"}}`)) },
	} {
		t.Run(name, func(t *testing.T) {
			l := mustConnect(t, newBook(t), reporting())
			l.round(t, 7, 0, noon).end(t, answered(t, asked))
			end(t, l.round(t, 7, 1, noon))
			l.wantSpent(t, name, "6 USD used, 0 USD reserved")
		})
	}
}

// TestACrashBetweenRoundsKeepsTheReservation restarts between a question and the answer to it.
func TestACrashBetweenRoundsKeepsTheReservation(t *testing.T) {
	state := &store.Memory{}
	l := mustConnect(t, openBook(t, state, nil), reporting())
	d := l.round(t, 7, 0, noon)
	save(t, l.book, state)
	d.end(t, answered(t, asked))
	l = mustConnect(t, openBook(t, state, nil), reporting())
	l.wantSpent(t, "after a restart", "6 USD used, 0 USD reserved")
	l.round(t, 7, 1, noon).end(t, answered(t, `{"_meta":{"c":0}}`))
	l.wantSpent(t, "after a round that nothing waits for", "6 USD used, 0 USD reserved")
}

// TestACallThatIsNeverGoneOnWithIsCharged leaves questions without an answer: for an hour, and more than may wait.
func TestACallThatIsNeverGoneOnWithIsCharged(t *testing.T) {
	var told []int
	s := reporting()
	b := openBook(t, nil, func(e quota.Event) { told = append(told, e.Percent) })
	l := mustConnect(t, b, s)
	for i := range 2 {
		l.round(t, policy.Ref(i+1), 0, noon).end(t, answered(t, asked))
	}
	s.as, s.spend.Spend = "other", budgets("$9000/month")
	other := mustConnect(t, b, s)
	other.round(t, 7, 0, noon.Add(2*time.Hour)).end(t, answered(t, asked))
	l.wantSpent(t, "after an hour", "12 USD used, 0 USD reserved")
	if want := []int{50}; !slices.Equal(told, want) {
		t.Errorf("thresholds %v are told, want %v", told, want)
	}
	for i := range 1024 {
		other.round(t, policy.Ref(100+i), 0, noon.Add(2*time.Hour)).end(t, answered(t, asked))
	}
	other.wantSpent(t, "after more than may wait", "6 USD used, 6144 USD reserved")
}
