//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// section is the text of README.md below a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("README.md has no section %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	return rest
}

// blocks are the code blocks of a language in a text, in their order.
func blocks(text, language string) []string {
	var all []string
	for _, rest := range strings.Split(text, "\n```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(rest, "\n```")
		all = append(all, block)
	}
	return all
}

// newcomer is somebody with a copy of the repository, and a home with nothing in it.
type newcomer struct {
	t   *testing.T
	dir string
	env []string
}

// arrive copies the repository without what is made in it. Caches and configuration of Go and npm are the machine's:
// what comes from there is the same as what would be fetched again.
func arrive(t *testing.T) *newcomer {
	t.Helper()
	n := &newcomer{t: t, dir: t.TempDir()}
	n.env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "XDG_") || strings.HasPrefix(v, "HOPGATE_") || strings.HasPrefix(v, "MAKE")
	})
	for variable, ask := range map[string][]string{
		"GOCACHE": {"go", "env", "GOCACHE"}, "GOMODCACHE": {"go", "env", "GOMODCACHE"}, "GOENV": {"go", "env", "GOENV"},
		"npm_config_cache": {"npm", "config", "get", "cache"}, "npm_config_userconfig": {"npm", "config", "get", "userconfig"},
	} {
		value, err := exec.Command(ask[0], ask[1:]...).Output()
		if err != nil {
			t.Fatalf("%v: %v", ask, err)
		}
		n.env = append(n.env, variable+"="+strings.TrimSpace(string(value)))
	}
	n.env = append(n.env, "HOME="+n.home(), "npm_config_fetch_retries=5")
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(n.dir, strings.TrimPrefix(path, root))
		switch {
		case d.IsDir() && slices.Contains([]string{".git", "node_modules", "bin"}, d.Name()):
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(to, 0o700)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// home makes a home in which npm has the caches of the machine and takes what is in them. A server that Hopgate starts
// gets no more of an environment than PATH, HOME and LANG, and the machine may say elsewhere how npm reaches its registry.
func (n *newcomer) home() string {
	n.t.Helper()
	dir := n.t.TempDir()
	var rc strings.Builder
	rc.WriteString("prefer-offline=true\nupdate-notifier=false\n")
	for _, key := range []string{"cache", "registry"} {
		value, err := exec.Command("npm", "config", "get", key).Output()
		if err != nil {
			n.t.Fatalf("npm config get %s: %v", key, err)
		}
		rc.WriteString(key + "=" + string(value))
	}
	if err := os.WriteFile(filepath.Join(dir, ".npmrc"), []byte(rc.String()), 0o600); err != nil {
		n.t.Fatal(err)
	}
	return dir
}

// fetches has npx fetch what a sample starts, with all that the machine says.
func (n *newcomer) fetches(sample string) {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, sample))
	if err != nil {
		n.t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), `[npx, -y, "`)
	if !found {
		n.t.Fatalf("%s starts nothing with npx", sample)
	}
	name, _, _ := strings.Cut(rest, `"`)
	n.types("npx -y --package=" + name + " -c true")
}

// types runs lines in a shell, and returns what they print.
func (n *newcomer) types(lines string) string {
	n.t.Helper()
	cmd := exec.CommandContext(n.t.Context(), "sh", "-ec", lines)
	cmd.Dir, cmd.Env = n.dir, n.env
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Run(); err != nil {
		n.t.Fatalf("%s: %v\n%s%s", lines, err, out.String(), words.String())
	}
	return out.String()
}

// leave stops the daemon that hopgate stdio has started.
func (n *newcomer) leave() {
	stop := exec.Command("bin/hopgate", "stop", "--config", "configs/samples/minimal.yaml")
	stop.Dir, stop.Env = n.dir, n.env
	if words, err := stop.CombinedOutput(); err != nil {
		n.t.Errorf("hopgate stop: %v\n%s", err, words)
	}
}

// writes starts the server of a JSON snippet, as clients do, and calls a tool that writes, as they do not: the list
// does not show it.
func (n *newcomer) writes(snippet string) {
	n.t.Helper()
	var clients struct {
		Servers map[string]struct {
			Command string
			Args    []string
		} `json:"mcpServers"`
	}
	if err := json.Unmarshal([]byte(snippet), &clients); err != nil {
		n.t.Fatal(err)
	}
	in := func(_ context.Context, command string, env, args []string) (*exec.Cmd, error) {
		cmd := exec.Command(command, args...)
		cmd.Dir, cmd.Env = n.dir, env
		return cmd, nil
	}
	server := clients.Servers["files"]
	c, err := client.NewStdioMCPClientWithOptions(server.Command, n.env, server.Args, transport.WithCommandFunc(in))
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := c.Initialize(n.t.Context(), mcp.InitializeRequest{}); err != nil {
		n.t.Fatal(err)
	}
	_, err = callTool(n.t, c, "write_file", map[string]any{"path": "written", "content": "x"})
	if err == nil || !strings.Contains(err.Error(), "Unknown tool") {
		n.t.Errorf("the call of a tool that writes ended with %v", err)
	}
	if _, err := os.Stat(filepath.Join(n.dir, "written")); err == nil {
		n.t.Error("the call came through")
	}
	if err := c.Close(); err != nil {
		n.t.Error(err)
	}
}

func TestReadmeDemo(t *testing.T) {
	t.Parallel()
	lines := blocks(section(t, "Try it"), "sh")
	if len(lines) != 1 {
		t.Fatalf("README.md has %d blocks of commands to try, want 1", len(lines))
	}
	demo, test, _ := strings.Cut(lines[0], "\n")
	if !strings.HasPrefix(test, "make test ") {
		t.Errorf("the second command is %q", test)
	}
	if out := arrive(t).types(demo); !strings.Contains(out, "✓") || !strings.Contains(out, "✗") {
		t.Errorf("%s shows no call that is allowed and one that is refused:\n%s", demo, out)
	}
}

// TestReadmeFromAnIDE follows README.md to the letter: it builds, saves the JSON, and looks at it with MCP Inspector.
func TestReadmeFromAnIDE(t *testing.T) {
	t.Parallel()
	text := section(t, "Use it from an IDE")
	commands, snippets := blocks(text, "sh"), blocks(text, "json")
	if len(commands) != 2 || len(snippets) != 1 {
		t.Fatalf("README.md has %d blocks of commands and %d of JSON, want 2 and 1", len(commands), len(snippets))
	}
	build, look := commands[0], commands[1]
	n := arrive(t)
	n.types(build)
	n.fetches("configs/samples/minimal.yaml")
	t.Cleanup(n.leave)
	if err := os.WriteFile(filepath.Join(n.dir, "mcp.json"), []byte(snippets[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	shown := n.types(look)
	if !strings.Contains(shown, `"read_text_file"`) || strings.Contains(shown, `"write_file"`) {
		t.Errorf("%s shows\n%s", look, shown)
	}
	n.writes(snippets[0])
	_, search, _ := strings.Cut(text, "`bin/hopgate audit search")
	search, _, _ = strings.Cut("bin/hopgate audit search"+search, "`")
	if found := n.types(search); !strings.Contains(found, "write_file") {
		t.Errorf("%s shows\n%s", search, found)
	}
}
