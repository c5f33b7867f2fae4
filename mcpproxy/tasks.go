package mcpproxy

import (
	"crypto/sha256"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// A server tells tasks by ids that whoever knows them may use, and it sees all agents as one: as Hopgate. So the proxy
// remembers which agent a task was given to (MCP 2025-11-25, basic/utilities/tasks; SEP-2663). What an earlier process has
// given out is nobody's.

// maxTasks bounds the tasks of one agent; the oldest are forgotten first, and nobody's from then on.
const maxTasks = 1024

// byTask are the methods that name a task.
var byTask = map[string]bool{"tasks/get": true, "tasks/result": true, "tasks/cancel": true, "tasks/update": true}

// taskKey is a task of an upstream; long ids are as good as short ones.
type taskKey [sha256.Size]byte

func newTaskKey(upstream string, id []byte) taskKey {
	return sha256.Sum256(purpose(upstream, string(id)))
}

// owners are the agents whom tasks were given to.
type owners struct {
	mu     sync.Mutex // guards what follows
	of     map[taskKey]string
	oldest map[string][]taskKey // of an agent
}

// give notes that a task is an agent's. One that is another's stays that.
func (o *owners) give(k taskKey, agent string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of[k] != "" {
		return
	}
	mine := append(o.oldest[agent], k)
	if len(mine) > maxTasks {
		delete(o.of, mine[0])
		mine = mine[1:]
	}
	o.of[k], o.oldest[agent] = agent, mine
}

// owner returns whose a task is, or nothing.
func (o *owners) owner(k taskKey) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.of[k]
}

// ownTask says why a request may not name its task.
func (x *exchange) ownTask() *policy.Reason {
	id, ok := x.frame.Text(wire.ParamsTaskID)
	if !ok {
		return nil // the server says what is missing
	}
	return x.taskReason(id)
}

func (x *exchange) taskReason(id []byte) *policy.Reason {
	switch x.g.p.owners.owner(newTaskKey(x.call.Upstream, id)) {
	case x.call.Agent.Name:
		return nil
	case "":
		return reasonTask
	default:
		return reasonTaskForeign
	}
}

// ownTasks says why a subscription may not name its tasks.
func (x *exchange) ownTasks() *policy.Reason {
	ids, _ := wire.Lookup(x.frame.Get(wire.ParamsNotifications), "taskIds")
	for _, raw := range wire.Elements(ids.Value) {
		if id, ok := wire.Unquote(raw); ok {
			if r := x.taskReason(id); r != nil {
				return r
			}
		}
	}
	return nil
}

// learnTask notes the task that a result begins.
func (x *exchange) learnTask(result *wire.Frame) {
	in := result.Get(wire.ResultTask)
	if kind, _ := result.Text(wire.ResultType); string(kind) == "task" {
		in = result.Get(wire.Result)
	}
	e, _ := wire.Lookup(in, "taskId")
	if id, ok := wire.Unquote(e.Value); ok {
		x.g.p.owners.give(newTaskKey(x.call.Upstream, id), x.call.Agent.Name)
	}
}

// ownedTasks returns the edits that leave out of a list the tasks of others.
func (x *exchange) ownedTasks(result *wire.Frame) wire.Edits {
	var parts []wire.Span
	var keep []bool
	for at, raw := range wire.Elements(result.Get(wire.ResultTasks)) {
		e, _ := wire.Lookup(raw, "taskId")
		id, ok := wire.Unquote(e.Value)
		parts, keep = append(parts, at), append(keep, ok && x.taskReason(id) == nil)
	}
	return wire.Cut(parts, keep).Shift(result.Span(wire.ResultTasks).Lo)
}
