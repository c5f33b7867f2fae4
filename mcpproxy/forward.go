package mcpproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// forward sends the call and takes what comes back, until the answer.
func (x *exchange) forward(life, ctx context.Context, send *policy.Call) {
	link, err := x.link(ctx)
	var stream upstream.Stream
	x.report.Unsent = err != nil
	if err == nil {
		out := x.outgoing(send)
		x.away = true
		stream, err = link.Send(ctx, out)
		x.report.Unsent = unsent(err)
	}
	if !x.starts { // what comes behind the handshake waits for its end
		x.msg.Dispatched()
	}
	if x.away = !x.report.Unsent; x.away {
		x.round = nil
	}
	if err != nil {
		x.fail(life, ctx, err)
		return
	}
	defer func() { stream.Close() }() // whichever it is by then
	if x.listener != nil {
		x.turn.End(upstream.NothingShown) // it may last for ever
		x.listen(life, link, &stream)
		return
	}
	for {
		in, err := stream.Next(ctx)
		if next, by := x.detour(ctx, link, in, err); next != nil {
			stream.Close()
			stream, link = next, by
			continue
		}
		if err != nil {
			x.abandon(ctx, stream)
			stream.Close() // before the agent may use the id again
			x.fail(life, ctx, err)
			return
		}
		if in.Frame.Response() {
			if x.finish(ctx, in); !x.out.Allowed {
				x.abandon(ctx, stream) // what it may wait for does not come
			}
			return
		}
		x.relay(ctx, link, &in.Frame)
		ctx = x.wait(life) //nolint:fatcontext // it ends the one before
	}
}

// give answers a call with the result that a gate has for it. It is reviewed like any other; the upstream hears of nothing.
func (x *exchange) give(ctx context.Context) {
	x.msg.Dispatched()
	x.report.Unsent = true
	raw := append([]byte(`{"jsonrpc":"2.0","id":`), x.frame.Get(wire.ID)...)
	raw = append(append(append(raw, `,"result":`...), x.out.Answer...), '}')
	in := &upstream.Incoming{Status: http.StatusOK}
	roomy := x.call.Connection.Limits
	roomy.Frame = max(roomy.Frame, len(raw)) // its own length was within the limit when it came
	if err := wire.Parse(&in.Frame, raw, wire.FromUpstream, &roomy); err != nil {
		x.withhold(faulty("proxy", fmt.Errorf("reading the result that a gate has: %w", err)))
		x.conclude(ctx, policy.StatusFailed, true)
		x.release()
		x.refuse()
		return
	}
	x.finish(ctx, in)
}

// unsent reports whether an error of Send says that the upstream surely has not got the message.
func unsent(err error) bool {
	return err != nil && !errors.Is(err, upstream.ErrUnknownOutcome) && !errors.Is(err, upstream.ErrProtocol)
}

// link returns the way to the upstream that the message takes.
func (x *exchange) link(ctx context.Context) (upstream.Link, error) {
	if x.session != nil {
		return x.session.open(ctx)
	}
	return x.g.p.shared(ctx, x.g.who.policy, place{Way{x.call.Agent.Name, x.call.Upstream}, x.g.peer.Dir})
}

// outgoing is what the upstream leg needs to know of a message. Headers are made anew from what is sent.
func (x *exchange) outgoing(send *policy.Call) *upstream.Outgoing {
	out := &upstream.Outgoing{Frame: send.Frame, Protocol: x.call.Origin.Protocol, Modern: x.modern, Room: &x.holds}
	if send.Method == "tools/list" {
		out.Known = x.g.p.repeats.known(x.call.Upstream)
	}
	if !x.modern {
		return out
	}
	if field, ok := mirrored[send.Method]; ok {
		out.Name = send.Frame.String(field)
	}
	if send.Method == "tools/call" {
		out.Params = x.g.p.params(send)
	}
	return out
}

// abandon tells the upstream that nobody waits for the answer. In the earlier era the agent's own cancellation has told
// it already.
func (x *exchange) abandon(ctx context.Context, stream upstream.Stream) {
	if !x.modern && x.givenUp() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	if err := stream.Cancel(ctx, "no answer awaited"); err != nil {
		x.g.p.Log.Debug().Err(err).Stringer("ref", x.call.Ref).Msg("the upstream was not told of a cancellation")
	}
}

// finish reviews the answer, ends the call on record, and hands the answer to the agent.
func (x *exchange) finish(ctx context.Context, in *upstream.Incoming) {
	result := &in.Frame
	x.report.Result = result
	x.health = answered(in)
	status := statusOf(result, &x.report)
	switch agent, cause, fault := x.owner(); {
	case fault != nil:
		x.withhold(policy.Denied("identity", reasonBroken, ""))
	case agent == nil: // revoked while the call was under way
		x.withhold(policy.Denied("identity", policy.ReasonNobody, cause))
	case !x.holds.came(len(result.Raw)):
		x.withhold(policy.Denied("protocol", reasonUnread, ""))
	case tighter(result, &x.call.Connection.Limits) != "":
		x.withhold(tooLarge(tighter(result, &x.call.Connection.Limits), "connection"))
	default:
		result = x.review(ctx, result)
	}
	x.conclude(ctx, status, true)
	gone := x.givenUp()
	x.release()
	switch {
	case gone:
		x.answered = true
	case !x.out.Allowed:
		x.refuse()
	default:
		if x.starts && status == policy.StatusError {
			x.reply.Session("") // there is none
		}
		if in.Event && x.out.Allowed {
			_ = x.reply.Open() // what came as a stream goes as a stream; a peer that is gone needs none
		}
		_ = x.last().Finish("", httpStatus(in, x.modern), result.Raw) // a peer that is gone needs no answer; the record has it
	}
}

// review lets the gates screen an answer, and the proxy learn from a result.
func (x *exchange) review(ctx context.Context, result *wire.Frame) *wire.Frame {
	if result.Kind == wire.KindResult {
		if x.call.Method == "tools/list" {
			x.g.p.repeats.mark(x.call.Upstream, result)
		}
		if err := x.g.p.Catalog.Learn(&x.call, result); err != nil {
			out := policy.Denied("audit", reasonRecord, "")
			out.Fault = err
			x.withhold(out)
			return result
		}
	}
	came := result
	result, out := x.screen(ctx, result)
	x.out = out
	if x.out.Allowed && result.Kind == wire.KindResult {
		x.g.p.Catalog.Shown(&x.call, came, result)
	}
	if x.out.Allowed && x.starts && result.Kind == wire.KindResult {
		if err := x.session.negotiate(x.sent.Frame, result); err != nil {
			x.withhold(policy.Denied("protocol", reasonServerProtocol, err.Error()))
		}
	}
	if x.out.Allowed {
		result = x.sealHandles(result)
	}
	if lasts[x.call.Method] && x.session != nil && result.Kind == wire.KindResult {
		x.session.mu.Lock()
		if x.session.standing == nil {
			x.session.standing = lasting{}
		}
		x.session.standing.note(x.sent.Frame, x.session.more)
		x.session.mu.Unlock()
	}
	return result
}

// lasts are the methods of requests that count for the rest of a session.
var lasts = map[string]bool{"resources/subscribe": true, "resources/unsubscribe": true, "logging/setLevel": true}

// withhold refuses a call after it was judged. What was cut out of it still speaks against its sender: else who gives up what
// it has sent would be blamed for nothing.
func (x *exchange) withhold(out policy.Outcome) { x.out.Become(out) }

// givenUp reports whether the agent has cancelled the request.
func (x *exchange) givenUp() bool {
	if x.session == nil {
		return false
	}
	x.session.mu.Lock()
	defer x.session.mu.Unlock()
	return x.gone
}

// fail ends a call that has got no usable answer.
func (x *exchange) fail(life, ctx context.Context, err error) {
	status, reason, limit := policy.StatusFailed, reasonFailed, beyond(err)
	var backoff *upstream.BackoffError
	var wait time.Duration
	var code *upstream.StatusError
	switch {
	case x.givenUp(), life.Err() != nil && x.session == nil:
		status, reason = policy.StatusCancelled, reasonCancelled
	case life.Err() != nil && x.report.Unsent:
		status, reason = policy.StatusCancelled, reasonSession
	case life.Err() != nil:
		status, reason = policy.StatusCancelled, reasonEnded
	case limit != "":
		reason = reasonLargeResult
	case errors.Is(err, upstream.ErrNoRoom):
		reason = reasonUnread
	case errors.Is(err, upstream.ErrSessionEnded):
		reason = reasonFailed // the next call has another session, or another child
	case errors.As(err, &backoff):
		reason, wait = reasonUnavailable, backoff.After
	case errors.Is(err, upstream.ErrCredential):
		reason = reasonCredential
	case x.report.Unsent:
		reason = reasonUnavailable
	case ctx.Err() != nil:
		status, reason = policy.StatusTimeout, reasonTimeout
	case errors.As(err, &code):
		reason = x.reasonOf(code.Code)
	}
	x.health = shown(reason, err)
	level, cause := zerolog.InfoLevel, causeOf(reason, err)
	if silent := x.unheard(status); silent != "" {
		level, cause = zerolog.WarnLevel, silent
	}
	x.g.p.Log.WithLevel(level).Err(err).Stringer("ref", x.call.Ref).Str("upstream", x.call.Upstream).Msg("no answer from the upstream")
	out := policy.Denied("upstream", reason, cause)
	if reason == reasonLargeResult {
		out = tooLarge(limit, "file")
	}
	out.Wait = wait
	x.withhold(out)
	// An action that may have happened is what its agent has to hear of; initialize does nothing that is to be checked.
	if reason == reasonSession || reason == reasonEnded && x.starts {
		x.disowned()
	}
	x.conclude(ctx, status, true)
	x.release()
	if reason == reasonCancelled {
		x.answered = true
		return
	}
	r := refusal(&x.call, &x.out)
	r.Modern = x.modern
	x.last().Refuse(r)
}

// reasonOf says what an HTTP status means that came without an answer. Only a status by which a server may say that it
// does not know the later era makes clients fall back to the earlier one.
func (x *exchange) reasonOf(status int) *policy.Reason {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		return reasonTurnedAway
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		return reasonFailed
	case x.modern && status >= 400 && status < 500:
		return reasonNotModern
	}
	return reasonFailed
}

// conclude settles what the gates reserved, records what came of the call, and tells the observers.
func (x *exchange) conclude(ctx context.Context, status policy.Status, begun bool) {
	p := x.g.p
	x.report.Status, x.report.Took = status, p.Clock().Sub(x.call.Time)
	var report *policy.Report
	if begun {
		report = &x.report
	}
	x.giveBack(ctx, report)
	if !x.told {
		x.told = true
		p.observe(&x.call, &x.out, &x.report)
	}
	if begun && !x.ended {
		x.ended = true
		if p.end(&x.call, &x.out, &x.report) != nil {
			x.withhold(policy.Denied("audit", reasonBroken, ""))
		}
	}
}

// giveBack settles what the gates reserved; where report is nil, for a call that was not made.
func (x *exchange) giveBack(ctx context.Context, report *policy.Report) {
	settle := x.settle
	if x.settle = nil; settle == nil {
		return
	}
	if err := settle(ctx, &x.out, report); err != nil {
		x.g.p.Log.Error().Err(err).Stringer("ref", x.call.Ref).Msg("a reservation was not settled")
	}
}

// statusOf says how a call has ended that was answered.
func statusOf(answer *wire.Frame, r *policy.Report) policy.Status {
	switch {
	case answer.Kind == wire.KindError:
		r.Code = parseCode(answer.Get(wire.ErrorCode))
		return policy.StatusError
	case string(answer.Get(wire.ResultIsError)) == "true":
		return policy.StatusToolError
	}
	return policy.StatusOK
}

// parseCode reads a JSON-RPC error code, which the strict parse has found to be an integer.
func parseCode(raw []byte) int {
	code, err := strconv.Atoi(string(raw))
	if err != nil {
		return 0 // beyond int: no code that anybody knows
	}
	return code
}

// httpStatus is the status of an answer. An upstream's own is passed on only where the protocol ties a meaning to it
// that is true of us too: a 401 or 404 of the upstream would make the client log in here, or give its session up.
func httpStatus(in *upstream.Incoming, modern bool) int {
	if in.Frame.Kind != wire.KindError || !modern {
		if in.Status == http.StatusBadRequest {
			return in.Status
		}
		return http.StatusOK
	}
	switch code := string(in.Frame.Get(wire.ErrorCode)); {
	case code == "-32601":
		return http.StatusNotFound
	case strings.HasPrefix(code, "-3202"), in.Status == http.StatusBadRequest:
		return http.StatusBadRequest
	}
	return http.StatusOK
}
