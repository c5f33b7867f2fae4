package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/client/transport"

	"github.com/hopgate/hopgate/store"
)

// prefix begins the keys of tokens in the store.
const prefix = "u/"

// token is what is kept of an upstream. In the store it is sealed as JSON.
type token struct {
	Bound   string `json:"bound"`  // digest of the configuration that it was got for: it goes nowhere else
	Issuer  string `json:"issuer"` // that gave it, and alone renews it
	ID      string `json:"id"`     // of the client
	Secret  string `json:"secret,omitempty"`
	Method  string `json:"method,omitempty"` // by which the client says who it is
	Access  string `json:"access"`
	Refresh string `json:"refresh,omitempty"`
	Got     int64  `json:"got"`               // Unix time
	Expires int64  `json:"expires,omitempty"` // Unix time; 0 for unknown
}

// Standing is what people may know of a token.
type Standing struct {
	Issuer    string
	Got       time.Time // zero where there is none
	Expires   time.Time // zero where that is not known
	Renewable bool
}

// valid reports whether the token may still be good, and whether it is time for another one.
func (t *token) valid(now time.Time) (good, early bool) {
	if t == nil || t.Access == "" {
		return false, false
	}
	if t.Expires == 0 {
		return true, false
	}
	left := t.Expires - now.Unix()
	return left > 0, left <= min(int64(ahead/time.Second), (t.Expires-t.Got)/5)
}

// get returns the token of an upstream that was got for a configuration; nil where there is none. What cannot be read is
// none.
func (b *Book) get(name, bound string) (*token, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, read := b.known[name]
	if !read {
		var err error
		if t, err = b.load(name); err != nil {
			return nil, err
		}
		b.known[name] = t
	}
	if t == nil || t.Bound != bound {
		return nil, nil //nolint:nilnil // there is none
	}
	return t, nil
}

func (b *Book) load(name string) (*token, error) {
	sealed, err := b.State.Get([]byte(prefix + name))
	if err != nil || sealed == nil {
		return nil, err
	}
	seal, err := b.Seal()
	if err != nil {
		return nil, fmt.Errorf("reading a token: %w", err)
	}
	plain, err := seal.Open(nil, nil, sealed, []byte(prefix+name))
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // another key has sealed it: it is lost, and another one is got
	}
	t := new(token)
	if json.Unmarshal(plain, t) != nil {
		return nil, nil //nolint:nilerr,nilnil // likewise
	}
	return t, nil
}

// put keeps the token of an upstream, or forgets it where t is nil, and puts on record why.
func (b *Book) put(ctx context.Context, name string, t *token, event string, facts map[string]string) error {
	put := store.Put{Key: []byte(prefix + name)}
	if t != nil {
		plain, err := json.Marshal(t) //nolint:gosec // it is sealed in the next step
		if err != nil {
			return fmt.Errorf("keeping a token: %w", err)
		}
		seal, err := b.Seal()
		if err != nil {
			return fmt.Errorf("keeping a token: %w", err)
		}
		put.Value = seal.Seal(nil, nil, plain, put.Key)
	}
	if facts == nil {
		facts = map[string]string{}
	}
	facts["upstream"] = name
	if err := b.Record(ctx, event, facts, []store.Put{put}); err != nil {
		return fmt.Errorf("keeping a token: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known[name] = t
	return nil
}

// Standing returns what people may know of the client's token.
func (c *Client) Standing() (Standing, error) {
	t, err := c.book.get(c.Name, c.bound)
	if t == nil || err != nil {
		return Standing{Issuer: c.Issuer, Renewable: c.Grant == ClientCredentials}, err
	}
	s := Standing{Issuer: t.Issuer, Got: time.Unix(t.Got, 0), Renewable: t.Refresh != "" || c.Grant == ClientCredentials}
	if t.Expires > 0 {
		s.Expires = time.Unix(t.Expires, 0)
	}
	return s, nil
}

// maxAccess bounds a token, in bytes.
const maxAccess = 8 << 10

// accept makes a token out of what an authorization server has answered.
func (c *Client) accept(got *transport.Token, issuer string) (*token, error) {
	plain := func(s string) bool {
		return len(s) <= maxAccess && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
	}
	switch {
	case got == nil || got.AccessToken == "" || !plain(got.AccessToken) || !plain(got.RefreshToken):
		return nil, fmt.Errorf("%w: it gave no token", ErrServer)
	case got.TokenType != "" && !strings.EqualFold(got.TokenType, "bearer"):
		return nil, fmt.Errorf("%w: its token is no bearer token", ErrServer)
	}
	now := c.book.Clock().Unix()
	t := &token{Bound: c.bound, Issuer: issuer, ID: c.ID, Access: got.AccessToken, Refresh: got.RefreshToken, Got: now}
	if got.ExpiresIn > 0 {
		t.Expires = now + min(got.ExpiresIn, 10*365*24*3600)
	}
	return t, nil
}

// flight is a renewal that several calls may wait for.
type flight struct {
	done chan struct{}
	err  error
}

// Token returns the token to call with; see upstream.Tokens. One that is about to expire is renewed meanwhile; one that has
// expired, or that the server has turned away, is renewed first, once for all who wait.
func (c *Client) Token(ctx context.Context) (string, error) {
	t, err := c.book.get(c.Name, c.bound)
	if err != nil {
		return "", err
	}
	good, early := t.valid(c.book.Clock())
	c.mu.Lock()
	turned := good && t.Access == c.refused
	good, early = good && !turned, early && !turned
	if good && !early {
		c.mu.Unlock()
		return t.Access, nil
	}
	f, err := c.renewal(ctx, turned)
	c.mu.Unlock()
	switch {
	case good:
		return t.Access, nil
	case err != nil:
		return "", err
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if f.err != nil {
		return "", f.err
	}
	if t, err = c.book.get(c.Name, c.bound); err != nil || t == nil {
		return "", errors.Join(err, ErrLogin)
	}
	return t.Access, nil
}

// Refused says that the server has turned a token away; see upstream.Tokens.
func (c *Client) Refused(access string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = access
}

// renewal is the renewal under way, or a new one. Soon after one that failed, or that followed a token that the
// upstream had turned away, there is none: authorization servers are not to be stormed. The caller holds the mutex.
func (c *Client) renewal(ctx context.Context, turned bool) (*flight, error) {
	now := c.book.Clock()
	switch {
	case c.flight != nil:
		return c.flight, nil
	case c.closed:
		return nil, fmt.Errorf("%w: the upstream is closed", ErrServer)
	case now.Before(c.rested) && c.last != nil:
		return nil, c.last
	case now.Before(c.rested):
		return nil, fmt.Errorf("%w: the upstream turns its tokens away", ErrRefused)
	}
	f := &flight{done: make(chan struct{})}
	c.flight = f
	ctx = context.WithoutCancel(ctx) // a refresh token may be good for one use: whoever gives up must not lose what comes of it
	c.work.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		f.err = c.renew(ctx)
		c.mu.Lock()
		c.flight, c.last = nil, f.err
		if turned || f.err != nil {
			c.rested = c.book.Clock().Add(leastRest)
		}
		c.mu.Unlock()
		if f.err != nil {
			c.Log.Warn().Err(f.err).Str("upstream", c.Name).Msg("there is no token for an upstream")
		}
		close(f.done)
	})
	return f, nil
}
