package configs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/policy"
)

// fixtures returns the files of a folder of testdata by their names.
func fixtures(tb testing.TB, folder string) map[string]*fixture {
	tb.Helper()
	all := map[string]*fixture{}
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no fixtures in %s: %v", folder, err)
	}
	for _, path := range paths {
		all[strings.TrimSuffix(filepath.Base(path), ".txtar")] = openFixture(tb, path)
	}
	return all
}

func TestEveryMistakeIsToldWithItsPlace(t *testing.T) {
	told := map[configs.Code]bool{}
	for name, x := range fixtures(t, "wrong") {
		t.Run(name, func(t *testing.T) {
			f, err := x.load()
			var found configs.Diagnostics
			if !errors.As(err, &found) || f != nil {
				t.Fatalf("got file %v and error %v, want diagnostics alone", f != nil, err)
			}
			for i := range found {
				told[found[i].Code] = true
			}
			got := rendered(t, found)
			if strings.Contains(got, "s3cret") {
				t.Errorf("a secret is shown:\n%s", got)
			}
			x.check(t, got)
		})
	}
	for _, c := range errorCodes(t) {
		elsewhere := c == configs.CodeTooMany || c == configs.CodeUnreadable || c == configs.CodeTest
		if !told[c] && !elsewhere {
			t.Errorf("no fixture has code %s", c)
		}
	}
}

// errorCodes are the codes that the source declares, without those of warnings.
func errorCodes(t *testing.T) (all []configs.Code) {
	t.Helper()
	source, err := os.ReadFile("code.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`= "(HG1\d{3})"`).FindAllSubmatch(source, -1) {
		all = append(all, configs.Code(m[1]))
	}
	if len(all) < 2 || !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Fatalf("codes are not declared once and in order: %v", all)
	}
	return all
}

func TestWhatIsSoundCompiles(t *testing.T) {
	for name, x := range fixtures(t, "right") {
		t.Run(name, func(t *testing.T) {
			f, err := x.load()
			if err != nil {
				t.Fatal(err)
			}
			parts := []string{dump(f)}
			if f.Warnings != nil {
				parts = append(parts, rendered(t, f.Warnings))
			}
			for _, failure := range f.RunTests(t.Context()) {
				parts = append(parts, failure.String()+"\n")
			}
			got := strings.Join(parts, "")
			if strings.Contains(got, "s3cret") {
				t.Errorf("a secret is shown:\n%s", got)
			}
			x.check(t, got)
		})
	}
}

// dump writes what a configuration compiles to.
func dump(f *configs.File) string {
	var b strings.Builder
	l := f.Listen.MCP
	fmt.Fprintf(&b, "listen %s url %q proxy %v hosts %q origins %q ws %v", l.Addr, l.URL, l.BehindTLSProxy, l.Hosts, l.Origins, l.WS)
	if l.TLS != nil {
		fmt.Fprintf(&b, " cert %s key %s", l.TLS.Cert, l.TLS.Key)
	}
	fmt.Fprintf(&b, "\nlimits %+v\nstore %q\nkeep %v\n", f.Limits, f.Store, f.Audit.Keep)
	if f.Sessions != (configs.Sessions{Idle: 30 * time.Minute, Lifetime: 24 * time.Hour}) {
		fmt.Fprintf(&b, "sessions %+v\n", f.Sessions)
	}
	if f.Audit.Anchor != "" {
		fmt.Fprintf(&b, "anchor %q\n", f.Audit.Anchor)
	}
	for _, a := range f.Agents {
		fmt.Fprintf(&b, "agent %s %s at %s\n", a.Name, a.Auth, a.At)
	}
	for _, u := range f.Upstreams {
		fmt.Fprintf(&b, "upstream %s command %q dir %q url %q sse %v at %s\n", u.Name, u.Command, u.Dir, u.URL, u.SSE, u.At)
		for _, v := range u.Env {
			fmt.Fprintf(&b, "  env %s %v of %d bytes\n", v.Name, v.Value, len(v.Value.Reveal()))
		}
		for _, h := range u.Headers {
			fmt.Fprintf(&b, "  header %s %v of %d bytes\n", h.Name, h.Value, len(h.Value.Reveal()))
		}
		for _, task := range u.Tasks {
			fmt.Fprintf(&b, "  task %s %s\n", task.Name, patterns(task.Tools))
		}
	}
	for _, c := range f.Connections {
		fmt.Fprintf(&b, "connection %s %s -> %s timeout %v limits %+v at %s\n", c.Name, c.Agent.Name, c.Upstream.Name, c.Timeout, c.Limits, c.At)
		for _, g := range c.Gates {
			fmt.Fprintf(&b, "  gate %s observe %v", g.Name, g.Observe)
			if s, ok := g.Gate.(*scopeGate); ok {
				for _, tool := range s.Tools {
					fmt.Fprintf(&b, " %s", patterns([]policy.Pattern{tool.Name}))
				}
				fmt.Fprintf(&b, " deny %s tasks %s", patterns(s.Deny), patterns(s.Tasks))
			}
			if k, ok := g.Gate.(*kindsGate); ok {
				fmt.Fprintf(&b, " names %q", k.Names)
			}
			b.WriteByte('\n')
		}
	}
	for _, x := range f.Tests {
		fmt.Fprintf(&b, "test %s args %s time %s of %q allow %v code %q shown %q at %s\n",
			x.String(), x.Args, x.Time.UTC().Format("2006-01-02T15:04:05Z"), x.Of, x.Allow, x.Code, x.Shown, x.At)
	}
	return strings.ReplaceAll(b.String(), fileName, "hopgate.yaml")
}

func patterns(all []policy.Pattern) string {
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = fmt.Sprintf("%s@%d:%d", p.Text, p.At.Line, p.At.Col)
	}
	return "[" + strings.Join(texts, " ") + "]"
}
