package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

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
				if code, _, words := hopgate(t, "check", file); code != 0 || strings.Contains(words, "warning") || strings.Contains(words, "0 tests") {
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
