package trust

import "github.com/hopgate/hopgate/policy"

// answerPaused tells neither a score nor a time: there is nothing in it to work towards.
var answerPaused = &policy.Answer{
	Code: "ACCESS_PAUSED", Retry: policy.RetryUnknown, Form: policy.FormResult, RPC: 403, HTTP: 200,
	Text: "Not done: access is paused. Stop using this server and tell the user; an operator can see why.",
}

// Reasons of this gate. None says anything new about the agent, so none has a severity: a refusal for trust must not cost
// trust. Mode observe lets none pass but the first: the others are faults, or an operator's will.
var (
	reasonLow = &policy.Reason{
		Code: "TRUST_TOO_LOW", Answer: answerPaused,
		Hint: "the agent's score is below `trust`, or has been and is not yet 25 above it; see `hopgate trust show`",
	}
	reasonQuarantine = &policy.Reason{
		Code: "AGENT_QUARANTINED", Answer: answerPaused, Always: true,
		Hint: "a critical violation or an operator has put the agent into quarantine; `hopgate trust release` ends it",
	}
	reasonUpstream = &policy.Reason{
		Code: "UPSTREAM_QUARANTINED", Answer: answerPaused, Always: true,
		Hint: "an operator has put the upstream into quarantine; `hopgate trust release` ends it",
	}
	reasonUnknown = &policy.Reason{
		Code: "TRUST_UNKNOWN", Answer: answerPaused, Always: true,
		Hint: "no record of trust was ever made for the agent or the upstream; a reload of the configuration makes it",
	}
	reasonDamaged = &policy.Reason{
		Code: "TRUST_DAMAGED", Answer: answerPaused, Always: true,
		Hint: "the record of trust is lost or cannot be read; `hopgate trust adjust` begins another",
	}
	reasonStale = &policy.Reason{
		Code: "TRUST_STALE", Answer: answerPaused, Always: true,
		Hint: "the clock is behind the record of trust; correct the clock, or `hopgate trust adjust` under the right one",
	}
	reasonOld = &policy.Reason{
		Code: "TRUST_ROLLED_BACK", Answer: answerPaused, Always: true,
		Hint: "the state is older than its anchor, so nobody knows what was done since; see `hopgate state check` and `accept-rollback`",
	}
)

var reasons = []*policy.Reason{reasonLow, reasonQuarantine, reasonUpstream, reasonUnknown, reasonDamaged, reasonStale, reasonOld}
