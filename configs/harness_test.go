package configs_test

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hopgate/hopgate/configs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// world is what a configuration can see: variables, and files by their path.
type world struct {
	env   map[string]string
	files map[string]string
}

func (w world) options() configs.Options {
	return configs.Options{
		Gates: fakeGates(),
		Env: func(name string) (string, bool) {
			value, ok := w.env[name]
			return value, ok
		},
		ReadFile: func(path string) ([]byte, error) {
			if text, ok := w.files[strings.TrimPrefix(path, folder)]; ok {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
	}
}

// folder is where configurations of tests are, and fileName what they are called.
const (
	folder   = "/box/"
	fileName = folder + "hopgate.yaml"
)

// parse reads a configuration that must be sound.
func parse(tb testing.TB, text string, w world) *configs.File {
	tb.Helper()
	f, err := configs.Parse(fileName, []byte(text), w.options())
	if err != nil {
		tb.Fatalf("%s\n%v", text, err)
	}
	return f
}

// wrong reads a configuration that must not be sound.
func wrong(tb testing.TB, text string, w world) configs.Diagnostics {
	tb.Helper()
	f, err := configs.Parse(fileName, []byte(text), w.options())
	var found configs.Diagnostics
	if !errors.As(err, &found) || f != nil {
		tb.Fatalf("got file %v and error %v, want diagnostics alone\n%s", f != nil, err, text)
	}
	return found
}

// base is a sound configuration with room for one mistake.
const base = `version: 1
agents: { bot: key, ide: local }
upstreams:
  up: { command: [server] }
  web: { url: "https://example.com/mcp" }
`

// connect is base with one connection that has these keys.
func connect(keys ...string) string {
	return base + "connections:\n  c:\n    from: bot\n    to: up\n    " + strings.Join(keys, "\n    ") + "\n"
}

// sameText compares texts.
func sameText(t *testing.T, got, want string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// golden compares with a golden file, or rewrites it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sameText(t, got, string(want))
}

// fixture is one file of testdata: prose, the configuration, what it can see, and what must come of it.
type fixture struct {
	path    string
	archive *txtar.Archive
	world
}

func openFixture(tb testing.TB, path string) *fixture {
	tb.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	x := &fixture{path: path, archive: archive, world: world{env: map[string]string{}, files: map[string]string{}}}
	for _, f := range archive.Files {
		x.files[f.Name] = string(f.Data)
	}
	for line := range strings.Lines(x.files["env"]) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		x.env[name] = strings.ReplaceAll(value, `\n`, "\n")
	}
	if len(archive.Comment) == 0 || x.files["hopgate.yaml"] == "" && !strings.Contains(path, "text-empty") {
		tb.Fatalf("%s: prose or configuration is missing", path)
	}
	return x
}

func (x *fixture) load() (*configs.File, error) { return configs.Load(fileName, x.options()) }

// check compares what came of the configuration with the file want of the fixture, or rewrites that.
func (x *fixture) check(t *testing.T, got string) {
	t.Helper()
	if !*update {
		want, ok := x.files["want"]
		if !ok {
			t.Fatal("the fixture has no file want; run with -update")
		}
		sameText(t, got, want)
		return
	}
	for i := range x.archive.Files {
		if x.archive.Files[i].Name == "want" {
			x.archive.Files = append(x.archive.Files[:i:i], x.archive.Files[i+1:]...)
			break
		}
	}
	x.archive.Files = append(x.archive.Files, txtar.File{Name: "want", Data: []byte(got)})
	if err := os.WriteFile(x.path, txtar.Format(x.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// rendered is what people see of diagnostics, and their codes.
func rendered(tb testing.TB, found configs.Diagnostics) string {
	tb.Helper()
	var b strings.Builder
	if err := found.Render(&b, false); err != nil {
		tb.Fatal(err)
	}
	b.WriteString("codes:")
	for i := range found {
		b.WriteString(" " + string(found[i].Code))
	}
	return strings.ReplaceAll(b.String(), folder, "") + "\n"
}

// decide asks the file about one call and returns the answer.
func decide(ctx context.Context, f *configs.File, q configs.Question) string {
	e := f.Explain(ctx, q)
	switch {
	case e.Outcome.Allowed:
		return "allow"
	case e.Outcome.Reason == nil:
		return "deny"
	default:
		return "deny " + e.Outcome.Reason.Code
	}
}
