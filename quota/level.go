package quota

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/hopgate/hopgate/policy"
)

// level is one scope of a connection that limits are on.
type level[C any] struct {
	scope
	keys *C
}

// scope is what limits are on.
type scope struct {
	place string // as records and operators name it
	key   string // of its account
	agent bool
	tool  *policy.Pattern // set where it is the tools whose name fits
}

// levels returns the scopes of a connection on which a gate has keys of one type.
func levels[C any](c *policy.Connection, gate string, own *C) []level[C] {
	return append(near(c, gate, own), far[C](c, gate)...)
}

// near returns the connection itself and its tools. A connection is known by its ends, so that another name for it washes
// nothing.
func near[C any](c *policy.Connection, gate string, own *C) []level[C] {
	ends := c.Agent.Name + "/" + c.Upstream.Name
	all := []level[C]{{scope{place: "connection " + c.Name, key: prefix + "c/" + ends}, own}}
	for i := range c.Tools {
		t := &c.Tools[i]
		if keys := policy.Setting[C](t.Settings, gate); keys != nil {
			s := scope{place: "tool " + t.Name.Text, key: prefix + "t/" + ends + "/" + short(t.Name.Text), tool: &t.Name}
			all = append(all, level[C]{s, keys})
		}
	}
	return all
}

// far returns the agent, and its team and organisation.
func far[C any](c *policy.Connection, gate string) (all []level[C]) {
	add := func(s scope, settings policy.Settings) {
		if keys := policy.Setting[C](settings, gate); keys != nil {
			all = append(all, level[C]{s, keys})
		}
	}
	add(scope{place: "agent " + c.Agent.Name, key: agentKey(c.Agent), agent: true}, c.Agent.Settings)
	if t := c.Agent.Team; t != nil {
		add(scope{place: "team " + t.Name, key: prefix + "g/" + t.Name}, t.Settings)
		if t.Org != nil {
			add(scope{place: "org " + t.Org.Name, key: prefix + "o/" + t.Org.Name}, t.Org.Settings)
		}
	}
	return all
}

func agentKey(a *policy.Agent) string { return prefix + "a/" + a.Name }

// short bounds a pattern in a key of the store.
func short(pattern string) string {
	const longest = 256
	if len(pattern) <= longest {
		return pattern
	}
	digest := sha256.Sum256([]byte(pattern))
	return pattern[:longest] + "#" + hex.EncodeToString(digest[:])
}

// zoneOf returns the zone that windows and hours are in: their own, that of the file, or UTC.
func zoneOf(c *policy.Connection, own *time.Location) *time.Location {
	if own != nil {
		return own
	}
	if f := policy.Setting[HoursOfFile](c.File, gateHours); f != nil && f.Zone.Location != nil {
		return f.Zone.Location
	}
	return time.UTC
}

// set is the limits of a gate: those on everything, and those on tools whose name fits.
type set struct {
	all   []*limit
	tools []toolSet
}

type toolSet struct {
	name   policy.Pattern
	limits []*limit
}

// builder makes the limits of one connection and collects what is wrong with them.
type builder struct {
	book  *Book
	wrong policy.Complaints
	seen  map[any]policy.Pos // counters that have a limit
}

func newBuilder(b *Book) *builder { return &builder{book: b, seen: map[any]policy.Pos{}} }

// add adds a limit to the set of its scope.
func (b *builder) add(s *set, at *scope, l *limit) {
	l.place = at.place
	if first, again := b.seen[l.counter()]; again {
		b.wrong = append(b.wrong, policy.Complaint{
			At: l.at, Text: fmt.Sprintf("a second %s of the same kind on %s", l.kind, at.place),
			Hint: fmt.Sprintf("the first is on line %d; keep the tighter one", first.Line),
		})
		return
	}
	b.seen[l.counter()] = l.at
	if at.tool == nil {
		s.all = append(s.all, l)
		return
	}
	for i := range s.tools {
		if s.tools[i].name.Text == at.tool.Text {
			s.tools[i].limits = append(s.tools[i].limits, l)
			return
		}
	}
	s.tools = append(s.tools, toolSet{*at.tool, []*limit{l}})
}

// rate makes the limit of a rate.
func (b *builder) rate(s *scope, unit string, r *Bucket) *limit {
	b.book.mu.Lock()
	defer b.book.mu.Unlock()
	return &limit{
		kind: KindRate, text: r.String(), at: r.At, step: r.step(), depth: r.step() * r.Burst,
		meter: b.book.account(s.key).findMeter(unit),
	}
}

// window makes a limit of a calendar window.
func (b *builder) window(s *scope, key windowKey, zone *time.Location, most int64, text string, at policy.Pos) *limit {
	key.zoneName = zone.String()
	if key.zoneName != "UTC" {
		text += " " + key.zoneName
	}
	b.book.mu.Lock()
	defer b.book.mu.Unlock()
	return &limit{kind: key.kind, text: text, at: at, max: most, window: b.book.account(s.key).findWindow(key, zone)}
}

// of adds the limits to a hold that a call falls under.
func (s *set) of(h *hold, c *policy.Call) {
	h.want(s.all)
	if len(s.tools) == 0 || c.Method != methodCall {
		return
	}
	for i := range s.tools {
		if s.tools[i].name.Match(c.Target) {
			h.want(s.tools[i].limits)
		}
	}
}

func (s *set) empty() bool { return len(s.all) == 0 && len(s.tools) == 0 }

const methodCall = "tools/call"
