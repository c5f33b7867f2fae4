package configs_test

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// compileSchema makes a validator of the schema for the fake gates, by a library that knows nothing of the decoder.
func compileSchema(tb testing.TB) *jsonschema.Schema {
	tb.Helper()
	text, err := configs.Schema(fakeGates())
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("hopgate.json", doc); err != nil {
		tb.Fatal(err)
	}
	s, err := c.Compile("hopgate.json")
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// asJSON writes YAML as an editor sees it that validates YAML against a JSON Schema.
func asJSON(tb testing.TB, n *yaml.Node) []byte {
	tb.Helper()
	switch n.Kind {
	case yaml.AliasNode:
		return asJSON(tb, n.Alias)
	case yaml.MappingNode:
		out := []byte{'{'}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(wire.AppendQuote(out, n.Content[i].Value), ':')
			out = append(out, asJSON(tb, n.Content[i+1])...)
		}
		return append(out, '}')
	case yaml.SequenceNode:
		out := []byte{'['}
		for i, item := range n.Content {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, asJSON(tb, item)...)
		}
		return append(out, ']')
	case yaml.ScalarNode:
	default:
		tb.Fatalf("a node of kind %d", n.Kind)
	}
	switch n.Tag {
	case "!!null":
		return []byte("null")
	case "!!bool":
		return []byte(strings.ToLower(n.Value))
	case "!!int":
		if !wholeJSON(n.Value) {
			return []byte("7") // in another notation than that of JSON
		}
		return []byte(n.Value)
	case "!!float":
		if strings.ContainsAny(n.Value, "nN_+") || strings.HasPrefix(n.Value, ".") || strings.HasSuffix(n.Value, ".") {
			return []byte("7.5")
		}
		return []byte(n.Value)
	default:
		return wire.AppendQuote(nil, n.Value)
	}
}

func wholeJSON(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return strings.Trim(digits, "0123456789") == "" && (digits == "0" || !strings.HasPrefix(digits, "0"))
}

// agree fails where one of decoder and schema refuses the structure of a file, and the other does not.
func agree(t *testing.T, s *jsonschema.Schema, text string, err error) {
	t.Helper()
	var found configs.Diagnostics
	if err != nil && !errors.As(err, &found) {
		t.Fatal(err)
	}
	refuses := false
	for i := range found {
		switch code := string(found[i].Code); {
		case strings.HasPrefix(code, "HG100"):
			return // there is no structure to judge
		case strings.HasPrefix(code, "HG101"):
			refuses = true
		}
	}
	var doc yaml.Node
	if err := yaml.Load([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	raw := asJSON(t, doc.Content[0])
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	if err := s.Validate(value); (err != nil) != refuses {
		t.Errorf("the decoder refuses the structure: %v; the schema says: %v\n%v", refuses, err, found)
	}
}

func TestDecoderAndSchemaAgree(t *testing.T) {
	s := compileSchema(t)
	for _, folder := range []string{"wrong", "right"} {
		for name, x := range fixtures(t, folder) {
			t.Run(name, func(t *testing.T) {
				_, err := x.load()
				agree(t, s, x.files["hopgate.yaml"], err)
			})
		}
	}
	for name, text := range sampleTexts(t) {
		t.Run(name, func(t *testing.T) {
			_, err := configs.Parse(fileName, []byte(text), sampleWorld.options())
			agree(t, s, text, err)
		})
	}
}

// TestDecoderAndSchemaAgreeOnEveryValue puts each of a few values under every key.
func TestDecoderAndSchemaAgreeOnEveryValue(t *testing.T) {
	s := compileSchema(t)
	values := []string{
		"x", "12", "-1", "1.0", "1.5", "1e3", "true", "True", `"true"`, "~", `""`, "[]", "{}", "[x]", "[1]", "[~]", "[[x]]",
		"{ x: y }", "{ x: 1 }", "{ x: [y] }", "{ x: ~ }", "{ a: { x: 1 } }", "{ red: { x: 1 } }", "[{ name: x }]", "[{ when: x }]",
		"5m", "64KiB", "10/s", "up/x", "2026-01-05T12:00:00Z", "2026-01-05", "allow", "red", "[allow, deny]",
		"{ every: 5s }", "{ every: 5s, loud: true }", "{ loud: true }", "{ every: 5s, once: x }", "{ of: x, most: 3 }",
		"{ addr: 127.0.0.1:1 }", "{ tls: { cert: a } }", "{ tls: { cert: a, key: b } }", "{ frame: 1, depth: 20 }", "{ frame: 1.0 }",
	}
	places := map[string][]string{
		"%s: %s\n":             {"listen", "limits", "agents", "upstreams", "connections", "defaults", "store", "audit", "tests"},
		"listen: { %s: %s }\n": {"mcp"}, "audit: { %s: %s }\n": {"keep", "anchor"}, "agents: { %s: %s }\n": {"bot", "a b"},
		"listen: { mcp: { %s: %s } }\n":                    {"addr", "url", "tls", "plaintext", "hosts", "origins"},
		"upstreams: { up: { command: x, %s: %s } }\n":      {"env", "dir", "url", "tasks", "headers"},
		"upstreams: { up: { url: 'http://x', %s: %s } }\n": {"headers", "command", "env", "tasks"},
		"upstreams: { up: { %s: %s } }\n":                  {"command", "url"},
		"connections: { c: { from: a, to: b, %s: %s } }\n": {
			"timeout", "mode", "limits", "tools", "deny", "when", "sampling", "text", "flag", "number", "pause", "names", "levels",
			"corners", "maybe", "colour", "speed", "where", "watch", "pick", "steps", "points", "extra", "nosuch",
		},
		"connections: { c: { to: b, %s: %s } }\n": {"from"}, "defaults: { connection: { %s: %s } }\n": {"from", "limits", "tools"},
		"tests: [{ agent: bot, expect: allow, %s: %s }]\n":        {"call", "reads", "prompt", "lists", "args"},
		"tests: [{ agent: bot, call: up/x, %s: %s }]\n":           {"expect", "at", "of", "args", "lists"},
		"tests: [{ agent: bot, lists: up, expect: x, %s: %s }]\n": {"of"},
	}
	for form, keys := range places {
		for _, key := range keys {
			for _, value := range values {
				text := "version: 1\n" + strings.Replace(strings.Replace(form, "%s", key, 1), "%s", value, 1)
				t.Run(key+" "+value, func(t *testing.T) {
					_, err := configs.Parse(fileName, []byte(text), world{}.options())
					agree(t, s, text, err)
					if t.Failed() {
						t.Log(text)
					}
				})
			}
		}
	}
}

func TestSchemaIsStable(t *testing.T) {
	text, err := configs.Schema(fakeGates())
	if err != nil {
		t.Fatal(err)
	}
	again, err := configs.Schema(fakeGates())
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("the schema differs from one time to the next: %v", err)
	}
	golden(t, "testdata/schema.json", string(text))
}

// sampleWorld has what the samples refer to.
var sampleWorld = world{
	env:   map[string]string{"UPSTREAM_URL": "http://127.0.0.1:3000/mcp", "SERVER": "./server", "DOCS_KEY": "k"},
	files: map[string]string{"/run/secrets/github_token": "t\n"},
}

func sampleTexts(tb testing.TB) map[string]string {
	tb.Helper()
	texts := map[string]string{}
	names, err := fs.Glob(configs.Samples(), "*.yaml")
	if err != nil || len(names) == 0 {
		tb.Fatalf("no samples: %v", err)
	}
	for _, name := range names {
		if name == "limits.yaml" {
			continue // it has keys of gates that no fake stands for; the tests of the command read it
		}
		text, err := fs.ReadFile(configs.Samples(), name)
		if err != nil {
			tb.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

func TestSamplesAreSoundAndTheirTestsPass(t *testing.T) {
	for name, text := range sampleTexts(t) {
		t.Run(name, func(t *testing.T) {
			f, err := configs.Parse(fileName, []byte(text), sampleWorld.options())
			if err != nil {
				t.Fatal(err)
			}
			if f.Warnings != nil {
				t.Errorf("warnings: %v", f.Warnings)
			}
			for _, failure := range f.RunTests(t.Context()) {
				t.Error(failure)
			}
			if !strings.HasPrefix(text, "# yaml-language-server: $schema=../hopgate.schema.json\n") {
				t.Error("an editor is not told of the schema")
			}
		})
	}
}
