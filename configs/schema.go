package configs

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/hopgate/hopgate/policy"
)

// Schema returns the JSON Schema (2020-12) of the language with the keys of the given gates, indented and with a newline at
// its end. It comes from the types that the decoder fills. It says all about keys, types and forms; what it cannot say is
// whether names are declared, references resolve, values are in range, and keys stand once.
func Schema(gates []policy.Spec) ([]byte, error) {
	lang, err := language(gates)
	if err != nil {
		return nil, fmt.Errorf("describing the configuration: %w", err)
	}
	root := lang.schema()
	root.Schema = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "Hopgate configuration"
	b, err := json.Marshal(root)
	if err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// schema is what a shape accepts.
func (s *shape) schema() *jsonschema.Schema {
	switch s.kind {
	case kindList:
		list := &jsonschema.Schema{Type: "array", Items: s.elem.schema()}
		if !s.elem.scalarForm() {
			return list
		}
		return either(s.elem.schema(), list)
	case kindNamed, kindMap:
		return &jsonschema.Schema{Type: "object", PropertyNames: s.key.names(), AdditionalProperties: s.elem.schema()}
	case kindJSON:
		return &jsonschema.Schema{Type: "object"}
	case kindStruct:
		if s.scalar == nil {
			return s.object()
		}
		return either(s.scalar.shape.schema(), s.object())
	default:
		return s.scalarSchema()
	}
}

// scalarSchema is what a shape accepts as one scalar.
func (s *shape) scalarSchema() *jsonschema.Schema {
	if s.kind == kindStruct {
		return s.scalar.shape.scalarSchema()
	}
	out := &jsonschema.Schema{Title: s.title}
	if len(s.types) == 1 {
		out.Type = s.types[0]
	} else {
		out.Types = s.types
	}
	if s.form != nil {
		out.Pattern = s.form.String()
	}
	for _, e := range s.enum {
		out.Enum = append(out.Enum, e)
	}
	return out
}

// names is what a shape accepts as a key, which is text in JSON.
func (s *shape) names() *jsonschema.Schema {
	out := s.scalarSchema()
	out.Type, out.Types = "", nil
	return out
}

func (s *shape) object() *jsonschema.Schema {
	out := &jsonschema.Schema{
		Type: "object", Properties: map[string]*jsonschema.Schema{}, PropertyOrder: s.keys(),
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
	}
	for i := range s.fields {
		f := &s.fields[i]
		p := f.shape.schema()
		p.Description = f.doc
		out.Properties[f.key] = p
		if f.required {
			out.Required = append(out.Required, f.key)
		}
	}
	for _, key := range s.oneOf {
		out.OneOf = append(out.OneOf, &jsonschema.Schema{Required: []string{key}})
	}
	for key, others := range s.needs {
		if out.DependentSchemas == nil {
			out.DependentSchemas = map[string]*jsonschema.Schema{}
		}
		need := &jsonschema.Schema{}
		for _, other := range others {
			need.AnyOf = append(need.AnyOf, &jsonschema.Schema{Required: []string{other}})
		}
		out.DependentSchemas[key] = need
	}
	return out
}

func either(a, b *jsonschema.Schema) *jsonschema.Schema {
	// Flat, so that an editor offers all forms at once.
	out := &jsonschema.Schema{}
	for _, s := range []*jsonschema.Schema{a, b} {
		if s.AnyOf != nil && s.Type == "" {
			out.AnyOf = append(out.AnyOf, s.AnyOf...)
			continue
		}
		out.AnyOf = append(out.AnyOf, s)
	}
	return out
}
