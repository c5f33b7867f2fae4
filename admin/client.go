package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ErrUnreachable says that nobody answers on the socket.
var ErrUnreachable = errors.New("no process answers on the admin socket")

// Client is the API of the process behind a socket.
type Client struct{ http *http.Client }

var _ API = (*Client)(nil)

// NewClient makes a client of a process that is known. It connects when it is used.
func NewClient(socket string, known Known) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := new(net.Dialer).DialUnix(ctx, "unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
		if err != nil {
			return nil, errors.Join(ErrUnreachable, err)
		}
		if err := known(c); err != nil {
			return nil, errors.Join(ErrUnreachable, err, c.Close())
		}
		return c, nil
	}
	return &Client{&http.Client{Transport: &http.Transport{DialContext: dial, Proxy: nil}}}
}

// origin is what requests are addressed to. All go to our own socket.
const origin = "http://hopgate"

// do asks with a form and returns the body of a good answer.
func (c *Client) do(ctx context.Context, method, path string, form url.Values) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, method, origin+path+"?"+form.Encode(), nil) //nolint:gosec // goes to our own socket, whatever the path
	if err != nil {
		return nil, err
	}
	return c.send(r)
}

// send sends a request and returns the body of a good answer.
func (c *Client) send(r *http.Request) (io.ReadCloser, error) {
	resp, err := c.http.Do(r) //nolint:gosec // goes to our own socket, whatever the path
	if err != nil {
		return nil, fmt.Errorf("asking the process that owns the state: %w", errors.Unwrap(err))
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	var f failure
	if err := json.NewDecoder(io.LimitReader(resp.Body, 4<<20)).Decode(&f); err != nil || f.Error == "" {
		return nil, fmt.Errorf("asking the process that owns the state: status %s", resp.Status)
	}
	return nil, &remote{f.Error, resp.StatusCode}
}

// remote is an error of the other side. It means what it meant there.
type remote struct {
	text   string
	status int
}

func (e *remote) Error() string { return e.text }

// Is makes the sentinels of the package keep their meaning.
func (e *remote) Is(target error) bool {
	return target == ErrNotFound && e.status == http.StatusNotFound || target == ErrInvalid && e.status == http.StatusBadRequest
}

func ask[T any](ctx context.Context, c *Client, method, path string, form url.Values) (v T, err error) {
	body, err := c.do(ctx, method, path, form)
	if err != nil {
		return v, err
	}
	return read[T](body)
}

// read reads what was answered.
func read[T any](body io.ReadCloser) (v T, err error) {
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&v); err != nil {
		return v, fmt.Errorf("reading the answer of the process that owns the state: %w", err)
	}
	return v, nil
}

// Status implements API.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, http.MethodGet, "/v1/status", nil)
}

// Reload implements API.
func (c *Client) Reload(ctx context.Context) error {
	_, err := ask[struct{}](ctx, c, http.MethodPost, "/v1/reload", nil)
	return err
}

// Agents implements API.
func (c *Client) Agents(ctx context.Context) ([]Agent, error) {
	return ask[[]Agent](ctx, c, http.MethodGet, "/v1/agents", nil)
}

// AddKey implements API.
func (c *Client) AddKey(ctx context.Context, agent string, ttl time.Duration) (NewKey, error) {
	return ask[NewKey](ctx, c, http.MethodPost, "/v1/agents/"+url.PathEscape(agent)+"/keys", url.Values{"ttl": {ttl.String()}})
}

// Rotate implements API.
func (c *Client) Rotate(ctx context.Context, agent string, overlap time.Duration) (NewKey, error) {
	return ask[NewKey](ctx, c, http.MethodPost, "/v1/agents/"+url.PathEscape(agent)+"/rotate", url.Values{"overlap": {overlap.String()}})
}

// Revoke implements API.
func (c *Client) Revoke(ctx context.Context, agent, key string) (int, error) {
	n, err := ask[count](ctx, c, http.MethodPost, "/v1/agents/"+url.PathEscape(agent)+"/revoke", url.Values{"key": {key}})
	return n.Count, err
}

// Untaint implements API.
func (c *Client) Untaint(ctx context.Context, agent string) error {
	_, err := ask[struct{}](ctx, c, http.MethodPost, "/v1/agents/"+url.PathEscape(agent)+"/untaint", nil)
	return err
}

// Search implements API.
func (c *Client) Search(ctx context.Context, q Query) ([]json.RawMessage, error) {
	form := url.Values{"limit": {strconv.Itoa(q.Limit)}}
	for name, v := range map[string]string{
		"agent": q.Agent, "connection": q.Connection, "target": q.Target, "reason": q.Reason, "decision": q.Decision, "ref": q.Ref,
	} {
		if v != "" {
			form.Set(name, v)
		}
	}
	for name, t := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !t.IsZero() {
			form.Set(name, t.Format(time.RFC3339Nano))
		}
	}
	return ask[[]json.RawMessage](ctx, c, http.MethodGet, "/v1/audit", form)
}

// Show implements API.
func (c *Client) Show(ctx context.Context, ref string) ([]json.RawMessage, error) {
	return ask[[]json.RawMessage](ctx, c, http.MethodGet, "/v1/audit/calls/"+url.PathEscape(ref), nil)
}

// Tail implements API.
func (c *Client) Tail(ctx context.Context, n int, follow bool) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		form := url.Values{"n": {strconv.Itoa(n)}, "follow": {strconv.FormatBool(follow)}}
		body, err := c.do(ctx, http.MethodGet, "/v1/audit/tail", form)
		if err != nil {
			yield(nil, err)
			return
		}
		defer body.Close()
		lines := bufio.NewReader(body)
		for {
			line, err := lines.ReadString('\n')
			switch {
			case errors.Is(err, io.EOF) && line == "", err != nil && ctx.Err() != nil:
				return
			case err != nil:
				yield(nil, fmt.Errorf("reading records: %w", err))
				return
			case !yield(json.RawMessage(strings.TrimSuffix(line, "\n")), nil):
				return
			}
		}
	}
}
