package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hopgate/hopgate/cmd/hopgate/relay"
	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope"
)

// repo is the root of the repository.
const repo = "../.."

// generated compares a file with what it is generated from, or with -update writes it.
func generated(t *testing.T, path string, want []byte) {
	t.Helper()
	path = filepath.Join(repo, path)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run make generate", err)
	}
	if diff := gocmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is stale; run make generate (-want +got):\n%s", path, diff)
	}
}

// hopgate runs the command in this process and returns what it wrote.
func hopgate(t *testing.T, args ...string) (code int, out, words string) {
	t.Helper()
	var o, w bytes.Buffer
	code = run(version(), attachTime, args, strings.NewReader(""), &o, &w)
	return code, o.String(), w.String()
}

func TestSchemaInTheRepositoryIsThatOfTheGates(t *testing.T) {
	schema, err := configs.Schema(mcpproxy.Gates(imagined(toolscope.NewCatalog())))
	if err != nil {
		t.Fatal(err)
	}
	generated(t, "configs/hopgate.schema.json", schema)
	code, out, words := hopgate(t, "schema")
	if code != 0 || words != "" {
		t.Errorf("hopgate schema: exit code %d, %q", code, words)
	}
	if diff := gocmp.Diff(string(schema), out); diff != "" {
		t.Errorf("hopgate schema prints something else (-want +got):\n%s", diff)
	}
}

// room is a part of the program and the reasons that it gives.
type room struct {
	title, intro string
	reasons      []*policy.Reason
}

func rooms() []room {
	var problems, proxy []*policy.Reason
	for _, r := range mcpproxy.Reasons() {
		switch {
		case slices.Contains(policy.Reasons(), r), slices.Contains(ingress.Reasons(), r):
		case slices.ContainsFunc(wire.Problems(), func(p *wire.Problem) bool { return p.Name == r.Code }):
			problems = append(problems, r)
		default:
			proxy = append(proxy, r)
		}
	}
	all := []room{
		{"The transport (mcpproxy/ingress)", "The request is refused before its message is read.", ingress.Reasons()},
		{"The message (mcpproxy/wire)", "The message is refused before anything is decided about it.", problems},
		{"The pipeline (policy)", "There is nobody to decide about, or a gate failed.", policy.Reasons()},
	}
	for _, g := range mcpproxy.Gates(imagined(toolscope.NewCatalog())) {
		if len(g.Reasons) == 0 {
			continue // it gives those of another gate
		}
		all = append(all, room{"Gate " + g.Name, "It asks " + strings.TrimSuffix(g.Summary, ".") + ".", g.Reasons})
	}
	return append(all,
		room{"The proxy (mcpproxy)", "Sessions, the protocol, and servers that fail.", proxy},
		room{"The relay (cmd/hopgate/relay)", "hopgate stdio answers by itself, without a ref: who keeps the records is what is missing.", relay.Reasons()},
	)
}

func TestReasonsAreDocumented(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`# Reasons

Every refusal has one reason. Its code stands in the record, in tests and in metrics, and is stable. What the agent gets is
an answer, which several reasons may share where the difference is none of the agent's business. ` + "`hopgate explain`" + ` and
` + "`hopgate audit show REF`" + ` tell the reason; the answer carries the ref.

Forms of answers: a *result* is a tool result with ` + "`isError`" + `, and a JSON-RPC error with the code given where the call was
not ` + "`tools/call`" + `; an *error* is a JSON-RPC error, over HTTP with the status given; *unknown* is what a server says of a
name that it does not have (` + "`Unknown tool`, `Unknown prompt`, `Resource not found`" + `), so that nobody learns what exists; a
*protocol* error is one that the protocol defines.

Retry tells a model whether the same call can succeed: never, with other arguments (changed), after a while (after), or
nobody can say (unknown). Where the last column has a dash, there is nothing for the operator to change: a program speaks
the protocol wrongly.

Written by ` + "`make generate`" + `.
`)
	for _, r := range rooms() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| Code | Severity | Retry | The agent gets | For the operator |\n|---|---|---|---|---|\n", r.title, r.intro)
		for _, x := range r.reasons {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", x.Code, x.Severity, x.Answer.Retry, answerCell(x), cell(cmp.Or(x.Hint, "–")))
		}
	}
	generated(t, "docs/reasons.md", b.Bytes())
}

func answerCell(r *policy.Reason) string {
	a := r.Answer
	code := ""
	if a.Code != r.Code {
		code = " `" + a.Code + "`"
	}
	switch a.Form {
	case policy.FormResult:
		return fmt.Sprintf("result%s (error %d): %s", code, a.RPC, cell(a.Text))
	case policy.FormUnknown:
		return fmt.Sprintf("unknown%s (error %d)", code, a.RPC)
	case policy.FormProtocol:
		return fmt.Sprintf("protocol%s (error %d, HTTP %d): %s", code, a.RPC, a.HTTP, cell(a.Text))
	default:
		return fmt.Sprintf("error%s (%d, HTTP %d): %s", code, a.RPC, a.HTTP, cell(a.Text))
	}
}

func cell(s string) string { return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace(s) }

func TestReasonsAreUniqueAndComplete(t *testing.T) {
	seen := map[string]string{}
	for _, r := range rooms() {
		for _, x := range r.reasons {
			if other, again := seen[x.Code]; again {
				t.Errorf("%s is a reason of %q and of %q", x.Code, other, r.title)
			}
			seen[x.Code] = r.title
			if x.Answer == nil || x.Answer.Code == "" || x.Answer.Text == "" || x.Answer.RPC == 0 || x.Answer.HTTP == 0 || x.Answer.Retry == "" {
				t.Errorf("the answer of %s is not complete", x.Code)
			}
			if strings.TrimFunc(x.Code, func(c rune) bool { return c == '_' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' }) != "" {
				t.Errorf("%s is no upper case code", x.Code)
			}
			if n := len(x.Answer.Text); n > 300 {
				t.Errorf("the answer of %s has %d bytes, which is more than agents read", x.Code, n)
			}
		}
	}
}

// TestEveryDeclaredReasonIsListed reads the source, because a reason that its room forgets to list is in no catalogue, and
// would be found only by whoever looks it up.
func TestEveryDeclaredReasonIsListed(t *testing.T) {
	listed := map[string]bool{}
	for _, r := range rooms() {
		for _, x := range r.reasons {
			listed[x.Code] = true
		}
	}
	declared := 0
	for code, at := range declaredReasons(t) {
		declared++
		if !listed[code] {
			t.Errorf("%s: reason %s is not listed by its room", at, code)
		}
	}
	if declared < 20 {
		t.Errorf("found only %d declared reasons: they are not declared as this test expects", declared)
	}
}

// declaredReasons finds the codes of all reasons that are written down as literals in the rooms of the program, and where.
func declaredReasons(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(repo, "mcpproxy/*/*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range append(roomsOfGates(t), "policy", "mcpproxy") {
		more, err := filepath.Glob(filepath.Join(repo, dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	found := map[string]string{}
	fset := token.NewFileSet()
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if code := reasonCode(n); code != "" {
				found[code] = fset.Position(n.Pos()).String()
			}
			return true
		})
	}
	return found
}

// roomsOfGates are the folders that the list of gates imports.
func roomsOfGates(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(repo, "mcpproxy/gates.go"), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, i := range file.Imports {
		if dir, ours := strings.CutPrefix(literal(i.Path), "github.com/hopgate/hopgate/"); ours {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// reasonCode is the code where a node is Reason{Code: "..."} or protocol("...", ...), and empty elsewhere.
func reasonCode(n ast.Node) string {
	switch n := n.(type) {
	case *ast.CompositeLit:
		name := ""
		switch typ := n.Type.(type) {
		case *ast.Ident:
			name = typ.Name
		case *ast.SelectorExpr:
			name = typ.Sel.Name
		}
		for _, e := range n.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok && name == "Reason" {
				if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Code" {
					return literal(kv.Value)
				}
			}
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "protocol" && len(n.Args) > 0 {
			return literal(n.Args[0])
		}
	}
	return ""
}

func literal(e ast.Expr) string {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return ""
	}
	s, _ := strconv.Unquote(l.Value)
	return s
}

func TestCommandsAreDocumented(t *testing.T) {
	a := &app{catalog: toolscope.NewCatalog()}
	root := a.root()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	var b bytes.Buffer
	b.WriteString("# Commands\n\nstdout is data, stderr is words. Written by `make generate`.\n\n## Exit codes\n\n| Code | Meaning |\n|---|---|\n")
	for _, x := range exits {
		fmt.Fprintf(&b, "| %d | %s |\n", x.code, x.meaning)
	}
	b.WriteString("\n## Flags of every command\n\n")
	flags(&b, root.PersistentFlags())
	document(&b, root)
	generated(t, "docs/cli.md", b.Bytes())
}

// document writes a command and those below it.
func document(b *bytes.Buffer, c *cobra.Command) {
	for _, sub := range c.Commands() {
		switch {
		case sub.Hidden, sub.Name() == "help", !sub.Runnable() && sub.Name() != "completion":
		case sub.Name() == "completion":
			fmt.Fprintf(b, "\n## %s\n\n%s: bash, zsh, fish or powershell.\n\n```\n%[1]s SHELL\n```\n", sub.CommandPath(), sub.Short)
		case sub.HasAvailableSubCommands():
			document(b, sub)
		default:
			section(b, sub)
		}
	}
}

func section(b *bytes.Buffer, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n```\n%s\n```\n", c.CommandPath(), strings.TrimSuffix(cmp.Or(c.Long, c.Short), "."), strings.TrimSuffix(c.UseLine(), " [flags]"))
	if c.LocalNonPersistentFlags().HasAvailableFlags() {
		b.WriteByte('\n')
		flags(b, c.LocalNonPersistentFlags())
	}
}

func flags(b *bytes.Buffer, f *pflag.FlagSet) {
	b.WriteString("| Flag | Default | Meaning |\n|---|---|---|\n")
	f.VisitAll(func(x *pflag.Flag) {
		if x.Hidden || x.Name == "help" {
			return
		}
		name := "`--" + x.Name + "`"
		if x.Shorthand != "" {
			name = "`-" + x.Shorthand + "`, " + name
		}
		def := ""
		if x.DefValue != "" {
			def = "`" + x.DefValue + "`"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", name, def, cell(x.Usage))
	})
}
