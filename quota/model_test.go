package quota_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/quota"
	"github.com/hopgate/hopgate/store"
)

// The caps of the model, in billionths of a dollar.
const (
	dayCap   = 100_000_000_000
	monthCap = 900_000_000_000
	unit     = 1_000_000_000
)

// counted is what the naive model knows: what each window has used, by its name.
type counted map[string]int64

// attempt is a call of the model.
type attempt struct {
	*decision
	bound      int64
	windows    []string
	dispatched bool
	ref        policy.Ref
	reported   int64 // in rounds that have ended
	round      int
}

// machine runs a book and a naive model side by side. The journal's part is played by frames: a call is dispatched when
// the frame that holds its reservation is durable, and a crash loses what no frame holds.
type machine struct {
	tb      testing.TB
	book    *quota.Book
	link    *link
	state   *store.Memory
	now     time.Time
	used    counted // what the book should have charged
	durable counted // the same, at the last frame
	truth   counted // what upstreams have really taken
	open    []*attempt
	setup   setup
	calls   policy.Ref
}

func newMachine(tb testing.TB) *machine {
	tb.Helper()
	m := &machine{tb: tb, state: &store.Memory{}, now: noon, used: counted{}, durable: counted{}, truth: counted{}}
	m.setup = setup{
		spend: quota.SpendKeys{Spend: budgets("$100/day")},
		team:  one("spend", &quota.SpendKeys{Spend: budgets("$900/month")}),
		upstream: cost(quota.Prices{
			Argument: &quota.Argument{Pointer: pointer("/n"), Each: *price("$1")}, Reported: &quota.Reported{Pointer: pointer("/c"), Max: price("$5")},
		}),
	}
	m.reopen()
	return m
}

func (m *machine) reopen() {
	m.book = openBook(m.tb, m.state, nil)
	m.link = mustConnect(m.tb, m.book, m.setup)
}

// windows names the windows of a moment; the zone is UTC.
func (m *machine) windows() []string {
	return []string{m.now.Format("2006-01-02"), m.now.Format("2006-01")}
}

func (m *machine) reserve(t *rapid.T) {
	n := rapid.Int64Range(0, 40).Draw(t, "n")
	m.calls++
	a := &attempt{bound: (n + 5) * unit, windows: m.windows(), ref: m.calls}
	c := m.link.toolCall(m.tb, "x", fmt.Sprintf(`{"n":%d}`, n), m.now)
	c.Ref = a.ref
	a.decision = m.link.decide(m.tb, c)
	fits := m.used[a.windows[0]]+a.bound <= dayCap && m.used[a.windows[1]]+a.bound <= monthCap
	if a.Allowed != fits {
		t.Fatalf("a call of %d: allowed %v, the model says %v (%s, fault %v)", a.bound, a.Allowed, fits, a.code(), a.Fault)
	}
	if a.Allowed {
		m.charge(a, a.bound)
		m.open = append(m.open, a)
	}
}

func (m *machine) charge(a *attempt, n int64) {
	for _, w := range a.windows {
		m.used[w] += n
	}
}

// frame makes the changes durable, and sends what waits for that.
func (m *machine) frame(*rapid.T) {
	save(m.tb, m.book, m.state)
	m.durable = maps.Clone(m.used)
	for _, a := range m.open {
		a.dispatched = true
	}
}

// settle ends a call: refused later where it was not sent, else answered, or of unknown outcome, in which case it may
// have cost anything up to the bound.
func (m *machine) settle(t *rapid.T) {
	if len(m.open) == 0 {
		t.Skip("no call is under way")
	}
	i := rapid.IntRange(0, len(m.open)-1).Draw(t, "which")
	a := m.open[i]
	m.open = append(m.open[:i], m.open[i+1:]...)
	if !a.dispatched {
		a.end(m.tb, nil)
		m.charge(a, -a.bound)
		return
	}
	reported := rapid.Int64Range(0, 5-a.reported).Draw(t, "reported")
	if a.round < 3 && rapid.Bool().Draw(t, "asks") {
		m.ask(a, reported)
		return
	}
	price := a.bound - 5*unit + (a.reported+reported)*unit
	for _, w := range a.windows {
		m.truth[w] += price
	}
	switch rapid.IntRange(0, 2).Draw(t, "outcome") {
	case 0:
		a.end(m.tb, &policy.Report{Status: policy.StatusTimeout})
	default:
		a.end(m.tb, answered(m.tb, fmt.Sprintf(`{"_meta":{"c":%d}}`, reported)))
		m.charge(a, price-a.bound)
	}
}

// ask ends a round with a question, and begins the next one, now and then after one that did not reach the upstream.
func (m *machine) ask(a *attempt, reported int64) {
	a.end(m.tb, answered(m.tb, fmt.Sprintf(`{"requestState":"s","_meta":{"c":%d}}`, reported)))
	a.reported += reported
	a.round++
	again := func() {
		c := m.link.toolCall(m.tb, "x", `{}`, m.now)
		c.First, c.Round = a.ref, a.round
		if a.decision = m.link.decide(m.tb, c); !a.Allowed {
			m.tb.Fatalf("a retry is refused: %s", a.code())
		}
	}
	if again(); a.round%2 == 0 {
		a.end(m.tb, &policy.Report{Status: policy.StatusFailed, Unsent: true})
		again()
	}
	m.open = append(m.open, a)
}

// crash loses what no frame holds. What was sent has cost what it has cost.
func (m *machine) crash(t *rapid.T) {
	for _, a := range m.open {
		if a.dispatched {
			for _, w := range a.windows {
				m.truth[w] += rapid.Int64Range(0, a.bound).Draw(t, "true cost")
			}
		}
	}
	m.open = nil
	m.reopen()
	m.used = maps.Clone(m.durable)
}

func (m *machine) pass(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "hours")) * time.Hour)
}

func (m *machine) check(t *rapid.T) {
	for w, n := range m.truth {
		most := int64(dayCap)
		if len(w) == len("2006-01") {
			most = monthCap
		}
		if n > most || n > m.used[w] {
			t.Fatalf("%s: upstreams took %d, of which %d are charged, under a cap of %d", w, n, m.used[w], most)
		}
	}
	left, err := m.book.Left(m.link.Connection, m.link.toolCall(m.tb, "x", "{}", m.now))
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for _, u := range left {
		if u.Kind != quota.KindSpend {
			continue
		}
		if w := m.windows()[i]; u.Used+u.Reserved != m.used[w] {
			t.Fatalf("%s: used %d and reserved %d, the model says %d", w, u.Used, u.Reserved, m.used[w])
		}
		i++
	}
	if i != 2 {
		t.Fatalf("got %d caps", i)
	}
}

func TestNeverAboveTheCap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(t)
		rt.Repeat(map[string]func(*rapid.T){
			"reserve": m.reserve, "reserve again": m.reserve, "settle": m.settle, "frame": m.frame, "crash": m.crash, "pass": m.pass, "": m.check,
		})
	})
}

// TestRestartGivesNoNewBurst holds the state of rates to what the journal has.
func TestRestartGivesNoNewBurst(t *testing.T) {
	state := &store.Memory{}
	s := setup{rate: quota.RateKeys{Rate: buckets("1/min burst 5")}}
	b := openBook(t, state, nil)
	if n, _ := mustConnect(t, b, s).tries(t, "x", noon); n != 5 {
		t.Fatalf("got %d calls", n)
	}
	save(t, b, state)
	l := mustConnect(t, openBook(t, state, nil), s)
	if got := l.try(t, "x", noon.Add(time.Minute-1)); got != "RATE_LIMITED" {
		t.Errorf("got %q", got)
	}
	if got := l.try(t, "x", noon.Add(time.Minute)); got != "" {
		t.Errorf("after a minute: %s", got)
	}
}

// TestARestartWithAnEarlierClockOpensNothing has the month go back while the process is down.
func TestARestartWithAnEarlierClockOpensNothing(t *testing.T) {
	state := &store.Memory{}
	s := setup{rate: quota.RateKeys{Quota: calls("2/month")}}
	b := openBook(t, state, nil)
	mustConnect(t, b, s).tries(t, "x", noon)
	save(t, b, state)
	l := mustConnect(t, openBook(t, state, nil), s)
	for _, months := range []int{-1, -11, 0} {
		if got := l.try(t, "x", noon.AddDate(0, months, 0)); got != "QUOTA_EXCEEDED" {
			t.Errorf("%d months on: got %q", months, got)
		}
	}
	if got := l.try(t, "x", noon.AddDate(0, 1, 0)); got != "" {
		t.Errorf("the next month: %s", got)
	}
}

func TestRestartForgetsNoRefusal(t *testing.T) {
	state := &store.Memory{}
	s := setup{agent: one("refusals", &quota.RefusalKeys{Refusals: ref[quota.Bucket]("1/day")})}
	b := openBook(t, state, nil)
	c := mustConnect(t, b, s).toolCall(t, "x", "{}", noon)
	b.Observe(c, &policy.Outcome{Reason: policy.ReasonNoConnection}, nil)
	save(t, b, state)
	l := mustConnect(t, openBook(t, state, nil), s)
	if got := l.try(t, "x", noon.Add(time.Hour)); got != "HAMMERING" {
		t.Errorf("got %q", got)
	}
}

func TestARateWrittenAnewStartsWithoutABurst(t *testing.T) {
	b := newBook(t)
	old := mustConnect(t, b, setup{rate: quota.RateKeys{Rate: buckets("1/day burst 2")}})
	old.tries(t, "x", noon)
	next := mustConnect(t, b, setup{rate: quota.RateKeys{Rate: buckets("24/day burst 3")}})
	for at, want := range []string{"RATE_LIMITED", "", "RATE_LIMITED"} {
		if got := next.try(t, "x", noon.Add(time.Duration(min(at, 1))*time.Hour)); got != want {
			t.Errorf("try %d: got %q, want %q", at, got, want)
		}
	}
}

func TestChangesAreToldOnceAndOnlyWhereThereAreAny(t *testing.T) {
	b := newBook(t)
	l := mustConnect(t, b, setup{rate: quota.RateKeys{Quota: calls("5/day"), Concurrency: &quota.Count{N: 5}}, team: one("rate", &quota.RateKeys{Quota: calls("5/month")})})
	count := func() (n int) {
		b.Changes(func(store.Put) { n++ })
		return n
	}
	d := l.decide(t, l.toolCall(t, "x", "{}", noon))
	if n := count(); n != 2 {
		t.Errorf("a call of two scopes changed %d values", n)
	}
	d.end(t, answered(t, "{}"))
	if n := count(); n != 0 {
		t.Errorf("a call that kept all it had taken changed %d values", n)
	}
	l.tries(t, "x", noon)
	if n := count(); n != 2 {
		t.Errorf("many calls changed %d values", n)
	}
}

func TestRaiseOnlyRaises(t *testing.T) {
	s := setup{spend: quota.SpendKeys{Spend: budgets("$10/month")}, rate: quota.RateKeys{Quota: calls("10/day")}, upstream: cost(quota.Prices{Call: price("$1")})}
	newer, older := newBook(t), newBook(t)
	use := func(b *quota.Book, n int) *link {
		l := mustConnect(t, b, s)
		for range n {
			if got := l.try(t, "x", noon); got != "" {
				t.Fatal(got)
			}
		}
		return l
	}
	use(newer, 7)
	l := use(older, 3)
	marks := newer.Snapshot()
	if len(marks) != 2 {
		t.Fatalf("got %v", marks)
	}
	for range 2 {
		if err := older.Raise(marks); err != nil {
			t.Fatal(err)
		}
	}
	if err := older.Raise([]quota.Mark{{Key: "q/c/bot/up", Kind: "spend", Per: "month", Zone: "UTC", Currency: "USD", Window: marks[1].Window - 1, Used: 9 * unit}}); err != nil {
		t.Fatal(err)
	}
	if n, _ := l.tries(t, "x", noon); n != 3 {
		t.Errorf("%d more calls pass, want 3", n)
	}
	for name, change := range map[string]func(*quota.Mark){
		"key": func(m *quota.Mark) { m.Key = "t/a" }, "kind": func(m *quota.Mark) { m.Kind = "rate" }, "per": func(m *quota.Mark) { m.Per = "year" },
		"zone": func(m *quota.Mark) { m.Zone = "Mars" }, "window": func(m *quota.Mark) { m.Window = 0 }, "used": func(m *quota.Mark) { m.Used = -1 },
	} {
		bad := marks[0]
		change(&bad)
		before := older.Snapshot()
		if err := older.Raise([]quota.Mark{marks[0], bad}); err == nil {
			t.Errorf("a mark with a wrong %s is taken", name)
		}
		if after := older.Snapshot(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("after a wrong %s: %v", name, after)
		}
	}
}

func TestExplainTakesNothing(t *testing.T) {
	b := newBook(t)
	l := mustConnect(t, b, setup{
		rate: quota.RateKeys{Rate: buckets("1/day"), Quota: calls("2/day")}, spend: quota.SpendKeys{Spend: budgets("$10/month")},
		upstream: cost(quota.Prices{Call: price("$4")}), hours: quota.HoursKeys{Hours: spans("00:00-24:00")},
	})
	var steps []string
	for range 3 {
		c := l.toolCall(t, "x", "{}", noon)
		steps = nil
		c.Trace = func(s policy.Step) { steps = append(steps, s.Check+": "+s.Detail) }
		if d := l.decide(t, c); !d.Allowed {
			t.Fatal(d.code())
		}
	}
	want := "[hours: connection c: 00:00-24:00 rate: connection c: 1/day, 1 left quota: connection c: 2 calls/day, 2 left spend: connection c: 10 USD/month, 10 USD left]"
	if got := fmt.Sprint(steps); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	b.Changes(func(p store.Put) { t.Errorf("%s has changed", p.Key) })
}

// TestAskingAboutAnotherTimeOpensNothing has explain and operators ask about next year while this month is used up.
func TestAskingAboutAnotherTimeOpensNothing(t *testing.T) {
	b := newBook(t)
	s := setup{rate: quota.RateKeys{Rate: buckets("1/day burst 9"), Quota: calls("2/day")}, spend: quota.SpendKeys{Spend: budgets("$2/month")}, upstream: cost(quota.Prices{Call: price("$1")})}
	l := mustConnect(t, b, s)
	l.tries(t, "x", noon)
	s.rate.Rate = buckets("2/day burst 7")
	l = mustConnect(t, b, s)
	for _, when := range []time.Time{noon.AddDate(1, 0, 0), noon.AddDate(-1, 0, 0)} {
		c := l.toolCall(t, "x", "{}", when)
		c.Trace = func(policy.Step) {}
		l.decide(t, c)
		if _, err := l.book.Left(l.Connection, c); err != nil {
			t.Fatal(err)
		}
	}
	for _, u := range b.Usage(l.Connection) {
		if u.Kind != quota.KindRate && u.Left != 0 {
			t.Errorf("%s: %d left", u.Text, u.Left)
		}
	}
	if got := l.decide(t, l.toolCall(t, "x", "{}", noon)).Detail; got != "connection c: 2 calls/day" {
		t.Errorf("refused by %q", got)
	}
}
