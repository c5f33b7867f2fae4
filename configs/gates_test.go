package configs_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// fakeGates stand for the gates of the proxy, which live in other rooms: one with the keys that the samples use, one with
// a field of each type that there can be, and one that does what gates should not.
func fakeGates() []policy.Spec { return []policy.Spec{scopeSpec(), kindsSpec(), moodSpec()} }

func refusal(code string) *policy.Reason {
	return &policy.Reason{Code: code, Answer: policy.AnswerNotPermitted, Hint: "look at the connection"}
}

var (
	reasonTool     = refusal("TOOL_NOT_ALLOWED")
	reasonArgument = refusal("ARGUMENT_NOT_ALLOWED")
	reasonResource = refusal("RESOURCE_NOT_ALLOWED")
	reasonMood     = refusal("BAD_MOOD")
)

// scopeKeys are the keys of a connection that say which.
type scopeKeys struct {
	Tools       []grant          `yaml:"tools" doc:"Tools that may be called."`
	Deny        []policy.Pattern `yaml:"deny" doc:"Tools that may not be called."`
	Tasks       []policy.Pattern `yaml:"tasks" doc:"Task types that may be done."`
	When        condition        `yaml:"when" doc:"Condition on every call."`
	Resources   []policy.Pattern `yaml:"resources" doc:"Resources that may be read."`
	Prompts     []policy.Pattern `yaml:"prompts" doc:"Prompts that may be used."`
	Methods     []policy.Pattern `yaml:"methods" doc:"Methods that may pass."`
	Sampling    permission       `yaml:"sampling" doc:"Whether the upstream may ask the model."`
	Elicitation permission       `yaml:"elicitation" doc:"Whether the upstream may ask the user."`
	Roots       permission       `yaml:"roots" doc:"Whether the upstream may ask for roots."`
}

// grant is a scalar or a mapping, through its field.
type grant struct {
	Name policy.Pattern `yaml:"name,scalar,required" doc:"Name of the tool."`
	When condition      `yaml:"when" doc:"Condition on the call."`
	At   policy.Pos
}

type permission string

func (permission) SchemaEnum() []string { return []string{"allow", "deny"} }

// condition understands args.NAME == "VALUE", and takes everything else for true.
type condition struct {
	Text string
	At   policy.Pos
}

var equation = regexp.MustCompile(`^args\.(\w+) == "(\w*)"$`)

func (c *condition) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		return errors.New("a condition is empty")
	}
	c.Text = string(b)
	return nil
}

func (condition) SchemaTitle() string { return "a condition" }

func (c condition) holds(args []byte) bool {
	m := equation.FindStringSubmatch(c.Text)
	if m == nil {
		return true
	}
	e, ok := wire.Lookup(args, m[1])
	value, text := wire.Unquote(e.Value)
	return ok && text && string(value) == m[2]
}

func scopeSpec() policy.Spec {
	return policy.NewSpec("scope", "which", []*policy.Reason{reasonTool, reasonArgument, reasonResource},
		func(c *policy.Connection, k *scopeKeys) (policy.Gate, error) {
			var all policy.Complaints
			for line := range strings.Lines(k.When.Text) {
				if at := strings.Index(line, "nosuch"); at >= 0 {
					pos := k.When.At
					pos.Line += strings.Count(k.When.Text[:strings.Index(k.When.Text, line)], "\n")
					pos.Col += at
					all = append(all, policy.Complaint{At: pos, Text: `undeclared "nosuch"`, Hint: "args and now are declared"})
				}
			}
			for _, p := range k.Tasks {
				if !slices.ContainsFunc(c.Upstream.Tasks, func(t policy.Task) bool { return t.Name == p.Text }) {
					all = append(all, policy.Complaint{Text: "upstream " + c.Upstream.Name + " has no task " + p.Text})
				}
			}
			if len(all) > 0 {
				return nil, all
			}
			return &scopeGate{k}, nil
		})
}

type scopeGate struct{ *scopeKeys }

var _ policy.Screen = (*scopeGate)(nil)

func match(all []policy.Pattern, name string) *policy.Pattern {
	for i := range all {
		if all[i].Match(name) {
			return &all[i]
		}
	}
	return nil
}

func (g *scopeGate) tool(c *policy.Call, name string, args []byte) policy.Verdict {
	if p := match(g.Deny, name); p != nil {
		return policy.Refuse(reasonTool, p.At, "in deny")
	}
	c.Passed("deny", policy.Pos{}, "not in deny")
	if g.Tasks != nil && match(g.Tasks, c.Connection.Upstream.Task(name)) == nil {
		return policy.Refuse(reasonTool, g.Tasks[0].At, "task")
	}
	found := g.Tools == nil && g.Tasks != nil
	for _, t := range g.Tools {
		if t.Name.Match(name) {
			if args != nil && !t.When.holds(args) {
				return policy.Refuse(reasonArgument, t.When.At, "")
			}
			found = true
			c.Passed("tool", t.At, name+" is granted")
		}
	}
	switch {
	case !found:
		return policy.Refuse(reasonTool, c.Connection.At, "no entry of tools")
	case args != nil && !g.When.holds(args):
		return policy.Refuse(reasonArgument, g.When.At, "")
	default:
		return policy.Pass
	}
}

func (g *scopeGate) Check(_ context.Context, c *policy.Call) (policy.Verdict, error) {
	ok := true
	switch c.Method {
	case "tools/call":
		args := c.Frame.Get(wire.ParamsArguments)
		if args == nil {
			args = []byte("{}")
		}
		return g.tool(c, c.Target, args), nil
	case "resources/read":
		ok = match(g.Resources, c.Target) != nil
	case "prompts/get":
		ok = match(g.Prompts, c.Target) != nil
	case "tools/list":
	default:
		ok = match(g.Methods, c.Method) != nil
	}
	if !ok {
		return policy.Refuse(reasonResource, c.Connection.At, ""), nil
	}
	return policy.Pass, nil
}

func (g *scopeGate) Screen(_ context.Context, c *policy.Call, result *wire.Frame) (policy.Verdict, error) {
	if c.Method != "tools/list" {
		return policy.Pass, nil
	}
	span := result.Span(wire.ResultTools)
	var parts []wire.Span
	var keep []bool
	for part, raw := range wire.Elements(result.Get(wire.ResultTools)) {
		e, _ := wire.Lookup(raw, "name")
		name, _ := wire.Unquote(e.Value)
		v := g.tool(c, string(name), nil)
		parts, keep = append(parts, part), append(keep, v.Effect == policy.Allow)
	}
	return policy.Verdict{Effect: policy.Allow, Rewrite: wire.Cut(parts, keep).Shift(span.Lo)}, nil
}

// kinds has a field of each type that a gate may have.
type kinds struct {
	Text    string            `yaml:"text" doc:"A text."`
	Flag    bool              `yaml:"flag" doc:"A flag."`
	Number  int               `yaml:"number" doc:"A whole number."`
	Pause   time.Duration     `yaml:"pause" doc:"A duration."`
	Names   []string          `yaml:"names" doc:"Several texts."`
	Levels  map[string]int    `yaml:"levels" doc:"Numbers by name."`
	Corners map[colour]*point `yaml:"corners" doc:"Points by colour."`
	Maybe   *int              `yaml:"maybe" doc:"A number that may be absent."`
	Colour  colour            `yaml:"colour" doc:"One of a few."`
	Speed   speed             `yaml:"speed" doc:"A text with a form."`
	Where   point             `yaml:"where" doc:"A mapping."`
	Watch   watch             `yaml:"watch" doc:"A scalar or a mapping."`
	Pick    pick              `yaml:"pick" doc:"A list or a mapping."`
	Steps   []stage           `yaml:"steps" doc:"Named values in order."`
	Points  []place           `yaml:"points" doc:"Named mappings in order."`
	Shared  shared            `yaml:",inline"`
	Ignored int               `yaml:"-"`
	Plain   int
}

type colour string

func (colour) SchemaEnum() []string { return []string{"red", "green", "blue"} }

// speed is written as N/s.
type speed struct {
	N  int
	At policy.Pos
}

func (s *speed) UnmarshalText(b []byte) error {
	if _, err := fmt.Sscanf(string(b), "%d/s", &s.N); err != nil {
		return fmt.Errorf("%q is not a speed", b)
	}
	if s.N > 1000 {
		return tooFast{}
	}
	return nil
}

func (speed) SchemaPattern() string { return "^[0-9]+/s$" }
func (speed) SchemaTitle() string   { return "a speed" }

type tooFast struct{}

func (tooFast) Error() string { return "that is too fast" }
func (tooFast) Hint() string  { return "it is at most 1000/s" }

type point struct {
	X  int `yaml:"x,required" doc:"To the right."`
	Y  int `yaml:"y" doc:"Upwards."`
	At policy.Pos
}

// watch is a scalar or a mapping, by reading the scalar itself.
type watch struct {
	Every time.Duration `yaml:"every" doc:"How often."`
	Once  string        `yaml:"once" doc:"When."`
	Loud  bool          `yaml:"loud" doc:"Whether it rings."`
	At    policy.Pos
}

func (w *watch) UnmarshalText(b []byte) error {
	w.Once = strings.ToUpper(string(b))
	return nil
}

func (watch) SchemaOneOf() []string { return []string{"every", "once"} }

func (watch) SchemaNeeds() map[string][]string { return map[string][]string{"loud": {"every"}} }

// pick is a list or a mapping, through its field.
type pick struct {
	Of   []string `yaml:"of,scalar" doc:"What there is."`
	Most int      `yaml:"most" doc:"How many."`
}

type stage struct {
	Name  string           `yaml:",key"`
	Tools []policy.Pattern `yaml:",value"`
	At    policy.Pos
}

type place struct {
	Name colour `yaml:",key"`
	At   policy.Pos
	X    int `yaml:"x" doc:"To the right."`
}

type shared struct {
	Extra string `yaml:"extra" doc:"From a struct inside."`
}

func kindsSpec() policy.Spec {
	return policy.NewSpec("kinds", "nothing", nil, func(_ *policy.Connection, k *kinds) (policy.Gate, error) {
		if reflect.DeepEqual(*k, kinds{}) {
			return nil, nil
		}
		return &kindsGate{k}, nil
	})
}

type kindsGate struct{ *kinds }

func (*kindsGate) Check(context.Context, *policy.Call) (policy.Verdict, error) {
	return policy.Pass, nil
}

// moods are what can go wrong with a gate.
type moods struct {
	Mood string `yaml:"mood" doc:"What goes wrong."`
}

func moodSpec() policy.Spec {
	return policy.NewSpec("mood", "whether it likes the call", []*policy.Reason{reasonMood},
		func(_ *policy.Connection, k *moods) (policy.Gate, error) {
			switch k.Mood {
			case "":
				return nil, nil
			case "broken":
				return nil, errors.New("it cannot be built")
			default:
				return moodGate(k.Mood), nil
			}
		})
}

type moodGate string

func (m moodGate) Check(ctx context.Context, c *policy.Call) (policy.Verdict, error) {
	switch m {
	case "trusts":
		if c.Assumed == nil || c.Assumed.Score < 400 {
			return policy.Refuse(reasonMood, policy.Pos{}, "it does not trust"), nil
		}
		return policy.Pass, nil
	case "fails":
		return policy.Verdict{}, errors.New("the store is away")
	case "panics":
		panic("no")
	case "refuses":
		return policy.Refuse(reasonMood, policy.Pos{}, "it does not like it"), nil
	case "waits":
		<-ctx.Done()
		return policy.Pass, nil
	default:
		return policy.Pass, nil
	}
}
