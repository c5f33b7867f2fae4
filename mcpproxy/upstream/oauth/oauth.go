// Package oauth says by which token Hopgate calls a server that wants one of OAuth 2.1: it finds the authorization server, gets
// tokens from it, keeps them sealed, and renews them before they expire.
//
// It knows nothing of agents: no token of theirs comes here, and none of these reaches one. Whatever servers say of where to
// send credentials is held against what the configuration says. It sends no call, and does not judge any.
package oauth

import (
	"context"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/store"
)

// Errors of this package. None holds a token, a secret, or what a server has written.
var (
	// ErrLogin says that a person has to log in.
	ErrLogin = errors.New("nobody is logged in at the authorization server")
	// ErrRefused says that the authorization server gives no token.
	ErrRefused = errors.New("the authorization server refuses")
	// ErrServer says that the authorization server cannot be found or reached, or says what may not be relied on.
	ErrServer = errors.New("the authorization server cannot be used")
	// ErrLoginUnknown says that there is no login to finish: it was not begun here, was finished, or took too long.
	ErrLoginUnknown = errors.New("there is no such login under way")
)

// Grant is how tokens are got (RFC 6749 section 1.3).
type Grant uint8

// Grants.
const (
	ClientCredentials Grant = iota // by a secret of Hopgate's own
	AuthorizationCode              // by a person who logs in
)

// Times that no configuration sets.
const (
	ahead     = time.Minute      // before the end of a token, at which it is renewed; or a fifth of its life, if that is less
	patience  = 30 * time.Second // to get a token
	leastRest = 10 * time.Second // between two attempts to get one
	loginTime = 10 * time.Minute // for a person to log in
)

// Config says how one server is called.
type Config struct {
	Name   string // of the upstream; required
	URL    string // of the upstream, http or https; the resource that tokens are for (RFC 8707)
	Grant  Grant
	Issuer string // of the authorization server; empty: the one that the upstream names, where there is no secret
	ID     string // of Hopgate as a client; empty: it registers with the authorization server (RFC 7591)
	Secret string // empty for a public client
	Scopes []string

	// Dial opens a connection to a host that the configuration has not named, unless it is in Hosts; it refuses addresses
	// that are nobody's to name. Required.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	Log  zerolog.Logger
}

// Keeping is where tokens are kept.
type Keeping struct {
	State store.Reader // what was kept before
	// Record puts on record what has happened, with the change of state that it means, and returns when both are durable.
	Record func(ctx context.Context, event string, facts map[string]string, puts []store.Put) error
	Seal   func() (cipher.AEAD, error) // by which tokens are sealed; with a nonce of its own
	Clock  func() time.Time
	Random io.Reader
}

// Book keeps the tokens of all upstreams. It is safe for concurrent use.
type Book struct {
	Keeping

	mu     sync.Mutex        // guards what follows
	known  map[string]*token // by upstream; nil for none
	logins map[string]*login // by upstream
}

// Open makes a Book. Tokens are read when they are first asked for.
func Open(k Keeping) (*Book, error) {
	if k.State == nil || k.Record == nil || k.Seal == nil || k.Clock == nil || k.Random == nil {
		return nil, errors.New("opening the tokens of upstreams: state, record, seal, clock and randomness are required")
	}
	return &Book{Keeping: k, known: map[string]*token{}, logins: map[string]*login{}}, nil
}

// Client gets tokens for one upstream. It is safe for concurrent use. Whoever has made it closes it.
type Client struct {
	Config
	book  *Book
	hosts []string // that the configuration names
	bound string   // what tokens are bound to

	mu      sync.Mutex // guards what follows
	flight  *flight    // a renewal under way; nil for none
	refused string     // the token that the server has turned away
	rested  time.Time  // before which no token is asked for again
	last    error      // of the last attempt
	closed  bool
	work    sync.WaitGroup
}

// New makes a client whose tokens are in the book.
func (b *Book) New(c Config) (*Client, error) {
	resource, err := hostOf(c.URL)
	if err != nil || c.Name == "" || c.Dial == nil {
		return nil, errors.New("describing how an upstream is logged in to: name, url and dialler are required")
	}
	switch {
	case c.Grant == ClientCredentials && (c.ID == "" || c.Secret == ""):
		return nil, fmt.Errorf("upstream %s: client credentials are an id and a secret", c.Name)
	case c.Secret != "" && c.Issuer == "":
		return nil, fmt.Errorf("upstream %s: a secret needs an issuer that it is for", c.Name)
	}
	k := &Client{Config: c, book: b, hosts: []string{resource}}
	if c.Issuer != "" {
		host, err := hostOf(c.Issuer)
		if err != nil {
			return nil, fmt.Errorf("upstream %s: the issuer is no URL", c.Name)
		}
		k.hosts = append(k.hosts, host)
	}
	sum := sha256.Sum256([]byte(strings.Join(append([]string{c.URL, c.Issuer, c.ID, fmt.Sprint(c.Grant)}, c.Scopes...), "\x00")))
	k.bound = hex.EncodeToString(sum[:])
	return k, nil
}

// Close waits for what is under way.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.work.Wait()
}
