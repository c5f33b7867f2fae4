package toolscope_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope"
	"github.com/hopgate/hopgate/toolscope/pin"
)

// link is a connection with this gate alone, together with what judges its messages.
type link struct {
	*policy.Connection
	cat *toolscope.Catalog
}

// pats makes patterns whose lines count from 1, so that a verdict's place tells which of them decided.
func pats(texts ...string) []policy.Pattern {
	all := []policy.Pattern{}
	for i, text := range texts {
		all = append(all, policy.Pattern{Text: text, At: policy.Pos{File: "t.yaml", Line: i + 1, Col: 1}})
	}
	return all
}

// tools makes entries of the key tools, from names, or names and conditions with a ? between.
func tools(entries ...string) []toolscope.Tool {
	all := []toolscope.Tool{}
	for i, entry := range entries {
		name, when, _ := strings.Cut(entry, "?")
		at := policy.Pos{File: "t.yaml", Line: i + 1, Col: 1}
		all = append(all, toolscope.Tool{Name: policy.Pattern{Text: name, At: at}, When: expr(when), At: at})
	}
	return all
}

func expr(text string) toolscope.Expr {
	return toolscope.Expr{Text: text, At: policy.Pos{File: "t.yaml", Line: 50, Col: 11}}
}

func tasks(names ...string) []toolscope.Task {
	all := []toolscope.Task{}
	for _, name := range names {
		all = append(all, toolscope.Task{Name: toolscope.TaskName{Text: name, At: policy.Pos{File: "t.yaml", Line: 60, Col: 1}}})
	}
	return all
}

var upstream = &policy.Upstream{Name: "up", Tasks: []policy.Task{
	{Name: "read", Tools: pats("get_*", "list_*")},
	{Name: "write", Tools: pats("create_*", "get_and_set")},
}}

func connect(tb testing.TB, cfg toolscope.Config) *link {
	tb.Helper()
	l, err := tryConnect(toolscope.NewCatalog(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func tryConnect(cat *toolscope.Catalog, cfg toolscope.Config) (*link, error) {
	c := &policy.Connection{
		Name: "c", Agent: &policy.Agent{Name: "bot"}, Upstream: upstream, Limits: wire.DefaultLimits,
		At: policy.Pos{File: "t.yaml", Line: 99, Col: 1},
	}
	spec := toolscope.Spec(cat, pin.Assume())
	own, ok := spec.Config().(*toolscope.Config)
	if !ok {
		return nil, errors.New("the configuration is of another type")
	}
	*own = cfg
	gate, err := spec.Build(c, own)
	if err != nil {
		return nil, err
	}
	c.Gates = []policy.Named{{Name: spec.Name, Gate: gate}}
	return &link{Connection: c, cat: cat}, nil
}

func parse(tb testing.TB, raw string, from wire.Side) *wire.Frame {
	tb.Helper()
	f := new(wire.Frame)
	if err := wire.Parse(f, []byte(raw), from, &wire.DefaultLimits); err != nil {
		tb.Fatalf("%s: %v", raw, err)
	}
	return f
}

// message makes the call of a message, as the dispatcher does.
func (l *link) message(tb testing.TB, raw string, d policy.Direction) *policy.Call {
	tb.Helper()
	f := parse(tb, raw, wire.Side(d))
	c := &policy.Call{
		Time: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), Agent: l.Agent, Connection: l.Connection, Upstream: "up",
		Direction: d, Frame: f, Method: f.String(wire.Method), Origin: policy.Origin{Client: "ide"},
	}
	switch {
	case f.Has(wire.ParamsName):
		c.Target = f.String(wire.ParamsName)
	case f.Has(wire.ParamsURI):
		c.Target = f.String(wire.ParamsURI)
	}
	if c.Method == "tools/call" {
		c.Task = upstream.Task(c.Target)
	}
	return c
}

// decide returns what became of a message: the code of the reason, or the bytes to send.
func (l *link) decide(tb testing.TB, raw string, d policy.Direction) (sent, code string) {
	tb.Helper()
	c := l.message(tb, raw, d)
	send, out, _ := policy.Decide(tb.Context(), c)
	if out.Fault != nil {
		tb.Fatalf("%s: %v", raw, out.Fault)
	}
	if !out.Allowed {
		return "", out.Reason.Code
	}
	return string(send.Frame.Raw), ""
}

func (l *link) agentSends(tb testing.TB, raw string) (sent, code string) {
	tb.Helper()
	return l.decide(tb, raw, policy.ToUpstream)
}

func (l *link) serverSends(tb testing.TB, raw string) (sent, code string) {
	tb.Helper()
	return l.decide(tb, raw, policy.ToAgent)
}

// call makes a tools/call and returns the code of the refusal, or nothing.
func (l *link) call(tb testing.TB, tool, args string) string {
	tb.Helper()
	_, code := l.agentSends(tb, request("tools/call", `{"name":`+quote(tool)+`,"arguments":`+args+`}`))
	return code
}

// result passes a result to a request back through the gate.
func (l *link) result(tb testing.TB, method, result string) (shown, code string) {
	tb.Helper()
	c := l.message(tb, request(method, `{"name":"t","uri":"x:y"}`), policy.ToUpstream)
	f := parse(tb, answer(result), wire.FromUpstream)
	shownFrame, out := policy.Review(tb.Context(), c, f, policy.Outcome{Allowed: true})
	if out.Fault != nil {
		tb.Fatalf("%s: %v", result, out.Fault)
	}
	if !out.Allowed {
		return "", out.Reason.Code
	}
	return string(shownFrame.Get(wire.Result)), ""
}

// learn shows the catalog a list of tools.
func (l *link) learn(tb testing.TB, tools string) {
	tb.Helper()
	l.cat.Learn("up", parse(tb, answer(`{"tools":`+tools+`}`), wire.FromUpstream))
}

func request(method, params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":` + quote(method) + `,"params":` + params + `}`
}

func notification(method, params string) string {
	return `{"jsonrpc":"2.0","method":` + quote(method) + `,"params":` + params + `}`
}

func answer(result string) string { return `{"jsonrpc":"2.0","id":1,"result":` + result + `}` }

func quote(s string) string { return string(wire.AppendQuote(nil, s)) }

// check asks the gate itself.
func (l *link) check(ctx context.Context, c *policy.Call) (policy.Verdict, error) {
	return l.Gates[0].Gate.Check(ctx, c)
}

func (l *link) screen(ctx context.Context, c *policy.Call, f *wire.Frame) (policy.Verdict, error) {
	s, ok := l.Gates[0].Gate.(policy.Screen)
	if !ok {
		return policy.Verdict{}, errors.New("the gate screens nothing")
	}
	return s.Screen(ctx, c, f)
}
