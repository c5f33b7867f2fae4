package audit

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Kind says what a record is about.
type Kind string

// Kinds of records.
const (
	KindIntent  Kind = "intent"  // a call that is allowed and about to be sent
	KindOutcome Kind = "outcome" // what came of it
	KindRefusal Kind = "refusal" // a call that is not sent
	KindCounted Kind = "counted" // refusals that are on record by their number only
	KindEvent   Kind = "event"   // a change of configuration, credentials or the journal itself
)

// Values of Record.Decision.
const (
	DecisionAllow = "allow"
	DecisionDeny  = "deny"
)

// StatusUnknown is the status of a call whose end a crash has hidden: it may have been sent, and may have acted.
const StatusUnknown = "unknown"

// Record is one entry of the journal. Which fields are set depends on the kind; absent ones are zero and left out of
// the JSON. Text that an agent has a hand in is cut to a bound, and characters that cannot be seen are spelt out.
type Record struct {
	Seq  uint64    `json:"seq"`  // from 0, without gaps
	Time time.Time `json:"time"` // when the record was written; wall clock, UTC
	Kind Kind      `json:"kind"`
	Ref  string    `json:"ref,omitempty"` // of the call
	// First is the Ref of the call that began it, of a later round of one call (MCP 2026-07-28, multi round-trip requests).
	First string `json:"first,omitempty"`

	Agent      string `json:"agent,omitempty"`
	Key        string `json:"key,omitempty"` // id of the credential
	Connection string `json:"connection,omitempty"`
	Upstream   string `json:"upstream,omitempty"`
	Revision   string `json:"revision,omitempty"` // of the configuration

	Method    string `json:"method,omitempty"`
	Target    string `json:"target,omitempty"` // tool, prompt or URI
	Task      string `json:"task,omitempty"`
	Direction string `json:"direction,omitempty"`

	Decision string    `json:"decision,omitempty"`
	Reason   string    `json:"reason,omitempty"` // code
	Gate     string    `json:"gate,omitempty"`
	Detail   string    `json:"detail,omitempty"`
	Rule     string    `json:"rule,omitempty"` // place in the configuration
	Findings []Finding `json:"findings,omitempty"`
	Count    int64     `json:"count,omitempty"` // of refusals, for KindCounted

	Score       *int64 `json:"score,omitempty"`        // of the agent's trust when it was judged
	ScoreParams string `json:"score_params,omitempty"` // version of the parameters that it is made by
	Reserved    string `json:"reserved,omitempty"`     // that the call may cost at most, as 0.25 USD
	Charged     string `json:"charged,omitempty"`      // that it did cost

	Transport string `json:"transport,omitempty"`
	Protocol  string `json:"protocol,omitempty"`
	Client    string `json:"client,omitempty"`
	Remote    string `json:"remote,omitempty"`
	Session   string `json:"session,omitempty"`

	Args          string `json:"args,omitempty"`   // commitment
	Result        string `json:"result,omitempty"` // commitment
	BytesIn       int64  `json:"bytes_in,omitempty"`
	BytesOut      int64  `json:"bytes_out,omitempty"`
	Status        string `json:"status,omitempty"`
	TookUS        int64  `json:"took_us,omitempty"`
	Code          int64  `json:"code,omitempty"` // of the upstream's JSON-RPC error
	Notifications int64  `json:"notifications,omitempty"`

	Event  string            `json:"event,omitempty"` // what happened, for KindEvent
	Fields map[string]string `json:"fields,omitempty"`
}

// Finding is a refusal that mode observe did not act on.
type Finding struct {
	Detail string `json:"detail,omitempty"`
	Gate   string `json:"gate,omitempty"`
	Reason string `json:"reason,omitempty"`
	Rule   string `json:"rule,omitempty"`
}

// MarshalJSON returns the record as it stands in the journal, byte for byte.
func (r Record) MarshalJSON() ([]byte, error) {
	var e entry
	e.encode(&r)
	return e.appendTo(nil, r.Seq, newStamp(r.Time)), nil
}

func readRecord(b []byte) (r Record, err error) {
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("reading a record: %w", err)
	}
	return r, nil
}

// encode makes the entry hold a record. Its sequence number and time come when it is written. The members stand in the
// order of RFC 8785, which for these names is that of ASCII.
func (e *entry) encode(r *Record) {
	o := object{buf: append(e.rec[:0], '{')}
	o.text("agent", r.Agent)
	o.text("args", r.Args)
	o.number("bytes_in", r.BytesIn)
	o.number("bytes_out", r.BytesOut)
	o.text("charged", r.Charged)
	o.text("client", r.Client)
	o.number("code", r.Code)
	o.text("connection", r.Connection)
	o.number("count", r.Count)
	o.text("decision", r.Decision)
	o.text("detail", r.Detail)
	o.text("direction", r.Direction)
	o.text("event", r.Event)
	o.fields("fields", r.Fields)
	o.findings("findings", r.Findings)
	o.text("first", r.First)
	o.text("gate", r.Gate)
	o.text("key", r.Key)
	o.text("kind", string(r.Kind))
	o.text("method", r.Method)
	o.number("notifications", r.Notifications)
	o.text("protocol", r.Protocol)
	o.text("reason", r.Reason)
	o.text("ref", r.Ref)
	o.text("remote", r.Remote)
	o.text("reserved", r.Reserved)
	o.text("result", r.Result)
	o.text("revision", r.Revision)
	o.text("rule", r.Rule)
	if r.Score != nil {
		o.name("score")
		o.buf = strconv.AppendInt(o.buf, *r.Score, 10)
	}
	o.text("score_params", r.ScoreParams)
	o.name("seq")
	e.seqAt = len(o.buf)
	o.text("session", r.Session)
	o.text("status", r.Status)
	o.text("target", r.Target)
	o.text("task", r.Task)
	o.name("time")
	e.timeAt = len(o.buf)
	o.number("took_us", r.TookUS)
	o.text("transport", r.Transport)
	o.text("upstream", r.Upstream)
	e.rec = append(o.buf, '}')
}
