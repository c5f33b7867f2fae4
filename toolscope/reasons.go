package toolscope

import "github.com/hopgate/hopgate/policy"

// Answers of this gate.
var (
	answerMethod = &policy.Answer{
		Code: "METHOD_NOT_FOUND", Retry: policy.RetryNever, Form: policy.FormProtocol, RPC: -32601, HTTP: 404,
		Text: "Method not found",
	}
	answerParams = &policy.Answer{
		Code: "INVALID_PARAMS", Retry: policy.RetryChanged, Form: policy.FormProtocol, RPC: -32602, HTTP: 200,
		Text: "Invalid params",
	}
	answerArgument = &policy.Answer{
		Code: "ARGUMENT_NOT_ALLOWED", Retry: policy.RetryChanged, Form: policy.FormResult, RPC: 403, HTTP: 200,
		Text: "Not done: some argument values are outside what this agent may do here. Call again with other values, or ask the user.",
	}
)

// Answers about definitions that are pinned.
var (
	answerChanged = &policy.Answer{
		Code: "TOOL_CHANGED", Retry: policy.RetryUnknown, Form: policy.FormResult, RPC: 403, HTTP: 200,
		Text: "Not done: what this was described as has changed, and somebody has to look at it first. Do not use it for now; use another approach or ask the user.",
	}
	answerUnseen = &policy.Answer{
		Code: "NOT_LISTED", Retry: policy.RetryAfter, Form: policy.FormResult, RPC: 403, HTTP: 200,
		Text: "Not done: this has not been listed here yet. Ask for the list first, and then send the same call once more.",
	}
	answerInputs = &policy.Answer{
		Code: "ARGUMENTS_INVALID", Retry: policy.RetryChanged, Form: policy.FormResult, RPC: -32602, HTTP: 200,
		Text: "Not done: the arguments do not satisfy the tool's input schema. Correct them and call again.",
	}
)

// Reasons of this gate. Mode observe lets none pass that says of a message that it is not what the protocol allows.
var (
	reasonMethod = &policy.Reason{
		Code: "METHOD_NOT_GRANTED", Answer: answerMethod,
		Hint: "the connection's `methods` leave it out, or it grants nothing that the method is for",
	}
	reasonUndefined = &policy.Reason{
		Code: "METHOD_NOT_ALLOWED", Answer: answerMethod, Always: true,
		Hint: "the protocol does not define the method for this sender, or not in this form; `methods` can grant names that it does not know",
	}
	reasonName = &policy.Reason{
		Code: "INVALID_NAME", Answer: answerParams, Always: true,
		Hint: "params.name is no string, is longer than `limits.name`, or holds control characters",
	}
	reasonURI = &policy.Reason{
		Code: "INVALID_URI", Answer: answerParams, Severity: policy.Low, Always: true,
		Hint: "the URI is not absolute, or two readers could take it for different resources: dot segments, broken escapes, user names",
	}
	reasonParams = &policy.Reason{
		Code: "INVALID_PARAMS", Answer: answerParams, Always: true,
		Hint: "the parameters are not of the form that the protocol gives this method",
	}
	reasonTool = &policy.Reason{
		Code: "TOOL_NOT_ALLOWED", Answer: policy.AnswerUnknown, Severity: policy.Medium,
		Hint: "no entry of the connection's `tools` grants this tool, or their `when` can never hold for it",
	}
	reasonDenied = &policy.Reason{
		Code: "TOOL_DENIED", Answer: policy.AnswerUnknown, Severity: policy.Medium,
		Hint: "the connection's `deny` names this tool",
	}
	reasonTask = &policy.Reason{
		Code: "TASK_NOT_ALLOWED", Answer: policy.AnswerUnknown, Severity: policy.Medium,
		Hint: "the connection's `tasks` do not name the type of this tool; see the `tasks` of the upstream",
	}
	reasonTwice = &policy.Reason{
		Code: "TOOL_AMBIGUOUS", Answer: policy.AnswerUnknown, Always: true,
		Hint: "the upstream lists two tools of this name, or has listed another whose name looks the same, so nobody can tell which one is meant; " +
			"if it has only renamed the tool, start Hopgate anew",
	}
	reasonMismatch = &policy.Reason{
		Code: "CONDITION_MISMATCH", Answer: policy.AnswerUnknown, Always: true,
		Hint: "the condition does not fit the tool's input schema, so the tool is withheld; correct the `when`",
	}
	reasonArgument = &policy.Reason{
		Code: "ARGUMENT_NOT_ALLOWED", Answer: answerArgument, Severity: policy.Low,
		Hint: "the condition in `when` does not hold for this call",
	}
	// A condition that fails has the same answer as one that does not hold. Evaluation depends on nothing but the call,
	// so the same call would fail again, and to say "try again later" would be wrong.
	reasonCondition = &policy.Reason{
		Code: "CONDITION_FAILED", Answer: answerArgument, Severity: policy.Low,
		Hint: "the condition in `when` could not be evaluated on these arguments; guard optional ones with has(args.x)",
	}
	reasonPrompt = &policy.Reason{
		Code: "PROMPT_NOT_ALLOWED", Answer: policy.AnswerUnknown, Severity: policy.Medium,
		Hint: "the connection's `prompts` do not name this prompt",
	}
	reasonResource = &policy.Reason{
		Code: "RESOURCE_NOT_ALLOWED", Answer: policy.AnswerUnknown, Severity: policy.Medium,
		Hint: "no pattern of the connection's `resources` matches this URI, both as written and in normal form",
	}
	reasonChanged = &policy.Reason{
		Code: "DEFINITION_CHANGED", Answer: answerChanged,
		Hint: "the upstream has shown another definition than the one that is pinned; look at `hopgate upstreams diff` and decide with `hopgate upstreams accept`",
	}
	reasonNew = &policy.Reason{
		Code: "DEFINITION_NEW", Answer: policy.AnswerUnknown,
		Hint: "the definition came later than the first list of a pinned upstream; `hopgate upstreams diff` shows it, `hopgate upstreams accept` lets it in",
	}
	reasonShadow = &policy.Reason{
		Code: "DEFINITION_SHADOWS", Answer: policy.AnswerUnknown,
		Hint: "the name looks like that of another upstream's tool that an agent can reach too; `hopgate upstreams accept` lets it in",
	}
	reasonUnseen = &policy.Reason{
		Code: "DEFINITION_UNSEEN", Answer: answerUnseen,
		Hint: "the upstream is pinned, and no list has shown this definition yet, or only one beyond the bounds of what is kept",
	}
	reasonOmitted = &policy.Reason{
		Code: "DEFINITION_BLOCKED", Answer: policy.AnswerUnknown,
		Hint: "a guardrail has left the definition out of the agent's last list, for what it says; the record of that list names the finding",
	}
	reasonInputSchema = &policy.Reason{
		Code: "INPUT_SCHEMA_UNUSABLE", Answer: policy.AnswerUnknown,
		Hint: "the pinned input schema does not compile, is too large, or refers to schemas outside of it, so no arguments can be held against it",
	}
	reasonInputs = &policy.Reason{
		Code: "ARGUMENTS_INVALID", Answer: answerInputs,
		Hint: "the arguments do not satisfy the input schema that is pinned",
	}
	reasonSampling = &policy.Reason{
		Code: "SAMPLING_NOT_ALLOWED", Answer: policy.AnswerNotPermitted,
		Hint: "the upstream asks the agent's model; `sampling: allow` on the connection permits it",
	}
	reasonElicitation = &policy.Reason{
		Code: "ELICITATION_NOT_ALLOWED", Answer: policy.AnswerNotPermitted,
		Hint: "the upstream asks the agent's user; `elicitation: allow` on the connection permits it",
	}
	reasonRoots = &policy.Reason{
		Code: "ROOTS_NOT_ALLOWED", Answer: policy.AnswerNotPermitted,
		Hint: "root folders would go to the upstream; `roots: allow` on the connection permits it",
	}
	reasonModel = &policy.Reason{
		Code: "MODEL_NOT_ALLOWED", Answer: answerArgument, Severity: policy.Low,
		Hint: "the connection's `models` do not name the model: in an argument of `model_arguments`, in what the upstream prefers, or in the answer that it got",
	}
	reasonSamplingTool = &policy.Reason{
		Code: "SAMPLING_TOOL_NOT_ALLOWED", Answer: policy.AnswerNotPermitted,
		Hint: "the upstream offers the agent's model a tool that the connection does not grant",
	}
	reasonSecret = &policy.Reason{
		Code: "ELICITATION_ASKS_SECRET", Answer: policy.AnswerNotPermitted,
		Hint: "the upstream asks the user for a secret in a form, which the protocol forbids; `elicitation: {fields: [NAME]}` lets a field pass whose name only looks so",
	}
	reasonURLMode = &policy.Reason{
		Code: "ELICITATION_URL_NOT_ALLOWED", Answer: policy.AnswerNotPermitted,
		Hint: "the upstream sends the user to an address that is not https at a host of `elicitation: {urls: [HOST]}`",
	}
	reasonInput = &policy.Reason{
		Code: "INPUT_REQUEST_INVALID", Answer: policy.AnswerNotPermitted, Always: true,
		Hint: "a result asks the agent for input by a method that the protocol does not allow there",
	}
	reasonResult = &policy.Reason{
		Code: "LIST_MALFORMED", Answer: policy.AnswerUnavailable, Always: true,
		Hint: "the upstream's list is not an array, so nothing could be cut from it",
	}
)

var reasons = []*policy.Reason{
	reasonMethod, reasonUndefined, reasonName, reasonURI, reasonParams, reasonTool, reasonDenied, reasonTask, reasonTwice, reasonMismatch,
	reasonArgument, reasonCondition, reasonPrompt, reasonResource, reasonSampling, reasonElicitation, reasonRoots,
	reasonModel, reasonSamplingTool, reasonSecret, reasonURLMode, reasonInput, reasonResult,
	reasonChanged, reasonNew, reasonShadow, reasonUnseen, reasonOmitted, reasonInputSchema, reasonInputs,
}
