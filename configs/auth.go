package configs

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/hopgate/hopgate/policy"
)

// OAuth says how Hopgate gets tokens for a server.
type OAuth struct {
	Login    bool   // a person logs in; else a secret of Hopgate's own does
	Issuer   string // of the authorization server; empty: the one that the server names
	ClientID string // empty: Hopgate registers
	Secret   Secret // empty for a public client
	Scopes   []string
}

// upstreamAuth is what the file says of it.
type upstreamAuth struct {
	At     policy.Pos
	OAuth  oauthGrant   `yaml:"oauth,required" doc:"How Hopgate gets its tokens: client_credentials, by a secret of its own; or authorization_code, after somebody has run hopgate upstreams login."`
	Issuer text         `yaml:"issuer" doc:"URL of the authorization server. Without it, the server of url says which one it is. A secret goes nowhere else, so that it needs one."`
	ID     text         `yaml:"client_id" doc:"Name of Hopgate at the authorization server. Without it, Hopgate registers when somebody logs in."`
	Secret Secret       `yaml:"client_secret" doc:"Secret of Hopgate at the authorization server, by reference."`
	Scopes []oauthScope `yaml:"scopes" doc:"What the tokens are to allow."`
}

func (upstreamAuth) SchemaNeeds() map[string][]string {
	return map[string][]string{"client_secret": {"client_id"}}
}

type oauthGrant string

const (
	grantCredentials oauthGrant = "client_credentials"
	grantCode        oauthGrant = "authorization_code"
)

func (oauthGrant) SchemaEnum() []string { return []string{string(grantCredentials), string(grantCode)} }

// oauthScope is one scope: RFC 6749 section 3.3.
type oauthScope string

var oauthScopeForm = regexp.MustCompile(`^[!#-\[\]-~]+$`)

func (s *oauthScope) UnmarshalText(b []byte) error {
	if !oauthScopeForm.Match(b) {
		return hinted{fmt.Sprintf("%q is not a scope", b), "write a list, one scope each"}
	}
	*s = oauthScope(b)
	return nil
}

func (oauthScope) SchemaPattern() string { return oauthScopeForm.String() }

// auth compiles how Hopgate gets tokens for a server.
func (c *compiler) auth(path string, u *upstream, out *Upstream) {
	a := u.Auth
	if a == nil {
		return
	}
	path += ".auth"
	out.OAuth = &OAuth{Login: a.OAuth == grantCode, Issuer: a.Issuer.Text, ClientID: a.ID.Text, Secret: a.Secret}
	for _, s := range a.Scopes {
		out.OAuth.Scopes = append(out.OAuth.Scopes, string(s))
	}
	if a.Secret.Reveal() != "" && a.Issuer.Text == "" {
		c.report.fail(CodeValue, a.At, path, "the secret would go to whomever the server names as its authorization server", "write issuer: https://HOST")
	}
	if a.OAuth == grantCredentials && a.Secret.Reveal() == "" {
		c.report.fail(CodeValue, a.At, path, "client_credentials are a client_id and a client_secret, and a secret is missing", "write client_secret: ${env:NAME}")
	}
	c.literal(path, "client_secret", a.Secret, a.At)
	if a.Issuer.At.Line > 0 {
		issuer, err := webURL(a.Issuer.Text, "https", "http")
		switch {
		case err != nil:
			c.report.fail(CodeValue, a.Issuer.At, path+".issuer", err.Error(), hint(err))
		case plainAfar(issuer):
			c.report.fail(CodeValue, a.Issuer.At, path+".issuer", "credentials would go to another machine without encryption", "use https://")
		}
	}
	if server, err := url.Parse(u.URL.Text); err == nil && u.URL.At.Line > 0 && plainAfar(server) {
		c.report.fail(CodeValue, a.At, path, "tokens would go to another machine without encryption", "use https:// or wss:// in url")
	}
	for _, h := range u.Headers {
		if strings.EqualFold(string(h.Name), "authorization") {
			c.report.fail(CodeOverlap, h.At, "upstreams."+string(u.Name)+".headers."+string(h.Name), "auth sets this header", "remove one of them")
		}
	}
}

// plainAfar reports whether a URL leads to another machine without encryption.
func plainAfar(u *url.URL) bool { return !strings.HasSuffix(u.Scheme, "s") && !loopback(u.Hostname()) }
