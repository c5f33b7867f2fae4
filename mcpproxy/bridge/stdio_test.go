package bridge_test

import (
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/mcpproxy/bridge"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// childServer is a server of an era over standard streams.
func childServer(t *testing.T, era string) *upstream.Server {
	t.Helper()
	s, err := upstream.New(upstream.Config{
		Name: "child", Command: []string{os.Args[0]}, Env: []string{modeVar + "=" + era, "GORACE=atexit_sleep_ms=0"}, Environ: os.Environ(),
		Limits: wire.DefaultLimits, Clock: time.Now, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestAChildOfTheEarlierEra asks on the one stream that there is: of the one call that runs, and of nobody where two do.
func TestAChildOfTheEarlierEra(t *testing.T) {
	c := &caller{t, bridge.NewToLegacy(bridge.Config{Life: t.Context(), Open: childServer(t, "legacy").Open, Limits: wire.DefaultLimits})}
	defer c.close()
	state, names := inputs(t, c.last(later("1", "tools/call", `"name":"one"`)))
	got := c.last(later("2", "tools/call", `"name":"one",`+answered(state, names[0]+`:{"action":"accept"}`)[len(`"name":"t",`):]))
	has(t, got, `"id":2,`, `"n":1e400`, `"result":{"action":"accept"}`)

	one, two := c.start(later("3", "tools/call", `"name":"two"`)), c.start(later("4", "tools/call", `"name":"two"`))
	has(t, next(t, one), `"id":3,`, `"error":{"code":-32601`)
	has(t, next(t, two), `"id":4,`, `"error":{"code":-32601`)
	one.Close()
	two.Close()
}

// TestAChildOfTheLaterEra serves a session.
func TestAChildOfTheLaterEra(t *testing.T) {
	plain, err := childServer(t, "modern").Stateless(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	config := bridge.Config{Life: t.Context(), Limits: wire.DefaultLimits, Params: func(*wire.Frame) []upstream.Param { return nil }}
	b, ok, err := bridge.NewToModern(t.Context(), config, plain, frame(t, hello))
	if !ok || err != nil {
		t.Fatalf("there is no bridge: %v", err)
	}
	c := &caller{t, b}
	defer c.close()
	s := c.start(earlier("1", "tools/call", `{"name":"t"}`))
	defer s.Close()
	ask := next(t, s)
	has(t, ask, `"method":"elicitation/create"`)
	c.reply(ask, `"result":{"action":"accept"}`)
	if got, want := next(t, s), `{"jsonrpc":"2.0","id":1,"result":{"n":1e400,"got":{"u":{"action":"accept"}}}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
