package bridge_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

const updated = `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:b"}}`

// TestASubscriptionHasASessionOfItsOwn and hears what it asked for and no more, until it ends.
func TestASubscriptionHasASessionOfItsOwn(t *testing.T) {
	legacy(t, func(_ *peer, _ *wire.Frame, s *flow) { s.result("{}") }, func(c *caller, p *peer) {
		t := c.t
		s := c.start(later(`"l1"`, "subscriptions/listen", `"notifications":{"toolsListChanged":true,"promptsListChanged":false,"resourceSubscriptions":["a:b"]}`))
		has(t, next(t, s), "notifications/subscriptions/acknowledged", `"io.modelcontextprotocol/subscriptionId":"l1"`, `"resourceSubscriptions":["a:b"]`)
		if got := p.messages("resources/subscribe"); len(got) != 1 || !strings.Contains(got[0], `{"uri":"a:b"}`) {
			t.Errorf("the server got %q", got)
		}
		go func() {
			for _, m := range []string{
				`{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":"d"}}`,
				strings.Replace(updated, "a:b", "a:c", 1), earlier("9", "roots/list", "{}"), updated, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"n":1.0,"_meta":{"a":1.0}}}`,
			} {
				p.out <- m
			}
		}()
		if got, want := next(t, s), `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"l1"},"uri":"a:b"}}`; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		has(t, next(t, s), "tools/list_changed", `{"n":1.0,"_meta":{"io.modelcontextprotocol/subscriptionId":"l1","a":1.0}}`)
		has(t, string((<-p.answers).Raw), `"id":9,"error":{"code":-32601`) // nobody is there whom a listener could ask
		s.Close()
		if opened, live := p.links(); opened != 1 || live != 0 {
			t.Errorf("%d sessions of %d are left", live, opened)
		}
	})
}

func TestASubscriptionThatTheServerRefuses(t *testing.T) {
	legacy(t, func(_ *peer, _ *wire.Frame, s *flow) { s.failure(`{"code":-32602,"message":"no"}`) }, func(c *caller, p *peer) {
		t := c.t
		if got, want := c.last(later("1", "subscriptions/listen", `"notifications":{"resourceSubscriptions":["a:b"]}`)), `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}`; got != want {
			t.Errorf("got %s", got)
		}
		if _, live := p.links(); live != 0 {
			t.Error("its session is left open")
		}
	})
}

// TestASessionHearsByOneSubscription which is renewed when the client subscribes to something else.
func TestASessionHearsByOneSubscription(t *testing.T) {
	var current *flow
	refuse := false
	modern(t, func(p *peer, f *wire.Frame, s *flow) {
		if refuse {
			s.failure(`{"code":-32602,"message":"no"}`)
			return
		}
		p.mu.Lock()
		current = s
		p.mu.Unlock()
		s.say(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":` + s.id + `}}}`)
	}, func(c *caller, p *peer) {
		t := c.t
		ears, err := c.Listen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		has(t, p.messages("subscriptions/listen")[0], `"notifications":{"toolsListChanged":true}`)
		if got := c.last(earlier("1", "resources/subscribe", `{"uri":"a:b"}`)); got != `{"jsonrpc":"2.0","id":1,"result":{}}` {
			t.Errorf("got %s", got)
		}
		has(t, p.messages("subscriptions/listen")[1], `{"toolsListChanged":true,"resourceSubscriptions":["a:b"]}`)
		synctest.Wait()
		if n := len(p.messages("cancelled")); n != 1 {
			t.Errorf("%d subscriptions were given up", n)
		}
		for _, meta := range []string{`"_meta":{"io.modelcontextprotocol/subscriptionId":` + current.id + `},`, ""} {
			current.say(strings.Replace(updated, `"uri"`, meta+`"uri"`, 1))
			if got := next(t, ears); got != updated {
				t.Errorf("got %s", got)
			}
		}
		refuse = true
		has(t, c.last(earlier("2", "resources/subscribe", `{"uri":"a:c"}`)), `"id":2,"error":{"code":-32602`)
		has(t, c.last(earlier("3", "resources/subscribe", `{}`)), `"id":3,"error":{"code":-32602`)
		current.say(updated)
		if got := next(t, ears); got != updated {
			t.Errorf("what was refused has ended what there was: %s", got)
		}
		refuse = false
		c.last(earlier("4", "resources/unsubscribe", `{"uri":"a:b"}`))
		if all := p.messages("subscriptions/listen"); strings.Contains(all[len(all)-1], "a:b") {
			t.Errorf("the server got %s", all[len(all)-1])
		}
	})
}

// TestASubscriptionThatIsNotAcknowledged is a fault of the server.
func TestASubscriptionThatIsNotAcknowledged(t *testing.T) {
	modern(t, func(_ *peer, _ *wire.Frame, s *flow) { s.result("{}") }, func(c *caller, _ *peer) {
		t := c.t
		if _, err := c.Send(t.Context(), &upstream.Outgoing{Frame: frame(t, earlier("1", "resources/subscribe", `{"uri":"a:b"}`))}); err == nil {
			t.Error("it is taken")
		}
	})
}

// TestAFloodOfNotificationsIsBounded: what nobody takes is lost.
func TestAFloodOfNotificationsIsBounded(t *testing.T) {
	modern(t, func(_ *peer, _ *wire.Frame, s *flow) {
		s.say(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged"}`)
		for range 900 {
			s.say(updated)
		}
	}, func(c *caller, _ *peer) {
		t := c.t
		ears, err := c.Listen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		n := 0
		for !strings.HasPrefix(next(t, ears), "error: ") {
			n++
		}
		if n != 256 {
			t.Errorf("%d are kept", n)
		}
	})
}
