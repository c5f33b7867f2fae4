package configs

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/hopgate/hopgate/policy"
)

// Bounds of the values that a file may stand for, with its aliases followed and its defaults put into each connection: so
// many for each of its nodes, and these in any case.
const (
	valuesPerNode = 20
	valuesAnyway  = 250_000
)

// decoder fills Go values from YAML nodes, after the rules in the package comment. It reports everything that is wrong and
// goes on.
type decoder struct {
	src     *source
	report  *report
	refs    *resolver
	gates   []policy.Spec
	inherit *yaml.Node // defaults.connection: keys that a connection does not set itself
	path    []string
	open    map[*yaml.Node]bool // what aliases have led to and is not yet decoded
	broken  map[string]bool     // paths of named entries with something wrong in them
	spoiled map[string]bool     // gates with something wrong in their keys at the top of the file
	budget  int                 // values that may still be decoded
	files   []Named             // of secrets
}

func newDecoder(src *source, r *report, refs *resolver, gates []policy.Spec) *decoder {
	return &decoder{
		src: src, report: r, refs: refs, gates: gates,
		open: map[*yaml.Node]bool{}, broken: map[string]bool{}, spoiled: map[string]bool{}, budget: valuesPerNode*len(src.nodes) + valuesAnyway,
	}
}

// at is the current path, for people.
func (d *decoder) at() string { return strings.TrimPrefix(strings.Join(d.path, ""), ".") }

func (d *decoder) fail(c Code, n *yaml.Node, text, hint string) {
	d.report.fail(c, d.src.start(n), d.at(), text, hint)
}

// under decodes a value one step further down the path.
func (d *decoder) under(step string, n *yaml.Node, s *shape, into reflect.Value) {
	d.path = append(d.path, step)
	d.value(n, s, into)
	d.path = d.path[:len(d.path)-1]
}

// value decodes a node into a value of the type of a shape, or into a pointer to one.
func (d *decoder) value(n *yaml.Node, s *shape, into reflect.Value) {
	n, done, ok := d.follow(n)
	if !ok {
		return
	}
	defer done()
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(s.typ))
		into = into.Elem()
	}
	if empty(n) {
		d.fail(CodeKind, n, "no value, expected "+s.wants(), "give it a value, or remove the key")
		return
	}
	switch s.kind {
	case kindStruct:
		d.structure(n, s, into)
	case kindList:
		d.list(n, s, into)
	case kindNamed, kindMap:
		d.mapping(n, s, into)
	case kindJSON:
		d.json(n, s, into)
	default:
		d.scalar(n, s, into)
	}
}

// follow leads through aliases to the node that they name. done must be called when that node is decoded.
func (d *decoder) follow(n *yaml.Node) (target *yaml.Node, done func(), ok bool) {
	if d.budget--; d.budget < 0 {
		if d.budget == -1 {
			d.fail(CodeFeature, n, "aliases and defaults of this file stand for too many values", "")
		}
		return n, nil, false
	}
	if n.Kind != yaml.AliasNode {
		return n, func() {}, true
	}
	target = n.Alias
	if target == nil || d.open[target] {
		d.fail(CodeFeature, n, "an alias stands inside the value that it names", "")
		return n, nil, false
	}
	d.open[target] = true
	return target, func() { delete(d.open, target) }, true
}

// structure decodes a mapping with known keys, or the scalar that stands for one.
func (d *decoder) structure(n *yaml.Node, s *shape, into reflect.Value) {
	if s.scalar != nil && (n.Kind == yaml.ScalarNode || n.Kind == yaml.SequenceNode && s.scalar.shape.kind == kindList) {
		target := into
		if s.scalar.key != "" {
			target = into.FieldByIndex(s.scalar.index)
		}
		d.value(n, s.scalar.shape, target)
		d.place(s, into, d.src.text(n))
		return
	}
	if !d.want(n, yaml.MappingNode, s) {
		return
	}
	d.place(s, into, d.src.begin(n))
	bases := d.prepare(s, into)
	set := make(map[string]bool, len(n.Content)/2)
	for key, value := range pairs(n) {
		f := s.field(key.Value)
		if f == nil {
			d.unknown(key, s)
			continue
		}
		target := bases[f.gate+1].FieldByIndex(f.index)
		if set[f.key] { // a duplicate; what is wrong inside is reported, what is right is not used
			target = reflect.New(target.Type()).Elem()
		}
		set[f.key] = true
		before := d.report.raised
		d.under("."+f.key, value, f.shape, target)
		if len(d.path) == 0 && f.gate >= 0 && d.report.raised > before {
			d.spoiled[d.gates[f.gate].Name] = true
		}
	}
	switch {
	case s.place != nil:
		d.settings(s, set, bases, into)
	case s.gates != nil:
		d.defaults(s, set, bases)
	}
	d.complete(n, s, set)
}

// prepare makes the configurations of the gates, where a struct takes them. It returns the value that the fields of the
// struct are in, followed by those of each gate.
func (d *decoder) prepare(s *shape, into reflect.Value) []reflect.Value {
	bases := []reflect.Value{into}
	if s.gates == nil {
		return bases
	}
	configs := make(gateConfigs, len(d.gates))
	for i := range d.gates {
		if configs[i] = s.config(&d.gates[i]); configs[i] == nil {
			bases = append(bases, reflect.Value{})
			continue
		}
		bases = append(bases, reflect.ValueOf(configs[i]).Elem())
	}
	if s.place == nil {
		into.FieldByIndex(s.gates).Set(reflect.ValueOf(configs))
	}
	return bases
}

// settings keeps the configurations of the gates that have a key in a struct besides a connection.
func (d *decoder) settings(s *shape, set map[string]bool, bases []reflect.Value, into reflect.Value) {
	all := policy.Settings{}
	for i := range s.fields {
		if f := &s.fields[i]; f.gate >= 0 && set[f.key] {
			all[d.gates[f.gate].Name] = bases[f.gate+1].Addr().Interface()
		}
	}
	if len(all) > 0 {
		into.FieldByIndex(s.gates).Set(reflect.ValueOf(all))
	}
}

// defaults decodes the keys that a connection takes from defaults.connection. Each connection decodes them anew, so that it
// shares no value with another.
func (d *decoder) defaults(s *shape, set map[string]bool, bases []reflect.Value) {
	if d.inherit == nil {
		return
	}
	path := d.path
	d.path = []string{".defaults", ".connection"}
	for key, value := range pairs(d.inherit) {
		if f := s.field(key.Value); f != nil && !set[f.key] {
			set[f.key] = true
			d.under("."+f.key, value, f.shape, bases[f.gate+1].FieldByIndex(f.index))
		}
	}
	d.path = path
}

func (d *decoder) unknown(key *yaml.Node, s *shape) {
	if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
		return // reported already
	}
	d.fail(CodeUnknownKey, key, fmt.Sprintf("unknown key %q", key.Value), d.report.suggest(key.Value, s.keys()))
}

// complete reports the keys that a mapping lacks, and those that do not go together.
func (d *decoder) complete(n *yaml.Node, s *shape, set map[string]bool) {
	for i := range s.fields {
		if f := &s.fields[i]; f.required && !set[f.key] {
			d.fail(CodeMissingKey, n, fmt.Sprintf("missing key %q", f.key), f.doc)
		}
	}
	var chosen []string
	for _, key := range s.oneOf {
		if set[key] {
			chosen = append(chosen, key)
		}
	}
	switch {
	case len(s.oneOf) > 0 && len(chosen) == 0:
		d.fail(CodeMissingKey, n, "missing key: one of "+strings.Join(s.oneOf, ", "), "")
	case len(chosen) > 1:
		d.fail(CodeConflict, n, strings.Join(chosen, " and ")+" exclude each other", "")
	}
	for i := range s.fields {
		key := s.fields[i].key
		if needs := s.needs[key]; set[key] && needs != nil && !anySet(set, needs) {
			d.fail(CodeConflict, n, fmt.Sprintf("%s is of use only with %s", key, strings.Join(needs, " or ")), "")
		}
	}
}

func anySet(set map[string]bool, keys []string) bool {
	for _, key := range keys {
		if set[key] {
			return true
		}
	}
	return false
}

// list decodes a list. A scalar, and a mapping that a scalar may stand for, is the list of that one value.
func (d *decoder) list(n *yaml.Node, s *shape, into reflect.Value) {
	items := n.Content
	if s.elem.scalarForm() && (n.Kind == yaml.ScalarNode || n.Kind == yaml.MappingNode && s.elem.kind == kindStruct) {
		items = []*yaml.Node{n}
	} else if !d.want(n, yaml.SequenceNode, s) {
		return
	}
	list := reflect.MakeSlice(s.typ, len(items), len(items))
	for i, item := range items {
		d.under(fmt.Sprintf("[%d]", i), item, s.elem, list.Index(i))
	}
	into.Set(list)
}

// mapping decodes a mapping whose keys are names that the file gives.
func (d *decoder) mapping(n *yaml.Node, s *shape, into reflect.Value) {
	if !d.want(n, yaml.MappingNode, s) {
		return
	}
	if s.kind == kindMap {
		into.Set(reflect.MakeMapWithSize(s.typ, len(n.Content)/2))
	}
	seen := make(map[string]bool, len(n.Content)/2)
	for key, value := range pairs(n) {
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			continue // reported already
		}
		name := reflect.New(s.key.typ).Elem()
		d.path = append(d.path, "."+step(key.Value))
		known := d.name(key, s.key, name)
		if s.kind == kindMap {
			elem := reflect.New(s.typ.Elem()).Elem()
			d.value(value, s.elem, elem)
			if known && !seen[key.Value] {
				into.SetMapIndex(name, elem)
			}
		} else if entry := d.entry(key, value, s, name); known && !seen[key.Value] {
			into.Set(reflect.Append(into, entry))
		}
		d.path = d.path[:len(d.path)-1]
		seen[key.Value] = true
	}
}

// entry decodes one entry of a mapping that is kept as a slice.
func (d *decoder) entry(key, value *yaml.Node, s *shape, name reflect.Value) reflect.Value {
	entry := reflect.New(s.typ.Elem()).Elem()
	target := entry
	if s.valField != nil {
		target = entry.FieldByIndex(s.valField)
	}
	before := d.report.raised
	d.value(value, s.elem, target)
	if d.report.raised > before {
		d.broken[d.at()] = true
	}
	entry.FieldByIndex(s.keyField).Set(name)
	d.place(s, entry, d.src.begin(key))
	return entry
}

// place sets the position of a value that wants it.
func (d *decoder) place(s *shape, into reflect.Value, at place) {
	if s.at != nil {
		into.FieldByIndex(s.at).Set(reflect.ValueOf(d.src.pos(at)))
	}
}

// want reports a node of another kind than the one that a shape needs.
func (d *decoder) want(n *yaml.Node, k yaml.Kind, s *shape) bool {
	if n.Kind == k {
		return true
	}
	d.fail(CodeKind, n, fmt.Sprintf("found %s, expected %s", found(n), s.wants()), s.instead(n))
	return false
}

// maxNamedKeys bounds the keys that a message names; a person does not look through more.
const maxNamedKeys = 8

// instead says how a node of the wrong kind would be right.
func (s *shape) instead(n *yaml.Node) string {
	switch {
	case s.kind == kindStruct && len(s.fields) <= maxNamedKeys:
		return "it has the keys " + strings.Join(s.keys(), ", ")
	case s.kind == kindList && n.Kind == yaml.MappingNode && s.elem.kind != kindStruct:
		return "write " + s.elem.wants() + ", or a list"
	default:
		return ""
	}
}

// empty reports whether a node is a key's missing value.
func empty(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// scalarForm reports whether a scalar can be written for the shape.
func (s *shape) scalarForm() bool {
	switch s.kind {
	case kindList, kindNamed, kindMap, kindJSON:
		return false
	case kindStruct:
		return s.scalar != nil && s.scalar.shape.scalarForm()
	default:
		return true
	}
}
