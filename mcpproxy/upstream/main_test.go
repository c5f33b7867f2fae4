//go:build unix

package upstream_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/upstream/sandbox"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// modeVar makes the test binary a child that behaves as its value says.
const modeVar = "HOPGATE_TEST_CHILD"

func TestMain(m *testing.M) {
	if sandbox.Enter() != nil {
		os.Exit(126)
	}
	if mode := os.Getenv(modeVar); mode != "" {
		act(mode)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func childConfig(mode string, args ...string) upstream.Config {
	env := []string{modeVar + "=" + mode, "GORACE=atexit_sleep_ms=0"} // else each child takes a second to end under -race
	return upstream.Config{
		Name: "up", Command: append([]string{os.Args[0]}, args...), Env: env, Environ: os.Environ(),
		Limits: wire.DefaultLimits, Clock: time.Now, Log: zerolog.Nop(),
	}
}

// say writes a line to the one who started us.
func say(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) }

// act plays a child until its input ends. Its modes are what a server may do, well and badly.
func act(mode string) {
	mode, arg, _ := strings.Cut(mode, "=")
	switch mode {
	case "serve":
		serve()
	case "crash":
		os.Exit(3)
	case "environ":
		fds, _ := os.ReadDir("/proc/self/fd")
		var open []string
		for _, fd := range fds { // without those that the runtime has opened since
			to, err := os.Readlink("/proc/self/fd/" + fd.Name())
			if err == nil && !strings.Contains(to, "/fd") && !strings.Contains(to, "anon_inode") && !strings.Contains(to, "/cgroup/") {
				open = append(open, fd.Name())
			}
		}
		dir, _ := os.Getwd()
		answerAll(fmt.Sprintf(`{"env":%q,"args":%q,"fds":%q,"dir":%q}`, strings.Join(os.Environ(), "|"), strings.Join(os.Args[1:], "|"), strings.Join(open, ","), dir))
	case "chatter": // lines that are no messages, between messages
		n, _ := strconv.Atoi(arg)
		for i := range n {
			say("starting up, step %d", i)
		}
		serve()
	case "flood": // stderr
		line := append(bytes.Repeat([]byte("e"), 3000), '\n')
		for range 3000 {
			os.Stderr.Write(line)
		}
		serve()
	case "long":
		chunk := bytes.Repeat([]byte("x"), 1<<16)
		for {
			if _, err := os.Stdout.Write(chunk); err != nil {
				return
			}
		}
	case "hold": // a process of a session of its own keeps our output open
		c := exec.Command("sleep", "30")
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := c.Start(); err != nil {
			os.Exit(4)
		}
		say(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":%d}}`, c.Process.Pid)
		readOne()
	case "family": // a process of our group outlives us
		c := exec.Command("sleep", "30")
		c.Stdout = os.Stdout
		if err := c.Start(); err != nil {
			os.Exit(4)
		}
		say(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":%d}}`, c.Process.Pid)
		serve()
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		serve()
		time.Sleep(time.Minute)
	case "deaf": // does not read
		say(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":%d}}`, os.Getpid())
		time.Sleep(time.Minute)
	case "parent": // has a child, and is about to be killed
		ctx := context.Background()
		s, err := upstream.New(childConfig("deaf"))
		if err != nil {
			os.Exit(4)
		}
		l, err := s.Open(ctx)
		if err != nil {
			os.Exit(4)
		}
		st, err := l.Listen(ctx)
		if err != nil {
			os.Exit(4)
		}
		in, err := st.Next(ctx)
		if err != nil {
			os.Exit(4)
		}
		say("%s", in.Frame.Raw)
		time.Sleep(time.Minute)
	case "mute": // closes its output and stays
		os.Stdout.Close()
		time.Sleep(time.Minute)
	}
}

func readOne() *bufio.Reader {
	br := bufio.NewReader(os.Stdin)
	_, _ = br.ReadString('\n')
	return br
}

func answerAll(result string) {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var f wire.Frame
		if wire.Parse(&f, bytes.Clone(in.Bytes()), wire.FromAgent, &wire.DefaultLimits) == nil && f.Kind == wire.KindRequest {
			say(`{"jsonrpc":"2.0","id":%s,"result":%s}`, f.Get(wire.ID), result)
		}
	}
}

// serve is a server under the orders of its client: the method says what to do.
func serve() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	held := []string{} // ids of requests that are not answered yet
	rest := ""         // of a line
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		out.WriteString(rest)
		rest = ""
		line = bytes.TrimRight(line, "\n")
		var f wire.Frame
		if err := wire.Parse(&f, line, wire.FromAgent, &wire.DefaultLimits); err != nil {
			fmt.Fprintf(os.Stderr, "bad line: %v\n", err)
			os.Exit(5)
		}
		id, token := f.Get(wire.ID), f.Get(wire.MetaProgressToken)
		say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
		switch m := f.String(wire.Method); m {
		case "":
			say(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":%s}}`, f.Raw)
		case "notifications/cancelled":
			say(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":%s}}`, f.Raw)
		case "echo": // the whole line, as it came
			say(`{"jsonrpc":"2.0","id":%s,"result":{"got":%s}}`, id, line)
		case "fast":
			out.WriteString(`{"jsonrpc":"2.0","id":`)
			out.Write(id)
			out.WriteString(`,"result":{"content":[{"type":"text","text":"`)
			out.WriteString(filler)
			out.WriteString("\"}]}}\n")
		case "hold":
			held = append(held, string(id))
		case "release": // newest first
			for i, id := range slices.Backward(held) {
				say(`{"jsonrpc":"2.0","id":%s,"result":{"held":%d}}`, id, i)
			}
			held = nil
			say(`{"jsonrpc":"2.0","id":%s,"result":{}}`, id)
		case "count":
			say(`{"jsonrpc":"2.0","id":%s,"result":{"held":%d}}`, id, len(held))
		case "oldest": // is answered before this one
			say(`{"jsonrpc":"2.0","id":%s,"result":{"late":true}}`, held[0])
			held = held[1:]
			say(`{"jsonrpc":"2.0","id":%s,"result":{}}`, id)
		case "progress":
			for i := range 3 {
				say(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d.50}}`, token, i)
			}
			say(`{"jsonrpc":"2.0","id":%s,"result":{}}`, id)
		case "write": // params.arguments, a line each, then the answer
			for _, v := range wire.Elements(f.Get(wire.ParamsArguments)) {
				text, _ := wire.Unquote(v)
				out.Write(append(bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("$id"), id), []byte("$token"), token), '\n'))
			}
			if !strings.Contains(string(f.Get(wire.ParamsArguments)), "$id") {
				say(`{"jsonrpc":"2.0","id":%s,"result":{}}`, id)
			}
		case "half": // of the answer; the other half before the next one
			whole := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{}}`+"\n", id)
			out.WriteString(whole[:10])
			rest = whole[10:]
		case "die":
			out.Flush()
			os.Exit(7)
		}
		out.Flush()
	}
}

var filler = strings.Repeat("The quick brown fox jumps over the lazy dog. ", 20)
