//go:build unix

package upstream_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

// TestCauseOfAFailure is what operators are told of servers that fail in each way.
func TestCauseOfAFailure(t *testing.T) {
	refuses := httptest.NewServer(nil)
	refuses.Close()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	defer secure.Close()
	known := x509.NewCertPool()
	known.AddCert(secure.Certificate())
	cases := map[string]struct {
		config upstream.Config
		change func(*upstream.Config)
		want   string
	}{
		"nobody listens":    {httpConfig(refuses.URL), nil, "connection refused"},
		"an HTTP error":     {httpConfig(plain.URL), nil, "HTTP status 502"},
		"an unknown issuer": {httpConfig(secure.URL), nil, "TLS: the certificate is of an unknown authority"},
		"another host's name": {httpConfig("https://elsewhere.test/"), func(c *upstream.Config) {
			c.Roots = known
			c.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, secure.Listener.Addr().String())
			}
		}, "TLS: the certificate is another host's"},
		"no TLS there":       {httpConfig(strings.Replace(plain.URL, "http", "https", 1)), nil, "TLS: the server does not speak it"},
		"an SSE server":      {httpConfig(refuses.URL), func(c *upstream.Config) { c.SSE = true }, "connection refused"},
		"a WebSocket server": {httpConfig(strings.Replace(plain.URL, "http", "ws", 1)), nil, "HTTP status 502"},
		"no such host": {
			httpConfig("http://upstream.test/secret"),
			func(c *upstream.Config) {
				c.Dial = func(context.Context, string, string) (net.Conn, error) {
					return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "upstream.test", IsNotFound: true}}
				}
			}, "DNS: no such host",
		},
		"a host that is silent": {
			httpConfig("http://upstream.test/secret"),
			func(c *upstream.Config) {
				c.Timeouts.Dial = 10 * time.Millisecond
				c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}
			}, "timed out",
		},
		"a program that ends": {childConfig("serve"), nil, "the program ended: exit status 7"},
		"no program":          {childConfig("serve"), func(c *upstream.Config) { c.Command = []string{"hopgate-no-such-program"} }, "no such program or directory"},
		"no right to start it": {childConfig("serve"), func(c *upstream.Config) {
			c.Command = []string{filepath.Join(t.TempDir(), "tool")}
			if err := os.WriteFile(c.Command[0], []byte("#!/bin/sh\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not permitted to start the program"},
		"no directory to start it in": {childConfig("serve"), func(c *upstream.Config) { c.Dir = "/no/such/directory" }, "no such program or directory"},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			if x.change != nil {
				x.change(&x.config)
			}
			s := newServer(t, x.config)
			l, err := s.Open(t.Context())
			if err == nil {
				_, err = call(t, l, request(t, "1", "die"))
			}
			if got := upstream.Cause(err); got != x.want {
				t.Errorf("got %q of %v, want %q", got, err, x.want)
			}
		})
	}
}

// TestCauseOfWhatIsNoFailure has nothing to say.
func TestCauseOfWhatIsNoFailure(t *testing.T) {
	for name, err := range map[string]error{
		"given up":           fmt.Errorf("%w: %w", upstream.ErrUnavailable, context.Canceled),
		"nothing configured": upstream.ErrUnavailable,
		"somebody else's":    errors.New("secret"),
	} {
		if got := upstream.Cause(err); got != "" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// TestCauseOfABackoffIsTheLastEnd although nothing was started this time.
func TestCauseOfABackoffIsTheLastEnd(t *testing.T) {
	s := newServer(t, childConfig("serve"))
	for range 4 {
		l, err := s.Open(t.Context())
		if errors.As(err, new(*upstream.BackoffError)) {
			if got := upstream.Cause(err); got != "not started again yet: the program ended: exit status 7" {
				t.Errorf("got %q", got)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		_, _ = call(t, l, request(t, "1", "die")) // its end is the point
		finished(t, l)
		_ = l.Close(limited(t))
	}
	t.Error("the child was started again and again")
}
