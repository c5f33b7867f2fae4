package mcpproxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// large is a string of JSON of about so many bytes.
func large(n int) string { return `"` + strings.Repeat("x", n) + `"` }

// TestMessagesOfOneAgentUnderWayAreBounded fills what one agent may have under way. Another one, and an answer, pass all the
// same.
func TestMessagesOfOneAgentUnderWayAreBounded(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		defer time.Sleep(time.Second) // net/http waits for a while before it closes a connection
		empty := w.proxy.TestOnlyFill("alice", 50<<10, 8<<20)
		under := w.agent("alice").begin(modernTool("1", "hold", `{"x":`+large(40<<10)+`}`), modernHead("tools/call", "hold"))
		synctest.Wait()
		for agent, want := range map[string]int{"alice": 429, "bob": 200} {
			status, got := w.agent(agent).call(modernTool("1", "echo", "{}"), modernHead("tools/call", "echo"))
			if status != want || (want == 429) != strings.Contains(got, "too many calls are waiting") {
				t.Errorf("%s: %d %.300s", agent, status, got)
			}
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

// intrudeBig makes the server answer calls of the tool big with so many bytes, as one message or as a stream.
func intrudeBig(w *world, size int, stream bool) (answer string) {
	answer = `,"result":{"content":[{"type":"text","text":` + large(size) + `}]}}`
	w.server.intrude = func(rw http.ResponseWriter, _ *http.Request, f *wire.Frame) bool {
		if f.String(wire.ParamsName) != "big" {
			return false
		}
		message := `{"jsonrpc":"2.0","id":` + string(f.Get(wire.ID)) + answer
		if stream {
			head(rw)
			event(rw, message)
			return true
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Content-Length", fmt.Sprint(len(message)))
		io.WriteString(rw, message)
		return true
	}
	return answer
}

// TestAnswersThatNobodyTakesAreBounded has a large answer wait beside many others, until there is room or its time is over.
func TestAnswersThatNobodyTakesAreBounded(t *testing.T) {
	for name, stream := range map[string]bool{"a message": false, "an event": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				answer := intrudeBig(w, 3<<20, stream)
				call := func(agent, tool string) <-chan *response {
					return w.agent(agent).begin(modernTool("1", tool, "{}"), modernHead("tools/call", tool))
				}
				empty := w.proxy.TestOnlyFill("alice", 64<<20, 2<<20)
				waits := call("alice", "big")
				synctest.Wait()
				for agent, tool := range map[string]string{"alice": "echo", "bob": "big"} {
					if got := (<-call(agent, tool)).last(); !strings.Contains(got, `"result"`) || strings.Contains(got, "isError") {
						t.Errorf("%s of %s: %.300s", tool, agent, got)
					}
				}
				over := (<-waits).last() // in the time of the test the first minute has passed
				if !strings.Contains(over, "Too many of your answers") {
					t.Errorf("without room: %.300s", over)
				}
				if all := fmt.Sprint(w.journal.find("tools/call")); !strings.Contains(all, "ANSWERS_UNREAD") {
					t.Errorf("on record is %s", all)
				}
				waits = call("alice", "big")
				synctest.Wait()
				empty()
				for range 2 {
					if got := (<-waits).last(); !strings.Contains(got, answer) {
						t.Errorf("with room again: %.300s", got)
					}
					waits = call("alice", "big")
				}
				(<-waits).last()
				synctest.Wait()
				if n := w.proxy.TestOnlyUnread("alice"); n != 0 {
					t.Errorf("%d bytes count for ever", n)
				}
			})
		})
	}
}

// TestAnswersToABatchWaitForEachOther has the answers to its members count until all of them are there. They do not wait for
// room, which nobody would give back.
func TestAnswersToABatchWaitForEachOther(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		intrudeBig(w, 3<<20, false)
		c := w.session("alice", "2025-03-26")
		defer w.proxy.TestOnlyFill("alice", 64<<20, 5<<20)()
		for range 3 { // what counts is given back
			r := c.post("[" + tool("1", "big", "{}") + "," + tool("2", "big", "{}") + "]")
			if n := strings.Count(r.last(), "Too many of your answers"); n != 1 {
				t.Errorf("of two answers that have no room together %d are withheld", n)
			}
		}
	})
}

// TestWhatServersPushToWhoReadsNothingIsBounded has servers send large messages to sessions whose agent reads none of their
// streams. What has no room goes no further, and nobody else waits: not what the agent reads, nor another agent.
func TestWhatServersPushToWhoReadsNothingIsBounded(t *testing.T) {
	for name, message := range map[string]string{
		"a notification": `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":` + large(900<<10) + `}}`,
		"a request":      `{"jsonrpc":"2.0","id":"q","method":"roots/list","params":{"_meta":{"x":` + large(900<<10) + `}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				taken := w.proxy.TestOnlyPushed("alice", 2<<20)
				var unread []*response
				for i := range 4 {
					unread = append(unread, w.session("alice", "2025-11-25").listen(""))
					synctest.Wait()
					w.push(fmt.Sprintf("up-%d", i+1), message)
					synctest.Wait()
				}
				if n := taken(); n < 1<<20 || n > 2<<20 {
					t.Errorf("%d bytes wait, and there is room for %d", n, 2<<20)
				}
				refused := 0
				for _, e := range w.journal.order {
					if e.code == "NOBODY_LISTENS" && e.detail == "too much waits to be taken" {
						refused++
					}
				}
				if refused != 2 {
					t.Errorf("%d messages went no further, want 2", refused)
				}
				start := time.Now()
				for i, agent := range []string{"alice", "bob"} {
					c := w.session(agent, "2025-11-25")
					get := c.listen("")
					synctest.Wait()
					said := map[string]string{"alice": note("small"), "bob": message}[agent]
					w.push(fmt.Sprintf("up-%d", i+5), said)
					if m := get.must(); m.data != said {
						t.Errorf("%s hears %.300s", agent, m.data)
					}
				}
				if took := time.Since(start); took > time.Second {
					t.Errorf("others wait for %s", took)
				}
				for _, r := range unread {
					r.body.Close()
				}
				synctest.Wait()
				if n := taken(); n != 0 {
					t.Errorf("%d bytes count for ever", n)
				}
			})
		})
	}
}
