package mcpproxy_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

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
				all := w.journal.find("tools/call")
				if all[0].first != 0 {
					t.Error("the call that began it is a round of another")
				}
				for i := range all[1:] {
					if all[i+1].first != all[0].ref || all[i+1].ref == all[0].ref {
						t.Errorf("round %d is on record as %v, of %v; want of %v", i+1, all[i+1].ref, all[i+1].first, all[0].ref)
					}
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
			"another upstream":  {other, "t", `{"a":1}`, state, "STATE_FORGED"},
			"another tool":      {alice, "u", `{"a":1}`, state, "STATE_FORGED"},
			"another argument":  {alice, "t", `{"a":7}`, state, "STATE_FORGED"},
			"the server's own":  {alice, "t", `{"a":1}`, `"own"`, "STATE_FORGED"},
			"a number":          {alice, "t", `{"a":1}`, "7", "STATE_FORGED"},
			"null":              {alice, "t", `{"a":1}`, "null", "STATE_FORGED"},
			"tampered":          {alice, "t", `{"a":1}`, state[:len(state)-1] + `-TAMPERED"`, "STATE_FORGED"},
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

// TestAnswersThatNobodyAskedForAreOfANewCall: they are judged with it, and it is charged.
func TestAnswersThatNobodyAskedForAreOfANewCall(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		v := converse(w, "")
		c := w.agent("alice")
		for i, more := range []string{replies, `,"inputResponses":{}`} {
			if _, got := c.say("t", "{}", more); !strings.Contains(got, "input_required") {
				t.Errorf("got %s", got)
			}
			if got := w.server.messages("tools/call")[i]; got != input("1", "t", "{}", more) || w.last("tools/call").raw != got {
				t.Errorf("the server got %s", got)
			}
		}
		if got := fmt.Sprint(v.rounds); got != "[0 0]" {
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

// TestAStateOfTheProcessBeforeIsNobodysFault brings a state back that was sealed before a restart. Nothing is known of the
// call, so it is refused; later than any answer may come, such a state is made up.
func TestAStateOfTheProcessBeforeIsNobodysFault(t *testing.T) {
	seal, _, err := mcpproxy.Sealer(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old, err := seal([]byte(`"own"`), "state")
	if err != nil {
		t.Fatal(err)
	}
	bubble(t, func(w *world) {
		t := w.t
		converse(w, `"own"`)
		c := w.agent("alice")
		for _, want := range []string{"STATE_OVER", "STATE_FORGED"} {
			if _, got := c.say("t", "{}", withState(string(old))); !strings.Contains(got, errorCode(-32602)) {
				t.Errorf("got %s", got)
			}
			if e := w.last("tools/call"); e.code != want || e.allowed {
				t.Errorf("on record is %+v, want %s", e, want)
			}
			time.Sleep(time.Hour)
		}
		if got := w.server.messages("tools/call"); len(got) > 0 {
			t.Errorf("the server got %s", got)
		}
	})
}

// TestStatesInASessionAreSealedToo is a server that asks by results although the session is of the earlier era.
func TestStatesInASessionAreSealedToo(t *testing.T) {
	bubble(t, func(w *world) {
		v := converse(w, `"mine"`)
		c := w.session("alice", "2025-11-25")
		const call = `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"t","arguments":{}%s}}`
		_, first := c.call(fmt.Sprintf(call, 1, ""))
		state := result(w.t, first, wire.ResultRequestState)
		if state == `"mine"` || state == "" {
			w.t.Fatalf("the state goes out as %s", state)
		}
		_, second := c.call(fmt.Sprintf(call, 2, replies+`,"requestState":`+state))
		if again := result(w.t, second, wire.ResultRequestState); again == "" || again == state {
			w.t.Errorf("the retry is answered with %s", second)
		}
		if v.rounds[len(v.rounds)-1] != 1 {
			w.t.Errorf("the gate has judged rounds %v", v.rounds)
		}
	})
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
