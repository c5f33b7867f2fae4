package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope"
)

// guides are documents with examples, and the gates whose keys they show.
var guides = map[string][]string{
	"docs/limits.md": {"refusals", "hours", "size", "rate", "spend"},
	"docs/trust.md":  {"trust"},
	"docs/grants.md": {"scope"},
	"docs/pins.md":   nil, // the other keys of the gate are in grants.md
}

var example = regexp.MustCompile("(?s)```yaml\n(.*?)```")

func TestExamplesInGuidesAreSound(t *testing.T) {
	for path := range guides {
		t.Run(path, func(t *testing.T) {
			for _, text := range examples(t, path) {
				file := filepath.Join(t.TempDir(), "hopgate.yaml")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				if code, _, words := hopgate(t, "check", "--elsewhere", file); code != 0 || strings.Contains(words, "warning") || strings.Contains(words, "0 tests") {
					t.Errorf("hopgate check: exit code %d\n%s", code, words)
				}
			}
		})
	}
}

func examples(t *testing.T, path string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repo, path))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range example.FindAllSubmatch(text, -1) {
		all = append(all, string(m[1]))
	}
	if all == nil {
		t.Fatal("there is no example")
	}
	return all
}

func TestGuidesShowEveryKey(t *testing.T) {
	for path, gates := range guides {
		if gates == nil {
			continue
		}
		t.Run(path, func(t *testing.T) {
			shown := strings.Join(examples(t, path), "\n")
			found := 0
			for _, g := range mcpproxy.Gates(imagined(toolscope.NewCatalog())) {
				if !slices.Contains(gates, g.Name) {
					continue
				}
				for key := range keysOf(g) {
					found++
					if !regexp.MustCompile(`(?m)(^|[ {,])` + regexp.QuoteMeta(key) + `:`).MatchString(shown) {
						t.Errorf("%s of gate %s is in no example", key, g.Name)
					}
				}
			}
			if found < 2 {
				t.Error("the gates have no keys that this test finds")
			}
		})
	}
}

// keysOf returns the keys of a gate in all places.
func keysOf(g policy.Spec) map[string]bool {
	keys := map[string]bool{}
	collect(reflect.TypeOf(g.Config()), keys)
	for p := policy.OnFile; p <= policy.OnSampling; p++ {
		if c := g.ConfigOn(p); c != nil {
			collect(reflect.TypeOf(c), keys)
		}
	}
	return keys
}

func collect(typ reflect.Type, keys map[string]bool) {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice:
		collect(typ.Elem(), keys)
	case reflect.Struct:
		for f := range typ.Fields() {
			tag, ok := f.Tag.Lookup("yaml")
			if !ok {
				continue
			}
			if name, _, _ := strings.Cut(tag, ","); name != "" {
				keys[name] = true
			}
			collect(f.Type, keys)
		}
	default:
	}
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)

func TestLinksBetweenDocumentsLead(t *testing.T) {
	linked := map[string]bool{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md"} {
		paths, err := filepath.Glob(filepath.Join(repo, pattern))
		if err != nil || paths == nil {
			t.Fatalf("%s: got no document, %v", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range link.FindAllSubmatch(text, -1) {
				if strings.Contains(string(m[1]), ":") {
					continue // elsewhere
				}
				to := filepath.Join(filepath.Dir(path), string(m[1]))
				if _, err := os.Stat(to); err != nil {
					t.Errorf("%s: the link to %s leads nowhere", path, m[1])
				}
				linked[to] = linked[to] || path == filepath.Join(repo, "README.md")
			}
		}
	}
	guides, err := filepath.Glob(filepath.Join(repo, "docs/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range guides {
		if !linked[path] {
			t.Errorf("README.md has no link to %s", path)
		}
	}
}

// shape is what the reference of keys needs of a JSON Schema.
type shape struct {
	Description                 string
	Properties                  map[string]*shape
	AdditionalProperties, Items *shape
	AnyOf                       []*shape
}

// UnmarshalJSON reads a schema. The schemas true and false have no keys.
func (s *shape) UnmarshalJSON(text []byte) error {
	type plain shape
	if text[0] != '{' {
		return nil
	}
	return json.Unmarshal(text, (*plain)(s))
}

// keys calls f for each key below a schema.
func (s *shape) keys(path string, f func(path, meaning string)) {
	if s == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		below := strings.TrimPrefix(path+"."+name, ".")
		f(below, p.Description)
		if below != "defaults.connection" { // it has those of connections
			p.keys(below, f)
		}
	}
	s.AdditionalProperties.keys(path+".NAME", f)
	s.Items.keys(path, f)
	for _, x := range s.AnyOf {
		x.keys(path, f)
	}
}

func TestKeysAreDocumented(t *testing.T) {
	schema, err := configs.Schema(mcpproxy.Gates(imagined(toolscope.NewCatalog())))
	if err != nil {
		t.Fatal(err)
	}
	var root shape
	if err := json.Unmarshal(schema, &root); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("# Keys of the configuration\n\nAll keys of `hopgate.yaml`. NAME stands for a name that you choose. A key that is not here is an error.\n" +
		"`configs/hopgate.schema.json` says the same to editors. Written by `make generate`.\n\n| Key | Meaning |\n|---|---|\n")
	seen := map[string]bool{}
	root.keys("", func(path, meaning string) {
		if meaning == "" {
			t.Errorf("%s has no description", path)
		}
		if !seen[path] { // as one, or in a list
			fmt.Fprintf(&b, "| `%s` | %s |\n", path, cell(meaning))
		}
		seen[path] = true
	})
	generated(t, "docs/keys.md", b.Bytes())
}
