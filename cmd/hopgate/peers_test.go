package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream/sandbox"
	"github.com/hopgate/hopgate/store"
)

// The commands that the scripts use beside hopgate.

// echoTools are the tools of echo. One has a schema to check conditions against.
const echoTools = `[{"name":"read_it","inputSchema":{"type":"object"}},{"name":"drop_it","inputSchema":{"type":"object"}},` +
	`{"name":"typed_it","inputSchema":{"type":"object","properties":{"n":{"type":"integer"}}}}]`

// echoMain is an MCP server on stdio. Its tools answer with their arguments as they came, save read_env, which answers
// with the names of the variables that the server was given, read_dir, which answers with its working directory,
// and read_count, which counts its calls in a file there.
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
			result = `{"tools":` + offered() + `}`
		case "tools/call":
			said := m.Params.Name + " " + string(m.Params.Arguments)
			switch m.Params.Name {
			case "read_env":
				said = variables()
			case "read_count":
				countCall()
			case "read_late":
				for _, err := os.Stat("late"); err != nil; _, err = os.Stat("late") {
					time.Sleep(10 * time.Millisecond)
				}
			case "read_never":
				fmt.Println(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"at work"}}`)
				continue
			case "read_dir":
				said, _ = os.Getwd()
			}
			text, _ := json.Marshal(said)
			result = fmt.Sprintf(`{"content":[{"type":"text","text":%s}]}`, text)
		}
		fmt.Printf(`{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", m.ID, result)
	}
}

// offered are the tools of echo, or what stands in the file that ECHO_TOOLS names.
func offered() string {
	if text, err := os.ReadFile(os.Getenv("ECHO_TOOLS")); err == nil {
		return strings.TrimSpace(string(text))
	}
	return echoTools
}

// countCall adds a byte to a file, so that a test can count calls.
func countCall() {
	f, err := os.OpenFile("count", os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil {
		_, _ = f.WriteString("x")
		_ = f.Close()
	}
}

// slowly is how long hopgate looks for an owner of the state in tests: starting one takes a while on a busy machine.
const slowly = 15 * time.Second

// slowMain is main, with more patience.
func slowMain() {
	if sandbox.Enter() != nil {
		os.Exit(126)
	}
	os.Exit(run(version(), slowly, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// nextMain is hopgate of another version.
func nextMain() { os.Exit(run("v9.9.9", slowly, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func variables() string {
	var names []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// mcpMain sends one request to an MCP server over HTTP, in a session of its own, and prints status and answer:
// mcp URL METHOD [PARAMS]. The credential is in MCP_KEY, the file of a
// certificate to trust in MCP_CA.
func mcpMain() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: mcp URL METHOD [PARAMS]")
		os.Exit(exitUsage)
	}
	params := "{}"
	if len(os.Args) > 3 {
		params = os.Args[3]
	}
	client, err := trusting(os.Getenv("MCP_CA"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitOther)
	}
	s := session{url: os.Args[1], key: os.Getenv("MCP_KEY"), http: client}
	status, answer, err := s.post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"mcp","version":"1"}}}`)
	if err == nil && s.id != "" {
		_, _, err = s.post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	}
	if err == nil && s.id != "" {
		status, answer, err = s.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":%q,"params":%s}`, os.Args[2], params))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitOther)
	}
	fmt.Println(status, answer)
}

type session struct {
	url, key, id string
	http         *http.Client
}

// trusting is a client that trusts a certificate, or those of the system where file is empty.
func trusting(file string) (*http.Client, error) {
	if file == "" {
		return &http.Client{}, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(data)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}, nil
}

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
	resp, err := s.http.Do(r)
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

// certMain writes a certificate for loopback and its key: cert NAME.
func certMain() {
	if err := writeCert(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitOther)
	}
}

func writeCert(name string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600),
		os.WriteFile(name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600),
	)
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
