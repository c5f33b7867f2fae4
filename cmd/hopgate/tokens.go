package main

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/upstream/oauth"
)

// openTokens opens the tokens of upstreams.
func (e *engine) openTokens() (err error) {
	e.tokens, err = oauth.Open(oauth.Keeping{
		State: e.journal.State(), Record: e.journal.Event, Clock: time.Now, Random: rand.Reader,
		Seal: func() (cipher.AEAD, error) { return e.memory.Vault.Cipher("upstream tokens") },
	})
	return err
}

// client gets tokens for an upstream; nil where it wants none.
func (e *engine) client(u *configs.Upstream) (*oauth.Client, error) {
	if u.OAuth == nil || e.tokens == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	resource := u.URL
	if rest, ok := strings.CutPrefix(resource, "ws"); ok {
		resource = "http" + rest // a WebSocket begins as a request of HTTP
	}
	c := oauth.Config{
		Name: u.Name, URL: resource, Issuer: u.OAuth.Issuer, ID: u.OAuth.ClientID, Secret: u.OAuth.Secret.Reveal(), Scopes: u.OAuth.Scopes, Log: e.log,
	}
	if u.OAuth.Login {
		c.Grant = oauth.AuthorizationCode
	}
	var written []string
	for _, s := range []string{u.URL, u.OAuth.Issuer} {
		if parsed, err := url.Parse(s); err == nil && parsed.Hostname() != "" {
			written = append(written, parsed.Hostname())
		}
	}
	c.Dial = upstream.Dialer(u.Networks, written...)
	return e.tokens.New(c)
}

// loginOf is how a person logs in at an upstream of the configuration.
func (d desk) loginOf(name string) (*oauth.Client, error) {
	file := d.current()
	if file == nil {
		return nil, &because{"no configuration is in force", admin.ErrInvalid}
	}
	u, err := upstreamOf(file, name)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	s := d.servers[name]
	d.mu.Unlock()
	if s != nil && s.client != nil {
		return s.client, nil
	}
	c, err := d.client(u)
	if err == nil && c == nil {
		err = &because{fmt.Sprintf("upstream %s has no auth, so nobody logs in there", name), admin.ErrInvalid}
	}
	return c, err
}

// BeginLogin implements admin.API.
func (d desk) BeginLogin(ctx context.Context, name, redirect string) (admin.Login, error) {
	c, err := d.loginOf(name)
	if err != nil {
		return admin.Login{}, err
	}
	address, issuer, err := c.Begin(ctx, redirect)
	return admin.Login{Address: address, Issuer: issuer}, invalid(err)
}

// FinishLogin implements admin.API.
func (d desk) FinishLogin(ctx context.Context, name string, answer url.Values, by string) error {
	c, err := d.loginOf(name)
	if err != nil {
		return err
	}
	return invalid(c.Finish(ctx, answer, map[string]string{"by": by}))
}

// Logout implements admin.API.
func (d desk) Logout(ctx context.Context, name string, o admin.Order) (admin.Logout, error) {
	if err := sensible(o); err != nil {
		return admin.Logout{}, err
	}
	c, err := d.loginOf(name)
	if err != nil {
		return admin.Logout{}, err
	}
	token, err := c.Forget(ctx, map[string]string{"by": o.By, "detail": o.Reason})
	switch {
	case err != nil:
		return admin.Logout{}, err
	case !token.Had:
		return admin.Logout{}, &because{fmt.Sprintf("there is no token for upstream %s", name), admin.ErrNotFound}
	case token.Err != nil:
		return admin.Logout{Why: token.Err.Error()}, nil //nolint:nilerr // it is forgotten all the same
	}
	return admin.Logout{Revoked: true}, nil
}

// invalid passes on what a login has come to: its words hold nothing of what others have written.
func invalid(err error) error {
	for _, known := range []error{oauth.ErrLogin, oauth.ErrRefused, oauth.ErrServer, oauth.ErrLoginUnknown} {
		if errors.Is(err, known) {
			return &because{err.Error(), admin.ErrInvalid}
		}
	}
	return err
}

// token returns what people may know of the token for an upstream; nil where it wants none.
func (d desk) token(u *configs.Upstream) *admin.Token {
	c, err := d.client(u)
	if c == nil || err != nil {
		return nil
	}
	s, err := c.Standing()
	if err != nil {
		return nil
	}
	return &admin.Token{Issuer: s.Issuer, Got: s.Got, Expires: s.Expires, Renewable: s.Renewable}
}
