package ingress

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// Refusal is a refused message, to be put in the shape that its transport, method and protocol era ask for.
type Refusal struct {
	Reason *policy.Reason
	Ref    policy.Ref
	ID     []byte        // raw id of the request; nil where it has none or none that can be read
	Method string        // of the request, empty where unknown
	Modern bool          // the request is of protocol 2026-07-28 or later
	Wait   time.Duration // above 0: when the same call may pass
	Tell   string        // a sentence behind the answer's text, or empty
	Data   []byte        // JSON to put into the error's data, or nil
}

// metaKey is where a denial stands in _meta and in an error's data. Clients show it to models, so it holds nothing that
// an agent may not know.
const metaKey = "hopgate/denial"

// Status is the HTTP status of the refusal.
func (r *Refusal) Status() int {
	a := r.Reason.Answer
	if a.RPC == codeMethodNotFound && !r.Modern {
		return http.StatusOK
	}
	return a.HTTP
}

// JSON-RPC error codes of the protocol.
const (
	codeMethodNotFound   = -32601
	codeResourceNotFound = -32002 // until 2025-11-25; then -32602
)

// Append appends the JSON-RPC message that tells of the refusal.
func (r *Refusal) Append(dst []byte) []byte {
	a := r.Reason.Answer
	dst = append(dst, `{"jsonrpc":"2.0",`...)
	switch {
	case r.ID != nil:
		dst = append(append(append(dst, `"id":`...), r.ID...), ',')
	case !r.Modern:
		dst = append(dst, `"id":null,`...) // JSON-RPC 2.0 section 5; the schema of 2026-07-28 leaves the member out
	}
	if a.Form == policy.FormResult && r.Method == "tools/call" && r.ID != nil {
		return r.appendResult(dst)
	}
	dst = append(dst, `"error":{"code":`...)
	code, text := r.error()
	dst = strconv.AppendInt(dst, int64(code), 10)
	dst = append(dst, `,"message":`...)
	dst = wire.AppendQuote(dst, text)
	dst = append(dst, `,"data":{`...)
	if len(r.Data) > 2 { // members of the object, without its braces
		dst = append(append(dst, r.Data[1:len(r.Data)-1]...), ',')
	}
	dst = r.appendDenial(dst)
	return append(dst, "}}}"...)
}

func (r *Refusal) appendResult(dst []byte) []byte {
	dst = append(dst, `"result":{`...)
	if r.Modern {
		dst = append(dst, `"resultType":"complete",`...)
	}
	dst = append(dst, `"content":[{"type":"text","text":`...)
	dst = wire.AppendQuote(dst, r.sentence())
	dst = append(dst, `}],"isError":true,"_meta":{`...)
	dst = r.appendDenial(dst)
	return append(dst, "}}}"...)
}

// error is the code and the text of a JSON-RPC error. What is said of a name that is not granted is what is said of a
// name that does not exist.
func (r *Refusal) error() (code int, text string) {
	a := r.Reason.Answer
	switch a.Form {
	case policy.FormUnknown:
		switch r.Method {
		case "tools/call":
			return a.RPC, "Unknown tool"
		case "prompts/get":
			return a.RPC, "Unknown prompt"
		case "resources/read", "resources/subscribe", "resources/unsubscribe":
			if !r.Modern {
				return codeResourceNotFound, "Resource not found"
			}
			return a.RPC, "Resource not found"
		}
		return a.RPC, a.Text
	case policy.FormProtocol:
		return a.RPC, a.Text
	default:
		return a.RPC, r.sentence()
	}
}

// sentence is the answer's text with the code and the ref that let people find the record.
func (r *Refusal) sentence() string {
	text := r.Reason.Answer.Text
	if r.Tell != "" {
		text += " " + r.Tell
	}
	if s := r.seconds(); s > 0 {
		text = fmt.Sprintf("%s Wait %d seconds.", text, s)
	}
	return fmt.Sprintf("%s (%s, ref %s)", text, r.Reason.Answer.Code, r.Ref)
}

func (r *Refusal) appendDenial(dst []byte) []byte {
	a := r.Reason.Answer
	dst = append(dst, `"`+metaKey+`":{"code":"`...)
	dst = append(dst, a.Code...)
	dst = append(dst, `","ref":"`...)
	dst = r.Ref.Append(dst)
	dst = append(dst, `","retry":"`...)
	dst = append(dst, a.Retry...)
	dst = append(dst, '"')
	if s := r.seconds(); s > 0 {
		dst = append(dst, `,"retryAfterMs":`...)
		dst = strconv.AppendInt(dst, s*1000, 10)
	}
	return append(dst, '}')
}

// seconds is the wait in whole seconds, rounded up.
func (r *Refusal) seconds() int64 { return int64(math.Ceil(r.Wait.Seconds())) }
