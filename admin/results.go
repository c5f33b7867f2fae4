package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
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

const resultsPath = "/v1/results"

func (h *handlers) results(mux *http.ServeMux) {
	mux.HandleFunc("GET "+resultsPath, func(w http.ResponseWriter, r *http.Request) {
		v, err := h.api.HeldResults(r.Context())
		h.answer(w, v, err)
	})
	mux.HandleFunc("POST "+resultsPath+"/{ref}/read", func(w http.ResponseWriter, r *http.Request) {
		o, err := document[Order](w, r)
		var v json.RawMessage
		if err == nil {
			v, err = h.api.ReadResult(r.Context(), r.PathValue("ref"), o)
		}
		h.answer(w, v, err)
	})
	for name, do := range map[string]func(context.Context, string, Order) error{"release": h.api.ReleaseResult, "discard": h.api.DiscardResult} {
		mux.HandleFunc("POST "+resultsPath+"/{ref}/"+name, func(w http.ResponseWriter, r *http.Request) {
			o, err := document[Order](w, r)
			if err == nil {
				err = do(r.Context(), r.PathValue("ref"), o)
			}
			h.answer(w, struct{}{}, err)
		})
	}
}

// HeldResults implements API.
func (c *Client) HeldResults(ctx context.Context) ([]HeldResult, error) {
	return ask[[]HeldResult](ctx, c, http.MethodGet, resultsPath, nil)
}

// ReadResult implements API.
func (c *Client) ReadResult(ctx context.Context, ref string, o Order) (json.RawMessage, error) {
	return tell[json.RawMessage](ctx, c, resultsPath+"/"+url.PathEscape(ref)+"/read", o)
}

// ReleaseResult implements API.
func (c *Client) ReleaseResult(ctx context.Context, ref string, o Order) error {
	_, err := tell[struct{}](ctx, c, resultsPath+"/"+url.PathEscape(ref)+"/release", o)
	return err
}

// DiscardResult implements API.
func (c *Client) DiscardResult(ctx context.Context, ref string, o Order) error {
	_, err := tell[struct{}](ctx, c, resultsPath+"/"+url.PathEscape(ref)+"/discard", o)
	return err
}
