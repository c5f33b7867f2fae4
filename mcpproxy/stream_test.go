package mcpproxy_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/policy"
)

// push makes the upstream say something that belongs to no request of a session.
func (w *world) push(session, text string) {
	w.t.Helper()
	w.server.mu.Lock()
	out := w.server.sessions[session]
	w.server.mu.Unlock()
	if out == nil {
		w.t.Fatalf("the upstream has no session %s", session)
	}
	out <- text
}

func note(text string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":%q}}`, text)
}

func TestGeneralStream(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c, other := w.session("alice", "2025-11-25"), w.session("alice", "2025-11-25")
		get, others := c.listen(""), other.listen("")
		synctest.Wait()
		w.push("up-1", note("one"))
		w.push("up-2", note("two"))
		if m := get.must(); m.data != note("one") || m.id != "0-1" {
			t.Errorf("got %+v", m)
		}
		if m := others.must(); m.data != note("two") || m.id != "0-1" {
			t.Errorf("got %+v", m)
		}
	})
}

func TestGeneralStreamNeedsASession(t *testing.T) {
	cases := map[string]struct {
		edit   func(c *client, alice string)
		status int
	}{
		"none":            {func(c *client, _ string) { c.session = "" }, 405},
		"unknown":         {func(c *client, _ string) { c.session = "0123" }, 404},
		"another agent's": {func(c *client, alice string) { c.session = alice }, 404},
		"bad version":     {func(c *client, _ string) { c.version = "1999-01-01" }, 400},
		"another version": {func(c *client, _ string) { c.version = "2025-06-18" }, 400},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				alice, c := w.session("alice", "2025-11-25"), w.session("bob", "2025-11-25")
				x.edit(c, alice.session)
				if r := c.listen(""); r.status != x.status {
					w.t.Errorf("status %d, want %d", r.status, x.status)
				}
			})
		})
	}
}

// TestSecondGetTakesOver opens the stream again while the first one stands. The first ends, and all that comes later
// goes to the second.
func TestSecondGetTakesOver(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		get := c.listen("")
		for i := range 5 {
			synctest.Wait()
			w.push("up-1", note(fmt.Sprint(i)))
			if m := get.must(); m.data != note(fmt.Sprint(i)) {
				t.Fatalf("got %+v", m)
			}
			next := c.listen("")
			if got := get.all(); len(got) > 0 {
				t.Errorf("the first stream went on with %s", got)
			}
			get = next
		}
	})
}

func TestResumeSendsWhatWasMissed(t *testing.T) {
	cases := map[string]struct {
		sent   int    // notes before the client comes back
		last   string // event that it names
		before func(w *world, c *client)
		want   []string // ids of what it gets; nil where it is refused
	}{
		"nothing missed":      {sent: 2, last: "0-2", want: []string{}},
		"some missed":         {sent: 4, last: "0-2", want: []string{"0-3", "0-4"}},
		"from the beginning":  {sent: 2, last: "0-0", want: []string{"0-1", "0-2"}},
		"event of the future": {sent: 2, last: "0-7"},
		"no such stream":      {sent: 2, last: "9-0"},
		"no event id":         {sent: 2, last: "bogus"},
		"negative":            {sent: 2, last: "0--1"},
		"evicted":             {sent: 300, last: "0-1"},
		"last of many":        {sent: 300, last: "0-298", want: []string{"0-299", "0-300"}},
		"under a new policy": {sent: 2, last: "0-1", before: func(w *world, _ *client) {
			w.proxy.SetPolicy(w.policy("r2", nil))
		}},
		"by one who may say nothing": {sent: 2, last: "0-1", before: func(w *world, _ *client) { w.gate.check = refusing("ping") }},
		"by one who has to wait": {sent: 2, last: "0-1", want: []string{"0-2"}, before: func(w *world, _ *client) {
			w.gate.check = func(_ context.Context, c *policy.Call) (policy.Verdict, error) {
				if c.Method != "ping" {
					return policy.Pass, nil
				}
				return policy.Verdict{Reason: reasonTest, Wait: time.Second}, nil
			}
		}},
		"another session": {sent: 2, last: "0-1", before: func(_ *world, c *client) { c.session = ""; c.initialize("2025-11-25") }},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				c := w.session("alice", "2025-11-25")
				get := c.listen("")
				synctest.Wait()
				for i := range x.sent {
					w.push("up-1", note(fmt.Sprint(i+1)))
					get.must()
				}
				get.body.Close()
				synctest.Wait()
				if x.before != nil {
					x.before(w, c)
					synctest.Wait()
				}
				again := c.listen(x.last)
				if x.want == nil {
					if got := again.last(); again.status != 400 || !strings.Contains(got, "EVENT_UNKNOWN") && !strings.Contains(got, "cannot be resumed") {
						t.Errorf("got %d %s", again.status, got)
					}
					return
				}
				for _, id := range x.want {
					if m := again.must(); m.id != id || m.data != note(strings.TrimPrefix(id, "0-")) {
						t.Errorf("got %+v, want %s", m, id)
					}
				}
				synctest.Wait()
				w.push("up-1", note("more"))
				if m := again.must(); m.data != note("more") {
					t.Errorf("then came %+v", m)
				}
			})
		})
	}
}

// TestResumeOfAnAnswer breaks a POST stream in the middle. The call goes on, and the client gets the rest.
func TestResumeOfAnAnswer(t *testing.T) {
	cases := map[string]struct {
		finish func(w *world)
		before bool // the call is over before the client is back
		want   string
	}{
		"answered meanwhile": {func(w *world) { w.server.release <- struct{}{} }, true, `"result"`},
		"answered later":     {func(w *world) { w.server.release <- struct{}{} }, false, `"result"`},
		"failed meanwhile":   {func(*world) { time.Sleep(2 * time.Minute) }, true, "UPSTREAM_TIMEOUT"},
		"failed later":       {func(*world) {}, false, "UPSTREAM_TIMEOUT"},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				c := w.session("alice", "2025-11-25")
				stream := c.post(says("1", note("first")))
				first := stream.must()
				if first.data != note("first") {
					t.Fatalf("got %+v", first)
				}
				stream.body.Close()
				synctest.Wait()
				if x.before {
					x.finish(w)
					synctest.Wait()
				}
				again := c.listen(first.id)
				if !x.before {
					synctest.Wait()
					x.finish(w)
				}
				if got := again.all(); len(got) != 1 || !strings.Contains(got[0], x.want) || !strings.Contains(got[0], `"id":1,`) {
					t.Errorf("status %d, got %s", again.status, got)
				}
			})
		})
	}
}

// TestResumeBeforeAnyMessage breaks a stream that has had nothing but the event under which it begins, twice.
func TestResumeBeforeAnyMessage(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		stream := <-c.begin(tool("1", "hold", "{}")) // a comment begins it when it takes long
		line, err := stream.br.ReadString('\n')
		if id := strings.TrimPrefix(strings.TrimSpace(line), "id: "); err != nil || id == line {
			t.Fatalf("got %q, %v", line, err)
		}
		id := strings.TrimPrefix(strings.TrimSpace(line), "id: ")
		stream.body.Close()
		again := c.listen(id)
		synctest.Wait()
		again.body.Close()
		synctest.Wait()
		w.server.release <- struct{}{}
		synctest.Wait()
		third := c.listen(id)
		if got := third.all(); len(got) != 1 || !strings.Contains(got[0], `"result"`) {
			t.Errorf("status %d, got %s", third.status, got)
		}
	})
}

// TestNothingIsLostWhileResuming has the server talk without pause while the client comes back again and again.
func TestNothingIsLostWhileResuming(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		const notes = 200
		c := w.session("alice", "2025-11-25")
		get := c.listen("")
		synctest.Wait()
		go func() {
			for i := range notes {
				w.push("up-1", note(fmt.Sprint(i)))
				time.Sleep(time.Millisecond)
			}
		}()
		last := "0-0"
		for i := 0; i < notes; {
			for range 7 {
				m, ok := get.next()
				if !ok || i == notes {
					break
				}
				if m.data != note(fmt.Sprint(i)) {
					t.Fatalf("got %s, want note %d", m.data, i)
				}
				last = m.id
				i++
			}
			if i < notes {
				next := c.listen(last)
				get.body.Close()
				get = next
			}
		}
	})
}

// TestSlowReaderHoldsUpNobody has an agent that opens streams and reads none of them. Pipes hold no byte, so that what
// is written to it waits at once.
func TestSlowReaderHoldsUpNobody(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		slow := w.session("alice", "2025-11-25")
		slow.listen("")
		held := slow.begin(says("1", note("x")))
		synctest.Wait()
		w.push("up-1", note("never read"))
		synctest.Wait()
		<-held

		start := time.Now()
		if status, got := slow.call(tool("2", "echo", "{}")); status != 200 || !strings.Contains(got, "result") {
			t.Errorf("another call of the session: %d %s", status, got)
		}
		if status, _ := slow.call(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`); status != 202 {
			t.Errorf("a cancellation: %d", status)
		}
		bob := w.session("bob", "2025-11-25")
		if status, _ := bob.call(tool("2", "echo", "{}")); status != 200 {
			t.Errorf("another agent: %d", status)
		}
		w.proxy.SetPolicy(w.policy("r2", nil))
		w.revoke("bob-key")
		w.revoke("alice-key")
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestStreamsEndWithTheSession(t *testing.T) {
	cases := map[string]func(w *world, c *client){
		"DELETE":  func(_ *world, c *client) { c.must(http.MethodDelete, "") },
		"revoked": func(w *world, _ *client) { w.revoke("alice-key") },
		"connection removed": func(w *world, _ *client) {
			w.proxy.SetPolicy(w.policy("r2", func(p *mcpproxy.Policy) { delete(p.Connections, mcpproxy.Way{Agent: "alice", Upstream: "up"}) }))
		},
		"upstream redefined": func(w *world, _ *client) {
			old := w.servers["up"]
			w.servers["up"], w.servers["old"] = w.remote("up"), old
			w.proxy.SetPolicy(w.policy("r2", nil))
		},
		"closed": func(w *world, _ *client) { w.proxy.Close() },
	}
	for name, end := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				c := w.session("alice", "2025-11-25")
				get := c.listen("")
				synctest.Wait()
				start := time.Now()
				end(w, c)
				if got := get.all(); len(got) > 0 {
					t.Errorf("got %s", got)
				}
				if took := time.Since(start); took > time.Second {
					t.Errorf("took %s", took)
				}
				synctest.Wait()
				if got := w.server.ended; len(got) != 1 || got[0] != "up-1" {
					t.Errorf("sessions that the upstream was told to end: %s", got)
				}
			})
		})
	}
}
