package mcpproxy_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

var hello = fmt.Sprintf(helloFormat, "2025-11-25")

func TestSessionsBelongToAnAgentAndAnUpstream(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		alice, bob := w.session("alice", "2025-11-25"), w.session("bob", "2025-11-25")
		if alice.session == bob.session || len(alice.session) != 40 || alice.session == "up-1" {
			t.Errorf("sessions are %q and %q", alice.session, bob.session)
		}
		cases := map[string]func(c *client){
			"unknown":        func(c *client) { c.session = strings.Repeat("0", 40) },
			"the upstream's": func(c *client) { c.session = "up-1" },
			"another agent":  func(c *client) { c.key = bob.key },
			"another path":   func(c *client) { c.upstream = "other" },
		}
		for name, edit := range cases {
			c := *alice
			edit(&c)
			for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
				r := c.must(method, tool("1", "echo", "{}"))
				if got := r.last(); r.status != 404 || !strings.Contains(got, "no such session") {
					t.Errorf("%s, %s: %d %s", name, method, r.status, got)
				}
			}
		}
		if got := len(w.server.messages("tools/call")); got != 0 {
			t.Errorf("the server got %d calls", got)
		}
		if status, _ := alice.call(tool("1", "echo", "{}")); status != 200 {
			t.Errorf("the session has ended: %d", status)
		}
	})
}

func TestSessionAdmits(t *testing.T) {
	cases := map[string]struct {
		edit   func(c *client)
		body   string
		status int
		want   string
	}{
		"no session":         {func(c *client) { c.session = "" }, tool("1", "echo", "{}"), 400, "Mcp-Session-Id is missing"},
		"call too early":     {nil, tool("1", "echo", "{}"), 400, "not initialized"},
		"ping":               {nil, `{"jsonrpc":"2.0","id":1,"method":"ping"}`, 200, `"result":{}`},
		"second initialize":  {nil, hello, 400, "initialized already"},
		"no version header":  {func(c *client) { c.version = "" }, `{"jsonrpc":"2.0","id":1,"method":"ping"}`, 200, `"result":{}`},
		"bad version header": {func(c *client) { c.version = "2024-01-01" }, `{"jsonrpc":"2.0","id":1,"method":"ping"}`, 400, "MCP-Protocol-Version"},
		"another version":    {func(c *client) { c.version = "2025-06-18" }, `{"jsonrpc":"2.0","id":1,"method":"ping"}`, 400, "MCP-Protocol-Version"},
		"a batch":            {nil, "[" + tool("1", "echo", "{}") + "]", 400, "no batches"},
		"another notification too early": {
			nil, `{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`, 400, "not initialized",
		},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				c := w.agent("alice")
				r := c.post(hello)
				r.all()
				c.session, c.version = r.header.Get("Mcp-Session-Id"), "2025-11-25"
				if x.edit != nil {
					x.edit(c)
				}
				if status, got := c.call(x.body); status != x.status || !strings.Contains(got, x.want) {
					t.Errorf("got %d %s", status, got)
				}
				if got := len(w.server.messages(`"initialize"`)); got != 1 {
					t.Errorf("the server was greeted %d times", got)
				}
			})
		})
	}
}

// TestInitializeIgnoresAForeignSession is about session fixation.
func TestInitializeIgnoresAForeignSession(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		bob := w.session("bob", "2025-11-25")
		for _, brought := range []string{"chosen-by-me", bob.session} {
			r := w.agent("alice").post(hello, header("Mcp-Session-Id", brought))
			if got := r.header.Get("Mcp-Session-Id"); r.status != 200 || got == "" || got == brought {
				t.Errorf("status %d, session %q", r.status, got)
			}
		}
	})
}

// TestInitializeOffersAVersionThatSessionsCanHave is about a server that agrees to whatever it is asked for.
func TestInitializeOffersAVersionThatSessionsCanHave(t *testing.T) {
	for asked, want := range map[string]string{
		"2999-01-01": "2025-11-25", "2026-07-28": "2025-11-25", "": "2025-11-25", "2024-11-05": "2024-11-05", "2025-03-26": "2025-03-26",
	} {
		bubble(t, func(w *world) {
			t := w.t
			c := w.agent("alice")
			r := c.post(fmt.Sprintf(helloFormat, asked))
			if got := r.last(); r.status != 200 || !strings.Contains(got, `"protocolVersion":"`+want+`"`) {
				t.Errorf("%q: got %d %s, want %s", asked, r.status, got, want)
			}
			if got := w.server.messages(fmt.Sprintf(helloFormat, want)); len(got) != 1 {
				t.Errorf("%q: the server got %s", asked, w.server.messages(""))
			}
			c.session, c.version = r.header.Get("Mcp-Session-Id"), want
			if status, _ := c.call(greeted); status != 202 {
				t.Errorf("%q: initialized: %d", asked, status)
			}
		})
	}
}

func TestFailedInitializeLeavesNothing(t *testing.T) {
	cases := map[string]struct {
		prepare func(w *world)
		want    string
	}{
		"refused by the gate": {func(w *world) { w.gate.check = refusing("initialize") }, "NOT_PERMITTED"},
		"not on record": {func(w *world) {
			w.journal.fail = func(*policy.Call) error { return errors.New("disk full") }
		}, "POLICY_UNAVAILABLE"},
		"refused by the upstream": {func(w *world) {
			w.server.intrude = func(rw http.ResponseWriter, _ *http.Request, f *wire.Frame) bool {
				if f.String(wire.Method) != "initialize" {
					return false
				}
				rw.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(rw, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"no"}}`, f.Get(wire.ID))
				return true
			}
		}, "-32602"},
		"a version that nobody has":  {func(w *world) { w.server.version = "2030-01-01" }, "broke the protocol"},
		"a version of the later era": {func(w *world) { w.server.version = "2026-07-28" }, "broke the protocol"},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				x.prepare(w)
				for range 3 {
					r := w.agent("alice").post(hello)
					if got := r.last(); !strings.Contains(got, x.want) || r.header.Get("Mcp-Session-Id") != "" {
						t.Fatalf("got %s, session %q", got, r.header.Get("Mcp-Session-Id"))
					}
				}
			})
		})
	}
}

// TestRefusedInitializesAreNoSessions sends more of them than an agent may have sessions.
func TestRefusedInitializesAreNoSessions(t *testing.T) {
	bubble(t, func(w *world) {
		w.gate.check = refusing("initialize")
		c := w.agent("alice")
		for range 1001 {
			c.call(hello)
		}
		w.gate.check = nil
		c.initialize("2025-11-25")
	})
}

// TestInitializeNamesTheSessionWhereTheServerTalksFirst has a server say something before it answers initialize, so that
// the answer begins as a stream.
func TestInitializeNamesTheSessionWhereTheServerTalksFirst(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		w.server.intrude = func(rw http.ResponseWriter, _ *http.Request, f *wire.Frame) bool {
			if f.String(wire.Method) != "initialize" {
				return false
			}
			w.server.mu.Lock()
			w.server.sessions["up-1"] = make(chan string, 1)
			w.server.mu.Unlock()
			rw.Header().Set("Mcp-Session-Id", "up-1")
			head(rw)
			event(rw, note("starting"))
			w.server.act(t.Context(), f, func(m string) { event(rw, m) })
			return true
		}
		c := w.agent("alice")
		r := c.post(hello)
		c.session = r.header.Get("Mcp-Session-Id")
		if got := r.all(); len(got) != 2 || c.session == "" {
			t.Fatalf("session %q, got %s", c.session, got)
		}
		if status, _ := c.call(greeted); status != 202 {
			t.Errorf("initialized: %d", status)
		}
	})
}

func TestSessionsOfAnAgentAreBounded(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.agent("alice")
		var first string
		for i := range 1000 {
			r := c.post(hello)
			r.all()
			if r.status != 200 {
				t.Fatalf("session %d: status %d", i, r.status)
			}
			first = r.header.Get("Mcp-Session-Id")
		}
		if status, got := c.call(hello); status != 429 || !strings.Contains(got, "TOO_MANY_SESSIONS") {
			t.Errorf("got %d %s", status, got)
		}
		if status, _ := w.agent("bob").call(hello); status != 200 {
			t.Errorf("another agent: %d", status)
		}
		c.session = first
		c.must(http.MethodDelete, "")
		c.session = ""
		if status, _ := c.call(hello); status != 200 {
			t.Errorf("after one has ended: %d", status)
		}
	})
}

func TestSessionsEndWithTime(t *testing.T) {
	cases := map[string]struct {
		live func(w *world, c *client) // what the client does
		end  int                       // status of a call afterwards
	}{
		"idle":        {func(*world, *client) { time.Sleep(32 * time.Minute) }, 404},
		"nearly idle": {func(*world, *client) { time.Sleep(29 * time.Minute) }, 200},
		"listening":   {func(_ *world, c *client) { get := c.listen(""); go get.all(); time.Sleep(2 * time.Hour) }, 200},
		"listened":    {func(_ *world, c *client) { c.listen("").body.Close(); time.Sleep(time.Hour) }, 404},
		"waiting":     {func(w *world, c *client) { r := c.post(says("1", note("x"))); go r.all(); time.Sleep(50 * time.Minute) }, 200},
		"busy for too long": {func(_ *world, c *client) {
			for range 97 {
				time.Sleep(15 * time.Minute)
				c.call(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
			}
		}, 404},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.timeout = time.Hour
				w.proxy.SetPolicy(w.policy("r1", nil))
				c := w.session("alice", "2025-11-25")
				x.live(w, c)
				synctest.Wait()
				if status, got := c.call(tool("9", "echo", "{}")); status != x.end {
					w.t.Errorf("got %d %s, want %d", status, got, x.end)
				}
				if ended := len(w.server.ended) > 0; ended != (x.end == 404) {
					w.t.Errorf("sessions that the upstream was told to end: %s", w.server.ended)
				}
			})
		})
	}
}

// TestSessionsLastAsLongAsThePolicySays shortens what has begun too.
func TestSessionsLastAsLongAsThePolicySays(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		idle, busy := w.session("alice", "2025-11-25"), w.session("alice", "2025-11-25")
		w.proxy.SetPolicy(w.policy("r2", func(p *mcpproxy.Policy) { p.IdleSession, p.LongSession = 3*time.Second, 10*time.Second }))
		for range 4 {
			time.Sleep(2 * time.Second)
			if status, got := busy.call(`{"jsonrpc":"2.0","id":1,"method":"ping"}`); status != 200 {
				t.Fatalf("in use: got %d %s", status, got)
			}
		}
		if status, got := idle.call(tool("9", "echo", "{}")); status != 404 {
			t.Errorf("idle: got %d %s", status, got)
		}
		time.Sleep(5 * time.Second)
		if status, got := busy.call(tool("9", "echo", "{}")); status != 404 {
			t.Errorf("at its end: got %d %s", status, got)
		}
	})
}

func TestDeleteEndsASessionOnce(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		for i, want := range []int{204, 404} {
			if r := c.must(http.MethodDelete, ""); r.status != want {
				t.Errorf("DELETE %d: status %d", i, r.status)
			}
		}
		if status, _ := c.call(tool("1", "echo", "{}")); status != 404 {
			t.Errorf("a call afterwards: %d", status)
		}
		c.session = ""
		if r := c.must(http.MethodDelete, ""); r.status != 405 {
			t.Errorf("DELETE without a session: status %d", r.status)
		}
		synctest.Wait()
		if len(w.server.ended) != 1 {
			t.Errorf("sessions that the upstream was told to end: %s", w.server.ended)
		}
	})
}

func TestPolicyChangesReachOpenSessions(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c, bob := w.session("alice", "2025-11-25"), w.session("bob", "2025-11-25")
		early := w.agent("alice") // has no initialized session yet
		r := early.post(hello)
		r.all()
		early.session = r.header.Get("Mcp-Session-Id")
		get, bobs, earlys := c.listen(""), bob.listen(""), early.listen("")
		synctest.Wait()
		w.proxy.SetPolicy(w.policy("r2", nil))
		w.proxy.SetPolicy(w.policy("r2", nil)) // the same again
		const changed = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`
		for _, s := range []*response{get, bobs} {
			if m := s.must(); m.data != changed {
				t.Errorf("got %s", m.data)
			}
		}
		w.push("up-1", note("after"))
		w.push("up-3", note("after"))
		for name, s := range map[string]*response{"settled": get, "early": earlys} {
			if m := s.must(); m.data != note("after") {
				t.Errorf("%s: then came %s", name, m.data)
			}
		}
		w.proxy.SetPolicy(w.policy("r3", func(p *mcpproxy.Policy) { delete(p.Connections, mcpproxy.Way{Agent: "bob", Upstream: "up"}) }))
		if all := bobs.all(); len(all) > 0 {
			t.Errorf("bob got %s", all)
		}
		if status, _ := bob.call(tool("1", "echo", "{}")); status != 403 {
			t.Errorf("bob: %d", status)
		}
		if m := get.must(); m.data != changed {
			t.Errorf("got %s", m.data)
		}
		if status, _ := c.call(tool("1", "echo", "{}")); status != 200 {
			t.Errorf("alice: %d", status)
		}
	})
}
