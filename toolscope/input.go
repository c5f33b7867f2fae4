package toolscope

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/toolscope/pin"
)

// input is the input schema of a pinned definition, ready to hold arguments against it. It is immutable.
type input struct {
	code  *jsonschema.Schema // nil where the definition has none
	plan  *plan
	names map[string]bool // of members that the schema speaks of
	wrong error           // why arguments cannot be held against it; without content
}

// inputs are the schemas of pinned definitions, compiled when they are first needed. It is safe for concurrent use.
type inputs struct {
	mu    sync.Mutex // guards byDef
	byDef map[pin.Digest]*input
}

// of returns the schema of a pinned definition.
func (s *inputs) of(it *pin.Item) *input {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.byDef[it.Digest()]
	if in == nil {
		if len(s.byDef) >= maxTools {
			clear(s.byDef)
		}
		schema, _ := wire.Lookup(it.Pinned, "inputSchema")
		in = compileInput(schema.Value)
		s.byDef[it.Digest()] = in
	}
	return in
}

// errSchema says that a schema is none. What the compiler says of it may quote it.
var errSchema = errors.New("the input schema does not compile")

// compileInput compiles a raw schema; nil is none. References out of it are not followed.
func compileInput(raw []byte) (in *input) {
	defer func() {
		if recover() != nil { // a schema that breaks the compiler is none
			in = &input{wrong: errSchema}
		}
	}()
	switch {
	case raw == nil:
		return &input{}
	case len(raw) > maxSchema:
		return &input{wrong: errSchemaLarge}
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil || !moderate(doc) {
		return &input{wrong: errSchema}
	}
	if _, object := doc.(map[string]any); !object {
		return &input{wrong: errSchema}
	}
	plan, err := newPlan(doc)
	if err != nil {
		return &input{wrong: err}
	}
	const here = "hopgate:input"
	c := jsonschema.NewCompiler()
	c.UseLoader(nowhere{})
	if err := c.AddResource(here, doc); err != nil {
		return &input{wrong: errSchema}
	}
	code, err := c.Compile(here)
	if err != nil {
		return &input{wrong: errSchema}
	}
	in = &input{code: code, plan: plan, names: map[string]bool{}}
	in.learn(doc)
	return in
}

// learn takes the names in that a schema speaks of.
func (in *input) learn(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, x := range v {
			in.names[name] = true
			in.learn(x)
		}
	case []any:
		for _, x := range v {
			if text, ok := x.(string); ok {
				in.names[text] = true // of a required member, for one
			}
			in.learn(x)
		}
	}
}

// nowhere loads no schemas: a server must not make us read files or call addresses.
type nowhere struct{}

func (nowhere) Load(string) (any, error) { return nil, errSchemaRef }

// flaw is what is wrong with arguments.
type flaw struct {
	detail string // for the record: pointer and keyword, without names that only the agent has
	tell   string // for the agent: the same, with its own names
}

// check holds raw arguments against the schema; nil is an empty object. It returns nil where they satisfy it.
func (in *input) check(raw []byte) (f *flaw, err error) {
	defer func() {
		if recover() != nil { // nothing that an agent sends may pass because it breaks the validator
			err = errEffort
		}
	}()
	if in.wrong != nil || in.code == nil {
		return nil, in.wrong
	}
	if raw == nil || string(raw) == "null" {
		raw = []byte("{}")
	}
	args, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil || !moderate(args) {
		return &flaw{"a number that is too large", "a number is too large"}, nil
	}
	if err := in.plan.of(args); err != nil {
		return nil, err
	}
	err = in.code.Validate(args)
	var wrong *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil, nil
	case errors.As(err, &wrong):
		return in.describe(deepest(wrong)), nil
	}
	return nil, errSchema
}

// deepest returns the cause that says most: the one furthest inside the arguments, the first of several. What one branch
// of a choice has against a value says less than the choice.
func deepest(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not, *kind.Contains:
		return e
	}
	if len(e.Causes) == 0 {
		return e
	}
	best := deepest(e.Causes[0])
	for _, c := range e.Causes[1:] {
		if x := deepest(c); before(x, best) {
			best = x
		}
	}
	return best
}

// before orders causes by depth, and for a fixed order by their place.
func before(x, y *jsonschema.ValidationError) bool {
	if len(x.InstanceLocation) != len(y.InstanceLocation) {
		return len(x.InstanceLocation) > len(y.InstanceLocation)
	}
	return slices.Compare(x.InstanceLocation, y.InstanceLocation) < 0
}

// mostWords bounds the names that an agent is told.
const mostWords = 8

func (in *input) describe(e *jsonschema.ValidationError) *flaw {
	keyword := "schema"
	if path := e.ErrorKind.KeywordPath(); len(path) > 0 {
		keyword = path[0]
	}
	place, known := "/arguments", "/arguments"
	for _, step := range e.InstanceLocation {
		place += "/" + escapePointer(step)
		if !in.names[step] && strings.Trim(step, "0123456789") != "" {
			step = "*" // a name that only the agent has may be anything
		}
		known += "/" + escapePointer(step)
	}
	more := ""
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		more = " is " + k.Got + ", wanted " + strings.Join(k.Want, " or ")
	case *kind.Required:
		more = " lacks " + quoted(k.Missing)
	case *kind.AdditionalProperties:
		slices.Sort(k.Properties)
		return &flaw{known + ": " + keyword, fmt.Sprintf("%s: %s: may not have %s.", place, keyword, quoted(k.Properties))}
	}
	return &flaw{known + ": " + keyword, fmt.Sprintf("%s: %s%s.", place, keyword, more)}
}

func quoted(names []string) string {
	shown := names[:min(len(names), mostWords)]
	all := make([]string, len(shown))
	for i, n := range shown {
		all[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(all, ", ")
}
