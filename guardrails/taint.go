package guardrails

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// What a server says may make a model act for somebody else, in words that no detector knows. So an agent that was told
// injected instructions is tainted for a while: it may read, and do nothing that leaves traces. The taint is the agent's
// and not a session's, because what was read on one connection is acted upon through another, and because a new session
// is had for the asking.

// Bounds of a taint.
const (
	taintDefault = 30 * time.Minute // of connections with the profile strict
	taintLeast   = time.Minute
	taintMost    = 30 * 24 * time.Hour
)

// taintTasks are the tasks that leave traces.
var taintTasks = map[string]bool{"write": true, "admin": true}

// Taint is how long an agent stays tainted; off for never. The zero Taint is what the profile says.
type Taint struct {
	For time.Duration
	Off bool
}

// UnmarshalText reads a duration, or off.
func (t *Taint) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		t.Off = true
		return nil
	}
	d, err := policy.ParseDuration(string(text))
	if err != nil || d < taintLeast || d > taintMost {
		return fmt.Errorf("%q is neither off nor a time of 1m to 30d", text)
	}
	t.For = d
	return nil
}

// SchemaPattern is the form of a taint.
func (*Taint) SchemaPattern() string {
	return "^(off|" + strings.Trim(policy.DurationPattern, "^$") + ")$"
}

// SchemaTitle says what messages call a value.
func (*Taint) SchemaTitle() string { return "a time like 30m, or off" }

// taints are the agents that are tainted. The zero value is ready.
type taints struct {
	mu      sync.Mutex // guards what follows
	of      map[string]taint
	changed map[string]bool
}

// taint is why an agent may not act, and how long.
type taint struct {
	Ref        string    `json:"ref"` // of the call that it is due to
	Connection string    `json:"connection"`
	Until      time.Time `json:"until"`
}

const taintPrefix = "g/taint/"

// Load reads what a state knows of taints; before the first call.
func (b *Book) Load(state store.Reader) error {
	b.taints.mu.Lock()
	defer b.taints.mu.Unlock()
	b.taints.of = map[string]taint{}
	for item, err := range state.Scan([]byte(taintPrefix), nil, false) {
		var t taint
		if err == nil {
			err = json.Unmarshal(item.Value, &t)
		}
		if err == nil && t.Until.IsZero() {
			err = errors.New("it has no end")
		}
		if err != nil {
			return fmt.Errorf("reading taints: %w", err)
		}
		b.taints.of[strings.TrimPrefix(string(item.Key), taintPrefix)] = t
	}
	return nil
}

// Changes implements the ledger of the journal: a taint is durable with the record of the call that it is due to.
func (b *Book) Changes(put func(store.Put)) {
	b.taints.mu.Lock()
	defer b.taints.mu.Unlock()
	for agent := range b.taints.changed {
		p := store.Put{Key: []byte(taintPrefix + agent)}
		if t, ok := b.taints.of[agent]; ok {
			p.Value, _ = json.Marshal(&t) // of strings and a time there is nothing that cannot be written
		}
		put(p)
	}
	clear(b.taints.changed)
}

// Tainted is an agent that may not act.
type Tainted struct {
	Agent      string
	Ref        string // of the call that it is due to
	Connection string
	Until      time.Time
}

// Tainted returns who is tainted.
func (b *Book) Tainted(now time.Time) (all []Tainted) {
	b.taints.mu.Lock()
	defer b.taints.mu.Unlock()
	for agent, t := range b.taints.of {
		if now.Before(t.Until) {
			all = append(all, Tainted{agent, t.Ref, t.Connection, t.Until})
		}
	}
	slices.SortFunc(all, func(a, b Tainted) int { return strings.Compare(a.Agent, b.Agent) })
	return all
}

// Untaint ends the taint of an agent. It reports whether there was one.
func (b *Book) Untaint(agent string, now time.Time) bool {
	b.taints.mu.Lock()
	defer b.taints.mu.Unlock()
	t, ok := b.taints.of[agent]
	if ok {
		b.taints.drop(agent)
	}
	return ok && now.Before(t.Until)
}

// add taints an agent. A taint that lasts longer stays.
func (t *taints) add(agent string, next taint) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.of[agent]; ok && !next.Until.After(old.Until) {
		return
	}
	if t.of == nil {
		t.of = map[string]taint{}
	}
	t.of[agent] = next
	t.touch(agent)
}

// get returns the taint of an agent.
func (t *taints) get(agent string, now time.Time) (taint, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x, ok := t.of[agent]
	if ok && !now.Before(x.Until) {
		t.drop(agent)
		return x, false
	}
	return x, ok
}

func (t *taints) drop(agent string) {
	delete(t.of, agent)
	t.touch(agent)
}

func (t *taints) touch(agent string) {
	if t.changed == nil {
		t.changed = map[string]bool{}
	}
	t.changed[agent] = true
}

// taintOf is how long a connection taints its agent; 0 for not at all.
func (own *Keys) taintOf() time.Duration {
	switch {
	case own.Taint != nil:
		return own.Taint.For
	case own.Guard != nil && own.Guard.Text == strictName:
		return taintDefault
	}
	return 0
}

// held refuses a call that acts, of an agent that is tainted.
func (g *gate) held(c *policy.Call) (policy.Verdict, bool) {
	if g.careless || c.Direction != policy.ToUpstream || c.Method != "tools/call" || !taintTasks[c.Task] && !g.sink(c.Target) {
		return policy.Verdict{}, false
	}
	t, ok := g.book.taints.get(c.Agent.Name, c.Time)
	if !ok {
		return policy.Verdict{}, false
	}
	return policy.Refuse(reasonTainted, g.at, fmt.Sprintf("until %s, due to %s on %s", t.Until.UTC().Format(time.RFC3339), t.Ref, t.Connection)), true
}

// sink reports whether a tool is marked as one that acts.
func (g *gate) sink(tool string) bool {
	for i := range g.sinks {
		if g.sinks[i].Match(tool) {
			return true
		}
	}
	return false
}

// infect taints the agent that a message with injected instructions is for, and notes it in the verdict. Definitions that
// are left out of a list taint nobody: the agent lists them again and again, and never sees them.
func (g *gate) infect(s *scan, c *policy.Call, way policy.Direction, v *policy.Verdict) {
	if g.taint == 0 || way != policy.ToAgent || c.Trace != nil {
		return
	}
	for i := range s.found {
		x := &s.found[i]
		if x.Kind != detect.Injection && x.Kind != detect.Hidden || x.Confidence < medium.least() || x.suppressed != nil || x.do >= Hold && x.dropped {
			continue
		}
		until := c.Time.Add(g.taint)
		if observed(c) {
			v.Findings = append(v.Findings, policy.Finding{Reason: reasonTainted, Detail: "taint: " + s.describe(x), At: g.at})
			return
		}
		g.book.taints.add(c.Agent.Name, taint{c.Ref.String(), c.Connection.Name, until})
		v.Findings = append(v.Findings, policy.Finding{Detail: "taint: " + s.describe(x) + ", until " + until.UTC().Format(time.RFC3339), At: g.at})
		return
	}
}
