package guardrails

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/policy"
)

// Suppression says that something which is found is none of what it looks like.
type Suppression struct {
	Rule   ProfileName     `yaml:"rule,required" doc:"Finding or rule, as the record and hopgate scan name it: email or pii-EMAIL_ADDRESS."`
	Tool   *policy.Pattern `yaml:"tool" doc:"Tool whose calls and results it is in: TOOL or UPSTREAM/TOOL, with * for any run of characters. Without this, a message that is of no tool."`
	Path   policy.Pattern  `yaml:"path,required" doc:"Where it stands: a JSON pointer into the message, with * for any run of characters."`
	Value  *Print          `yaml:"value" doc:"Keyed hash of the value, as hopgate scan prints it; for secrets a must. Without this, any value."`
	Owner  Note            `yaml:"owner,required" doc:"Who answers for it."`
	Reason Note            `yaml:"reason,required" doc:"Why it is none."`
	Until  Date            `yaml:"until,required" doc:"Last day on which it counts, in UTC: YYYY-MM-DD."`
	At     policy.Pos
}

// Note is a text for people. It is not empty.
type Note string

// UnmarshalText reads a text.
func (n *Note) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("it says nothing")
	}
	*n = Note(text)
	return nil
}

// SchemaPattern is the form of a text.
func (*Note) SchemaPattern() string { return `^(.|\n)+$` }

// SchemaTitle says what messages call a value.
func (*Note) SchemaTitle() string { return "a text" }

// Date is a day in UTC.
type Date struct{ time.Time }

// UnmarshalText reads a day.
func (d *Date) UnmarshalText(text []byte) (err error) {
	if d.Time, err = time.Parse(time.DateOnly, string(text)); err != nil {
		return fmt.Errorf("%q is not a day: write it as 2027-01-31", text)
	}
	return nil
}

// SchemaPattern is the form of a day.
func (*Date) SchemaPattern() string { return `^[0-9]{4}-[0-9]{2}-[0-9]{2}$` }

// SchemaTitle says what messages call a value.
func (*Date) SchemaTitle() string { return "a day as YYYY-MM-DD" }

// suppression is a compiled Suppression.
type suppression struct {
	*Suppression
	used atomic.Int64 // findings that it was for, since the configuration is in force
}

// ended reports whether the last day of a suppression has passed.
func (x *Suppression) ended(now time.Time) bool { return !now.Before(x.Until.AddDate(0, 0, 1)) }

// suppressions checks those of a connection.
func suppressions(list []Suppression, all *Profiles) (out []*suppression, wrong policy.Complaints) {
	rules := sync.OnceValue(all.Rules)
	for i := range list {
		x := &list[i]
		name := x.Rule.Text
		entity := entityOf(name)
		is := func(r detect.Rule) bool {
			return r.Name == name || r.Entity == name || entity != "" && r.Entity == entity
		}
		found := slices.IndexFunc(rules(), is)
		switch {
		case found < 0:
			var known []string
			for _, r := range rules() {
				known = append(known, r.Name, nameOf(r.Entity))
			}
			wrong = append(wrong, policy.Complaint{At: x.Rule.At, Text: fmt.Sprintf("nothing that is found is named %q", name), Hint: suggest(name, known)})
		case x.Value == nil && slices.ContainsFunc(rules(), func(r detect.Rule) bool { return is(r) && r.Kind == detect.Secret }):
			wrong = append(wrong, policy.Complaint{At: x.At, Text: "a secret is suppressed by its value alone", Hint: "add value: what `hopgate scan` prints for it"})
		}
		out = append(out, &suppression{Suppression: x})
	}
	return out, wrong
}

// suppress takes back what was decided about the findings that a suppression is for. Each finding is looked at by itself: a
// secret where a suppressed address stands stays what it is.
func (g *gate) suppress(s *scan, c *policy.Call) {
	for i := range s.found {
		x := &s.found[i]
		if x.do == 0 || x.Kind == detect.Unread {
			continue
		}
		for _, sup := range g.suppressed {
			if !sup.ended(c.Time) && g.covers(sup.Suppression, s, x, c) {
				x.do, x.at, x.suppressed = Log, sup.At, sup
				break
			}
		}
	}
}

func (g *gate) covers(sup *Suppression, s *scan, x *sighting, c *policy.Call) bool {
	if x.goesOn || sup.Rule.Text != x.Rule && sup.Rule.Text != x.Entity && sup.Rule.Text != nameOf(x.Entity) {
		return false
	}
	if sup.Tool == nil && c.Method == "tools/call" || sup.Tool != nil && !named([]policy.Pattern{*sup.Tool}, c) {
		return false
	}
	if !sup.Path.Match(s.pointer(x.leaf, nil)) {
		return false
	}
	return sup.Value == nil || g.vault.is(*sup.Value, s.leaves[x.leaf].Text[x.Start:x.End])
}

// count notes that suppressions were for something.
func (s *scan) count() {
	for i := range s.found {
		if sup := s.found[i].suppressed; sup != nil {
			sup.used.Add(1)
		}
	}
}

// Suppressed is a suppression and what has become of it.
type Suppressed struct {
	*Suppression
	Ended bool
	Used  int64 // findings that it was for, since the configuration is in force
}

// Suppressions returns those of connections, in the order of the file; what several agents share is one.
func Suppressions(all []*policy.Connection, now time.Time) (out []Suppressed) {
	seen := map[policy.Pos]int{}
	for _, c := range all {
		for i := range c.Gates {
			g, ok := c.Gates[i].Gate.(*gate)
			if !ok {
				continue
			}
			for _, x := range g.suppressed {
				at, known := seen[x.At]
				if !known {
					at = len(out)
					seen[x.At] = at
					out = append(out, Suppressed{Suppression: x.Suppression, Ended: x.ended(now)})
				}
				out[at].Used += x.used.Load()
			}
		}
	}
	return out
}
