package mcpproxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/store"
)

// tasks are what outlives processes that know whose tasks are.
type tasks struct {
	t     *testing.T
	state store.Memory
	old   bool // the state may be older than what was done
}

// process runs a test in a process of its own, before a server that begins tasks with the id and the time to live that a
// call names.
func (k *tasks) process(test func(w *world)) {
	k.t.Helper()
	owners, err := mcpproxy.OpenOwners(&k.state, k.old)
	if err != nil {
		k.t.Fatal(err)
	}
	bubble(k.t, func(w *world) {
		w.server.mu.Lock()
		w.server.intrude = func(rw http.ResponseWriter, _ *http.Request, q *wire.Frame) bool {
			said := `{"status":"working"}`
			switch name := q.String(wire.Method); {
			case name == "tools/call":
				e, _ := wire.Lookup(q.Get(wire.ParamsArguments), "task")
				said = `{"task":` + string(e.Value) + `}`
			case !strings.HasPrefix(name, "tasks/"):
				return false
			}
			rw.Header().Set("Content-Type", "application/json")
			io.WriteString(rw, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, q.Get(wire.ID), said))
			return true
		}
		w.server.mu.Unlock()
		test(w)
	}, func(c *mcpproxy.Config) { c.Owners = owners })
	persist(k.t, &k.state, owners)
}

// begin has a session be given a task.
func begin(c *client, task string) {
	c.w.t.Helper()
	if _, got := c.call(tool("1", "x", `{"task":`+task+`}`)); !strings.Contains(got, `"result":{"task"`) {
		c.w.t.Fatalf("got %s", got)
	}
}

// asks has a session ask for a task and holds what is on record to code.
func asks(c *client, id, code string) {
	c.w.t.Helper()
	_, got := c.call(`{"jsonrpc":"2.0","id":2,"method":"tasks/get","params":{"taskId":"` + id + `"}}`)
	if e := c.w.last("tasks/get"); e.code != code || strings.Contains(got, `"result"`) != (code == "") {
		c.w.t.Errorf("%s asks for %s: got %s, on record %q, want %q", c.key, id, got, e.code, code)
	}
}

// TestATaskIsItsAgentsAfterARestart and still not another's.
func TestATaskIsItsAgentsAfterARestart(t *testing.T) {
	k := &tasks{t: t}
	k.process(func(w *world) {
		c := w.session("alice", "2025-11-25")
		begin(c, `{"taskId":"t","ttl":7200000}`)
		begin(c, `{"taskId":"for ever","ttl":null}`)
	})
	k.process(func(w *world) {
		alice, bob := w.session("alice", "2025-11-25"), w.session("bob", "2025-11-25")
		asks(alice, "t", "")
		asks(bob, "t", "TASK_FOREIGN")
		asks(alice, "u", "TASK_UNKNOWN")
	})
	k.process(func(w *world) {
		time.Sleep(150 * time.Minute) // of the three hours that it is remembered; whoever asks goes on being answered
		for range 5 {
			asks(w.session("alice", "2025-11-25"), "t", "")
			time.Sleep(45 * time.Minute)
		}
		time.Sleep(3 * time.Hour)
		alice := w.session("alice", "2025-11-25")
		asks(alice, "t", "TASK_UNKNOWN")
		asks(alice, "for ever", "")
	})
	k.process(func(w *world) { asks(w.session("alice", "2025-11-25"), "t", "TASK_UNKNOWN") })
	k.old = true
	k.process(func(w *world) { asks(w.session("alice", "2025-11-25"), "for ever", "TASK_UNKNOWN") })
	k.old = false
	k.process(func(w *world) { asks(w.session("alice", "2025-11-25"), "for ever", "TASK_UNKNOWN") })
}

// TestATaskThatIsGivenTwiceIsNobodys, or an agent could bring a server to give it another's, and an agent could read what
// another was given under an id that the server has used before.
func TestATaskThatIsGivenTwiceIsNobodys(t *testing.T) {
	k := &tasks{t: t}
	k.process(func(w *world) {
		alice, bob := w.session("alice", "2025-11-25"), w.session("bob", "2025-11-25")
		begin(alice, `{"taskId":"t"}`)
		begin(alice, `{"taskId":"t"}`)
		asks(alice, "t", "")
		for range 2 {
			begin(bob, `{"taskId":"t"}`)
			asks(alice, "t", "TASK_UNKNOWN")
			asks(bob, "t", "TASK_UNKNOWN")
		}
	})
	k.process(func(w *world) {
		asks(w.session("alice", "2025-11-25"), "t", "TASK_UNKNOWN")
		asks(w.session("bob", "2025-11-25"), "t", "TASK_UNKNOWN")
	})
}

// TestTasksOfOneAgentAreBounded: the oldest are forgotten, in the store too.
func TestTasksOfOneAgentAreBounded(t *testing.T) {
	k := &tasks{t: t}
	k.process(func(w *world) {
		alice, bob := w.session("alice", "2025-11-25"), w.session("bob", "2025-11-25")
		begin(bob, `{"taskId":"of bob"}`)
		for i := range 1025 {
			begin(alice, fmt.Sprintf(`{"taskId":"t%d"}`, i))
		}
		asks(alice, "t0", "TASK_UNKNOWN")
		asks(alice, "t1", "")
		asks(alice, "t1024", "")
		asks(bob, "of bob", "")
	})
	n := 0
	for item, err := range k.state.Scan([]byte("w/alice/"), nil, false) {
		if err != nil || len(item.Value) == 1 {
			t.Errorf("the store has %x, %v", item.Value, err)
		}
		n++
	}
	if n != 1024 {
		t.Errorf("the store has %d tasks, want 1024", n)
	}
}

func TestOwnersThatMakeNoSenseAreDamage(t *testing.T) {
	damaged(t, "w/", map[string][]byte{
		"another kind": append([]byte{4}, make([]byte, 40)...),
		"cut":          append([]byte{2}, make([]byte, 39)...),
	}, func(state store.Reader) error {
		_, err := mcpproxy.OpenOwners(state, false)
		return err
	})
}
