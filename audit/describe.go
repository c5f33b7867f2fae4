package audit

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/hopgate/hopgate/policy"
)

// Bounds of text in records, in bytes.
const (
	maxText          = 1024
	maxDetail        = 512
	maxName          = 128
	maxRefusedTarget = 128
	maxFindings      = 16
	maxFields        = 32
)

// decision describes a call and what was decided.
func (j *Journal) decision(c *policy.Call, o *policy.Outcome) Record {
	r := Record{
		Ref:       c.Ref.String(),
		Key:       c.Origin.Key,
		Upstream:  visible(j.veil(c.Upstream), maxName),
		Method:    visible(j.veil(c.Method), maxName),
		Target:    visible(j.veil(c.Target), maxText),
		Task:      c.Task,
		Direction: c.Direction.String(),
		Transport: c.Origin.Transport,
		Protocol:  visible(c.Origin.Protocol, maxName),
		Client:    visible(j.veil(c.Origin.Client), maxName),
		Remote:    visible(c.Origin.Remote, maxName),
		Session:   c.Origin.Session,
	}
	if c.First != 0 {
		r.First = c.First.String()
	}
	if c.Agent != nil {
		r.Agent = c.Agent.Name
	}
	if c.Connection != nil {
		r.Connection, r.Revision = c.Connection.Name, c.Connection.Revision
	}
	if c.Frame != nil {
		r.BytesIn = int64(len(c.Frame.Raw))
	}
	r.decide(o)
	if o.Facts.Scored {
		score := int64(o.Facts.Score)
		r.Score, r.ScoreParams = &score, o.Facts.ScoreParams
	}
	if o.Facts.Currency != "" && o.Allowed {
		r.Reserved = amount(o.Facts.Reserved, o.Facts.Currency)
	}
	return r
}

// amount writes billionths of a currency, which are not negative, in decimals without zeros at the end.
func amount(nanos int64, currency string) string {
	var buf [48]byte
	whole, part := nanos/1e9, nanos%1e9
	b := strconv.AppendInt(buf[:0], whole, 10)
	if part != 0 {
		start := len(b)
		b = strconv.AppendInt(b, 1e9+part, 10) // the 1 keeps the zeros, and becomes the point
		b[start] = '.'
		b = bytes.TrimRight(b, "0")
	}
	b = append(append(b, ' '), currency...)
	return string(b)
}

// outcome describes how a call has ended, and what was decided about its result.
func outcome(c *policy.Call, o *policy.Outcome, rep *policy.Report) Record {
	r := Record{
		Kind: KindOutcome, Decision: DecisionAllow, Ref: c.Ref.String(), Upstream: visible(c.Upstream, maxName),
		Status: string(rep.Status), TookUS: rep.Took.Microseconds(), Code: int64(rep.Code),
		Notifications: int64(rep.Notifications),
	}
	if !o.Allowed {
		r.Decision = DecisionDeny
	}
	if c.Agent != nil {
		r.Agent = c.Agent.Name
	}
	if c.Connection != nil {
		r.Connection = c.Connection.Name
	}
	if o.Facts.Currency != "" {
		r.Charged = amount(o.Facts.Charged, o.Facts.Currency)
	}
	if rep.Result != nil {
		r.BytesOut = int64(len(rep.Result.Raw))
	}
	r.decide(o)
	return r
}

// decide takes over what was decided and where. A fault stays in the log.
func (r *Record) decide(o *policy.Outcome) {
	r.Gate, r.Detail, r.Rule = o.Gate, visible(o.Detail, maxDetail), o.At.String()
	if o.Reason != nil {
		r.Reason = o.Reason.Code
	}
	for _, f := range o.Findings[:min(len(o.Findings), maxFindings)] {
		found := Finding{Gate: f.Gate, Detail: visible(f.Detail, maxDetail), Rule: f.At.String()}
		if f.Reason != nil {
			found.Reason = f.Reason.Code
		}
		r.Findings = append(r.Findings, found)
	}
}

// event describes something that happened besides calls.
func event(name string, fields map[string]string) (Record, error) {
	r := Record{Kind: KindEvent, Event: name}
	if name == "" || len(fields) > maxFields {
		return r, errors.New("an event has no name or too many fields")
	}
	rest := map[string]string{}
	for k, v := range fields {
		if !plainName(k) {
			return r, errors.New("a field's name is not of ASCII letters, digits and underscores")
		}
		switch v = visible(v, maxText); k {
		case "agent":
			r.Agent = v
		case "key":
			r.Key = v
		case "connection":
			r.Connection = v
		case "upstream":
			r.Upstream = v
		case "ref":
			r.Ref = v
		case "revision":
			r.Revision = v
		case "detail":
			r.Detail = v
		default:
			rest[k] = v
		}
	}
	r.Fields = rest
	return r, nil
}

func plainName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}
