package admin

import (
	"context"
	"net/http"
	"net/url"
)

// State is what operators order of the state between runs.
type State interface {
	// AcceptRollback lets the spend go on that a rollback of the state has closed, from the counters that the anchor knows.
	// The reason goes on record. Where there was no rollback, that is ErrInvalid.
	AcceptRollback(ctx context.Context, reason string) error
}

// AcceptRollback implements API.
func (c *Client) AcceptRollback(ctx context.Context, reason string) error {
	_, err := ask[struct{}](ctx, c, http.MethodPost, "/v1/state/accept-rollback", url.Values{"reason": {reason}})
	return err
}

func (h *handlers) acceptRollback(w http.ResponseWriter, r *http.Request) {
	h.answer(w, struct{}{}, h.api.AcceptRollback(r.Context(), r.FormValue("reason")))
}
