//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
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

// inspector is a command of MCP Inspector, with a home of its own.
func inspector(t *testing.T, how []string, args ...string) *exec.Cmd {
	t.Helper()
	all := slices.Concat([]string{npm(t, ".bin/mcp-inspector"), "--cli"}, how, args, []string{"--format", "json", "--quiet"})
	cmd := exec.CommandContext(t.Context(), "node", all...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "MCP_INSPECTOR_SECRET_STORE=memory")
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
// speak.
func TestInspectorInBothEras(t *testing.T) {
	for era, revision := range map[string]string{"legacy": legacy, "modern": modern} {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			h := sample(t, "permissive.yaml", "UPSTREAM_URL="+everything(t, home(revision)))
			key := h.key("tester")
			h.serve()
			how := []string{"--transport", "http", "--server-url", h.base + "/mcp/up", "--header", "Authorization: Bearer " + key, "--protocol-era", era}
			if names := listed(t, inspect(t, how, "--method", "tools/list")); !slices.Contains(names, "test_simple_text") {
				t.Errorf("the tools listed are %v", names)
			}
			out := string(inspect(t, how, "--method", "tools/call", "--tool-name", "test_simple_text"))
			if !strings.Contains(out, "This is a simple text response for testing.") {
				t.Errorf("got %s", out)
			}
			if !slices.ContainsFunc(h.records(), func(r record) bool {
				return r.Kind == "intent" && r.Method == "tools/call" && r.Protocol == revision
			}) {
				t.Errorf("no call of revision %s is on record", revision)
			}
			h.verify()
		})
	}
}
