//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listed are the names in the answer to a list, sorted.
func listed(t *testing.T, answer []byte) []string {
	t.Helper()
	var m struct {
		Result struct{ Tools []struct{ Name string } }
	}
	if err := json.Unmarshal(answer, &m); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	var names []string
	for _, tool := range m.Result.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	return names
}

// inspector is a command of MCP Inspector, with a home of its own. It goes to this machine alone, so the machine's proxy is not
// for it: with one, it needs a package that no Node before 22.19 can load.
func inspector(t *testing.T, how []string, args ...string) *exec.Cmd {
	t.Helper()
	all := slices.Concat([]string{npm(t, ".bin/mcp-inspector"), "--cli"}, how, args, []string{"--format", "json", "--quiet"})
	cmd := exec.CommandContext(t.Context(), "node", all...)
	home := t.TempDir()
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return strings.HasSuffix(strings.ToUpper(name), "_PROXY")
	})
	cmd.Env = append(cmd.Env, "HOME="+home, "XDG_CONFIG_HOME="+home, "MCP_INSPECTOR_SECRET_STORE=memory")
	return cmd
}

// inspect runs MCP Inspector and returns what it printed.
func inspect(t *testing.T, how []string, args ...string) []byte {
	t.Helper()
	cmd := inspector(t, how, args...)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Run(); err != nil {
		t.Fatalf("inspector %v: %v\n%s%s", args, err, out.String(), words.String())
	}
	return out.Bytes()
}

// TestInspectorInBothEras uses the reference server through Hopgate with MCP Inspector, which can be told which era to
// speak, over each transport that it knows.
func TestInspectorInBothEras(t *testing.T) {
	for era, revision := range map[string]string{"legacy": legacy, "modern": modern} {
		for _, front := range []string{"http", "sse", "stdio"} {
			if front == "sse" && era == "modern" {
				continue // the transport is older
			}
			t.Run(era+" "+front, func(t *testing.T) {
				t.Parallel()
				h := newHopgate(t, everyGate("url: "+everything(t, home(revision))))
				key := h.key("tester")
				h.serve()
				auth := []string{"--header", "Authorization: Bearer " + key, "--protocol-era", era}
				how := map[string][]string{
					"http":  append([]string{"--transport", "http", "--server-url", h.base + "/mcp/up"}, auth...),
					"sse":   append([]string{"--transport", "sse", "--server-url", h.base + "/sse/up"}, auth...),
					"stdio": append(snippet(t, h.command("stdio", "--to", "up"), "HOPGATE_KEY", key), "--protocol-era", era),
				}[front]
				if names := listed(t, inspect(t, how, "--method", "tools/list")); !slices.Contains(names, "test_simple_text") {
					t.Errorf("the tools listed are %v", names)
				}
				out := string(inspect(t, how, "--method", "tools/call", "--tool-name", "test_simple_text"))
				if !strings.Contains(out, "This is a simple text response for testing.") {
					t.Errorf("got %s", out)
				}
				if !slices.ContainsFunc(h.records(), func(r record) bool {
					return r.Kind == "intent" && r.Method == "tools/call" && r.Protocol == revision && r.Transport == front
				}) {
					t.Errorf("no call of revision %s over %s is on record", revision, front)
				}
				h.verify()
			})
		}
	}
}

// snippet writes the configuration of an IDE that starts a command with a variable, and returns the arguments that name it.
func snippet(t *testing.T, cmd *exec.Cmd, name, value string) []string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"mcpServers": map[string]any{"hopgate": map[string]any{
		"command": cmd.Path, "args": cmd.Args[1:], "env": map[string]string{name: value},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "mcp.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--config", file, "--server", "hopgate"}
}
