package quota

import (
	"math"
	"strings"
	"time"

	"github.com/hopgate/hopgate/policy"
)

// Answers of these gates. None tells a number of the policy but the time after which the call may pass.
var (
	answerLimited = &policy.Answer{
		Code: "RATE_LIMITED", Retry: policy.RetryAfter, Form: policy.FormResult, RPC: 429, HTTP: 200,
		Text: "Not done: this call is limited right now. Wait, then send the same call once. Do not try other tools for the same purpose.",
	}
	answerHours = &policy.Answer{
		Code: "OUTSIDE_HOURS", Retry: policy.RetryAfter, Form: policy.FormResult, RPC: 403, HTTP: 200,
		Text: "Not done: this is not available at this time of the week. Tell the user.",
	}
	answerExhausted = &policy.Answer{
		Code: "BUDGET_EXHAUSTED", Retry: policy.RetryAfter, Form: policy.FormResult, RPC: 429, HTTP: 200,
		Text: "Not done: what may be used of this is used up for now. Stop using this tool, and tell the user.",
	}
	answerArguments = &policy.Answer{
		Code: "ARGUMENTS_TOO_LARGE", Retry: policy.RetryChanged, Form: policy.FormResult, RPC: 403, HTTP: 200,
		Text: "Not done: the arguments are larger than this agent may send here. Send less at a time.",
	}
	answerResult = &policy.Answer{
		Code: "RESULT_WITHHELD", Retry: policy.RetryChanged, Form: policy.FormResult, RPC: 403, HTTP: 200,
		Text: "The call was made, but its result is larger than this agent may receive and was withheld. Ask for less at a time.",
	}
	answerPrice = &policy.Answer{
		Code: "ARGUMENT_NOT_ALLOWED", Retry: policy.RetryChanged, Form: policy.FormResult, RPC: 403, HTTP: 200,
		Text: "Not done: what this call would cost cannot be told from its arguments. Call again with plain numbers, or ask the user.",
	}
)

// Reasons of these gates.
var (
	reasonHammering = &policy.Reason{
		Code: "HAMMERING", Answer: answerLimited, Severity: policy.Low,
		Hint: "the agent goes on after refusals; see what it was refused for, or change `refusals` of the agent or the file",
	}
	reasonHours = &policy.Reason{
		Code: "OUTSIDE_HOURS", Answer: answerHours,
		Hint: "the call came outside the `hours` of the connection, tool, agent, team or organisation that the detail names",
	}
	reasonArguments = &policy.Reason{
		Code: "ARGUMENTS_TOO_LARGE", Answer: answerArguments,
		Hint: "the arguments have more bytes than `size.args` of the connection or tool",
	}
	reasonResult = &policy.Reason{
		Code: "RESULT_SIZE_EXCEEDED", Answer: answerResult,
		Hint: "the result has more bytes than `size.result` of the connection or tool",
	}
	reasonData = &policy.Reason{
		Code: "DATA_QUOTA_EXCEEDED", Answer: answerExhausted,
		Hint: "the bytes of `size.per_day` are used, or reserved for calls under way up to their `size.result`",
	}
	reasonRate = &policy.Reason{
		Code: "RATE_LIMITED", Answer: answerLimited,
		Hint: "a `rate` has nothing left; the detail names all limits that refused",
	}
	reasonConcurrency = &policy.Reason{
		Code: "TOO_MANY_AT_ONCE", Answer: answerLimited,
		Hint: "as many calls are under way as `concurrency` allows; the detail names all limits that refused",
	}
	reasonQuota = &policy.Reason{
		Code: "QUOTA_EXCEEDED", Answer: answerExhausted,
		Hint: "the calls of a `quota` are used; the detail names all limits that refused",
	}
	reasonRounds = &policy.Reason{
		Code: "TOO_MANY_ROUNDS", Answer: policy.AnswerNotPermitted, Severity: policy.Low,
		Hint: "a call came back with answers to the upstream's questions more often than a call may",
	}
	reasonSpend = &policy.Reason{
		Code: "BUDGET_EXCEEDED", Answer: answerExhausted,
		Hint: "what the call may cost at most does not fit into what `spend` has left; see `hopgate spend`",
	}
	reasonTokens = &policy.Reason{
		Code: "SAMPLING_PRICE_UNKNOWN", Answer: policy.AnswerNotPermitted,
		Hint: "the upstream asks the agent's model for no number of tokens, so nobody knows what that costs; give `sampling` a `max_tokens`",
	}
	reasonPrice = &policy.Reason{
		Code: "PRICE_UNKNOWN", Answer: answerPrice, Severity: policy.Low,
		Hint: "the argument that sets the price by `cost.argument` is missing, or is neither a plain number nor a list",
	}
	reasonPayment = &policy.Reason{
		Code: "PAYMENT_NOT_COUNTED", Answer: policy.AnswerNotPermitted, Severity: policy.Medium,
		Hint: "the call carries a payment that no cap could count: the upstream's `cost` has no `x402`, or the signed amount cannot be read",
	}
	reasonOverrun = &policy.Reason{
		Code: "COST_OVERRUN", Answer: answerExhausted,
		Hint: "the upstream's result costs more than was reserved for it; the reservation was charged; check its `cost`",
	}
)

// reasonShut holds in every mode: it is no limit that somebody tries out.
var reasonShut = &policy.Reason{
	Code: "STATE_ROLLED_BACK", Answer: policy.AnswerUnavailable, Always: true,
	Hint: "the state is older than its anchor, so nobody knows what was spent; see `hopgate state check` and `accept-rollback`",
}

// reasonOf is why a call is refused for which a limit has no room.
func reasonOf(k Kind) *policy.Reason {
	return [...]*policy.Reason{reasonRate, reasonConcurrency, reasonQuota, reasonData, reasonSpend}[k]
}

// verdict is what limits without room come to: the reason of the one that takes longest, and the names of all. Without
// any it passes.
func verdict(refused []refusal) policy.Verdict {
	if len(refused) == 0 {
		return policy.Pass
	}
	worst, details := &refused[0], make([]string, len(refused))
	for i := range refused {
		details[i] = refused[i].String()
		if refused[i].wait > worst.wait {
			worst = &refused[i]
		}
	}
	wait := time.Duration(worst.wait)
	if worst.wait == math.MaxInt64 {
		wait = 0
	}
	return policy.RefuseUntil(reasonOf(worst.kind), worst.at, strings.Join(details, "; "), wait)
}
