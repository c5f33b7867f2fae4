package oauth_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream/oauth"
)

// revoker is what an authorization server is told of tokens that are not to count any more.
type revoker struct {
	w      *world
	names  any // the address that its metadata have
	answer func(rw http.ResponseWriter, form url.Values)

	mu   sync.Mutex
	told []string
	auth []string
}

func (v *revoker) serve(rw http.ResponseWriter, r *http.Request) bool {
	switch r.URL.Path {
	case "/.well-known/oauth-authorization-server":
		v.w.metadata(rw, map[string]any{"revocation_endpoint": v.names})
	case "/revoke":
		r.ParseForm()
		v.mu.Lock()
		v.told = append(v.told, r.PostForm.Get("token_type_hint")+" "+r.PostForm.Get("token")+" "+r.PostForm.Get("client_id"))
		v.auth = append(v.auth, r.Header.Get("Authorization"))
		v.mu.Unlock()
		if v.answer != nil {
			v.answer(rw, r.PostForm)
		}
	default:
		return false
	}
	return true
}

// TestForgottenTokensAreRevoked where the server that gave them does that; whatever it answers, they are forgotten.
func TestForgottenTokensAreRevoked(t *testing.T) {
	refuse := func(status int, body string) func(http.ResponseWriter, url.Values) {
		return func(rw http.ResponseWriter, _ url.Values) {
			rw.WriteHeader(status)
			rw.Write([]byte(body))
		}
	}
	both := []string{"refresh_token refresh-1 registered", "access_token access-1 registered"}
	cases := map[string]struct {
		names  string // empty: /revoke of the server itself
		none   bool
		answer func(http.ResponseWriter, url.Values)
		told   []string
		want   error
	}{
		"revoked":     {told: both},
		"not offered": {none: true, want: oauth.ErrNoRevocation},
		"access tokens cannot be revoked": {told: both, answer: func(rw http.ResponseWriter, f url.Values) {
			if f.Get("token_type_hint") == "access_token" {
				refuse(400, `{"error":"unsupported_token_type"}`)(rw, f)
			}
		}},
		"no token can":          {told: both[:1], answer: refuse(400, `{"error":"unsupported_token_type"}`), want: oauth.ErrRefused},
		"refused in words":      {told: both[:1], answer: refuse(403, `{"error":"t3xt"}`), want: oauth.ErrRefused},
		"down":                  {told: both[:1], answer: refuse(503, `t3xt`), want: oauth.ErrRefused},
		"it redirects":          {told: both[:1], answer: refuse(302, ``), want: oauth.ErrServer},
		"over http":             {names: "http://evil.example/revoke", want: oauth.ErrServer},
		"the cloud":             {names: "http://169.254.169.254/latest", want: oauth.ErrServer},
		"another loopback":      {names: "http://127.0.0.2/revoke", want: oauth.ErrServer},
		"no address":            {names: ":", want: oauth.ErrServer},
		"a user in the address": {names: "https://a:b@evil.example/", want: oauth.ErrServer},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			v := &revoker{w: w, names: w.web.URL + "/revoke", answer: x.answer}
			if x.names != "" {
				v.names = x.names
			}
			c := w.client(person)
			if err := c.Finish(t.Context(), w.login(c), nil); err != nil {
				t.Fatal(err)
			}
			if !x.none {
				w.hostile = v.serve
			}
			done, err := c.Forget(t.Context(), nil)
			if err != nil || !done.Had || !errors.Is(done.Err, x.want) || done.Err != nil && strings.Contains(done.Err.Error(), "t3xt") {
				t.Errorf("got %+v, %v; want %v", done, err, x.want)
			}
			if !slices.Equal(v.told, x.told) {
				t.Errorf("the server was told %q, want %q", v.told, x.told)
			}
			event := "upstream token revoked up"
			if x.want != nil {
				event = "upstream token not revoked up"
			}
			if n := len(w.events); n < 2 || w.events[n-2] != "upstream logout up" || w.events[n-1] != event {
				t.Errorf("on record is %q", w.events)
			}
			if _, err := c.Token(t.Context()); !errors.Is(err, oauth.ErrLogin) {
				t.Errorf("afterwards: %v", err)
			}
			if done, err := c.Forget(t.Context(), nil); done.Had || err != nil {
				t.Errorf("once more: %+v, %v", done, err)
			}
		})
	}
}

// TestRevocationShowsTheSecretOfTheClient to the issuer that it is for.
func TestRevocationShowsTheSecretOfTheClient(t *testing.T) {
	w := newWorld(t)
	v := &revoker{w: w, names: w.web.URL + "/revoke"}
	w.hostile = v.serve
	c := w.client(nil)
	w.want(c, "access-1")
	if done, err := c.Forget(t.Context(), nil); err != nil || done.Err != nil {
		t.Errorf("got %+v, %v", done, err)
	}
	if !slices.Equal(v.told, []string{"access_token access-1 "}) || len(v.auth) != 1 || !strings.HasPrefix(v.auth[0], "Basic ") {
		t.Errorf("told %q with %q", v.told, v.auth)
	}
}

// TestForgettingWaitsForNoServer that does not answer.
func TestForgettingWaitsForNoServer(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for ten seconds")
	}
	t.Parallel()
	w := newWorld(t)
	c := w.client(nil)
	w.want(c, "access-1")
	w.hostile = func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
	start := time.Now()
	done, err := c.Forget(t.Context(), nil)
	if took := time.Since(start); err != nil || !done.Had || !errors.Is(done.Err, oauth.ErrServer) || took > 25*time.Second {
		t.Errorf("got %+v, %v after %s", done, err, took)
	}
}
