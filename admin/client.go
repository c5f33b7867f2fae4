package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
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

// tell sends a JSON document and reads another.
func tell[T any](ctx context.Context, c *Client, path string, document any) (v T, err error) {
	body, err := json.Marshal(document)
	if err != nil {
		return v, fmt.Errorf("writing a request: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, origin+path, bytes.NewReader(body))
	if err != nil {
		return v, err
	}
	answer, err := c.send(r)
	if err != nil {
		return v, err
	}
	return read[T](answer)
}
