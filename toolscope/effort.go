package toolscope

import (
	"encoding/json"
	"errors"
	"regexp/syntax"
	"strconv"
	"strings"
)

// Bounds of what is done for one validation. A server writes the schema and an agent the arguments, so together they could
// otherwise make us work without end: a short schema can refer to itself twice at each step.
const (
	maxSchema   = 64 << 10 // bytes
	maxDeep     = 64       // objects and arrays inside each other in a schema
	maxEffort   = 4 << 20  // schemas held against values, or as much work
	maxPairs    = 1 << 18  // of a schema and a value that are told apart
	maxPattern  = 4096     // instructions of the program of one regular expression
	patternStep = 16       // characters times instructions that cost as much as one schema
)

// Why a schema or arguments are not looked at. The texts go on record.
var (
	errSchemaLarge   = errors.New("the input schema is too large")
	errSchemaDeep    = errors.New("the input schema is nested too deeply")
	errSchemaKeyword = errors.New("the input schema refers to schemas in a way that is not followed")
	errSchemaRef     = errors.New("the input schema refers to a schema that it does not hold")
	errSchemaPattern = errors.New("a regular expression of the input schema is too large, or none")
	errEffort        = errors.New("the arguments cannot be held against the input schema with a bounded effort")
)

// plan is a schema as far as it decides how much work a validation is: which schemas are held against a value, and which
// against what is in it. It is immutable.
type plan struct{ nodes []node }

// node is one schema. Fields are indices of nodes.
type node struct {
	same     []int          // held against the same value
	members  map[string]int // against the member of that name
	others   []int          // against any member
	names    []int          // against the names of members
	elements []int          // against any element
	own      int            // work beside that
	pattern  int            // instructions for each character of a string
	keys     int            // instructions for each character of a name
}

// planner makes a plan.
type planner struct {
	root  any
	nodes []node
	at    map[string]int // nodes by the pointer that leads to them
}

// newPlan reads a schema.
func newPlan(root any) (*plan, error) {
	p := planner{root: root, at: map[string]int{}}
	if _, err := p.schema(root, "", 0); err != nil {
		return nil, err
	}
	return &plan{p.nodes}, nil
}

// schema returns the node of a schema that stands at a pointer.
func (p *planner) schema(s any, pointer string, depth int) (int, error) {
	if i, known := p.at[pointer]; known {
		return i, nil
	}
	if depth > maxDeep {
		return 0, errSchemaDeep
	}
	i := len(p.nodes)
	p.nodes = append(p.nodes, node{})
	p.at[pointer] = i
	o, _ := s.(map[string]any) // true and false hold nothing
	n := node{members: map[string]int{}, own: 1}
	for name, v := range o {
		if err := p.keyword(&n, name, v, pointer+"/"+escapePointer(name), depth+1); err != nil {
			return 0, err
		}
	}
	p.nodes[i] = n
	return i, nil
}

func (p *planner) keyword(n *node, name string, v any, pointer string, depth int) (err error) {
	switch name {
	case "$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$recursiveAnchor": // an $anchor does nothing but be referred to, which ref refuses
		return errSchemaKeyword
	case "$id", "id":
		if _, text := v.(string); text && depth > 1 {
			return errSchemaKeyword
		}
	case "$ref":
		return p.ref(n, v)
	case "allOf", "anyOf", "oneOf":
		n.same, err = p.list(n.same, v, pointer, depth)
	case "not", "if", "then", "else":
		n.same, err = p.one(n.same, v, pointer, depth)
	case "dependentSchemas", "dependencies":
		n.same, err = p.values(n.same, v, pointer, depth)
	case "properties":
		o, _ := v.(map[string]any)
		for key, s := range o {
			if n.members[key], err = p.schema(s, pointer+"/"+escapePointer(key), depth+1); err != nil {
				return err
			}
		}
	case "patternProperties":
		o, _ := v.(map[string]any)
		for key := range o {
			size, err := program(key)
			if err != nil {
				return err
			}
			n.keys += size
		}
		n.others, err = p.values(n.others, v, pointer, depth)
	case "additionalProperties", "unevaluatedProperties":
		n.others, err = p.one(n.others, v, pointer, depth)
	case "propertyNames":
		n.names, err = p.one(n.names, v, pointer, depth)
	case "items", "prefixItems", "additionalItems", "unevaluatedItems", "contains":
		if _, several := v.([]any); several {
			n.elements, err = p.list(n.elements, v, pointer, depth)
		} else {
			n.elements, err = p.one(n.elements, v, pointer, depth)
		}
	case "pattern":
		text, _ := v.(string)
		n.pattern, err = program(text)
	case "enum", "const":
		n.own += weight(v)
	}
	return err
}

func (p *planner) one(to []int, v any, pointer string, depth int) ([]int, error) {
	i, err := p.schema(v, pointer, depth)
	return append(to, i), err
}

func (p *planner) list(to []int, v any, pointer string, depth int) (_ []int, err error) {
	list, _ := v.([]any)
	for i, s := range list {
		if to, err = p.one(to, s, pointer+"/"+strconv.Itoa(i), depth+1); err != nil {
			return nil, err
		}
	}
	return to, nil
}

func (p *planner) values(to []int, v any, pointer string, depth int) (_ []int, err error) {
	o, _ := v.(map[string]any)
	for key, s := range o {
		if _, names := s.([]any); names {
			continue // names of members that must be there as well
		}
		if to, err = p.one(to, s, pointer+"/"+escapePointer(key), depth+1); err != nil {
			return nil, err
		}
	}
	return to, nil
}

// ref follows a reference within the schema.
func (p *planner) ref(n *node, v any) error {
	text, _ := v.(string)
	pointer, ok := strings.CutPrefix(text, "#")
	if !ok || pointer != "" && pointer[0] != '/' || strings.Contains(pointer, "%") {
		return errSchemaRef
	}
	if pointer == "" {
		n.same = append(n.same, 0)
		return nil
	}
	s, depth := p.root, 0
	for step := range strings.SplitSeq(pointer[1:], "/") {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		depth++
		switch in := s.(type) {
		case map[string]any:
			if s, ok = in[step]; !ok {
				return errSchemaRef
			}
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(in) {
				return errSchemaRef
			}
			s = in[i]
		default:
			return errSchemaRef
		}
	}
	i, err := p.schema(s, pointer, depth)
	n.same = append(n.same, i)
	return err
}

func escapePointer(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// program returns the size of the program of a regular expression.
func program(pattern string) (int, error) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0, errSchemaPattern
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil || len(prog.Inst) > maxPattern {
		return 0, errSchemaPattern
	}
	return len(prog.Inst), nil
}

// weight counts the values in a value.
func weight(v any) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			n += weight(x)
		}
	case map[string]any:
		for _, x := range v {
			n += weight(x)
		}
	}
	return n
}

// effort adds up how many schemas are held against the values in arguments, at most.
type effort struct {
	*plan
	known map[[2]int]int // by node and value; under way: -1
	ids   int
}

// of returns the work for arguments, and errEffort where that is too much.
func (p *plan) of(args any) error {
	e := effort{plan: p, known: map[[2]int]int{}}
	if e.work(0, e.number(args)) > maxEffort {
		return errEffort
	}
	return nil
}

// value is a value with a number, by which its work is remembered.
type value struct {
	id       int
	text     int // characters of a string, or of the names of an object
	members  map[string]*value
	elements []*value
}

func (e *effort) number(v any) *value {
	e.ids++
	x := &value{id: e.ids}
	switch v := v.(type) {
	case string:
		x.text = len(v)
	case map[string]any:
		x.members = make(map[string]*value, len(v))
		for name, in := range v {
			x.text += len(name)
			x.members[name] = e.number(in)
		}
	case []any:
		x.elements = make([]*value, len(v))
		for i, in := range v {
			x.elements[i] = e.number(in)
		}
	}
	return x
}

// work returns how much it takes to hold a value against a schema. A schema that leads back to itself without looking
// into the value never ends.
func (e *effort) work(at int, v *value) int {
	key := [2]int{at, v.id}
	switch known, ok := e.known[key]; {
	case ok && known < 0, len(e.known) >= maxPairs:
		return maxEffort + 1
	case ok:
		return known
	}
	e.known[key] = -1
	n := &e.nodes[at]
	sum := n.own
	add := func(to []int, v *value) {
		for _, t := range to {
			if sum <= maxEffort {
				sum += e.work(t, v)
			}
		}
	}
	add(n.same, v)
	if v.members == nil {
		sum += v.text * n.pattern / patternStep
	} else {
		sum += v.text * n.keys / patternStep
	}
	for name, in := range v.members {
		if t, ok := n.members[name]; ok && sum <= maxEffort {
			sum += e.work(t, in)
		}
		add(n.others, in)
		if len(n.names) > 0 {
			e.ids++
			add(n.names, &value{id: e.ids, text: len(name)})
		}
	}
	for _, in := range v.elements {
		add(n.elements, in)
	}
	e.known[key] = sum
	return sum
}

// maxExponent is beyond all doubles. Exact arithmetic on greater ones takes long.
const maxExponent = 400

// moderate reports whether all numbers in a value can be computed with.
func moderate(v any) bool {
	switch v := v.(type) {
	case json.Number:
		text := string(v)
		i := strings.IndexAny(text, "eE")
		if i < 0 {
			return len(text) <= maxExponent
		}
		n, err := strconv.Atoi(text[i+1:])
		return i <= maxExponent && err == nil && n >= -maxExponent && n <= maxExponent
	case []any:
		for _, x := range v {
			if !moderate(x) {
				return false
			}
		}
	case map[string]any:
		for _, x := range v {
			if !moderate(x) {
				return false
			}
		}
	}
	return true
}
