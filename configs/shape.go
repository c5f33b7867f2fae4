package configs

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/policy"
)

// kind is how values of a type are written.
type kind uint8

const (
	kindString   kind = iota // a scalar; also types over string
	kindBool                 // true or false
	kindInt                  // a decimal whole number
	kindDuration             // a time.Duration
	kindText                 // a scalar that a type reads itself
	kindExpand               // a scalar with references, as a text or an argument
	kindSecret               // a scalar with references, as a Secret
	kindJSON                 // any mapping, as jsonObject
	kindList                 // a list
	kindNamed                // a mapping whose keys name its values, in order
	kindMap                  // a mapping without order
	kindStruct               // a mapping with known keys
)

// shape is how a Go type is written in YAML. Decoder and schema both work from it, so that they agree.
type shape struct {
	kind kind
	typ  reflect.Type // what is filled; never a pointer

	// Of scalars.
	types []string // JSON types that the scalar may have
	title string   // what to call one
	form  *regexp.Regexp
	enum  []string

	// Of lists and mappings.
	key, elem *shape
	keyField  []int // of kindNamed: where the key goes
	valField  []int // and the value, nil for the struct itself

	// Of structs.
	fields []field
	scalar *field // the field that a scalar stands for; its shape is of kindText where the struct reads the scalar itself
	oneOf  []string
	needs  map[string][]string
	at     []int         // where the position goes, nil for nowhere; also of scalars that are structs
	gates  []int         // where the configurations of the gates go, nil for nowhere
	place  *policy.Place // what the struct is to the gates, where it is not a connection
}

// field is one key of a mapping.
type field struct {
	key      string
	doc      string
	required bool
	shape    *shape
	index    []int // in the struct, or in the configuration of a gate
	gate     int   // which gate's, -1 for the struct's own
}

var (
	typePos      = reflect.TypeFor[policy.Pos]()
	typeDuration = reflect.TypeFor[time.Duration]()
	typeExpand   = reflect.TypeFor[text]()
	typeArgument = reflect.TypeFor[argument]()
	typeSecret   = reflect.TypeFor[Secret]()
	typeJSON     = reflect.TypeFor[jsonObject]()
	typeGates    = reflect.TypeFor[gateConfigs]()
	typeSettings = reflect.TypeFor[policy.Settings]()
	// A gate's own type whose text may hold references.
	typeReferences = reflect.TypeFor[interface{ SchemaReferences() }]()
	typeText       = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// gateConfigs is what the gates' Spec.Config returned, in the order of the gates, filled by the decoder.
type gateConfigs []any

// language derives the shape of the whole file. An error is a mistake in a Go type: of this package, or of a gate.
func language(gates []policy.Spec) (*shape, error) {
	return shaper{gates: gates, forms: map[string]*regexp.Regexp{}}.of(reflect.TypeFor[document]())
}

// shaper derives shapes. It is passed by value, so depth counts how far inside it is.
type shaper struct {
	gates []policy.Spec
	forms map[string]*regexp.Regexp // by their text, because many keys share one and compiling takes most of the time
	depth int
}

func (b shaper) of(t reflect.Type) (*shape, error) {
	if b.depth++; b.depth > maxDepth {
		return nil, fmt.Errorf("type %s contains itself", t)
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s := &shape{typ: t, types: []string{"string"}}
	switch {
	case t == typeExpand, reflect.PointerTo(t).Implements(typeReferences) && typeExpand.ConvertibleTo(t):
		s.kind = kindExpand
		return s, nil
	case t == typeArgument:
		s.kind, s.types = kindExpand, []string{"string", "number", "boolean"}
		return s, nil
	case t == typeSecret:
		s.kind, s.types = kindSecret, []string{"string", "number", "boolean"}
		return s, nil
	case t == typeJSON:
		s.kind = kindJSON
		return s, nil
	case t == typeDuration:
		s.kind, s.form = kindDuration, durationForm
		return s, nil
	case t.Kind() == reflect.Struct && tagged(t):
		return s, b.structure(s)
	case reflect.PointerTo(t).Implements(typeText):
		s.kind = kindText
		return s, b.describe(s)
	}
	switch t.Kind() {
	case reflect.String:
		s.kind = kindString
		return s, b.describe(s)
	case reflect.Bool:
		s.kind, s.types = kindBool, []string{"boolean"}
		return s, nil
	case reflect.Int:
		s.kind, s.types = kindInt, []string{"integer"}
		return s, nil
	case reflect.Slice:
		return s, b.list(s)
	case reflect.Map:
		s.kind = kindMap
		return s, b.entries(s, t.Key(), t.Elem())
	default:
		return nil, fmt.Errorf("type %s cannot be written in a configuration", t)
	}
}

// describe asks a scalar type for its optional methods.
func (b shaper) describe(s *shape) error {
	v := reflect.New(s.typ).Interface()
	if x, ok := v.(interface{ SchemaTypes() []string }); ok {
		s.types = x.SchemaTypes()
	}
	if x, ok := v.(interface{ SchemaTitle() string }); ok {
		s.title = x.SchemaTitle()
	}
	if x, ok := v.(interface{ SchemaEnum() []string }); ok {
		s.enum = x.SchemaEnum()
	}
	if s.typ.Kind() == reflect.Struct {
		s.at = position(s.typ)
	}
	x, ok := v.(interface{ SchemaPattern() string })
	if !ok {
		return nil
	}
	text := x.SchemaPattern()
	if s.form = b.forms[text]; s.form != nil {
		return nil
	}
	var err error
	if s.form, err = regexp.Compile(text); err != nil {
		return fmt.Errorf("type %s: %w", s.typ, err)
	}
	b.forms[text] = s.form
	return nil
}

func (b shaper) list(s *shape) error {
	elem := s.typ.Elem()
	if elem.Kind() == reflect.Struct {
		if key, val := entryFields(elem); key != nil {
			s.kind, s.keyField = kindNamed, key.Index
			valType := elem
			if val != nil {
				s.valField, valType = val.Index, val.Type
			}
			s.at = position(elem)
			return b.entries(s, key.Type, valType)
		}
	}
	s.kind = kindList
	var err error
	s.elem, err = b.of(elem)
	return err
}

func (b shaper) entries(s *shape, key, elem reflect.Type) (err error) {
	if s.key, err = b.of(key); err != nil {
		return err
	}
	if s.key.kind != kindString && s.key.kind != kindText {
		return fmt.Errorf("type %s: a key is text, not %s", s.typ, key)
	}
	s.elem, err = b.of(elem)
	return err
}

// entryFields finds the fields tagged as key and value of an entry.
func entryFields(t reflect.Type) (key, val *reflect.StructField) {
	for f := range t.Fields() {
		switch f.Tag.Get("yaml") {
		case ",key":
			key = &f
		case ",value":
			val = &f
		}
	}
	return key, val
}

func (b shaper) structure(s *shape) error {
	s.kind, s.at = kindStruct, position(s.typ)
	if err := b.collect(s, s.typ, nil, -1); err != nil {
		return fmt.Errorf("type %s: %w", s.typ, err)
	}
	v := reflect.New(s.typ).Interface()
	if x, ok := v.(interface{ SchemaOneOf() []string }); ok {
		s.oneOf = x.SchemaOneOf()
	}
	if x, ok := v.(interface{ SchemaNeeds() map[string][]string }); ok {
		s.needs = x.SchemaNeeds()
	}
	if !reflect.PointerTo(s.typ).Implements(typeText) {
		return nil
	}
	own := &shape{kind: kindText, typ: s.typ, types: []string{"string"}}
	s.scalar = &field{shape: own, gate: -1}
	return b.describe(own)
}

// collect adds the fields of a struct type to a shape.
func (b shaper) collect(s *shape, t reflect.Type, base []int, gate int) error {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		index := append(slices.Clone(base), f.Index...)
		switch {
		case options == "key" || options == "value":
		case options == "inline" && (f.Type == typeGates || f.Type == typeSettings):
			s.gates = index
			if err := b.collectGates(s, f); err != nil {
				return err
			}
		case options == "inline":
			if err := b.collect(s, f.Type, index, gate); err != nil {
				return err
			}
		case name == "" || name == "-":
		default:
			if err := b.field(s, f, name, options, index, gate); err != nil {
				return err
			}
		}
	}
	return nil
}

// places are what the tag place of a field of type policy.Settings may say.
var places = map[string]policy.Place{
	"file": policy.OnFile, "agent": policy.OnAgent, "team": policy.OnTeam, "org": policy.OnOrg,
	"upstream": policy.OnUpstream, "tool": policy.OnTool, "task": policy.OnTask, "sampling": policy.OnSampling,
}

// config makes an empty configuration of a gate for a struct of a shape, or nil where the gate has no keys there.
func (s *shape) config(g *policy.Spec) any {
	if s.place == nil {
		return g.Config()
	}
	return g.ConfigOn(*s.place)
}

// collectGates adds the keys that gates have in a struct, to hold in one of its fields.
func (b shaper) collectGates(s *shape, f reflect.StructField) error {
	if f.Type == typeSettings {
		place, ok := places[f.Tag.Get("place")]
		if !ok {
			return fmt.Errorf("field %s has no place", f.Name)
		}
		s.place = &place
	}
	for i := range b.gates {
		g := &b.gates[i]
		config := s.config(g)
		if config == nil && s.place != nil {
			continue
		}
		t := reflect.TypeOf(config)
		if t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
			return fmt.Errorf("gate %s: its configuration is %v, not a pointer to a struct", g.Name, t)
		}
		if err := b.collect(s, t.Elem(), nil, i); err != nil {
			return fmt.Errorf("gate %s: %w", g.Name, err)
		}
	}
	return nil
}

func (b shaper) field(s *shape, f reflect.StructField, key, options string, index []int, gate int) error {
	if !f.IsExported() {
		return fmt.Errorf("key %s is in a field that is not exported", key)
	}
	if s.field(key) != nil {
		return fmt.Errorf("key %s is defined twice", key)
	}
	doc := f.Tag.Get("doc")
	if doc == "" {
		return fmt.Errorf("key %s has no doc tag", key)
	}
	inner, err := b.of(f.Type)
	if err != nil {
		return fmt.Errorf("key %s: %w", key, err)
	}
	own := field{key: key, doc: doc, shape: inner, index: index, gate: gate}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "":
		case "required":
			own.required = true
		case "scalar":
			s.scalar = &own
		default:
			return errors.New("key " + key + " has an unknown option " + option)
		}
	}
	s.fields = append(s.fields, own)
	return nil
}

// tagged reports whether a struct type has fields that are keys.
func tagged(t reflect.Type) bool {
	for f := range t.Fields() {
		if tag, ok := f.Tag.Lookup("yaml"); ok && tag != "-" {
			return true
		}
	}
	return false
}

// position finds the field that takes the position of a value.
func position(t reflect.Type) []int {
	f, ok := t.FieldByName("At")
	if !ok || f.Type != typePos || f.Tag.Get("yaml") != "" {
		return nil
	}
	return f.Index
}

// field finds a key, or returns nil.
func (s *shape) field(key string) *field {
	for i := range s.fields {
		if s.fields[i].key == key {
			return &s.fields[i]
		}
	}
	return nil
}

// keys are the keys of a struct, in the order of its type.
func (s *shape) keys() []string {
	keys := make([]string, len(s.fields))
	for i := range s.fields {
		keys[i] = s.fields[i].key
	}
	return keys
}
