package toolscope

import (
	"slices"
	"strings"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// Param is an argument that is mirrored into the header Mcp-Param-Header (MCP 2026-07-28, streamable HTTP, custom headers
// from tool parameters).
type Param struct {
	Header string   // without Mcp-Param-
	Path   []string // of properties, from the root of the arguments
}

// Bounds of what is looked at.
const (
	maxSchemaDepth = 16 // properties inside each other
	maxHeaders     = 64 // of one tool; a definition with more is taken for invalid
)

// headerParams reads the annotations x-mcp-header of an input schema that are reachable through properties alone. A
// definition of which one breaks the rules is invalid as a whole, and clients leave the tool out; it yields none.
func headerParams(schema []byte) []Param {
	params, ok := annotated(nil, schema, nil)
	if !ok {
		return nil
	}
	for i := range params {
		for j := range i {
			if strings.EqualFold(params[i].Header, params[j].Header) {
				return nil
			}
		}
	}
	return params
}

// annotated appends the annotations below a schema, whose own place is path.
func annotated(params []Param, schema []byte, path []string) ([]Param, bool) {
	if len(path) > maxSchemaDepth {
		return params, true
	}
	properties, _ := wire.Lookup(schema, "properties")
	for e := range wire.Entries(properties.Value) {
		name, ok := wire.Unquote(e.Name)
		if !ok {
			continue // no argument can have that name
		}
		here := append(slices.Clip(path), string(name))
		if a, has := wire.Lookup(e.Value, "x-mcp-header"); has {
			header, _ := wire.Unquote(a.Value)
			if !isToken(header) || !isPrimitive(e.Value) || len(params) == maxHeaders {
				return nil, false
			}
			params = append(params, Param{Header: string(header), Path: here})
		}
		if params, ok = annotated(params, e.Value, here); !ok {
			return nil, false
		}
	}
	return params, true
}

// isPrimitive reports whether a schema is of a type that may be mirrored.
func isPrimitive(schema []byte) bool {
	t, _ := wire.Lookup(schema, "type")
	text, _ := wire.Unquote(t.Value)
	switch string(text) {
	case "string", "integer", "boolean":
		return true
	default:
		return false
	}
}

// isToken reports whether text is a token (RFC 9110 section 5.6.2).
func isToken(text []byte) bool {
	for _, c := range text {
		alphanumeric := c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !alphanumeric && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return len(text) > 0
}
