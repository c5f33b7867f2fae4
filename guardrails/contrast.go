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
	content, structured := bothForms(result.Get(wire.Result))
	if len(structured) == 0 || len(structured) > maxCompared || structured[0] != '{' {
		return nil
	}
	var want any
	told := false
	for _, block := range wire.Elements(content) {
		e, _ := wire.Lookup(block, "text")
		text, ok := wire.Unquote(e.Value)
		got, isJSON := document(text)
		if !ok || !isJSON {
			continue
		}
		if want == nil {
			want, _ = document(structured)
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

// bothForms returns what a result says twice, in one pass: long ones are dear to pass over. Where no text can be JSON, it
// does not look for the structured content.
func bothForms(result []byte) (content, structured []byte) {
	for e := range wire.Entries(result) {
		switch name, _ := wire.Unquote(e.Name); {
		case content == nil && string(name) == "content":
			if content = e.Value; !mayHoldDocument(content) {
				return nil, nil
			}
		case structured == nil && string(name) == "structuredContent":
			structured = e.Value
		}
	}
	return content, structured
}

// mayHoldDocument is the cheap question before: whether behind a quote stands a bracket, or what may be a blank or one in
// disguise.
func mayHoldDocument(content []byte) bool {
	for {
		i := bytes.IndexByte(content, '"')
		if i < 0 || i+1 >= len(content) {
			return false
		}
		if b := content[i+1]; b == '{' || b == '[' || b <= ' ' || b == '\\' || b >= 0x80 {
			return true
		}
		content = content[i+1:]
	}
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
