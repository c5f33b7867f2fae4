//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// mcpGoServer is a server made of mcp-go, over streamable HTTP or the transport of 2024-11-05, as an upstream in YAML.
func mcpGoServer(t *testing.T, kind string) string {
	t.Helper()
	s := server.NewMCPServer("mcp-go", "1")
	for _, name := range []string{"echo", "secret"} {
		s.AddTool(mcp.NewTool(name, mcp.WithString("text")), func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText("got " + r.GetString("text", "")), nil
		})
	}
	var handler http.Handler = server.NewStreamableHTTPServer(s)
	if kind == "sse" {
		handler = server.NewSSEServer(s)
	}
	web := httptest.NewServer(handler)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	if kind == "sse" {
		return `url: "` + web.URL + `/sse", transport: sse`
	}
	return `url: "` + web.URL + `/mcp"`
}

// TestMCPGoInAllRevisions puts mcp-go's client before Hopgate, in each revision and over each transport that it speaks, and
// mcp-go's server behind.
func TestMCPGoInAllRevisions(t *testing.T) {
	for _, up := range []string{"http", "sse"} {
		t.Run("to "+up, func(t *testing.T) {
			h := newHopgate(t, `version: 1
listen: { mcp: "127.0.0.1:0" }
agents: { tester: key }
upstreams: { up: { `+mcpGoServer(t, up)+` } }
connections:
  all: { from: "*", to: up, tools: [echo] }
`)
			key := h.key("tester")
			h.serve()
			for _, front := range []string{"http", "sse", "stdio"} {
				for _, revision := range mcp.ValidProtocolVersions {
					if front == "sse" && revision == modern {
						continue // the transport is older, and mcp-go knows
					}
					t.Run(front+" "+revision, func(t *testing.T) {
						ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
						defer cancel()
						c := h.mcpGo(ctx, t, front, key)
						defer c.Close()
						useEcho(ctx, t, c, revision)
						if all := h.records(); !slices.ContainsFunc(all, func(r record) bool {
							return r.Kind == "intent" && r.Transport == front && r.Target == "echo" && r.Protocol == revision
						}) {
							t.Error("the call is not on record")
						}
					})
				}
			}
			h.verify()
		})
	}
}

// mcpGo is a client made of mcp-go that reaches the upstream up over a transport.
func (h *hopgate) mcpGo(ctx context.Context, t *testing.T, front, key string) *client.Client {
	t.Helper()
	auth := map[string]string{"Authorization": "Bearer " + key}
	var c *client.Client
	var err error
	switch front {
	case "http":
		c, err = client.NewStreamableHttpClient(h.base+"/mcp/up", transport.WithHTTPHeaders(auth))
	case "sse":
		c, err = client.NewSSEMCPClient(h.base+"/sse/up", client.WithHeaders(auth))
	case "stdio":
		cmd := h.command("stdio", "--to", "up", "--log-level", "warn")
		c, err = client.NewStdioMCPClient(cmd.Path, []string{"HOPGATE_KEY=" + key}, cmd.Args[1:]...)
	}
	if err != nil {
		t.Fatal(err)
	}
	if front != "stdio" { // which starts by itself
		if err := c.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// useEcho greets in a revision, lists, calls, and tries what is not granted.
func useEcho(ctx context.Context, t *testing.T, c *client.Client, revision string) {
	t.Helper()
	var hello mcp.InitializeRequest
	hello.Params.ProtocolVersion = revision
	hello.Params.ClientInfo = mcp.Implementation{Name: "test", Version: "1"}
	if got, err := c.Initialize(ctx, hello); err != nil || got.ProtocolVersion != revision {
		t.Fatalf("initialize: %+v, %v", got, err)
	}
	list, err := c.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil || len(list.Tools) != 1 || list.Tools[0].Name != "echo" {
		t.Errorf("tools: %v, %v", list, err)
	}
	got, err := callTool(t, c, "echo", map[string]any{"text": "it"})
	if err != nil || len(got.Content) != 1 || !strings.Contains(got.Content[0].(mcp.TextContent).Text, "got it") {
		t.Errorf("call: %v, %v", got, err)
	}
	if _, err := callTool(t, c, "secret", nil); err == nil || !strings.Contains(err.Error(), "Unknown tool") {
		t.Errorf("a tool that is not granted: %v", err)
	}
}
