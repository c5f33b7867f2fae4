package mcpproxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// answering makes the fake server answer requests of a method with what f returns.
func (w *world) answering(method string, f func(f *wire.Frame) string) {
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	w.server.intrude = func(rw http.ResponseWriter, _ *http.Request, q *wire.Frame) bool {
		if q.Kind != wire.KindRequest || q.String(wire.Method) != method {
			return false
		}
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"jsonrpc":"2.0","id":%s,"result":%s}`, q.Get(wire.ID), f(q))
		return true
	}
}

// result reads one member of an answer, raw.
func result(t *testing.T, answer string, m wire.Member) string {
	t.Helper()
	var f wire.Frame
	if err := wire.Parse(&f, []byte(answer), wire.FromUpstream, &wire.DefaultLimits); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	return string(f.Get(m))
}

// list asks for a page. The cursor is raw JSON.
func list(method, cursor string) string {
	params := ""
	if cursor != "" {
		params = `,"params":{"cursor":` + cursor + `}`
	}
	return `{"jsonrpc":"2.0","id":"list","method":"` + method + `"` + params + `}`
}

func TestCursorsComeBackToTheByte(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		for _, own := range []string{`"2"`, `""`, `"\u0032 \ud800\/"`} {
			w.answering("tools/list", func(f *wire.Frame) string {
				if f.Has(wire.ParamsCursor) {
					return `{"tools":[],"got":` + string(f.Get(wire.ParamsCursor)) + `}`
				}
				return `{"tools":[], "nextCursor" : ` + own + ` }`
			})
			_, first := c.call(list("tools/list", ""))
			sealed := result(t, first, wire.ResultNextCursor)
			if want := `{"tools":[], "nextCursor" : ` + sealed + ` }`; result(t, first, wire.Result) != want || sealed == own {
				t.Errorf("got %s", first)
			}
			if _, got := c.call(list("tools/list", sealed)); !strings.Contains(got, `"got":`+own+`}`) {
				t.Errorf("got %s, want the cursor %s", got, own)
			}
		}
	})
}

func TestCursorsAreBound(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		alice, bob, other := w.session("alice", "2025-11-25"), w.session("bob", "2025-11-25"), w.agent("alice")
		other.upstream = "other"
		other.initialize("2025-11-25")
		w.answering("tools/list", func(*wire.Frame) string { return `{"tools":[],"nextCursor":"own"}` })
		_, first := alice.call(list("tools/list", ""))
		sealed := result(t, first, wire.ResultNextCursor)
		flipped := strings.Replace(sealed, sealed[9:10], map[bool]string{true: "B", false: "A"}[sealed[9] == 'A'], 1)
		cases := map[string]struct {
			c              *client
			method, cursor string
		}{
			"another agent":     {bob, "tools/list", sealed},
			"another upstream":  {other, "tools/list", sealed},
			"another list":      {alice, "prompts/list", sealed},
			"the server's own":  {alice, "tools/list", `"own"`},
			"nothing":           {alice, "tools/list", `""`},
			"a path":            {alice, "tools/list", `"../../evil"`},
			"a number":          {alice, "tools/list", "7"},
			"null":              {alice, "tools/list", "null"},
			"an object":         {alice, "tools/list", "{}"},
			"changed":           {alice, "tools/list", flipped},
			"cut":               {alice, "tools/list", sealed[:12] + `"`},
			"continued":         {alice, "tools/list", sealed[:len(sealed)-1] + `A"`},
			"not Base64":        {alice, "tools/list", `"\ud800"`},
			"resources, forged": {alice, "resources/list", `"x"`},
			"templates, forged": {alice, "resources/templates/list", `"x"`},
			"tasks, forged":     {alice, "tasks/list", `"x"`},
		}
		before := len(w.server.messages(`"list"`))
		for name, x := range cases {
			if _, got := x.c.call(list(x.method, x.cursor)); !strings.Contains(got, errorCode(-32602)) {
				t.Errorf("%s: got %s", name, got)
			}
			if e := w.last(x.method); e.code != "CURSOR_UNKNOWN" || e.allowed {
				t.Errorf("%s: on record is %+v", name, e)
			}
		}
		if got := w.server.messages(`"list"`); len(got) != before {
			t.Errorf("the server got %s", got)
		}
		if status, _ := alice.call(list("tools/list", sealed)); status != 200 {
			t.Errorf("its own cursor: status %d", status)
		}
	})
}

// TestListingsEnd has servers whose listing never does.
func TestListingsEnd(t *testing.T) {
	pages := 0
	cases := map[string]struct {
		next func(f *wire.Frame) string
		want int
	}{
		"the same cursor":         {func(*wire.Frame) string { return `"x"` }, 2},
		"the same, spelled anew":  {func(f *wire.Frame) string { return map[bool]string{true: `"x"`, false: `"\u0078"`}[pages%2 == 0] }, 2},
		"always another cursor":   {func(*wire.Frame) string { return fmt.Sprintf(`"%d"`, pages) }, 1000},
		"two cursors in a circle": {func(*wire.Frame) string { return fmt.Sprintf(`"%d"`, pages%2) }, 1000},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				pages = 0
				c := w.session("alice", "2025-11-25")
				w.answering("tools/list", func(f *wire.Frame) string {
					pages++
					return `{"tools":[],"nextCursor":` + x.next(f) + `,"x":1}`
				})
				cursor := ""
				for pages <= x.want {
					_, got := c.call(list("tools/list", cursor))
					if cursor = result(t, got, wire.ResultNextCursor); cursor == "" {
						if want := `{"tools":[],"x":1}`; result(t, got, wire.Result) != want {
							t.Errorf("the last page is %s", got)
						}
						break
					}
				}
				if pages != x.want {
					t.Errorf("%d pages, want %d", pages, x.want)
				}
			})
		})
	}
}

// input is a call of 2026-07-28 of a client that can be asked; more goes into its params.
func input(id, name, arguments, more string) string {
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}`
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":%s,%s%s}}`, id, name, arguments, meta, more)
}

const (
	asking  = `{"resultType":"input_required","inputRequests":{"q":{"method":"elicitation/create","params":{"message":"?"}}}%s}`
	replies = `,"inputResponses":{"q":{"action":"accept","content":{}}}`
)

// conversation has the fake server ask until it was answered some times, with a state of its own or none.
type conversation struct {
	mu     sync.Mutex
	w      *world
	state  string // raw; empty for none
	rounds []int  // of the calls that the gate has judged
}

func converse(w *world, state string) *conversation {
	v := &conversation{w: w, state: state}
	w.gate.check = func(_ context.Context, c *policy.Call) (policy.Verdict, error) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.rounds = append(v.rounds, c.Round)
		return policy.Pass, nil
	}
	w.answering("tools/call", func(f *wire.Frame) string {
		v.mu.Lock()
		defer v.mu.Unlock()
		own := ""
		if v.state != "" {
			own = `,"requestState":` + v.state
		}
		return fmt.Sprintf(asking, own)
	})
	return v
}

// say calls a tool and returns the state that comes back for it.
func (c *client) say(name, arguments, more string) (state, answer string) {
	c.w.t.Helper()
	_, answer = c.call(input("1", name, arguments, more), modernHead("tools/call", name))
	return result(c.w.t, answer, wire.ResultRequestState), answer
}

func withState(state string) string { return `,"requestState":` + state + replies }

func TestRoundsCarryTheServersState(t *testing.T) {
	for name, own := range map[string]string{"a state": `"s\u0074ate"`, "an empty state": `""`, "none": ""} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				v := converse(w, own)
				c := w.agent("alice")
				state, answer := c.say("t", `{"a":1}`, "")
				if state == "" || state == own {
					t.Fatalf("got %s", answer)
				}
				for range 3 {
					next, answer := c.say("t", `{"a":1}`, withState(state))
					if next == "" || next == state {
						t.Fatalf("got %s", answer)
					}
					state = next
				}
				if got := fmt.Sprint(v.rounds); got != "[0 1 2 3]" {
					t.Errorf("the rounds are %s", got)
				}
				want := replies
				if own != "" {
					want = `,"requestState":` + own + replies
				}
				if all := w.server.messages("tools/call"); len(all) != 4 || all[1] != input("1", "t", `{"a":1}`, want) {
					t.Errorf("the server got %s", all)
				}
			})
		})
	}
}

func TestStatesAreBoundAndCountOnce(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		converse(w, `"own"`)
		alice, bob, other := w.agent("alice"), w.agent("bob"), w.agent("alice")
		other.upstream = "other"
		state, _ := alice.say("t", `{"a":1}`, "")
		used, _ := alice.say("t", `{"a":2}`, "")
		alice.say("t", `{"a":2}`, withState(used))
		cases := map[string]struct {
			c                      *client
			name, arguments, state string
			code                   string
		}{
			"another agent":     {bob, "t", `{"a":1}`, state, "STATE_FOREIGN"},
			"another upstream":  {other, "t", `{"a":1}`, state, "STATE_FOREIGN"},
			"another tool":      {alice, "u", `{"a":1}`, state, "STATE_FOREIGN"},
			"another argument":  {alice, "t", `{"a":7}`, state, "STATE_FOREIGN"},
			"the server's own":  {alice, "t", `{"a":1}`, `"own"`, "STATE_FOREIGN"},
			"a number":          {alice, "t", `{"a":1}`, "7", "STATE_FOREIGN"},
			"null":              {alice, "t", `{"a":1}`, "null", "STATE_FOREIGN"},
			"tampered":          {alice, "t", `{"a":1}`, state[:len(state)-1] + `-TAMPERED"`, "STATE_FOREIGN"},
			"of a call, replay": {alice, "t", `{"a":2}`, used, "STATE_OVER"},
		}
		before := len(w.server.messages("tools/call"))
		for name, x := range cases {
			if _, got := x.c.say(x.name, x.arguments, withState(x.state)); !strings.Contains(got, errorCode(-32602)) {
				t.Errorf("%s: got %s", name, got)
			}
			if e := w.last("tools/call"); e.code != x.code || e.allowed {
				t.Errorf("%s: on record is %+v", name, e)
			}
		}
		if got := w.server.messages("tools/call"); len(got) != before {
			t.Errorf("the server got %s", got)
		}
		session := w.session("alice", "2025-11-25")
		if _, got := session.call(strings.Replace(tool("1", "echo", "{}"), `"_meta"`, `"requestState":"x","_meta"`, 1)); !strings.Contains(got, errorCode(-32602)) {
			t.Errorf("the earlier era: got %s", got)
		}
		time.Sleep(time.Hour)
		if _, got := alice.say("t", `{"a":1}`, withState(state)); !strings.Contains(got, errorCode(-32602)) || w.last("tools/call").code != "STATE_OVER" {
			t.Errorf("late: got %s", got)
		}
	})
}

// TestARoundThatIsRefusedMayComeAgain has a gate refuse a retry, and the journal, and the upstream.
func TestARoundThatIsRefusedMayComeAgain(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		converse(w, `"own"`)
		pass := w.gate.check
		c := w.agent("alice")
		state, _ := c.say("t", "{}", "")
		for name, x := range map[string]struct{ begin, end func() }{
			"gate": {func() { w.gate.check = refusing("tools/call") }, func() { w.gate.check = pass }},
			"journal": {
				func() { w.journal.fail = func(*policy.Call) error { return errors.New("disk full") } },
				func() { w.journal.fail = nil },
			},
			"upstream": {
				func() { w.proxy.SetPolicy(w.policy("r2", func(p *mcpproxy.Policy) { delete(p.Upstreams, "up") })) },
				func() { w.proxy.SetPolicy(w.policy("r3", nil)) },
			},
		} {
			x.begin()
			if _, got := c.say("t", "{}", withState(state)); !strings.Contains(got, "isError") {
				t.Errorf("%s: got %s", name, got)
			}
			x.end()
		}
		if next, got := c.say("t", "{}", withState(state)); next == "" {
			t.Errorf("got %s", got)
		}
	})
}

// TestAnswersThatNobodyAskedForAreLeftOut: conformance wants a server to ask again rather than an error.
func TestAnswersThatNobodyAskedForAreLeftOut(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		v := converse(w, "")
		c := w.agent("alice")
		for _, more := range []string{replies, `,"inputResponses":null`, `,"input\u0052esponses":{}`} {
			if _, got := c.say("t", "{}", more); !strings.Contains(got, "input_required") {
				t.Errorf("got %s", got)
			}
		}
		for _, got := range w.server.messages("tools/call") {
			if got != input("1", "t", "{}", "") {
				t.Errorf("the server got %s", got)
			}
		}
		if got := fmt.Sprint(v.rounds); got != "[0 0 0]" {
			t.Errorf("the rounds are %s", got)
		}
	})
}

// TestRoundsOfOneAgentAreBounded leaves rounds open. The oldest is forgotten, another agent's is not.
func TestRoundsOfOneAgentAreBounded(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		converse(w, `"own"`)
		alice, bob := w.agent("alice"), w.agent("bob")
		bobs, _ := bob.say("t", "{}", "")
		oldest, _ := alice.say("t", "{}", "")
		second, _ := alice.say("t", "{}", "")
		for range 1023 {
			alice.say("t", "{}", "")
		}
		if _, got := alice.say("t", "{}", withState(oldest)); !strings.Contains(got, errorCode(-32602)) {
			t.Errorf("the oldest: %s", got)
		}
		for name, x := range map[string]struct {
			c     *client
			state string
		}{"the second": {alice, second}, "another agent's": {bob, bobs}} {
			if next, got := x.c.say("t", "{}", withState(x.state)); next == "" {
				t.Errorf("%s: %s", name, got)
			}
		}
	})
}

func TestServersAskOnlyWhatClientsHaveDeclared(t *testing.T) {
	cases := map[string]struct{ method, lacks string }{
		"declared": {"elicitation/create", ""}, "sampling": {"sampling/createMessage", "sampling"}, "roots": {"roots/list", "roots"},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				w.answering("tools/call", func(*wire.Frame) string {
					return `{"resultType":"input_required","inputRequests":{"e":{"method":"elicitation/create"},"q":{"method":"` + x.method + `","params":{"secret":1}}}}`
				})
				r := w.agent("alice").post(input("1", "t", "{}", ""), modernHead("tools/call", "t"))
				got := r.last()
				if x.lacks == "" {
					if r.status != 200 || !strings.Contains(got, "secret") {
						t.Errorf("got %d %s", r.status, got)
					}
					return
				}
				if r.status != 400 || !strings.Contains(got, errorCode(-32021)) || !strings.Contains(got, `"requiredCapabilities":{"`+x.lacks+`":{}}`) || strings.Contains(got, "secret") {
					t.Errorf("got %d %s", r.status, got)
				}
				if e := w.last("tools/call"); e.code != "CAPABILITY_MISSING" || e.ends != 1 {
					t.Errorf("on record is %+v", e)
				}
			})
		})
	}
}

// TestStateThatIsNoString is a server's error.
func TestStateThatIsNoString(t *testing.T) {
	bubble(t, func(w *world) {
		w.answering("tools/call", func(*wire.Frame) string { return fmt.Sprintf(asking, `,"requestState":7`) })
		if _, got := w.agent("alice").say("t", "{}", ""); !strings.Contains(got, errorCode(-32600)) {
			w.t.Errorf("got %s", got)
		}
	})
}

// TestProgressOfTheAgent reports on what a server has asked, and on what it has not.
func TestProgressOfTheAgent(t *testing.T) {
	report := func(token string) string {
		return `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":` + token + `,"progress":1}}`
	}
	ask := func(task string) string {
		return `{"jsonrpc":"2.0","id":"s","method":"sampling/createMessage","params":{` + task + `"_meta":{"progressToken":"t"}}}`
	}
	cases := map[string]struct {
		task, token string
		answered    bool
		passes      bool
	}{
		"of the question":             {token: `"t"`, passes: true},
		"of nothing":                  {token: `"u"`},
		"of another type":             {token: "1"},
		"of the agent's own call":     {token: `"call"`},
		"without a token":             {token: "null"},
		"of a question, answered":     {token: `"t"`, answered: true},
		"of a task":                   {token: `"t"`, answered: true, task: `"task":{},`, passes: true},
		"of nothing, beside the task": {token: `"u"`, answered: true, task: `"task":{},`},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				c, other := w.session("alice", "2025-11-25"), w.session("alice", "2025-11-25")
				stream := c.post(says(`"call"`, ask(x.task)))
				question := stream.must().data
				if x.answered {
					c.call(answerTo(t, question, `{"task":{"taskId":"1"}}`))
				}
				if status, _ := other.call(report(x.token)); status != 202 || w.last("notifications/progress").code != "UNSOLICITED" {
					t.Error("another session reports on the question")
				}
				if status, _ := c.call(report(x.token)); status != 202 {
					t.Errorf("status %d", status)
				}
				e := w.last("notifications/progress")
				if sent := len(w.server.messages("notifications/progress")) == 1; sent != x.passes || e.allowed != x.passes || x.passes != (e.code == "") {
					t.Errorf("sent: %v, on record is %+v", sent, e)
				}
			})
		})
	}
}

// TestUnsent tells what surely did not reach the server from what may have.
func TestUnsent(t *testing.T) {
	cases := map[string]struct {
		prepare func(w *world)
		want    bool
	}{
		"no upstream": {func(w *world) {
			w.proxy.SetPolicy(w.policy("r2", func(p *mcpproxy.Policy) { delete(p.Upstreams, "up") }))
		}, true},
		"not reached": {func(w *world) { w.inner.Close() }, true},
		"cut off": {func(w *world) {
			w.server.intrude = func(http.ResponseWriter, *http.Request, *wire.Frame) bool { panic(http.ErrAbortHandler) }
		}, false},
		"turned away": {func(w *world) { w.server.intrude = status(403) }, false},
		"answered":    {func(*world) {}, false},
		"never silent": {func(w *world) {
			w.server.intrude = func(_ http.ResponseWriter, r *http.Request, _ *wire.Frame) bool { <-r.Context().Done(); return true }
		}, false},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				x.prepare(w)
				w.agent("alice").call(modernTool("1", "echo", "{}"), modernHead("tools/call", "echo"))
				if e := w.last("tools/call"); e.unsent != x.want || e.ends != 1 {
					w.t.Errorf("on record is %+v", e)
				}
			})
		})
	}
}

// status answers everything with a status and words.
func status(code int) func(http.ResponseWriter, *http.Request, *wire.Frame) bool {
	return func(w http.ResponseWriter, _ *http.Request, _ *wire.Frame) bool {
		w.WriteHeader(code)
		io.WriteString(w, "no")
		return true
	}
}

// TestStatusOfTheUpstream: only what may mean that a server is of the earlier era says so.
func TestStatusOfTheUpstream(t *testing.T) {
	for code, want := range map[int]string{
		400: "UPSTREAM_NOT_MODERN", 404: "UPSTREAM_NOT_MODERN", 405: "UPSTREAM_NOT_MODERN", 401: "UPSTREAM_TURNED_AWAY", 403: "UPSTREAM_TURNED_AWAY",
		429: "UPSTREAM_FAILED", 500: "UPSTREAM_FAILED",
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			bubble(t, func(w *world) {
				w.server.intrude = status(code)
				_, got := w.agent("alice").call(modernTool("1", "echo", "{}"), modernHead("tools/call", "echo"))
				if e := w.last("tools/call"); e.code != want {
					w.t.Errorf("on record is %s, the answer is %s", e.code, got)
				}
			})
		})
	}
}
