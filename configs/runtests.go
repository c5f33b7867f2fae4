package configs

import (
	"context"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/policy"
)

// TestFailure is an expectation of the file that does not hold.
type TestFailure struct {
	At   policy.Pos
	Test string // what was asked
	Want string
	Got  string
	Rule policy.Pos // what decided, where that is known
}

// String is the failure as one line.
func (t TestFailure) String() string {
	s := t.At.String() + ": " + t.Test + ": expected " + t.Want + ", got " + t.Got
	if rule := t.Rule.String(); rule != "" {
		s += " (" + rule + ")"
	}
	return s
}

// RunTests asks the tests of the file and returns those that fail, in the order of the file. It decides as the proxy does,
// sends nothing, and leaves nothing reserved. When ctx ends, what is left fails.
func (f *File) RunTests(ctx context.Context) []TestFailure {
	var failures []TestFailure
	for i := range f.Tests {
		t := &f.Tests[i]
		want, got, rule := f.runTest(ctx, t)
		if ctx.Err() != nil {
			got = "no answer in time" // whatever it says now, it may say because of that
		}
		if want != got {
			failures = append(failures, TestFailure{At: t.At, Test: t.String(), Want: want, Got: got, Rule: rule})
		}
	}
	return failures
}

// runTest asks one test. The answers are equal where it holds.
func (f *File) runTest(ctx context.Context, t *Test) (want, got string, rule policy.Pos) {
	tried := f.try(ctx, Question{
		Agent: t.Agent, Upstream: t.Upstream, Method: t.Method, Target: t.Target, Args: t.Args, Time: t.Time, Score: &t.Score,
	}, nil)
	out := tried.outcome
	if t.Method == methodTools {
		var names []string
		names, out = tried.shown(ctx, t.Of)
		want, got = setOf(t.Shown), answer(&out)
		if out.Allowed {
			got = setOf(names)
		}
		return want, got, out.At
	}
	got = answer(&out)
	switch {
	case t.Allow:
		want = "allow"
	case t.Code != "":
		want = "deny " + t.Code
	case !out.Allowed && out.Fault == nil:
		want = got // any reason does, but for a gate that failed
	default:
		want = "deny"
	}
	return want, got, out.At
}

// setOf writes names without regard to their order.
func setOf(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return "[" + strings.Join(names, ", ") + "]"
}

// Warn makes warnings of one kind of what is odd about a configuration that is sound, with its lines.
func (f *File) Warn(code Code, found policy.Complaints) Diagnostics {
	r := newReport(f.src)
	for _, x := range found {
		r.warn(code, x.At, "", x.Text, x.Hint)
	}
	return r.finish()
}

// Diagnostics shows failed tests as diagnostics of the file.
func (f *File) Diagnostics(failures []TestFailure) Diagnostics {
	r := newReport(f.src)
	for _, t := range failures {
		hint := ""
		if t.Rule.Line > 0 {
			hint = "decided by " + t.Rule.String()
		}
		r.fail(CodeTest, t.At, "", "test failed: "+t.Test+": expected "+t.Want+", got "+t.Got, hint)
	}
	return r.finish()
}
