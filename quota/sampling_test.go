package quota_test

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/quota"
)

// sampled is a connection with limits on what its upstream asks of the agent's model.
func sampled(rate *quota.SamplingRate, spend *quota.SamplingSpend) setup {
	s := policy.Settings{}
	if rate != nil {
		s["rate"] = rate
	}
	if spend != nil {
		s["spend"] = spend
	}
	return setup{sampling: s}
}

// asks is a request of the upstream to the agent's model.
func (l *link) asks(tb testing.TB, params string) *policy.Call {
	tb.Helper()
	f := parse(tb, `{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":`+params+`}`, wire.FromUpstream)
	return &policy.Call{
		Time: noon, Agent: l.Agent, Connection: l.Connection, Upstream: "up", Frame: f, Method: "sampling/createMessage", Direction: policy.ToAgent,
	}
}

// review shows the gates a result of a call that asks the agent's model, by the parameters of each question.
func (l *link) review(tb testing.TB, questions ...string) (string, policy.Outcome) {
	tb.Helper()
	var raw strings.Builder
	raw.WriteString(`{"jsonrpc":"2.0","id":1,"result":{"inputRequests":{"u":{"method":"elicitation/create","params":{"maxTokens":9999}}`)
	for i, q := range questions {
		raw.WriteString(`,"q` + string(rune('0'+i)) + `":{"method":"sampling/createMessage","params":` + q + `}`)
	}
	f := parse(tb, raw.String()+`}}}`, wire.FromUpstream)
	shown, out := policy.Review(tb.Context(), l.toolCall(tb, "x", "{}", noon), f, policy.Outcome{Allowed: true})
	if out.Fault != nil {
		tb.Fatal(out.Fault)
	}
	return string(shown.Raw), out
}

func codeOf(out policy.Outcome) string {
	if out.Allowed {
		return ""
	}
	return out.Reason.Code
}

func TestSamplingIsBoundedInTokens(t *testing.T) {
	l := mustConnect(t, newBook(t), sampled(nil, &quota.SamplingSpend{MaxTokens: ref[quota.Count]("100")}))
	for in, want := range map[string]string{
		`{"maxTokens":100}`:                 `{"maxTokens":100}`,
		`{"maxTokens":101}`:                 `{"maxTokens":100}`,
		`{"maxTokens":1e3}`:                 `{"maxTokens":100}`,
		`{"maxTokens":-5,"a":1.0}`:          `{"maxTokens":100,"a":1.0}`,
		`{"messages":[]}`:                   `{"maxTokens":100,"messages":[]}`,
		`{}`:                                `{"maxTokens":100}`,
		`{"m\u0061xTokens":999}`:            `{"m\u0061xTokens":100}`,
		`{"maxTokens":9999999999999999999}`: `{"maxTokens":100}`,
	} {
		send, out, settle := policy.Decide(t.Context(), l.asks(t, in))
		if got := string(send.Frame.Get(wire.Params)); !out.Allowed || got != want {
			t.Errorf("%s: got %s %s, want %s", in, got, codeOf(out), want)
		}
		if err := settle(t.Context(), &out, nil); err != nil {
			t.Error(err)
		}
	}
	const want = `{"jsonrpc":"2.0","id":1,"result":{"inputRequests":{"u":{"method":"elicitation/create","params":{"maxTokens":9999}},` +
		`"q0":{"method":"sampling/createMessage","params":{"maxTokens":100}},"q1":{"method":"sampling/createMessage","params":{"maxTokens":7}}}}}`
	if got, out := l.review(t, `{"maxTokens":500}`, `{"maxTokens":7}`); got != want || !out.Allowed {
		t.Errorf("in a result: got %s %s", got, codeOf(out))
	}
}

func TestSamplingHasARate(t *testing.T) {
	l := mustConnect(t, newBook(t), sampled(&quota.SamplingRate{Rate: buckets("3/hour burst 3")}, nil))
	for i, want := range []string{"", "", "", "RATE_LIMITED"} {
		var out policy.Outcome
		if i == 1 { // the same counter, whichever way a question comes
			_, out = l.review(t, `{}`)
		} else {
			_, out, _ = policy.Decide(t.Context(), l.asks(t, "{}"))
		}
		if codeOf(out) != want {
			t.Errorf("question %d: got %q, want %q", i, codeOf(out), want)
		}
	}
	if _, out := l.review(t, `{}`); codeOf(out) != "RATE_LIMITED" {
		t.Errorf("in a result: got %q", codeOf(out))
	}
	if _, out := l.review(t); !out.Allowed {
		t.Errorf("a result that asks the user alone: %q", codeOf(out))
	}
	if _, out, _ := policy.Decide(t.Context(), l.toolCall(t, "x", "{}", noon)); !out.Allowed {
		t.Errorf("a call: %q", codeOf(out))
	}
}

func TestSamplingHasACap(t *testing.T) {
	own := &quota.SamplingSpend{MaxTokens: ref[quota.Count]("1000"), Cost: price("$1"), Spend: budgets("$3/month")}
	team := policy.Settings{"spend": &quota.SpendKeys{Spend: budgets("$5/month")}}
	s := sampled(nil, own)
	s.team = team
	book := newBook(t)
	l := mustConnect(t, book, s)
	ask := func(params string) policy.Outcome {
		t.Helper()
		_, out, settle := policy.Decide(t.Context(), l.asks(t, params))
		if out.Allowed {
			if err := settle(t.Context(), &out, &policy.Report{Status: policy.StatusSent}); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	if out := ask(`{"maxTokens":500}`); !out.Allowed || out.Facts.Charged != unit/2 || out.Facts.Currency != "USD" {
		t.Errorf("half a thousand: %+v", out)
	}
	if out := ask(`{}`); !out.Allowed || out.Facts.Charged != unit {
		t.Errorf("unsaid: %+v", out)
	}
	_, out := l.review(t, `{"maxTokens":500}`, `{"maxTokens":500}`)
	if !out.Allowed || len(out.Findings) != 1 || out.Findings[0].Detail != "sampling for 1 USD" || out.Facts.Charged != 0 {
		t.Errorf("in a result: %+v", out)
	}
	if out := ask(`{"maxTokens":501}`); codeOf(out) != "BUDGET_EXCEEDED" {
		t.Errorf("beyond its own cap: %q", codeOf(out))
	}
	if _, out := l.review(t, `{}`); codeOf(out) != "BUDGET_EXCEEDED" {
		t.Errorf("beyond its own cap, in a result: %q", codeOf(out))
	}
	if out := ask(`{"maxTokens":500}`); !out.Allowed {
		t.Errorf("the rest: %q", codeOf(out))
	}
	found := map[string]int64{}
	for _, u := range book.Usage(l.Connection) {
		found[u.Place] = u.Used
	}
	if found["sampling of connection c"] != 3*unit || found["team crew"] != 3*unit {
		t.Errorf("used: %v", found)
	}

	// What is not sent costs nothing.
	own.Spend = budgets("$4/month")
	l = mustConnect(t, book, s)
	_, out, settle := policy.Decide(t.Context(), l.asks(t, `{}`))
	if err := settle(t.Context(), &out, nil); err != nil || !out.Allowed {
		t.Errorf("%v %+v", err, out)
	}
	if out := ask(`{}`); !out.Allowed {
		t.Errorf("after one that was not sent: %q", codeOf(out))
	}
}

func TestSamplingWithoutANumberOfTokensHasNoPrice(t *testing.T) {
	l := mustConnect(t, newBook(t), sampled(nil, &quota.SamplingSpend{Cost: price("$1")}))
	for _, params := range []string{`{}`, `{"maxTokens":0}`, `{"maxTokens":"9"}`} {
		if _, out, _ := policy.Decide(t.Context(), l.asks(t, params)); codeOf(out) != "SAMPLING_PRICE_UNKNOWN" {
			t.Errorf("%s: got %q", params, codeOf(out))
		}
	}
	s := sampled(nil, &quota.SamplingSpend{Spend: budgets("$1/month")})
	if _, err := s.connect(newBook(t)); err == nil {
		t.Error("a cap on what has no price was taken")
	}
}
