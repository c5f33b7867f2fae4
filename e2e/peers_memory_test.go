//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
)

// TestOfficialMemoryServer has an agent note things with the official server "memory" and read them again, which may delete
// nothing.
func TestOfficialMemoryServer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "memory.jsonl")
	command, err := json.Marshal([]string{newerNode(t), npm(t, "@modelcontextprotocol/server-memory/dist/index.js")})
	if err != nil {
		t.Fatal(err)
	}
	h := newHopgate(t, `version: 1
listen: { mcp: "127.0.0.1:0" }
agents: { tester: key }
upstreams: { up: { command: `+string(command)+`, env: { MEMORY_FILE_PATH: "`+file+`" } } }
connections:
  all: { from: tester, to: up, tools: [create_*, read_graph, search_nodes] }
`)
	key := h.key("tester")
	h.serve()
	c := h.mcpGo(t.Context(), t, "http", key)
	defer c.Close()
	if _, err := c.Initialize(t.Context(), mcp.InitializeRequest{}); err != nil {
		t.Fatal(err)
	}
	const fact = "likes 😀 and \u2028"
	ada := map[string]any{"name": "Ada", "entityType": "person", "observations": []any{fact}}
	if got, err := callTool(t, c, "create_entities", map[string]any{"entities": []any{ada}}); err != nil || got.IsError {
		t.Fatalf("create_entities: %+v, %v", got, err)
	}
	if got, err := callTool(t, c, "delete_entities", map[string]any{"entityNames": []any{"Ada"}}); err == nil || !strings.Contains(err.Error(), "Unknown tool") {
		t.Errorf("delete_entities: %+v, %v", got, err)
	}
	got, err := callTool(t, c, "search_nodes", map[string]any{"query": "likes"})
	if err != nil || got.IsError {
		t.Fatalf("search_nodes: %+v, %v", got, err)
	}
	var graph struct {
		Entities []struct {
			Name         string
			Observations []string
		}
	}
	if err := json.Unmarshal([]byte(got.Content[0].(mcp.TextContent).Text), &graph); err != nil || len(graph.Entities) != 1 || graph.Entities[0].Observations[0] != fact {
		t.Errorf("search_nodes: %+v, %v", graph, err)
	}
	if kept, err := os.ReadFile(file); err != nil || !strings.Contains(string(kept), "Ada") {
		t.Errorf("the server keeps %q, %v", kept, err)
	}
	h.verify()
}
