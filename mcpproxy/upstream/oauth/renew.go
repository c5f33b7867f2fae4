package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/client/transport"
)

// slot holds the token that mcp-go's handler gets.
type slot struct{ got *transport.Token }

var _ transport.TokenStore = (*slot)(nil)

func (s *slot) GetToken(context.Context) (*transport.Token, error) {
	if s.got == nil {
		return nil, transport.ErrNoToken
	}
	return s.got, nil
}

func (s *slot) SaveToken(_ context.Context, t *transport.Token) error {
	s.got = t
	return nil
}

// handler is mcp-go's handler for one exchange with the authorization server, as a client that may be known from before.
func (c *Client) handler(s *slot, known *token, redirect string) (*transport.OAuthHandler, *http.Client) {
	web := c.client()
	config := transport.OAuthConfig{
		ClientID: c.ID, ClientSecret: c.Secret, RedirectURI: redirect, Scopes: c.Scopes, TokenStore: s, PKCEEnabled: true, HTTPClient: web,
	}
	if c.ID == "" && known != nil {
		config.ClientID, config.ClientSecret, config.TokenEndpointAuthMethod = known.ID, known.Secret, known.Method
	}
	h := transport.NewOAuthHandler(config)
	h.SetBaseURL(c.URL)
	return h, web
}

// discover finds the authorization server (RFC 9728, RFC 8414). Where the configuration does not name it, the upstream is asked
// without credentials where its metadata are.
func (c *Client) discover(ctx context.Context, h *transport.OAuthHandler, web *http.Client) (*transport.AuthServerMetadata, error) {
	if c.Issuer == "" {
		if r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil); err == nil {
			r.Header.Set("Accept", "application/json, text/event-stream")
			if resp, err := web.Do(r); err == nil {
				h.HandleUnauthorizedResponse(resp)
				_ = resp.Body.Close() // it is in memory
			}
		}
	}
	m, err := h.GetServerMetadata(ctx)
	if err != nil {
		return nil, mean(err)
	}
	return m, c.check(m)
}

// check holds metadata to what is asked of them. Without response types, which RFC 8414 requires, they are those that mcp-go
// makes up where there are none.
func (c *Client) check(m *transport.AuthServerMetadata) error {
	endpoint, err := url.Parse(m.TokenEndpoint)
	switch {
	case len(m.ResponseTypesSupported) == 0 || m.Issuer == "":
		return fmt.Errorf("%w: it publishes no metadata", ErrServer)
	case c.Issuer != "" && strings.TrimSuffix(m.Issuer, "/") != strings.TrimSuffix(c.Issuer, "/"):
		return fmt.Errorf("%w: it says that it is another issuer", ErrServer)
	case err != nil || !c.permits(endpoint):
		return fmt.Errorf("%w: %w", ErrServer, problemPlain)
	}
	return nil
}

// renew gets another token and keeps it.
func (c *Client) renew(ctx context.Context) error {
	old, err := c.book.get(c.Name, c.bound)
	if err != nil {
		return err
	}
	if c.Grant == AuthorizationCode && (old == nil || old.Refresh == "") {
		return ErrLogin
	}
	var s slot
	h, web := c.handler(&s, old, "")
	defer web.CloseIdleConnections()
	m, err := c.discover(ctx, h, web)
	if err != nil {
		return err
	}
	if c.Grant == ClientCredentials {
		s.got, err = c.credentials(ctx, web, m)
	} else {
		if old.Issuer != m.Issuer { // a refresh token is for the one who gave it
			return fmt.Errorf("%w: the upstream names another one than somebody has logged in at", ErrLogin)
		}
		if _, err = h.RefreshToken(ctx, old.Refresh); lost(err) {
			return errors.Join(ErrLogin, c.book.put(ctx, c.Name, nil, "upstream token lost", map[string]string{"issuer": m.Issuer}))
		}
	}
	if err != nil {
		return mean(err)
	}
	next, err := c.accept(s.got, m.Issuer)
	if err != nil {
		return err
	}
	if old != nil {
		next.ID, next.Secret, next.Method = old.ID, old.Secret, old.Method
	}
	return c.book.put(ctx, c.Name, next, "upstream token", map[string]string{"issuer": m.Issuer})
}

// credentials asks for a token with the client's secret (RFC 6749 section 4.4), which mcp-go's handler does not know.
func (c *Client) credentials(ctx context.Context, web *http.Client, m *transport.AuthServerMetadata) (*transport.Token, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {c.URL}}
	if len(c.Scopes) > 0 {
		form.Set("scope", strings.Join(c.Scopes, " "))
	}
	methods := m.TokenEndpointAuthMethodsSupported
	basic := len(methods) == 0 || slices.Contains(methods, "client_secret_basic") // the default of RFC 8414
	if !basic {
		form.Set("client_id", c.ID)
		form.Set("client_secret", c.Secret)
	}
	resp, err := c.post(ctx, web, m.TokenEndpoint, form, basic, c.ID, c.Secret)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it is in memory
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var got struct {
		transport.Token
		transport.OAuthError
	}
	if json.Unmarshal(body, &got) != nil {
		return nil, problem("its answer is not JSON")
	}
	if got.ErrorCode != "" || resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, got.OAuthError
	}
	return &got.Token, nil
}
