package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// built are the programs that the tests run, built once a test run.
var built struct {
	sync.Mutex
	dir   string
	paths map[string]string
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "hopgate-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built.dir, built.paths = dir, map[string]string{}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// program builds a command: hopgate, or a package of the module of peers.
func program(tb testing.TB, name string) string {
	tb.Helper()
	built.Lock()
	defer built.Unlock()
	if p := built.paths[name]; p != "" {
		return p
	}
	out := filepath.Join(built.dir, filepath.Base(name))
	cmd := exec.Command("go", "build", "-o", out, name)
	cmd.Dir = "peers"
	switch {
	case name == "hopgate":
		cmd = exec.Command("go", "build", "-o", out, "../cmd/hopgate")
	case !strings.Contains(name, "/"):
		cmd.Args[len(cmd.Args)-1] = "./" + name
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("building %s: %v\n%s", name, err, text)
	}
	built.paths[name] = out
	return out
}

// everythingServer is the reference server of go-sdk, which the official suite is made for.
const everythingServer = "github.com/modelcontextprotocol/go-sdk/conformance/everything-server"

// rawEcho starts the server rawecho over HTTP and returns its URL.
func rawEcho(tb testing.TB) string {
	tb.Helper()
	cmd := exec.Command(program(tb, "rawecho"), "-http", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	start(tb, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	return "http://" + strings.TrimSpace(line) + "/mcp"
}

// start runs a command until the end of the test.
func start(tb testing.TB, cmd *exec.Cmd) {
	tb.Helper()
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}

// hopgate is a configuration with a state directory of its own, and the process that serves it, if one does.
type hopgate struct {
	t      testing.TB
	config string
	state  string
	env    []string
	files  int // descriptors that the process may have; 0: as many as this one

	cmd  *exec.Cmd
	log  *lockedBuffer
	read chan struct{} // closed when the log is complete
	base string        // URL without path
	mal  string        // key of a hostile agent, where there is one

	atOnce int // hostile peers at the same time; 0: hostileAtOnce
	memory int // KiB that it may grow by meanwhile; 0: hostileMemory
}

// newHopgate writes a configuration. Names in env are KEY=VALUE.
func newHopgate(tb testing.TB, yaml string, env ...string) *hopgate {
	tb.Helper()
	dir := tb.TempDir()
	h := &hopgate{t: tb, config: filepath.Join(dir, "hopgate.yaml"), state: filepath.Join(dir, "state"), log: new(lockedBuffer)}
	h.env = append(os.Environ(), env...)
	tb.Cleanup(func() { h.command("stop").Run() }) // the daemon that hopgate stdio has started, where it has
	h.write(yaml)
	return h
}

// write replaces the configuration.
func (h *hopgate) write(yaml string) {
	h.t.Helper()
	if err := os.WriteFile(h.config, []byte(yaml), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// command is hopgate with arguments, for this configuration.
func (h *hopgate) command(args ...string) *exec.Cmd {
	cmd := exec.Command(program(h.t, "hopgate"), append(args, "--config", h.config, "--state", h.state)...)
	cmd.Env = h.env
	return cmd
}

// run runs a command to its end and returns what it printed and its exit code.
func (h *hopgate) run(args ...string) (stdout, stderr string, code int) {
	h.t.Helper()
	cmd := h.command(args...)
	var out, words bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &words
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		h.t.Fatal(err)
	}
	return out.String(), words.String(), cmd.ProcessState.ExitCode()
}

// key makes a key for an agent.
func (h *hopgate) key(agent string) string {
	h.t.Helper()
	out, words, code := h.run("agents", "add", agent)
	if code != 0 {
		h.t.Fatalf("agents add: exit %d\n%s", code, words)
	}
	return strings.TrimSpace(out)
}

// serve starts the process and waits until it serves. The configuration listens on port 0.
func (h *hopgate) serve() {
	h.t.Helper()
	h.cmd = h.command("serve")
	if h.files > 0 {
		h.cmd.Args = append([]string{"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$@"`, h.files), "sh", h.cmd.Path}, h.cmd.Args[1:]...)
		h.cmd.Path = "/bin/sh"
	}
	words, err := h.cmd.StderrPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	start(h.t, h.cmd)
	found, read := make(chan string, 1), make(chan struct{})
	h.read = read
	go func() {
		defer close(read)
		defer close(found)
		lines := bufio.NewScanner(words)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			h.log.Write(append(lines.Bytes(), '\n'))
			var e struct{ Message, URL string }
			if json.Unmarshal(lines.Bytes(), &e) == nil && e.Message == "serving" {
				base, _, _ := strings.Cut(e.URL, "/mcp/")
				select {
				case found <- base:
				default:
				}
			}
		}
		io.Copy(io.Discard, words)
	}()
	select {
	case base, ok := <-found:
		if !ok {
			h.t.Fatalf("hopgate did not start:\n%s", h.log)
		}
		h.base = base
	case <-soon(h.t):
		h.t.Fatalf("hopgate does not serve:\n%s", h.log)
	}
}

// needsFiles skips a test on a machine where a process may not have so many descriptors.
func needsFiles(tb testing.TB, n int) {
	tb.Helper()
	out, err := exec.Command("sh", "-c", "ulimit -H -n").Output()
	if err != nil {
		tb.Fatal(err)
	}
	if most, err := strconv.Atoi(strings.TrimSpace(string(out))); err == nil && most < n {
		tb.Skipf("NOT TESTED: a process may have %d descriptors here, and it takes %d (ulimit -H -n)", most, n)
	}
}

// stop asks the process to end, and waits for it.
func (h *hopgate) stop() {
	h.t.Helper()
	h.cmd.Process.Signal(os.Interrupt)
	<-h.read // Wait closes what is read from
	if err := h.cmd.Wait(); err != nil {
		h.t.Errorf("hopgate ended with %v:\n%s", err, h.log)
	}
}

// record is a record of the journal, as far as tests look at it.
type record struct {
	Seq                                           int
	Kind, Ref, Agent, Connection, Upstream        string
	Method, Target, Task, Decision, Reason, Event string
	Status, Transport, Protocol, Direction        string
	Count                                         int
	raw                                           string
}

// records returns what is on record, oldest first.
func (h *hopgate) records() []record {
	h.t.Helper()
	out, words, code := h.run("audit", "tail", "-n", "1000000", "-o", "json")
	if code != 0 {
		h.t.Fatalf("audit tail: exit %d\n%s", code, words)
	}
	var all []record
	for line := range strings.Lines(out) {
		r := record{raw: strings.TrimSpace(line)}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			h.t.Fatalf("%v in %s", err, line)
		}
		all = append(all, r)
	}
	return all
}

// verify checks the journal.
func (h *hopgate) verify() {
	h.t.Helper()
	if out, words, code := h.run("audit", "verify"); code != 0 {
		h.t.Errorf("audit verify: exit %d\n%s%s", code, out, words)
	}
}

// answer is what came back for one POST.
type answer struct {
	status int
	header http.Header
	body   string
	frames []string // messages: the body, or the data of its events
}

// last is the last message of the answer.
func (a answer) last() string {
	if len(a.frames) == 0 {
		return ""
	}
	return a.frames[len(a.frames)-1]
}

// agent is a raw client over HTTP: what a test says is what goes out.
type agent struct {
	t      testing.TB
	url    string
	header http.Header
}

// agent returns a client of an upstream that presents a key.
func (h *hopgate) agent(upstream, key string) *agent {
	return &agent{h.t, h.base + "/mcp/" + upstream, http.Header{
		"Authorization": {"Bearer " + key}, "Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"},
	}}
}

// post sends bytes. edit changes the request, if it is not nil.
func (a *agent) post(body string, edit func(*http.Request)) answer {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header = a.header.Clone()
	if edit != nil {
		edit(r)
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	x := answer{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		if len(raw) > 0 {
			x.frames = []string{string(raw)}
		}
		return x
	}
	for line := range strings.Lines(x.body) {
		if data, ok := strings.CutPrefix(line, "data: "); ok && strings.TrimSpace(data) != "" {
			x.frames = append(x.frames, strings.TrimSpace(data))
		}
	}
	return x
}

// hello is an initialize request of a revision.
func hello(version string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`, version)
}

const initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`

// greet begins a session. What the client sends from then on belongs to it.
func (a *agent) greet(version string) {
	a.t.Helper()
	x := a.post(hello(version), nil)
	if x.status != 200 || !strings.Contains(x.last(), `"result"`) {
		a.t.Fatalf("initialize: %d %s", x.status, x.body)
	}
	a.header.Set("Mcp-Session-Id", x.header.Get("Mcp-Session-Id"))
	a.header.Set("Mcp-Protocol-Version", version)
	if x := a.post(initialized, nil); x.status != 202 {
		a.t.Fatalf("initialized: %d %s", x.status, x.body)
	}
}

// modern sends a request of 2026-07-28 with the headers that belong to it. params has no _meta.
func (a *agent) modern(id, method, params string) answer {
	a.t.Helper()
	inner := strings.TrimSuffix(strings.TrimPrefix(params, "{"), "}")
	if inner != "" {
		inner += ","
	}
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":{%s"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`, id, method, inner)
	return a.post(body, func(r *http.Request) {
		r.Header.Set("Mcp-Protocol-Version", "2026-07-28")
		r.Header.Set("Mcp-Method", method)
		var p struct{ Name, URI string }
		if json.Unmarshal([]byte(params), &p) == nil && p.Name+p.URI != "" {
			r.Header.Set("Mcp-Name", p.Name+p.URI)
		}
	})
}

// console is a raw client over stdio.
type console struct {
	t     testing.TB
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
	words *lockedBuffer
}

// stdio starts hopgate stdio with further arguments, and waits until it has an owner of the state. It gives up after five
// seconds, in which a slow machine may not have started one; another attempt then finds it.
func (h *hopgate) stdio(args ...string) *console {
	h.t.Helper()
	for deadline := soon(h.t); ; {
		c := h.console(args...)
		words := ""
		for !strings.Contains(words, ready) && !strings.Contains(words, "no process that owns the state can be reached") {
			select {
			case <-deadline:
				h.t.Fatalf("hopgate stdio finds no owner of the state:\n%s", words)
			case <-time.After(5 * time.Millisecond):
				words = c.words.String()
			}
		}
		if strings.Contains(words, ready) {
			return c
		}
		c.cmd.Process.Kill()
		c.cmd.Wait()
	}
}

// console starts hopgate stdio with further arguments.
func (h *hopgate) console(args ...string) *console {
	h.t.Helper()
	c := &console{t: h.t, cmd: h.command(append([]string{"stdio"}, args...)...), lines: make(chan string, 1000), words: new(lockedBuffer)}
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		h.t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	c.cmd.Stderr = c.words
	start(h.t, c.cmd)
	go func() {
		defer close(c.lines)
		r := bufio.NewReader(out)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			c.lines <- strings.TrimSuffix(line, "\n")
		}
	}()
	return c
}

// send writes a line.
func (c *console) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		c.t.Fatalf("%v\n%s", err, c.words)
	}
}

// next returns the next line that comes.
func (c *console) next() string {
	c.t.Helper()
	select {
	case line, ok := <-c.lines:
		if !ok {
			c.t.Fatalf("hopgate stdio ended:\n%s", c.words)
		}
		return line
	case <-soon(c.t):
		c.t.Fatalf("nothing comes:\n%s", c.words)
		return ""
	}
}

// ask sends a line and returns the next that comes.
func (c *console) ask(line string) string {
	c.t.Helper()
	c.send(line)
	return c.next()
}

// try sends a line and returns the next that comes, unless hopgate stdio has ended.
func (c *console) try(line string) (got string, ok bool) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		return "", false
	}
	select {
	case got, ok = <-c.lines:
	case <-soon(c.t):
		c.t.Fatalf("nothing comes:\n%s", c.words)
	}
	return got, ok
}

// greet begins the session.
func (c *console) greet(version string) {
	c.t.Helper()
	if got := c.ask(hello(version)); !strings.Contains(got, `"result"`) {
		c.t.Fatalf("initialize: %s", got)
	}
	c.send(initialized)
}

// end closes stdin and waits for the end.
func (c *console) end() {
	c.t.Helper()
	c.in.Close()
	c.cmd.Wait()
}

// lockedBuffer is a buffer that a process may write to while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// patience is how long a test waits for what should have happened long before, however slow the machine is.
const patience = 20 * time.Second

// soon is when a test gives up what should have happened long before.
func soon(tb testing.TB) <-chan time.Time {
	tb.Helper()
	return time.After(patience)
}
