package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/toolscope"
)

//go:embed demo.yaml
var demoConfig []byte

func (a *app) demo() *cobra.Command {
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show a filtered list, an allowed call, two refusals and the verified journal; no network, no account",
		Args:  args(0, "no arguments"),
		RunE:  func(c *cobra.Command, _ []string) error { return a.runDemo(c.Context()) },
	}
	c.AddCommand(&cobra.Command{
		Use: "server", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return mcpserver.NewStdioServer(demoServer()).Listen(c.Context(), a.in, a.out)
		},
	})
	return c
}

// demoServer is the upstream of the demo: a bank with four tools.
func demoServer() *mcpserver.MCPServer {
	s := mcpserver.NewMCPServer("demo-bank", "1.0")
	answer := func(text string) mcpserver.ToolHandlerFunc {
		return func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText(text), nil
		}
	}
	s.AddTool(mcp.NewTool("list_accounts", mcp.WithDescription("Lists accounts.")), answer("acme, globex"))
	s.AddTool(mcp.NewTool("get_account", mcp.WithDescription("Shows an account."), mcp.WithString("name", mcp.Required())), answer("balance 1200.00"))
	s.AddTool(mcp.NewTool("transfer", mcp.WithDescription("Moves money."), mcp.WithString("to", mcp.Required()), mcp.WithInteger("amount", mcp.Required())), answer("done"))
	s.AddTool(mcp.NewTool("close_account", mcp.WithDescription("Closes an account."), mcp.WithString("name", mcp.Required())), answer("closed"))
	return s
}

// runDemo serves the demo's configuration with a temporary state directory and lets a scripted agent call.
func (a *app) runDemo(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "hopgate-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program, err := os.Executable()
	if err != nil {
		return err
	}
	env := map[string]string{"DEMO_PROGRAM": program}
	quiet := &app{
		in: a.in, out: a.out, words: a.words, config: filepath.Join(dir, "demo.yaml"), state: filepath.Join(dir, "state"),
		catalog: toolscope.NewCatalog(),
		env:     func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	}
	if err := os.WriteFile(quiet.config, demoConfig, 0o600); err != nil {
		return err
	}
	file, err := quiet.load()
	if err != nil {
		return err
	}
	at, err := quiet.place(file)
	if err != nil {
		return err
	}
	e, err := quiet.openState(ctx, at, zerolog.Nop(), 0)
	if err != nil {
		return err
	}
	front := &front{engine: e, failed: make(chan error, 1)}
	e.prepare = front.follow
	err = e.serve(ctx, file, nil)
	if err == nil {
		err = a.play(ctx, e, file, "http://"+front.bound.String()+"/mcp/bank")
	}
	front.close()
	if err := errors.Join(err, e.close()); err != nil {
		return err
	}
	return a.demoEnd(ctx, quiet.state)
}

// play is the agent's script.
func (a *app) play(ctx context.Context, e *engine, file *configs.File, url string) error {
	key, _, err := e.keys.Add(ctx, "clerk", time.Hour)
	if err != nil {
		return err
	}
	c, err := client.NewStreamableHttpClient(url, transport.WithHTTPHeaders(map[string]string{"Authorization": "Bearer " + key}))
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Start(ctx); err != nil {
		return err
	}
	var hello mcp.InitializeRequest
	hello.Params.ProtocolVersion = mcp.LATEST_LEGACY_PROTOCOL_VERSION
	hello.Params.ClientInfo = mcp.Implementation{Name: "demo-agent", Version: "1"}
	if _, err := c.Initialize(ctx, hello); err != nil {
		return err
	}
	a.tell("The server bank has 4 tools. The connection of agent clerk grants three, one of them under a condition:\n")
	for line := range strings.Lines(string(file.Source)) {
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "tools:") || strings.HasPrefix(trimmed, "- ") {
			a.tell("    %s", line)
		}
	}
	list, err := c.ListTools(ctx, mcp.ListToolsRequest{})
	if err != nil {
		return err
	}
	a.tell("\nclerk lists the tools and sees %s.\n", names(list.Tools, func(t mcp.Tool) string { return t.Name }))
	for _, step := range []struct {
		tool string
		args json.RawMessage
	}{
		{"get_account", json.RawMessage(`{"name": "acme"}`)},
		{"transfer", json.RawMessage(`{"to": "acme", "amount": 50}`)},
		{"transfer", json.RawMessage(`{"to": "acme", "amount": 5000}`)},
		{"close_account", json.RawMessage(`{"name": "acme"}`)},
	} {
		var call mcp.CallToolRequest
		call.Params.Name, call.Params.Arguments = step.tool, step.args
		a.tell("\nclerk calls %s %s\n", step.tool, step.args)
		result, err := c.CallTool(ctx, call)
		switch {
		case err != nil:
			a.tell("  ✗ %v\n", err)
		case result.IsError:
			a.tell("  ✗ %s\n", text(result))
		default:
			a.tell("  ✓ %s\n", text(result))
		}
	}
	return nil
}

func text(r *mcp.CallToolResult) string {
	for _, c := range r.Content {
		if t, ok := c.(mcp.TextContent); ok {
			return t.Text
		}
	}
	return ""
}

// demoEnd verifies the journal that the demo has left, as anybody can.
func (a *app) demoEnd(ctx context.Context, dir string) error {
	v, err := audit.Verify(ctx, dir, "")
	if err != nil {
		return err
	}
	a.tell("\nEvery decision is on record. The journal, checked offline from its first byte:\n\n")
	a.verifiedText(&v)
	a.tell("\nNext: hopgate init\n")
	if v.Damage != nil {
		return silent(exitVerify)
	}
	return nil
}

func (a *app) tell(format string, args ...any) { fmt.Fprintf(a.out, format, args...) }
