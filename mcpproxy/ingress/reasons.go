package ingress

import "github.com/hopgate/hopgate/policy"

// protocol makes a reason that the agent may know in full, because it concerns only how it speaks the protocol.
func protocol(code, text string, rpc, status int, hint string) *policy.Reason {
	return &policy.Reason{
		Code: code, Hint: hint,
		Answer: &policy.Answer{Code: code, Text: text, Retry: policy.RetryChanged, Form: policy.FormProtocol, RPC: rpc, HTTP: status},
	}
}

// Codes of JSON-RPC errors in the answers to requests that are wrong as HTTP.
const (
	codeInvalidRequest = -32600
	codeForbidden      = 403
	codeUnauthorized   = 401
)

// Reasons for which the transport itself refuses.
var (
	reasonHost = protocol("HOST_NOT_ALLOWED", "The Host header names a host that is not served here.", codeForbidden, 403,
		"a web page may be trying to reach this listener by DNS rebinding; if the host is right, add it to listen.mcp.hosts")
	reasonOrigin = protocol("ORIGIN_NOT_ALLOWED", "The Origin header names a site that may not call here.", codeForbidden, 403,
		"a web page called; if it may, add its origin to listen.mcp.origins")
	reasonCredentials = protocol("AMBIGUOUS_CREDENTIALS", "Send exactly one credential.", codeUnauthorized, 401,
		"more than one Authorization or X-API-Key header came with one request")
	reasonMethod       = protocol("HTTP_METHOD_NOT_ALLOWED", "This address does not take the method.", codeInvalidRequest, 405, "")
	reasonAccept       = protocol("NOT_ACCEPTABLE", "Accept must list application/json and text/event-stream.", codeInvalidRequest, 406, "")
	reasonAcceptStream = protocol("NOT_A_STREAM", "Accept must list text/event-stream.", codeInvalidRequest, 406, "")
	reasonType         = protocol("UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/json, without Content-Encoding.", codeInvalidRequest, 415, "")
	reasonHeader       = protocol("DUPLICATE_HEADER", "A header of the protocol came twice.", codeHeaderMismatch, 400,
		"programs differ in which of two headers they believe, so neither is")
	reasonLarge = protocol("BODY_TOO_LARGE", "The message is larger than the limit.", codeInvalidRequest, 413, "see limits.frame")
	reasonBody  = protocol("BODY_UNREADABLE", "The body did not arrive whole in time.", codeInvalidRequest, 400, "")
	reasonQuery = protocol("QUERY_NOT_ALLOWED", "The address takes no query. Send the credential in the Authorization header.", codeInvalidRequest, 400,
		"addresses end up in logs and histories; a key that stood in one is to be revoked")
	reasonUpgrade     = protocol("NOT_A_WEBSOCKET", "This address takes WebSocket handshakes alone.", codeInvalidRequest, 426, "")
	reasonSubprotocol = protocol("SUBPROTOCOL_MISSING", "Sec-WebSocket-Protocol must list mcp.", codeInvalidRequest, 400, "")
	reasonBinary      = protocol("NOT_TEXT", "Send one message per text frame.", codeInvalidRequest, 400, "")
	reasonGone        = protocol("STREAM_GONE", "The stream that the answer would go to has ended. Open another one.", codeInvalidRequest, 404, "")
	reasonEnd         = protocol("STREAM_ENDED", "The stream ended in the middle of a message.", -32700, 400, "")
)

// reasonEnding is given while the process ends.
var reasonEnding = &policy.Reason{
	Code: "SHUTTING_DOWN",
	Answer: &policy.Answer{
		Code: "SHUTTING_DOWN", Retry: policy.RetryAfter, Form: policy.FormError, RPC: 503, HTTP: 503,
		Text: "Not begun: this address is being closed. Connect again in a moment.",
	},
}

// reasonBusy is given on connections that last, where messages wait for each other, and on all of them where those of one
// agent have no room.
var reasonBusy = &policy.Reason{
	Code: "TOO_MANY_CALLS", Severity: policy.Low, Hint: "an agent sends calls and does not wait for their answers: too many on one connection, or too large on all together",
	Answer: &policy.Answer{
		Code: "TOO_MANY_CALLS", Retry: policy.RetryAfter, Form: policy.FormResult, RPC: 429, HTTP: 429,
		Text: "Not done: too many calls are waiting. Wait for some of their answers, then send the same call again.",
	},
}

// reasonConnections is given to an agent on a connection that is one too many.
var reasonConnections = &policy.Reason{
	Code: "TOO_MANY_CONNECTIONS", Severity: policy.Low,
	Hint: "the agent has as many connections as one may: an eighth of the descriptors of the process (ulimit -n)",
	Answer: &policy.Answer{
		Code: "TOO_MANY_CONNECTIONS", Retry: policy.RetryAfter, Form: policy.FormError, RPC: 429, HTTP: 429,
		Text: "Not begun: you have too many connections. Close some, then connect again.",
	},
}

const codeHeaderMismatch = -32020 // MCP 2026-07-28, HeaderMismatch

// Reasons returns the reasons for which the transport itself refuses.
func Reasons() []*policy.Reason {
	return []*policy.Reason{
		reasonHost, reasonOrigin, reasonCredentials, reasonMethod, reasonAccept, reasonType, reasonHeader, reasonLarge, reasonBody, reasonEnd,
		reasonAcceptStream, reasonQuery, reasonUpgrade, reasonSubprotocol, reasonBinary, reasonGone, reasonEnding, reasonBusy, reasonConnections,
	}
}
