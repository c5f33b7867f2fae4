package mcpproxy_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/mcpproxy"
)

// subscribe opens a subscription of 2026-07-28 to changes of tools, and waits until it stands.
func (c *client) subscribe(id string) *response {
	c.w.t.Helper()
	body := strings.Replace(modern("subscriptions/listen", `,"notifications":{"toolsListChanged":true,"promptsListChanged":false}`), `"id":1`, `"id":`+id, 1)
	r := c.post(body, modernHead("subscriptions/listen", ""))
	if r.status != 200 {
		c.w.t.Fatalf("listening: status %d, %s", r.status, r.last())
	}
	if m := r.must(); !strings.Contains(m.data, "acknowledged") {
		c.w.t.Fatalf("got %s", m.data)
	}
	return r
}

func TestASubscriptionHearsUntilItEnds(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		r := w.agent("alice").subscribe(`"s\u0031"`)
		const text = `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"x","_meta":{"io.modelcontextprotocol/subscriptionId":"s1"}}}`
		go func() {
			time.Sleep(time.Hour) // no timeout bounds it
			w.server.streams <- text
		}()
		if m := r.must(); m.data != text {
			t.Errorf("got %s", m.data)
		}
		w.proxy.SetPolicy(w.policy("r2", nil))
		want := `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"s\u0031"}}}`
		if m := r.must(); m.data != want {
			t.Errorf("got %s", m.data)
		}
		synctest.Wait()
		r.body.Close()
		synctest.Wait()
		if e := w.last("subscriptions/listen"); e.ends != 1 {
			t.Errorf("it ended %d times on record", e.ends)
		}
	})
}

func TestSubscriptionsEnd(t *testing.T) {
	way := mcpproxy.Way{Agent: "alice", Upstream: "up"}
	cases := map[string]func(w *world){
		"revoked": func(w *world) { w.revoke("alice-key") },
		"connection removed": func(w *world) {
			w.proxy.SetPolicy(w.policy("r2", func(p *mcpproxy.Policy) { delete(p.Connections, way) }))
		},
		"upstream redefined": func(w *world) {
			w.servers["old"], w.servers["up"] = w.servers["up"], w.remote("up")
			w.proxy.SetPolicy(w.policy("r2", nil))
		},
	}
	for name, end := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				r := w.agent("alice").subscribe("1")
				start := time.Now()
				end(w)
				for _, m := range r.all() {
					if !strings.Contains(m, "list_changed") {
						w.t.Errorf("got %s", m)
					}
				}
				if took := time.Since(start); took > time.Second {
					w.t.Errorf("took %s", took)
				}
			})
		})
	}
}

func TestSubscriptionsOfAnAgentAreBounded(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		for i := range 100 {
			w.agent("alice").subscribe(fmt.Sprint(i + 1))
		}
		if status, got := w.agent("alice").call(modern("subscriptions/listen", `,"notifications":{}`), modernHead("subscriptions/listen", "")); status != 429 || !strings.Contains(got, "TOO_MANY_SESSIONS") {
			t.Errorf("got %d %s", status, got)
		}
		w.agent("bob").subscribe("1").body.Close()
	})
}

// TestSubscriptionOfTheEarlierEra sends the method in a session, where it means nothing of its own.
func TestSubscriptionOfTheEarlierEra(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		w.gate.check = refusing("roots/list")
		c := w.session("alice", "2025-11-25")
		answer := c.begin(`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}`)
		go func() { w.server.streams <- `{"jsonrpc":"2.0","id":"q","method":"roots/list"}` }()
		if r := <-answer; r == nil || !strings.Contains(r.last(), "UPSTREAM_TIMEOUT") {
			t.Error("the call did not end as others do")
		}
		if got := w.server.messages(`"q"`); len(got) != 1 {
			t.Errorf("the server got %s", got)
		}
	})
}
