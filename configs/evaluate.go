package configs

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// Question is a call that nobody makes: what would become of it?
type Question struct {
	Agent    string
	Upstream string
	Method   string    // of the protocol; empty: tools/call
	Target   string    // name of the tool or prompt, or URI of the resource
	Args     []byte    // of tools/call and prompts/get: a JSON object, or nil for none
	Time     time.Time // when it happens
	Score    *int      // that the agent is taken to have; nil for what the gates know
}

// trial is a question on its way through the gates.
type trial struct {
	call    *policy.Call
	outcome policy.Outcome
}

// try decides a question as the proxy decides a call. It sends nothing, and gives back what gates reserved for it.
func (f *File) try(ctx context.Context, q Question, trace func(policy.Step)) trial {
	c, problem := f.call(q)
	c.Trace = trace
	if trace == nil {
		c.Trace = func(policy.Step) {} // who tells of checks uses nothing up
	}
	if problem != nil {
		return trial{c, refusedFrame(problem)}
	}
	if trace != nil && c.Connection != nil {
		c.Connection = traced(c.Connection, trace)
	}
	send, out, settle := policy.Decide(ctx, c)
	if out.Allowed {
		if err := settle(ctx, &policy.Outcome{}, nil); err != nil {
			out.Fault = errors.Join(out.Fault, err)
		}
	}
	if out.Reason == policy.ReasonNoConnection && f.Upstream(q.Upstream) == nil {
		out.Reason = policy.ReasonNoUpstream // as the proxy has it, for names that nobody is trying out
	}
	return trial{send, out}
}

// call makes the message of a question, as an agent would write it.
func (f *File) call(q Question) (*policy.Call, *wire.Problem) {
	if q.Method == "" {
		q.Method = methodCall
	}
	c := &policy.Call{
		Time: q.Time, Upstream: q.Upstream, Method: q.Method, Target: q.Target, Connection: f.Connection(q.Agent, q.Upstream),
	}
	if q.Score != nil {
		c.Assumed = &policy.Facts{Score: *q.Score, Scored: true}
	}
	limits := f.Limits
	if c.Connection != nil {
		limits = c.Connection.Limits
	}
	if a := f.Agent(q.Agent); a != nil {
		c.Agent = a.Agent
	}
	if u := f.Upstream(q.Upstream); u != nil && q.Method == methodCall {
		c.Task = u.Task(q.Target)
	}
	c.Frame = new(wire.Frame)
	err := wire.Parse(c.Frame, q.message(), wire.FromAgent, &limits)
	var fault *wire.Fault
	switch {
	case errors.As(err, &fault):
		return c, fault.Problem
	case err != nil:
		return c, wire.NotJSON
	}
	return c, nil
}

// message is the JSON-RPC request of a question.
func (q *Question) message() []byte {
	b := appendString([]byte(`{"jsonrpc":"2.0","id":1,"method":`), q.Method)
	b = append(b, `,"params":{`...)
	switch q.Method {
	case methodCall, methodGet:
		b = appendString(append(b, `"name":`...), q.Target)
		if q.Args != nil {
			b = append(append(b, `,"arguments":`...), q.Args...)
		}
	case methodRead, "resources/subscribe", "resources/unsubscribe":
		b = appendString(append(b, `"uri":`...), q.Target)
	}
	return append(b, "}}"...)
}

// gateWire stands for the gate where the message itself is refused.
const gateWire = "wire"

// refusedFrame is the outcome of a message that is refused before any gate is asked.
func refusedFrame(p *wire.Problem) policy.Outcome {
	return policy.Denied(gateWire, &policy.Reason{
		Code:   p.Name,
		Answer: &policy.Answer{Code: p.Name, Text: p.Text, Retry: policy.RetryChanged, Form: policy.FormProtocol, RPC: p.Code, HTTP: 400},
		Hint:   "the message itself is not acceptable; see `limits`",
	}, p.Text)
}

// shown lets the gates cut a list of tools, and returns those that are left.
func (t trial) shown(ctx context.Context, tools []string) ([]string, policy.Outcome) {
	b := []byte(`{"jsonrpc":"2.0","id":1,"result":{"tools":[`)
	for i, name := range tools {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(append(b, `{"name":`...), name), `,"inputSchema":{"type":"object"}}`...)
	}
	var result wire.Frame
	// The list is of the test's own making; a connection's limits are for what an upstream sends.
	limits := wire.Limits{Frame: len(b) + 3, Depth: 16, Keys: 16 + 4*len(tools), Name: 1 << 10}
	if err := wire.Parse(&result, append(b, "]}}"...), wire.FromUpstream, &limits); err != nil {
		return nil, policy.Denied(gateWire, policy.ReasonFault, "the list cannot be written as a message")
	}
	frame, out := policy.Review(ctx, t.call, &result, t.outcome)
	if !out.Allowed {
		return nil, out
	}
	var left []string
	for _, raw := range wire.Elements(frame.Get(wire.ResultTools)) {
		if e, ok := wire.Lookup(raw, "name"); ok {
			name, _ := wire.Unquote(e.Value)
			left = append(left, string(name))
		}
	}
	return left, out
}

// traced is a connection whose gates say when they are asked, so that explain knows whose checks it is told of.
func traced(c *policy.Connection, trace func(policy.Step)) *policy.Connection {
	next := *c
	next.Gates = make([]policy.Named, len(c.Gates))
	for i, g := range c.Gates {
		g.Gate = announced{g.Gate, g.Name, trace}
		next.Gates[i] = g
	}
	return &next
}

// announced tells its name before it asks a gate.
type announced struct {
	policy.Gate
	name  string
	trace func(policy.Step)
}

func (a announced) Check(ctx context.Context, c *policy.Call) (policy.Verdict, error) {
	a.trace(policy.Step{Gate: a.name})
	return a.Gate.Check(ctx, c)
}

// answer writes an outcome as tests do.
func answer(o *policy.Outcome) string {
	if o.Allowed {
		return "allow"
	}
	return strings.TrimSpace("deny " + codeOf(o))
}

func codeOf(o *policy.Outcome) string {
	if o.Reason == nil {
		return ""
	}
	return o.Reason.Code
}
