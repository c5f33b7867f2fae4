package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/client/transport"
)

// maxAnswer bounds what an authorization server answers, in bytes.
const maxAnswer = 64 << 10

// problem is what is wrong with an authorization server. It holds nothing of what it has written.
type problem string

func (p problem) Error() string { return string(p) }

const (
	problemPlain    = problem("an address of it is not https")
	problemRedirect = problem("it redirects, which is not followed")
	problemLarge    = problem("its answer is larger than 64 KiB")
	problemReach    = problem("it cannot be reached")
	problemResource = problem("the upstream does not say which one it is; write auth.issuer")
)

// fence carries the requests of OAuth. mcp-go's handler asks wherever metadata lead, follows fallbacks, and reads without
// bounds; behind the fence it reaches nothing but https, follows no redirect, gets no large answer, and nothing of an answer
// that ends in an error text. Where the configuration names the issuer, the fence answers for the upstream who it is.
type fence struct {
	c    *Client
	next http.RoundTripper
}

func (c *Client) client() *http.Client {
	return &http.Client{
		Transport: &fence{c, &http.Transport{
			DialContext: c.Dial, DisableCompression: true, DisableKeepAlives: true, MaxResponseHeaderBytes: 32 << 10,
			TLSHandshakeTimeout: patience, ResponseHeaderTimeout: patience,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       patience,
	}
}

const pathResource = "/.well-known/oauth-protected-resource"

func (f *fence) RoundTrip(r *http.Request) (*http.Response, error) {
	if !f.c.permits(r.URL) {
		return nil, problemPlain
	}
	resource := strings.HasPrefix(r.URL.Path, pathResource) && r.Method == http.MethodGet
	if resource && f.c.Issuer != "" {
		body, err := json.Marshal(transport.OAuthProtectedResource{Resource: f.c.URL, AuthorizationServers: []string{f.c.Issuer}})
		return answer(r, http.StatusOK, body), err
	}
	resp, err := f.next.RoundTrip(r)
	if err != nil {
		return nil, problemReach
	}
	defer func() { _ = resp.Body.Close() }() // what has been read is all that counts
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return nil, problemRedirect
	}
	if r.Method == http.MethodGet && r.URL.String() == f.c.URL { // the upstream itself, whose words may have no end
		out := answer(r, resp.StatusCode, nil)
		out.Header["Www-Authenticate"] = resp.Header["Www-Authenticate"]
		return out, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, problemReach
	case len(body) > maxAnswer:
		return nil, problemLarge
	case resource && resp.StatusCode != http.StatusOK:
		return nil, problemResource
	case resp.StatusCode >= 400:
		body = codeOf(body)
	}
	return answer(r, resp.StatusCode, body), nil
}

func answer(r *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// codes are the errors of RFC 6749, 7009, 7591 and 8707. Others are not repeated: they are text of somebody else's.
var codes = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "access_denied",
	"unsupported_response_type", "server_error", "temporarily_unavailable", "invalid_redirect_uri", "invalid_client_metadata", "invalid_target",
	unsupportedType,
}

// codeOf keeps of an error what is known.
func codeOf(body []byte) []byte {
	var e struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &e) != nil || !slices.Contains(codes, e.Error) {
		return []byte("{}")
	}
	return []byte(`{"error":"` + e.Error + `"}`)
}

// permits reports whether a request may go to a URL: over TLS, or to this machine where the configuration itself names it.
func (c *Client) permits(u *url.URL) bool {
	if u.User != nil || u.Hostname() == "" {
		return false
	}
	switch u.Scheme {
	case "https":
		return true
	case "http":
		return loopback(u.Hostname()) && slices.Contains(c.hosts, u.Hostname())
	}
	return false
}

func loopback(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

func hostOf(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", problemPlain
	}
	return u.Hostname(), nil
}

// mean says what an error of mcp-go's handler means, in words that hold nothing of what somebody else has written.
func mean(err error) error {
	var p problem
	var e transport.OAuthError
	var timeout net.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrRefused):
		return err // it has said so itself
	case errors.As(err, &p):
		return fmt.Errorf("%w: %w", ErrServer, p)
	case errors.As(err, &e) && slices.Contains(codes, e.ErrorCode):
		return fmt.Errorf("%w: %s", ErrRefused, e.ErrorCode)
	case errors.As(err, &e):
		return ErrRefused
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%w: it does not answer in %s", ErrServer, patience)
	}
	return fmt.Errorf("%w: its metadata or its answer cannot be relied on", ErrServer)
}

// lost reports whether an error says that the refresh token is good no more.
func lost(err error) bool {
	var e transport.OAuthError
	return errors.As(err, &e) && e.ErrorCode == "invalid_grant"
}
