package trust_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/trust"
)

const (
	day = 24 * time.Hour
	bot = "bot"
	hub = "hub"

	orders policy.Ref = 0x5eed // of the record of what operators do
)

// world is a book, the state that it is kept in, and the time.
type world struct {
	*trust.Book
	state store.Memory
	now   time.Time
	conn  *policy.Connection
	ref   policy.Ref
}

// fataler is what tests, benchmarks and rapid have in common.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

func newWorld(tb fataler) *world {
	tb.Helper()
	w := &world{now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	w.conn = &policy.Connection{
		Name: "c", Agent: &policy.Agent{Name: bot}, Upstream: &policy.Upstream{Name: hub},
		At: policy.Pos{File: "t.yaml", Line: 9, Col: 1},
	}
	w.reopen(tb)
	w.Register(trust.ParamsOf(nil), []string{bot}, []string{hub})
	return w
}

func (w *world) clock() time.Time { return w.now }

// pass lets time pass.
func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

// reopen forgets what is not in the state, as a crash does.
func (w *world) reopen(tb fataler) {
	tb.Helper()
	b, err := trust.Open(&w.state, w.clock)
	if err != nil {
		tb.Fatal(err)
	}
	w.Book = b
}

// save makes durable what has changed.
func (w *world) save(tb fataler) {
	tb.Helper()
	var puts []store.Put
	w.Changes(func(p store.Put) {
		puts = append(puts, store.Put{Key: append([]byte{}, p.Key...), Value: append([]byte{}, p.Value...)})
	})
	if err := w.state.Apply(w.state.Position()+1, puts); err != nil {
		tb.Fatal(err)
	}
}

func (w *world) score() int { return w.Standing(trust.Agent(bot)).Score }

func (w *world) health() int { return w.Standing(trust.Upstream(hub)).Score }

// call is a call of a tool of a task type.
func (w *world) call(task string) *policy.Call {
	w.ref++
	return &policy.Call{
		Ref: w.ref, Time: w.now, Agent: w.conn.Agent, Connection: w.conn, Upstream: hub, Method: "tools/call", Target: "tool_" + task, Task: task,
	}
}

// succeed makes calls that succeed.
func (w *world) succeed(task string, times int) {
	for range times {
		w.Observe(w.call(task), &policy.Outcome{Allowed: true}, &policy.Report{Status: policy.StatusOK})
	}
}

// fail makes calls that the upstream answers with an error that is the agent's fault.
func (w *world) fail(task string, times int) {
	for range times {
		w.Observe(w.call(task), &policy.Outcome{Allowed: true}, &policy.Report{Status: policy.StatusError, Code: -32602})
	}
}

// violate makes calls that are refused.
func (w *world) violate(s policy.Severity, times int) {
	for range times {
		out := policy.Denied("gate", refusal(s), "")
		w.Observe(w.call("write"), &out, nil)
	}
}

func refusal(s policy.Severity) *policy.Reason {
	return &policy.Reason{Code: "BAD_" + s.String(), Answer: policy.AnswerNotPermitted, Severity: s}
}

// worked is a world in which the agent has worked well for so many days. The allowance is full at the start.
func worked(tb testing.TB, days int) *world {
	tb.Helper()
	w := newWorld(tb)
	w.pass(day)
	for range days + 1 {
		w.succeed("write", 200)
		w.pass(day)
	}
	return w
}

func params(tb fataler, text func(*trust.Section)) *trust.Params {
	tb.Helper()
	s := new(trust.Section)
	text(s)
	return trust.ParamsOf(policy.Settings{"trust": &trust.FileConfig{Trust: s}})
}

// read reads the text of a key.
func read[T any, P interface {
	*T
	UnmarshalText([]byte) error
}](tb fataler, text string,
) *T {
	tb.Helper()
	v := new(T)
	if err := P(v).UnmarshalText([]byte(text)); err != nil {
		tb.Fatal(fmt.Sprintf("%s: %v", text, err))
	}
	return v
}
