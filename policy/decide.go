package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// Gate judges calls.
type Gate interface {
	// Check answers whether a call may pass. It must not change the call, must not keep it, and is called from many
	// goroutines. An error is a fault and refuses the call; it may name no content.
	Check(ctx context.Context, c *Call) (Verdict, error)
}

// Screen is a gate that also judges what comes back.
type Screen interface {
	Gate
	// Screen answers whether a result may pass to the agent, and what is cut from it. The obligations are those of Check.
	Screen(ctx context.Context, c *Call, result *wire.Frame) (Verdict, error)
}

// Effect is a verdict's answer. There are two.
type Effect uint8

// Effects. The zero Effect denies, so that a forgotten verdict is a refusal.
const (
	Deny Effect = iota
	Allow
)

// Verdict is what a gate says. The zero Verdict is a refusal without a reason, which is a fault.
type Verdict struct {
	Effect  Effect
	Reason  *Reason       // set where Effect is Deny
	Detail  string        // for the record: kind and place, no content
	Tell    string        // for the agent, behind the text of the answer: a sentence on its own message, no policy
	At      Pos           // the rule that decided
	Wait    time.Duration // above 0: the same call may pass after this time
	Facts   Facts         // for the record
	Rewrite wire.Edits    // what to replace in the message before it goes on
	Settle  Settle        // what to do when the outcome is known; nil for nothing
	Answer  []byte        // the result to give the agent, where the gate has it: the message is not sent then; nil for none
	Durable bool          // what the gate keeps of the message must not be lost once it has gone on: the record comes first

	Blames bool // what Rewrite cuts out speaks against the sender, by the severity of Reason
	// Findings are for the record, besides the answer: what a gate saw and let pass, or cut out. Gate is filled in.
	Findings []Finding
}

// Pass is the verdict of a gate that has nothing against a call.
var Pass = Verdict{Effect: Allow}

// Facts are figures of a decision, for the record.
type Facts struct {
	Score       int    // of the agent's trust, where Scored
	Scored      bool   // a gate has looked at it
	ScoreParams string // version of the parameters that the score is made by; empty where it is assumed
	Reserved    int64  // billionths of Currency that the call may cost at most
	Charged     int64  // that it did cost, once it is settled
	Currency    string // ISO 4217; empty where the call costs nothing
}

// add takes what a gate knows into the facts.
func (f *Facts) add(more *Facts) {
	if more.Scored {
		f.Score, f.Scored, f.ScoreParams = more.Score, true, more.ScoreParams
	}
	if more.Currency != "" {
		f.Reserved, f.Charged, f.Currency = more.Reserved, more.Charged, more.Currency
	}
}

// Settle ends what a gate reserved for a call. It is called once, also for a call that a later gate refuses. The report
// is nil where the call was not sent. Settle may set Facts.Charged.
type Settle func(context.Context, *Outcome, *Report) error

// Outcome is what became of a call. The zero Outcome is a refusal.
type Outcome struct {
	Allowed  bool
	Gate     string  // that refused
	Reason   *Reason // set where not allowed
	Detail   string
	Tell     string // what the agent is told besides the reason's answer
	At       Pos
	Wait     time.Duration
	Findings []Finding // what gates saw and let pass, among it the refusals that mode observe did not act on
	Facts    Facts
	Answer   []byte // the result that a gate has for the call, which is not sent then; nil for none
	Durable  bool   // the message goes on when its record is durable, and not before
	Cut      Cut    // what was cut out and speaks against whoever has sent it
	Lapsed   bool   // refused is what was granted until a short while ago: that says nothing about the agent
	Paused   bool   // nothing is sent, because the server fails: that says nothing about the agent either
	Fault    error  // for the log; neither the agent nor the record sees it
}

// Cut is for which reasons something was cut out that speaks against the sender, the worst of each; nil for none.
type Cut struct{ Message, Result *Reason }

// Finding is what a gate would have refused, or saw and let pass.
type Finding struct {
	Gate   string
	Reason *Reason // for which it would have refused; nil where it would not
	Detail string
	At     Pos
}

// Denied is the outcome of a call that is refused before any gate is asked, or after all of them.
func Denied(gate string, r *Reason, detail string) Outcome {
	return Outcome{Gate: gate, Reason: r, Detail: detail}
}

// Decide asks the gates of a call's connection in order. Errors, panics, an expired context and verdicts without a
// reason refuse the call, here and nowhere else.
//
// send is the call to forward: c itself, or where gates rewrote the message a copy of c over the new bytes. settle is
// never nil; the caller calls it once when the outcome is known, and only where Decide allowed the call. What the gates
// reserved for a refused call, Decide gives back itself.
func Decide(ctx context.Context, c *Call) (send *Call, out Outcome, settle Settle) {
	switch {
	case c.Agent == nil:
		return c, Denied("identity", ReasonNobody, ""), noSettle
	case c.Connection == nil:
		return c, Denied("connection", ReasonNoConnection, ""), noSettle
	case c.Frame == nil || c.Frame.Kind == wire.KindNone:
		return c, fault("connection", errors.New("a call without a message")), noSettle
	}
	var settles []Settle
	send = c
	for i := range c.Connection.Gates {
		g := &c.Connection.Gates[i]
		v, err := ask(ctx, g.Name, func() (Verdict, error) { return g.Gate.Check(ctx, send) })
		if v.Settle != nil {
			settles = append(settles, v.Settle)
		}
		if send, err = out.apply(g, v, err, send); err != nil {
			out.Become(fault(g.Name, err))
		}
		if out.Reason != nil {
			if err := unwind(ctx, settles, &out, nil); err != nil {
				out.Fault = errors.Join(out.Fault, err)
			}
			return c, out, noSettle
		}
	}
	out.Allowed = true
	if settles == nil {
		return send, out, noSettle
	}
	return send, out, func(ctx context.Context, o *Outcome, r *Report) error { return unwind(ctx, settles, o, r) }
}

// Review shows a result to the gates that screen results, backwards. It returns the frame to hand to the agent: result
// itself, or one over new bytes. out is what Decide said; the Outcome returned adds what Review found. Where it is not
// allowed, the result must not reach the agent.
func Review(ctx context.Context, c *Call, result *wire.Frame, out Outcome) (*wire.Frame, Outcome) {
	if !out.Allowed {
		return result, out
	}
	seen := *c // apply puts the frame in here
	for i := len(c.Connection.Gates) - 1; i >= 0; i-- {
		g := &c.Connection.Gates[i]
		screen, ok := g.Gate.(Screen)
		if !ok {
			continue
		}
		v, err := ask(ctx, g.Name, func() (Verdict, error) { return screen.Screen(ctx, c, result) })
		seen.Frame = result
		next, err := out.apply(g, v, err, &seen)
		if err != nil {
			out.Become(fault(g.Name, err))
		}
		if out.Reason != nil {
			out.Allowed = false
			return result, out
		}
		result = next.Frame
	}
	return result, out
}

// ask calls a gate and turns a panic and an expired context into an error.
func ask(ctx context.Context, name string, call func() (Verdict, error)) (v Verdict, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = Verdict{}, fmt.Errorf("gate %s panicked: %v", name, r)
		}
	}()
	v, err = call()
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("gate %s: %w", name, context.Cause(ctx))
	}
	return v, err
}

// apply takes a verdict into the outcome and returns the call to go on with.
func (o *Outcome) apply(g *Named, v Verdict, err error, c *Call) (*Call, error) {
	o.Facts.add(&v.Facts)
	o.Durable = o.Durable || v.Durable
	if v.Answer != nil {
		o.Answer = v.Answer
	}
	if err != nil {
		return c, err
	}
	for _, f := range v.Findings {
		f.Gate = g.Name
		o.Findings = append(o.Findings, f)
	}
	switch {
	case v.Effect != Allow && v.Reason == nil:
		return c, errors.New("a refusal without a reason")
	case g.Observe && (v.Effect != Allow || len(v.Rewrite) > 0) && (v.Reason == nil || !v.Reason.Always):
		o.Findings = append(o.Findings, Finding{g.Name, v.Reason, v.Detail, v.At})
		return c, nil
	case v.Effect != Allow:
		o.Become(Outcome{Gate: g.Name, Reason: v.Reason, Detail: v.Detail, Tell: v.Tell, At: v.At, Wait: v.Wait})
		return c, nil
	case len(v.Rewrite) == 0:
		return c, nil
	}
	next, err := rewrite(c, v.Rewrite)
	if err == nil && v.Blames {
		o.Cut.add(c.Frame.Kind == wire.KindResult || c.Frame.Kind == wire.KindError, v.Reason)
	}
	return next, err
}

// add keeps the worst.
func (c *Cut) add(result bool, r *Reason) {
	worst := &c.Message
	if result {
		worst = &c.Result
	}
	if *worst == nil || r != nil && r.Severity > (*worst).Severity {
		*worst = r
	}
}

// Become makes the outcome a refusal, whatever it was, and keeps what gates have found out and done until then: findings,
// facts, and what was cut out.
func (o *Outcome) Become(refusal Outcome) {
	refusal.Findings, refusal.Facts, refusal.Durable, refusal.Cut = o.Findings, o.Facts, o.Durable, o.Cut
	*o = refusal
}

// rewrite splices edits into a call's message and reads the new bytes as strictly as the old ones were read.
func rewrite(c *Call, e wire.Edits) (*Call, error) {
	raw, err := e.Splice(nil, c.Frame.Raw)
	if err != nil {
		return c, err
	}
	f := new(wire.Frame)
	if err := c.Frame.Mark.Parse(f, raw, c.Frame.From, &c.Connection.Limits); err != nil {
		return c, fmt.Errorf("reading a rewritten message: %w", err)
	}
	if f.Kind != c.Frame.Kind {
		return c, errors.New("a rewrite changed the kind of the message")
	}
	next := *c
	next.Frame = f
	return &next, nil
}

func fault(gate string, err error) Outcome {
	return Outcome{Gate: gate, Reason: ReasonFault, Detail: "fault in gate " + gate, Fault: err}
}

// unwind settles in reverse, all of them, whatever fails, and whether or not the caller still waits.
func unwind(ctx context.Context, settles []Settle, o *Outcome, r *Report) error {
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for _, settle := range slices.Backward(settles) {
		_, err := ask(ctx, "settle", func() (Verdict, error) { return Verdict{}, settle(ctx, o, r) })
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func noSettle(context.Context, *Outcome, *Report) error { return nil }

// Status is how a call that was sent has ended.
type Status string

// Statuses.
const (
	StatusOK        Status = "ok"
	StatusToolError Status = "tool-error" // a result with isError
	StatusError     Status = "error"      // a JSON-RPC error of the upstream
	StatusFailed    Status = "failed"     // no usable answer: broken connection, protocol error
	StatusTimeout   Status = "timeout"    // no answer in time; the action may have happened
	StatusCancelled Status = "cancelled"  // the agent gave up; the action may have happened
	StatusSent      Status = "sent"       // a notification or an answer: nothing comes back
)

// Report is what came of a call that was sent, for the record and for observers.
type Report struct {
	Status        Status
	Unsent        bool          // the message surely did not reach the upstream
	Took          time.Duration // from the message's arrival to the end of its answer
	Result        *wire.Frame   // as the upstream sent it; nil where there was none
	Code          int           // of the upstream's JSON-RPC error
	Notifications int           // that went to the agent during the call
}
