package admin

import (
	"context"
	"net/http"
	"net/url"
)

// Upstreams implements API.
func (c *Client) Upstreams(ctx context.Context) ([]Upstream, error) {
	return ask[[]Upstream](ctx, c, http.MethodGet, "/v1/upstreams", nil)
}

// Tools implements API.
func (c *Client) Tools(ctx context.Context, upstream string) ([]Tool, error) {
	return ask[[]Tool](ctx, c, http.MethodGet, "/v1/upstreams/"+url.PathEscape(upstream)+"/tools", nil)
}

// Definitions implements API.
func (c *Client) Definitions(ctx context.Context, upstream string) ([]Definition, error) {
	return ask[[]Definition](ctx, c, http.MethodGet, "/v1/upstreams/"+url.PathEscape(upstream)+"/definitions", nil)
}

// Accept implements API.
func (c *Client) Accept(ctx context.Context, upstream string, all []Acceptance, o Order) error {
	_, err := tell[struct{}](ctx, c, "/v1/upstreams/"+url.PathEscape(upstream)+"/accept", accept{all, o})
	return err
}
