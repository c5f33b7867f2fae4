//go:build e2e

package e2e

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOfficialEverythingServer puts the client of the TypeScript SDK before Hopgate, over each transport that it speaks, and
// the official server "everything" behind, over each that that one speaks. The client lists, calls, is told of progress and
// log messages, and is asked for a sample, input and roots. But for the one tool that is denied it sees what it sees directly.
func TestOfficialEverythingServer(t *testing.T) {
	for _, up := range []string{"stdio", "sse", "http"} {
		t.Run(up, func(t *testing.T) {
			t.Parallel()
			yaml, direct := officialEverything(t, up)
			want := slices.DeleteFunc(tsClient(t, nil, direct...), func(line string) bool { return strings.Contains(line, "get-env") })
			for _, front := range []string{"stdio", "http", "sse", "ws"} {
				t.Run(front, func(t *testing.T) {
					t.Parallel()
					h := newHopgate(t, `version: 1
listen: { mcp: { addr: "127.0.0.1:0", ws: true } }
agents: { tester: key }
upstreams: { up: { `+yaml+` } }
connections:
  all: { from: tester, to: up, tools: ["*"], deny: get-env, prompts: ["*"], resources: ["*"], sampling: allow, elicitation: allow, roots: allow }
`)
					key := h.key("tester")
					var way []string
					if front == "stdio" {
						way = append([]string{"stdio"}, h.command("stdio", "--to", "up").Args...)
					} else {
						h.serve()
						base := h.base + "/" + strings.Replace(front, "http", "mcp", 1) + "/up"
						way = []string{front, base}
						if front == "ws" {
							way[1] = strings.Replace(base, "http", "ws", 1)
						}
					}
					got := tsClient(t, []string{"KEY=" + key, "HOPGATE_KEY=" + key}, way...)
					i := slices.IndexFunc(got, func(line string) bool { return strings.HasPrefix(line, `["get-env"`) })
					if i < 0 || !strings.Contains(got[i], "Unknown tool") {
						t.Errorf("the tool that is denied: %v", got)
					} else {
						got = slices.Delete(got, i, i+1)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("through Hopgate (-direct +through):\n%s", diff)
					}
					h.verify()
				})
			}
		})
	}
}

// officialEverything is the server over a transport: an upstream in YAML, and the arguments of tsclient that lead there.
func officialEverything(t *testing.T, kind string) (yaml string, direct []string) {
	t.Helper()
	node, script := newerNode(t), npm(t, "@modelcontextprotocol/server-everything/dist/index.js")
	if kind == "stdio" {
		return `command: ["` + node + `", "` + script + `"]`, []string{"stdio", node, script}
	}
	addr := freePort(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node, script, map[string]string{"sse": "sse", "http": "streamableHttp"}[kind])
	cmd.Env = append(os.Environ(), "PORT="+port)
	start(t, cmd)
	listens(t, addr)
	if kind == "sse" {
		return `url: "http://` + addr + `/sse", transport: sse`, []string{"sse", "http://" + addr + "/sse"}
	}
	return `url: "http://` + addr + `/mcp"`, []string{"http", "http://" + addr + "/mcp"}
}

// tsClient runs the client of the TypeScript SDK and returns what it saw, sorted: the order of lists that a server changes
// while it is asked is the server's.
func tsClient(t *testing.T, env []string, args ...string) []string {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("peers", "tsclient", "client.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	npm(t, "@modelcontextprotocol/sdk/package.json")
	cmd := exec.CommandContext(t.Context(), newerNode(t), append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Run(); err != nil {
		t.Fatalf("tsclient %v: %v\n%s%s", args[:2], err, words.String(), out.String())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	slices.Sort(lines)
	return lines
}
