package relay

import (
	"strconv"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// Reasons for which a relay answers requests itself. They are on no record: whoever keeps the records is what is missing.
var (
	ReasonLost = &policy.Reason{
		Code: "OWNER_LOST", Answer: &policy.Answer{
			Code: "OWNER_LOST", Retry: policy.RetryUnknown, Form: policy.FormError, RPC: 503, HTTP: 503,
			Text: "No answer came: the proxy was restarted. The action may have happened: check before you repeat the call.",
		}, Hint: "the process that owns the state ended while the request was under way; its log is daemon.log in the state directory",
	}
	ReasonNoOwner = &policy.Reason{
		Code: "NO_OWNER", Answer: &policy.Answer{
			Code: "NO_OWNER", Retry: policy.RetryAfter, Form: policy.FormError, RPC: 503, HTTP: 503,
			Text: "Not done: the proxy cannot be reached just now. Send the same call once more in a minute; if that fails too, tell the user.",
		}, Hint: "no process that owns the state was found or could be started within 5 s; hopgate stdio says why on stderr",
	}
)

// Reasons returns the reasons that a relay gives.
func Reasons() []*policy.Reason { return []*policy.Reason{ReasonLost, ReasonNoOwner} }

// appendRefusal appends the line that answers a request. There is no ref, because there is no record.
func appendRefusal(dst []byte, r *policy.Reason, id []byte) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	if id == nil {
		id = []byte("null") // JSON-RPC 2.0 section 5
	}
	dst = append(append(dst, id...), `,"error":{"code":`...)
	dst = append(strconv.AppendInt(dst, int64(r.Answer.RPC), 10), `,"message":`...)
	dst = wire.AppendQuote(dst, r.Answer.Text+" ("+r.Answer.Code+")")
	dst = append(append(dst, `,"data":{"hopgate/denial":{"code":"`...), r.Answer.Code...)
	dst = append(append(dst, `","retry":"`...), r.Answer.Retry...)
	return append(dst, "\"}}}}\n"...)
}
