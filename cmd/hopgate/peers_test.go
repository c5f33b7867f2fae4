package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"

	"github.com/hopgate/hopgate/store"
)

// The commands that the scripts use beside hopgate.

// echoMain is an MCP server on stdio. Its tools answer with their arguments as they came.
func echoMain() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var m struct {
			ID     json.RawMessage
			Method string
			Params struct {
				Name            string
				Arguments       json.RawMessage
				ProtocolVersion string
			}
		}
		if json.Unmarshal(lines.Bytes(), &m) != nil || m.ID == nil {
			continue
		}
		result := `{}`
		switch m.Method {
		case "initialize":
			result = fmt.Sprintf(`{"protocolVersion":%q,"capabilities":{"tools":{}},"serverInfo":{"name":"echo","version":"1"}}`, m.Params.ProtocolVersion)
		case "tools/list":
			result = `{"tools":[{"name":"read_it","inputSchema":{"type":"object"}},{"name":"drop_it","inputSchema":{"type":"object"}}]}`
		case "tools/call":
			text, _ := json.Marshal(m.Params.Name + " " + string(m.Params.Arguments))
			result = fmt.Sprintf(`{"content":[{"type":"text","text":%s}]}`, text)
		}
		fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", m.ID, result)
	}
}

// mcpMain sends one request to an MCP server over HTTP, in a session of its own, and prints status and answer:
// mcp URL METHOD [PARAMS]. The credential is in MCP_KEY.
func mcpMain() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: mcp URL METHOD [PARAMS]")
		os.Exit(exitUsage)
	}
	params := "{}"
	if len(os.Args) > 3 {
		params = os.Args[3]
	}
	s := session{url: os.Args[1], key: os.Getenv("MCP_KEY")}
	status, answer, err := s.post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"mcp","version":"1"}}}`)
	if err == nil && status == http.StatusOK {
		_, _, err = s.post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	}
	if err == nil && status == http.StatusOK {
		status, answer, err = s.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":%q,"params":%s}`, os.Args[2], params))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitOther)
	}
	fmt.Println(status, answer)
}

type session struct{ url, key, id string }

// post sends a message and returns the first message of the answer.
func (s *session) post(message string) (status int, answer string, err error) {
	r, err := http.NewRequest(http.MethodPost, s.url, strings.NewReader(message))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if s.key != "" {
		r.Header.Set("Authorization", "Bearer "+s.key)
	}
	if s.id != "" {
		r.Header.Set("Mcp-Session-Id", s.id)
		r.Header.Set("Mcp-Protocol-Version", "2025-06-18")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
		s.id = id
	}
	body, err := io.ReadAll(resp.Body)
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		for line := range bytes.Lines(body) {
			if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok && len(bytes.TrimSpace(data)) > 0 {
				body = data
				break
			}
		}
	}
	return resp.StatusCode, string(bytes.TrimSpace(body)), err
}

// ideMain starts a server on stdio, as an IDE does, and sends it the lines of a file, each when the request before is
// answered. It prints the answers and exits as the server does: ide FILE COMMAND [ARG...].
func ideMain() {
	code, err := converse(os.Args[1], os.Args[2], os.Args[3:]...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitOther)
	}
	os.Exit(code)
}

func converse(file, program string, args ...string) (code int, err error) {
	script, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	c := exec.Command(program, args...)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := c.Start(); err != nil {
		return 0, err
	}
	answers := bufio.NewReader(out)
	for line := range bytes.Lines(script) {
		if _, err := in.Write(line); err != nil {
			break // the server has ended; its exit code tells
		}
		if bytes.Contains(line, []byte(`"id"`)) {
			answer, _ := answers.ReadString('\n')
			fmt.Print(answer)
		}
	}
	in.Close()
	_, _ = io.Copy(os.Stdout, answers)
	_ = c.Wait() // the exit code says the same
	return c.ProcessState.ExitCode(), nil
}

// holdMain claims a state directory and answers nobody, as a process that is stuck does: hold DIR.
func holdMain() {
	if err := os.MkdirAll(os.Args[1], 0o700); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitOther)
	}
	owner, err := store.Lock(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitOther)
	}
	fmt.Fprintln(os.Stderr, "held")
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = owner.Close()
}
