package stats_test

import (
	"testing"
	"time"

	"github.com/hopgate/hopgate/audit/stats"
	"github.com/hopgate/hopgate/policy"
)

func TestWatchTellsHowUpstreamsAnswer(t *testing.T) {
	now := time.Unix(1000, 0)
	w := stats.NewWatch(func() time.Time { return now })
	up := &policy.Connection{Agent: &policy.Agent{Name: "bot"}, Upstream: &policy.Upstream{Name: "up"}}
	see := func(d policy.Direction, s policy.Status, code string) {
		c := &policy.Call{Connection: up, Direction: d, Origin: policy.Origin{Protocol: "2025-11-25"}}
		o := &policy.Outcome{}
		if code != "" {
			o.Reason = &policy.Reason{Code: code}
		}
		w.Observe(c, o, &policy.Report{Status: s})
	}
	if got := w.Of("up"); got != (stats.Answers{}) {
		t.Errorf("before any call: %+v", got)
	}
	see(policy.ToUpstream, policy.StatusToolError, "")
	now = now.Add(time.Second)
	see(policy.ToUpstream, policy.StatusSent, "")
	see(policy.ToUpstream, policy.StatusCancelled, "CANCELLED")
	see(policy.ToAgent, policy.StatusFailed, "NOBODY_LISTENS")
	w.Observe(&policy.Call{Connection: up}, &policy.Outcome{}, nil)
	w.Observe(&policy.Call{}, &policy.Outcome{}, &policy.Report{Status: policy.StatusOK})
	if got, want := w.Of("up"), (stats.Answers{Answered: time.Unix(1000, 0), Protocol: "2025-11-25"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	see(policy.ToUpstream, policy.StatusFailed, "UPSTREAM_UNAVAILABLE")
	want := stats.Answers{Answered: time.Unix(1000, 0), Protocol: "2025-11-25", Failed: time.Unix(1001, 0), Reason: "UPSTREAM_UNAVAILABLE"}
	if got := w.Of("up"); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestWatchSeesASilentServer where its client has given up, and nobody waits for the answer any more.
func TestWatchSeesASilentServer(t *testing.T) {
	now := time.Unix(1000, 0)
	w := stats.NewWatch(func() time.Time { return now })
	c := &policy.Call{Connection: &policy.Connection{Upstream: &policy.Upstream{Name: "up"}}, Direction: policy.ToUpstream}
	w.Observe(c, &policy.Outcome{Reason: &policy.Reason{Code: "SESSION_ENDED"}, Detail: "silent"}, &policy.Report{Status: policy.StatusCancelled})
	if got, want := w.Of("up"), (stats.Answers{Failed: now, Reason: "SESSION_ENDED", Cause: "silent"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
