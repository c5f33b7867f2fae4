package mcpproxy

import (
	"errors"
	"net/http"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// admit asks the breaker of the upstream whether the call may be sent. It is asked last, so that it tells nobody of a
// server who may not call it; what the gates have reserved is given back by whoever refuses.
func (x *exchange) admit() (out policy.Outcome, ok bool) {
	if x.frame.Kind != wire.KindRequest || x.out.Answer != nil {
		return policy.Outcome{}, true
	}
	turn, wait := x.g.who.policy.Upstreams[x.call.Upstream].Admit(x.call.Agent.Name)
	if wait > 0 {
		out := policy.Denied("upstream", reasonPaused, "")
		out.Wait, out.Paused = wait, true
		return out, false
	}
	x.turn = turn
	return policy.Outcome{}, true
}

// causeOf says in a few words of a fixed list why an upstream gave no usable answer, for the record. Of a call that was
// given up, or whose session has ended, the reason says all.
func causeOf(reason *policy.Reason, err error) string {
	switch {
	case reason == reasonCancelled, reason == reasonSession, reason == reasonEnded, reason == reasonTimeout:
		return ""
	case errors.Is(err, errGreeting):
		return "the server refused the handshake"
	}
	return upstream.Cause(err)
}

// patience is how long a server may take for the handshake before it counts as silent although its client is gone.
const patience = 20 * time.Second

// unheard says in a few words that a server has been silent when it was asked to begin. A client that has waited for long
// gives up, or its user does, and nobody else would hear of it. The words are empty where the call is another, or was short.
func (x *exchange) unheard(status policy.Status) string {
	took := x.g.p.Clock().Sub(x.call.Time)
	switch {
	case !x.starts && x.call.Method != "server/discover", x.report.Unsent:
		return ""
	case status == policy.StatusTimeout, status == policy.StatusCancelled && took >= patience:
		return "no answer to the handshake"
	}
	return ""
}

// shown is what the end of a call without a usable answer says of its upstream. What the agent can bring about by what it
// says is not held against the upstream: a refusal of its request, and that it gave the call up.
func shown(reason *policy.Reason, err error) upstream.Health {
	var code *upstream.StatusError
	switch {
	case reason == reasonCancelled, reason == reasonSession, reason == reasonEnded, reason == reasonLargeResult, reason == reasonUnread, errors.Is(err, upstream.ErrSessionEnded), errors.Is(err, upstream.ErrInvalid):
		return upstream.NothingShown
	case errors.As(err, new(*upstream.BackoffError)):
		return upstream.NothingShown // it was not tried
	case errors.As(err, &code):
		if c := code.Code; c >= http.StatusBadRequest && c < http.StatusInternalServerError && c != http.StatusUnauthorized && c != http.StatusProxyAuthRequired {
			return upstream.NothingShown
		}
		return upstream.Failed
	case errors.Is(err, upstream.ErrUnreachable), errors.Is(err, upstream.ErrCredential):
		return upstream.Unreachable
	case reason == reasonTimeout, errors.Is(err, upstream.ErrUnavailable), errors.Is(err, upstream.ErrUnknownOutcome), errors.Is(err, upstream.ErrProtocol):
		return upstream.Failed
	}
	return upstream.NothingShown
}

// answered is what an answer says of its upstream. Servers that tell agents of their own mistakes by HTTP 500 answer.
func answered(in *upstream.Incoming) upstream.Health {
	if in.Status < http.StatusInternalServerError {
		return upstream.Answered
	}
	switch parseCode(in.Frame.Get(wire.ErrorCode)) {
	case codeInvalidRequest, codeMethodNotFound, codeInvalidParams, codeParse:
		return upstream.Answered
	}
	return upstream.Failed
}
