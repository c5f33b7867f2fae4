package quota_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/quota"
	"github.com/hopgate/hopgate/store"
)

func price(text string) *quota.Price { return ref[quota.Price](text) }

func cost(p quota.Prices, tools ...quota.ToolCost) policy.Settings {
	return one("spend", &quota.UpstreamKeys{Cost: &quota.Cost{Prices: p, Tools: tools, At: line(50)}})
}

func currencies(pairs ...string) policy.Settings {
	var f quota.SpendOfFile
	for i, pair := range pairs {
		name, rate, _ := strings.Cut(pair, "=")
		f.Currencies = append(f.Currencies, quota.Currency{Name: quota.Code(name), At: line(60 + i), Rate: *price(rate)})
	}
	return one("spend", &f)
}

func pointer(text string) quota.Pointer { return read[quota.Pointer](text) }

func TestPricesReserveTheMostAndChargeTheCost(t *testing.T) {
	kb := strings.Repeat("k", 1015) // with {"a":"..."} 1023 bytes
	for name, x := range map[string]struct {
		prices   quota.Prices
		args     string
		result   string
		reserved string
		charged  string
	}{
		"each call":               {quota.Prices{Call: price("$0.002")}, "{}", "{}", "0.002", "0.002"},
		"arguments, a kilobyte":   {quota.Prices{PerArgKB: price("$0.1")}, `{"a":"` + kb + `k"}`, "{}", "0.1", "0.1"},
		"arguments, a byte more":  {quota.Prices{PerArgKB: price("$0.1")}, `{"a":"` + kb + `kk"}`, "{}", "0.2", "0.2"},
		"result":                  {quota.Prices{PerResultKB: price("$0.1")}, "{}", `{"a":"` + kb + `kk"}`, "6.4", "0.2"},
		"a number":                {quota.Prices{Argument: &quota.Argument{Pointer: pointer("/n"), Each: *price("$0.001")}}, `{"n":2.5}`, "{}", "0.0025", "0.0025"},
		"elements":                {quota.Prices{Argument: &quota.Argument{Pointer: pointer("/l/0"), Each: *price("$2")}}, `{"l":[[1,"b",{}]]}`, "{}", "6", "6"},
		"an absent argument":      {quota.Prices{Argument: &quota.Argument{Pointer: pointer("/n"), Each: *price("$2"), Absent: &quota.Count{N: 7}}}, `{}`, "{}", "14", "14"},
		"a reported price":        {quota.Prices{Call: price("$1"), Reported: &quota.Reported{Pointer: pointer("/usage/cost"), Max: price("$5")}}, "{}", `{"_meta":{"usage":{"cost":0.25}}}`, "6", "1.25"},
		"reported as text":        {quota.Prices{Reported: &quota.Reported{Pointer: pointer("/c"), Max: price("$5")}}, "{}", `{"_meta":{"c":"0.25"}}`, "5", "0.25"},
		"reported below min":      {quota.Prices{Reported: &quota.Reported{Pointer: pointer("/c"), Max: price("$5"), Min: price("$1")}}, "{}", `{"_meta":{"c":0}}`, "5", "1"},
		"reported negative":       {quota.Prices{Reported: &quota.Reported{Pointer: pointer("/c"), Max: price("$5")}}, "{}", `{"_meta":{"c":-3}}`, "5", "5"},
		"reported not at all":     {quota.Prices{Reported: &quota.Reported{Pointer: pointer("/c"), Max: price("$5")}}, "{}", `{}`, "5", "5"},
		"reported in EUR":         {quota.Prices{Reported: &quota.Reported{Pointer: pointer("/c"), Max: price("$5"), Currency: "EUR"}}, "{}", `{"_meta":{"c":1}}`, "5", "1.08"},
		"bounded as a whole":      {quota.Prices{PerResultKB: price("$0.1"), Max: price("$0.5")}, "{}", "{}", "0.5", "0.1"},
		"several currencies":      {quota.Prices{Call: price("$1"), PerArgKB: price("1 EUR")}, "{}", "{}", "2.08", "2.08"},
		"rounded up":              {quota.Prices{Call: price("$0"), Argument: &quota.Argument{Pointer: pointer("/n"), Each: *price("$0.000000001")}}, `{"n":0.1}`, "{}", "0.000000001", "0.000000001"},
		"a signed payment":        {quota.Prices{X402: true}, `{}`, "{}", "0.01", "0.01"},
		"a payment as an integer": {quota.Prices{X402: true}, ` {}`, "{}", "0.01", "0.01"},
	} {
		t.Run(name, func(t *testing.T) {
			l := mustConnect(t, newBook(t), setup{spend: quota.SpendKeys{Spend: budgets("$100/month")}, upstream: cost(x.prices), all: currencies("EUR=1.08 USD")})
			c := l.toolCall(t, "x", x.args, noon)
			if x.prices.X402 {
				value := `"10000"`
				if x.args != "{}" {
					value = "10000"
				}
				c = l.message(t, "tools/call", `{"name":"x","arguments":{},"_meta":{"x402/payment":{"payload":{"authorization":{"value":`+value+`}}}}}`, noon)
			}
			d := l.decide(t, c)
			if !d.Allowed || d.Facts.Reserved != price("$"+x.reserved).Nanos || d.Facts.Currency != "USD" {
				t.Fatalf("got %q, %+v, fault %v; want %s reserved", d.code(), d.Facts, d.Fault, x.reserved)
			}
			d.end(t, answered(t, x.result))
			if d.Facts.Charged != price("$"+x.charged).Nanos || len(d.Findings) > 0 {
				t.Errorf("charged %d, want %s; findings %v", d.Facts.Charged, x.charged, d.Findings)
			}
			for _, u := range l.book.Usage(l.Connection) {
				if u.Kind == quota.KindSpend && (u.Used != d.Facts.Charged || u.Reserved != 0) {
					t.Errorf("used %d, reserved %d after the call", u.Used, u.Reserved)
				}
			}
		})
	}
}

func TestPricesThatNobodyKnowsAreRefused(t *testing.T) {
	byArgument := quota.Prices{Argument: &quota.Argument{Pointer: pointer("/n"), Each: *price("$1")}}
	pay := func(payment string) string { return `{"name":"x","_meta":{"x402/payment":` + payment + `}}` }
	for name, x := range map[string]struct {
		prices quota.Prices
		params string
		want   string
	}{
		"absent":              {byArgument, `{"name":"x","arguments":{}}`, "PRICE_UNKNOWN"},
		"negative":            {byArgument, `{"name":"x","arguments":{"n":-1}}`, "PRICE_UNKNOWN"},
		"with an exponent":    {byArgument, `{"name":"x","arguments":{"n":1e3}}`, "PRICE_UNKNOWN"},
		"text":                {byArgument, `{"name":"x","arguments":{"n":"1"}}`, "PRICE_UNKNOWN"},
		"an object":           {byArgument, `{"name":"x","arguments":{"n":{}}}`, "PRICE_UNKNOWN"},
		"more than there is":  {byArgument, `{"name":"x","arguments":{"n":9000000000}}`, "BUDGET_EXCEEDED"},
		"a payment uncounted": {quota.Prices{Call: price("$1")}, pay(`{"payload":{"authorization":{"value":"1"}}}`), "PAYMENT_NOT_COUNTED"},
		"an unread payment":   {quota.Prices{X402: true}, pay(`{"payload":{"transaction":"AAEC"}}`), "PAYMENT_NOT_COUNTED"},
		"a signed nothing":    {quota.Prices{X402: true}, pay(`{"payload":{"authorization":{"value":"0"}}}`), "PAYMENT_NOT_COUNTED"},
		"a negative payment":  {quota.Prices{X402: true}, pay(`{"payload":{"authorization":{"value":"-5"}}}`), "PAYMENT_NOT_COUNTED"},
		"a payment too large": {quota.Prices{X402: true}, pay(`{"payload":{"authorization":{"value":"200000000"}}}`), "BUDGET_EXCEEDED"},
		"only said":           {quota.Prices{X402: true}, pay(`{"accepted":{"amount":"1"}}`), "PAYMENT_NOT_COUNTED"},
		"as text":             {quota.Prices{X402: true}, pay(`"eyJ4IjoxfQ=="`), "PAYMENT_NOT_COUNTED"},

		"two payments":                 {quota.Prices{X402: true}, pay(`{"payload":{"authorization":{"value":"1"},"permit2Authorization":{"permitted":{"amount":"200000000"}}}}`), "PAYMENT_NOT_COUNTED"},
		"two, one of which is unread":  {quota.Prices{X402: true}, pay(`{"payload":{"permit2Authorization":{"permitted":[{"amount":"200000000"}]},"authorization":{"value":"1"}}}`), "PAYMENT_NOT_COUNTED"},
		"a payment and a transaction":  {quota.Prices{X402: true}, pay(`{"payload":{"authorization":{"value":"1"},"transaction":"AAEC"}}`), "PAYMENT_NOT_COUNTED"},
		"two amounts for some readers": {quota.Prices{X402: true}, pay(`{"payload":{"authorization":{"value":"1","Value":"200000000"}}}`), "PAYMENT_NOT_COUNTED"},
		"two payloads for some":        {quota.Prices{X402: true}, pay(`{"payload":{"authorization":{"value":"1"}},"Payload":{"authorization":{"value":"200000000"}}}`), "PAYMENT_NOT_COUNTED"},
		"another spelling":             {quota.Prices{X402: true}, `{"name":"x","_meta":{"X402/Payment":{"payload":{"authorization":{"value":"1"}}}}}`, "PAYMENT_NOT_COUNTED"},
		"a payment beyond max":         {quota.Prices{X402: true, Max: price("$1")}, pay(`{"payload":{"authorization":{"value":"200000000"}}}`), "BUDGET_EXCEEDED"},
		"a permit beyond max":          {quota.Prices{X402: true, Max: price("$1")}, pay(`{"payload":{"signature":"0x","permit2Authorization":{"permitted":{"amount":"200000000"}}}}`), "BUDGET_EXCEEDED"},
	} {
		t.Run(name, func(t *testing.T) {
			l := mustConnect(t, newBook(t), setup{spend: quota.SpendKeys{Spend: budgets("$100/month")}, upstream: cost(x.prices)})
			if d := l.decide(t, l.message(t, "tools/call", x.params, noon)); d.code() != x.want {
				t.Errorf("got %q, want %q", d.code(), x.want)
			}
		})
	}
}

func TestACapWithoutPricesStillSeesPayments(t *testing.T) {
	l := mustConnect(t, newBook(t), setup{spend: quota.SpendKeys{Spend: budgets("$100/month")}})
	const paid = `{"name":"x","_meta":{"x402/payment":{"payload":{"authorization":{"value":"1"}}}}}`
	for _, method := range []string{"tools/call", "resources/read"} {
		if got := l.decide(t, l.message(t, method, paid, noon)).code(); got != "PAYMENT_NOT_COUNTED" {
			t.Errorf("%s: got %q", method, got)
		}
	}
	if got := l.try(t, "x", noon); got != "" {
		t.Errorf("without a payment: %s", got)
	}
}

func TestTheFirstPriceOfAToolCounts(t *testing.T) {
	l := mustConnect(t, newBook(t), setup{upstream: cost(quota.Prices{Call: price("$1")},
		quota.ToolCost{Name: policy.Pattern{Text: "get_*"}, Prices: quota.Prices{Call: price("$2")}},
		quota.ToolCost{Name: policy.Pattern{Text: "*"}, Prices: quota.Prices{Call: price("3 USD")}},
	)})
	for tool, want := range map[string]string{"get_a": "$2", "put": "$3"} {
		if d := l.decide(t, l.toolCall(t, tool, "{}", noon)); d.Facts.Reserved != price(want).Nanos {
			t.Errorf("%s: reserved %d, want %s", tool, d.Facts.Reserved, want)
		}
	}
}

func TestOutcomesSettle(t *testing.T) {
	for name, x := range map[string]struct {
		report *policy.Report
		left   string
	}{
		"not sent, refused later": {nil, "$10"},
		"surely not sent":         {&policy.Report{Status: policy.StatusFailed, Unsent: true}, "$10"},
		"broken":                  {&policy.Report{Status: policy.StatusFailed}, "$4"},
		"timed out":               {&policy.Report{Status: policy.StatusTimeout}, "$4"},
		"cancelled":               {&policy.Report{Status: policy.StatusCancelled}, "$4"},
		"answered":                {answered(t, `{"_meta":{"c":2}}`), "$7"},
		"a tool error":            {&policy.Report{Status: policy.StatusToolError, Result: answered(t, `{"isError":true,"_meta":{"c":0}}`).Result}, "$9"},
		"answered by a question":  {answered(t, `{"inputRequests":{"q":{"method":"roots/list"}},"_meta":{"c":0}}`), "$4"},
		"answered by a state":     {answered(t, `{"requestState":"s","_meta":{"c":0}}`), "$4"},
		"answered by a task":      {answered(t, `{"task":{"taskId":"t"},"_meta":{"c":0}}`), "$4"},
		"claimed too much":        {answered(t, `{"_meta":{"c":50}}`), "$4"},
	} {
		t.Run(name, func(t *testing.T) {
			l := mustConnect(t, newBook(t), setup{
				spend:    quota.SpendKeys{Spend: budgets("$10/month")},
				upstream: cost(quota.Prices{Call: price("$1"), Reported: &quota.Reported{Pointer: pointer("/c"), Max: price("$5")}}),
			})
			c := l.toolCall(t, "x", "{}", noon)
			d := l.decide(t, c)
			d.end(t, x.report)
			left, err := l.book.Left(l.Connection, c)
			if err != nil {
				t.Fatal(err)
			}
			reserved := int64(0)
			if strings.Contains(name, "by a question") || strings.Contains(name, "by a state") {
				reserved = price("$6").Nanos
			}
			if got := left[len(left)-1]; got.Left != price(x.left).Nanos || got.Reserved != reserved {
				t.Errorf("left %d, reserved %d, want %s", got.Left, got.Reserved, x.left)
			}
			overrun := len(d.Findings) == 1 && d.Findings[0].Reason.Code == "COST_OVERRUN" && d.Findings[0].At == line(50)
			if overrun != (name == "claimed too much") {
				t.Errorf("findings: %v", d.Findings)
			}
		})
	}
}

// TestAnOverrunTakesNoMoreThanItsPart has an upstream report more than it may, while other parts of the price leave room.
func TestAnOverrunTakesNoMoreThanItsPart(t *testing.T) {
	l := mustConnect(t, newBook(t), setup{upstream: cost(quota.Prices{
		PerResultKB: price("$1"), Reported: &quota.Reported{Pointer: pointer("/c"), Max: price("$5")},
	})})
	d := l.decide(t, l.toolCall(t, "x", "{}", noon))
	d.end(t, answered(t, `{"_meta":{"c":50}}`))
	want := []policy.Finding{{Gate: "spend", Detail: "reported 50 USD, of which 5 count", At: line(50)}}
	for i := range d.Findings {
		d.Findings[i].Reason = nil
	}
	if diff := cmp.Diff(want, d.Findings); d.Facts.Charged != 6*unit || diff != "" {
		t.Errorf("charged %d; findings -want +got\n%s", d.Facts.Charged, diff)
	}
}

func TestALateSettleRefundsItsOwnMonth(t *testing.T) {
	l := mustConnect(t, newBook(t), setup{spend: quota.SpendKeys{Spend: budgets("$10/month")}, upstream: cost(quota.Prices{Call: price("$4")})})
	november := l.decide(t, l.toolCall(t, "x", "{}", noon))
	december := noon.Add(10 * 24 * time.Hour)
	l.decide(t, l.toolCall(t, "x", "{}", december)).end(t, answered(t, "{}"))
	november.end(t, nil)
	if n, d := l.tries(t, "x", december); n != 1 || d.code() != "BUDGET_EXCEEDED" || d.Detail != "connection c: 10 USD/month" {
		t.Errorf("got %d more calls, %q", n, d.Detail)
	}
}

func TestSpendOfEveryLevel(t *testing.T) {
	budget := func(texts ...string) policy.Settings {
		return one("spend", &quota.SpendKeys{Spend: budgets(texts...)})
	}
	l := mustConnect(t, newBook(t), setup{
		spend: quota.SpendKeys{Spend: budgets("$4/month", "$3/day")}, agent: budget("$5/month"), team: budget("3 EUR/day"), org: budget("$3.30/week"),
		tools:    []policy.Scope{{Name: policy.Pattern{Text: "x*"}, Settings: budget("$3.50/month")}},
		upstream: cost(quota.Prices{Call: price("$1.10")}), all: currencies("EUR=1.10 USD"),
	})
	n, d := l.tries(t, "xy", noon)
	if want := "connection c: 3 USD/day; tool x*: 3.5 USD/month; team crew: 3 EUR/day"; n != 2 && d.Detail != want {
		t.Errorf("got %d calls, then %q", n, d.Detail)
	}
}

func TestRaisingACapAppliesAtOnceAndLoweringToo(t *testing.T) {
	b := newBook(t)
	capped := func(text string) *link {
		return mustConnect(t, b, setup{spend: quota.SpendKeys{Spend: budgets(text)}, upstream: cost(quota.Prices{Call: price("$1")})})
	}
	for _, x := range []struct {
		cap  string
		more int
	}{{"$3/month", 3}, {"$5/month", 2}, {"$2/month", 0}, {"$6/month", 1}} {
		if n, _ := capped(x.cap).tries(t, "x", noon); n != x.more {
			t.Errorf("under %s: %d more calls, want %d", x.cap, n, x.more)
		}
	}
}

func TestThresholdsAreToldOncePerWindow(t *testing.T) {
	state := &store.Memory{}
	var told []int
	tell := func(e quota.Event) {
		if e.Place != "connection c" || e.Currency != "USD" || e.Max != price("$100").Nanos || e.Resets.IsZero() || e.At != line(30) {
			t.Errorf("event %+v", e)
		}
		told = append(told, e.Percent)
	}
	s := setup{spend: quota.SpendKeys{Spend: budgets("$100/month")}, upstream: cost(quota.Prices{Argument: &quota.Argument{Pointer: pointer("/n"), Each: *price("$1")}})}
	l := mustConnect(t, openBook(t, state, tell), s)
	use := func(n string, at time.Time) {
		if d := l.decide(t, l.toolCall(t, "x", `{"n":`+n+`}`, at)); d.Allowed {
			d.end(t, answered(t, "{}"))
		}
	}
	restart := func() {
		save(t, l.book, state)
		l = mustConnect(t, openBook(t, state, tell), s)
	}
	if use("101", noon); len(told) > 0 {
		t.Errorf("a call that never fits has told %v", told)
	}
	waiting := l.decide(t, l.toolCall(t, "x", `{"n":60}`, noon))
	use("49", noon) // refused while the other waits
	waiting.end(t, nil)
	use("49", noon)
	use("2", noon)
	restart()
	use("10", noon)
	use("35", noon) // 96
	restart()
	use("5", noon) // refused
	use("5", noon)
	restart()
	use("4", noon)
	use("51", noon.Add(9*24*time.Hour)) // the next month
	use("30", noon.Add(9*24*time.Hour))
	if want := []int{100, 50, 95, 50, 80}; !slices.Equal(told, want) {
		t.Errorf("got %v, want %v", told, want)
	}
}

func TestWhatIsWrongWithMoney(t *testing.T) {
	for name, x := range map[string]struct {
		setup setup
		want  policy.Complaints
	}{
		"a foreign cap": {
			setup{spend: quota.SpendKeys{Spend: budgets("5 CZK/day")}, upstream: cost(quota.Prices{Call: price("$1")})},
			policy.Complaints{{At: line(30), Text: "USD meets CZK here, and there is no rate for USD", Hint: "add currencies: {USD: RATE CZK} at the top of the file"}},
		},
		"a foreign price": {
			setup{upstream: cost(quota.Prices{Call: price("$1"), PerArgKB: &quota.Price{Nanos: 1, Currency: "GBP", At: line(3)}}), all: currencies("EUR=1.1 USD")},
			policy.Complaints{{At: line(3), Text: "GBP meets USD here, and there is no rate for GBP", Hint: "add currencies: {GBP: RATE USD} at the top of the file"}},
		},
		"an unbounded price": {
			setup{upstream: cost(quota.Prices{Reported: &quota.Reported{Pointer: pointer("/c"), At: line(4)}})},
			policy.Complaints{{At: line(4), Text: "nothing bounds what the upstream may report", Hint: "add max, e.g. reported: {pointer: /c, max: $0.50}"}},
		},
		"min above max": {
			setup{upstream: cost(quota.Prices{Reported: &quota.Reported{Pointer: pointer("/c"), Max: price("$1"), Min: &quota.Price{Nanos: 2e9, Currency: "USD", At: line(6)}}})},
			policy.Complaints{{At: line(6), Text: "min is more than max", Hint: "lower min, or raise max"}},
		},
		"rates in two currencies": {
			setup{upstream: cost(quota.Prices{Call: price("$1")}), all: currencies("EUR=1.1 USD", "GBP=1.2 EUR")},
			policy.Complaints{{Text: "the rate of GBP is in EUR, others are in USD", Hint: "give all rates in one currency"}},
		},
		"a rate of zero": {
			setup{upstream: cost(quota.Prices{Call: price("$1")}), all: currencies("EUR=0 USD")},
			policy.Complaints{{Text: "the rate of EUR is zero", Hint: "say what one unit is worth"}},
		},
		"two caps of one kind": {
			setup{spend: quota.SpendKeys{Spend: budgets("$5/day", "$6/day")}, upstream: cost(quota.Prices{Call: price("$1")})},
			policy.Complaints{{At: line(31), Text: "a second spend of the same kind on connection c", Hint: "the first is on line 30; keep the tighter one"}},
		},
		"two rates of one unit": {
			setup{rate: quota.RateKeys{Rate: buckets("5/min", "50/hour", "6/min")}},
			policy.Complaints{{At: line(12), Text: "a second rate of the same kind on connection c", Hint: "the first is on line 10; keep the tighter one"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := x.setup.connect(newBook(t))
			var got policy.Complaints
			errors.As(err, &got)
			if diff := cmp.Diff(x.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestCapsAreShutWhileNobodyKnowsWhatWasSpent(t *testing.T) {
	b := newBook(t)
	shut := true
	b.Shut(func() bool { return shut })
	capped := mustConnect(t, b, setup{spend: quota.SpendKeys{Spend: budgets("$3/month")}, upstream: cost(quota.Prices{Call: price("$1")})})
	free := mustConnect(t, b, setup{upstream: cost(quota.Prices{Call: price("$1")}), as: "other"})
	for i := range capped.Gates {
		capped.Gates[i].Observe = true // nor does mode observe open them
	}
	if got := capped.try(t, "x", noon); got != "STATE_ROLLED_BACK" {
		t.Errorf("under a cap: %q", got)
	}
	if got := free.try(t, "x", noon); got != "" {
		t.Errorf("without a cap: %q", got)
	}
	shut = false
	if got := capped.try(t, "x", noon); got != "" {
		t.Errorf("when the state is accepted: %q", got)
	}
}
