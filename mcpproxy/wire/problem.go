package wire

// Problem is one reason to refuse a message. Each refusal has exactly one.
type Problem struct {
	Name string // stable, upper case; part of the audit record
	Code int    // JSON-RPC error code, JSON-RPC 2.0 section 5.1
	Text string // a sentence without content of the message
}

// JSON-RPC 2.0 section 5.1.
const (
	codeParse   = -32700
	codeInvalid = -32600
	codeParams  = -32602
)

// The problems, in the order of the scan: grammar, bounds, ambiguity, envelope.
var (
	NotJSON      = &Problem{"NOT_JSON", codeParse, "the message is not JSON (RFC 8259)"}
	NotUTF8      = &Problem{"NOT_UTF8", codeParse, "the message is not valid UTF-8"}
	TrailingData = &Problem{"TRAILING_DATA", codeParse, "there is data after the message"}

	TooLarge    = &Problem{"FRAME_TOO_LARGE", codeInvalid, "the message is larger than the limit"}
	TooDeep     = &Problem{"FRAME_TOO_DEEP", codeInvalid, "the message is nested deeper than the limit"}
	TooManyKeys = &Problem{"FRAME_TOO_MANY_KEYS", codeInvalid, "the message has more object members than the limit"}
	LongNumber  = &Problem{"NUMBER_TOO_LONG", codeInvalid, "a number has more digits than the limit"}

	DuplicateKey = &Problem{"DUPLICATE_KEY", codeInvalid, "an object has two members of the same name"}
	CaseVariant  = &Problem{"CASE_VARIANT", codeInvalid, "a member name differs from one of the protocol only in case or in invisible characters"}

	NotObject     = &Problem{"NOT_AN_OBJECT", codeInvalid, "the message is not a JSON object"}
	Batch         = &Problem{"BATCH", codeInvalid, "this protocol revision has no batches"}
	UnknownMember = &Problem{"UNKNOWN_MEMBER", codeInvalid, "the envelope has a member that JSON-RPC does not define"}
	BadVersion    = &Problem{"BAD_JSONRPC_VERSION", codeInvalid, `"jsonrpc" is not "2.0"`}
	BadID         = &Problem{"BAD_ID", codeInvalid, "the id is neither a string nor an integer, or is too long"}
	BadMethod     = &Problem{"BAD_METHOD", codeInvalid, "the method is not a string of legal length"}
	BadParams     = &Problem{"BAD_PARAMS", codeParams, "params is not an object"}
	BadResult     = &Problem{"BAD_RESULT", codeInvalid, "the result is not an object"}
	BadError      = &Problem{"BAD_ERROR", codeInvalid, "the error is not an object with an integer code and a message"}
	BadEnvelope   = &Problem{"BAD_ENVELOPE", codeInvalid, "the message is not exactly one of request, notification, result and error"}
)

// Problems lists every reason for which [Parse] refuses a message.
func Problems() []*Problem {
	return []*Problem{
		NotJSON, NotUTF8, TrailingData, TooLarge, TooDeep, TooManyKeys, LongNumber, DuplicateKey, CaseVariant,
		NotObject, Batch, UnknownMember, BadVersion, BadID, BadMethod, BadParams, BadResult, BadError, BadEnvelope,
	}
}
