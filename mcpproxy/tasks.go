package mcpproxy

import (
	"strconv"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// A server tells tasks by ids that whoever knows them may use, and it sees all agents as one: as Hopgate. So the proxy
// remembers which agent a task was given to (MCP 2025-11-25, basic/utilities/tasks; SEP-2663). The id stays the server's
// own: it stands in notifications, in _meta of what belongs to the task, and in texts that only the server knows of.

// byTask are the methods that name a task.
var byTask = map[string]bool{"tasks/get": true, "tasks/result": true, "tasks/cancel": true, "tasks/update": true}

// ownTask says why a request may not name its task.
func (x *exchange) ownTask() *policy.Reason {
	id, ok := x.frame.Text(wire.ParamsTaskID)
	if !ok {
		return nil // the server says what is missing
	}
	return x.taskReason(id)
}

func (x *exchange) taskReason(id []byte) *policy.Reason {
	switch x.g.p.Owners.claim(newTaskKey(x.call.Upstream, id), x.call.Agent.Name, x.call.Time) {
	case claimRightful:
		return nil
	case claimForeign:
		return reasonTaskForeign
	default:
		return reasonTask
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
	id, ok := wire.Unquote(e.Value)
	if !ok {
		return
	}
	now := x.g.p.Clock()
	x.g.p.Owners.give(newTaskKey(x.call.Upstream, id), x.call.Agent.Name, now.Add(lifeOf(in)), x.g.who.policy.startsChildren(x.call.Upstream))
}

// startsChildren reports whether an upstream is a program, of which each agent has children of its own.
func (p *Policy) startsChildren(name string) bool {
	server := p.Upstreams[name]
	return server != nil && server.Child()
}

// lifeOf returns how long a task is remembered: somewhat longer than the server keeps it, which it says in milliseconds,
// or with null for one without end.
func lifeOf(task []byte) time.Duration {
	for _, name := range []string{"ttl", "ttlMs"} { // of 2025-11-25, and of SEP-2663
		e, ok := wire.Lookup(task, name)
		if ms, err := strconv.ParseUint(string(e.Value), 10, 32); ok && err == nil { // beyond 32 bits are 49 days
			return min(time.Duration(ms)*time.Millisecond+taskTime, maxTime)
		}
	}
	return maxTime
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
