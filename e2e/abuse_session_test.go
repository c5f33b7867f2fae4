package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// twoYAML lets two agents do the same at one upstream.
func twoYAML(upstream string) string {
	return `version: 1
listen: { mcp: "127.0.0.1:0" }
agents: { ann: key, bob: key, here: local }
upstreams: { up: ` + upstream + ` }
connections:
  all: { from: "*", to: up, tools: [run, wait, ask, report, "mark_*"], sampling: allow }
`
}

// two starts Hopgate between a recorder and two agents.
func two(t *testing.T, up string) (h *hopgate, rec *recorder, ann, bob *agent) {
	t.Helper()
	rec = newRecorder(t)
	h = newHopgate(t, twoYAML(rec.upstream(up)))
	keys := []string{h.key("ann"), h.key("bob")}
	h.serve()
	return h, rec, h.agent("up", keys[0]), h.agent("up", keys[1])
}

// upstreams are the ways to reach one.
var upstreams = []string{"http", "stdio"}

// refusals returns the reasons of what was refused to an agent, in order.
func (h *hopgate) refusals(agent string) (reasons []string) {
	h.t.Helper()
	for _, r := range h.records() {
		if r.Agent == agent && r.Decision == "deny" {
			reasons = append(reasons, r.Reason)
		}
	}
	return reasons
}

// refusedOnly wants exactly these refusals of an agent on record.
func (h *hopgate) refusedOnly(agent string, want ...string) {
	h.t.Helper()
	if got := h.refusals(agent); !slices.Equal(got, want) {
		h.t.Errorf("refused to %s on record: %v, want %v", agent, got, want)
	}
}

func TestForeignSessionsAreUnknown(t *testing.T) {
	t.Parallel()
	for _, up := range upstreams {
		t.Run("to "+up, func(t *testing.T) {
			t.Parallel()
			h, rec, ann, bob := two(t, up)
			ann.greet("2025-11-25")
			rec.await("initialized", func(a asked) bool { return a.raw == initialized })
			before := len(rec.got())
			thief := func(r *http.Request) { r.Header.Set("Mcp-Session-Id", ann.header.Get("Mcp-Session-Id")) }
			bob.header.Set("Mcp-Protocol-Version", "2025-11-25")
			rows := map[string]struct {
				method, body string
				edit         func(*http.Request)
			}{
				"55 POST":          {"POST", goodCall, thief},
				"55 notification":  {"POST", initialized, thief},
				"46 cancel":        {"POST", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`, thief},
				"15 answer":        {"POST", `{"jsonrpc":"2.0","id":1,"result":{}}`, thief},
				"55 GET":           {"GET", "", thief},
				"58 DELETE":        {"DELETE", "", thief},
				"60 Last-Event-ID": {"GET", "", func(r *http.Request) { thief(r); r.Header.Set("Last-Event-ID", "0-0") }},
			}
			var want []string
			for name, row := range rows {
				s := bob.open(row.method, row.body, row.edit)
				status, got := s.status(), s.next()
				if status != 404 || strings.Contains(row.body, `"id":7`) && !strings.Contains(got, `"id":7,"error":{"code":-32600`) {
					t.Errorf("%s: got %d %s, want 404", name, status, got)
				}
				want = append(want, "SESSION_FOREIGN")
			}
			if got := rec.got()[before:]; len(got) > 0 {
				t.Errorf("the upstream got %v", got)
			}
			if x := ann.post(goodCall, nil); x.status != 200 {
				t.Errorf("the session of its owner: %d %s", x.status, x.body)
			}
			h.refusedOnly("bob", want...)
			h.refusedOnly("ann")
		})
	}
}

func TestSessionsBeginAndEndOnce(t *testing.T) {
	t.Parallel()
	for _, up := range upstreams {
		t.Run("to "+up, func(t *testing.T) {
			t.Parallel()
			h, rec, ann, bob := two(t, up)
			fixed := strings.Repeat("f", 40)
			x := ann.post(hello("2025-11-25"), func(r *http.Request) { r.Header.Set("Mcp-Session-Id", fixed) })
			id := x.header.Get("Mcp-Session-Id")
			if x.status != 200 || id == fixed || len(id) < 32 || strings.Contains(id, "upstream") {
				t.Errorf("56 a session that the client brings: %d, session %q", x.status, id)
			}
			ann.header.Set("Mcp-Session-Id", id)
			if x := ann.post(goodCall, nil); x.status != 400 || !strings.Contains(x.body, "-32600") {
				t.Errorf("52 a call before initialized: %d %s", x.status, x.body)
			}
			if x := ann.post(initialized, nil); x.status != 202 {
				t.Errorf("initialized: %d %s", x.status, x.body)
			}
			if x := bob.post(hello("2999-01-01"), nil); x.status != 200 || !strings.Contains(x.body, `"protocolVersion":"2025-11-25"`) {
				t.Errorf("51 a version to come: %d %s", x.status, x.body)
			}
			if x := ann.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"mark_1"}}`, nil); x.status != 200 {
				t.Errorf("a call: %d %s", x.status, x.body)
			}
			for i, want := range []int{204, 404} {
				if got := ann.open("DELETE", "", nil).status(); got != want {
					t.Errorf("58 DELETE number %d: %d, want %d", i+1, got, want)
				}
			}
			for _, method := range []string{"POST", "GET"} {
				if got := ann.open(method, goodCall, nil).status(); got != 404 {
					t.Errorf("54 %s after the end: %d", method, got)
				}
			}
			h.refusedOnly("ann", "NOT_INITIALIZED", "SESSION_UNKNOWN", "SESSION_UNKNOWN", "SESSION_UNKNOWN")
			calls := 0
			for _, m := range rec.got() {
				if m.method == "tools/call" {
					calls++
				}
			}
			if calls != 1 {
				t.Errorf("the upstream got %d calls, want 1", calls)
			}
		})
	}
}

func TestAnIDInUseIsRefusedAndTheFirstCallGoesOn(t *testing.T) {
	t.Parallel()
	for _, up := range upstreams {
		t.Run("to "+up, func(t *testing.T) {
			t.Parallel()
			h, rec, ann, bob := two(t, up)
			release := make(chan struct{})
			rec.tools["wait"] = func(a *asked) { <-release; a.text("late") }
			ann.greet("2025-11-25")
			bob.greet("2025-11-25")
			waiting := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"wait"}}`
			first := make(chan answer, 1)
			go func() { first <- ann.post(waiting, nil) }()
			rec.await("the first call", func(a asked) bool { return a.name == "wait" })
			for _, id := range []string{"7", "7"} {
				if x := ann.post(strings.Replace(goodCall, `"id":7`, `"id":`+id, 1), nil); x.status != 400 || !strings.Contains(x.body, `"id":7,"error":{"code":-32600`) {
					t.Errorf("13 the second call: %d %s", x.status, x.body)
				}
			}
			if x := bob.post(goodCall, nil); x.status != 200 {
				t.Errorf("the same id of another agent: %d %s", x.status, x.body)
			}
			// 46: bob's cancellation of his own id 7, which is over, does nothing to ann's.
			if x := bob.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`, nil); x.status != 202 {
				t.Errorf("46 cancel: %d %s", x.status, x.body)
			}
			close(release)
			if x := <-first; !strings.Contains(x.last(), "late") {
				t.Errorf("the first call: %d %s", x.status, x.body)
			}
			if x := ann.post(goodCall, nil); x.status != 200 {
				t.Errorf("the id when it is free again: %d %s", x.status, x.body)
			}
			for _, m := range rec.got() {
				if m.method == "notifications/cancelled" {
					t.Errorf("the upstream got %s", m.raw)
				}
			}
			h.refusedOnly("ann", "ID_IN_USE", "ID_IN_USE")
			h.refusedOnly("bob", "CANCEL_UNKNOWN")
		})
	}
}

func TestAnswersToServersAreTakenOnceFromTheirOwner(t *testing.T) {
	t.Parallel()
	for _, up := range upstreams {
		t.Run("to "+up, func(t *testing.T) {
			t.Parallel()
			h, rec, ann, bob := two(t, up)
			ask := `{"jsonrpc":"2.0","id":"q1","method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`
			done := make(chan struct{})
			rec.tools["ask"] = func(a *asked) { a.send(ask); <-done; a.text("thanks") }
			ann.greet("2025-11-25")
			bob.greet("2025-11-25")
			s := ann.open("POST", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"ask"}}`, nil)
			if got := s.next(); got != ask {
				t.Fatalf("the question arrives as %s", got)
			}
			said := `{"jsonrpc":"2.0","id":"q1","result":{"role":"assistant","content":{"type":"text","text":"%s"},"model":"m"}}`
			for who, a := range map[string]*agent{"15 another agent": bob, "14 nobody asked": ann} {
				answer := fmt.Sprintf(said, "stolen")
				if a == ann {
					answer = strings.Replace(answer, "q1", "q2", 1)
				}
				if x := a.post(answer, nil); x.status != 202 {
					t.Errorf("%s: %d %s", who, x.status, x.body)
				}
			}
			for range 2 {
				if x := ann.post(fmt.Sprintf(said, "mine"), nil); x.status != 202 {
					t.Errorf("14 the answer: %d %s", x.status, x.body)
				}
			}
			rec.await("the answer", func(a asked) bool { return a.method == "" })
			close(done)
			if got := s.next(); !strings.Contains(got, "thanks") {
				t.Errorf("the call ends with %s", got)
			}
			var got []string
			for _, m := range rec.got() {
				if m.method == "" {
					got = append(got, m.raw)
				}
			}
			if want := fmt.Sprintf(said, "mine"); len(got) != 1 || got[0] != want {
				t.Errorf("the upstream got the answers %v, want %s", got, want)
			}
			h.refusedOnly("ann", "ANSWER_UNASKED", "ANSWER_UNASKED")
			h.refusedOnly("bob", "ANSWER_UNASKED")
		})
	}
}

// outcomes waits until so many calls of a tool have ended on record, and returns how.
func (h *hopgate) outcomes(tool string, n int) (ended []record) {
	h.t.Helper()
	for deadline := soon(h.t); ; {
		refs := map[string]bool{}
		ended = nil
		for _, r := range h.records() {
			if r.Method == "tools/call" && r.Target == tool {
				refs[r.Ref] = true
			}
			if r.Kind == "outcome" && refs[r.Ref] {
				ended = append(ended, r)
			}
		}
		if len(ended) >= n {
			return ended
		}
		select {
		case <-deadline:
			h.t.Fatalf("%d calls of %s have ended on record, want %d", len(ended), tool, n)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// lateTime is how long a server may take to answer a call all the same that was cancelled.
const lateTime = 2 * time.Second

// TestResultsAfterACancellationGoNowhere has a server answer a call that was cancelled. That has to happen within lateTime:
// where the machine is too slow for it, the call is cancelled on record, and there is another one.
func TestResultsAfterACancellationGoNowhere(t *testing.T) {
	t.Parallel()
	for _, up := range upstreams {
		t.Run("to "+up, func(t *testing.T) {
			t.Parallel()
			h, rec, ann, _ := two(t, up)
			release, said := make(chan struct{}), make(chan struct{})
			rec.tools["wait"] = func(a *asked) { <-release; a.text("too late"); said <- struct{}{} }
			ann.greet("2025-11-25")
			for n := 1; ; n++ {
				s := ann.open("POST", fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"wait"}}`, 6+n), nil)
				rec.until("the call", func() bool {
					waiting := 0
					for _, a := range rec.messages {
						if a.name == "wait" {
							waiting++
						}
					}
					return waiting == n
				})
				cancel := fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%d}}`, 6+n)
				begun := time.Now()
				if x := ann.post(cancel, nil); x.status != 202 {
					t.Errorf("47 cancel: %d %s", x.status, x.body)
				}
				rec.await("the cancellation", func(a asked) bool { return a.raw == cancel })
				release <- struct{}{}
				<-said
				s.ended()
				got := h.outcomes("wait", n)[n-1]
				if got.Status == "cancelled" && time.Since(begun) >= lateTime && n < 10 {
					continue
				}
				if got.Status != "ok" || !strings.Contains(got.raw, `"result":`) {
					t.Errorf("47 on record is %s, want the result", got.raw)
				}
				again := strings.Replace(goodCall, `"id":7`, fmt.Sprintf(`"id":%d`, 6+n), 1)
				if x := ann.post(again, nil); !strings.Contains(x.last(), "done") {
					t.Errorf("the next call of that id: %d %s", x.status, x.body)
				}
				break
			}
			h.stop()
			h.refusedOnly("ann")
		})
	}
}

func TestProgressIsForItsOwnCallOnly(t *testing.T) {
	t.Parallel()
	for _, up := range upstreams {
		t.Run("to "+up, func(t *testing.T) {
			t.Parallel()
			h, rec, ann, bob := two(t, up)
			progress := func(token string, n int) string {
				return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d}}`, token, n)
			}
			waits := make(chan struct{})
			rec.tools["wait"] = func(a *asked) { <-waits; a.text("done") }
			rec.tools["report"] = func(a *asked) {
				a.send(progress(a.token, 1))
				a.send(progress(`"bobs"`, 2))
				a.send(progress(`99`, 3))
				a.send(progress(a.token, 4))
				a.text("done")
			}
			ann.greet("2025-11-25")
			bob.greet("2025-11-25")
			open := bob.open("POST", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait","_meta":{"progressToken":"bobs"}}}`, nil)
			rec.await("bob's call", func(a asked) bool { return a.name == "wait" })
			x := ann.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"report","_meta":{"progressToken":1.0}}}`, nil)
			if len(x.frames) != 3 || x.frames[0] != progress("1.0", 1) || x.frames[1] != progress("1.0", 4) {
				t.Errorf("48 ann got %q", x.frames)
			}
			close(waits)
			if got := open.next(); !strings.Contains(got, "done") {
				t.Errorf("48 bob got %s", got)
			}
			if up == "http" { // of a child, what is for no call under way is held back before it is anybody's
				h.refusedOnly("ann", "UNSOLICITED", "UNSOLICITED")
			}
		})
	}
}

func TestEventsAreReplayedToTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	for _, up := range upstreams {
		t.Run("to "+up, func(t *testing.T) {
			t.Parallel()
			h, rec, ann, bob := two(t, up)
			note := func(n int) string {
				return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":%d}}`, n)
			}
			ann.greet("2025-11-25")
			bob.greet("2025-11-25")
			s := ann.open("GET", "", nil)
			rec.hear()
			rec.say(note(1))
			e := s.event()
			if e.data != note(1) {
				t.Fatalf("got %+v", e)
			}
			s.close()
			for name, id := range map[string]string{"60 ann's": e.id, "60 bogus": "../../1", "60 negative": "0--1", "60 to come": "0-99", "60 other stream": "77-0"} {
				for who, a := range map[string]*agent{"ann": ann, "bob": bob} {
					if name == "60 ann's" && who == "ann" {
						continue
					}
					s := a.open("GET", "", func(r *http.Request) { r.Header.Set("Last-Event-ID", id) })
					if status, got := s.status(), s.next(); status != 400 || strings.Contains(got, note(1)) {
						t.Errorf("%s by %s: %d %s", name, who, status, got)
					}
				}
			}
			again := ann.open("GET", "", func(r *http.Request) { r.Header.Set("Last-Event-ID", "0-0") })
			if got := again.event(); got != e {
				t.Errorf("ann's own replay: %+v, want %+v", got, e)
			}
			h.refusedOnly("ann", "EVENT_UNKNOWN", "EVENT_UNKNOWN", "EVENT_UNKNOWN", "EVENT_UNKNOWN")
			h.refusedOnly("bob", "EVENT_UNKNOWN", "EVENT_UNKNOWN", "EVENT_UNKNOWN", "EVENT_UNKNOWN", "EVENT_UNKNOWN")
		})
	}
}

func TestBatchMembersAreJudgedOneByOne(t *testing.T) {
	t.Parallel()
	for _, up := range upstreams {
		t.Run("to "+up, func(t *testing.T) {
			t.Parallel()
			h, rec, ann, _ := two(t, up)
			ann.greet("2025-03-26")
			rec.await("initialized", func(a asked) bool { return a.raw == initialized })
			before := len(rec.got())
			member := func(id, name string) string {
				return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q}}`, id, name)
			}
			x := ann.post("["+member("1", "run")+","+member("2", "rm")+","+member("3", "mark_3")+`,{"jsonrpc":"2.0","id":4},7]`, nil)
			var all []struct {
				ID    json.RawMessage
				Error *struct{ Code int }
			}
			if err := json.Unmarshal([]byte(x.body), &all); err != nil || x.status != 200 {
				t.Fatalf("5 batch: %d %s", x.status, x.body)
			}
			codes := map[string]int{}
			for _, a := range all {
				codes[string(a.ID)] = 0
				if a.Error != nil {
					codes[string(a.ID)] = a.Error.Code
				}
			}
			want := map[string]int{"1": 0, "2": -32602, "3": 0, "4": -32600, "null": -32600}
			if fmt.Sprint(codes) != fmt.Sprint(want) || len(all) != len(want) {
				t.Errorf("5 batch: %v, want %v", codes, want)
			}
			var names []string
			for _, m := range rec.got()[before:] {
				names = append(names, m.name)
			}
			if slices.Sort(names); !slices.Equal(names, []string{"mark_3", "run"}) {
				t.Errorf("5 batch: the upstream got %v", names)
			}
			if x := ann.post("[]", nil); x.status != 400 || !strings.Contains(x.body, "-32600") {
				t.Errorf("6 empty batch: %d %s", x.status, x.body)
			}
			refused := h.refusals("ann")
			if slices.Sort(refused); !slices.Equal(refused, []string{"BAD_ENVELOPE", "BATCH", "NOT_AN_OBJECT", "TOOL_NOT_ALLOWED"}) {
				t.Errorf("5 on record: %v", refused)
			}
		})
	}
}
