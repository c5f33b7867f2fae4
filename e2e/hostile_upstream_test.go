package e2e

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// misdeed is what an upstream does with a call, and what becomes of the call.
type misdeed struct {
	on   string // the ways that can carry it; empty: all
	tool func(a *asked)
	post func(w http.ResponseWriter, a *asked) // over HTTP, instead
	raw  func(net.Conn)                        // over HTTP and WebSockets, on the connection itself
	// beside is a shell command that a child runs before it turns into what it should be.
	beside string

	// command is a shell command that is the server. Nothing can be asked of it afterwards.
	command string
	dead    bool

	args   string // of the call, where it is not without
	modern bool   // the call is of 2026-07-28
	want   string // in the answer
	reason string // of the outcome on record, or one of several; empty: the result passes
	status string // of the outcome
}

const (
	failed   = "UPSTREAM_FAILED"
	tooLarge = "RESULT_TOO_LARGE"
	timedOut = "UPSTREAM_TIMEOUT"
)

// misdeeds are named by their rows in the list of malformed inputs, and what the upstream does.
func misdeeds(elsewhere string) map[string]misdeed {
	m := map[string]misdeed{}
	for _, part := range []map[string]misdeed{silences(), lies(), webMisdeeds(elsewhere), childMisdeeds(), floods(), rawMisdeeds(), socketMisdeeds(), programs()} {
		maps.Copy(m, part)
	}
	return m
}

// beyond makes a misdeed one whose answer is larger than the limit.
func (d misdeed) beyond() misdeed {
	d.want, d.reason = tooLarge, tooLarge
	return d
}

// silences are answers that never end.
func silences() map[string]misdeed {
	hang := func(a *asked) { <-a.gone }
	return map[string]misdeed{
		"U83 no answer":          {tool: hang, want: timedOut, reason: timedOut, status: "timeout"},
		"U83 half an answer":     {tool: func(a *asked) { a.bytes(`data: {"jsonrpc":`); hang(a) }, want: timedOut, reason: timedOut, status: "timeout"},
		"U83 comments for ever":  {on: "http", tool: func(a *asked) { drip(a, ": \n\n", 50*time.Millisecond) }, want: timedOut, reason: timedOut, status: "timeout"},
		"U83 a flood of nothing": {on: "http", tool: func(a *asked) { drip(a, strings.Repeat(": nothing at all\n\n", 10000), 0) }, want: failed, reason: failed, status: "failed"},
		"U83 end without answer": {tool: func(a *asked) {
			a.send(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}`)
			a.hangUp()
		}, want: failed, reason: failed, status: "failed"},
	}
}

// drip writes the same again and again until nobody reads it.
func drip(a *asked, what string, pause time.Duration) {
	for {
		select {
		case <-a.gone:
			return
		case <-time.After(pause):
			a.bytes(what)
		}
	}
}

// lies are messages that are no answer to the call.
func lies() map[string]misdeed {
	raw := func(format string) func(*asked) {
		return func(a *asked) { a.send(fmt.Sprintf(format, a.id)) }
	}
	good := func(before ...string) func(*asked) {
		return func(a *asked) {
			for _, s := range before {
				a.send(s)
			}
			a.text("done")
		}
	}
	fails := func(tool func(*asked)) misdeed {
		return misdeed{tool: tool, want: failed, reason: failed, status: "failed"}
	}
	passes := func(tool func(*asked)) misdeed { return misdeed{tool: tool, want: "done", status: "ok"} }
	return map[string]misdeed{
		"U85 another id first":     passes(good(`{"jsonrpc":"2.0","id":"other","result":{"content":[{"type":"text","text":"stray"}]}}`)),
		"U85 the answer twice":     passes(func(a *asked) { a.text("done"); a.text("stray") }),
		"U85 answer to initialize": passes(good(`{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}`)),
		"U86 error and result":     fails(raw(`{"jsonrpc":"2.0","id":%s,"result":{"content":[]},"error":{"code":1,"message":"x"}}`)),
		"U86 neither":              fails(raw(`{"jsonrpc":"2.0","id":%s,"x":1}`)),
		"U86 result is a string":   fails(raw(`{"jsonrpc":"2.0","id":%s,"result":"done"}`)),
		"U86 result twice":         fails(raw(`{"jsonrpc":"2.0","id":%s,"result":{},"result":{"content":[]}}`)),
		"U91 invalid UTF-8":        fails(raw("{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"\xff\"}]}}")),
		"U92 request in later era": {on: "http", modern: true, tool: good(`{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`), want: "done", status: "ok"},
		"U93 a line of text":       {on: "stdio", tool: func(a *asked) { a.send("Server is listening."); a.send(""); a.text("done") }, want: "done", status: "ok"},
		"U84 an event without end": {on: "http", tool: func(a *asked) {
			a.bytes("data: ")
			drip(a, strings.Repeat("x", 1<<20), 0)
		}, want: tooLarge, reason: tooLarge, status: "failed"},
		"U84 result above the limit": fails(func(a *asked) { a.text(strings.Repeat("x", 5<<20)) }).beyond(),
	}
}

// webMisdeeds need HTTP.
func webMisdeeds(elsewhere string) map[string]misdeed {
	web := func(post func(w http.ResponseWriter, a *asked)) misdeed {
		return misdeed{on: "http", post: post, want: failed, reason: failed, status: "failed"}
	}
	status := func(code int, header, value string) misdeed {
		return web(func(w http.ResponseWriter, _ *asked) { w.Header().Set(header, value); w.WriteHeader(code) })
	}
	other := func(kind string) misdeed {
		return web(func(w http.ResponseWriter, _ *asked) {
			w.Header().Set("Content-Type", kind)
			fmt.Fprint(w, `{"jsonrpc":"2.0","id":"other","result":{}}`)
		})
	}
	events := func(format string) misdeed {
		return misdeed{on: "http", want: "done", status: "ok", post: func(w http.ResponseWriter, a *asked) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, format, a.id)
		}}
	}
	unauthorized := status(http.StatusUnauthorized, "WWW-Authenticate", `Bearer resource_metadata="`+elsewhere+`"`)
	unauthorized.want, unauthorized.reason = "UPSTREAM_UNAVAILABLE", "UPSTREAM_TURNED_AWAY"
	return map[string]misdeed{
		"U84 data over many lines": events("data: {\"jsonrpc\":\"2.0\",\ndata: \"id\":%s,\ndata: \"result\":{\"content\":[{\"type\":\"text\",\"text\":\"done\"}]}}\n\n"),
		"U84 CR only":              events("data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"done\"}]}}\r\r"),
		"U85 another id":           other("application/json"),
		"U85 HTML":                 other("text/html"),
		"U90 redirect":             status(http.StatusTemporaryRedirect, "Location", elsewhere),
		"U90 found":                status(http.StatusFound, "Location", elsewhere),
		"U90 unauthorized":         unauthorized,
		"U90 compressed":           status(http.StatusOK, "Content-Encoding", "gzip"),
	}
}

// childMisdeeds need a child.
func childMisdeeds() map[string]misdeed {
	child := func(tool func(*asked)) misdeed {
		return misdeed{on: "stdio", tool: tool, want: failed, reason: failed, status: "failed"}
	}
	return map[string]misdeed{
		"U93 exit in the middle":     child(func(a *asked) { a.hangUp() }),
		"U93 line without end":       child(func(a *asked) { a.bytes(strings.Repeat("x", 5<<20)); <-a.gone }).beyond(),
		"U93 a line of 50 MB":        child(func(a *asked) { a.bytes(strings.Repeat("x", 50<<20) + "\n"); <-a.gone }).beyond(),
		"U93 too many lines of text": child(func(a *asked) { a.bytes(strings.Repeat("x\n", 1000)); <-a.gone }),
		"U93 a fork holds the pipe": {
			on: "stdio", beside: "sleep 1000 &", tool: func(a *asked) { a.hangUp() }, want: failed, reason: failed, status: "failed",
		},
		"U93 a flood on stderr": {
			on: "stdio", beside: "yes flood | head -c 10000000 >&2;", tool: func(a *asked) { a.text("done") }, want: "done", status: "ok",
		},
		"U93 exit in half of an answer": child(func(a *asked) { a.bytes(`{"jsonrpc":"2.0","id":7,"result":`); a.hangUp() }),
	}
}

func TestAReaderThatDoesNotReadKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	for _, up := range upstreams {
		t.Run("to "+up, func(t *testing.T) {
			t.Parallel()
			h, rec, ann, _ := two(t, up)
			note := fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":%q}}`, strings.Repeat("x", 100_000))
			flooded := make(chan struct{})
			rec.tools["report"] = func(a *asked) {
				for range 500 {
					a.send(note)
				}
				close(flooded)
				a.text("done")
			}
			name := "report"
			body := strings.Replace(modernCall("{}"), `"run"`, `"report"`, 1)
			c, err := net.Dial("tcp", strings.TrimPrefix(h.base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			fmt.Fprintf(c, "POST /mcp/up HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nContent-Type: application/json\r\n"+
				"Accept: application/json, text/event-stream\r\nMcp-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: %s\r\n"+
				"Content-Length: %d\r\n\r\n%s", ann.header.Get("Authorization"), name, len(body), body)
			rec.await("the call", func(a asked) bool { return a.name == name })
			for range 20 {
				begun := time.Now()
				x := ann.post(modernCall("{}"), modernHead("tools/call", "run"))
				if took := time.Since(begun); x.status != 200 || took > patience {
					t.Fatalf("69 beside it: %d %s after %v", x.status, x.body, took)
				}
			}
			if up == "stdio" { // a child that calls share loses messages rather than wait
				select {
				case <-flooded:
				case <-soon(t):
					t.Error("69 the child is kept waiting")
				}
			}
		})
	}
}

// upstreamsOf are the ways that can carry a misdeed.
func (d *misdeed) ways() []string {
	if d.on == "" {
		return []string{"http", "stdio", "sse", "ws"}
	}
	return strings.Fields(d.on)
}

func TestUpstreamsThatMisbehave(t *testing.T) {
	t.Parallel()
	var asks atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asks.Add(1) }))
	t.Cleanup(func() {
		elsewhere.Close()
		if n := asks.Load(); n > 0 {
			t.Errorf("U90: somebody else was asked %d times", n)
		}
	})
	var ups, conns strings.Builder
	cases := map[string]func(*testing.T, *hopgate){}
	deeds := map[string]*misdeed{} // by name of the upstream
	for name, d := range misdeeds(elsewhere.URL) {
		for _, way := range d.ways() {
			up := fmt.Sprintf("u%d", len(deeds))
			deeds[up] = &d
			fmt.Fprintf(&ups, "  %s: %s\n", up, d.upstream(t, way))
			fmt.Fprintf(&conns, "  %s: { from: mal, to: %s, tools: [bad, run], sampling: allow, elicitation: allow, guard: strict, timeout: %s }\n", up, up, d.timeout())
			cases[name+" over "+way] = func(t *testing.T, h *hopgate) {
				t.Helper()
				d.check(t, h, up)
			}
		}
	}
	h := newHopgate(t, hostileYAML(t, ups.String(), conns.String()))
	h.underFire(cases, strings.NewReplacer(ups.String(), "", conns.String(), ""))
	all := h.records()
	for up, d := range deeds {
		d.checkRecords(t, up, all)
	}
	h.verify()
}

// timeout is that of the connection. What is refused for another reason has the time that it takes on a busy machine.
func (d *misdeed) timeout() string {
	if d.status == "timeout" {
		return "5s" // in which a child must start
	}
	return "25s" // post allows little more
}

// upstream starts the server that does it, and returns it as it stands in a configuration.
func (d *misdeed) upstream(t *testing.T, way string) string {
	t.Helper()
	if d.command != "" {
		return fmt.Sprintf("{ command: [sh, -c, %q] }", d.command)
	}
	rec := newRecorder(t)
	rec.tools["bad"] = d.tool
	if post := d.post; post != nil {
		rec.post = func(w http.ResponseWriter, _ *http.Request, raw []byte) bool {
			if !strings.Contains(string(raw), `"bad"`) {
				return false
			}
			post(w, &asked{id: "7"})
			return true
		}
	}
	if raw := d.raw; raw != nil {
		rec.tools["bad"] = func(a *asked) { // over a WebSocket
			defer a.hangUp()
			raw(a.conn)
		}
		rec.post = func(w http.ResponseWriter, _ *http.Request, body []byte) bool {
			if !strings.Contains(string(body), `"bad"`) {
				return false
			}
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return true
			}
			defer c.Close()
			raw(c)
			return true
		}
	}
	if d.beside != "" {
		return fmt.Sprintf("{ command: [sh, -c, %q, %q, %q] }", d.beside+` exec "$0" "$1"`, program(t, "pipe"), rec.addr)
	}
	return rec.upstream(way)
}

// check makes the call, and sees that another one works afterwards.
func (d *misdeed) check(t *testing.T, h *hopgate, up string) {
	t.Helper()
	a := h.agent(up, h.mal)
	send, again := call(`"bad"`), goodCall
	var edit func(*http.Request)
	if d.modern {
		send, again = strings.Replace(modernCall("{}"), `"run"`, `"bad"`, 1), modernCall("{}")
		edit = modernHead("tools/call", "bad")
	} else {
		a.greet("2025-11-25")
		defer func() { a.open(http.MethodDelete, "", nil).status() }()
	}
	if d.args != "" {
		send = strings.Replace(send, `"arguments":{}`, `"arguments":`+d.args, 1)
	}
	x := a.post(send, edit)
	got := x.last()
	if !strings.Contains(got, d.want) || !strings.Contains(got, `"id":7`) || strings.Contains(got, "stray") || d.reason != "" != strings.Contains(got, `"isError":true`) {
		t.Errorf("got %.300s, want %s", got, d.want)
	}
	id := 7 // the protocol lets no client use an id twice in a session
	// A child that died is not started again at once, and a WebSocket with which nothing can be done is given up after 45 s.
	for deadline := time.Now().Add(2 * time.Minute); !d.dead; time.Sleep(50 * time.Millisecond) {
		if edit != nil {
			edit = modernHead("tools/call", "run")
		}
		id++
		got := a.post(strings.Replace(again, `"id":7`, fmt.Sprintf(`"id":%d`, id), 1), edit).last()
		if strings.Contains(got, "stray") {
			t.Fatalf("the next call gets what was not for it: %.300s", got)
		}
		if strings.Contains(got, "done") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("afterwards nothing works: %.300s", got)
		}
	}
}

// maxRefusals bounds what is on record of the messages of one server that were refused.
const maxRefusals = 200

func (d *misdeed) checkRecords(t *testing.T, up string, all []record) {
	t.Helper()
	ref, refusals, outcomes := "", 0, []record{}
	for _, r := range all {
		switch {
		case r.Upstream != up:
		case r.Kind == "intent" && r.Target == "bad":
			ref = r.Ref
		case r.Kind == "outcome" && r.Ref == ref:
			outcomes = append(outcomes, r)
		case r.Kind == "refusal":
			refusals++
		}
	}
	if len(outcomes) != 1 || !slices.Contains(strings.Split(d.reason, " "), outcomes[0].Reason) || outcomes[0].Status != d.status {
		t.Errorf("%s: on record is %v, want one outcome %s with reason %q", up, raws(outcomes), d.status, d.reason)
	}
	if refusals > maxRefusals {
		t.Errorf("%s: %d refusals are on record", up, refusals)
	}
}
