package mcpproxy

import (
	"context"
	"sync"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// Times of a call that no configuration sets.
const (
	lateTime  = 2 * time.Second // that the answer to a call may come late, after the agent has given it up
	leaveTime = 5 * time.Second // to tell the upstream that nobody waits
)

// mostWaits bounds a call, in timeouts of its connection, however much is heard of it: else an upstream that goes on
// reporting progress would keep a place among the calls at once for ever (MCP 2025-11-25, lifecycle, timeouts).
const mostWaits = 12

// exchange is one message of an agent on its way, and what comes back for it. One goroutine drives it; giveUp alone is
// called from another.
type exchange struct {
	g        *guest
	frame    wire.Frame
	call     policy.Call
	msg      *ingress.Message
	reply    ingress.Reply
	session  *session  // nil for a request of the later era over HTTP
	listener *listener // nil where the request is no subscription
	id       idKey
	holds    holds
	modern   bool // of the later era
	starts   bool // the request is the initialize of its session

	page     int       // of the listing that the cursor is for; 0 for the first
	round    *round    // that the request is, until it is sent
	lacks    string    // capability that the client would need for the answer
	end      time.Time // of the call's time
	detoured bool      // it has been sent another way

	recorded bool // the refusal is on record
	begun    bool // the call is on record as allowed
	away     bool // it may have reached the upstream
	told     bool // the observers know of it
	ended    bool // it is on record what came of it
	answered bool // the last of the answer has gone out, or is going

	turn   upstream.Turn   // at the upstream's breaker
	health upstream.Health // what the call has shown of the upstream

	sent   *policy.Call // what was judged and goes out; the call itself, or its rewritten copy
	out    policy.Outcome
	settle policy.Settle
	report policy.Report

	// guarded by the session's mutex, where there is a session
	stop context.CancelFunc // ends the wait for the upstream
	gone bool               // the agent has given the call up
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func newExchange(g *guest, reply ingress.Reply) *exchange {
	x, _ := exchanges.Get().(*exchange)
	x.g, x.reply = g, reply
	return x
}

// free gives the exchange back. Nothing may refer to it any more.
func (x *exchange) free() {
	*x = exchange{}
	exchanges.Put(x)
}

// begin makes the call of the message that has been read.
func (x *exchange) begin(m *ingress.Message) {
	x.msg, x.holds = m, holds{p: x.g.p, room: x.g.room}
	_, x.holds.alone = x.reply.(*part)
	x.call = x.g.call(&x.frame)
}

// join makes the message one of a session.
func (x *exchange) join(s *session) {
	x.session = s
	o := &x.call.Origin
	o.Session = s.digest
	if version, client := s.facts(); !x.modern {
		o.Protocol, o.Client = version, client
	}
}

// serve takes a message along the path of a call: decide, record, forward, review, settle, tell, answer. life ends when
// nobody wants the answer any more: the session's life, or that of the HTTP request.
func (x *exchange) serve(life context.Context, s *session) {
	if x.frame.Kind == wire.KindNotification {
		x.deliver(life, s)
		return
	}
	if x.listens() {
		var ok bool
		if life, ok = x.g.p.addListener(life, x); !ok {
			x.refuseProtocol(life, reasonSessions)
			return
		}
		defer x.g.p.dropListener(x.listener)
	}
	ctx := x.wait(life)
	defer func() { x.stop() }()
	if s != nil {
		x.id = newIDKey(x.frame.Get(wire.ID))
		if r := s.claim(x); r != nil {
			x.refuseProtocol(ctx, r)
			return
		}
		defer x.release()
		if !s.tied {
			x.reply = s.streams.answer(x.reply, x.call.Origin.Protocol >= revisionResume)
		}
	}
	defer x.unused()
	if r := x.openHandles(); r != nil {
		x.release()
		x.refuseProtocol(ctx, r)
		return
	}
	defer func() { x.turn.End(x.health) }()
	send := x.decide(ctx)
	switch {
	case send == nil:
	case x.out.Answer != nil:
		x.give(ctx)
	default:
		x.forward(life, ctx, send)
	}
}

// release frees the id for the agent's next request. It comes before the answer, because the next request may come right
// after it.
func (x *exchange) release() {
	if x.session != nil {
		x.session.release(x)
	}
}

// wait begins a wait for the upstream, and ends the one before. Each message that comes begins another, until the end of
// the call's time.
func (x *exchange) wait(life context.Context) context.Context {
	now := x.g.p.Clock()
	if x.end.IsZero() {
		x.end = now.Add(mostWaits * x.timeout())
	}
	ctx, stop := context.WithTimeout(life, min(x.timeout(), x.end.Sub(now)))
	x.waitOn(stop)
	return ctx
}

// waitOn makes stop what ends the wait.
func (x *exchange) waitOn(stop context.CancelFunc) {
	if x.session != nil {
		x.session.mu.Lock()
		defer x.session.mu.Unlock()
	}
	if x.stop != nil {
		x.stop()
	}
	x.stop = stop
	if x.gone {
		stop() // it had its time
	}
}

// giveUp gives the answer up, because the agent has cancelled the request. What still comes within a short while is
// judged and recorded, and goes nowhere. It reports whether this is the first time; then the caller ends the reply, when
// it has let go of the session's mutex, which it holds here.
func (x *exchange) giveUp() (first bool) {
	switch {
	case x.gone:
		return false
	case x.modern:
		x.stop() // the exchange itself tells the upstream
	default:
		time.AfterFunc(lateTime, x.stop)
	}
	x.gone = true
	return true
}

// untold is the timeout of a call whose connection is not known; it is refused long before.
const untold = time.Minute

func (x *exchange) timeout() time.Duration {
	if c := x.call.Connection; c != nil {
		return c.Timeout
	}
	return untold
}

// decide judges the call and puts the decision on record. It returns the call to send, or nil where the message is dealt
// with.
func (x *exchange) decide(ctx context.Context) *policy.Call {
	send, out, settle := x.judge(ctx)
	x.sent, x.out, x.settle = send, out, settle
	x.interrupted()
	if x.out.Allowed {
		if paused, ok := x.admit(); !ok {
			x.withhold(paused)
			x.giveBack(ctx, nil)
			x.refuseOnRecord(ctx)
			return nil
		}
		if err := x.g.p.begin(ctx, send, &x.out); err != nil {
			x.out = policy.Denied("audit", reasonRecord, "")
			x.out.Fault = err
			x.interrupted()
			x.conclude(ctx, policy.StatusFailed, false)
			x.release()
			x.logFault()
			x.answerRefusal(refusal(&x.call, &x.out))
			return nil
		}
		x.begun = true
		return send
	}
	x.refuseOnRecord(ctx)
	return nil
}

// refuseOnRecord records what was decided against, and answers.
func (x *exchange) refuseOnRecord(ctx context.Context) {
	x.logFault()
	r := x.record(ctx)
	x.release()
	x.answerRefusal(r)
}

// answerRefusal answers a request with its refusal. Whoever sends no request awaits no answer.
func (x *exchange) answerRefusal(r *ingress.Refusal) {
	if k := x.frame.Kind; k == wire.KindRequest || k == wire.KindNone {
		r.Modern = r.Modern || x.modern
		x.last().Refuse(r)
		return
	}
	x.last().Accept()
}

// refuseProtocol refuses a message that breaks the protocol.
func (x *exchange) refuseProtocol(ctx context.Context, reason *policy.Reason) {
	x.out = policy.Denied("protocol", reason, "")
	if reason == reasonSession {
		x.disowned()
	}
	r := x.record(ctx)
	r.Modern = r.Modern || x.modern
	if reason == reasonVersion {
		r.Data = supported(x.frame.Get(wire.MetaProtocolVersion))
	}
	x.last().Refuse(r)
}

// refuseQuietly drops a message without an error: a client can do nothing about it.
func (x *exchange) refuseQuietly(ctx context.Context, reason *policy.Reason) {
	x.out = policy.Denied("protocol", reason, "")
	x.record(ctx)
	x.last().Accept()
}

// record puts a refusal on record.
func (x *exchange) record(ctx context.Context) *ingress.Refusal {
	x.recorded = true
	return x.g.p.record(ctx, &x.call, &x.out)
}

// last is the reply for the last thing that is said.
func (x *exchange) last() ingress.Reply {
	x.answered = true
	return x.reply
}

// refuse answers with what the outcome says; the record has it.
func (x *exchange) refuse() {
	x.logFault()
	r := refusal(&x.call, &x.out)
	r.Modern = r.Modern || x.modern
	if x.out.Reason == reasonCapability {
		r.Data = required(x.lacks)
	}
	x.last().Refuse(r)
}

func (x *exchange) logFault() {
	if x.out.Fault != nil {
		x.g.p.Log.Error().Err(x.out.Fault).Stringer("ref", x.call.Ref).Str("reason", x.out.Reason.Code).Msg("refused on a fault")
	}
}

// deliver takes a message that has no answer along the same path: a notification, or the answer to a server's request.
// It reports whether the message was allowed.
func (x *exchange) deliver(ctx context.Context, s *session) (allowed bool) {
	if s == nil {
		// Over HTTP the later era has no notification that would mean anything to a server.
		x.refuseQuietly(ctx, reasonNoEffect)
		return false
	}
	r := x.pointless(s)
	if r == nil && x.call.Method == "notifications/initialized" && !s.hasRoom(len(x.frame.Raw)) {
		r = reasonSessions
	}
	if r != nil {
		x.refuseQuietly(ctx, r)
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, x.timeout())
	defer cancel()
	send := x.decide(ctx)
	if send == nil {
		return false
	}
	if x.call.Method == "notifications/cancelled" {
		switch known, modern := s.cancel(x.frame.Get(wire.ParamsRequestID)); {
		case !known: // it has ended meanwhile
			x.withhold(policy.Denied("protocol", reasonCancel, ""))
			x.report.Unsent = true
			fallthrough
		case modern:
			x.conclude(ctx, policy.StatusSent, true)
			x.last().Accept()
			return true
		}
	}
	link, err := s.open(ctx)
	x.report.Unsent = err != nil
	if err == nil {
		x.away = true
		_, err = link.Send(ctx, x.outgoing(send))
		x.report.Unsent = unsent(err)
	}
	status := policy.StatusSent
	if err != nil {
		x.g.p.Log.Info().Err(err).Stringer("ref", x.call.Ref).Str("upstream", x.call.Upstream).Msg("a message did not reach the upstream")
		status = policy.StatusFailed
		x.withhold(policy.Denied("upstream", reasonUnavailable, causeOf(reasonUnavailable, err)))
	} else if x.call.Method == "notifications/initialized" {
		s.settle(&x.frame)
	}
	x.conclude(ctx, status, true)
	x.last().Accept()
	return true
}

// pointless says why a notification of the agent concerns nothing in the session. What is another session's is nobody's
// here.
func (x *exchange) pointless(s *session) *policy.Reason {
	switch {
	case x.frame.Kind != wire.KindNotification:
		return nil
	case x.call.Method == "notifications/cancelled" && !s.knows(x.frame.Get(wire.ParamsRequestID)):
		return reasonCancel
	case x.call.Method == "notifications/progress" && !s.awaits(x.frame.Get(wire.ParamsProgressToken)):
		return reasonUnsolicited
	}
	return nil
}
