package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/upstream/oauth"
)

func TestClientCredentials(t *testing.T) {
	w := newWorld(t)
	c := w.client(func(c *oauth.Config) { c.Scopes = []string{"a", "b"} })
	w.want(c, "access-1")
	w.want(c, "access-1")
	f := w.forms[0]
	if f.Get("resource") != w.web.URL+"/mcp" || f.Get("scope") != "a b" || f.Has("client_secret") || !strings.HasPrefix(w.auths[0], "Basic ") {
		t.Errorf("asked %v with %s", f, w.auths[0])
	}
	if w.asked() != 1 || len(w.events) != 1 || w.events[0] != "upstream token up" {
		t.Errorf("asked %d times, on record is %v", w.asked(), w.events)
	}
}

// TestTokensAreSealed: they outlive the process, and whoever reads the state does not read them.
func TestTokensAreSealed(t *testing.T) {
	w := newWorld(t)
	w.want(w.client(nil), "access-1")
	for item, err := range w.state.Scan(nil, nil, false) {
		if err != nil || strings.Contains(string(item.Value), "access") || len(item.Value) == 0 {
			t.Errorf("%s: %q, %v", item.Key, item.Value, err)
		}
	}
	w.open()
	w.want(w.client(nil), "access-1")
	w.open()
	w.want(w.client(func(c *oauth.Config) { c.Scopes = []string{"x"} }), "access-2") // got for another configuration
	if w.asked() != 2 {
		t.Errorf("asked %d times", w.asked())
	}
}

func TestTokensAreRenewedOnceAndAhead(t *testing.T) {
	w := newWorld(t)
	c := w.client(nil)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got, err := c.Token(t.Context()); got != "access-1" {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
	all.Wait()
	if w.asked() != 1 {
		t.Errorf("asked %d times, want once", w.asked())
	}
	w.now = w.now.Add(3600*time.Second - 30*time.Second)
	w.want(c, "access-1") // it is good still, and another one is on its way
	c.Close()
	if w.asked() != 2 {
		t.Errorf("asked %d times, want twice", w.asked())
	}
	c = w.client(nil)
	w.want(c, "access-2")
	w.now = w.now.Add(2 * time.Hour)
	w.want(c, "access-3")
}

// TestRefusedTokensAreRenewedOnce: a server that turns every token away does not make us ask for ever.
func TestRefusedTokensAreRenewedOnce(t *testing.T) {
	w := newWorld(t)
	c := w.client(nil)
	w.want(c, "access-1")
	w.now = w.now.Add(time.Minute)
	c.Refused("access-1")
	w.want(c, "access-2")
	c.Refused("access-1") // by a call that was sent before
	w.want(c, "access-2")
	c.Refused("access-2")
	for range 5 {
		if got, err := c.Token(t.Context()); !errors.Is(err, oauth.ErrRefused) {
			t.Errorf("got %s, %v", got, err)
		}
	}
	if w.asked() != 2 {
		t.Errorf("asked %d times", w.asked())
	}
	w.now = w.now.Add(time.Minute)
	w.want(c, "access-3")
}

func TestLoginTakesTheAnswerToItsOwnQuestion(t *testing.T) {
	w := newWorld(t)
	w.rotate = true
	c := w.client(person)
	if _, err := c.Token(t.Context()); !errors.Is(err, oauth.ErrLogin) {
		t.Errorf("before: %v", err)
	}
	answer := w.login(c)
	for name, edit := range map[string]func(url.Values){
		"another state": func(v url.Values) { v.Set("state", "x") },
		"no state":      func(v url.Values) { v.Del("state") },
	} {
		bad := url.Values{}
		maps.Copy(bad, answer)
		edit(bad)
		if err := c.Finish(t.Context(), bad, nil); !errors.Is(err, oauth.ErrLoginUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Finish(t.Context(), answer, map[string]string{"by": "me"}); err != nil {
		t.Fatal(err)
	}
	w.want(c, "access-1")
	if err := c.Finish(t.Context(), answer, nil); !errors.Is(err, oauth.ErrLoginUnknown) {
		t.Errorf("twice: %v", err)
	}
	if s, err := c.Standing(); err != nil || s.Issuer != w.web.URL || !s.Renewable {
		t.Errorf("standing %+v, %v", s, err)
	}
	for i := 2; i < 4; i++ { // refresh tokens are good for one use, also over a restart
		w.now = w.now.Add(2 * time.Hour)
		w.want(c, fmt.Sprintf("access-%d", i))
		w.open()
		c = w.client(person)
	}
	if f := w.forms[len(w.forms)-1]; f.Get("client_id") != "registered" || f.Get("resource") != w.web.URL+"/mcp" {
		t.Errorf("renewed with %v", f)
	}
	if done, err := c.Forget(t.Context(), nil); !done.Had || !errors.Is(done.Err, oauth.ErrNoRevocation) || err != nil {
		t.Errorf("forgetting: %+v, %v", done, err)
	}
	w.now = w.now.Add(time.Minute)
	if _, err := c.Token(t.Context()); !errors.Is(err, oauth.ErrLogin) {
		t.Errorf("after logging out: %v", err)
	}
}

func TestLoginRefused(t *testing.T) {
	cases := map[string]struct {
		edit func(*world, url.Values)
		want error
	}{
		"denied":           {func(_ *world, v url.Values) { v.Del("code"); v.Set("error", "access_denied") }, oauth.ErrRefused},
		"text of a server": {func(_ *world, v url.Values) { v.Set("error", "t3xt of the server") }, oauth.ErrRefused},
		"no code":          {func(_ *world, v url.Values) { v.Del("code") }, oauth.ErrRefused},
		"another code":     {func(_ *world, v url.Values) { v.Set("code", "x") }, oauth.ErrRefused},
		"another issuer":   {func(_ *world, v url.Values) { v.Set("iss", "https://evil.example") }, oauth.ErrServer},
		"too late":         {func(w *world, _ url.Values) { w.now = w.now.Add(time.Hour) }, oauth.ErrLoginUnknown},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := w.client(person)
			answer := w.login(c)
			x.edit(w, answer)
			err := c.Finish(t.Context(), answer, nil)
			if !errors.Is(err, x.want) || strings.Contains(fmt.Sprint(err), "t3xt") {
				t.Errorf("got %v, want %v", err, x.want)
			}
			if s, _ := c.Standing(); !s.Got.IsZero() {
				t.Error("there is a token")
			}
		})
	}
}

// TestALostLoginIsForgotten: a refresh token that is good no more is not tried again and again.
func TestALostLoginIsForgotten(t *testing.T) {
	w := newWorld(t)
	c := w.client(person)
	if err := c.Finish(t.Context(), w.login(c), nil); err != nil {
		t.Fatal(err)
	}
	w.rotate, w.issued = true, 7
	w.now = w.now.Add(2 * time.Hour)
	for range 3 {
		if _, err := c.Token(t.Context()); !errors.Is(err, oauth.ErrLogin) {
			t.Errorf("got %v", err)
		}
	}
	if w.asked() != 2 || w.events[len(w.events)-1] != "upstream token lost up" {
		t.Errorf("asked %d times, on record is %v", w.asked(), w.events)
	}
}

// hostile is what a server says, and whether it makes us send a credential anywhere.
func TestHostileServers(t *testing.T) {
	path := func(path string, f func(*world, http.ResponseWriter)) func(*world, http.ResponseWriter, *http.Request) bool {
		return func(w *world, rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != path {
				return false
			}
			f(w, rw)
			return true
		}
	}
	const server, resource = "/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp"
	says := func(edit map[string]any) func(*world, http.ResponseWriter, *http.Request) bool {
		return path(server, func(w *world, rw http.ResponseWriter) { w.metadata(rw, edit) })
	}
	redirect := func(p, to string) func(*world, http.ResponseWriter, *http.Request) bool {
		return path(p, func(_ *world, rw http.ResponseWriter) {
			rw.Header().Set("Location", to)
			rw.WriteHeader(http.StatusFound)
		})
	}
	flood := func(p string) func(*world, http.ResponseWriter, *http.Request) bool {
		return path(p, func(_ *world, rw http.ResponseWriter) {
			fmt.Fprint(rw, `{"access_token":"`+strings.Repeat("a", 200_000)+`"}`)
		})
	}
	cases := map[string]func(*world, http.ResponseWriter, *http.Request) bool{
		"another issuer":              says(map[string]any{"issuer": "https://evil.example"}),
		"no issuer":                   says(map[string]any{"issuer": ""}),
		"token endpoint over http":    says(map[string]any{"token_endpoint": "http://evil.example/token"}),
		"token endpoint of the cloud": says(map[string]any{"token_endpoint": "http://169.254.169.254/latest"}),
		"cloud over https":            says(map[string]any{"token_endpoint": "https://169.254.169.254/latest"}),
		"localhost over https":        says(map[string]any{"token_endpoint": "https://localhost/token"}),
		"another loopback over http":  says(map[string]any{"token_endpoint": "http://127.0.0.2/token"}),
		"no scheme":                   says(map[string]any{"token_endpoint": "file:///etc/passwd"}),
		"user in the endpoint":        says(map[string]any{"token_endpoint": "https://a:b@evil.example/token"}),
		"metadata elsewhere":          redirect(server, "http://169.254.169.254/"),
		"huge metadata":               flood(server),
		"no metadata":                 path(server, func(_ *world, rw http.ResponseWriter) { rw.WriteHeader(404) }),
		"metadata that is none":       path(server, func(_ *world, rw http.ResponseWriter) { fmt.Fprint(rw, `<html>`) }),
		"token elsewhere":             redirect("/token", "http://169.254.169.254/"),
		"huge token":                  flood("/token"),
		"token with a line break": path("/token", func(_ *world, rw http.ResponseWriter) {
			fmt.Fprint(rw, `{"access_token":"a\r\nX-Evil: 1","token_type":"bearer"}`)
		}),
		"token of another type": path("/token", func(_ *world, rw http.ResponseWriter) {
			fmt.Fprint(rw, `{"access_token":"abc","token_type":"mac"}`)
		}),
		"error in words": path("/token", func(_ *world, rw http.ResponseWriter) {
			rw.WriteHeader(400)
			fmt.Fprint(rw, `{"error":"t3xt","error_description":"t3xt"}`)
		}),
	}
	for name, hostile := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.hostile = func(rw http.ResponseWriter, r *http.Request) bool { return hostile(w, rw, r) }
			c := w.client(func(c *oauth.Config) { c.Dial = upstream.Dialer(nil, "127.0.0.1") })
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			got, err := c.Token(ctx)
			if err == nil || !errors.Is(err, oauth.ErrServer) && !errors.Is(err, oauth.ErrRefused) || strings.Contains(err.Error(), "t3xt") {
				t.Errorf("got %q, %v", got, err)
			}
			if ctx.Err() != nil || w.asked() != 0 {
				t.Errorf("a credential was sent %d times, %v", w.asked(), ctx.Err())
			}
		})
	}
	for name, hostile := range map[string]func(*world, http.ResponseWriter, *http.Request) bool{
		"another resource": path(resource, func(w *world, rw http.ResponseWriter) {
			fmt.Fprintf(rw, `{"resource":"https://victim.example/mcp","authorization_servers":[%q]}`, w.web.URL)
		}),
		"no resource metadata": path(resource, func(_ *world, rw http.ResponseWriter) { rw.WriteHeader(404) }),
		"server of the cloud": path(resource, func(w *world, rw http.ResponseWriter) {
			fmt.Fprintf(rw, `{"resource":%q,"authorization_servers":["http://169.254.169.254"]}`, w.web.URL+"/mcp")
		}),
		"server at an address": path(resource, func(w *world, rw http.ResponseWriter) {
			fmt.Fprintf(rw, `{"resource":%q,"authorization_servers":["https://10.0.0.1"]}`, w.web.URL+"/mcp")
		}),
		"resource elsewhere":     redirect(resource, "http://169.254.169.254/"),
		"huge resource metadata": flood(resource),
		"browser to a program":   says(map[string]any{"authorization_endpoint": "http://evil.example/authorize"}),
		"no PKCE":                says(map[string]any{"code_challenge_methods_supported": []string{"plain"}}),
		"registration elsewhere": says(map[string]any{"registration_endpoint": "http://evil.example/register"}),
		"no registration":        says(map[string]any{"registration_endpoint": ""}),
	} {
		t.Run("login, "+name, func(t *testing.T) {
			w := newWorld(t)
			w.hostile = func(rw http.ResponseWriter, r *http.Request) bool { return hostile(w, rw, r) }
			c := w.client(func(c *oauth.Config) {
				person(c)
				c.Dial = upstream.Dialer(nil, "127.0.0.1")
			})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if address, _, err := c.Begin(ctx, "http://127.0.0.1:1/callback"); !errors.Is(err, oauth.ErrServer) {
				t.Errorf("got %s, %v", address, err)
			}
		})
	}
}

// TestTheUpstreamMayNameItsMetadata: a challenge that names metadata of the same origin is followed, another is not.
func TestTheUpstreamMayNameItsMetadata(t *testing.T) {
	for name, elsewhere := range map[string]bool{"same origin": false, "elsewhere": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.hostile = func(rw http.ResponseWriter, r *http.Request) bool {
				switch r.URL.Path {
				case "/mcp":
					base := w.web.URL
					if elsewhere {
						base = "https://evil.example"
					}
					rw.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer resource_metadata="%s/meta"`, base))
					rw.WriteHeader(http.StatusUnauthorized)
					fmt.Fprint(rw, strings.Repeat("x", 1<<20))
				case "/meta":
					fmt.Fprintf(rw, `{"resource":%q,"authorization_servers":[%q]}`, w.web.URL+"/mcp", w.web.URL)
				case "/.well-known/oauth-protected-resource/mcp":
					rw.WriteHeader(http.StatusNotFound)
				default:
					return false
				}
				return true
			}
			_, _, err := w.client(person).Begin(t.Context(), "http://127.0.0.1:1/callback")
			if elsewhere != errors.Is(err, oauth.ErrServer) || !elsewhere && err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatCannotBeAClient(t *testing.T) {
	w := newWorld(t)
	for name, edit := range map[string]func(*oauth.Config){
		"no name":                  func(c *oauth.Config) { c.Name = "" },
		"no dialler":               func(c *oauth.Config) { c.Dial = nil },
		"no secret":                func(c *oauth.Config) { c.Secret = "" },
		"a secret for anybody":     func(c *oauth.Config) { c.Issuer = "" },
		"an issuer that is none":   func(c *oauth.Config) { c.Issuer = "login" },
		"an upstream that is none": func(c *oauth.Config) { c.URL = "ftp://x" },
	} {
		c := oauth.Config{Name: "up", URL: "https://a.example/mcp", Issuer: "https://b.example", ID: "me", Secret: "s", Dial: upstream.Dialer(nil)}
		edit(&c)
		if _, err := w.book.New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, _, err := w.client(nil).Begin(t.Context(), "http://127.0.0.1:1/"); !errors.Is(err, oauth.ErrRefused) {
		t.Errorf("a login without a person: %v", err)
	}
	if _, _, err := w.client(person).Begin(t.Context(), "http://evil.example/"); err == nil {
		t.Error("the browser would come back to another machine")
	}
}
