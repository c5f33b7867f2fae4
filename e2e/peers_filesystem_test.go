//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// readers are the tools of the official filesystem server that the connection grants.
var readers = []string{
	"list_allowed_directories", "list_directory", "list_directory_with_sizes",
	"read_file", "read_media_file", "read_multiple_files", "read_text_file", "search_files",
}

// texts are files that are easy to damage.
var texts = map[string]string{
	"windows.txt":  "one\r\ntwo\r\n\r\n",
	"open end.txt": "no newline at the end",
	"emoji.txt":    "😀 é e\u0301 \u2028 \u202e \ufeff ünïcode\n",
	"control.txt":  "tab\there, \x01\x1f\x7f, <a>&\"'\\\n",
	"code.json":    `{"n": 12345678901234567890, "f": 1.0, "s": "\u0000\/"}`,
	"large.txt":    strings.Repeat("sixty-three bytes of text and an é, then the end of a line.\r\n", 1<<20/63),
	"empty.txt":    "",
}

// fileServer is the filesystem server behind Hopgate, with a folder of files.
type fileServer struct {
	*hopgate
	dir string
}

// files writes the files and a configuration in which agents may read, list and search.
func files(t *testing.T) *fileServer {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command, err := json.Marshal([]string{"node", npm(t, "@modelcontextprotocol/server-filesystem/dist/index.js"), dir})
	if err != nil {
		t.Fatal(err)
	}
	return &fileServer{newHopgate(t, `version: 1
listen: { mcp: "127.0.0.1:0" }
agents: { tester: key, ide: local }
upstreams: { files: { command: `+string(command)+` } }
connections:
  to-files:
    from: "*"
    to: files
    tools: [read_*, list_*, search_files]
`), dir}
}

// untouched complains if anything but the files is in the folder, or a file has changed.
func (s *fileServer) untouched(t *testing.T) {
	t.Helper()
	got := map[string]string{}
	found, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		text, err := os.ReadFile(filepath.Join(s.dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[f.Name()] = string(text)
	}
	if !cmp.Equal(got, texts) {
		t.Errorf("the folder has changed; it holds %v", found)
	}
}

// onRecord returns the records that say that a method, and a target where one is given, was decided in a way, and
// complains if there is none.
func (s *fileServer) onRecord(t *testing.T, agent, method, target, decision string) []record {
	t.Helper()
	found := slices.DeleteFunc(s.records(), func(r record) bool {
		return r.Kind == "outcome" || r.Method != method || r.Target != target || r.Decision != decision
	})
	if len(found) == 0 {
		t.Fatalf("no record of %s %s by %s: %s", method, target, agent, decision)
	}
	for _, r := range found {
		if r.Agent != agent || r.Upstream != "files" || r.Connection != "to-files" {
			t.Errorf("the record names another agent, connection or upstream: %s", r.raw)
		}
	}
	return found
}

// TestFilesystemServerWithMCPGo reads through Hopgate with the client of mcp-go, which first asks whether the server
// knows the newest revision, and then goes back to a session.
func TestFilesystemServerWithMCPGo(t *testing.T) {
	for _, front := range []string{"stdio", "http"} {
		t.Run(front, func(t *testing.T) {
			t.Parallel()
			s := files(t)
			var agent string
			var c *client.Client
			if front == "http" {
				agent = "tester"
				c = s.overHTTP(t, s.key(agent))
			} else {
				agent = "ide"
				c = s.overStdio(t)
			}
			if _, err := c.Initialize(t.Context(), mcp.InitializeRequest{}); err != nil {
				t.Fatalf("initialize: %v", err)
			}
			s.useMCPGo(t, c)
			if err := c.Close(); err != nil {
				t.Errorf("closing: %v", err)
			}
			s.untouched(t)

			s.onRecord(t, agent, "tools/list", "", "allow")
			if n := len(s.onRecord(t, agent, "tools/call", "read_text_file", "allow")); n != len(texts) {
				t.Errorf("%d reads are on record, want %d", n, len(texts))
			}
			for _, r := range s.onRecord(t, agent, "tools/call", "write_file", "deny") {
				if r.Reason != "TOOL_NOT_ALLOWED" {
					t.Errorf("the refused write is on record as %q", r.Reason)
				}
			}
			s.verify()
		})
	}
}

func (s *fileServer) overHTTP(t *testing.T, key string) *client.Client {
	t.Helper()
	s.serve()
	tr, err := transport.NewStreamableHTTP(s.base+"/mcp/files", transport.WithHTTPHeaders(map[string]string{"Authorization": "Bearer " + key}))
	if err != nil {
		t.Fatal(err)
	}
	c := client.NewClient(tr)
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *fileServer) overStdio(t *testing.T) *client.Client {
	t.Helper()
	cmd := s.command("stdio", "--to", "files")
	words := new(lockedBuffer)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("hopgate stdio said:\n%s", words)
		}
	})
	c, err := client.NewStdioMCPClientWithOptions(cmd.Path, nil, cmd.Args[1:], transport.WithCommandStderrWriter(words))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// useMCPGo lists, reads every file, and tries to write.
func (s *fileServer) useMCPGo(t *testing.T, c *client.Client) {
	t.Helper()
	list, err := c.ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	if diff := cmp.Diff(readers, names); diff != "" {
		t.Errorf("the tools listed (-want +got):\n%s", diff)
	}
	for name, want := range texts {
		result, err := callTool(t, c, "read_text_file", map[string]any{"path": filepath.Join(s.dir, name)})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, ok := result.Content[0].(mcp.TextContent); !ok || got.Text != want {
			t.Errorf("%s: read %.100q, want %.100q", name, got.Text, want)
		}
	}
	for name, args := range map[string]map[string]any{
		"write_file": {"path": filepath.Join(s.dir, "new.txt"), "content": "x"},
		"edit_file":  {"path": filepath.Join(s.dir, "windows.txt"), "edits": []any{map[string]any{"oldText": "one", "newText": "x"}}},
		"move_file":  {"source": filepath.Join(s.dir, "empty.txt"), "destination": filepath.Join(s.dir, "moved.txt")},
		"no_tool":    {},
	} {
		if result, err := callTool(t, c, name, args); err == nil || !strings.Contains(err.Error(), "Unknown tool") {
			t.Errorf("%s: got %+v and %v, want the error of an unknown tool", name, result, err)
		}
	}
}

func callTool(t *testing.T, c *client.Client, tool string, args map[string]any) (*mcp.CallToolResult, error) {
	t.Helper()
	var r mcp.CallToolRequest
	r.Params.Name, r.Params.Arguments = tool, args
	return c.CallTool(t.Context(), r)
}

// TestFilesystemServerWithInspector reads through Hopgate with the command line of MCP Inspector: over stdio as an IDE
// is configured, and over HTTP.
func TestFilesystemServerWithInspector(t *testing.T) {
	for _, front := range []string{"stdio", "http"} {
		t.Run(front, func(t *testing.T) {
			t.Parallel()
			s := files(t)
			var agent string
			var how []string
			if front == "http" {
				agent = "tester"
				key := s.key(agent)
				s.serve()
				how = []string{"--transport", "http", "--server-url", s.base + "/mcp/files", "--header", "Authorization: Bearer " + key}
			} else {
				agent = "ide"
				how = snippet(t, s.command("stdio", "--to", "files"), "LANG", "C")
			}
			s.useInspector(t, how)
			s.untouched(t)

			s.onRecord(t, agent, "tools/list", "", "allow")
			s.onRecord(t, agent, "tools/call", "read_text_file", "allow")
			s.verify()
		})
	}
}

// useInspector lists, reads every file, and tries to write.
func (s *fileServer) useInspector(t *testing.T, how []string) {
	t.Helper()
	if diff := cmp.Diff(readers, listed(t, inspect(t, how, "--method", "tools/list"))); diff != "" {
		t.Errorf("the tools listed (-want +got):\n%s", diff)
	}
	for name, want := range texts {
		args, err := json.Marshal(map[string]string{"path": filepath.Join(s.dir, name)})
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "out")
		inspect(t, how, "--method", "tools/call", "--tool-name", "read_text_file", "--tool-args-json", string(args), "--output", out, "--output-format", "raw")
		if got, err := os.ReadFile(out); err != nil || string(got) != want {
			t.Errorf("%s: read %.100q and %v, want %.100q", name, got, err, want)
		}
	}
	// Inspector looks the tool up in the list, and does not find it.
	cmd := inspector(t, how, "--method", "tools/call", "--tool-name", "write_file", "--tool-args-json", `{"path":"`+s.dir+`/new.txt","content":"x"}`)
	var words bytes.Buffer
	cmd.Stderr = &words
	if err := cmd.Run(); err == nil || !strings.Contains(words.String(), "tool_not_found") {
		t.Errorf("a write: %v\n%s", err, words.String())
	}
}
