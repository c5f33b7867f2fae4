package quota_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/quota"
	"github.com/hopgate/hopgate/store"
)

func one(name string, keys any) policy.Settings { return policy.Settings{name: keys} }

func TestRateLetsABurstThroughAndThenOneAtATime(t *testing.T) {
	l := mustConnect(t, newBook(t), setup{rate: quota.RateKeys{Rate: buckets("60/min burst 20")}})
	n, d := l.tries(t, "x", noon)
	if n != 20 || d.code() != "RATE_LIMITED" || d.Wait != time.Second || d.Detail != "connection c: 60/min burst 20" || d.At != line(10) {
		t.Errorf("got %d calls, then %s, wait %v, %q at %v", n, d.code(), d.Wait, d.Detail, d.At)
	}
	if u := l.book.Usage(l.Connection)[1]; u.Left != 0 || u.Used != 20 || u.Max != 20 || !u.Resets.Equal(noon.Add(20*time.Second)) {
		t.Errorf("got %+v", u)
	}
	for i := range 5 {
		at := noon.Add(time.Duration(i+1) * time.Second)
		if early := l.try(t, "x", at.Add(-1)); early != "RATE_LIMITED" {
			t.Errorf("a nanosecond too early: got %q", early)
		}
		if got := l.try(t, "x", at); got != "" {
			t.Errorf("after %d s: %s", i+1, got)
		}
	}
}

func TestRateWithoutABurstIsOneSecondsWorth(t *testing.T) {
	for text, want := range map[string]int{"60/min": 1, "600/min": 10, "5/hour": 1, "25/s": 25, "1/day": 1, "90/min": 1} {
		l := mustConnect(t, newBook(t), setup{rate: quota.RateKeys{Rate: buckets(text)}})
		if n, _ := l.tries(t, "x", noon); n != want {
			t.Errorf("%s: got %d at once, want %d", text, n, want)
		}
	}
}

func TestRateIsNeverExceededInAnyWindow(t *testing.T) {
	// 7 a minute does not divide a minute evenly, so the interval is rounded up.
	l := mustConnect(t, newBook(t), setup{rate: quota.RateKeys{Rate: buckets("7/min burst 3")}})
	passed := 0
	for at := noon; at.Before(noon.Add(10 * time.Minute)); at = at.Add(13 * time.Millisecond) {
		if l.try(t, "x", at) == "" {
			passed++
		}
	}
	if passed > 70+3 || passed < 70 {
		t.Errorf("got %d calls in ten minutes", passed)
	}
	l = mustConnect(t, newBook(t), setup{rate: quota.RateKeys{Rate: buckets("7/min burst 1")}})
	if _, d := l.tries(t, "x", noon); d.Wait != 8_571_428_572 {
		t.Errorf("got a wait of %d ns, want a seventh of a minute, rounded up", d.Wait)
	}
}

func TestAClockSetBackOpensNothing(t *testing.T) {
	month := setup{
		rate:     quota.RateKeys{Rate: buckets("1/min burst 5"), Quota: calls("10/month")},
		spend:    quota.SpendKeys{Spend: budgets("$1/month")},
		upstream: one("spend", &quota.UpstreamKeys{Cost: &quota.Cost{Prices: quota.Prices{Call: ref[quota.Price]("$0.10")}}}),
	}
	l := mustConnect(t, newBook(t), month)
	if n, _ := l.tries(t, "x", noon); n != 5 {
		t.Fatalf("got %d calls", n)
	}
	for _, back := range []time.Duration{time.Nanosecond, time.Minute, time.Hour, 40 * 24 * time.Hour, 300 * 24 * time.Hour} {
		if got := l.try(t, "x", noon.Add(-back)); got != "RATE_LIMITED" {
			t.Errorf("%v back: got %q", back, got)
		}
	}
	// Forward into the next month, use all of it, and back: the earlier month does not open again.
	later := noon.Add(20 * 24 * time.Hour)
	for i := range 10 {
		if got := l.try(t, "x", later.Add(time.Duration(i)*time.Minute)); got != "" {
			t.Fatalf("call %d of the next month: %s", i, got)
		}
	}
	if d := l.decide(t, l.toolCall(t, "x", "{}", noon.Add(time.Hour))); d.Allowed {
		t.Error("after the clock came back, the call passed")
	}
	if d := l.decide(t, l.toolCall(t, "x", "{}", later.Add(time.Hour))); d.code() != "QUOTA_EXCEEDED" {
		t.Errorf("in the month that is used up: got %q", d.code())
	}
}

func TestAllLimitsOrNone(t *testing.T) {
	b := newBook(t)
	l := mustConnect(t, b, setup{
		rate: quota.RateKeys{Rate: buckets("100/hour burst 100"), Quota: calls("50/day", "60/month")},
		team: one("rate", &quota.RateKeys{Quota: calls("3/day"), Concurrency: &quota.Count{N: 9}}),
		org:  one("rate", &quota.RateKeys{Quota: calls("3/month")}),
	})
	n, d := l.tries(t, "x", noon)
	if want := "team crew: 3 calls/day; org acme: 3 calls/month"; n != 3 || d.Detail != want || d.code() != "QUOTA_EXCEEDED" {
		t.Errorf("got %d calls, then %s: %q, want %q", n, d.code(), d.Detail, want)
	}
	if want := 7*24*time.Hour + 12*time.Hour; d.Wait != want {
		t.Errorf("got a wait of %v, want the longest, %v", d.Wait, want)
	}
	for _, u := range b.Usage(l.Connection) {
		if u.Used+u.Reserved != 3 && u.Place != "agent bot" {
			t.Errorf("%s %s: used %d, reserved %d; the refused call took something", u.Place, u.Text, u.Used, u.Reserved)
		}
	}
}

func TestConcurrencyIsReleasedOnEveryPath(t *testing.T) {
	reports := map[string]*policy.Report{
		"refused later": nil, "unsent": {Status: policy.StatusFailed, Unsent: true}, "failed": {Status: policy.StatusFailed},
		"timeout": {Status: policy.StatusTimeout}, "cancelled": {Status: policy.StatusCancelled}, "answered": answered(t, "{}"),
	}
	for name, report := range reports {
		t.Run(name, func(t *testing.T) {
			l := mustConnect(t, newBook(t), setup{rate: quota.RateKeys{Concurrency: &quota.Count{N: 2}}})
			for range 3 {
				first, second := l.decide(t, l.toolCall(t, "x", "{}", noon)), l.decide(t, l.toolCall(t, "x", "{}", noon))
				if third := l.try(t, "x", noon); !first.Allowed || !second.Allowed || third != "TOO_MANY_AT_ONCE" {
					t.Fatalf("got %q, %q, %q", first.code(), second.code(), third)
				}
				first.end(t, report)
				second.end(t, report)
			}
		})
	}
}

func TestALaterRefusalGivesBackWhatIsNotARate(t *testing.T) {
	b := newBook(t)
	l := mustConnect(t, b, setup{rate: quota.RateKeys{Rate: buckets("10/day burst 10"), Quota: calls("10/day"), Concurrency: &quota.Count{N: 10}}})
	l.decide(t, l.toolCall(t, "x", "{}", noon)).end(t, nil)
	got := map[quota.Kind]int64{}
	for _, u := range b.Usage(l.Connection) {
		got[u.Kind] = u.Left
	}
	if got[quota.KindQuota] != 10 || got[quota.KindConcurrency] != 10 || got[quota.KindRate] > 10 {
		t.Errorf("left: %v", got)
	}
	if n, _ := l.tries(t, "x", noon); n != 9 {
		t.Errorf("the rate has %d left, want 9: scanning was paid for", n)
	}
}

func TestWhatCounts(t *testing.T) {
	const cheap, work, limited = "tools/list", "resources/read", "RATE_LIMITED"
	for name, x := range map[string]struct {
		setup  setup
		method string
		want   string
	}{
		"a list is not work":               {setup{rate: quota.RateKeys{Rate: buckets("1/day")}}, cheap, ""},
		"a read is":                        {setup{rate: quota.RateKeys{Rate: buckets("1/day")}}, work, limited},
		"an unknown method is":             {setup{rate: quota.RateKeys{Rate: buckets("1/day")}}, "x/y", limited},
		"an agent's rate counts lists too": {setup{agent: one("rate", &quota.RateKeys{Rate: buckets("1/day")})}, cheap, limited},
		"and what a session needs":         {setup{agent: one("rate", &quota.RateKeys{Rate: buckets("1/day")})}, "ping", limited},
		"an agent's quota counts work":     {setup{agent: one("rate", &quota.RateKeys{Quota: calls("1/day")})}, cheap, ""},
		"a tool's rate counts no reads":    {setup{tools: toolRate("x*", "1/day")}, work, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := mustConnect(t, newBook(t), x.setup)
			l.decide(t, l.message(t, x.method, "{}", noon))
			if got := l.decide(t, l.message(t, x.method, "{}", noon)).code(); got != x.want {
				t.Errorf("got %q, want %q", got, x.want)
			}
		})
	}
}

func toolRate(name, rate string) []policy.Scope {
	return []policy.Scope{{Name: policy.Pattern{Text: name}, Settings: one("rate", &quota.RateKeys{Rate: buckets(rate)})}}
}

func TestToolsHaveLimitsOfTheirOwn(t *testing.T) {
	l := mustConnect(t, newBook(t), setup{
		rate:  quota.RateKeys{Rate: buckets("100/day burst 100")},
		tools: append(toolRate("get_*", "2/day burst 2"), toolRate("*_all", "1/day")...),
	})
	for _, x := range []struct{ tool, want string }{
		{"get_all", ""}, {"get_all", "RATE_LIMITED"}, {"get_one", ""}, {"get_one", "RATE_LIMITED"}, {"put", ""}, {"del_all", "RATE_LIMITED"},
	} {
		if got := l.try(t, x.tool, noon); got != x.want {
			t.Errorf("%s: got %q, want %q", x.tool, got, x.want)
		}
	}
}

func TestLaterRoundsAreBoundedAndChargedOnce(t *testing.T) {
	b := newBook(t)
	l := mustConnect(t, b, setup{
		rate:     quota.RateKeys{Quota: calls("1/day"), Rate: buckets("100/day burst 100")},
		spend:    quota.SpendKeys{Spend: budgets("$1/day")},
		upstream: one("spend", &quota.UpstreamKeys{Cost: &quota.Cost{Prices: quota.Prices{Call: ref[quota.Price]("$1")}}}),
	})
	for round := range 12 {
		c := l.toolCall(t, "x", "{}", noon)
		c.Round = round
		want := ""
		if round > 10 {
			want = "TOO_MANY_ROUNDS"
		}
		if got := l.decide(t, c).code(); got != want {
			t.Errorf("round %d: got %q, want %q", round, got, want)
		}
	}
}

func TestSizesRefuseOneByteTooMany(t *testing.T) {
	var keys quota.SizeKeys
	keys.Size.Args, keys.Size.Result = ref[quota.Bytes]("20"), ref[quota.Bytes]("30B")
	l := mustConnect(t, newBook(t), setup{size: keys})
	for args, want := range map[string]string{`{"a":"0123456789ab"}`: "", `{"a":"0123456789abc"}`: "ARGUMENTS_TOO_LARGE", `{}`: ""} {
		if got := l.decide(t, l.toolCall(t, "x", args, noon)).code(); got != want {
			t.Errorf("%s: got %q, want %q", args, got, want)
		}
	}
	for n, want := range map[int]string{22: "", 23: "RESULT_SIZE_EXCEEDED"} {
		c := l.toolCall(t, "x", "{}", noon)
		r := answered(t, `{"a":"`+strings.Repeat("r", n)+`"}`)
		for _, c := range []*policy.Call{c, l.message(t, "tasks/result", "{}", noon), l.message(t, "tasks/get", "{}", noon)} {
			_, out := policy.Review(t.Context(), c, r.Result, policy.Outcome{Allowed: true})
			if out.Allowed != (want == "") || out.Reason != nil && out.Reason.Code != want {
				t.Errorf("a result of %s of %d bytes: got %v %v", c.Method, 8+n, out.Reason, out.Fault)
			}
		}
	}
}

func TestBytesPerDay(t *testing.T) {
	var keys quota.SizeKeys
	keys.Size.Result, keys.Size.PerDay = ref[quota.Bytes]("100"), ref[quota.Bytes]("250")
	l := mustConnect(t, newBook(t), setup{size: keys})
	first, second := l.decide(t, l.toolCall(t, "x", "{}", noon)), l.decide(t, l.toolCall(t, "x", "{}", noon))
	if third := l.try(t, "x", noon); !first.Allowed || !second.Allowed || third != "DATA_QUOTA_EXCEEDED" {
		t.Fatalf("got %q, %q, %q", first.code(), second.code(), third)
	}
	first.end(t, answered(t, "{}")) // 2 bytes each way: 98 come back
	if got := l.try(t, "x", noon); got != "" {
		t.Errorf("after the first was settled: %s", got)
	}
	second.end(t, &policy.Report{Status: policy.StatusTimeout})
	if got := l.try(t, "x", noon); got != "DATA_QUOTA_EXCEEDED" {
		t.Errorf("after one whose outcome is unknown: got %q", got)
	}
}

func TestHoursHoldInTheirZone(t *testing.T) {
	l := mustConnect(t, newBook(t), setup{
		hours: quota.HoursKeys{Hours: spans("Mon-Fri 06:00-22:00 Europe/Prague", "Sat 10:00-12:00")},
		all:   one("hours", &quota.HoursOfFile{Zone: read[quota.Zone]("Asia/Tokyo")}),
	})
	for at, want := range map[string]string{
		"2026-11-23T04:59:59Z": "OUTSIDE_HOURS", "2026-11-23T05:00:00Z": "", "2026-11-23T20:59:59Z": "", "2026-11-23T21:00:00Z": "OUTSIDE_HOURS",
		"2026-11-28T01:00:00Z": "", "2026-11-28T03:00:00Z": "OUTSIDE_HOURS", // Saturday in Tokyo
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.try(t, "x", when); got != want {
			t.Errorf("%s: got %q, want %q", at, got, want)
		}
		if got := l.decide(t, l.message(t, "tools/list", "{}", when)).code(); got != "" {
			t.Errorf("%s: a list is refused: %s", at, got)
		}
	}
	friday := time.Date(2026, 11, 27, 21, 30, 0, 0, time.UTC) // Saturday in Tokyo comes before Monday in Prague
	if d := l.decide(t, l.toolCall(t, "x", "{}", friday)); d.Wait != 3*time.Hour+30*time.Minute {
		t.Errorf("on Friday: got a wait of %v", d.Wait)
	}
	if d := l.decide(t, l.toolCall(t, "x", "{}", noon.Add(10*time.Hour))); d.Wait != 7*time.Hour || d.Detail != "connection c" {
		t.Errorf("got a wait of %v, detail %q", d.Wait, d.Detail)
	}
}

func TestGoingOnAfterRefusalsIsStopped(t *testing.T) {
	b := newBook(t)
	l := mustConnect(t, b, setup{
		rate: quota.RateKeys{Quota: calls("1/day")},
		all:  one("refusals", &quota.RefusalKeys{Refusals: ref[quota.Bucket]("60/min burst 3")}),
	})
	send := func(at time.Time) string {
		c := l.toolCall(t, "x", "{}", at)
		d := l.decide(t, c)
		if !d.Allowed {
			b.Observe(c, &d.Outcome, nil)
		}
		return d.code()
	}
	want := []string{"", "QUOTA_EXCEEDED", "QUOTA_EXCEEDED", "QUOTA_EXCEEDED", "HAMMERING", "HAMMERING", "HAMMERING"}
	for i, w := range want {
		if got := send(noon); got != w {
			t.Errorf("call %d: got %q, want %q", i, got, w)
		}
	}
	if got := l.decide(t, l.message(t, "tools/list", "{}", noon)).code(); got != "HAMMERING" {
		t.Errorf("a list: got %q", got)
	}
	if got := send(noon.Add(time.Second / 2)); got != "HAMMERING" {
		t.Errorf("half a second later: got %q", got)
	}
	if got := send(noon.Add(time.Second)); got != "QUOTA_EXCEEDED" {
		t.Errorf("a second later: got %q; hammering must not last longer than the rate says", got)
	}
	if got := send(noon.Add(time.Second)); got != "HAMMERING" {
		t.Errorf("and again: got %q", got)
	}
	for range 100 { // calls that no gate sees, because no connection leads there
		b.Observe(l.toolCall(t, "x", "{}", noon.Add(time.Minute)), &policy.Outcome{Reason: policy.ReasonNoConnection}, nil)
	}
	if got := send(noon.Add(time.Minute)); got != "HAMMERING" {
		t.Errorf("after many refusals: got %q", got)
	}
	if got := send(noon.Add(time.Minute + time.Second)); got != "QUOTA_EXCEEDED" {
		t.Errorf("a second after many refusals: got %q; they are not a debt", got)
	}
}

func TestRefusalsThatAreNotTheAgentsDoingDoNotCount(t *testing.T) {
	b := newBook(t)
	l := mustConnect(t, b, setup{agent: one("refusals", &quota.RefusalKeys{Refusals: ref[quota.Bucket]("1/day")})})
	c := l.toolCall(t, "x", "{}", noon)
	b.Observe(c, &policy.Outcome{Allowed: true}, answered(t, "{}"))
	b.Observe(c, &policy.Outcome{Reason: policy.ReasonFault, Fault: errors.New("x")}, nil)
	b.Observe(c, &policy.Outcome{Reason: policy.ReasonFault}, answered(t, "{}"))
	b.Observe(c, &policy.Outcome{Reason: policy.ReasonNobody, Paused: true}, nil) // one server that is down keeps nobody from the others
	b.Observe(&policy.Call{Time: noon}, &policy.Outcome{Reason: policy.ReasonNobody}, nil)
	if got := l.try(t, "x", noon); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestWithoutKeysNothingIsLimited(t *testing.T) {
	l := mustConnect(t, newBook(t), setup{})
	for range 200 {
		if got := l.try(t, "x", noon); got != "" {
			t.Fatal(got)
		}
	}
	for _, g := range l.Gates {
		if g.Name != "rate" && g.Name != "refusals" {
			t.Errorf("gate %s has nothing to say and stands there", g.Name)
		}
	}
}

func TestCorruptCountersRefuseEverything(t *testing.T) {
	var keys quota.SizeKeys
	keys.Size.PerDay = ref[quota.Bytes]("1MiB")
	full := setup{
		rate: quota.RateKeys{Rate: buckets("100/s")}, hours: quota.HoursKeys{Hours: spans("00:00-24:00")}, size: keys,
		spend:    quota.SpendKeys{Spend: budgets("$1/day")},
		upstream: one("spend", &quota.UpstreamKeys{Cost: &quota.Cost{Prices: quota.Prices{Call: ref[quota.Price]("$0.1")}}}),
	}
	state := &store.Memory{}
	if err := state.Apply(1, []store.Put{{Key: []byte("q/a/bot"), Value: []byte("\x01 not a record")}}); err != nil {
		t.Fatal(err)
	}
	b, err := quota.Open(state, func() time.Time { return noon }, nil)
	if err == nil || !strings.Contains(err.Error(), `"q/a/bot"`) {
		t.Fatalf("got error %v", err)
	}
	l := mustConnect(t, b, full)
	if len(l.Gates) != 5 {
		t.Fatalf("got %d gates", len(l.Gates))
	}
	for _, g := range l.Gates {
		if _, err := g.Gate.Check(t.Context(), l.toolCall(t, "x", "{}", noon)); err == nil {
			t.Errorf("gate %s has no fault", g.Name)
		}
	}
}

func TestACallWithoutATimeIsAFault(t *testing.T) {
	l := mustConnect(t, newBook(t), setup{rate: quota.RateKeys{Rate: buckets("1/s")}, hours: quota.HoursKeys{Hours: spans("00:00-24:00")}})
	for _, g := range l.Gates {
		if _, err := g.Gate.Check(t.Context(), l.toolCall(t, "x", "{}", time.Time{})); err == nil {
			t.Errorf("gate %s has no fault", g.Name)
		}
	}
}

func TestWhatServersSendIsNotLimited(t *testing.T) {
	l := mustConnect(t, newBook(t), setup{agent: one("rate", &quota.RateKeys{Rate: buckets("1/day")}), hours: quota.HoursKeys{Hours: spans("Sun 00:00-00:01")}})
	for range 3 {
		c := l.message(t, "roots/list", "{}", noon)
		c.Direction = policy.ToAgent
		if got := l.decide(t, c).code(); got != "" {
			t.Error(got)
		}
		c = l.message(t, "ping", "{}", noon)
		c.Frame = parse(t, `{"jsonrpc":"2.0","id":1,"result":{}}`, wire.FromAgent)
		if got := l.decide(t, c).code(); got != "" {
			t.Errorf("an answer: %s", got)
		}
	}
}
