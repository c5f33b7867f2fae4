package oauth_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy/upstream/oauth"
	"github.com/hopgate/hopgate/store"
)

// world is an upstream and its authorization server, on one address, and a client with its book.
type world struct {
	t      *testing.T
	web    *httptest.Server
	state  *store.Memory
	events []string
	seal   cipher.AEAD
	now    time.Time
	book   *oauth.Book

	mu       sync.Mutex
	forms    []url.Values // asked of the token endpoint
	auths    []string
	issued   int
	life     int64
	code     string // that the token endpoint takes
	verifier string // challenge that it has to fit
	rotate   bool
	hostile  func(w http.ResponseWriter, r *http.Request) bool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, state: new(store.Memory), now: time.Unix(1_800_000_000, 0), life: 3600}
	key := make([]byte, 32)
	block, _ := aes.NewCipher(key)
	w.seal, _ = cipher.NewGCMWithRandomNonce(block)
	w.web = httptest.NewServer(w)
	t.Cleanup(w.web.Close)
	w.open()
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	w.book, err = oauth.Open(oauth.Keeping{
		State: w.state, Seal: func() (cipher.AEAD, error) { return w.seal, nil }, Clock: func() time.Time { return w.now }, Random: rand.Reader,
		Record: func(_ context.Context, event string, facts map[string]string, puts []store.Put) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, event+" "+facts["upstream"])
			return w.state.Apply(uint64(len(w.events)), puts)
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) client(edit func(*oauth.Config)) *oauth.Client {
	w.t.Helper()
	c := oauth.Config{
		Name: "up", URL: w.web.URL + "/mcp", Issuer: w.web.URL, ID: "me", Secret: "s3cret", Dial: new(net.Dialer).DialContext, Log: zerolog.Nop(),
	}
	if edit != nil {
		edit(&c)
	}
	k, err := w.book.New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(k.Close)
	return k
}

func person(c *oauth.Config) { c.Grant, c.Secret, c.ID, c.Issuer = oauth.AuthorizationCode, "", "", "" }

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if w.hostile != nil && w.hostile(rw, r) {
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/oauth-protected-resource/mcp":
		fmt.Fprintf(rw, `{"resource":%q,"authorization_servers":[%q]}`, w.web.URL+"/mcp", w.web.URL)
	case "/.well-known/oauth-authorization-server":
		w.metadata(rw, nil)
	case "/register":
		rw.WriteHeader(http.StatusCreated)
		fmt.Fprint(rw, `{"client_id":"registered"}`)
	case "/token":
		w.token(rw, r)
	default:
		rw.Header().Set("WWW-Authenticate", `Bearer realm="x"`)
		rw.WriteHeader(http.StatusUnauthorized)
	}
}

func (w *world) metadata(rw http.ResponseWriter, edit map[string]any) {
	m := map[string]any{
		"issuer": w.web.URL, "authorization_endpoint": w.web.URL + "/authorize", "token_endpoint": w.web.URL + "/token",
		"registration_endpoint": w.web.URL + "/register", "response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"},
	}
	maps.Copy(m, edit)
	json.NewEncoder(rw).Encode(m)
}

func (w *world) token(rw http.ResponseWriter, r *http.Request) {
	r.ParseForm()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forms = append(w.forms, r.PostForm)
	w.auths = append(w.auths, r.Header.Get("Authorization"))
	refuse := func(code string) {
		rw.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(rw, `{"error":%q,"error_description":"t3xt of the server"}`, code)
	}
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
		if id, secret, ok := r.BasicAuth(); !ok || id != "me" || secret != "s3cret" {
			refuse("invalid_client")
			return
		}
	case "authorization_code":
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		if w.code == "" || r.PostForm.Get("code") != w.code || base64.RawURLEncoding.EncodeToString(sum[:]) != w.verifier {
			refuse("invalid_grant")
			return
		}
		w.code = ""
	case "refresh_token":
		if want := fmt.Sprintf("refresh-%d", w.issued); w.rotate && r.PostForm.Get("refresh_token") != want {
			refuse("invalid_grant")
			return
		}
	}
	w.issued++
	refresh := ""
	if r.PostForm.Get("grant_type") != "client_credentials" {
		refresh = fmt.Sprintf(`,"refresh_token":"refresh-%d"`, w.issued)
	}
	fmt.Fprintf(rw, `{"access_token":"access-%d","token_type":"bearer","expires_in":%d%s}`, w.issued, w.life, refresh)
}

// asked returns how often a token was asked for.
func (w *world) asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.forms)
}

func (w *world) want(c *oauth.Client, token string) {
	w.t.Helper()
	got, err := c.Token(w.t.Context())
	if err != nil || got != token {
		w.t.Fatalf("got %q, %v, want %q", got, err, token)
	}
}

// login does what a person does in a browser, and returns what comes back.
func (w *world) login(c *oauth.Client) url.Values {
	w.t.Helper()
	address, issuer, err := c.Begin(w.t.Context(), "http://127.0.0.1:1/callback")
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil || issuer != w.web.URL || !strings.HasPrefix(address, w.web.URL+"/authorize?") {
		w.t.Fatalf("address %s of %s: %v", address, issuer, err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"response_type": "code", "code_challenge_method": "S256", "redirect_uri": "http://127.0.0.1:1/callback", "resource": w.web.URL + "/mcp",
	} {
		if q.Get(name) != want {
			w.t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	w.code, w.verifier = "the-code", q.Get("code_challenge")
	return url.Values{"code": {"the-code"}, "state": {q.Get("state")}, "iss": {w.web.URL}}
}
