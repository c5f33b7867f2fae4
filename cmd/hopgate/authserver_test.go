package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
)

// authServerMain is an MCP server that wants tokens, and the authorization server that gives them. It writes its addresses to
// the files upstream-url and issuer-url. A GET of /void makes all tokens void.
func authServerMain() {
	s := &authServer{good: map[string]bool{}}
	s.web = httptest.NewServer(s)
	for name, text := range map[string]string{"upstream-url": s.web.URL + "/mcp", "issuer-url": s.web.URL} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(exitOther)
		}
	}
	fmt.Fprintln(os.Stderr, s.web.URL)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the script ends
	s.web.Close()
}

type authServer struct {
	web  *httptest.Server
	mu   sync.Mutex
	good map[string]bool
	n    int

	revoked []string
}

func (s *authServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	q := r.URL.Query()
	switch r.URL.Path {
	case "/.well-known/oauth-protected-resource/mcp":
		fmt.Fprintf(w, `{"resource":"%s/mcp","authorization_servers":[%q]}`, s.web.URL, s.web.URL)
	case "/.well-known/oauth-authorization-server":
		u := s.web.URL
		fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":"%s/authorize","token_endpoint":"%s/token","registration_endpoint":"%s/register",`+
			`"revocation_endpoint":"%s/revoke","response_types_supported":["code"],"code_challenge_methods_supported":["S256"]}`, u, u, u, u, u)
	case "/register":
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"client_id":"registered"}`)
	case "/authorize":
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {"c0de"}, "state": {q.Get("state")}, "iss": {s.web.URL}}.Encode(), http.StatusFound)
	case "/token":
		s.n++
		access := fmt.Sprintf("access-token-%d", s.n)
		s.good[access] = true
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"Bearer","expires_in":3600,"refresh_token":"r"}`, access)
	case "/revoke":
		s.revoked = append(s.revoked, r.PostFormValue("token"))
	case "/revoked":
		fmt.Fprintln(w, s.revoked)
	case "/void":
		clear(s.good)
	default:
		s.serve(w, r)
	}
}

func (s *authServer) serve(w http.ResponseWriter, r *http.Request) {
	said := r.Header.Get("Authorization")
	if token, ok := strings.CutPrefix(said, "Bearer "); !ok || !s.good[token] {
		w.Header().Set("WWW-Authenticate", `Bearer realm="the upstream's own"`)
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"jsonrpc":"2.0","error":{"code":-32001,"message":"log in at evil.example"},"id":null}`)
		return
	}
	var m struct {
		ID     json.RawMessage
		Method string
	}
	if json.NewDecoder(r.Body).Decode(&m) != nil || m.ID == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	result := fmt.Sprintf(`{"content":[{"type":"text","text":%q}]}`, "called with "+said)
	if m.Method == "initialize" {
		result = `{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"auth","version":"1"}}`
	}
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
}

// visitMain is a browser: visit URL.
func visitMain() {
	resp, err := http.Get(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitOther)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	_, _ = io.Copy(os.Stdout, resp.Body) // all that it says
}
