package admin

import (
	"context"
	"encoding/json"
	"time"
)

// Results are results of calls that wait until a person has decided. One that is not held is ErrNotFound.
type Results interface {
	// HeldResults returns all that wait, and those that are released and not fetched yet, the oldest first.
	HeldResults(ctx context.Context) ([]HeldResult, error)
	// ReadResult returns a held result, a JSON object. That it was read is on record.
	ReadResult(ctx context.Context, ref string, o Order) (json.RawMessage, error)
	// ReleaseResult lets the agent have a result when it sends the same call again. One that is released is ErrInvalid.
	ReleaseResult(ctx context.Context, ref string, o Order) error
	// DiscardResult throws a result away.
	DiscardResult(ctx context.Context, ref string, o Order) error
}

// HeldResult is what is known of a held result.
type HeldResult struct {
	Ref        string    `json:"ref"` // of the call
	Agent      string    `json:"agent"`
	Connection string    `json:"connection"`
	Method     string    `json:"method"`
	Target     string    `json:"target"`
	State      string    `json:"state"` // waiting or released
	Since      time.Time `json:"since"`
	Until      time.Time `json:"until"` // then it is gone
	Bytes      int       `json:"bytes"`
	Found      string    `json:"found"` // what it is held for, and where
	Rule       string    `json:"rule,omitempty"`
}
