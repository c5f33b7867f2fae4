package mcpproxy_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// large is a string of JSON of about so many bytes.
func large(n int) string { return `"` + strings.Repeat("x", n) + `"` }

// TestMessagesOfOneAgentUnderWayAreBounded fills what one agent may have under way. Another one, and an answer, pass all the
// same.
func TestMessagesOfOneAgentUnderWayAreBounded(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		defer time.Sleep(time.Second) // net/http waits for a while before it closes a connection
		empty := w.proxy.TestOnlyFill("alice", 100<<10)
		under := w.agent("alice").begin(modernTool("1", "hold", `{"x":`+large(40<<10)+`}`), modernHead("tools/call", "hold"))
		synctest.Wait()
		for size, want := range map[int]int{0: 200, 40 << 10: 200, 70 << 10: 429} {
			status, got := w.agent("alice").call(modernTool("1", "echo", `{"x":`+large(size)+`}`), modernHead("tools/call", "echo"))
			if status != want || (want == 429) != strings.Contains(got, "too many calls are waiting") {
				t.Errorf("%d bytes: %d %.300s", size, status, got)
			}
		}
		if status, got := w.agent("bob").call(modernTool("1", "echo", `{"x":`+large(70<<10)+`}`), modernHead("tools/call", "echo")); status != 200 {
			t.Errorf("another agent: %d %.300s", status, got)
		}
		if got := w.last("").code; got != "TOO_MANY_CALLS" {
			t.Errorf("on record is %q", got)
		}
		w.server.release <- struct{}{}
		(<-under).last()
		empty()
		synctest.Wait()
		if status, got := w.agent("alice").call(modernTool("1", "echo", `{"x":`+large(3<<20)+`}`), modernHead("tools/call", "echo")); status != 200 {
			t.Errorf("with room again: %d %.300s", status, got)
		}
	})
}

// TestWhatSessionsKeepOfAnAgentIsBounded opens sessions with long greetings.
func TestWhatSessionsKeepOfAnAgentIsBounded(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		long := strings.Replace(fmt.Sprintf(helloFormat, "2025-11-25"), `"name":"test"`, `"name":"test","icon":`+large(3<<20), 1)
		var all []*client
		for i := range 6 {
			c := w.agent("alice")
			r := c.post(long)
			got := r.last()
			if want := map[bool]int{true: 200, false: 429}[i < 5]; r.status != want || i == 5 && !strings.Contains(got, "too many open sessions") {
				t.Fatalf("session %d: %d %.300s", i, r.status, got)
			}
			c.session = r.header.Get("Mcp-Session-Id")
			all = append(all, c)
		}
		if got := w.last("initialize").code; got != "TOO_MANY_SESSIONS" {
			t.Errorf("on record is %s", got)
		}
		bob := w.agent("bob")
		if r := bob.post(long); r.status != 200 {
			t.Errorf("another agent: %d", r.status)
		}
		if status, _ := all[0].call(strings.Replace(greeted, `"}`, `","params":{"_meta":{"x":`+large(3<<20)+`}}}`, 1)); status != 202 {
			t.Errorf("a long notification: %d", status)
		}
		if got := w.last("notifications/initialized").code; got != "TOO_MANY_SESSIONS" {
			t.Errorf("on record is %s", got)
		}
		all[0].must(http.MethodDelete, "")
		synctest.Wait()
		if r := w.agent("alice").post(long); r.status != 200 {
			t.Errorf("with room again: %d", r.status)
		}
	})
}

// TestWhatSubscriptionsKeepOfAnAgentIsBounded subscribes with long requests, which a session keeps.
func TestWhatSubscriptionsKeepOfAnAgentIsBounded(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		w.server.intrude = func(rw http.ResponseWriter, _ *http.Request, f *wire.Frame) bool {
			if !strings.HasPrefix(f.String(wire.Method), "resources/") {
				return false
			}
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(rw, `{"jsonrpc":"2.0","id":%s,"result":{}}`, f.Get(wire.ID))
			return true
		}
		subscribe := func(c *client, method string, i int) string {
			_, got := c.call(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"resources/%s","params":{"uri":"file:///%d","_meta":{"x":%s}}}`, i, method, i, large(3<<20)))
			return got
		}
		c := w.session("alice", "2025-11-25")
		for i := range 6 {
			if got := subscribe(c, "subscribe", i); strings.Contains(got, "too many open sessions") != (i == 5) {
				t.Errorf("subscription %d: %.300s", i, got)
			}
		}
		if got := subscribe(c, "subscribe", 4); !strings.Contains(got, "too many open sessions") {
			t.Errorf("once more: %.300s", got)
		}
		if got := subscribe(w.session("bob", "2025-11-25"), "subscribe", 1); !strings.Contains(got, `"result"`) {
			t.Errorf("another agent: %.300s", got)
		}
		if got := subscribe(c, "unsubscribe", 1); !strings.Contains(got, `"result"`) {
			t.Errorf("to unsubscribe: %.300s", got)
		}
		if got := subscribe(c, "subscribe", 7); !strings.Contains(got, `"result"`) {
			t.Errorf("with room again: %.300s", got)
		}
	})
}

// TestAnswersThatNobodyTakesAreBounded has an answer wait beside many others.
func TestAnswersThatNobodyTakesAreBounded(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		answer := `,"result":{"content":[{"type":"text","text":` + large(60<<10) + `}]}}`
		w.server.intrude = func(rw http.ResponseWriter, _ *http.Request, f *wire.Frame) bool {
			if f.String(wire.ParamsName) != "big" {
				return false
			}
			rw.Header().Set("Content-Type", "application/json")
			io.WriteString(rw, `{"jsonrpc":"2.0","id":`+string(f.Get(wire.ID))+answer)
			return true
		}
		release := make(chan struct{})
		w.gate.screen = func(_ context.Context, c *policy.Call, _ *wire.Frame) (policy.Verdict, error) {
			if c.Agent.Name == "alice" && c.Target == "big" {
				<-release
			}
			return policy.Pass, nil
		}
		empty := w.proxy.TestOnlyFill("alice", 100<<10)
		call := func(agent, tool string) string {
			_, got := w.agent(agent).call(modernTool("1", tool, "{}"), modernHead("tools/call", tool))
			return got
		}
		under := w.agent("alice").begin(modernTool("1", "big", "{}"), modernHead("tools/call", "big"))
		synctest.Wait()
		if got := call("alice", "big"); !strings.Contains(got, "Too many of your answers") {
			t.Errorf("one too many: %.300s", got)
		}
		if got := w.last("tools/call").code; got != "ANSWERS_UNREAD" {
			t.Errorf("on record is %s", got)
		}
		if got := call("alice", "echo"); !strings.Contains(got, `"result"`) || strings.Contains(got, "isError") {
			t.Errorf("a small one: %.300s", got)
		}
		if got := call("bob", "big"); !strings.Contains(got, answer) {
			t.Errorf("another agent: %.300s", got)
		}
		close(release)
		if got := (<-under).last(); !strings.Contains(got, answer) {
			t.Errorf("the one that waited: %.300s", got)
		}
		synctest.Wait()
		for range 3 {
			if got := call("alice", "big"); !strings.Contains(got, answer) {
				t.Errorf("with room again: %.300s", got)
			}
		}
		empty()
	})
}

// TestAnswersToABatchWaitForEachOther has the answers to its members count until all of them are there.
func TestAnswersToABatchWaitForEachOther(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-03-26")
		defer w.proxy.TestOnlyFill("alice", 100<<10)()
		big := func(id string) string { return tool(id, "echo", `{"x":`+large(30<<10)+`}`) }
		for range 3 { // what counts is given back
			if _, got := c.call("[" + big("1") + "," + big("2") + "]"); strings.Contains(got, "Too many") {
				t.Errorf("two that fit: %.300s", got)
			}
		}
		c.w.server.intrude = func(rw http.ResponseWriter, _ *http.Request, f *wire.Frame) bool {
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(rw, `{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":%s}]}}`, f.Get(wire.ID), large(60<<10))
			return true
		}
		for range 3 {
			_, got := c.call("[" + tool("1", "big", "{}") + "," + tool("2", "big", "{}") + "]")
			if n := strings.Count(got, "Too many of your answers"); n != 1 {
				t.Errorf("of two answers that have no room together %d are withheld", n)
			}
		}
	})
}
