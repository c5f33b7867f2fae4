package mcpproxy_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// paused makes the upstream up one with a breaker: two failures, half a minute.
func paused(w *world) *upstream.Server {
	s := w.upstream(upstream.Config{
		Name: "up", URL: "http://up.test/mcp", Dial: w.inner.dial, Breaker: upstream.Breaker{Failures: 2, Delay: 30 * time.Second},
	})
	w.servers["up"].Close()
	w.servers["up"] = s
	w.proxy.SetPolicy(w.policy("paused", nil))
	return s
}

func echo(c *client) string {
	_, got := c.call(modernTool("1", "echo", "{}"), modernHead("tools/call", "echo"))
	return got
}

// fails are ways of a server to fail that an agent could bring about by what it says.
var fails = map[string]func(http.ResponseWriter, *http.Request, *wire.Frame) bool{
	"502":     status(502),
	"401":     status(401),
	"cut off": func(http.ResponseWriter, *http.Request, *wire.Frame) bool { panic(http.ErrAbortHandler) },
	"silence": func(_ http.ResponseWriter, r *http.Request, _ *wire.Frame) bool { <-r.Context().Done(); return true },
	"babel": func(w http.ResponseWriter, _ *http.Request, _ *wire.Frame) bool {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"jsonrpc":"1.0"}`)
		return true
	},
	"500 with an error": func(w http.ResponseWriter, _ *http.Request, f *wire.Frame) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(500)
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32603,"message":"x"}}`, f.Get(wire.ID))
		return true
	},
}

func TestBreakerOpensAndProbes(t *testing.T) {
	for name, fail := range fails {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				s := paused(w)
				alice := w.agent("alice")
				w.server.behave(fail)
				for range 2 {
					if got := echo(alice); strings.Contains(got, "UPSTREAM_PAUSED") {
						t.Fatalf("refused too early: %s", got)
					}
				}
				sent := len(w.server.messages("tools/call"))
				began := time.Now()
				got := echo(alice)
				e := w.last("tools/call")
				if e.code != "UPSTREAM_PAUSED" || e.allowed || time.Since(began) > 0 || len(w.server.messages("tools/call")) != sent {
					t.Errorf("after two failures: %s; on record is %+v", got, e)
				}
				if !strings.Contains(got, "30 s") && !strings.Contains(got, "30s") {
					t.Errorf("the answer does not say when: %s", got)
				}
				time.Sleep(31 * time.Second)
				if echo(alice); w.last("tools/call").code == "UPSTREAM_PAUSED" {
					t.Error("there is no probe after the delay")
				}
				if echo(alice); w.last("tools/call").code != "UPSTREAM_PAUSED" {
					t.Error("a probe that failed closes it")
				}
				time.Sleep(31 * time.Second)
				w.server.behave(nil)
				echo(alice)
				if got := echo(alice); w.last("tools/call").code != "" || s.Condition().Open {
					t.Errorf("a probe that was answered does not close it: %s", got)
				}
			})
		})
	}
}

func TestBreakerIsNotOpenedByAgents(t *testing.T) {
	reply := func(code int, answer string) func(http.ResponseWriter, *http.Request, *wire.Frame) bool {
		return func(w http.ResponseWriter, _ *http.Request, f *wire.Frame) bool {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			fmt.Fprintf(w, answer, f.Get(wire.ID))
			return true
		}
	}
	cases := map[string]func(http.ResponseWriter, *http.Request, *wire.Frame) bool{
		"bad arguments":           reply(200, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"x"}}`),
		"bad arguments, 400":      reply(400, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"x"}}`),
		"bad arguments, 500":      reply(500, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"x"}}`),
		"a tool's error":          reply(200, `{"jsonrpc":"2.0","id":%s,"result":{"content":[],"isError":true}}`),
		"too many requests":       status(429),
		"forbidden":               status(403),
		"a request out of bounds": status(413),
	}
	for name, intrude := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				s := paused(w)
				w.server.behave(intrude)
				for range 4 {
					echo(w.agent("alice"))
				}
				if c := s.Condition(); c.Open || c.Failures > 0 {
					w.t.Errorf("it counts: %+v", c)
				}
			})
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		bubble(t, func(w *world) {
			s := paused(w)
			w.server.behave(fails["silence"])
			for range 4 {
				ctx, cancel := context.WithTimeout(w.ctx, time.Second)
				r, err := w.agent("alice").do(http.MethodPost, modernTool("1", "echo", "{}"), modernHead("tools/call", "echo"), func(r *http.Request) { *r = *r.WithContext(ctx) })
				if err == nil {
					r.body.Close()
				}
				cancel()
				time.Sleep(time.Second)
			}
			if c := s.Condition(); c.Open || c.Failures > 0 {
				w.t.Errorf("it counts: %+v", c)
			}
		})
	})
}

// TestBreakerOfOneAgentClosesNothingToOthers: whose own calls have not failed need not wait.
func TestBreakerOfOneAgentClosesNothingToOthers(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		s := paused(w)
		alice, bob := w.agent("alice"), w.agent("bob")
		w.server.behave(fails["cut off"])
		echo(alice)
		echo(alice)
		if !s.Condition().Open {
			t.Fatal("it is not open")
		}
		w.server.behave(nil)
		if got := echo(bob); w.last("tools/call").code != "" {
			t.Errorf("bob is refused: %s", got)
		}
		if s.Condition().Open {
			t.Error("bob's answer does not close it")
		}
		w.server.behave(fails["cut off"])
		echo(bob)
		echo(alice)
		if echo(bob); w.last("tools/call").code != "UPSTREAM_PAUSED" {
			t.Error("bob's own calls have failed, and he need not wait")
		}
		if _, got := w.agent("alice").call(modernTool("1", "echo", "{}"), modernHead("tools/call", "echo")); !strings.Contains(got, "UPSTREAM_PAUSED") {
			t.Errorf("alice: %s", got)
		}
	})
}

// TestBreakerOfADeadUpstream: one that cannot be reached is closed to all, and no other upstream is.
func TestBreakerOfADeadUpstream(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		paused(w)
		dead := w.upstream(upstream.Config{
			Name: "up", URL: "http://up.test/mcp", Breaker: upstream.Breaker{Failures: 2, Delay: time.Minute},
			Dial: func(context.Context, string, string) (net.Conn, error) { return nil, fmt.Errorf("nobody there") },
		})
		w.servers["up"].Close()
		w.servers["up"] = dead
		w.proxy.SetPolicy(w.policy("dead", nil))
		for range 2 {
			echo(w.agent("alice"))
			if e := w.last("tools/call"); e.code != "UPSTREAM_UNAVAILABLE" || !e.unsent {
				t.Errorf("on record is %+v", e)
			}
		}
		if echo(w.agent("bob")); w.last("tools/call").code != "UPSTREAM_PAUSED" {
			t.Error("bob is not refused")
		}
		other := w.agent("alice")
		other.upstream = "other"
		if got := echo(other); w.last("tools/call").code != "" {
			t.Errorf("another upstream: %s", got)
		}
	})
}
