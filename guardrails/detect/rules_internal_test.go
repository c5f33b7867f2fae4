package detect

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestWhateverFindsSomethingIsExplained compares the rules that people can ask about with the ones that the code reports:
// those of the tables, and each name that a finding is made with.
func TestWhateverFindsSomethingIsExplained(t *testing.T) {
	e, err := New(Options{Known: []Known{{Name: "canary", Value: []byte("a value of no use")}}})
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{"budget": true, "steps": true} // bounds, not rules: they say that nothing was looked for
	for _, r := range e.Rules() {
		explained[r.Name] = true
	}
	reported := literalRules(t)
	for _, s := range e.structures {
		reported = append(reported, s.name)
	}
	for i := range e.tokens {
		reported = append(reported, e.tokens[i].name)
	}
	for _, w := range e.labels.whole {
		reported = append(reported, "pii-"+w.entity)
	}
	for n := range e.forms.byLength {
		for i := range e.forms.byLength[n] {
			reported = append(reported, "pii-"+e.forms.byLength[n][i].entity)
		}
	}
	if len(reported) < 200 {
		t.Fatalf("only %d rules were found in the code", len(reported))
	}
	for _, name := range reported {
		if !explained[name] {
			t.Errorf("%s finds something, and nothing explains it", name)
		}
	}
}

// literalRules are the names in Finding{Rule: "..."} and in calls of found("...").
func literalRules(t *testing.T) (names []string) {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(gotoken.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Rule" {
					names = append(names, literal(n.Value, "")...)
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "found" && len(n.Args) > 0 {
					names = append(names, literal(n.Args[0], "pii-")...)
				}
			}
			return true
		})
	}
	return names
}

func literal(x ast.Expr, before string) []string {
	lit, ok := x.(*ast.BasicLit)
	if !ok {
		return nil
	}
	name, err := strconv.Unquote(lit.Value)
	if err != nil {
		return nil
	}
	return []string{before + name}
}

// TestOnlyLeft is what is left of the effort that the last scan had, in closer looks.
func (s *Scratch) TestOnlyLeft() int { return s.budget.effort }
