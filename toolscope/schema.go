package toolscope

import (
	"maps"
	"slices"
	"strconv"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// shapes gives the types of CEL to a JSON Schema, as far as they are certain; everything else may be of any type. It is
// a [types.Provider] for the objects among them, made for one check.
type shapes struct {
	types.Provider
	uses    *usage
	strict  bool
	objects map[string]map[string]*cel.Type
	missed  map[string][]string // members that were looked for in vain, and the members that there are instead
}

func newShapes(base types.Provider, uses *usage, strict bool) *shapes {
	return &shapes{
		Provider: base, uses: uses, strict: strict,
		objects: map[string]map[string]*cel.Type{}, missed: map[string][]string{},
	}
}

// keywords are the members of a schema that decide on a type.
type keywords struct {
	typ, properties, additional, items, enum []byte
	open                                     bool // other keywords may add members, or replace all of this
}

func readKeywords(schema []byte) keywords {
	var k keywords
	for e := range wire.Entries(schema) {
		name, _ := wire.Unquote(e.Name)
		switch string(name) {
		case "type":
			k.typ = e.Value
		case "properties":
			k.properties = e.Value
		case "additionalProperties":
			k.additional = e.Value
		case "items":
			k.items = e.Value
		case "enum":
			k.enum = e.Value
		case "$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "if", "patternProperties", "dependentSchemas",
			"dependencies":
			k.open = true
		}
	}
	return k
}

// of returns the type of values that a schema allows; path is where they stand, like args.filter.
func (s *shapes) of(schema []byte, path string) *cel.Type {
	k := readKeywords(schema)
	if k.open {
		return s.unsure(path)
	}
	name, _ := wire.Unquote(k.typ)
	switch string(name) {
	case "object":
		return s.object(&k, path)
	case "array":
		return cel.ListType(s.element(k.items))
	case "string":
		return cel.StringType
	case "boolean":
		return cel.BoolType
	case "integer":
		return cel.IntType
	case "":
		if isStrings(k.enum) && k.typ == nil {
			return cel.StringType
		}
	}
	// A number is written with or without a fraction, so it is an integer or a double; CEL has no name for that.
	return s.unsure(path)
}

// unsure is the type of what may be anything. The arguments are an object in any case.
func (s *shapes) unsure(path string) *cel.Type {
	if path == "args" {
		return cel.MapType(cel.StringType, cel.DynType)
	}
	return cel.DynType
}

// object returns the type of an object. Its members are known where the schema names some, or forbids others, and where
// the condition does not use it as a map.
func (s *shapes) object(k *keywords, path string) *cel.Type {
	_, bare := s.uses.bare[path]
	closed := k.properties != nil && k.additional == nil || string(k.additional) == "false"
	if bare || !closed {
		return cel.MapType(cel.StringType, cel.DynType)
	}
	name := "object/" + strconv.Itoa(len(s.objects)) // no identifier of CEL is spelled like that
	members := map[string]*cel.Type{}
	s.objects[name] = members
	for e := range wire.Entries(k.properties) {
		if text, ok := wire.Unquote(e.Name); ok {
			members[string(text)] = s.of(e.Value, path+"."+string(text))
		}
	}
	return cel.ObjectType(name)
}

// element returns the type of an array's elements. Objects in arrays are maps: a macro's variable may be used as one, and
// the text does not show of which array.
func (s *shapes) element(items []byte) *cel.Type {
	k := readKeywords(items)
	if name, _ := wire.Unquote(k.typ); string(name) == "object" && !k.open {
		return cel.MapType(cel.StringType, cel.DynType)
	}
	return s.of(items, "")
}

// FindStructType finds the type of an object.
func (s *shapes) FindStructType(name string) (*types.Type, bool) {
	if _, ok := s.objects[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return s.Provider.FindStructType(name)
}

// FindStructFieldNames returns the members of an object.
func (s *shapes) FindStructFieldNames(name string) ([]string, bool) {
	if members, ok := s.objects[name]; ok {
		return slices.Sorted(maps.Keys(members)), true
	}
	return s.Provider.FindStructFieldNames(name)
}

// FindStructFieldType finds the type of a member. A condition for several tools may ask with has() for what one of them
// lacks.
func (s *shapes) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	members, ok := s.objects[name]
	if !ok {
		return s.Provider.FindStructFieldType(name, field)
	}
	if t, ok := members[field]; ok {
		return &types.FieldType{Type: t}, true
	}
	if _, asked := s.uses.has[field]; asked && !s.strict {
		return &types.FieldType{Type: cel.DynType}, true
	}
	s.missed[field], _ = s.FindStructFieldNames(name)
	return nil, false
}
