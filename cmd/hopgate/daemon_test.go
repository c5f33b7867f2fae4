//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hopgate/hopgate/store"
)

// site is a configuration with a state directory of its own, for real processes.
type site struct {
	t          testing.TB
	dir, state string
	env        []string
}

func newSite(tb testing.TB, yaml string) *site {
	tb.Helper()
	dir, err := os.MkdirTemp("/tmp", "hgs") //nolint:usetesting // names of sockets are short; a test's own directory is too deep on some systems
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		killDaemons(dir)
		os.RemoveAll(dir)
	})
	if err := os.WriteFile(filepath.Join(dir, "hopgate.yaml"), []byte(yaml), 0o600); err != nil {
		tb.Fatal(err)
	}
	s := &site{t: tb, dir: dir, state: filepath.Join(dir, "state")}
	s.env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir, "GORACE=atexit_sleep_ms=0")
	return s
}

func (s *site) command(args ...string) *exec.Cmd {
	c := exec.Command("hopgate", append(args, "--state", s.state)...)
	c.Dir, c.Env = s.dir, s.env
	return c
}

// run runs a command and returns what it prints.
func (s *site) run(args ...string) string {
	s.t.Helper()
	var words bytes.Buffer
	c := s.command(args...)
	c.Stderr = &words
	out, err := c.Output()
	if err != nil {
		s.t.Fatalf("hopgate %s: %v\n%s", args, err, words.String())
	}
	return string(out)
}

// owner is the process that owns the state, or 0.
func (s *site) owner() int {
	if !store.Held(s.state) {
		return 0
	}
	text, _ := os.ReadFile(filepath.Join(s.state, "lock"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// ide is hopgate stdio as an IDE starts it.
type ide struct {
	t     testing.TB
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	words transcript
	n     int
}

func (s *site) ide(flags ...string) *ide {
	s.t.Helper()
	x := &ide{t: s.t, cmd: s.command(append([]string{"stdio", "--to", "up", "--idle", "1m"}, flags...)...)}
	var err error
	if x.in, err = x.cmd.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	out, err := x.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	x.out, x.cmd.Stderr = bufio.NewReaderSize(out, 64<<10), &x.words
	if err := x.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		x.in.Close()
		_ = x.cmd.Process.Kill()
		_ = x.cmd.Wait()
	})
	return x
}

// ask sends a request and returns its answer. It may be called from any goroutine, one at a time; a process that ends has
// no answer.
func (x *ide) ask(method, params string) string {
	x.n++
	fmt.Fprintf(x.in, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`+"\n", x.n, method, params)
	own := fmt.Sprintf(`"id":%d,`, x.n)
	for {
		line, err := x.out.ReadString('\n')
		if err != nil || strings.Contains(line, own) {
			return line
		}
	}
}

func (x *ide) greet() bool {
	answer := x.ask("initialize", `{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`)
	fmt.Fprintln(x.in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return strings.Contains(answer, `"result"`)
}

// told returns what it has written to stderr, as soon as that fits. What a process writes there can be read later than what
// it writes to stdout after it.
func (x *ide) told(want *regexp.Regexp) string {
	x.t.Helper()
	for deadline := time.After(patience); ; {
		words, more := x.words.look()
		if want.MatchString(words) {
			return words
		}
		select {
		case <-more:
		case <-deadline:
			x.t.Fatalf("it has not said %s:\n%s", want, words)
		}
	}
}

const plainYAML = `version: 1
agents: { me: local }
upstreams:
  up: { command: [echo] }
connections:
  me-up: { from: me, to: up, tools: read_* }
`

func TestTwentyFrontEndsStartOneOwner(t *testing.T) {
	t.Parallel()
	s := newSite(t, plainYAML)
	all := make([]*ide, 20)
	for i := range all {
		all[i] = s.ide()
	}
	var work sync.WaitGroup
	for _, x := range all {
		work.Go(func() {
			if !x.greet() {
				t.Error("a front-end is not served")
			}
		})
	}
	work.Wait()
	owners, found := map[string]int{}, regexp.MustCompile(`"pid":(\d+)`)
	for _, x := range all {
		for _, m := range found.FindAllStringSubmatch(x.told(found), -1) {
			owners[m[1]]++
		}
	}
	if want := strconv.Itoa(s.owner()); len(owners) != 1 || owners[want] != 20 {
		t.Errorf("front-ends found %v, want 20 times %s", owners, want)
	}
	if n := strings.Count(s.run("audit", "tail", "-n", "1000"), "configuration in force"); n != 1 {
		t.Errorf("%d owners are on record, want 1", n)
	}
}

// TestKillingTheOwnerUnderLoad kills the owner while front-ends call. They are told, find another owner and go on; what
// they may call together stays what it is; and the servers of an owner that is gone are gone.
func TestKillingTheOwnerUnderLoad(t *testing.T) {
	t.Parallel()
	const quota, fronts, kills = 150, 6, 4
	s := newSite(t, strings.Replace(plainYAML, "tools: read_*", fmt.Sprintf("tools: read_*, quota: %d/month", quota), 1))
	var work sync.WaitGroup
	answers := make(chan string, 64)
	for range fronts {
		x := s.ide()
		if !x.greet() {
			t.Fatal("a front-end is not served")
		}
		work.Go(func() {
			for {
				answer := x.ask("tools/call", `{"name":"read_count"}`)
				answers <- answer
				if answer == "" || strings.Contains(answer, `"isError":true`) {
					x.in.Close()
					_ = x.cmd.Wait() // else it starts another owner when this one is stopped
					return
				}
				if strings.Contains(answer, `"NO_OWNER"`) {
					time.Sleep(100 * time.Millisecond) // a slow machine needs more than one attempt
				}
			}
		})
	}
	go func() {
		work.Wait()
		close(answers)
	}()
	var done, lost, refused, other int
	killed := 0
	for answer := range answers {
		switch {
		case strings.Contains(answer, `"content":[{"type":"text","text":"read_count`):
			done++
		case strings.Contains(answer, `"OWNER_LOST"`), strings.Contains(answer, `"NO_OWNER"`):
			lost++
		case strings.Contains(answer, `"isError":true`) && strings.Contains(answer, `"retry":"after","retryAfterMs":`):
			refused++
		default:
			other++
			t.Errorf("an answer is %s", answer)
		}
		if pid := s.owner(); killed < kills && done > (killed+1)*quota/(kills+2) && pid > 0 {
			killed++
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	called, _ := os.ReadFile(filepath.Join(s.dir, "count"))
	t.Logf("%d kills: %d done, %d lost, %d refused; the server was called %d times", killed, done, lost, refused, len(called))
	switch {
	case killed != kills, refused != fronts, lost == 0:
		t.Errorf("%d kills, %d front-ends at the cap and %d calls lost; want %d, %d and some", killed, refused, lost, kills, fronts)
	case len(called) > quota || done > len(called) || done < quota-kills*fronts:
		t.Errorf("the server was called %d times and %d answers came, the quota is %d", len(called), done, quota)
	}
	if out := s.run("audit", "verify"); !strings.Contains(out, "ok") {
		t.Errorf("the journal: %s", out)
	}
	s.run("stop")
	s.childless()
}

// childless waits until no server is left that any owner has started.
func (s *site) childless() {
	s.t.Helper()
	log, err := os.ReadFile(filepath.Join(s.state, "daemon.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	var pids []int
	for line := range bytes.Lines(log) {
		var e struct {
			Message string
			PID     int
		}
		if json.Unmarshal(line, &e) == nil && e.Message == "child started" {
			pids = append(pids, e.PID)
		}
	}
	if len(pids) == 0 {
		s.t.Error("no server was ever started")
	}
	deadline := time.Now().Add(patience)
	for slices.ContainsFunc(pids, s.ours) {
		if time.Now().After(deadline) {
			s.t.Fatalf("of %v some are left", pids)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// ours reports whether a process runs that works in our directory: numbers of processes are given out again.
func (s *site) ours(pid int) bool {
	dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err == nil && dir == s.dir
}

func TestAFrontEndThatIsKilledTakesItsServerAlong(t *testing.T) {
	t.Parallel()
	for name, hello := range map[string]func(*ide) bool{
		"with a session": (*ide).greet,
		"with a call under way": func(x *ide) bool {
			if runtime.GOOS != "linux" { // see relay.Conn.OnHangUp
				return x.greet()
			}
			greeted := x.greet()
			fmt.Fprintln(x.in, `{"jsonrpc":"2.0","id":"n","method":"tools/call","params":{"name":"read_never"}}`)
			line, _ := x.out.ReadString('\n')
			return greeted && strings.Contains(line, "at work")
		},
		"without": func(x *ide) bool {
			return strings.Contains(x.ask("tools/call", `{"name":"read_it","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}`), `"result"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, plainYAML)
			x := s.ide()
			if !hello(x) {
				t.Fatal("the front-end is not served")
			}
			owner := s.owner()
			_ = x.cmd.Process.Kill()
			s.childless()
			if s.owner() != owner {
				t.Error("the owner has gone as well")
			}
		})
	}
}

func TestTheOwnerHasNoKeyOfAFrontEnd(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Skip("this system does not show the environment of a process")
	}
	s := newSite(t, strings.Replace(plainYAML, "me: local", "me: key", 1))
	key := strings.TrimSpace(s.run("agents", "add", "me"))
	s.env = append(s.env, keyVariable+"="+key)
	if !s.ide().greet() {
		t.Fatal("the front-end is not served")
	}
	for _, file := range []string{"environ", "cmdline"} {
		got, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.owner(), file))
		if err != nil || len(got) == 0 || bytes.Contains(got, []byte(keyVariable)) || bytes.Contains(got, []byte(key)) {
			t.Errorf("%s of the owner, with %d bytes and %v, has the key", file, len(got), err)
		}
	}
	log, err := os.ReadFile(filepath.Join(s.state, "daemon.log"))
	if err != nil || bytes.Contains(log, []byte(key)) {
		t.Errorf("the log, %v, has the key", err)
	}
}

func TestAnOwnerThatCannotWriteItsStateEndsAllTheSame(t *testing.T) {
	t.Parallel()
	s := newSite(t, plainYAML)
	x := s.ide()
	if !x.greet() {
		t.Fatal("the front-end is not served")
	}
	owner := s.owner()
	if err := os.RemoveAll(s.state); err != nil {
		t.Fatal(err)
	}
	_ = x.cmd.Process.Kill() // else it starts another owner
	_ = syscall.Kill(owner, syscall.SIGTERM)
	for deadline := time.Now().Add(patience); s.ours(owner); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(owner, syscall.SIGKILL)
			t.Fatal("it does not end")
		}
	}
}

func TestALogIsPutAsideWhenItIsLarge(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l := &logFile{path: path}
	line := bytes.Repeat([]byte("x"), 1<<20)
	for range 10 {
		if n, err := l.Write(line); n != len(line) || err != nil {
			t.Fatal(n, err)
		}
	}
	for name, want := range map[string]int64{path: 2 << 20, path + ".old": 4 << 20} {
		if info, err := os.Stat(name); err != nil || info.Size() != want || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v; want %d bytes", name, info, err, want)
		}
	}
	// Where it cannot be written, lines are dropped: nothing may fail for the sake of the log.
	if n, err := (&logFile{path: filepath.Join(path, "no", "folder")}).Write(line); n != len(line) || err != nil {
		t.Error(n, err)
	}
}
