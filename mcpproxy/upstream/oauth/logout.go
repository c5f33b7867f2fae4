package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/client/transport"
)

// revokeTime bounds what an authorization server is told at the end.
const revokeTime = 10 * time.Second

// ErrNoRevocation says that the authorization server takes no token back: it is good until it expires.
var ErrNoRevocation = errors.New("the authorization server names no address to revoke tokens at")

// Forgotten is what became of a token that was forgotten.
type Forgotten struct {
	Had bool  // there was one
	Err error // why the authorization server may still take it for good; nil where it was told
}

// Forget forgets the upstream's token, on record, and then has the authorization server that gave it take it back (RFC 7009).
// What becomes of that is on record too, and does not bring the token back. An error says that
// part of it may not be on record.
func (c *Client) Forget(ctx context.Context, facts map[string]string) (Forgotten, error) {
	c.land(ctx)
	t, err := c.book.get(c.Name, c.bound)
	if t == nil || err != nil {
		return Forgotten{}, err
	}
	if err := c.book.put(ctx, c.Name, nil, "upstream logout", facts); err != nil {
		return Forgotten{}, err
	}
	out := Forgotten{Had: true, Err: c.revoke(ctx, t)}
	event, told := "upstream token revoked", map[string]string{"upstream": c.Name, "issuer": t.Issuer}
	if out.Err != nil {
		event, told["detail"] = "upstream token not revoked", out.Err.Error()
	}
	return out, c.book.Record(context.WithoutCancel(ctx), event, told, nil)
}

// land waits for a renewal under way, whose token would come after the end.
func (c *Client) land(ctx context.Context) {
	c.mu.Lock()
	f := c.flight
	c.mu.Unlock()
	if f == nil {
		return
	}
	select {
	case <-f.done:
	case <-ctx.Done():
	}
}

// revoke has the authorization server take a token back: first that by which others can be got.
func (c *Client) revoke(ctx context.Context, t *token) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTime)
	defer cancel()
	h, web := c.handler(new(slot), t, "")
	defer web.CloseIdleConnections()
	m, err := c.discover(ctx, h, web)
	if err != nil {
		return err
	}
	if m.RevocationEndpoint == "" {
		return ErrNoRevocation
	}
	where, err := url.Parse(m.RevocationEndpoint)
	switch {
	case m.Issuer != t.Issuer:
		return fmt.Errorf("%w: the upstream names another one than gave the token", ErrServer)
	case err != nil || !c.permits(where):
		return fmt.Errorf("%w: %w", ErrServer, problemPlain)
	}
	if t.Refresh != "" {
		if err := c.takeBack(ctx, web, m, t, t.Refresh, "refresh_token"); err != nil {
			return mean(err)
		}
	}
	err = c.takeBack(ctx, web, m, t, t.Access, "access_token")
	var refused transport.OAuthError
	if t.Refresh != "" && errors.As(err, &refused) && refused.ErrorCode == unsupportedType {
		return nil // it ends with the other one, or by itself (RFC 7009 section 2.1)
	}
	return mean(err)
}

// unsupportedType is the error of a server that cannot take back a token of this kind (RFC 7009 section 2.2.1).
const unsupportedType = "unsupported_token_type"

// takeBack sends one token to where it is revoked. A server that does not know it any more says that all is well.
func (c *Client) takeBack(ctx context.Context, web *http.Client, m *transport.AuthServerMetadata, t *token, text, hint string) error {
	id, secret := c.ID, c.Secret
	if id == "" {
		id, secret = t.ID, t.Secret
	}
	methods := m.RevocationEndpointAuthMethodsSupported
	form := url.Values{"token": {text}, "token_type_hint": {hint}}
	basic := secret != "" && (len(methods) == 0 || slices.Contains(methods, "client_secret_basic")) // the default of RFC 8414
	if !basic {
		form.Set("client_id", id)
		if secret != "" {
			form.Set("client_secret", secret)
		}
	}
	resp, err := c.post(ctx, web, m.RevocationEndpoint, form, basic, id, secret)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it is in memory
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	var e transport.OAuthError
	if json.NewDecoder(resp.Body).Decode(&e) != nil || e.ErrorCode == "" {
		return fmt.Errorf("%w: it does not revoke", ErrRefused)
	}
	return e
}

// post sends a form, with the client's secret in a header where basic says so.
func (c *Client) post(ctx context.Context, web *http.Client, to string, form url.Values, basic bool, id, secret string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, problemPlain
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if basic {
		r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret)) // RFC 6749 section 2.3.1
	}
	return web.Do(r)
}
