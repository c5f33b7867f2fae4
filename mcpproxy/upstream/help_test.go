package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// patience is how long a test waits for what must come. Nothing waits for it in vain unless it fails.
const patience = 20 * time.Second

func newServer(tb testing.TB, c upstream.Config) *upstream.Server {
	tb.Helper()
	s, err := upstream.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func open(tb testing.TB, s *upstream.Server) upstream.Link {
	tb.Helper()
	l, err := s.Open(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func stateless(tb testing.TB, s *upstream.Server) upstream.Link {
	tb.Helper()
	l, err := s.Stateless(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// message is an Outgoing of raw bytes.
func message(tb testing.TB, raw string) *upstream.Outgoing {
	tb.Helper()
	var f wire.Frame
	if err := wire.Parse(&f, []byte(raw), wire.FromAgent, &wire.DefaultLimits); err != nil {
		tb.Fatalf("%s: %v", raw, err)
	}
	return &upstream.Outgoing{Frame: &f, Protocol: "2025-11-25"}
}

// modern is message for a revision without sessions.
func modern(tb testing.TB, raw string) *upstream.Outgoing {
	tb.Helper()
	out := message(tb, raw)
	out.Modern, out.Protocol = true, "2026-07-28"
	return out
}

func request(tb testing.TB, id, method string) *upstream.Outgoing {
	tb.Helper()
	return message(tb, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q}`, id, method))
}

func send(tb testing.TB, l upstream.Link, out *upstream.Outgoing) upstream.Stream {
	tb.Helper()
	s, err := l.Send(limited(tb), out)
	if err != nil {
		tb.Fatal(err)
	}
	if s != nil {
		tb.Cleanup(s.Close)
	}
	return s
}

// limited is a context that ends a test that hangs.
func limited(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	tb.Cleanup(cancel)
	return ctx
}

// next returns the bytes of the next message.
func next(tb testing.TB, s upstream.Stream) string {
	tb.Helper()
	in, err := s.Next(limited(tb))
	if err != nil {
		tb.Fatalf("next: %v", err)
	}
	return string(in.Frame.Raw)
}

// all returns the bytes of all messages up to the end of the stream, and the error that is its end where it is a bad one.
func all(tb testing.TB, s upstream.Stream) (got []string, err error) {
	tb.Helper()
	for {
		in, err := s.Next(limited(tb))
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		got = append(got, string(in.Frame.Raw))
	}
}

// call sends a request and returns the answer.
func call(tb testing.TB, l upstream.Link, out *upstream.Outgoing) (string, error) {
	tb.Helper()
	s, err := l.Send(limited(tb), out)
	if err != nil {
		return "", err
	}
	defer s.Close()
	got, err := all(tb, s)
	if len(got) == 0 {
		return "", err
	}
	return got[len(got)-1], err
}
