package policy_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// gate is a gate made of functions.
type gate struct {
	check  func(context.Context, *policy.Call) (policy.Verdict, error)
	screen func(context.Context, *policy.Call, *wire.Frame) (policy.Verdict, error)
}

func (g gate) Check(ctx context.Context, c *policy.Call) (policy.Verdict, error) {
	if g.check == nil {
		return policy.Pass, nil
	}
	return g.check(ctx, c)
}

func (g gate) Screen(ctx context.Context, c *policy.Call, f *wire.Frame) (policy.Verdict, error) {
	if g.screen == nil {
		return policy.Pass, nil
	}
	return g.screen(ctx, c, f)
}

var errNo = &policy.Reason{Code: "NO", Answer: policy.AnswerNotPermitted}

func says(v policy.Verdict, err error) gate {
	return gate{check: func(context.Context, *policy.Call) (policy.Verdict, error) { return v, err }}
}

func frame(t *testing.T, raw string) *wire.Frame {
	t.Helper()
	f := new(wire.Frame)
	from := wire.FromAgent
	if strings.Contains(raw, `"result"`) {
		from = wire.FromUpstream
	}
	if err := wire.Parse(f, []byte(raw), from, &wire.DefaultLimits); err != nil {
		t.Fatal(err)
	}
	return f
}

const toolCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":"secret"}}}`

func newCall(t *testing.T, gates ...policy.Gate) *policy.Call {
	t.Helper()
	conn := &policy.Connection{Name: "c", Limits: wire.DefaultLimits}
	for i, g := range gates {
		conn.Gates = append(conn.Gates, policy.Named{Name: string(rune('a' + i)), Gate: g})
	}
	return &policy.Call{Agent: &policy.Agent{Name: "x"}, Connection: conn, Frame: frame(t, toolCall), Method: "tools/call", Target: "t"}
}

func TestDecideFailsClosed(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	cases := map[string]struct {
		ctx  context.Context //nolint:containedctx // the case is about it
		gate policy.Gate
		edit func(*policy.Call)
		want *policy.Reason
	}{
		"no agent":           {edit: func(c *policy.Call) { c.Agent = nil }, want: policy.ReasonNobody},
		"no connection":      {edit: func(c *policy.Call) { c.Connection = nil }, want: policy.ReasonNoConnection},
		"no message":         {edit: func(c *policy.Call) { c.Frame = nil }, want: policy.ReasonFault},
		"unread message":     {edit: func(c *policy.Call) { c.Frame = &wire.Frame{} }, want: policy.ReasonFault},
		"error":              {gate: says(policy.Pass, errors.New("broken")), want: policy.ReasonFault},
		"zero verdict":       {gate: says(policy.Verdict{}, nil), want: policy.ReasonFault},
		"refusal":            {gate: says(policy.Refuse(errNo, policy.Pos{}, ""), nil), want: errNo},
		"context has ended":  {ctx: cancelled, gate: says(policy.Pass, nil), want: policy.ReasonFault},
		"overlapping edits":  {gate: says(policy.Verdict{Effect: policy.Allow, Rewrite: wire.Edits{{At: wire.Span{Lo: 1, Hi: 5}}, {At: wire.Span{Lo: 2, Hi: 6}}}}, nil), want: policy.ReasonFault},
		"edits that break":   {gate: says(policy.Verdict{Effect: policy.Allow, Rewrite: wire.Edits{{At: wire.Span{Lo: 0, Hi: 1}}}}, nil), want: policy.ReasonFault},
		"edits to a new key": {gate: says(policy.Verdict{Effect: policy.Allow, Rewrite: wire.Edits{{At: wire.Span{Lo: 1, Hi: 1}, New: []byte(`"x":1,`)}}}, nil), want: policy.ReasonFault},
		"panic": {gate: gate{check: func(context.Context, *policy.Call) (policy.Verdict, error) {
			panic("cannot happen")
		}}, want: policy.ReasonFault},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			reached := false
			last := gate{check: func(context.Context, *policy.Call) (policy.Verdict, error) {
				reached = true
				return policy.Pass, nil
			}}
			gates := []policy.Gate{last}
			if c.gate != nil {
				gates = []policy.Gate{c.gate, last}
			}
			call := newCall(t, gates...)
			if c.edit != nil {
				c.edit(call)
			}
			ctx := c.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			_, out, settle := policy.Decide(ctx, call)
			if out.Allowed || out.Reason != c.want {
				t.Errorf("got allowed=%v reason=%v, want a refusal for %s", out.Allowed, out.Reason, c.want.Code)
			}
			if reached {
				t.Error("a later gate was asked")
			}
			if err := settle(t.Context(), &out, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDecideAllowsWhatEveryGateAllows(t *testing.T) {
	call := newCall(t, says(policy.Pass, nil), says(policy.Pass, nil))
	send, out, _ := policy.Decide(t.Context(), call)
	if !out.Allowed || out.Reason != nil || send != call {
		t.Errorf("got %+v, sending the same call: %v", out, send == call)
	}
}

func TestObserveRecordsAndLetsPassButNotOnFaults(t *testing.T) {
	cases := map[string]struct {
		verdict policy.Verdict
		err     error
		allowed bool
	}{
		"refusal":    {policy.Refuse(errNo, policy.Pos{Line: 7}, "detail"), nil, true},
		"rewrite":    {policy.Verdict{Effect: policy.Allow, Rewrite: wire.Edits{{At: wire.Span{Lo: 5, Hi: 6}}}}, nil, true},
		"always":     {policy.Refuse(&policy.Reason{Code: "ALWAYS", Always: true}, policy.Pos{}, ""), nil, false},
		"fault":      {policy.Pass, errors.New("broken"), false},
		"no verdict": {policy.Verdict{}, nil, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			call := newCall(t, says(c.verdict, c.err))
			call.Connection.Gates[0].Observe = true
			send, out, _ := policy.Decide(t.Context(), call)
			if out.Allowed != c.allowed {
				t.Fatalf("allowed is %v, want %v", out.Allowed, c.allowed)
			}
			if c.allowed {
				want := []policy.Finding{{Gate: "a", Reason: c.verdict.Reason, Detail: c.verdict.Detail, At: c.verdict.At}}
				if d := cmp.Diff(want, out.Findings); d != "" {
					t.Error(d)
				}
				if send != call {
					t.Error("a rewrite that is only observed was made")
				}
			}
		})
	}
}

func TestDecideSettlesInReverse(t *testing.T) {
	reserve := func(log *[]string, name string) gate {
		return says(policy.Verdict{Effect: policy.Allow, Settle: func(ctx context.Context, _ *policy.Outcome, _ *policy.Report) error {
			*log = append(*log, name)
			if ctx.Err() != nil {
				t.Error("settling was cancelled with the caller")
			}
			if name == "b" {
				return errors.New("cannot give back")
			}
			return nil
		}}, nil)
	}
	t.Run("when the outcome is known", func(t *testing.T) {
		var log []string
		_, out, settle := policy.Decide(t.Context(), newCall(t, reserve(&log, "a"), reserve(&log, "b"), reserve(&log, "c")))
		if !out.Allowed || log != nil {
			t.Fatalf("allowed %v, settled early: %v", out.Allowed, log)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := settle(ctx, &out, nil); err == nil {
			t.Error("an error while settling is lost")
		}
		if want := []string{"c", "b", "a"}; !slices.Equal(log, want) {
			t.Errorf("got %v, want %v", log, want)
		}
	})
	t.Run("when a later gate refuses", func(t *testing.T) {
		var log []string
		_, out, _ := policy.Decide(t.Context(), newCall(t, reserve(&log, "a"), reserve(&log, "b"), says(policy.Refuse(errNo, policy.Pos{}, ""), nil)))
		if want := []string{"b", "a"}; !slices.Equal(log, want) {
			t.Errorf("got %v, want %v", log, want)
		}
		if out.Reason != errNo || out.Fault == nil {
			t.Errorf("got %v, fault %v", out.Reason, out.Fault)
		}
	})
}

// redact replaces the value of an argument.
func redact(at string, with string) gate {
	edit := func(f *wire.Frame) policy.Verdict {
		i := strings.Index(string(f.Raw), at)
		if i < 0 {
			return policy.Pass
		}
		return policy.Verdict{Effect: policy.Allow, Rewrite: wire.Edits{{At: wire.Span{Lo: int32(i), Hi: int32(i + len(at))}, New: []byte(with)}}}
	}
	return gate{
		check:  func(_ context.Context, c *policy.Call) (policy.Verdict, error) { return edit(c.Frame), nil },
		screen: func(_ context.Context, _ *policy.Call, f *wire.Frame) (policy.Verdict, error) { return edit(f), nil },
	}
}

func TestLaterGatesSeeWhatWouldBeSent(t *testing.T) {
	var seen string
	look := gate{check: func(_ context.Context, c *policy.Call) (policy.Verdict, error) {
		seen = string(c.Frame.Get(wire.ParamsArguments))
		return policy.Pass, nil
	}}
	call := newCall(t, redact("secret", "gone"), look)
	send, out, _ := policy.Decide(t.Context(), call)
	if !out.Allowed || seen != `{"a":"gone"}` {
		t.Errorf("allowed %v, the second gate saw %s", out.Allowed, seen)
	}
	if string(send.Frame.Raw) != strings.Replace(toolCall, "secret", "gone", 1) || string(call.Frame.Raw) != toolCall {
		t.Errorf("sending %s, the call became %s", send.Frame.Raw, call.Frame.Raw)
	}
}

func TestReviewGoesBackwardsAndFailsClosed(t *testing.T) {
	result := `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"one"}]}}`
	screens := func(v policy.Verdict, err error) gate {
		return gate{screen: func(context.Context, *policy.Call, *wire.Frame) (policy.Verdict, error) { return v, err }}
	}
	cases := map[string]struct {
		gates []policy.Gate
		want  string
		why   *policy.Reason
	}{
		"nothing to say": {[]policy.Gate{screens(policy.Pass, nil)}, result, nil},
		"backwards":      {[]policy.Gate{redact("two", "three"), redact("one", "two")}, strings.Replace(result, "one", "three", 1), nil},
		"refusal":        {[]policy.Gate{screens(policy.Refuse(errNo, policy.Pos{}, ""), nil)}, "", errNo},
		"error":          {[]policy.Gate{screens(policy.Pass, errors.New("broken"))}, "", policy.ReasonFault},
		"zero verdict":   {[]policy.Gate{screens(policy.Verdict{}, nil)}, "", policy.ReasonFault},
		"panic":          {[]policy.Gate{gate{screen: func(context.Context, *policy.Call, *wire.Frame) (policy.Verdict, error) { panic("!") }}}, "", policy.ReasonFault},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			call := newCall(t, c.gates...)
			got, out := policy.Review(t.Context(), call, frame(t, result), policy.Outcome{Allowed: true})
			if out.Reason != c.why || out.Allowed != (c.why == nil) {
				t.Fatalf("got allowed=%v for %v", out.Allowed, out.Reason)
			}
			if out.Allowed && string(got.Raw) != c.want {
				t.Errorf("got %s, want %s", got.Raw, c.want)
			}
		})
	}
	t.Run("a refused call has no result", func(t *testing.T) {
		_, out := policy.Review(t.Context(), newCall(t), frame(t, result), policy.Outcome{Reason: errNo})
		if out.Allowed {
			t.Error("review allowed what decide had refused")
		}
	})
}

// BenchmarkDecide is the cost of the pipeline itself, with ten gates that have nothing to say.
func BenchmarkDecide(b *testing.B) {
	conn := &policy.Connection{Limits: wire.DefaultLimits}
	for range 10 {
		conn.Gates = append(conn.Gates, policy.Named{Name: "g", Gate: says(policy.Pass, nil)})
	}
	f := new(wire.Frame)
	if err := wire.Parse(f, []byte(toolCall), wire.FromAgent, &wire.DefaultLimits); err != nil {
		b.Fatal(err)
	}
	c := &policy.Call{Agent: &policy.Agent{}, Connection: conn, Frame: f}
	b.ReportAllocs()
	for b.Loop() {
		if _, out, _ := policy.Decide(b.Context(), c); !out.Allowed {
			b.Fatal(out.Reason)
		}
	}
}

func TestFindingsOfAVerdictAreOnRecordWhateverItAnswers(t *testing.T) {
	note := []policy.Finding{{Detail: "seen"}}
	refusal := policy.Refuse(errNo, policy.Pos{}, "")
	refusal.Findings = note
	cases := map[string]policy.Verdict{
		"allowed": {Effect: policy.Allow, Findings: note},
		"refused": refusal,
	}
	for name, v := range cases {
		t.Run(name, func(t *testing.T) {
			_, out, _ := policy.Decide(t.Context(), newCall(t, says(v, nil)))
			if want := []policy.Finding{{Gate: "a", Detail: "seen"}}; !cmp.Equal(out.Findings, want) {
				t.Errorf("got %v, want %v", out.Findings, want)
			}
		})
	}
	if _, out, _ := policy.Decide(t.Context(), newCall(t, says(cases["allowed"], errors.New("broken")))); len(out.Findings) > 0 {
		t.Error("the findings of a gate that failed are taken for true")
	}
}

// TestWhatIsCutOutIsToldOfItsSender cuts out of a message and of its result, for several reasons.
func TestWhatIsCutOutIsToldOfItsSender(t *testing.T) {
	mild, bad := &policy.Reason{Code: "MILD", Severity: policy.Low}, &policy.Reason{Code: "BAD", Severity: policy.High}
	because := func(r *policy.Reason, at, with string) gate {
		g := redact(at, with)
		check, screen := g.check, g.screen
		g.check = func(ctx context.Context, c *policy.Call) (policy.Verdict, error) {
			v, err := check(ctx, c)
			v.Blames, v.Reason = true, r
			return v, err
		}
		g.screen = func(ctx context.Context, c *policy.Call, f *wire.Frame) (policy.Verdict, error) {
			v, err := screen(ctx, c, f)
			v.Blames, v.Reason = true, r
			return v, err
		}
		return g
	}
	result := `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"one"}]}}`
	cases := map[string]struct {
		gates   []policy.Gate
		observe bool
		want    policy.Cut
	}{
		"the message":         {[]policy.Gate{because(bad, "secret", "gone")}, false, policy.Cut{Message: bad}},
		"the result":          {[]policy.Gate{because(bad, "one", "two")}, false, policy.Cut{Result: bad}},
		"the worst counts":    {[]policy.Gate{because(mild, "secret", "more"), because(bad, "more", "gone"), because(mild, "one", "two")}, false, policy.Cut{Message: bad, Result: mild}},
		"nothing is cut out":  {[]policy.Gate{because(bad, "other", "gone")}, false, policy.Cut{}},
		"nobody is to blame":  {[]policy.Gate{redact("secret", "gone")}, false, policy.Cut{}},
		"it is only observed": {[]policy.Gate{because(bad, "secret", "gone")}, true, policy.Cut{}},
		"and refused later on": {[]policy.Gate{because(bad, "secret", "gone"), gate{check: func(context.Context, *policy.Call) (policy.Verdict, error) {
			return policy.Refuse(mild, policy.Pos{}, ""), nil
		}}}, false, policy.Cut{Message: bad}},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			call := newCall(t, x.gates...)
			for i := range call.Connection.Gates {
				call.Connection.Gates[i].Observe = x.observe
			}
			send, out, _ := policy.Decide(t.Context(), call)
			if out.Allowed {
				_, out = policy.Review(t.Context(), send, frame(t, result), out)
			}
			if out.Cut != x.want {
				t.Errorf("got %+v, want %+v", out.Cut, x.want)
			}
		})
	}
}
