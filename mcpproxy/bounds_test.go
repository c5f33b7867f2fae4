//go:build unix

package mcpproxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// TestEventsOfOneAgentAreBounded fills what is kept for clients that come back, over many sessions. The oldest is gone
// then, and another agent's is not.
func TestEventsOfOneAgentAreBounded(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		big := note(strings.Repeat("x", 250<<10))
		var all []*client
		for i := range 18 {
			c := w.session(map[bool]string{true: "bob", false: "alice"}[i == 0], "2025-11-25")
			get := c.listen("")
			synctest.Wait()
			for range 4 {
				w.push(fmt.Sprintf("up-%d", i+1), big)
				get.must()
			}
			get.body.Close()
			synctest.Wait()
			all = append(all, c)
		}
		for i, want := range map[int]int{0: 200, 1: 400, 2: 200, 17: 200} {
			r := all[i].listen("0-0")
			r.body.Close()
			if r.status != want {
				t.Errorf("session %d: status %d, want %d", i, r.status, want)
			}
		}
		all[17].must(http.MethodDelete, "") // which makes room
		c := w.session("alice", "2025-11-25")
		get := c.listen("")
		synctest.Wait()
		for range 3 {
			w.push("up-19", big)
			get.must()
		}
		r := all[2].listen("0-0")
		r.body.Close()
		if r.status != 200 {
			t.Errorf("with room: status %d", r.status)
		}
	})
}

// TestSessionsWithAProcessAreBounded opens more sessions to a server on standard streams than an agent may have
// processes. None is started here: a gate keeps them all waiting.
func TestSessionsWithAProcessAreBounded(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		w.servers["old"], w.servers["up"] = w.servers["up"], w.upstream(upstream.Config{Name: "up", Command: []string{"/nonexistent/server"}})
		w.proxy.SetPolicy(w.policy("r2", nil))
		w.gate.check = func(ctx context.Context, _ *policy.Call) (policy.Verdict, error) {
			<-ctx.Done()
			return policy.Pass, nil
		}
		for range 128 {
			w.agent("alice").begin(fmt.Sprintf(helloFormat, "2025-11-25"))
		}
		synctest.Wait()
		if status, _ := w.agent("alice").call(fmt.Sprintf(helloFormat, "2025-11-25")); status != 429 {
			t.Errorf("status %d", status)
		}
		bob := w.agent("bob").begin(fmt.Sprintf(helloFormat, "2025-11-25"))
		time.Sleep(2 * w.timeout)
		if r := <-bob; r == nil || r.status == 429 {
			t.Error("another agent is kept out")
		}
		if status, _ := w.agent("alice").call(fmt.Sprintf(helloFormat, "2025-11-25")); status == 429 {
			t.Error("sessions that have failed still count")
		}
	})
}

// onStdio runs a test in a bubble, with alice on standard streams before the fake server over HTTP.
func onStdio(t *testing.T, test func(w *world, p *process)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.serve()
		p := w.process()
		defer p.close()
		test(w, p)
	})
}

// TestALinkIsWaitedForOnlySoLong has a server that does not greet again, for which the listener waits as well as a call.
func TestALinkIsWaitedForOnlySoLong(t *testing.T) {
	onStdio(t, func(w *world, p *process) {
		t := w.t
		p.w.proxy.SetPolicy(p.w.policy("r2", func(pol *mcpproxy.Policy) {
			pol.Agents["alice"] = mcpproxy.Principal{Agent: pol.Agents["alice"].Agent, Local: true}
			pol.Connections[mcpproxy.Way{Agent: "alice", Upstream: "up"}].Timeout = 5 * time.Second
		}))
		p.initialize("2025-06-18")
		synctest.Wait()
		w.server.forget()
		w.server.intrude = func(_ http.ResponseWriter, r *http.Request, f *wire.Frame) bool {
			if f.String(wire.Method) == "initialize" {
				<-r.Context().Done()
			}
			return false
		}
		p.say(tool("1", "echo", "{}"))
		p.hear(`"id":1,`)
		synctest.Wait()
		start := time.Now()
		p.say(tool("2", "echo", "{}"))
		if got := p.hear(`"id":2,`); !strings.Contains(got, "UPSTREAM_UNAVAILABLE") || time.Since(start) != 5*time.Second {
			t.Errorf("after %s came %s", time.Since(start), got)
		}
		if e := w.last("tools/call"); !e.unsent {
			t.Errorf("on record is %+v", e)
		}
	})
}

// TestGreetingsAreRepeatedInFull ends the upstream's session of a process on stdio. It is opened again as it was.
func TestGreetingsAreRepeatedInFull(t *testing.T) {
	onStdio(t, func(w *world, p *process) {
		t := w.t
		p.initialize("2025-06-18")
		synctest.Wait()
		w.server.forget()
		versions := map[string]string{}
		w.server.intrude = func(_ http.ResponseWriter, r *http.Request, f *wire.Frame) bool {
			versions[f.String(wire.Method)] = r.Header.Get("Mcp-Protocol-Version")
			return false
		}
		p.say(tool("1", "echo", "{}"))
		p.hear(`"id":1,`)
		p.say(tool("2", "echo", "{}"))
		p.hear(`"id":2,"result"`)
		if got := fmt.Sprint(versions); got != "map[initialize: notifications/initialized:2025-06-18 tools/call:2025-06-18]" {
			t.Errorf("got %s", got)
		}
	})
}

// TestAnOutputThatNobodyReadsHoldsUpNothing stops the proxy while news for a process on stdio cannot be written.
func TestAnOutputThatNobodyReadsHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.serve()
		w.proxy.SetPolicy(w.local("r1"))
		in, write := io.Pipe()
		read, out := io.Pipe()
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			s := ingress.Stdio{Handler: w.proxy, In: in, Out: out}
			done <- s.Serve(ctx, &ingress.Peer{Transport: "stdio", Remote: "me", Upstream: "up", Local: true})
		}()
		fmt.Fprintf(write, helloFormat+"\n", "2025-11-25")
		if _, err := bufio.NewReader(read).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		io.WriteString(write, greeted+"\n")
		synctest.Wait()
		w.proxy.SetPolicy(w.local("r2"))
		synctest.Wait()
		stop()
		<-done
		w.close()
		read.Close()
		write.Close()
	})
}

// TestAServerThatCannotBeReachedKeepsNobodyFromAnother has a server that takes connections and says nothing, which a call
// without a session waits for.
func TestAServerThatCannotBeReachedKeepsNobodyFromAnother(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		silent := func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		w.servers["other"] = w.upstream(upstream.Config{Name: "other", URL: "http://other.test/sse", SSE: true, Dial: silent})
		w.proxy.SetPolicy(w.policy("r2", nil))
		alice := w.agent("alice")
		alice.upstream = "other"
		waiting := alice.begin(modernTool("1", "echo", "{}"), modernHead("tools/call", "echo"))
		synctest.Wait()
		start := time.Now()
		if status, got := w.agent("bob").call(modernTool("2", "echo", "{}"), modernHead("tools/call", "echo")); status != 200 || !strings.Contains(got, `"result"`) || time.Since(start) != 0 {
			t.Errorf("after %s came %d %s", time.Since(start), status, got)
		}
		if r := <-waiting; !strings.Contains(r.last(), "UPSTREAM_UNAVAILABLE") {
			t.Error("the server that says nothing was reached")
		}
	})
}
