package bridge_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

func TestRequestsOfTheLaterEraGoIntoASession(t *testing.T) {
	const state = `"requestState":"s","inputRequests":{}`
	for name, c := range map[string]struct {
		send       string
		gets       string // params that the server gets
		said, want string // what it answers, and what comes of that; an error where it begins with {"code"
	}{
		"numbers and unknown fields keep their bytes": {
			send: later(`"a\u0062"`, "tools/call", `"name":"t","arguments":{"n":1e400,"m":-0.0,"k":12345678901234567890},"x":[1.0]`),
			gets: `{"name":"t","arguments":{"n":1e400,"m":-0.0,"k":12345678901234567890},"x":[1.0],"_meta":{}}`,
			said: `{"content":[],"n":1E+2,"\u0061":[ 1.0 ]}`,
			want: `{"jsonrpc":"2.0","id":"a\u0062","result":{"resultType":"complete","content":[],"n":1E+2,"\u0061":[ 1.0 ]}}`,
		},
		"other _meta goes along": {
			send: laterLevel("1", "tools/call", `"name":"t"`, `,"com.example/a":1.0`),
			gets: `{"name":"t","_meta":{"com.example/a":1.0}}`, said: `{"_meta":{"b":2.0}}`,
			want: `{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","_meta":{"b":2.0}}}`,
		},
		"a list may not be kept": {
			send: later("1", "tools/list", ""), gets: `{"_meta":{}}`, said: `{"tools":[]}`,
			want: `{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[]}}`,
		},
		"a server cannot say what its era has no word for": {
			send: later("1", "tools/call", `"name":"t"`), gets: `{"name":"t","_meta":{}}`,
			said: `{"resultType":"input_required",` + state + `,"ttlMs":9,"cacheScope":"public","r":1}`,
			want: `{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","r":1}}`,
		},
		"an empty result": {
			send: later("1", "tools/call", `"name":"t"`), gets: `{"name":"t","_meta":{}}`, said: `{}`,
			want: `{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete"}}`,
		},
		"a resource that is not there": {
			send: later("1", "resources/read", `"uri":"a:b"`), gets: `{"uri":"a:b","_meta":{}}`,
			said: `{"code":-32002,"message":"none","data":{"uri":"a:b"}}`,
			want: `{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"none","data":{"uri":"a:b"}}}`,
		},
		"the same code of something else": {
			send: later("1", "tools/call", `"name":"t"`), gets: `{"name":"t","_meta":{}}`, said: `{"code":-32002,"message":"m"}`,
			want: `{"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"m"}}`,
		},
		"tasks are of another kind": {
			send: later("1", "tasks/get", `"taskId":"t"`), want: `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			legacy(t, func(_ *peer, _ *wire.Frame, s *flow) {
				if strings.HasPrefix(c.said, `{"code"`) {
					s.failure(c.said)
					return
				}
				s.result(c.said)
			}, func(b *caller, p *peer) {
				t := b.t
				if got := b.last(c.send); got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
				want := strings.ReplaceAll(c.gets, `,"_meta":{}`, "")
				want = strings.ReplaceAll(want, `"_meta":{}`, "")
				switch sent := p.messages(frame(t, c.send).String(wire.Method)); {
				case c.gets == "" && len(sent) > 0, c.gets != "" && len(sent) != 1:
					t.Errorf("the server got %q", sent)
				case c.gets != "":
					if f := frame(t, sent[0]); !sameMembers(string(f.Get(wire.Params)), want) {
						t.Errorf("the server got %s, want %s", f.Get(wire.Params), want)
					}
				}
			})
		})
	}
}

// sameMembers compares two objects, whose members may stand in another order, byte for byte.
func sameMembers(a, b string) bool {
	members := func(o string) map[string]string {
		m := map[string]string{}
		for e := range wire.Entries([]byte(o)) {
			m[string(e.Name)] = string(e.Value)
		}
		return m
	}
	return fmt.Sprint(members(a)) == fmt.Sprint(members(b))
}

func TestAServerIsGreetedOnceForEachKindOfClient(t *testing.T) {
	legacy(t, func(_ *peer, _ *wire.Frame, s *flow) { s.result("{}") }, func(c *caller, p *peer) {
		t := c.t
		got := c.last(later("1", "server/discover", ""))
		has(t, got, `"resultType":"complete"`, `"2026-07-28"`, `"2025-11-25"`, `"tools":{"x":1.0}`, `"instructions":"Be kind."`, `"name":"old"`)
		if strings.Contains(got, "tasks") {
			t.Errorf("tasks of the earlier era are promised: %s", got)
		}
		c.last(later("2", "tools/list", ""))
		has(t, p.messages("initialize")[0], `"protocolVersion":"2025-11-25"`, `"capabilities":{"sampling":{},"elicitation":{},"extensions":{"x/y":{}}}`, `"clientInfo":{"name":"c","version":"1"}`)
		if n, _ := p.links(); n != 1 || len(p.messages("notifications/initialized")) != 1 {
			t.Errorf("it was greeted %d times", n)
		}
		for i := range 20 { // clients that say something else of themselves each time
			c.last(strings.Replace(later("3", "tools/list", ""), `"sampling":{}`, fmt.Sprintf(`"sampling":{"n":%d}`, i), 1))
		}
		synctest.Wait()
		if opened, live := p.links(); opened != 21 || live > 8 {
			t.Errorf("%d of %d sessions are kept", live, opened)
		}
	})
}

func TestLogsComeFromTheLevelThatACallWants(t *testing.T) {
	log := func(level string) string {
		return `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"` + level + `","data":"d"}}`
	}
	legacy(t, func(_ *peer, f *wire.Frame, s *flow) {
		if f.String(wire.Method) != "logging/setLevel" {
			for _, l := range []string{"debug", "warning", "error"} {
				s.say(log(l))
			}
		}
		s.result("{}")
	}, func(c *caller, p *peer) {
		t := c.t
		for _, x := range []struct {
			level string
			logs  int // that the call gets
			sets  int // how often the level has been set
		}{{"", 0, 0}, {"error", 1, 1}, {"warning", 2, 2}, {"emergency", 0, 2}, {"debug", 3, 3}, {"info", 2, 3}, {"loud", 0, 3}} {
			meta := ""
			if x.level != "" {
				meta = `,"io.modelcontextprotocol/logLevel":"` + x.level + `"`
			}
			got := c.call(laterLevel("1", "tools/call", `"name":"t"`, meta))
			if len(got) != x.logs+1 {
				t.Errorf("level %q: got %q, want %d logs", x.level, got, x.logs)
			}
			if n := len(p.messages("logging/setLevel")); n != x.sets {
				t.Errorf("level %q: it was set %d times, want %d", x.level, n, x.sets)
			}
		}
	})
}

func TestProgressHasTheTokenOfTheClient(t *testing.T) {
	progress := func(token string) string {
		return `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":` + token + `,"progress":0.50}}`
	}
	legacy(t, func(_ *peer, f *wire.Frame, s *flow) {
		if token := f.Get(wire.MetaProgressToken); token != nil {
			s.say(progress(string(token)))
		}
		s.say(progress(`"mine"`)) // which is not what the server was given
		s.say(progress("7"))
		s.result("{}")
	}, func(c *caller, _ *peer) {
		t := c.t
		got := c.call(laterLevel("1", "tools/call", `"name":"t"`, `,"progressToken":"mine"`))
		if len(got) != 2 || got[0] != progress(`"mine"`) {
			t.Errorf("got %q", got)
		}
		if got = c.call(later("2", "tools/call", `"name":"t"`)); len(got) != 1 {
			t.Errorf("without a token: got %q", got)
		}
	})
}

// TestASessionThatEnds is followed by another one; only what changes nothing is sent again.
func TestASessionThatEnds(t *testing.T) {
	broken := true
	legacy(t, func(_ *peer, f *wire.Frame, s *flow) {
		if broken && f.Has(wire.Params) {
			broken = false
			s.fail(upstream.ErrSessionEnded)
			return
		}
		s.result(`{"fine":true}`)
	}, func(c *caller, p *peer) {
		t := c.t
		if got := c.last(later("1", "tools/list", "")); !strings.Contains(got, `"fine":true`) || len(p.messages("tools/list")) != 2 {
			t.Errorf("a list: %s", got)
		}
		broken = true
		if got := c.last(later("2", "tools/call", `"name":"t"`)); !strings.HasPrefix(got, "error: "+upstream.ErrUnknownOutcome.Error()) || len(p.messages("tools/call")) != 1 {
			t.Errorf("a call: %s", got)
		}
		p.forget()
		if got := c.last(later("3", "tools/call", `"name":"t"`)); !strings.Contains(got, `"fine":true`) {
			t.Errorf("when it was known to have ended: %s", got)
		}
	})
}

func TestServersThatAgreeToNoSessionAreRefused(t *testing.T) {
	for name, answer := range map[string]string{
		"the later era": `{"protocolVersion":"2026-07-28"}`, "no version": `{"capabilities":{}}`, "a version of its own": `{"protocolVersion":"2031-01-01"}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t, nil)
				p.greet = answer
				c := legacyBridge(t, p)
				defer c.close()
				if _, err := c.Send(t.Context(), &upstream.Outgoing{Frame: frame(t, later("1", "tools/list", ""))}); err == nil {
					t.Error("it is taken")
				}
				if _, live := p.links(); live != 0 {
					t.Error("the link is left open")
				}
			})
		})
	}
}

func TestClosingGivesUpWhatIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, nil)
		p.act = func(_ *wire.Frame, s *flow) { p.ask(s, "1", "roots/list", "{}") }
		c := legacyBridge(t, p)
		has(t, c.last(later("1", "tools/call", `"name":"t"`)), "input_required")
		c.close()
		c.close()
		if _, err := c.Send(t.Context(), &upstream.Outgoing{Frame: frame(t, later("1", "tools/list", ""))}); err == nil {
			t.Error("a request is taken after the end")
		}
		if _, live := p.links(); live != 0 {
			t.Error("a session is left open")
		}
		start := time.Now()
		synctest.Wait()
		if time.Since(start) > time.Second {
			t.Error("something goes on")
		}
		select {
		case <-c.Done():
		default:
			t.Error("it is not done")
		}
	})
}
