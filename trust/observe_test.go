package trust_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/trust"
)

// TestWhomAnOutcomeCountsAgainst shows each outcome to a world in which both parties have worked well for a while.
func TestWhomAnOutcomeCountsAgainst(t *testing.T) {
	limited := &policy.Answer{Code: "RATE_LIMITED", Retry: policy.RetryAfter}
	allowed := policy.Outcome{Allowed: true}
	refused := func(r *policy.Reason) policy.Outcome { return policy.Denied("gate", r, "") }
	report := func(s policy.Status, code int) *policy.Report { return &policy.Report{Status: s, Code: code} }
	cases := map[string]struct {
		change  func(*policy.Call)
		outcome policy.Outcome
		report  *policy.Report
		// signs of what happens to the scores
		agent, upstream int
	}{
		"success":               {outcome: allowed, report: report(policy.StatusOK, 0), agent: 1, upstream: 1},
		"success of a ping":     {change: func(c *policy.Call) { c.Method = "ping" }, outcome: allowed, report: report(policy.StatusOK, 0)},
		"reading a resource":    {change: func(c *policy.Call) { c.Method = "resources/read" }, outcome: allowed, report: report(policy.StatusOK, 0), agent: 1, upstream: 1},
		"notification":          {outcome: allowed, report: report(policy.StatusSent, 0)},
		"cancelled":             {outcome: refused(refusal(policy.Info)), report: report(policy.StatusCancelled, 0)},
		"invalid params":        {outcome: allowed, report: report(policy.StatusError, -32602), agent: -1},
		"unknown resource":      {outcome: allowed, report: report(policy.StatusError, -32002), agent: -1},
		"internal error":        {outcome: allowed, report: report(policy.StatusError, -32603), upstream: -1},
		"error of a ping":       {change: func(c *policy.Call) { c.Method = "ping" }, outcome: allowed, report: report(policy.StatusError, -32602)},
		"another error":         {outcome: allowed, report: report(policy.StatusError, -1), agent: -1},
		"tool error":            {outcome: allowed, report: report(policy.StatusToolError, 0), agent: -1},
		"no answer":             {outcome: refused(refusal(policy.Info)), report: report(policy.StatusFailed, 0), upstream: -1},
		"no answer in time":     {outcome: refused(refusal(policy.Info)), report: report(policy.StatusTimeout, 0), upstream: -1},
		"result refused":        {outcome: refused(refusal(policy.Info)), report: report(policy.StatusOK, 0), upstream: -1},
		"poisoned result":       {outcome: refused(refusal(policy.High)), report: report(policy.StatusOK, 0), upstream: -1},
		"violation":             {outcome: refused(refusal(policy.Low)), agent: -1},
		"refusal that says nil": {outcome: refused(refusal(policy.Info))},
		"rate":                  {outcome: refused(&policy.Reason{Code: "RATE", Answer: limited})},
		"hammering":             {outcome: refused(&policy.Reason{Code: "HAMMER", Answer: limited, Severity: policy.Low}), agent: -1},
		"stranger":              {change: func(c *policy.Call) { c.Agent = nil }, outcome: refused(policy.ReasonNobody)},
		"revoked meanwhile":     {outcome: refused(policy.ReasonNobody), report: report(policy.StatusOK, 0)},
		"no connection":         {change: func(c *policy.Call) { c.Connection = nil }, outcome: refused(policy.ReasonNoConnection), agent: -1},
		"granted just before":   {outcome: policy.Outcome{Reason: refusal(policy.Medium), Lapsed: true}},
		"our own fault":         {outcome: policy.Outcome{Reason: policy.ReasonFault, Fault: errors.New("x")}},
		"not recorded":          {outcome: policy.Outcome{Reason: refusal(policy.Info), Fault: errors.New("x")}, report: report(policy.StatusFailed, 0)},
		"observed only":         {outcome: policy.Outcome{Allowed: true, Findings: []policy.Finding{{Reason: refusal(policy.High)}}}},
		"a secret cut out":      {outcome: policy.Outcome{Allowed: true, Cut: policy.Cut{Message: refusal(policy.High)}}, report: report(policy.StatusOK, 0), agent: -1, upstream: 1},
		"an injection cut out":  {outcome: policy.Outcome{Allowed: true, Cut: policy.Cut{Result: refusal(policy.High)}}, report: report(policy.StatusOK, 0), agent: 1, upstream: -1},
		"personal data cut out": {outcome: policy.Outcome{Allowed: true, Cut: policy.Cut{Message: refusal(policy.Low), Result: refusal(policy.Info)}}, report: report(policy.StatusOK, 0), agent: 1, upstream: 1},
		"cut out of a question": {
			change:  func(c *policy.Call) { c.Direction = policy.ToAgent },
			outcome: policy.Outcome{Allowed: true, Cut: policy.Cut{Message: refusal(policy.Medium)}}, report: report(policy.StatusOK, 0), upstream: -1,
		},
		"cut out of what the agent answers": {
			change:  func(c *policy.Call) { c.Direction = policy.ToAgent },
			outcome: policy.Outcome{Allowed: true, Cut: policy.Cut{Result: refusal(policy.High)}}, report: report(policy.StatusOK, 0), agent: -1,
		},
		"cut out, and not answered": {outcome: func() policy.Outcome {
			o := refused(refusal(policy.Info))
			o.Cut.Message = refusal(policy.High)
			return o
		}(), report: report(policy.StatusFailed, 0), agent: -1, upstream: -1},
		"what an upstream asks": {change: func(c *policy.Call) { c.Direction = policy.ToAgent }, outcome: refused(refusal(policy.Medium)), upstream: -1},
		"an innocent question":  {change: func(c *policy.Call) { c.Direction = policy.ToAgent }, outcome: refused(refusal(policy.Info))},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.succeed("write", 100)
			w.pass(day)
			agent, upstream := w.score(), w.health()
			for range 20 { // so that what is small can be seen
				call := w.call("write")
				if c.change != nil {
					c.change(call)
				}
				out := c.outcome
				w.Observe(call, &out, c.report)
			}
			if got := sign(w.score() - agent); got != c.agent {
				t.Errorf("the agent goes from %d to %d", agent, w.score())
			}
			if got := sign(w.health() - upstream); got != c.upstream {
				t.Errorf("the upstream goes from %d to %d", upstream, w.health())
			}
		})
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func TestAToolErrorIsNotTheAgentsFaultWhereTheUpstreamIsIll(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		w.Observe(w.call("write"), &policy.Outcome{Allowed: true}, &policy.Report{Status: policy.StatusError, Code: -32603})
	}
	before := w.score()
	for range 20 {
		w.Observe(w.call("write"), &policy.Outcome{Allowed: true}, &policy.Report{Status: policy.StatusToolError})
	}
	if got := w.score(); got != before {
		t.Errorf("the agent goes from %d to %d", before, got)
	}
	w.fail("write", 5)
	if got := w.score(); got >= before {
		t.Errorf("wrong requests leave the agent at %d", got)
	}
}

func TestWhatIsCutOutCountsOnceInAnHour(t *testing.T) {
	w := newWorld(t)
	out := policy.Outcome{Allowed: true, Cut: policy.Cut{Message: refusal(policy.High)}}
	observe := func() int {
		w.Observe(w.call("write"), &out, &policy.Report{Status: policy.StatusOK})
		return w.score()
	}
	first := observe()
	for range 100 {
		if got := observe(); got != first {
			t.Fatalf("it counts again: %d after %d", got, first)
		}
	}
	w.pass(time.Hour)
	if got := observe(); got >= first {
		t.Errorf("an hour later: %d after %d", got, first)
	}
}

func TestHammeringCountsOnceInAnHour(t *testing.T) {
	w := newWorld(t)
	hammer := func(times int) {
		for range times {
			out := policy.Denied("refusals", &policy.Reason{
				Code: "HAMMERING", Answer: &policy.Answer{Retry: policy.RetryAfter}, Severity: policy.Low,
			}, "")
			w.Observe(w.call("write"), &out, nil)
		}
	}
	hammer(1)
	once := w.score()
	hammer(1000)
	if got := w.score(); got != once {
		t.Errorf("once leaves %d, a thousand times %d", once, got)
	}
	w.save(t)
	w.reopen(t) // a restart is no excuse
	hammer(1)
	if got := w.score(); got != once {
		t.Errorf("after a restart it counts again: %d", got)
	}
	w.pass(time.Hour)
	hammer(1)
	if got := w.score(); got >= once {
		t.Errorf("an hour later it counts nothing: %d", got)
	}
}

func TestNobodyQuarantinesAnUpstreamThroughItsResults(t *testing.T) {
	w := newWorld(t)
	out := policy.Denied("guardrails", refusal(policy.Critical), "")
	w.Observe(w.call("write"), &out, &policy.Report{Status: policy.StatusOK})
	if got := w.Standing(trust.Upstream(hub)); got.Condition != trust.Sound || got.Score > 31 {
		t.Errorf("the standing of the upstream is %v", got)
	}
}

func TestWorkIsClassedByItsTask(t *testing.T) {
	// How much a success earns shows the class: reads earn a tenth of writes, those a fifth of what cannot be undone.
	earned := func(p *trust.Params, task string) int {
		w := newWorld(t)
		w.Register(p, nil, nil)
		w.pass(day)
		w.succeed(task, 20)
		x, err := w.Explain(trust.Agent(bot))
		if err != nil {
			t.Fatal(err)
		}
		return x.Earned
	}
	defaults := trust.ParamsOf(nil)
	own := params(t, func(s *trust.Section) {
		s.Classes = &trust.Classes{
			Read:        []policy.Pattern{{Text: "safe"}},
			Write:       []policy.Pattern{{Text: "delete_draft"}},
			Destructive: []policy.Pattern{{Text: "delete*"}, {Text: "deploy"}},
		}
	})
	const reading, writing, destroying = 1, 19, 83
	for name, c := range map[string]struct {
		params *trust.Params
		task   string
		want   int
	}{
		"read by default":        {defaults, "read", reading},
		"search by default":      {defaults, "search_all", reading},
		"delete by default":      {defaults, "delete", destroying},
		"unclassified":           {defaults, policy.Unclassified, writing},
		"named by none":          {defaults, "deploy", writing},
		"configured":             {own, "deploy", destroying},
		"the worst class counts": {own, "delete_draft", destroying},
		"configured to read":     {own, "safe", reading},
		"no longer read":         {own, "read", writing},
	} {
		if got := earned(c.params, c.task); got != c.want {
			t.Errorf("%s: 20 successes earn %d points, want %d", name, got, c.want)
		}
	}
}
