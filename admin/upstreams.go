package admin

import (
	"context"
	"time"
)

// Upstreams tells what agents may call, how it does, and which of its definitions are withheld. A name that the
// configuration does not declare is ErrNotFound.
type Upstreams interface {
	// Upstreams returns all that are declared, in the order of the configuration.
	Upstreams(ctx context.Context) ([]Upstream, error)
	// Tools returns the tools of an upstream, as far as they are known.
	Tools(ctx context.Context, upstream string) ([]Tool, error)
	// Definitions returns what is pinned of an upstream, and what waits.
	Definitions(ctx context.Context, upstream string) ([]Definition, error)
	// Accept pins definitions, all or none. One that has changed since it was looked at is ErrInvalid.
	Accept(ctx context.Context, upstream string, all []Acceptance, o Order) error
}

// Upstream is a server that agents may call.
type Upstream struct {
	Name     string    `json:"name"`
	Kind     string    `json:"kind"`               // stdio or http
	Address  string    `json:"address"`            // program or host, without arguments, path and credentials
	Pin      string    `json:"pin"`                // off, tools or all
	Pinned   int       `json:"pinned"`             // definitions that are relied on
	Withheld int       `json:"withheld"`           // definitions that wait for somebody
	Agents   []string  `json:"agents,omitempty"`   // that may reach it
	Counted  bool      `json:"counted"`            // false where nobody is served: then nothing is known of its answers
	Answered time.Time `json:"answered,omitzero"`  // when it last answered
	Failed   time.Time `json:"failed,omitzero"`    // when it last did not
	Reason   string    `json:"reason,omitempty"`   // why, as the code of a reason
	Cause    string    `json:"cause,omitempty"`    // what that came from, in a few words
	Breaker  *Breaker  `json:"breaker,omitempty"`  // nil where calls are not refused for its failures
	Token    *Token    `json:"token,omitempty"`    // nil where the upstream wants none
	Protocol string    `json:"protocol,omitempty"` // revision that was last spoken with it
}

// Breaker says that calls to an upstream are refused because it fails.
type Breaker struct {
	Failures int       `json:"failures"` // calls in a row
	Since    time.Time `json:"since"`
	Next     time.Time `json:"next"` // when a call may try
}

// Tool is a tool of an upstream.
type Tool struct {
	Name   string            `json:"name"`
	Task   string            `json:"task"`
	Pin    string            `json:"pin,omitempty"`    // condition of its definition; empty where tools are not pinned
	Agents []string          `json:"agents,omitempty"` // that may call it, unless its arguments or their limits stand against it
	Denied map[string]string `json:"denied,omitempty"` // agents that may not, and the reason
}

// Definition is what is kept of a definition.
type Definition struct {
	ID        string    `json:"id"`        // NAME of a tool, or KIND:NAME
	Condition string    `json:"condition"` // pinned, or why it is withheld
	Gone      bool      `json:"gone,omitempty"`
	Shadows   string    `json:"shadows,omitempty"` // UPSTREAM/TOOL that its name looks like
	Since     time.Time `json:"since,omitzero"`
	Changed   time.Time `json:"changed,omitzero"`
	Times     uint64    `json:"times,omitempty"` // that it has changed since somebody agreed
	By        string    `json:"by,omitempty"`    // agent that was shown what waits
	Pinned    string    `json:"pinned,omitempty"`
	Seen      string    `json:"seen,omitempty"`   // the definition that waits, where it is another one
	Digest    string    `json:"digest,omitempty"` // of what is pinned
	Waiting   string    `json:"waiting,omitempty"`
}

// Acceptance agrees to a definition.
type Acceptance struct {
	ID     string `json:"id"`
	Digest string `json:"digest"` // of the definition that was looked at: the one that waits, or the pinned one, to keep that
}
