//go:build e2e

package e2e

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// oldServer is mcp-go's server over the transport of 2024-11-05, in a configuration.
func oldServer(t *testing.T) string {
	t.Helper()
	s := server.NewMCPServer("old", "1")
	for _, name := range []string{"echo", "secret"} {
		s.AddTool(mcp.NewTool(name, mcp.WithString("text")), func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText("got " + r.GetString("text", "")), nil
		})
	}
	web := httptest.NewServer(server.NewSSEServer(s))
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	return `version: 1
listen: { mcp: { addr: "127.0.0.1:0", ws: true } }
agents: { tester: key }
upstreams: { up: { url: "` + web.URL + `/sse", transport: sse } }
connections:
  all: { from: "*", to: up, tools: [echo] }
`
}

// TestPeersOfTheOldTransport puts mcp-go's client and that of the TypeScript SDK before Hopgate, and mcp-go's server behind
// it, all over HTTP with SSE.
func TestPeersOfTheOldTransport(t *testing.T) {
	t.Run("mcp-go", func(t *testing.T) {
		h := newHopgate(t, oldServer(t))
		key := h.key("tester")
		h.serve()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c, err := client.NewSSEMCPClient(h.base+"/sse/up", client.WithHeaders(map[string]string{"Authorization": "Bearer " + key}))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Start(ctx); err != nil {
			t.Fatal(err)
		}
		var hello mcp.InitializeRequest
		hello.Params.ProtocolVersion = "2024-11-05"
		hello.Params.ClientInfo = mcp.Implementation{Name: "test", Version: "1"}
		if _, err := c.Initialize(ctx, hello); err != nil {
			t.Fatal(err)
		}
		list, err := c.ListTools(ctx, mcp.ListToolsRequest{})
		if err != nil || len(list.Tools) != 1 || list.Tools[0].Name != "echo" {
			t.Errorf("tools: %v, %v", list, err)
		}
		var call mcp.CallToolRequest
		call.Params.Name, call.Params.Arguments = "echo", map[string]any{"text": "it"}
		got, err := c.CallTool(ctx, call)
		if err != nil || len(got.Content) != 1 || !strings.Contains(got.Content[0].(mcp.TextContent).Text, "got it") {
			t.Errorf("call: %v, %v", got, err)
		}
		call.Params.Name = "secret"
		if _, err := c.CallTool(ctx, call); err == nil || !strings.Contains(err.Error(), "Unknown tool") {
			t.Errorf("a tool that is not granted: %v", err)
		}
		h.verify()
		if all := h.records(); !slices.ContainsFunc(all, func(r record) bool { return r.Transport == "sse" && r.Target == "echo" && r.Protocol == "2024-11-05" }) {
			t.Error("the call is not on record")
		}
	})
	t.Run("TypeScript SDK", func(t *testing.T) {
		sdk := npm(t, "@modelcontextprotocol/sdk/package.json")
		h := newHopgate(t, oldServer(t))
		key := h.key("tester")
		h.serve()
		script := filepath.Join(t.TempDir(), "client.mjs")
		err := os.WriteFile(script, []byte(`
const dist = process.env.SDK + "/dist/esm/client/";
const { Client } = await import(dist + "index.js");
const { SSEClientTransport } = await import(dist + "sse.js");
const headers = { Authorization: "Bearer " + process.env.KEY };
const c = new Client({ name: "test", version: "1" });
await c.connect(new SSEClientTransport(new URL(process.env.URL), { requestInit: { headers } }));
console.log((await c.listTools()).tools.map((t) => t.name).join());
console.log((await c.callTool({ name: "echo", arguments: { text: "it" } })).content[0].text);
console.log(await c.callTool({ name: "secret" }).catch((e) => e.message));
await c.close();
`), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), newerNode(t), script)
		cmd.Env = append(os.Environ(), "SDK="+filepath.Dir(sdk), "URL="+h.base+"/sse/up", "KEY="+key)
		out, err := cmd.CombinedOutput()
		if want := "echo\ngot it\nMCP error -32602: Unknown tool\n"; err != nil || string(out) != want {
			t.Errorf("got %s, %v; want %s", out, err, want)
		}
	})
}
