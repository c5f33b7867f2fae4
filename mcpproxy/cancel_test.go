package mcpproxy_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/policy"
)

func cancelled(id string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}`, id)
}

func TestACancelledCallGetsNoAnswer(t *testing.T) {
	cases := map[string]struct {
		late   bool // the server answers all the same
		status policy.Status
	}{
		"the server obeys":          {false, policy.StatusCancelled},
		"the server answers anyway": {true, policy.StatusOK},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				c := w.session("alice", "2025-11-25")
				held := c.begin(tool(`"x"`, "hold", "{}"))
				synctest.Wait()
				if status, _ := c.call(cancelled(`"x"`)); status != 202 {
					t.Errorf("status %d", status)
				}
				if x.late {
					w.server.release <- struct{}{}
				}
				start := time.Now()
				if r := <-held; r == nil || r.status != 200 || r.last() != "" {
					t.Error("a cancelled request was answered")
				}
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("took %s", took)
				}
				if e := w.last("tools/call"); e.status != x.status {
					t.Errorf("on record is %q", e.status)
				}
				if got := w.server.messages("cancelled"); len(got) != 1 {
					t.Errorf("the server got %s", got)
				}
				if status, got := c.call(tool(`"x"`, "echo", "{}")); status != 200 || !strings.Contains(got, "result") {
					t.Errorf("the id again: %d %s", status, got)
				}
			})
		})
	}
}

func TestCancelOfWhatIsNotUnderWay(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c, other, bob := w.session("alice", "2025-11-25"), w.session("alice", "2025-11-25"), w.session("bob", "2025-11-25")
		held := c.begin(tool("7", "hold", "{}"))
		synctest.Wait()
		for name, x := range map[string]struct {
			c  *client
			id string
		}{"another session": {other, "7"}, "another agent": {bob, "7"}, "another type": {c, `"7"`}, "unknown": {c, "8"}} {
			if status, _ := x.c.call(cancelled(x.id)); status != 202 {
				t.Errorf("%s: status %d", name, status)
			}
			if e := w.last("notifications/cancelled"); e.code != "CANCEL_UNKNOWN" || e.allowed {
				t.Errorf("%s: on record is %q", name, e.code)
			}
		}
		if got := w.server.messages("cancelled"); len(got) > 0 {
			t.Errorf("the server got %s", got)
		}
		w.server.release <- struct{}{}
		if got := (<-held).last(); !strings.Contains(got, "result") {
			t.Errorf("got %s", got)
		}
	})
}

func TestAnIDInUseIsRefused(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c, other := w.session("alice", "2025-11-25"), w.session("alice", "2025-11-25")
		held := c.begin(tool("7", "hold", "{}"))
		synctest.Wait()
		if status, got := c.call(tool("7", "echo", "{}")); status != 400 || !strings.Contains(got, errorCode(-32600)) {
			t.Errorf("got %d %s", status, got)
		}
		for name, x := range map[string]struct {
			c  *client
			id string
		}{"another type": {c, `"7"`}, "another session": {other, "7"}} {
			if status, _ := x.c.call(tool(x.id, "echo", "{}")); status != 200 {
				t.Errorf("%s: status %d", name, status)
			}
		}
		w.server.release <- struct{}{}
		if got := (<-held).last(); !strings.Contains(got, `"id":7,"result"`) {
			t.Errorf("got %s", got)
		}
		if status, _ := c.call(tool("7", "echo", "{}")); status != 200 {
			t.Errorf("the id again: %d", status)
		}
	})
}

// TestLeavingCancelsInTheLaterEraAlone is the difference between the eras: until 2025-11-25 a broken connection is no cancellation, later it is.
func TestLeavingCancelsInTheLaterEraAlone(t *testing.T) {
	for _, modern := range []bool{false, true} {
		t.Run(fmt.Sprintf("modern=%v", modern), func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				c := w.session("alice", "2025-11-25")
				var stream *response
				if modern {
					stream = c.post(strings.Replace(says("1", note("x")), `"_meta":{`, `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},`, 1), modernHead("tools/call", "chat"))
				} else {
					stream = c.post(says("1", note("x")))
				}
				stream.must()
				stream.body.Close()
				synctest.Wait()
				w.server.release <- struct{}{}
				synctest.Wait()
				want := policy.StatusOK
				if modern {
					want = policy.StatusCancelled
				}
				if e := w.last("tools/call"); e.status != want {
					t.Errorf("on record is %q, want %q", e.status, want)
				}
			})
		})
	}
}
