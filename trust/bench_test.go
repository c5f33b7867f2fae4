package trust_test

import (
	"testing"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/trust"
)

// lively is a world whose agent has some of everything, so that no step of the arithmetic is skipped.
func lively(tb testing.TB) *world {
	tb.Helper()
	w := newWorld(tb)
	w.pass(day)
	w.succeed("write", 100)
	w.succeed("read", 100)
	w.fail("delete", 1)
	w.violate(policy.Low, 1)
	w.pass(day / 3)
	w.build(tb, need(400, 3))
	return w
}

func TestReadingTakesNoAllocation(t *testing.T) {
	w := lively(t)
	c, agent := w.call("write"), trust.Agent(bot)
	gate := w.conn.Gates[0].Gate
	if got := testing.AllocsPerRun(100, func() { w.Standing(agent) }); got != 0 {
		t.Errorf("a standing takes %v allocations", got)
	}
	if got := testing.AllocsPerRun(100, func() { _, _ = gate.Check(t.Context(), c) }); got > 0 {
		t.Errorf("the gate takes %v allocations", got)
	}
}

func BenchmarkStanding(b *testing.B) {
	w := lively(b)
	agent := trust.Agent(bot)
	b.ReportAllocs()
	for b.Loop() {
		w.Standing(agent)
	}
}

func BenchmarkGate(b *testing.B) {
	w := lively(b)
	c, gate, ctx := w.call("write"), w.conn.Gates[0].Gate, b.Context()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = gate.Check(ctx, c)
	}
}

func BenchmarkObserve(b *testing.B) {
	w := lively(b)
	c, out, report := w.call("write"), &policy.Outcome{Allowed: true}, &policy.Report{Status: policy.StatusOK}
	b.ReportAllocs()
	for b.Loop() {
		w.Observe(c, out, report)
	}
}

// BenchmarkChanges is a frame after one call.
func BenchmarkChanges(b *testing.B) {
	w := lively(b)
	c, out, report := w.call("write"), &policy.Outcome{Allowed: true}, &policy.Report{Status: policy.StatusOK}
	b.ReportAllocs()
	for b.Loop() {
		w.Observe(c, out, report)
		w.Changes(func(store.Put) {})
	}
}
