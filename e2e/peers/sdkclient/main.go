// Command sdkclient is a client made of go-sdk. It uses what the reference server of go-sdk offers, in a fixed order, and
// prints what it sees as JSON lines, so that two servers, or two ways to one, can be compared. It speaks the revision
// -revision, to a URL with -url, or with -sse over the transport of 2024-11-05, and the key in SDKCLIENT_KEY, or to the
// command in its arguments.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// modern is the first revision without sessions.
const modern = "2026-07-28"

func main() {
	url := flag.String("url", "", "endpoint over HTTP")
	sse := flag.String("sse", "", "endpoint over HTTP with SSE")
	revision := flag.String("revision", modern, "protocol revision")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var way mcp.Transport
	web := &http.Client{Transport: keyed(os.Getenv("SDKCLIENT_KEY"))}
	switch {
	case *url != "":
		way = &mcp.StreamableClientTransport{Endpoint: *url, HTTPClient: web}
	case *sse != "":
		way = &mcp.SSEClientTransport{Endpoint: *sse, HTTPClient: web}
	default:
		cmd := exec.Command(flag.Arg(0), flag.Args()[1:]...)
		cmd.Stderr = os.Stderr
		way = &mcp.CommandTransport{Command: cmd}
	}
	if err := run(ctx, way, *revision); err != nil {
		log.Fatal(err)
	}
}

// keyed is an HTTP transport that presents a key.
type keyed string

func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if k != "" {
		r.Header.Set("Authorization", "Bearer "+string(k))
	}
	return http.DefaultTransport.RoundTrip(r)
}

// seen counts and prints what comes.
type seen struct {
	mu     sync.Mutex
	counts map[string]int
	news   chan struct{}
}

func (s *seen) add(what, name string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		log.Fatal(err)
	}
	line, err := json.Marshal(map[string]string{"what": what, "name": name, "value": string(text)})
	if err != nil {
		log.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Println(string(line))
	s.counts[what]++
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// await waits until something has come n times. Notifications are handled beside the answers that follow them.
func (s *seen) await(ctx context.Context, what string, n int) error {
	for {
		s.mu.Lock()
		have := s.counts[what]
		s.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-s.news:
		case <-ctx.Done():
			return fmt.Errorf("%s has come %d times, want %d", what, have, n)
		}
	}
}

func client(s *seen) *mcp.Client {
	c := mcp.NewClient(&mcp.Implementation{Name: "sdkclient", Version: "1"}, &mcp.ClientOptions{
		CreateMessageHandler: func(_ context.Context, r *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			s.add("sampling", "", r.Params.Messages)
			return &mcp.CreateMessageResult{Model: "none", Role: "assistant", Content: &mcp.TextContent{Text: "Paris"}}, nil
		},
		ElicitationHandler: func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			s.add("elicitation", "", r.Params.Message)
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"username": "ada", "name": "Ada", "color": "blue"}}, nil
		},
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { s.add("list changed", "tools", nil) },
		LoggingMessageHandler: func(_ context.Context, r *mcp.LoggingMessageRequest) {
			s.add("log", string(r.Params.Level), r.Params.Data)
		},
		ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
			s.add("progress", r.Params.Message, []any{r.Params.ProgressToken, r.Params.Progress, r.Params.Total})
		},
	})
	c.AddRoots(&mcp.Root{URI: "file:///home/ada/work", Name: "work"})
	return c
}

// calls are the tools that are called, in this order, and the arguments.
var calls = []struct {
	tool string
	args map[string]any
}{
	{"test_simple_text", nil},
	{"test_tool_with_progress", nil},
	{"test_tool_with_logging", nil},
	{"test_error_handling", nil},
	{"test_sampling", map[string]any{"prompt": "What is the capital of France?"}},
	{"test_elicitation", map[string]any{"message": "Who are you?"}},
	{"test_input_required_result_elicitation", nil},
	{"test_input_required_result_sampling", nil},
	{"test_input_required_result_list_roots", nil},
	{"test_input_required_result_multi_round", nil},
	{"no_such_tool", nil},
}

func run(ctx context.Context, way mcp.Transport, revision string) error {
	s := &seen{counts: map[string]int{}, news: make(chan struct{}, 1)}
	session, err := client(s).Connect(ctx, way, &mcp.ClientSessionOptions{ProtocolVersion: revision})
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	s.add("revision", session.InitializeResult().ProtocolVersion, nil)
	tools, err := session.ListTools(ctx, nil)
	if err != nil {
		return fmt.Errorf("listing: %w", err)
	}
	for _, t := range tools.Tools {
		s.add("tool", t.Name, t.InputSchema)
	}
	meta := mcp.Meta{"progressToken": "p-1"}
	if revision >= modern {
		meta[mcp.MetaKeyLogLevel] = "info"
	} else if err := session.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: "info"}); err != nil {
		return fmt.Errorf("setting the level: %w", err)
	}
	for _, c := range calls {
		result, err := session.CallTool(ctx, &mcp.CallToolParams{Meta: maps.Clone(meta), Name: c.tool, Arguments: c.args})
		if err != nil {
			e, ok := errors.AsType[*jsonrpc.Error](err)
			if !ok {
				return fmt.Errorf("calling %s: %w", c.tool, err)
			}
			s.add("error", c.tool, e)
			continue
		}
		s.add("result", c.tool, []any{result.IsError, result.Content})
	}
	if _, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "test_trigger_tool_change"}); err != nil {
		return fmt.Errorf("changing the list: %w", err)
	}
	soon, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for what, n := range map[string]int{"progress": 3, "log": 3, "list changed": 1} {
		if err := s.await(soon, what, n); err != nil {
			return err
		}
	}
	return session.Close()
}
