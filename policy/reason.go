package policy

import "time"

// Reason is why a call is refused. Each is declared beside the gate that gives it; docs/reasons.md lists them all.
type Reason struct {
	Code     string // stable, upper case; in the record, in tests and in metrics
	Answer   *Answer
	Hint     string // for the operator: what to look at or change
	Severity Severity
	Always   bool // mode observe does not let it pass
}

// Error makes a Reason an error, so that errors.Is finds it.
func (r *Reason) Error() string { return r.Code }

// Severity is how much a refusal says about the agent.
type Severity uint8

// Severities. A refusal of severity Info says nothing about the agent.
const (
	Info Severity = iota
	Low
	Medium
	High
	Critical
)

func (s Severity) String() string {
	return [...]string{"info", "low", "medium", "high", "critical"}[s]
}

// Answer is what an agent is told. Several reasons share one, because the difference is none of the agent's business.
type Answer struct {
	Code  string // stable, upper case; the agent sees it
	Text  string // sentences for the model: what happened, and the one thing to do next; no content, no policy
	Retry Retry
	Form  Form
	RPC   int // JSON-RPC error code where the answer is an error
	HTTP  int // status where the transport is HTTP and the answer is an error
}

// Retry tells a model whether the same call can succeed.
type Retry string

// Values of Retry.
const (
	RetryNever   Retry = "never"
	RetryChanged Retry = "changed" // with other arguments
	RetryAfter   Retry = "after"   // after a while
	RetryUnknown Retry = "unknown"
)

// Form is the shape of an answer on the wire.
type Form uint8

// Forms.
const (
	// FormError is a JSON-RPC error with the Answer's code.
	FormError Form = iota
	// FormResult is a tool result with isError where the call was tools/call, and a JSON-RPC error elsewhere: models read
	// results, and some clients end the run on an error.
	FormResult
	// FormUnknown is what an upstream says of a name that it does not have.
	FormUnknown
	// FormProtocol is a JSON-RPC error that the protocol defines, without a denial attached.
	FormProtocol
)

// Answers that several rooms give. A room's own answers stand beside its reasons.
var (
	AnswerNotPermitted = &Answer{
		Code: "NOT_PERMITTED", Retry: RetryNever, Form: FormResult, RPC: 403, HTTP: 200,
		Text: "Not done: this is outside what this agent may do here. Do not retry; use another approach or ask the user.",
	}
	AnswerUnknown = &Answer{
		Code: "UNKNOWN", Retry: RetryNever, Form: FormUnknown, RPC: -32602, HTTP: 200,
		Text: "Unknown name",
	}
	AnswerUnavailable = &Answer{
		Code: "POLICY_UNAVAILABLE", Retry: RetryAfter, Form: FormResult, RPC: 503, HTTP: 200,
		Text: "Not done: the call could not be checked or recorded just now. Send the same call once more in a minute; if that fails too, tell the user.",
	}
	AnswerUnauthenticated = &Answer{
		Code: "UNAUTHENTICATED", Retry: RetryNever, Form: FormError, RPC: 401, HTTP: 401,
		Text: "This endpoint needs a valid credential.",
	}
	AnswerForbidden = &Answer{
		Code: "FORBIDDEN", Retry: RetryNever, Form: FormError, RPC: 403, HTTP: 403,
		Text: "This agent has no access to this endpoint.",
	}
)

// Reasons that the pipeline itself gives.
var (
	ReasonNobody = &Reason{
		Code: "UNAUTHENTICATED", Answer: AnswerUnauthenticated,
		Hint: "no credential, or one that is unknown, expired or revoked, or of an agent that the configuration does not declare; see `hopgate agents list`",
	}
	ReasonNoConnection = &Reason{
		Code: "NO_CONNECTION", Answer: AnswerForbidden, Severity: Low,
		Hint: "no connection leads from this agent to this upstream",
	}
	ReasonNoUpstream = &Reason{
		Code: "NO_UPSTREAM", Answer: AnswerForbidden,
		Hint: "the configuration has no upstream of this name: the agent's URL is wrong; who tries more than 3 such names in an hour gets NO_CONNECTION",
	}
	ReasonFault = &Reason{
		Code: "POLICY_UNAVAILABLE", Answer: AnswerUnavailable,
		Hint: "a gate failed; the log has the error under the same ref",
	}
)

// Reasons returns the reasons that the pipeline itself gives.
func Reasons() []*Reason {
	return []*Reason{ReasonNobody, ReasonNoConnection, ReasonNoUpstream, ReasonFault}
}

// Refuse is a refusal for a reason. detail is for the record and names kinds and places, never content.
func Refuse(r *Reason, at Pos, detail string) Verdict {
	return Verdict{Reason: r, At: at, Detail: detail}
}

// RefuseUntil is a refusal that ends by itself after a while.
func RefuseUntil(r *Reason, at Pos, detail string, wait time.Duration) Verdict {
	return Verdict{Reason: r, At: at, Detail: detail, Wait: wait}
}
