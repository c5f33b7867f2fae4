package guardrails

import (
	"bytes"
	"reflect"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// maxCompared bounds the JSON that is read to compare it, in bytes. What is longer is looked at like everything, and not
// compared.
const maxCompared = 256 << 10

// contrast notes of a tool's result that its text, which is JSON, says something else than its structured content. Clients
// show one and models read the other; a server has to say the same in both (MCP 2025-11-25, server/tools, structured content).
// It refuses nothing: both were looked at.
func contrast(c *policy.Call, result *wire.Frame) []policy.Finding {
	if c.Method != "tools/call" || c.Direction != policy.ToUpstream || result.Kind != wire.KindResult {
		return nil
	}
	content, _ := wire.Lookup(result.Get(wire.Result), "content")
	var structured wire.Entry
	var want any
	told := false
	for _, block := range wire.Elements(content.Value) {
		e, _ := wire.Lookup(block, "text")
		if !mayBeDocument(e.Value) {
			continue
		}
		if structured.Value == nil { // looked for late, because most texts are none that could say the same
			var ok bool
			structured, ok = wire.Lookup(result.Get(wire.Result), "structuredContent")
			if !ok || len(structured.Value) > maxCompared || structured.Value[0] != '{' {
				return nil
			}
		}
		text, ok := wire.Unquote(e.Value)
		got, isJSON := document(text)
		if !ok || !isJSON {
			continue
		}
		if want == nil {
			want, _ = document(structured.Value)
		}
		if says(want, got) {
			return nil
		}
		told = true
	}
	if !told {
		return nil
	}
	return []policy.Finding{{Detail: "structured content: no text that is JSON says the same"}}
}

// mayBeDocument is the cheap question before: whether a string begins with a bracket, or with what may be a blank or one
// in disguise.
func mayBeDocument(token []byte) bool {
	return len(token) > 2 && token[0] == '"' && (token[1] == '{' || token[1] == '[' || token[1] <= ' ' || token[1] == '\\' || token[1] >= 0x80)
}

// document reads an object or an array, unless it is too large to compare.
func document(text []byte) (v any, ok bool) {
	if text = bytes.TrimSpace(text); len(text) > maxCompared {
		return nil, false
	}
	return decode(text)
}

// says reports whether a text says what structured content does. Libraries put what is no object into a member result.
func says(structured, text any) bool {
	if reflect.DeepEqual(structured, text) {
		return true
	}
	m, _ := structured.(map[string]any)
	inner, ok := m["result"]
	return ok && len(m) == 1 && reflect.DeepEqual(inner, text)
}
