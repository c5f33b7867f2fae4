// Package quota says how much: rates, calls at once, hours, sizes, quotas of calls and bytes, and spend, of connections,
// tools, agents, teams and organisations.
//
// All limits share one [Book]. A gate takes from all limits that a call falls under or from none, in integers, under one
// mutex. What a call may cost at most is reserved before it is sent and settled when its outcome is known; where that is
// unknown, the reservation stays. A journal writes down the changes of the book together with the records that caused
// them, so that no crash gives anything back that was used.
//
// The package does not say which calls are permitted, keeps no history, and neither logs nor sends. A clock that is set
// back opens nothing: windows and the state of rates never go backwards.
//
// # What counts
//
// Rates of an agent count every request and notification that it sends. All other limits count work: requests of the agent
// by any method but those that list, greet, look or cancel. A later round of a call that has been charged (MCP 2026-07-28,
// multi round-trip requests) counts for rates, concurrency, sizes and bytes, and not again for quotas and spend; a call has
// at most ten rounds. What comes of a task counts for sizes and bytes. Only tools/call costs money.
package quota

import (
	"fmt"
	"time"
	_ "time/tzdata" // zones are part of the configuration; the machine may have none

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// idle are the methods that do no work. Methods that are not known here count as work. What came of a task was charged
// with the call that began it, and a subscription stays open without an end that a limit could wait for.
var idle = map[string]bool{
	"initialize": true, "ping": true, "server/discover": true, "logging/setLevel": true,
	"tools/list": true, "prompts/list": true, "resources/list": true, "resources/templates/list": true,
	"resources/unsubscribe": true, "subscriptions/listen": true,
	"tasks/get": true, "tasks/list": true, "tasks/cancel": true, "tasks/result": true, "tasks/update": true,
}

// fromAgent reports whether a call is a message by which the agent wants something.
func fromAgent(c *policy.Call) bool {
	return c.Direction == policy.ToUpstream && !c.Frame.Response()
}

// works reports whether a call is a request that makes the upstream work.
func works(c *policy.Call) bool {
	return c.Direction == policy.ToUpstream && c.Frame.Kind == wire.KindRequest && (c.Method == methodCall || !idle[c.Method])
}

// end is when clocks are no longer believed, in seconds since 1970: the year 2200. Nanoseconds fit into 64 bits until then.
const end = 7_258_118_400

// instant is when a call came, in nanoseconds since 1970.
func instant(c *policy.Call) (int64, error) {
	if s := c.Time.Unix(); s <= 0 || s >= end {
		return 0, fmt.Errorf("the call's time is in the year %d", c.Time.Year())
	}
	return c.Time.UnixNano(), nil
}

func at(now int64) time.Time { return time.Unix(0, now).UTC() }
