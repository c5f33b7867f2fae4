package mcpproxy_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hopgate/hopgate/policy"
)

func panics() { panic("secret: cannot happen") }

// TestPanicsCostOneMessage lets one part after the other panic while a call is under way. The call is refused and ends on
// record, and the next one works.
func TestPanicsCostOneMessage(t *testing.T) {
	const notDone, mayBe = "POLICY_UNAVAILABLE", "UPSTREAM_FAILED"
	cases := map[string]struct {
		prepare func(w *world)
		modern  bool
		want    string // in the answer
		code    string // on record; empty: nothing, or what the call would have
		sent    bool
	}{
		"identity":            {prepare: func(w *world) { w.keys.fail = panics }, want: notDone},
		"journal, begin":      {prepare: func(w *world) { w.journal.fail = func(*policy.Call) error { panic("secret") } }, want: notDone},
		"journal, end":        {prepare: func(w *world) { w.journal.failEnd = panics }, want: mayBe, sent: true},
		"observer":            {prepare: func(w *world) { w.observer.fail = panics }, want: `"result"`, sent: true},
		"our own, before":     {prepare: func(w *world) { w.catalog.fail = panics }, modern: true, want: notDone, code: "POLICY_UNAVAILABLE"},
		"our own, after":      {prepare: func(w *world) { w.catalog.fail = panics }, want: mayBe, code: "FAULT_AFTER_CALL", sent: true},
		"our own, on the way": {prepare: func(w *world) { w.gate.check = laterBroken(w) }, modern: true, want: notDone, code: "POLICY_UNAVAILABLE"},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				c := w.session("alice", "2025-11-25")
				x.prepare(w)
				body, method, edit := list("tools/list", ""), "tools/list", header("X-Nothing", "")
				if x.modern {
					body, method, edit = modernTool("1", "echo", "{}"), "tools/call", modernHead("tools/call", "echo")
				}
				if _, got := c.call(body, edit); !strings.Contains(got, x.want) || strings.Contains(got, "secret") {
					t.Errorf("got %s, want %s", got, x.want)
				}
				if sent := len(w.server.messages(method)) == 1; sent != x.sent {
					t.Errorf("sent: %v", sent)
				}
				if x.code != "" {
					if e := w.last(method); e.code != x.code {
						t.Errorf("on record is %+v", e)
					}
				}
				w.keys.fail, w.journal.fail, w.journal.failEnd, w.observer.fail, w.catalog.fail, w.gate.check = nil, nil, nil, nil, nil, nil
				if _, got := c.call(body, edit); !strings.Contains(got, `"result"`) || strings.Contains(got, "isError") {
					t.Errorf("the next call: %s", got)
				}
			})
		})
	}
}

// laterBroken lets the catalog panic when the call has been judged.
func laterBroken(w *world) func(context.Context, *policy.Call) (policy.Verdict, error) {
	return func(context.Context, *policy.Call) (policy.Verdict, error) {
		w.catalog.fail = panics
		return policy.Pass, nil
	}
}

// TestPanicsOnTheWayToTheAgent let a message of the server be lost, and nothing else. A server that asks is not left
// waiting.
func TestPanicsOnTheWayToTheAgent(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		w.journal.fail = func(c *policy.Call) error {
			if c.Direction == policy.ToAgent {
				panic("secret")
			}
			return nil
		}
		all := c.post(tool("1", "ask", `{}`)).all()
		if len(all) != 1 || !strings.Contains(all[0], `"structuredContent":{"jsonrpc":"2.0","id":"ask-2","error"`) {
			t.Errorf("got %s", all)
		}
		get := c.listen("")
		synctest.Wait()
		w.keys.fail = panics
		w.push("up-1", note("lost"))
		synctest.Wait()
		w.keys.fail = nil
		w.push("up-1", note("kept"))
		if got := get.must().data; got != note("kept") {
			t.Errorf("got %s", got)
		}
	})
}

// TestANotificationThatCannotBeRecordedIsAccepted like any other that is refused, and not sent.
func TestANotificationThatCannotBeRecordedIsAccepted(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		w.journal.fail = func(*policy.Call) error { return context.DeadlineExceeded }
		if status, got := c.call(`{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`); status != 202 || got != "" {
			t.Errorf("got %d %q", status, got)
		}
		if got := w.server.messages("roots"); len(got) > 0 {
			t.Errorf("the server got %s", got)
		}
	})
}
