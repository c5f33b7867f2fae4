package admin

import (
	"context"
	"encoding/json"
	"time"
)

// Health tells how connections and upstreams do, and how much of their limits is used.
type Health interface {
	Upstreams
	Logins
	// Connections returns how the connections in force do, in the order of the configuration.
	Connections(ctx context.Context) ([]Connection, error)
	// Limits returns all limits in force, each once.
	Limits(ctx context.Context) ([]Limit, error)
	// Explain judges a call that nobody makes. Nothing is sent and nothing is used up.
	Explain(ctx context.Context, q Question) (Explanation, error)
}

// Scores shows and changes how far agents and upstreams are trusted. A party without a record is ErrNotFound. What is
// changed is on record, with who ordered it and why, before the call returns.
type Scores interface {
	// Scores returns all parties, agents first.
	Scores(ctx context.Context) ([]Standing, error)
	// Score returns one party, how its score came about, and what would raise it.
	Score(ctx context.Context, p Party) (Score, error)
	// Adjust brings a score to a value. It ends no quarantine.
	Adjust(ctx context.Context, p Party, a Adjustment, o Order) (Adjusted, error)
	// Quarantine refuses everything of an agent, or to an upstream, until Release.
	Quarantine(ctx context.Context, p Party, o Order) error
	// Release ends a quarantine.
	Release(ctx context.Context, p Party, o Order) error
}

// Connection is how a connection does. Entries that were made from one pattern share the name.
type Connection struct {
	Name     string    `json:"name"`
	Agent    string    `json:"agent"`
	Upstream string    `json:"upstream"`
	State    string    `json:"state"`             // open, or why calls are refused whatever they say
	Failing  *Failing  `json:"failing,omitempty"` // nil where the upstream answered when it was last asked
	Observe  bool      `json:"observe,omitempty"` // refusals are recorded and not acted on
	Counted  bool      `json:"counted"`           // false where nobody is served: then there are no statistics
	Last     time.Time `json:"last,omitzero"`     // when its last message came
	Hour     Window    `json:"hour"`              // the last 60 minutes
	Total    Window    `json:"total"`             // since the process began
	Score    int       `json:"score"`             // of the agent
	Needs    []Need    `json:"needs,omitempty"`   // scores that it needs here, the highest first
	Limits   []Limit   `json:"limits,omitempty"`  // all that calls on it fall under
}

// Window is what happened on a connection in a span of time.
type Window struct {
	Calls      uint64            `json:"calls"`       // requests that were sent
	Errors     uint64            `json:"errors"`      // of them: no usable answer in time, or a JSON-RPC error
	ToolErrors uint64            `json:"tool_errors"` // of them: a tool said that it failed
	Denied     uint64            `json:"denied"`      // messages that were refused
	Reasons    map[string]uint64 `json:"reasons,omitempty"`
	Observed   uint64            `json:"observed"` // messages that passed because the connection only observes
	P50        time.Duration     `json:"p50"`      // nanoseconds from a call's arrival to the end of its answer
	P95        time.Duration     `json:"p95"`
}

// Need is a score that a connection, or a part of it, needs.
type Need struct {
	Connection string `json:"connection,omitempty"`
	Part       string `json:"part,omitempty"` // tool PATTERN or task PATTERN; empty for the whole connection
	Min        int    `json:"min"`
	From       int    `json:"from"`           // score that lets the agent in: Min, or more after having been below
	Held       bool   `json:"held,omitempty"` // the agent is kept out now
	Rule       string `json:"rule,omitempty"` // where that stands
}

// Limit is how much of a limit is used.
type Limit struct {
	Place    string    `json:"place"` // whose it is: "team research"
	Text     string    `json:"limit"` // as it is written: "50 USD/month"
	Kind     string    `json:"kind"`
	Used     int64     `json:"used"`     // settled
	Reserved int64     `json:"reserved"` // held for calls under way
	Left     int64     `json:"left"`
	Max      int64     `json:"max"`
	Unit     string    `json:"unit"`            // messages, calls, bytes, or a currency, of which the numbers are billionths
	Resets   time.Time `json:"resets,omitzero"` // when the window ends, or the bucket is full
	Rule     string    `json:"rule,omitempty"`
}

// Question is a call that nobody makes.
type Question struct {
	Agent    string          `json:"agent"`
	Upstream string          `json:"upstream"`
	Method   string          `json:"method,omitempty"` // empty: tools/call
	Target   string          `json:"target,omitempty"`
	Args     json.RawMessage `json:"args,omitempty"` // object
	Time     time.Time       `json:"time"`
	Score    *int            `json:"score,omitempty"`  // that the agent is taken to have; nil: the one it has
	Colour   bool            `json:"colour,omitempty"` // the text of the answer is for a terminal
}

// Explanation is what would become of a call.
type Explanation struct {
	Allowed  bool    `json:"allowed"`
	Reason   string  `json:"reason,omitempty"`
	Revision string  `json:"revision"` // of the configuration that was asked
	Steps    []Step  `json:"steps"`
	Limits   []Limit `json:"limits,omitempty"` // that the call falls under
	Text     string  `json:"text,omitempty"`   // all of it, for people
}

// Step is one check that the call has passed or failed.
type Step struct {
	Gate   string `json:"gate"`
	Check  string `json:"check"`
	Passed bool   `json:"passed"`
	Detail string `json:"detail,omitempty"`
	Rule   string `json:"rule,omitempty"`
}

// Party is who has a score: an agent, or an upstream.
type Party struct {
	Name     string `json:"name"`
	Upstream bool   `json:"upstream,omitempty"`
}

// String writes a party as agent NAME or upstream NAME.
func (p Party) String() string {
	if p.Upstream {
		return "upstream " + p.Name
	}
	return "agent " + p.Name
}

// Standing is how far a party is trusted now.
type Standing struct {
	Party
	Score     int    `json:"score"`
	Condition string `json:"condition"`       // sound, or why the score does not count
	Needs     []Need `json:"needs,omitempty"` // of the connections of an agent
}

// Score is how a score came about.
type Score struct {
	Standing
	Details json.RawMessage `json:"details"`        // the parts of the score, its causes, and what would raise it
	Text    string          `json:"text,omitempty"` // the same for people
}

// Adjustment is a score to reach: To, or where that is nil By more than now.
type Adjustment struct {
	To *int `json:"to,omitempty"`
	By int  `json:"points,omitempty"`
}

// Adjusted is a score before and after an adjustment.
type Adjusted struct {
	Before int `json:"before"`
	After  int `json:"after"`
}

// Order says who changes something, and why. Both are words of operators: the socket lets nobody else in.
type Order struct {
	By     string `json:"by"`
	Reason string `json:"reason"`
}
