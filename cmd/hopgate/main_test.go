package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hopgate/hopgate/store"
)

var update = flag.Bool("update", false, "rewrite generated files and golden tests")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"hopgate":  slowMain,
		"hopgate9": nextMain,
		"echo":     echoMain,
		"mcp":      mcpMain,
		"hold":     holdMain,
		"ide":      ideMain,
		"cert":     certMain,

		"authserver": authServerMain,
		"visit":      visitMain,
	})
}

// TestScripts runs the command as people do. Every script has a home and a runtime directory of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               scriptSetup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exitsWith,
			"eventually": eventually,
			"start":      start,
			"end":        end,
			"say":        say,
			"tell":       tell,
			"await":      awaitLine,
			"save":       save,
			"scrub":      scrub,
			"damage":     damage,
		},
	})
}

// TestErrorsOfTheFileSystemHaveAWayOut is apart from the scripts, because the user that runs them may be one who may
// do everything.
func TestErrorsOfTheFileSystemHaveAWayOut(t *testing.T) {
	var words strings.Builder
	err := fmt.Errorf("opening the lock file: %w", &fs.PathError{Op: "open", Path: "/state/lock", Err: fs.ErrPermission})
	code := (&app{words: &words}).explain(err)
	want := "hopgate: error: opening the lock file: open /state/lock: permission denied\n" +
		"hopgate: hint: run this as the user to whom that belongs, or name another place: --state, --config, store in the configuration\n"
	if code != exitOther || words.String() != want {
		t.Errorf("exit code %d, %s", code, words.String())
	}
}

func scriptSetup(env *testscript.Env) error {
	// Names of sockets are short; a test's own directory is too deep on some systems.
	run, err := os.MkdirTemp("/tmp", "hg")
	if err != nil {
		return err
	}
	env.Defer(func() { os.RemoveAll(run) })
	env.Defer(func() { killDaemons(env.WorkDir) })
	repo, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	home := filepath.Join(env.WorkDir, "home")
	env.Setenv("HOME", home)
	env.Setenv("XDG_RUNTIME_DIR", run)
	env.Setenv("XDG_STATE_HOME", filepath.Join(home, "state"))
	env.Setenv("REPO", repo)
	env.Setenv("TZ", "UTC")
	env.Setenv("GORACE", "atexit_sleep_ms=0") // a process under the race detector sleeps for a second when it ends
	env.Values[running{}] = map[string]*process{}
	return os.Mkdir(home, 0o700)
}

// killDaemons ends whoever owns a state directory below root.
func killDaemons(root string) {
	_ = filepath.WalkDir(root, func(path string, _ os.DirEntry, _ error) error {
		if filepath.Base(path) != "lock" || !store.Held(filepath.Dir(path)) {
			return nil
		}
		text, _ := os.ReadFile(path)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
			}
		}
		for store.Held(filepath.Dir(path)) {
			time.Sleep(time.Millisecond)
		}
		return nil
	})
}

// running is the key of a script's background processes.
type running struct{}

// process is a command in the background.
type process struct {
	cmd     *exec.Cmd
	in      *os.File // the writing end of its stdin
	out     transcript
	errs    transcript
	waited  chan struct{}
	waitErr error
}

// transcript collects what a process writes and wakes whoever waits for a line of it.
type transcript struct {
	mu   sync.Mutex
	cond chan struct{}
	text strings.Builder
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cond != nil {
		close(t.cond)
		t.cond = nil
	}
	return t.text.Write(p)
}

// look returns what was written so far, and a channel that is closed when there is more.
func (t *transcript) look() (string, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cond == nil {
		t.cond = make(chan struct{})
	}
	return t.text.String(), t.cond
}

// patience is how long a script waits for what must happen.
const patience = 4 * slowly

// until waits for a line that fits and returns what its first group holds.
func (p *process) until(t *transcript, want *regexp.Regexp) (string, error) {
	deadline := time.After(patience)
	ended := false
	for {
		text, more := t.look()
		if m := want.FindStringSubmatch(text); m != nil {
			return m[len(m)-1], nil
		}
		if ended {
			return "", fmt.Errorf("it ended before it said %s", want)
		}
		select {
		case <-more:
		case <-p.waited:
			ended = true
		case <-deadline:
			return "", fmt.Errorf("it has not said %s", want)
		}
	}
}

// eventually repeats a command until it ends with an exit code: eventually CODE COMMAND [ARG...].
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually CODE COMMAND [ARG...]")
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var exit *exec.ExitError
		if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) && strconv.Itoa(exit.ExitCode()) == args[0] || err == nil && args[0] == "0" {
			return
		}
	}
	ts.Fatalf("it never ends with %s", args[0])
}

// exitsWith runs a command to its end and compares its exit code: exits CODE COMMAND [ARG...].
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// start runs a command in the background and waits until its stderr fits a pattern, whose first group goes to the variable
// of the process's name: start NAME PATTERN COMMAND [ARG...].
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: start NAME PATTERN COMMAND [ARG...]")
	}
	program := ""
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if file := filepath.Join(dir, args[2]); program == "" && filepath.IsAbs(dir) {
			if _, err := os.Stat(file); err == nil {
				program = file
			}
		}
	}
	if program == "" {
		ts.Fatalf("there is no command %s", args[2])
	}
	p := &process{cmd: exec.Command(program, args[3:]...), waited: make(chan struct{})}
	p.cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "LANG", "TZ", "GORACE", keyVariable, "GOCOVERDIR"} {
		if v := ts.Getenv(name); v != "" {
			p.cmd.Env = append(p.cmd.Env, name+"="+v)
		}
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.errs
	r, w, err := os.Pipe()
	ts.Check(err)
	p.cmd.Stdin, p.in = r, w
	ts.Check(p.cmd.Start())
	r.Close()
	go func() {
		p.waitErr = p.cmd.Wait()
		close(p.waited)
	}()
	ts.Defer(func() {
		_ = p.cmd.Process.Kill() // where the script has not stopped it
		<-p.waited
		w.Close()
	})
	processes(ts)[args[0]] = p
	found, err := p.until(&p.errs, regexp.MustCompile(args[1]))
	if err != nil {
		said, _ := p.errs.look()
		ts.Fatalf("%s: %v\n%s", args[0], err, said)
	}
	ts.Setenv(args[0], found)
}

func processes(ts *testscript.TestScript) map[string]*process {
	return ts.Value(running{}).(map[string]*process)
}

func named(ts *testscript.TestScript, name string) *process {
	p := processes(ts)[name]
	if p == nil {
		ts.Fatalf("there is no process %s", name)
	}
	return p
}

// end ends a background process, by a signal or the end of its input, and compares its exit code. What it wrote is then
// there for stdout and stderr: end NAME eof|INT|TERM|KILL CODE.
func end(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: end NAME eof|INT|TERM|KILL CODE")
	}
	p := named(ts, args[0])
	if args[1] == "eof" {
		ts.Check(p.in.Close())
	} else {
		tell(ts, false, args[:2])
	}
	select {
	case <-p.waited:
	case <-time.After(patience):
		ts.Fatalf("%s does not end", args[0])
	}
	delete(processes(ts), args[0])
	out, _ := p.out.look()
	errs, _ := p.errs.look()
	fmt.Fprint(ts.Stdout(), out)
	fmt.Fprint(ts.Stderr(), errs)
	if code := p.cmd.ProcessState.ExitCode(); strconv.Itoa(code) != args[2] {
		ts.Fatalf("exit code %d (%v), want %s", code, p.waitErr, args[2])
	}
}

func signalNamed(ts *testscript.TestScript, name string) os.Signal {
	s, ok := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": os.Kill}[name]
	if !ok {
		ts.Fatalf("there is no signal %s", name)
	}
	return s
}

// tell sends a signal to a background process: tell NAME INT|TERM|HUP.
func tell(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tell NAME INT|TERM|HUP")
	}
	ts.Check(named(ts, args[0]).cmd.Process.Signal(signalNamed(ts, args[1])))
}

// say writes a line to a background process: say NAME TEXT.
func say(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: say NAME TEXT")
	}
	_, err := fmt.Fprintln(named(ts, args[0]).in, args[1])
	ts.Check(err)
}

// awaitLine waits until a background process has written something: await NAME stdout|stderr PATTERN.
func awaitLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: await NAME stdout|stderr PATTERN")
	}
	p := named(ts, args[0])
	t := &p.out
	if args[1] == "stderr" {
		t = &p.errs
	}
	if _, err := p.until(t, regexp.MustCompile(args[2])); err != nil {
		said, _ := t.look()
		ts.Fatalf("%s: %v\n%s", args[0], err, said)
	}
}

// save keeps the first line of what a command wrote in a variable, or what the first group of a pattern finds there:
// save NAME stdout|FILE [PATTERN].
func save(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: save NAME stdout|FILE [PATTERN]")
	}
	pattern := "^(.*)"
	if len(args) == 3 {
		pattern = args[2]
	}
	found := regexp.MustCompile(pattern).FindStringSubmatch(ts.ReadFile(args[1]))
	if len(found) < 2 {
		ts.Fatalf("%s finds nothing", pattern)
	}
	ts.Setenv(args[0], found[1])
}

// What differs from run to run. The order matters.
var scrubs = []struct {
	find    *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b`), "REF"},
	{regexp.MustCompile(`hga_[0-9A-Za-z]{49}`), "KEY"},
	{regexp.MustCompile(`\b[0-9a-f]{32,64}\b`), "HEX"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?`), "TIME"},
	{regexp.MustCompile(`(policy|revision) [0-9a-f]{6}\b`), "$1 REVISION"},
	{regexp.MustCompile(`(process +)\d+`), "${1}PID"},
	{regexp.MustCompile(`"\S+/bin/hopgate"`), `"PROGRAM"`},
	{regexp.MustCompile(`\bin [0-9.]+(µs|ms|s)\b`), "in TOOK"},
	{regexp.MustCompile(`(?m)^[0-9a-z]{8}(  +active)`), "KEYID$1"},
}

// scrub replaces what differs from run to run in what a command wrote, and keeps it in a file: scrub stdout|stderr FILE.
func scrub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: scrub stdout|stderr FILE")
	}
	text := strings.ReplaceAll(ts.ReadFile(args[0]), ts.Getenv("WORK"), "$WORK")
	for _, s := range scrubs {
		text = s.find.ReplaceAllString(text, s.instead)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}

// damage turns over one bit in the middle of a file: damage PATTERN.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage PATTERN")
	}
	files, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(files) == 0 {
		ts.Fatalf("no file is called %s", args[0])
	}
	data, err := os.ReadFile(files[0])
	ts.Check(err)
	data[len(data)/2] ^= 1
	ts.Check(os.WriteFile(files[0], data, 0o600))
}
