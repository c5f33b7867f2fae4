//go:build unix

package mcpproxy_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

// process is an agent that has started the proxy on standard streams.
type process struct {
	w     *world
	in    *io.PipeWriter
	lines chan string
	heard []string // lines that no test has asked for yet
	done  chan error
	stop  context.CancelFunc
}

// child is a server of its own process.
func (w *world) child() *upstream.Server {
	w.t.Helper()
	return w.upstream(upstream.Config{
		Name: "up", Command: []string{os.Args[0]}, Env: []string{modeVar + "=1", "GORACE=atexit_sleep_ms=0"}, Environ: os.Environ(),
	})
}

// stdio runs the proxy for alice on standard streams, in front of a server.
func stdio(t *testing.T, s func(w *world) *upstream.Server) *process {
	t.Helper()
	w := newWorld(t)
	w.timeout = 20 * time.Second
	w.servers["up"] = s(w)
	p := w.process()
	t.Cleanup(func() {
		p.close()
		w.close()
	})
	return p
}

// process starts the proxy on standard streams.
func (w *world) process() *process {
	w.proxy.SetPolicy(w.local("r1"))
	in, write := io.Pipe()
	read, out := io.Pipe()
	p := &process{w: w, in: write, lines: make(chan string, 1000), done: make(chan error, 1)}
	ctx, stop := context.WithCancel(w.t.Context())
	p.stop = stop
	go func() {
		x := ingress.Stdio{Handler: w.proxy, In: in, Out: out}
		p.done <- x.Serve(ctx, &ingress.Peer{Transport: "stdio", Remote: "me", Upstream: "up", Local: true})
		out.Close()
	}()
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(read); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	return p
}

// close ends the process.
func (p *process) close() {
	p.in.Close()
	for range p.lines { // to its end
	}
	p.stop()
}

// local is a policy in which alice is the user who starts the process.
func (w *world) local(revision string) *mcpproxy.Policy {
	return w.policy(revision, func(p *mcpproxy.Policy) {
		p.Agents["alice"] = mcpproxy.Principal{Agent: p.Agents["alice"].Agent, Local: true}
	})
}

func (p *process) say(lines ...string) {
	p.w.t.Helper()
	for _, l := range lines {
		if _, err := io.WriteString(p.in, l+"\n"); err != nil {
			p.w.t.Fatal(err)
		}
	}
}

// hear returns the first line that holds a text and was not returned before.
func (p *process) hear(text string) string {
	p.w.t.Helper()
	holds := func(l string) bool { return strings.Contains(l, text) }
	for {
		if i := slices.IndexFunc(p.heard, holds); i >= 0 {
			l := p.heard[i]
			p.heard = slices.Delete(p.heard, i, i+1)
			return l
		}
		select {
		case l, ok := <-p.lines:
			if !ok {
				p.w.t.Fatalf("the output has ended without %s; it held %s", text, p.heard)
			}
			p.heard = append(p.heard, l)
		case <-time.After(15 * time.Second):
			p.w.t.Fatalf("%s does not come; there came %s", text, p.heard)
		}
	}
}

func (p *process) initialize(version string) {
	p.w.t.Helper()
	p.say(fmt.Sprintf(helloFormat, version))
	p.hear(`"id":"hello","result"`)
	p.say(greeted)
}

func TestStdioCarriesCallsBothWays(t *testing.T) {
	p := stdio(t, (*world).child)
	p.initialize("2025-11-25")
	p.say(tool("1", "echo", `{"x":1.0}`))
	if got := p.hear(`"id":1,`); got != `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"got":{"x":1.0}}}}` {
		t.Errorf("got %s", got)
	}
	p.hear("is greeted") // which belongs to no call
	p.say(hello)
	if got := p.hear(`"id":"hello"`); !strings.Contains(got, "initialized already") {
		t.Errorf("a second initialize: %s", got)
	}
	p.say(tool("2", "ask", "{}"))
	p.say(answerTo(t, p.hear("sampling/createMessage"), `{"role":"assistant","content":{"type":"text","text":"hi"},"model":"m"}`))
	if got := p.hear(`"id":2,`); !strings.Contains(got, `"text":"hi"`) {
		t.Errorf("got %s", got)
	}
}

func TestStdioSurvivesACrash(t *testing.T) {
	p := stdio(t, (*world).child)
	p.initialize("2025-11-25")
	first := p.hear("is greeted")
	p.say(tool("1", "die", "{}"))
	if got := p.hear(`"id":1,`); !strings.Contains(got, "UPSTREAM_FAILED") {
		t.Errorf("got %s", got)
	}
	p.say(tool("2", "echo", "{}"))
	if got := p.hear(`"id":2,`); !strings.Contains(got, "result") || strings.Contains(got, "isError") {
		t.Errorf("got %s", got)
	}
	if second := p.hear("is greeted"); second == first {
		t.Error("no other child was greeted")
	}
}

func TestStdioWithoutAnUpstream(t *testing.T) {
	p := stdio(t, func(w *world) *upstream.Server {
		return w.upstream(upstream.Config{Name: "up", Command: []string{"/nonexistent/server"}})
	})
	p.say(hello)
	if got := p.hear(`"id":"hello"`); !strings.Contains(got, "UPSTREAM_UNAVAILABLE") {
		t.Errorf("got %s", got)
	}
	p.w.servers["old"], p.w.servers["up"] = p.w.servers["up"], p.w.child()
	p.w.proxy.SetPolicy(p.w.local("r2"))
	p.initialize("2025-11-25")
	p.say(tool("1", "echo", "{}"))
	if got := p.hear(`"id":1,`); !strings.Contains(got, `"result"`) {
		t.Errorf("got %s", got)
	}
}

func TestStdioRefusesWhoIsNobody(t *testing.T) {
	p := stdio(t, (*world).child)
	p.initialize("2025-11-25")
	p.hear("is greeted")
	p.w.proxy.SetPolicy(p.w.policy("r2", nil)) // alice needs a key now
	p.say(tool("1", "echo", "{}"))
	if got := p.hear(`"id":1,`); !strings.Contains(got, "UNAUTHENTICATED") {
		t.Errorf("got %s", got)
	}
	p.w.proxy.SetPolicy(p.w.local("r3"))
	p.say(tool("2", "echo", "{}"))
	if got := p.hear(`"id":2,`); !strings.Contains(got, `"got"`) {
		t.Errorf("got %s", got)
	}
}

// TestStdioAnswersWhatIsUnderWayWhenItsInputEnds closes the input while calls are under way. What has an answer gets it; what would go on for ever ends.
func TestStdioAnswersWhatIsUnderWayWhenItsInputEnds(t *testing.T) {
	p := stdio(t, (*world).child)
	p.initialize("2025-11-25")
	p.say(strings.Replace(modern("subscriptions/listen", `,"notifications":{}`), `"id":1`, `"id":"sub"`, 1))
	p.hear("acknowledged")
	p.say(tool("1", "hold", "{}"), tool("2", "release", "{}"))
	p.in.Close()
	p.hear(`"id":1,"result"`)
	select {
	case err := <-p.done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the process does not end")
	}
}

func TestStdioIsStopped(t *testing.T) {
	p := stdio(t, (*world).child)
	p.initialize("2025-11-25")
	p.say(tool("1", "hold", "{}"))
	p.hear("is greeted")
	p.stop()
	p.hear(`"id":1,`) // answered, not left alone
}

func TestStdioServesBothEras(t *testing.T) {
	p := stdio(t, (*world).child)
	p.say(modernTool("1", "echo", "{}"))
	p.hear(`"id":1,"result"`)
	p.initialize("2025-06-18")
	p.say(tool("2", "progress", "{}"))
	p.hear(`"id":2,"result"`)
	p.say(modernTool("3", "echo", "{}"))
	p.hear(`"id":3,"result"`)
	all := p.w.journal.find("tools/call")
	if all[0].origin.Protocol != "2026-07-28" || all[1].origin.Protocol != "2025-06-18" {
		t.Errorf("on record is %+v", all)
	}
	p.say(modernTool("4", "hold", "{}"), cancelled("4"))
	for told := ""; !strings.Contains(told, `"requestId":4`); told = p.hear(`"told"`) { // the proxy tells it in its own time
		p.say(tool("5", "told", "{}"))
	}
}

// TestStdioKeepsTheOrder cancels each request right behind it. No cancellation overtakes its request.
func TestStdioKeepsTheOrder(t *testing.T) {
	const calls = 100
	p := stdio(t, (*world).child)
	p.initialize("2025-11-25")
	for i := range calls {
		p.say(tool(fmt.Sprint(i), "hold", "{}"), cancelled(fmt.Sprint(i)))
	}
	p.say(tool(`"last"`, "echo", "{}"))
	p.hear(`"id":"last","result"`)
	for _, e := range p.w.journal.find("notifications/cancelled") {
		if e.code != "" {
			t.Fatalf("a cancellation is on record as %s", e.code)
		}
	}
	if n := len(p.w.journal.find("notifications/cancelled")); n != calls {
		t.Errorf("%d cancellations are on record", n)
	}
}

// TestStdioTakesAHandshakeInOneWrite is a client that does not wait for the answer to initialize.
func TestStdioTakesAHandshakeInOneWrite(t *testing.T) {
	p := stdio(t, (*world).child)
	p.say(
		`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		tool("1", "echo", "{}"),
	)
	p.hear(`"id":1,"result"`)
}

// TestStdioBatch has a member that waits for an answer of the agent, which comes behind the batch.
func TestStdioBatch(t *testing.T) {
	p := stdio(t, (*world).child)
	p.initialize("2025-03-26")
	p.say("[" + tool("1", "ask", "{}") + "," + tool("2", "echo", "{}") + `,{"jsonrpc":"2.0","id":3,"method":"initialize"}]`)
	p.say(answerTo(t, p.hear("sampling/createMessage"), `{"role":"assistant","content":{"type":"text","text":"hi"},"model":"m"}`))
	got := p.hear(`[{`)
	for _, want := range []string{`"text":"hi"`, `"id":2,"result"`, "initialized already"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestStdioAnswersOnlyRequests sends what has no answer, well and badly formed.
func TestStdioAnswersOnlyRequests(t *testing.T) {
	p := stdio(t, (*world).child)
	p.say(greeted, `{"jsonrpc":"2.0","id":"nobody","result":{}}`, cancelled("9"))
	p.initialize("2025-11-25")
	p.say(cancelled("9"), `{"jsonrpc":"2.0","id":"nobody","result":{}}`, `{"jsonrpc":"2.0","method":"notifications/none"}`, "", "not JSON")
	p.hear(`"id":null,"error":{"code":-32700`)
	p.say(tool("1", "echo", "{}"))
	p.hear(`"id":1,"result"`)
	codes := []string{}
	for _, e := range p.w.journal.find("") {
		codes = append(codes, e.code)
	}
	slices.Sort(codes)
	if got := strings.Join(codes, " "); got != "ANSWER_UNASKED ANSWER_UNASKED NOT_JSON" {
		t.Errorf("on record is %s", got)
	}
}

// TestStdioForgetsTheQuestionsOfADeadChild answers what a child has asked that crashed meanwhile.
func TestStdioForgetsTheQuestionsOfADeadChild(t *testing.T) {
	p := stdio(t, (*world).child)
	p.initialize("2025-11-25")
	p.say(tool("1", "ask", "{}"))
	ask := p.hear("sampling/createMessage")
	p.say(tool("2", "die", "{}"))
	p.hear(`"id":2,`)
	p.say(tool("3", "echo", "{}"))
	p.hear(`"id":3,`)
	p.say(answerTo(t, ask, "{}"), tool("4", "echo", "{}"))
	p.hear(`"id":4,`)
	if e := p.w.last(""); e.code != "ANSWER_UNASKED" {
		t.Errorf("on record is %+v", e)
	}
}

// TestPanicsOnStdio would end the process, were they not recovered.
func TestPanicsOnStdio(t *testing.T) {
	p := stdio(t, (*world).child)
	p.initialize("2025-11-25")
	p.hear("is greeted")
	p.w.catalog.fail = panics
	p.say(modernTool("1", "echo", "{}"))
	if got := p.hear(`"id":1,`); !strings.Contains(got, "POLICY_UNAVAILABLE") {
		t.Errorf("got %s", got)
	}
	p.say(`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	if got := p.hear(`"id":2,`); !strings.Contains(got, "UPSTREAM_FAILED") {
		t.Errorf("got %s", got)
	}
	p.say(tool("3", "echo", "{}"))
	p.hear(`"id":3,"result"`)
}

// TestAServerIsNotDialledForAProcessWithoutAConnection until it has one again: a process stays when its connection goes.
func TestAServerIsNotDialledForAProcessWithoutAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		f, net := new(feeder), newPipes()
		back := &http.Server{Handler: f}
		defer back.Close()
		go back.Serve(net)
		w.servers["up"] = w.upstream(upstream.Config{Name: "up", URL: "http://up.test/sse", SSE: true, Dial: net.dial})
		p := w.process()
		defer p.close()
		p.initialize("2025-11-25")
		synctest.Wait()
		w.proxy.SetPolicy(w.without("r2"))
		time.Sleep(time.Hour)
		if opened, _ := f.counts(); opened != 1 {
			t.Errorf("%d streams were opened without a connection", opened-1)
		}
		w.proxy.SetPolicy(w.local("r3"))
		p.say(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
		synctest.Wait()
		if opened, greeted := f.counts(); opened != 2 || greeted != 2 {
			t.Errorf("with one again: %d streams, %d greetings", opened, greeted)
		}
	})
}
