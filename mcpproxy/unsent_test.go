package mcpproxy_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

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

// TestUnsentIsWhatSurelyWasNotSent tells what surely did not reach the server from what may have.
func TestUnsentIsWhatSurelyWasNotSent(t *testing.T) {
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
