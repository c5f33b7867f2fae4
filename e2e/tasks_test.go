package e2e

import (
	"fmt"
	"testing"
)

// TestATaskIsItsAgentsOverARestart where the server outlives Hopgate. Children that number their tasks alike do not get in
// each other's way, and what they had ends with them.
func TestATaskIsItsAgentsOverARestart(t *testing.T) {
	t.Parallel()
	for up, own := range map[string]bool{"http": false, "sse": false, "ws": false, "stdio": true} {
		t.Run("to "+up, func(t *testing.T) {
			t.Parallel()
			rec := newRecorder(t)
			rec.tools["task"] = func(a *asked) {
				id := "task-" + whose(a)
				if own {
					id = "task-1"
				}
				a.result(fmt.Sprintf(`"task":{"taskId":%q,"status":"working","ttl":60000}`, id))
			}
			rec.methods["tasks/get"] = func(a *asked) { a.result(`"status":"working"`) }
			h := newHopgate(t, isolationYAML(rec.upstream(up)))
			keys := map[string]string{"ann": h.key("ann"), "bob": h.key("bob")}
			tasks := map[string]string{"ann": "task-ann", "bob": "task-bob"}
			if own {
				tasks = map[string]string{"ann": "task-1", "bob": "task-1"}
			}
			get := func(a *agent, task, want string) {
				t.Helper()
				if err := a.gets(fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"tasks/get","params":{"taskId":%q}}`, task), want); err != nil {
					t.Error(err)
				}
			}
			h.serve()
			for name, key := range keys {
				a := h.agent("up", key)
				a.greet("2025-11-25")
				call := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"task","arguments":{"of":%q},"task":{}}}`, name)
				if err := a.gets(call, `"taskId":"`+tasks[name]); err != nil {
					t.Error(err)
				}
				get(a, tasks[name], `"result"`)
			}
			h.stop()
			h.serve()
			for name, key := range keys {
				a := h.agent("up", key)
				a.greet("2025-11-25")
				if own {
					get(a, tasks[name], "There is no such task.")
					continue
				}
				get(a, tasks[name], `"result"`)
			}
			if own {
				h.refusedOnly("ann", "TASK_UNKNOWN")
				return
			}
			bob := h.agent("up", keys["bob"])
			bob.greet("2025-11-25")
			get(bob, "task-ann", "There is no such task.")
			h.refusedOnly("ann")
			h.refusedOnly("bob", "TASK_FOREIGN")
		})
	}
}
