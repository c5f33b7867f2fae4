// Package admin is the door for people: what operators may ask and order, as an HTTP API on a Unix socket of the owner alone,
// and the client of it.
//
// The package knows neither agents nor journal. Whoever has them implements [API]; [Serve] puts that behind the socket, and
// a [Client] is the same API on the other side. Nothing an agent sends ever gets here.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"
)

// API is what operators may ask and order. Implementations are safe for concurrent use.
type API interface {
	Agents
	Records
	Process
	State
	Health
	Decisions
}

// Decisions are what people decide about.
type Decisions interface {
	Scores
	Results
}

// Agents manages the credentials of agents. Names are those of the configuration; others are ErrNotFound.
type Agents interface {
	// Agents returns all declared agents with their credentials, and credentials of agents that are declared no more.
	Agents(ctx context.Context) ([]Agent, error)
	// AddKey makes a key for an agent that has auth: key. It expires after ttl, or never where ttl is 0.
	AddKey(ctx context.Context, agent string, ttl time.Duration) (NewKey, error)
	// Rotate makes a new key; the old ones work for overlap.
	Rotate(ctx context.Context, agent string, overlap time.Duration) (NewKey, error)
	// Revoke ends one key, or all of an agent where key is empty, and returns how many it has ended.
	Revoke(ctx context.Context, agent, key string) (int, error)
	// Untaint lets an agent act again that was told injected instructions. One that is not tainted is ErrNotFound.
	Untaint(ctx context.Context, agent string) error
}

// Records finds what is on record. Records are canonical JSON, as they stand in the journal.
type Records interface {
	// Search returns records that fit, newest first.
	Search(ctx context.Context, q Query) ([]json.RawMessage, error)
	// Show returns all records of a call, oldest first.
	Show(ctx context.Context, ref string) ([]json.RawMessage, error)
	// Tail yields the last n records, oldest first, and with follow set further ones until ctx ends.
	Tail(ctx context.Context, n int, follow bool) iter.Seq2[json.RawMessage, error]
}

// Process is the process that owns the state.
type Process interface {
	// Status says what is in force.
	Status(ctx context.Context) (Status, error)
	// Reload reads the configuration again. An error has the diagnostics; the old configuration stays in force then.
	Reload(ctx context.Context) error
}

// State is what operators order of the state between runs.
type State interface {
	// AcceptRollback lets the spend go on that a rollback of the state has closed, from the counters that the anchor knows.
	// The reason goes on record. Where there was no rollback, that is ErrInvalid.
	AcceptRollback(ctx context.Context, reason string) error
}

// Agent is an agent and its credentials.
type Agent struct {
	Name        string       `json:"name"`
	Auth        string       `json:"auth,omitempty"` // key or local; empty where the configuration does not declare the agent
	Connections []string     `json:"connections,omitempty"`
	Keys        []Credential `json:"keys,omitempty"`
}

// Credential is what is known of a key, without the key.
type Credential struct {
	ID      string    `json:"id"`
	State   string    `json:"state"` // active, expired or revoked
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	Revoked time.Time `json:"revoked,omitzero"`
	Used    time.Time `json:"last_used,omitzero"`
}

// NewKey is a key that was made just now. It is in no other place.
type NewKey struct {
	Key     string     `json:"key"`
	Details Credential `json:"credential"`
}

// Query asks for records. Fields that are set must all match.
type Query struct {
	Agent, Connection, Target, Reason, Decision, Ref string
	Since, Until                                     time.Time
	Limit                                            int // 0 for 100
}

// Status says what is in force.
type Status struct {
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	State    string    `json:"state"`    // directory
	Anchor   string    `json:"anchor"`   // file outside it
	Config   string    `json:"config"`   // path
	Revision string    `json:"revision"` // of the configuration in force
	Listen   string    `json:"listen,omitempty"`
	LastGood string    `json:"last_good,omitempty"` // why the file is not in force, where it is not
	Observe  []string  `json:"observe,omitempty"`   // connections that are only observed
	Journal  string    `json:"journal,omitempty"`   // why it lets no call through; empty where it does
	Rollback string    `json:"rollback,omitempty"`  // why the state is taken for an older one; empty where it is not

	Failing      []Failing     `json:"failing,omitempty"`  // upstreams, in the order of the file
	Withheld     []Withheld    `json:"withheld,omitempty"` // likewise
	Quarantined  []Party       `json:"quarantined,omitempty"`
	Tainted      []Taint       `json:"tainted,omitempty"`      // by agent
	Suppressions []Suppression `json:"suppressions,omitempty"` // in the order of the file
}

// Failing is an upstream that gave no usable answer when it was last asked for one.
type Failing struct {
	Upstream string    `json:"upstream"`
	At       time.Time `json:"at"`              // when that was
	Reason   string    `json:"reason"`          // the code of a reason
	Cause    string    `json:"cause,omitempty"` // what that came from, in a few words
}

// Withheld is how many definitions of an upstream that pins them wait for somebody.
type Withheld struct {
	Upstream    string `json:"upstream"`
	Definitions int    `json:"definitions"`
}

// Taint is why an agent may read and not act.
type Taint struct {
	Agent      string    `json:"agent"`
	Ref        string    `json:"ref"` // of the call that it is due to
	Connection string    `json:"connection"`
	Until      time.Time `json:"until"`
}

// Suppression is a finding that the configuration calls none.
type Suppression struct {
	At    string    `json:"at"` // place in the file
	Rule  string    `json:"rule"`
	Owner string    `json:"owner"`
	Until time.Time `json:"until"` // its last day
	Ended bool      `json:"ended,omitempty"`
	Used  int64     `json:"used"` // findings that it was for, since the configuration is in force
}

// Errors that callers tell apart. They keep their meaning across the socket.
var (
	ErrNotFound = errors.New("not found")
	ErrInvalid  = errors.New("invalid request")
)
