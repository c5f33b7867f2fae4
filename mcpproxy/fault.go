package mcpproxy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// What panics costs the message that it deals with, and nothing else: the process serves other agents, who must not
// suffer from one. Gates are recovered by the package policy; here is the rest.

// errBroken says that something of our own has panicked. The log has the stack.
var errBroken = errors.New("something panicked")

// broke logs a panic. Of values that somebody else chose it tells the type alone: they may hold content.
func (p *Proxy) broke(v any, ref policy.Ref) error {
	text := fmt.Sprintf("%T", v)
	if err, ok := v.(runtime.Error); ok {
		text = err.Error()
	}
	p.Log.Error().Stringer("ref", ref).Str("panic", text).Bytes("stack", debug.Stack()).Msg("recovered from a panic")
	return errBroken
}

// catch is deferred by goroutines that deal with no message of their own.
func (p *Proxy) catch() {
	if v := recover(); v != nil {
		_ = p.broke(v, 0) // it is logged, and there is nobody to tell
	}
}

// spawn runs f in a goroutine that Close waits for.
func (p *Proxy) spawn(f func()) {
	p.work.Go(func() {
		defer p.catch()
		f()
	})
}

// tell runs f in a goroutine that nobody waits for. It ends when its peer has taken what f says, or is gone.
func (p *Proxy) tell(f func()) {
	go func() {
		defer p.catch()
		f()
	}()
}

// verify asks who a key belongs to.
func (p *Proxy) verify(key string) (agent, id string, err error) {
	defer func() {
		if v := recover(); v != nil {
			agent, err = "", p.broke(v, 0)
		}
	}()
	return p.Identity.Verify(key)
}

// begin records a decision.
func (p *Proxy) begin(ctx context.Context, c *policy.Call, o *policy.Outcome) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = p.broke(v, c.Ref)
		}
	}()
	return p.Journal.Begin(ctx, c, o)
}

// end records what came of a call. An error means that it may not go on: the record of one that does not have to be durable
// may be lost, and is then one of a call whose end is unknown.
func (p *Proxy) end(c *policy.Call, o *policy.Outcome, r *policy.Report) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = p.broke(v, c.Ref)
		}
	}()
	if err = p.Journal.End(c, o, r); err == nil || !o.Durable {
		return nil
	}
	p.Log.Error().Err(err).Stringer("ref", c.Ref).Msg("what must be durable is not on record")
	return err
}

// observe tells the observers. One that panics has no veto either.
func (p *Proxy) observe(c *policy.Call, o *policy.Outcome, r *policy.Report) {
	for _, x := range p.Observers {
		func() {
			defer p.catch()
			x.Observe(c, o, r)
		}()
	}
}

// faulty is the outcome of a message of which nobody can say whether it may pass.
func faulty(gate string, err error) policy.Outcome {
	out := policy.Denied(gate, policy.ReasonFault, "")
	out.Fault = err
	return out
}

// survive ends a message in whose course something has panicked: on record, with what was reserved given back, and with
// an answer that says whether the call may have been made.
func (x *exchange) survive(ctx context.Context, v any) {
	p := x.g.p
	defer p.catch() // what broke may break again
	out := faulty("proxy", p.broke(v, x.call.Ref))
	if x.call.Time.IsZero() {
		x.frame = wire.Frame{}
		x.call = x.g.call(nil)
	}
	if x.away {
		out.Reason = reasonBroken
	}
	ctx = context.WithoutCancel(ctx)
	x.withhold(out)
	switch {
	case x.begun:
		x.report.Unsent = !x.away
		x.conclude(ctx, policy.StatusFailed, true)
	case !x.recorded:
		x.record(ctx)
	}
	x.release()
	if !x.answered {
		x.answerRefusal(refusal(&x.call, &x.out))
	}
}
