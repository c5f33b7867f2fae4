package mcpproxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// taskServer makes the fake server begin a task with each call, and answer whatever is asked of one.
func (w *world) taskServer() {
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	n := 0
	w.server.intrude = func(rw http.ResponseWriter, _ *http.Request, q *wire.Frame) bool {
		said := `{"status":"working","taskId":"t1"}`
		switch q.String(wire.Method) {
		case "tools/call":
			n++
			said = fmt.Sprintf(`{"task":{"taskId":"t%d","status":"working"}}`, n)
		case "tasks/list":
			said = `{"tasks":[{"taskId":"t1"},{"taskId":"t2"},{"taskId":"t3"},{}]}`
		case "tasks/get", "tasks/result", "tasks/cancel":
		default:
			return false
		}
		rw.Header().Set("Content-Type", "application/json")
		io.WriteString(rw, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, q.Get(wire.ID), said))
		return true
	}
}

func TestTasksBelongToAnAgent(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		w.taskServer()
		alice, bob := w.session("alice", "2025-11-25"), w.session("bob", "2025-11-25")
		for i, c := range []*client{alice, bob} { // t1 and t2
			if _, got := c.call(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","task":{}}}`); !strings.Contains(got, fmt.Sprintf(`"t%d"`, i+1)) {
				t.Fatalf("got %s", got)
			}
		}
		cases := []struct {
			c    *client
			id   string
			code string
		}{{alice, `"t1"`, ""}, {alice, `"\u0074\u0031"`, ""}, {bob, `"t2"`, ""}, {bob, `"t1"`, "TASK_FOREIGN"}, {alice, `"t2"`, "TASK_FOREIGN"}, {alice, `"t3"`, "TASK_UNKNOWN"}}
		for _, x := range cases {
			for _, method := range []string{"tasks/get", "tasks/result", "tasks/cancel"} {
				before := len(w.server.messages(method))
				_, got := x.c.call(`{"jsonrpc":"2.0","id":2,"method":"` + method + `","params":{"taskId":` + x.id + `}}`)
				reached := len(w.server.messages(method)) > before
				e := w.last(method)
				if reached != (x.code == "") || strings.Contains(got, errorCode(-32602)) != (x.code != "") || e.code != x.code {
					t.Errorf("%s %s of %s: got %s, on record %q, reached %v", method, x.id, x.c.key, got, e.code, reached)
				}
				if x.code == "TASK_FOREIGN" && !strings.Contains(got, "There is no such task.") {
					t.Errorf("a foreign task answers %s", got)
				}
			}
		}
		if _, got := bob.call(list("tasks/list", "")); !strings.Contains(got, `"tasks":[{"taskId":"t2"}]`) {
			t.Errorf("the list of bob is %s", got)
		}
		for _, e := range w.journal.find("tasks/get") {
			if e.code == "TASK_FOREIGN" && e.direction != policy.ToUpstream {
				t.Errorf("on record: %+v", e)
			}
		}
	})
}
