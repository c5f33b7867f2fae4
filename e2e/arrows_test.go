// Package e2e tests the whole system from outside, and that the house stands as it was planned.
package e2e

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/hopgate/hopgate/"

// arrows is the plan of the house: which room may import which. A new arrow is a decision; it is made here, in the same
// commit, and the commit says why. Tests may import more.
var arrows = map[string][]string{
	"mcpproxy/wire": {},
	"store":         {},
	"policy":        {"mcpproxy/wire"},

	"toolscope":      {"mcpproxy/wire", "policy", "store", "toolscope/pin"}, // what is pinned is state
	"toolscope/pin":  {"store"},
	"trust":          {"policy", "store"},
	"trust/identity": {"store"},
	"quota":          {"mcpproxy/wire", "policy", "store"},

	"guardrails":          {"guardrails/detect", "guardrails/gitleaks", "mcpproxy/wire", "policy", "store"},
	"guardrails/detect":   {},
	"guardrails/gitleaks": {"guardrails/detect"},
	"audit":               {"mcpproxy/wire", "policy", "store"},
	"audit/stats":         {"policy"},

	"mcpproxy/ws":               {}, // what is the same on both sides, which do not know each other
	"mcpproxy/chair":            {}, // likewise
	"mcpproxy/ingress":          {"mcpproxy/chair", "mcpproxy/wire", "mcpproxy/ws", "policy"},
	"mcpproxy/upstream":         {"mcpproxy/chair", "mcpproxy/upstream/sandbox", "mcpproxy/wire", "mcpproxy/ws"},
	"mcpproxy/upstream/oauth":   {"store"}, // tokens are state
	"mcpproxy/upstream/sandbox": {},
	"mcpproxy/bridge":           {"mcpproxy/upstream", "mcpproxy/wire"},
	"mcpproxy":                  {"guardrails", "mcpproxy/bridge", "mcpproxy/ingress", "mcpproxy/upstream", "mcpproxy/wire", "policy", "quota", "store", "toolscope", "toolscope/pin", "trust"},

	"configs": {"mcpproxy/wire", "policy"},
	"admin":   {},

	"store/storetest": {"store"},
}

// everywhere may import whatever it needs: the binary wires all rooms, and tests look into them.
var everywhere = []string{"cmd/", "e2e"}

// onlyIn are imports that belong to one file alone.
var onlyIn = map[string]string{
	"guardrails": "mcpproxy/gates.go", "quota": "mcpproxy/gates.go", "toolscope": "mcpproxy/gates.go", "trust": "mcpproxy/gates.go",
}

func TestArrows(t *testing.T) {
	seen := map[string]bool{}
	walk(t, func(dir, file string, imports []string) {
		if slices.ContainsFunc(everywhere, func(p string) bool { return strings.HasPrefix(dir, p) }) {
			return
		}
		allowed, planned := arrows[dir]
		if !planned {
			t.Errorf("%s: the plan of the house has no room %s", file, dir)
			return
		}
		seen[dir] = true
		for _, i := range imports {
			if !slices.Contains(allowed, i) {
				t.Errorf("%s imports %s; the plan lets %s import %v", file, i, dir, allowed)
			}
			if only, ok := onlyIn[i]; ok && file != only {
				t.Errorf("%s imports %s; only %s may", file, i, only)
			}
		}
	})
	for room := range arrows {
		if !seen[room] {
			t.Errorf("the plan has a room %s that does not exist", room)
		}
	}
}

// walk calls f for each source file that is no test, with the imports of our own.
func walk(t *testing.T, f func(dir, file string, imports []string)) {
	t.Helper()
	root := ".."
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(root, path)
		rel = filepath.ToSlash(rel)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (rel == "tools" || rel == "e2e/peers" || d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && rel != "."):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		var own []string
		for _, i := range parsed.Imports {
			p, _ := strconv.Unquote(i.Path.Value)
			if rest, ok := strings.CutPrefix(p, module); ok {
				own = append(own, rest)
			}
		}
		f(filepath.ToSlash(filepath.Dir(rel)), rel, own)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
