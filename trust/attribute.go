package trust

import (
	"github.com/hopgate/hopgate/policy"
)

// blame is what an outcome says about the two parties of a call.
type blame struct {
	agent, upstream event
	// disputed says that the agent's failure is one only where the upstream is known to work.
	disputed bool
}

// event is something that a party has done. The zero event is nothing.
type event struct {
	good, bad bool // a success, a failure
	class     class
	severity  policy.Severity // of a violation; Info for none
	code      string          // of the cause, where it is no success
	hammering bool            // the violation is to have been told to wait, and not to have waited
}

func (e *event) none() bool { return !e.good && !e.bad && e.severity == policy.Info }

// Codes of causes that are no refusals.
const (
	codeFailed      = "CALL_FAILED"       // of an agent: an error that it has caused; of an upstream: no usable answer
	codeWithheld    = "RESULT_REFUSED"    // what an upstream sent was not let through
	codeCut         = "CONTENT_CUT_OUT"   // a guardrail has cut a secret or injected instructions out of what a party sent
	codeAdjusted    = "OPERATOR_ADJUSTED" // these three: by an operator
	codeQuarantined = "OPERATOR_QUARANTINED"
	codeReleased    = "OPERATOR_RELEASED"
	codeRolledBack  = "ROLLBACK_ACCEPTED" // what an older copy of the state had forgotten
)

// JSON-RPC error codes that blame the request: JSON-RPC 2.0 section 5.1, and -32002 of MCP for a resource that there is
// not.
const (
	rpcInvalidRequest = -32600
	rpcUnknownMethod  = -32601
	rpcInvalidParams  = -32602
	rpcInternal       = -32603
	rpcNoResource     = -32002
)

// attribute says whom an outcome speaks for or against. Only what is known to be somebody's doing counts: nothing of
// strangers, nothing that is a fault of our own, no refusal that mode observe did not act on, and none of what was granted
// until a short while ago.
func attribute(c *policy.Call, o *policy.Outcome, r *policy.Report, classes *Classes) blame {
	fault := o.Fault != nil && r != nil || o.Reason == policy.ReasonFault || o.Reason == policy.ReasonNobody
	switch {
	case c.Agent == nil || fault || !o.Allowed && o.Reason == nil:
		return blame{}
	case r == nil && o.Allowed:
		return blame{} // it was not sent, and was not refused either
	case r == nil && o.Lapsed:
		return blame{}
	case r == nil && c.Direction == policy.ToAgent:
		return blame{upstream: violation(o.Reason)}
	case r == nil:
		return blame{agent: violation(o.Reason)}
	}
	var b blame
	if c.Direction == policy.ToUpstream {
		b = sent(c, o, r, classes)
		b.agent.cut(o.Cut.Message)
		b.upstream.cut(o.Cut.Result)
		return b
	}
	b.upstream.cut(o.Cut.Message)
	b.agent.cut(o.Cut.Result)
	return b
}

// cut counts what was cut out of what a party has sent and would have been a violation of weight: a low one, because the
// policy asks no more than that it does not pass, and once in an hour. What is worse already stays.
func (e *event) cut(r *policy.Reason) {
	if r != nil && r.Severity > policy.Low && (e.good || e.none()) {
		*e = event{severity: policy.Low, code: codeCut, hammering: true}
	}
}

// violation is a refusal. One that ends by itself and still says something about the party is hammering.
func violation(r *policy.Reason) event {
	return event{
		severity: r.Severity, code: r.Code,
		hammering: r.Severity > policy.Info && r.Answer != nil && r.Answer.Retry == policy.RetryAfter,
	}
}

// sent says whom the end of a call speaks for or against. What an upstream answers in time, it has answered well; whether
// an error in it is the agent's fault depends on the error.
func sent(c *policy.Call, o *policy.Outcome, r *policy.Report, classes *Classes) blame {
	k := read
	if c.Method == "tools/call" {
		k = classes.of(c.Task)
	}
	success, failure := event{good: true, class: k}, event{bad: true, class: k, code: codeFailed}
	switch r.Status {
	case policy.StatusFailed, policy.StatusTimeout:
		return blame{upstream: failure}
	case policy.StatusCancelled, policy.StatusSent:
		return blame{}
	case policy.StatusOK, policy.StatusToolError, policy.StatusError:
	default:
		return blame{}
	}
	if !o.Allowed {
		refused := violation(o.Reason)
		refused.bad, refused.class, refused.hammering = true, k, false
		if refused.severity == policy.Info {
			refused.code = codeWithheld
		}
		return blame{upstream: refused}
	}
	if !works(c.Method) {
		return blame{}
	}
	switch r.Status {
	case policy.StatusOK:
		return blame{agent: success, upstream: success}
	case policy.StatusToolError:
		return blame{agent: failure, disputed: true}
	default:
	}
	switch r.Code {
	case rpcInvalidRequest, rpcUnknownMethod, rpcInvalidParams, rpcNoResource:
		return blame{agent: failure}
	case rpcInternal:
		return blame{upstream: failure}
	default:
		return blame{agent: failure, disputed: true}
	}
}

// works reports whether a method does work. The others are too cheap to earn anything, or to hide failures behind.
func works(method string) bool {
	switch method {
	case "tools/call", "prompts/get", "resources/read":
		return true
	default:
		return false
	}
}
