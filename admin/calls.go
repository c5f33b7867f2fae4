package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Status implements API.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, http.MethodGet, "/v1/status", nil)
}

// Reload implements API.
func (c *Client) Reload(ctx context.Context) error {
	_, err := ask[struct{}](ctx, c, http.MethodPost, "/v1/reload", nil)
	return err
}

// Agents implements API.
func (c *Client) Agents(ctx context.Context) ([]Agent, error) {
	return ask[[]Agent](ctx, c, http.MethodGet, "/v1/agents", nil)
}

// AddKey implements API.
func (c *Client) AddKey(ctx context.Context, agent string, ttl time.Duration) (NewKey, error) {
	return ask[NewKey](ctx, c, http.MethodPost, "/v1/agents/"+url.PathEscape(agent)+"/keys", url.Values{"ttl": {ttl.String()}})
}

// Rotate implements API.
func (c *Client) Rotate(ctx context.Context, agent string, overlap time.Duration) (NewKey, error) {
	return ask[NewKey](ctx, c, http.MethodPost, "/v1/agents/"+url.PathEscape(agent)+"/rotate", url.Values{"overlap": {overlap.String()}})
}

// Revoke implements API.
func (c *Client) Revoke(ctx context.Context, agent, key string) (int, error) {
	n, err := ask[count](ctx, c, http.MethodPost, "/v1/agents/"+url.PathEscape(agent)+"/revoke", url.Values{"key": {key}})
	return n.Count, err
}

// Untaint implements API.
func (c *Client) Untaint(ctx context.Context, agent string) error {
	_, err := ask[struct{}](ctx, c, http.MethodPost, "/v1/agents/"+url.PathEscape(agent)+"/untaint", nil)
	return err
}

// Search implements API.
func (c *Client) Search(ctx context.Context, q Query) ([]json.RawMessage, error) {
	form := url.Values{"limit": {strconv.Itoa(q.Limit)}}
	for name, v := range map[string]string{
		"agent": q.Agent, "connection": q.Connection, "target": q.Target, "reason": q.Reason, "decision": q.Decision, "ref": q.Ref,
	} {
		if v != "" {
			form.Set(name, v)
		}
	}
	for name, t := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !t.IsZero() {
			form.Set(name, t.Format(time.RFC3339Nano))
		}
	}
	return ask[[]json.RawMessage](ctx, c, http.MethodGet, "/v1/audit", form)
}

// Show implements API.
func (c *Client) Show(ctx context.Context, ref string) ([]json.RawMessage, error) {
	return ask[[]json.RawMessage](ctx, c, http.MethodGet, "/v1/audit/calls/"+url.PathEscape(ref), nil)
}

// Tail implements API.
func (c *Client) Tail(ctx context.Context, n int, follow bool) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		form := url.Values{"n": {strconv.Itoa(n)}, "follow": {strconv.FormatBool(follow)}}
		body, err := c.do(ctx, http.MethodGet, "/v1/audit/tail", form)
		if err != nil {
			yield(nil, err)
			return
		}
		defer body.Close()
		lines := bufio.NewReader(body)
		for {
			line, err := lines.ReadString('\n')
			switch {
			case errors.Is(err, io.EOF) && line == "", err != nil && ctx.Err() != nil:
				return
			case err != nil:
				yield(nil, fmt.Errorf("reading records: %w", err))
				return
			case !yield(json.RawMessage(strings.TrimSuffix(line, "\n")), nil):
				return
			}
		}
	}
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

// BeginLogin implements API.
func (c *Client) BeginLogin(ctx context.Context, upstream, redirect string) (Login, error) {
	return tell[Login](ctx, c, "/v1/upstreams/"+url.PathEscape(upstream)+"/login", loginOrder{Redirect: redirect})
}

// FinishLogin implements API.
func (c *Client) FinishLogin(ctx context.Context, upstream string, answer url.Values, by string) error {
	_, err := tell[struct{}](ctx, c, "/v1/upstreams/"+url.PathEscape(upstream)+"/login/finish", loginOrder{Answer: answer, By: by})
	return err
}

// Logout implements API.
func (c *Client) Logout(ctx context.Context, upstream string, o Order) (Logout, error) {
	return tell[Logout](ctx, c, "/v1/upstreams/"+url.PathEscape(upstream)+"/logout", o)
}

// HeldResults implements API.
func (c *Client) HeldResults(ctx context.Context) ([]HeldResult, error) {
	return ask[[]HeldResult](ctx, c, http.MethodGet, "/v1/results", nil)
}

// ReadResult implements API.
func (c *Client) ReadResult(ctx context.Context, ref string, o Order) (json.RawMessage, error) {
	return tell[json.RawMessage](ctx, c, "/v1/results/"+url.PathEscape(ref)+"/read", o)
}

// ReleaseResult implements API.
func (c *Client) ReleaseResult(ctx context.Context, ref string, o Order) error {
	_, err := tell[struct{}](ctx, c, "/v1/results/"+url.PathEscape(ref)+"/release", o)
	return err
}

// DiscardResult implements API.
func (c *Client) DiscardResult(ctx context.Context, ref string, o Order) error {
	_, err := tell[struct{}](ctx, c, "/v1/results/"+url.PathEscape(ref)+"/discard", o)
	return err
}

// AcceptRollback implements API.
func (c *Client) AcceptRollback(ctx context.Context, reason string) error {
	_, err := ask[struct{}](ctx, c, http.MethodPost, "/v1/state/accept-rollback", url.Values{"reason": {reason}})
	return err
}

func kindOf(p Party) string {
	if p.Upstream {
		return "upstreams"
	}
	return "agents"
}
