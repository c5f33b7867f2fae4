package mcpproxy

import (
	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// JSON-RPC error codes of the protocol.
const (
	codeParse              = -32700
	codeInvalidRequest     = -32600
	codeMethodNotFound     = -32601
	codeInvalidParams      = -32602
	codeHeaderMismatch     = -32020 // these three: MCP 2026-07-28
	codeCapability         = -32021
	codeUnsupportedVersion = -32022
)

// protocol makes a reason that the agent may know in full, because it concerns only how it speaks the protocol.
func protocol(code, text string, rpc, status int) *policy.Reason {
	return &policy.Reason{Code: code, Answer: &policy.Answer{
		Code: code, Text: text, Retry: policy.RetryChanged, Form: policy.FormProtocol, RPC: rpc, HTTP: status,
	}}
}

// Reasons that concern the protocol.
var (
	reasonNoSession      = protocol("SESSION_MISSING", "Mcp-Session-Id is missing. Begin with initialize.", codeInvalidRequest, 400)
	reasonSession        = protocol("SESSION_UNKNOWN", "There is no such session. Begin with initialize.", codeInvalidRequest, 404)
	reasonNotReady       = protocol("NOT_INITIALIZED", "The session is not initialized yet.", codeInvalidRequest, 400)
	reasonAgain          = protocol("ALREADY_INITIALIZED", "The session is initialized already.", codeInvalidRequest, 400)
	reasonVersion        = protocol("UNSUPPORTED_VERSION", "This protocol version is not supported.", codeUnsupportedVersion, 400)
	reasonVersionHeader  = protocol("BAD_VERSION_HEADER", "MCP-Protocol-Version is not the version that this session has.", codeInvalidRequest, 400)
	reasonHeaders        = protocol("HEADER_MISMATCH", "A header of the protocol is missing or differs from the body.", codeHeaderMismatch, 400)
	reasonMeta           = protocol("META_MISSING", "_meta must have the protocol version and the client's capabilities.", codeInvalidParams, 400)
	reasonRemoved        = protocol("METHOD_REMOVED", "Method not found", codeMethodNotFound, 404)
	reasonIDInUse        = protocol("ID_IN_USE", "A request with this id is under way.", codeInvalidRequest, 400)
	reasonUnasked        = protocol("ANSWER_UNASKED", "Nobody asked for this answer.", codeInvalidRequest, 400)
	reasonCancel         = protocol("CANCEL_UNKNOWN", "There is no such request under way.", codeInvalidRequest, 400)
	reasonEvent          = protocol("EVENT_UNKNOWN", "The stream cannot be resumed from this event.", codeInvalidRequest, 400)
	reasonNoStream       = protocol("NO_STREAM", "This protocol version has no GET stream and no sessions.", codeInvalidRequest, 405)
	reasonNoEffect       = protocol("NO_EFFECT", "This notification means nothing over HTTP in this protocol version.", codeInvalidRequest, 400)
	reasonUnsolicited    = protocol("UNSOLICITED", "Nobody here has asked for this.", codeInvalidRequest, 400)
	reasonCursor         = protocol("CURSOR_UNKNOWN", "There is no such cursor. List again from the first page.", codeInvalidParams, 200)
	reasonTask           = protocol("TASK_UNKNOWN", "There is no such task.", codeInvalidParams, 200)
	reasonStateOver      = protocol("STATE_OVER", "The requestState was used already, or is too old. Call again without it.", codeInvalidParams, 200)
	reasonCapability     = protocol("CAPABILITY_MISSING", "The server asks for input that the client has not declared to support.", codeCapability, 400)
	reasonServerProtocol = protocol("SERVER_PROTOCOL_ERROR", "The server broke the protocol.", codeInvalidRequest, 400)
)

// Answers when an upstream fails.
var (
	answerUnavailable = &policy.Answer{
		Code: "UPSTREAM_UNAVAILABLE", Retry: policy.RetryAfter, Form: policy.FormResult, RPC: 503, HTTP: 200,
		Text: "Not done: the server behind this tool cannot be reached. Try the same call later, or go on without it.",
	}
	answerPaused = &policy.Answer{
		Code: "UPSTREAM_PAUSED", Retry: policy.RetryAfter, Form: policy.FormResult, RPC: 503, HTTP: 200,
		Text: "Not done: the server behind this tool fails, so nothing is sent to it for a while. Try the same call later, or go on without it.",
	}
	answerTimeout = &policy.Answer{
		Code: "UPSTREAM_TIMEOUT", Retry: policy.RetryUnknown, Form: policy.FormResult, RPC: 503, HTTP: 200,
		Text: "No answer came in time. The action may have happened: check before you repeat the call.",
	}
	answerEnded = &policy.Answer{
		Code: "SESSION_ENDED", Retry: policy.RetryUnknown, Form: policy.FormResult, RPC: 503, HTTP: 200,
		Text: "The session ended before the answer came. The action may have happened: check before you repeat the call.",
	}
	answerFailed = &policy.Answer{
		Code: "UPSTREAM_FAILED", Retry: policy.RetryUnknown, Form: policy.FormResult, RPC: 503, HTTP: 200,
		Text: "The server gave no usable answer. The action may have happened: check before you repeat the call.",
	}
	answerBusy = &policy.Answer{
		Code: "TOO_MANY_SESSIONS", Retry: policy.RetryAfter, Form: policy.FormError, RPC: 429, HTTP: 429,
		Text: "This agent has too many open sessions or streams. Close some first.",
	}
	answerLarge = &policy.Answer{
		Code: "RESULT_TOO_LARGE", Retry: policy.RetryNever, Form: policy.FormResult, RPC: 503, HTTP: 200,
		Text: "The server has answered with more than may pass here, so the answer is withheld. The action may have happened: do not repeat the call as it is. Ask for less, or have the limit raised.",
	}
)

// Reasons that concern an upstream, or what the proxy has room for.
var (
	reasonUnavailable = &policy.Reason{
		Code: "UPSTREAM_UNAVAILABLE", Answer: answerUnavailable, Hint: "the server did not start, or refused the connection; nothing was sent. The detail says why in a few words; the log has the error under the same ref",
	}
	reasonPaused = &policy.Reason{
		Code: "UPSTREAM_PAUSED", Answer: answerPaused,
		Hint: "the upstream failed too often in a row, so its breaker is open; nothing was sent. See hopgate upstreams show NAME and health.breaker",
	}
	reasonCredential = &policy.Reason{
		Code: "UPSTREAM_CREDENTIAL", Answer: answerUnavailable,
		Hint: "there is no token to call the upstream with; see the log, and hopgate upstreams login NAME",
	}
	reasonTimeout = &policy.Reason{
		Code: "UPSTREAM_TIMEOUT", Answer: answerTimeout, Hint: "the server was silent for longer than the connection's timeout, or had not answered after 12 times that",
	}
	reasonFailed = &policy.Reason{
		Code: "UPSTREAM_FAILED", Answer: answerFailed, Hint: "the server took the request and broke off, or broke the protocol. The detail says how in a few words; the log has the error under the same ref",
	}
	reasonNotModern = &policy.Reason{
		Code: "UPSTREAM_NOT_MODERN", Answer: &policy.Answer{
			Code: "UPSTREAM_NOT_MODERN", Retry: policy.RetryNever, Form: policy.FormError, RPC: 503, HTTP: 400,
			Text: "The server behind this endpoint does not take requests of this protocol version. Begin with initialize.",
		}, Hint: "the server answered a request of 2026-07-28 with an HTTP error; clients fall back to an earlier version by themselves",
	}
	reasonTurnedAway = &policy.Reason{
		Code: "UPSTREAM_TURNED_AWAY", Answer: answerUnavailable, Hint: "the server refused our credentials with 401 or 403; see headers and auth of the upstream",
	}
	reasonBroken = &policy.Reason{
		Code: "FAULT_AFTER_CALL", Answer: answerFailed, Hint: "the call went out, and then something of Hopgate's own broke; the log has the error under the same ref",
	}
	reasonCursorForeign = &policy.Reason{
		Code: "CURSOR_FOREIGN", Answer: reasonCursor.Answer, Severity: policy.Medium, Hint: "the agent presented a cursor that was given to another agent",
	}
	reasonCursorForged = &policy.Reason{
		Code: "CURSOR_FORGED", Answer: reasonCursor.Answer, Severity: policy.Low, Hint: "the agent presented a cursor that nobody was given",
	}
	reasonStateForeign = &policy.Reason{
		Code: "STATE_FOREIGN", Answer: reasonStateForged.Answer, Severity: policy.Medium, Hint: "the agent presented a requestState that was given to another agent",
	}
	reasonStateForged = &policy.Reason{
		Code: "STATE_FORGED", Severity: policy.Low, Hint: "the agent brought a requestState that nobody was given, or one that was given to it for another call",
		Answer: &policy.Answer{
			Code: "STATE_UNKNOWN", Retry: policy.RetryChanged, Form: policy.FormProtocol, RPC: codeInvalidParams, HTTP: 200,
			Text: "The requestState is not of this call. Call again without it.",
		},
	}
	reasonNobodyListens = &policy.Reason{
		Code: "NOBODY_LISTENS", Answer: answerUnavailable, Hint: "the agent was gone when a server asked it something, or has not taken what servers have sent it by themselves; see docs/limits.md",
	}
	reasonEnded = &policy.Reason{
		Code: "SESSION_ENDED", Answer: answerEnded,
		Hint: "the session ended during the call: by its agent, with its key or connection, or with the process; the action may have happened",
	}
	reasonCancelled = &policy.Reason{
		Code: "CANCELLED", Answer: answerFailed, Hint: "the agent gave the call up; the action may have happened",
	}
	reasonLargeResult = &policy.Reason{
		Code: "RESULT_TOO_LARGE", Answer: answerLarge,
		Hint: "the answer is beyond a limit on messages; the detail names it. Raise it in `limits`: of the file, or where the connection has its own of the connection",
	}
	reasonUnread = &policy.Reason{
		Code: "ANSWERS_UNREAD", Severity: policy.Low,
		Hint: "the agent calls for more at once than it takes: its answers that wait have no room any more. Bound how much it calls at once, by concurrency, or how large its results are; see docs/limits.md",
		Answer: &policy.Answer{
			Code: "ANSWERS_UNREAD", Retry: policy.RetryUnknown, Form: policy.FormResult, RPC: 429, HTTP: 200,
			Text: "Too many of your answers wait to be taken, so this one is withheld. The action may have happened: check before you repeat the call, and call for less at once.",
		},
	}
	reasonSessions = &policy.Reason{
		Code: "TOO_MANY_SESSIONS", Answer: answerBusy, Severity: policy.Low,
		Hint: "the agent opens sessions or streams and does not end them, or says more in them that has to be kept than there is room for",
	}
	reasonRecord = &policy.Reason{
		Code: "AUDIT_UNAVAILABLE", Answer: policy.AnswerUnavailable, Hint: "the decision could not be put on record, so the call was not made; see the log",
	}
	reasonTaskForeign = &policy.Reason{
		Code: "TASK_FOREIGN", Answer: reasonTask.Answer, Severity: policy.Medium, Hint: "the agent named a task that was given to another agent",
	}
	reasonForeign = &policy.Reason{
		Code: "SESSION_FOREIGN", Answer: reasonSession.Answer, Severity: policy.Medium, Hint: "the agent presented a session of another agent or connection",
	}
)

// faults are the reasons for what the strict parse refuses.
var faults = func() map[*wire.Problem]*policy.Reason {
	m := map[*wire.Problem]*policy.Reason{}
	for _, p := range wire.Problems() {
		status := 400
		if p == wire.TooLarge {
			status = 413
		}
		m[p] = protocol(p.Name, "Refused: "+p.Text+".", p.Code, status)
		switch p {
		case wire.TooLarge, wire.TooDeep, wire.TooManyKeys:
			m[p].Hint = "see `limits`, of the connection and of the file"
		case wire.LongNumber:
			m[p].Hint = "a number has at most 1024 digits, which no key changes"
		}
	}
	return m
}()

// Reasons returns every reason that the proxy gives, those of the transports and of the pipeline included; those of the
// gates are in their specs.
func Reasons() []*policy.Reason {
	all := append(policy.Reasons(), ingress.Reasons()...)
	for _, p := range wire.Problems() {
		all = append(all, faults[p])
	}
	return append(
		all,
		reasonNoSession, reasonPaused, reasonCredential, reasonSession, reasonForeign, reasonNotReady, reasonAgain, reasonVersion, reasonVersionHeader, reasonHeaders,
		reasonMeta, reasonRemoved, reasonIDInUse, reasonUnasked, reasonCancel, reasonEvent, reasonNoStream, reasonNoEffect, reasonUnsolicited,
		reasonCursor, reasonCursorForeign, reasonCursorForged, reasonTask, reasonTaskForeign, reasonStateForeign, reasonStateForged, reasonStateOver, reasonCapability, reasonTurnedAway, reasonBroken,
		reasonServerProtocol, reasonUnavailable, reasonTimeout, reasonFailed, reasonNotModern, reasonNobodyListens, reasonCancelled, reasonEnded, reasonLargeResult, reasonUnread, reasonSessions, reasonRecord,
	)
}
