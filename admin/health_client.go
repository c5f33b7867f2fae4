package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// tell sends a JSON document and reads another.
func tell[T any](ctx context.Context, c *Client, path string, document any) (v T, err error) {
	body, err := json.Marshal(document)
	if err != nil {
		return v, fmt.Errorf("writing a request: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, origin+path, bytes.NewReader(body)) //nolint:gosec // it goes to our own socket, whatever the path
	if err != nil {
		return v, err
	}
	answer, err := c.send(r)
	if err != nil {
		return v, err
	}
	return read[T](answer)
}

// Connections implements API.
func (c *Client) Connections(ctx context.Context) ([]Connection, error) {
	return ask[[]Connection](ctx, c, http.MethodGet, "/v1/connections", nil)
}

// Limits implements API.
func (c *Client) Limits(ctx context.Context) ([]Limit, error) {
	return ask[[]Limit](ctx, c, http.MethodGet, "/v1/limits", nil)
}

// Explain implements API.
func (c *Client) Explain(ctx context.Context, q Question) (Explanation, error) {
	return tell[Explanation](ctx, c, "/v1/explain", q)
}

// Scores implements API.
func (c *Client) Scores(ctx context.Context) ([]Standing, error) {
	return ask[[]Standing](ctx, c, http.MethodGet, "/v1/trust", nil)
}

// Score implements API.
func (c *Client) Score(ctx context.Context, p Party) (Score, error) {
	return ask[Score](ctx, c, http.MethodGet, "/v1/trust/"+kindOf(p)+"/"+url.PathEscape(p.Name), nil)
}

// Adjust implements API.
func (c *Client) Adjust(ctx context.Context, p Party, a Adjustment, o Order) (Adjusted, error) {
	return tell[Adjusted](ctx, c, "/v1/trust/adjust", order{p, a, o})
}

// Quarantine implements API.
func (c *Client) Quarantine(ctx context.Context, p Party, o Order) error {
	_, err := tell[struct{}](ctx, c, "/v1/trust/quarantine", order{Party: p, Order: o})
	return err
}

// Release implements API.
func (c *Client) Release(ctx context.Context, p Party, o Order) error {
	_, err := tell[struct{}](ctx, c, "/v1/trust/release", order{Party: p, Order: o})
	return err
}

func kindOf(p Party) string {
	if p.Upstream {
		return "upstreams"
	}
	return "agents"
}
