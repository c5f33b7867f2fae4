// Package toolscope says which: which methods, tools, task types, models, prompts and resources a connection grants, under
// which conditions on the arguments, what a list shows of them, and what an upstream may ask of the agent.
//
// Nothing is granted that the connection does not name. One evaluator answers for calls and for lists, so that a name is
// listed if and only if standing permission grants it, and a name that is not granted answers like one that does not
// exist. What a connection grants nothing of is also cut from the capabilities that client and server declare.
//
// The package does not say how often, when, or with what content; it sends nothing and rewrites nothing but what policy
// leaves out. What it remembers between calls is a [Catalog] of the tools that upstreams were seen to offer, and in package
// pin which definitions of theirs may be relied on.
package toolscope

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope/pin"
)

const gateName = "scope"

// Config are the keys of a connection that this gate reads. The zero Config grants the protocol's methods, and no tool,
// prompt or resource.
type Config struct {
	Tools     []Tool           `yaml:"tools" doc:"Tools that may be called: names with * for any run of characters, or {name, when}. Where several entries match a tool, one of them must grant the call. Without tools and tasks there are none; with tasks alone, all tools of those tasks."`
	Deny      []policy.Pattern `yaml:"deny" doc:"Tools that may not be called, whatever else grants them. Names with * for any run of characters."`
	Tasks     []Task           `yaml:"tasks" doc:"Task types that may be done, from the tasks of the upstream, or unclassified for tools that no task names. Where tools are given too, a tool must satisfy both."`
	When      Expr             `yaml:"when" doc:"Condition in CEL on every tool call, over args, tool.name, tool.task, agent.name, client.name and now."`
	Resources []policy.Pattern `yaml:"resources" doc:"URIs of resources that may be read, with * for any run of characters. In a pattern with a path, and in one of the web, a * before the path does not reach into it."`
	Prompts   []policy.Pattern `yaml:"prompts" doc:"Prompts that may be used. Names with * for any run of characters."`
	Methods   []policy.Pattern `yaml:"methods" doc:"Methods that may pass in either direction, besides those that every session needs. Default: all that the protocol defines. A method that it does not define passes only where a pattern matches it."`

	Models    []policy.Pattern `yaml:"models" doc:"Models that may be named: as a preference of an upstream that asks the agent's model, as the one that has answered it, and in arguments of tools. Names with * for any run of characters. Default: any."`
	ModelArgs []string         `yaml:"model_arguments" doc:"Arguments of tool calls that name models. Default: model. They count where models are given."`

	Sampling    Sampling    `yaml:"sampling" doc:"Whether the upstream may ask the agent's model: allow, deny (default), or a mapping that allows it within bounds. The tools that it offers the model must be granted, and it gets no context of other servers."`
	Elicitation Elicitation `yaml:"elicitation" doc:"Whether the upstream may ask the agent's user: allow (by forms that ask for no secrets), deny (default), or a mapping that allows that and more."`
	Roots       Roots       `yaml:"roots" doc:"Whether the upstream may learn the agent's root folders: allow, deny (default), or a mapping that says which."`
}

// Tool grants tools: all calls, or those whose arguments satisfy a condition.
type Tool struct {
	Name  policy.Pattern  `yaml:"name,scalar,required" doc:"Name of the tool, with * for any run of characters."`
	When  Expr            `yaml:"when" doc:"Condition in CEL on the call, over args, tool.name, tool.task, agent.name, client.name and now."`
	Gates policy.Settings `yaml:",inline" place:"tool"` // what other gates ask of calls of these tools
	At    policy.Pos
}

// Task grants a task type.
type Task struct {
	Name  TaskName        `yaml:"name,scalar,required" doc:"Name of the task type."`
	Gates policy.Settings `yaml:",inline" place:"task"` // what other gates ask of calls of this type
	At    policy.Pos
}

// Scopes returns the tools and task types that other gates have keys on; see [policy.Scoper].
func (c *Config) Scopes() (tools, tasks []policy.Scope) {
	for i := range c.Tools {
		if t := &c.Tools[i]; len(t.Gates) > 0 {
			tools = append(tools, policy.Scope{Name: t.Name, Settings: t.Gates})
		}
	}
	for i := range c.Tasks {
		if t := &c.Tasks[i]; len(t.Gates) > 0 {
			tasks = append(tasks, policy.Scope{Name: policy.Pattern{Text: t.Name.Text, At: t.Name.At}, Settings: t.Gates})
		}
	}
	return tools, tasks
}

// Asked returns what other gates have keys on of the upstream's requests to the agent's model; see [policy.Scoper].
func (c *Config) Asked() policy.Settings { return c.Sampling.Gates }

var _ policy.Scoper = (*Config)(nil)

// TaskName names a task type of the upstream.
type TaskName struct {
	Text string
	At   policy.Pos
}

// UnmarshalText reads a name. It refuses the empty one.
func (t *TaskName) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errEmpty("task")
	}
	t.Text = string(text)
	return nil
}

// SchemaTitle says what messages call a value.
func (*TaskName) SchemaTitle() string { return "a task type" }

// Expr is the text of a condition. The zero Expr is no condition.
type Expr struct {
	Text string
	At   policy.Pos // of the first character
}

// UnmarshalText takes a condition; whether it is one, the gate finds out when it is built.
func (e *Expr) UnmarshalText(text []byte) error {
	if len(strings.TrimSpace(string(text))) == 0 {
		return errEmpty("condition")
	}
	e.Text = string(text)
	return nil
}

// SchemaTitle says what messages call a value.
func (*Expr) SchemaTitle() string { return "a condition" }

type errEmpty string

func (e errEmpty) Error() string { return "a " + string(e) + " is empty" }

// Spec describes the gate. Its gates read the catalog and the book, into which [Learn] puts what upstreams answer.
func Spec(cat *Catalog, pins *pin.Book) policy.Spec {
	lang := sync.OnceValues(newLanguage)
	return policy.NewSpec(gateName, "which methods, tools, task types, prompts and resources", reasons,
		func(c *policy.Connection, cfg *Config) (policy.Gate, error) {
			l, err := lang()
			if err != nil {
				return nil, err
			}
			return build(l, cat, pins, c, cfg)
		}).On(policy.OnUpstream, func() any { return new(UpstreamKeys) })
}

// scope is the gate of one connection. It is immutable but for what its conditions remember of schemas.
type scope struct {
	agent    string
	upstream *policy.Upstream
	at       policy.Pos // of the connection: where something is missing
	maxName  int        // bytes of a tool's or prompt's name
	seen     *shelf     // what the upstream offers
	pinned   pinned     // what of it may be relied on
	omitted  *omissions // what of it other gates have left out of lists

	tools []rule // nil: the connection has no such key
	deny  []policy.Pattern
	tasks []Task     // nil: the connection has no such key
	when  *condition // on every tool call; nil for none

	resources []uriRule
	prompts   []policy.Pattern
	methods   []policy.Pattern // nil: all that the protocol defines

	models    []policy.Pattern // nil: any
	modelArgs []string         // arguments that name models

	sampling    Sampling
	elicitation Elicitation
	roots       Roots
	onlyRoots   []uriRule // of roots

	// What the connection leaves anything of, known when it is built.
	anyTool, anyPrompt, anyResource bool

	lists answers[cuts] // of tools, besides which a gate is immutable
}

// rule is one entry of the key tools.
type rule struct {
	name policy.Pattern
	when *condition // nil for none
	at   policy.Pos
}

var _ policy.Screen = (*scope)(nil)

func build(l *language, cat *Catalog, pins *pin.Book, c *policy.Connection, cfg *Config) (policy.Gate, error) {
	s := &scope{
		agent: c.Agent.Name, upstream: c.Upstream, at: c.At, maxName: c.Limits.Name, seen: cat.shelf(c.Upstream.Name),
		pinned: pinned{PinsOf(c.Upstream), pins, &cat.inputs}, omitted: cat.omitted(c.Agent.Name, c.Upstream.Name),
		deny: cfg.Deny, tasks: cfg.Tasks, prompts: cfg.Prompts, methods: cfg.Methods,
		models: cfg.Models, modelArgs: cfg.ModelArgs, sampling: cfg.Sampling, elicitation: cfg.Elicitation, roots: cfg.Roots,
	}
	if s.modelArgs == nil {
		s.modelArgs = []string{modelArgument}
	}
	var wrong policy.Complaints
	for i := range cfg.Tasks {
		wrong = append(wrong, unknownTask(c.Upstream, &cfg.Tasks[i].Name)...)
	}
	for _, p := range cfg.Resources {
		r, complaint := newURIRule(p)
		wrong = append(wrong, complaint...)
		s.resources = append(s.resources, r)
	}
	for _, p := range cfg.Roots.Only {
		r, complaint := newURIRule(p)
		wrong = append(wrong, complaint...)
		s.onlyRoots = append(s.onlyRoots, r)
	}
	if cfg.Tools != nil {
		s.tools = make([]rule, len(cfg.Tools))
	}
	for i := range cfg.Tools {
		t := &cfg.Tools[i]
		cond, complaints := l.compile(t.When, !strings.Contains(t.Name.Text, "*"))
		wrong = append(wrong, complaints...)
		s.tools[i] = rule{name: t.Name, when: cond, at: t.At}
	}
	cond, complaints := l.compile(cfg.When, false)
	s.when = cond
	if wrong = append(wrong, complaints...); len(wrong) > 0 {
		return nil, wrong
	}
	s.foresee()
	return s, nil
}

// unknownTask complains of a task type that the upstream does not have.
func unknownTask(u *policy.Upstream, t *TaskName) policy.Complaints {
	known := []string{policy.Unclassified}
	for i := range u.Tasks {
		known = append(known, u.Tasks[i].Name)
	}
	if slices.Contains(known, t.Text) {
		return nil
	}
	hint := "add it to the tasks of the upstream, or name one of: " + strings.Join(known, ", ")
	if near := policy.Nearest(t.Text, known); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return policy.Complaints{{At: t.At, Text: fmt.Sprintf("upstream %s has no task type %q", u.Name, t.Text), Hint: hint}}
}

// foresee finds out what is settled once the connection is known: which conditions can never hold, and what the
// connection grants nothing of.
func (s *scope) foresee() {
	for _, c := range s.conditions() {
		c.settle(s.agent)
	}
	s.anyTool = s.grantsTools()
	s.anyPrompt = len(s.prompts) > 0 && s.admits("prompts/get")
	s.anyResource = len(s.resources) > 0 && (s.admits("resources/read") || s.admits("resources/subscribe"))
}

func (s *scope) conditions() []*condition {
	var all []*condition
	if s.when != nil {
		all = append(all, s.when)
	}
	for i := range s.tools {
		if c := s.tools[i].when; c != nil {
			all = append(all, c)
		}
	}
	return all
}

// legalName reports whether bytes can be the name of a tool or prompt: there are some, not too many, and all can be seen.
func legalName(name []byte, longest int) bool {
	if len(name) == 0 || len(name) > longest {
		return false
	}
	for _, c := range name {
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	return true
}

// name returns the name of the tool or prompt that a call is for.
func (s *scope) name(f *wire.Frame) ([]byte, bool) {
	name, ok := f.Text(wire.ParamsName)
	return name, ok && legalName(name, s.maxName)
}
