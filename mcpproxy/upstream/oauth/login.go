package oauth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/client/transport"
)

// login is one that a person is about to do.
type login struct {
	handler  *transport.OAuthHandler
	slot     *slot
	bound    string
	state    string
	verifier string
	issuer   string
	until    time.Time
}

// Begin begins a login. It returns the address that the person is to open, and the authorization server behind it. Redirect is
// where the browser comes back to, on this machine (RFC 8252). A login that was begun before is given up.
func (c *Client) Begin(ctx context.Context, redirect string) (address, issuer string, err error) {
	if c.Grant != AuthorizationCode {
		return "", "", fmt.Errorf("%w: nobody logs in where a secret does", ErrRefused)
	}
	back, err := url.Parse(redirect)
	if err != nil || back.Scheme != "http" || !loopback(back.Hostname()) {
		return "", "", errors.New("the browser must come back to this machine")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l := &login{slot: new(slot), bound: c.bound, until: c.book.Clock().Add(loginTime)}
	h, web := c.handler(l.slot, nil, redirect)
	m, err := c.discover(ctx, h, web)
	if err != nil {
		return "", "", err
	}
	where, err := url.Parse(m.AuthorizationEndpoint)
	switch {
	case err != nil || !c.permits(where) || where.Fragment != "":
		return "", "", fmt.Errorf("%w: %w", ErrServer, problemPlain)
	case !slices.Contains(m.CodeChallengeMethodsSupported, "S256"):
		return "", "", fmt.Errorf("%w: it does not support PKCE", ErrServer) // MCP 2025-11-25, authorization
	}
	if h.GetClientID() == "" {
		if m.RegistrationEndpoint == "" {
			return "", "", fmt.Errorf("%w: it registers nobody; write auth.client_id", ErrServer)
		}
		if err := h.RegisterClient(ctx, "Hopgate"); err != nil {
			return "", "", mean(err)
		}
	}
	var random [2][32]byte
	for i := range random {
		if _, err := io.ReadFull(c.book.Random, random[i][:]); err != nil {
			return "", "", fmt.Errorf("drawing a state: %w", err)
		}
	}
	l.state = base64.RawURLEncoding.EncodeToString(random[0][:])
	l.verifier = base64.RawURLEncoding.EncodeToString(random[1][:])
	address, err = h.GetAuthorizationURL(ctx, l.state, transport.GenerateCodeChallenge(l.verifier))
	if err != nil {
		return "", "", mean(err)
	}
	if rest, ok := strings.CutPrefix(address, m.AuthorizationEndpoint+"?"); ok && where.RawQuery != "" {
		address = m.AuthorizationEndpoint + "&" + rest // mcp-go takes no heed of a query that is there already
	}
	l.handler, l.issuer = h, m.Issuer
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	c.book.logins[c.Name] = l
	return address, m.Issuer, nil
}

// Finish ends the login with what the browser has brought back. The facts go on record with it.
func (c *Client) Finish(ctx context.Context, answer url.Values, facts map[string]string) error {
	c.book.mu.Lock()
	l := c.book.logins[c.Name]
	c.book.mu.Unlock()
	if l == nil || l.bound != c.bound || !c.book.Clock().Before(l.until) ||
		subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(l.state)) != 1 {
		return ErrLoginUnknown // what comes with a wrong state ends nobody's login
	}
	c.book.mu.Lock()
	if c.book.logins[c.Name] == l {
		delete(c.book.logins, c.Name)
	}
	c.book.mu.Unlock()
	switch code := answer.Get("error"); {
	case code != "" && slices.Contains(codes, code):
		return fmt.Errorf("%w: %s", ErrRefused, code)
	case code != "" || answer.Get("code") == "":
		return ErrRefused
	case answer.Has("iss") && answer.Get("iss") != l.issuer: // RFC 9207
		return fmt.Errorf("%w: the answer is another issuer's", ErrServer)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := l.handler.ProcessAuthorizationResponse(ctx, answer.Get("code"), l.state, l.verifier); err != nil {
		return mean(err)
	}
	t, err := c.accept(l.slot.got, l.issuer)
	if err != nil {
		return err
	}
	t.ID, t.Secret, t.Method = l.handler.GetClientID(), "", l.handler.GetTokenEndpointAuthMethod()
	if c.ID == "" {
		t.Secret = l.handler.GetClientSecret() // of the registration; one of the configuration stays there
	}
	if facts == nil {
		facts = map[string]string{}
	}
	facts["issuer"] = l.issuer
	c.mu.Lock()
	c.rested, c.last, c.refused = time.Time{}, nil, ""
	c.mu.Unlock()
	return c.book.put(ctx, c.Name, t, "upstream login", facts)
}
