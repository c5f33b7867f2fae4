package mcpproxy_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// answerTo is an agent's answer to what a server has asked.
func answerTo(t *testing.T, ask, result string) string {
	t.Helper()
	var f wire.Frame
	if err := wire.Parse(&f, []byte(ask), wire.FromUpstream, &wire.DefaultLimits); err != nil || f.Kind != wire.KindRequest {
		t.Fatalf("not a request: %s (%v)", ask, err)
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, f.Get(wire.ID), result)
}

func TestServerAsksOnTheStreamOfTheCall(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		stream := c.post(tool("1", "ask", `{"who":"alice"}`))
		ask := stream.must().data
		if !strings.Contains(ask, `"who":"alice"`) {
			t.Fatalf("got %s", ask)
		}
		answer := answerTo(t, ask, `{"role":"assistant","content":{"type":"text","text":"hi"},"model":"m"}`)
		if status, _ := c.call(answer); status != 202 {
			t.Errorf("answering: status %d", status)
		}
		if got := stream.last(); !strings.Contains(got, `"structuredContent":`+answer) {
			t.Errorf("got %s", got)
		}
		if status, _ := c.call(answer); status != 202 {
			t.Errorf("answering again: status %d", status)
		}
		if got := w.last(""); got.code != "ANSWER_UNASKED" {
			t.Errorf("the second answer is on record as %q", got.code)
		}
		if got := w.server.messages(`"assistant"`); len(got) != 1 {
			t.Errorf("the server got %d answers", len(got))
		}
		all := w.journal.find("sampling/createMessage")
		if len(all) != 2 || all[0].direction != policy.ToAgent || all[1].direction != policy.ToUpstream || all[1].status != policy.StatusSent {
			t.Errorf("on record is %+v", all)
		}
	})
}

// TestAnotherVersionIsNotThatOfTheSession answers, and ends, a session as one of another version. Neither has an effect.
func TestAnotherVersionIsNotThatOfTheSession(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		stream := c.post(tool("1", "ask", `{}`))
		answer := answerTo(t, stream.must().data, `{"role":"assistant","content":{"type":"text","text":"hi"},"model":"m"}`)
		for _, version := range []string{"2025-06-18", "2026-07-28", "1999-01-01"} {
			other := *c
			other.version = version
			if status, _ := other.call(answer); status != 400 || w.last("").code != "BAD_VERSION_HEADER" {
				t.Errorf("%s: answering: status %d, %+v", version, status, w.last(""))
			}
			if r := other.must(http.MethodDelete, ""); r.status != 400 {
				t.Errorf("%s: DELETE: status %d", version, r.status)
			}
		}
		if status, _ := c.call(answer); status != 202 {
			t.Errorf("answering: status %d", status)
		}
		if got := stream.last(); !strings.Contains(got, `"structuredContent":`+answer) {
			t.Errorf("got %s", got)
		}
	})
}

func TestAnswersOfOthersAreDropped(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c, again, bob := w.session("alice", "2025-11-25"), w.session("alice", "2025-11-25"), w.session("bob", "2025-11-25")
		stream := c.post(tool("1", "ask", `{}`))
		answer := answerTo(t, stream.must().data, `{"role":"assistant","content":{"type":"text","text":"forged"},"model":"m"}`)
		for name, x := range map[string]*client{"another session": again, "another agent": bob} {
			if status, _ := x.call(answer); status != 202 {
				t.Errorf("%s: status %d", name, status)
			}
		}
		thief := *bob
		thief.session = c.session
		if status, _ := thief.call(answer); status != 404 {
			t.Errorf("a session of another agent: status %d", status)
		}
		if status, _ := c.call(`{"jsonrpc":"2.0","id":"other","result":{}}`); status != 202 {
			t.Errorf("an id that nobody used: status %d", status)
		}
		if got := w.server.messages("forged"); len(got) > 0 {
			t.Errorf("the server got %s", got)
		}
	})
}

// TestRefusedQuestionsGetAnError has the gate, or the journal, refuse what the server asks. The server is not left
// waiting, and the agent sees nothing.
func TestRefusedQuestionsGetAnError(t *testing.T) {
	cases := map[string]func(w *world){
		"gate": func(w *world) { w.gate.check = refusing("sampling/createMessage") },
		"journal": func(w *world) {
			w.journal.fail = func(c *policy.Call) error {
				if c.Direction == policy.ToAgent {
					return errors.New("disk full")
				}
				return nil
			}
		},
	}
	for name, prepare := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				c := w.session("alice", "2025-11-25")
				prepare(w)
				all := c.post(tool("1", "ask", `{}`)).all()
				if len(all) != 1 || !strings.Contains(all[0], `"structuredContent":{"jsonrpc":"2.0","id":"ask-2","error"`) {
					t.Errorf("got %s", all)
				}
			})
		})
	}
}

// TestRefusedAnswersGetAnError has the gate refuse what the agent answers. The server is not left waiting.
func TestRefusedAnswersGetAnError(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		stream := c.post(tool("1", "ask", `{}`))
		w.gate.check = refusing("sampling/createMessage")
		answer := answerTo(t, stream.must().data, `{"role":"assistant","content":{"type":"text","text":"secret"},"model":"m"}`)
		if status, _ := c.call(answer); status != 202 {
			t.Errorf("status %d", status)
		}
		if got := stream.last(); !strings.Contains(got, `"error"`) || strings.Contains(got, "secret") {
			t.Errorf("got %s", got)
		}
	})
}

func TestMessagesOfAServerAreSentAsRewritten(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		w.gate.check = func(_ context.Context, c *policy.Call) (policy.Verdict, error) {
			if c.Direction == policy.ToAgent {
				return policy.Verdict{Effect: policy.Allow, Rewrite: wire.Edits{{At: c.Frame.Span(wire.Params), New: []byte(`{"data":"redacted"}`)}}}, nil
			}
			return policy.Pass, nil
		}
		for name, text := range map[string]string{
			"notification": `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"secret"}}`,
			"request":      `{"jsonrpc":"2.0","id":"s","method":"elicitation/create","params":{"message":"secret"}}`,
		} {
			stream := c.post(says(`"`+name+`"`, text))
			if got := stream.must().data; strings.Contains(got, "secret") || !strings.Contains(got, "redacted") {
				t.Errorf("%s: got %s", name, got)
			}
			w.server.release <- struct{}{}
			stream.all()
		}
		if e := w.last("elicitation/create"); strings.Contains(e.raw, "secret") {
			t.Errorf("on record is %s", e.raw)
		}
	})
}

func TestWhatAServerMaySend(t *testing.T) {
	progress := func(token string) string {
		return `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":` + token + `,"progress":1}}`
	}
	cases := map[string]struct {
		modern bool
		text   string
		code   string // on record where it is dropped
	}{
		"log":                               {text: `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}`},
		"progress of the call":              {text: progress("1")},
		"progress of another spelling":      {text: progress(`"1"`), code: "UNSOLICITED"},
		"progress of nobody":                {text: progress("99"), code: "UNSOLICITED"},
		"progress of a call that is over":   {text: progress(`"over"`), code: "UNSOLICITED"},
		"progress of another call":          {text: progress(`"held"`)},
		"progress without a token":          {text: `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}`, code: "UNSOLICITED"},
		"request":                           {text: `{"jsonrpc":"2.0","id":"s","method":"roots/list"}`},
		"progress, later era":               {modern: true, text: progress("1")},
		"progress of another, later era":    {modern: true, text: progress(`"held"`), code: "UNSOLICITED"},
		"notification that the gate denies": {text: `{"jsonrpc":"2.0","method":"notifications/denied"}`, code: "TEST"},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				w.gate.check = refusing("notifications/denied")
				c := w.session("alice", "2025-11-25")
				c.post(tool(`"over"`, "progress", "{}")).all()
				held := c.begin(tool(`"held"`, "hold", "{}"))
				synctest.Wait()
				var stream *response
				if x.modern {
					stream = w.agent("alice").post(strings.Replace(says("1", x.text), `"_meta":{`, `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},`, 1), modernHead("tools/call", "chat"))
				} else {
					stream = c.post(says("1", x.text))
				}
				if x.code == "" {
					if got := stream.must().data; got != x.text {
						t.Errorf("got %s", got)
					}
				}
				w.server.release <- struct{}{}
				w.server.release <- struct{}{}
				if all := stream.all(); len(all) != 1 {
					t.Errorf("then came %s", all)
				}
				if r := <-held; r == nil || strings.Contains(strings.Join(r.all(), ""), "progress") {
					t.Error("the other call got what is not its own")
				}
				if x.code != "" {
					var f wire.Frame
					if err := wire.Parse(&f, []byte(x.text), wire.FromUpstream, &wire.DefaultLimits); err != nil {
						t.Fatal(err)
					}
					if e := w.last(f.String(wire.Method)); e.code != x.code || e.direction != policy.ToAgent {
						t.Errorf("on record is %+v", e)
					}
				}
			})
		})
	}
}

// TestModernServerAsksNothing holds a server to 2026-07-28, in which it has no requests.
func TestModernServerAsksNothing(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.agent("alice")
		begun := c.begin(modernTool("1", "ask", "{}"), modernHead("tools/call", "ask"))
		r := <-begun
		if got := r.last(); strings.Contains(got, "sampling") || !strings.Contains(got, "UPSTREAM_TIMEOUT") {
			t.Errorf("got %s", got)
		}
	})
}

// TestUnansweredQuestionsAreBounded has a server ask and never get an answer. What it takes back does not count.
func TestUnansweredQuestionsAreBounded(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		get := c.listen("")
		synctest.Wait()
		say := func(m string) { w.server.sessions["up-1"] <- m }
		for i := range 200 {
			say(fmt.Sprintf(`{"jsonrpc":"2.0","id":"taken-%d","method":"roots/list"}`, i))
			get.must()
			say(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"taken-%d"}}`, i))
			get.must()
		}
		if e := w.last("roots/list"); !e.allowed {
			t.Errorf("a question is refused as %s", e.code)
		}
		for i := range 200 {
			say(fmt.Sprintf(`{"jsonrpc":"2.0","id":"open-%d","method":"roots/list"}`, i))
			if i < 128 {
				get.must()
			}
		}
		synctest.Wait()
		if e := w.last("roots/list"); e.code != "UNSOLICITED" {
			t.Errorf("the 200th question is on record as %q", e.code)
		}
		if got := w.server.messages(`"error"`); len(got) != 72 {
			t.Errorf("the server got %d errors", len(got))
		}
		if status, _ := c.call(`{"jsonrpc":"2.0","id":"open-3","result":{"roots":[]}}`); status != 202 || len(w.server.messages(`"open-3"`)) != 1 {
			t.Errorf("an answer is not taken: %d", status)
		}
	})
}

// TestAQuestionUnderAnIDInUseIsDropped has a server ask again and again under the id of what it has asked. The agent hears
// the first, and its answer is for that.
func TestAQuestionUnderAnIDInUseIsDropped(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		get := c.listen("")
		synctest.Wait()
		for i := range 50 {
			w.server.sessions["up-1"] <- fmt.Sprintf(`{"jsonrpc":"2.0","id":"same","method":"roots/list","params":{"_meta":{"n":%d}}}`, i)
		}
		if got := get.must().data; !strings.Contains(got, `"n":0`) {
			t.Errorf("the agent is asked %s", got)
		}
		synctest.Wait()
		if e := w.last("roots/list"); e.code != "ID_IN_USE" {
			t.Errorf("the last question is on record as %q", e.code)
		}
		if got := w.server.messages(`"error"`); len(got) != 0 {
			t.Errorf("the server got %v, and would take it for the agent's answer", got)
		}
		status, _ := c.call(`{"jsonrpc":"2.0","id":"same","result":{"roots":[]}}`)
		if got := w.server.messages(`"roots":[]`); status != 202 || len(got) != 1 {
			t.Errorf("the agent's answer: %d, %v", status, got)
		}
		w.server.sessions["up-1"] <- `{"jsonrpc":"2.0","id":"same","method":"roots/list"}`
		get.must()
	})
}

// TestAnswerAfterTheSession answers a question whose session has ended meanwhile.
func TestAnswerAfterTheSession(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		stream := c.post(tool("1", "ask", `{}`))
		ask := stream.must().data
		if r := c.must(http.MethodDelete, ""); r.status != 204 {
			t.Fatalf("DELETE: status %d", r.status)
		}
		if status, _ := c.call(answerTo(t, ask, `{}`)); status != 404 {
			t.Errorf("status %d", status)
		}
	})
}
