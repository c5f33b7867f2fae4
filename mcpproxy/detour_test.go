package mcpproxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// legacyOnly makes the fake server one that knows sessions alone.
func (w *world) legacyOnly() {
	w.server.judge = func(string) bool { return true } // what a bridge writes is not what was judged
	w.server.intrude = func(rw http.ResponseWriter, r *http.Request, _ *wire.Frame) bool {
		if r.Header.Get("Mcp-Protocol-Version") != "2026-07-28" {
			return false
		}
		http.Error(rw, "unsupported protocol version", http.StatusBadRequest)
		return true
	}
}

// modernOnly makes the fake server one that knows no sessions. Its tool ask asks the agent's model and user.
func (w *world) modernOnly() {
	w.server.judge = func(string) bool { return true }
	w.server.intrude = func(rw http.ResponseWriter, r *http.Request, q *wire.Frame) bool {
		rw.Header().Set("Content-Type", "application/json")
		said := `{"resultType":"complete"}`
		switch {
		case r.Header.Get("Mcp-Protocol-Version") != "2026-07-28":
			rw.WriteHeader(http.StatusBadRequest)
			io.WriteString(rw, `{"jsonrpc":"2.0","error":{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}}`)
			return true
		case q.String(wire.Method) == "server/discover":
			said = `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"fake","version":"1"}}}`
		case q.String(wire.ParamsName) == "ask" && !q.Has(wire.ParamsInputResponses):
			said = `{"resultType":"input_required","requestState":"s1","inputRequests":{"m":{"method":"sampling/createMessage","params":{"maxTokens":1}},"u":{"method":"elicitation/create","params":{"message":"Who?","requestedSchema":{}}}}}`
		case q.String(wire.Method) == "tools/call":
			said = fmt.Sprintf(`{"resultType":"complete","content":[],"structuredContent":{"state":%q,"got":%s}}`,
				q.String(wire.ParamsRequestState), or(q.Get(wire.ParamsInputResponses), "null"))
		case q.String(wire.Method) == "resources/read":
			fmt.Fprintf(rw, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"no","data":{"uri":"a:b"}}}`, q.Get(wire.ID))
			return true
		}
		fmt.Fprintf(rw, `{"jsonrpc":"2.0","id":%s,"result":%s}`, q.Get(wire.ID), said)
		return true
	}
}

func or(raw []byte, other string) string {
	if raw == nil {
		return other
	}
	return string(raw)
}

const canAll = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"sampling":{},"elicitation":{}},` +
	`"io.modelcontextprotocol/logLevel":"info","progressToken":"mine"}`

func modernRequest(id, method, params string) string {
	return `{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":{` + params + canAll + `}}`
}

func TestModernClientsReachLegacyServers(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		w.legacyOnly()
		c := w.agent("alice")
		_, got := c.call(modernRequest("1", "server/discover", ""), modernHead("server/discover", ""))
		for _, want := range []string{`"id":1`, `"resultType":"complete"`, `"2026-07-28"`, `"tools":`, `serverInfo":{"name":"fake"`} {
			if !strings.Contains(got, want) {
				t.Errorf("discover: no %s in %s", want, got)
			}
		}
		if _, got = c.call(modernRequest("2", "tools/list", ""), modernHead("tools/list", "")); !strings.Contains(got, `"ttlMs":0`) || !strings.Contains(got, `"name":"echo"`) {
			t.Errorf("list: %s", got)
		}
		r := c.post(modernRequest("3", "tools/call", `"name":"progress","arguments":{},`), modernHead("tools/call", "progress"))
		if all := strings.Join(r.all(), "\n"); strings.Count(all, `"progressToken":"mine"`) != 2 || !strings.Contains(all, `"id":3,"result":{"resultType":"complete"`) {
			t.Errorf("progress: %s", all)
		}
		if n := len(w.server.messages(`"method":"initialize"`)); n != 1 {
			t.Errorf("%d sessions were opened", n)
		}

		ask := `"name":"ask","arguments":{"a":1},`
		_, got = c.call(modernRequest("4", "tools/call", ask), modernHead("tools/call", "ask"))
		state, asked := result(t, got, wire.ResultRequestState), result(t, got, wire.ResultInputRequests)
		if !strings.Contains(asked, `"method":"sampling/createMessage"`) || !strings.Contains(asked, `"metadata":{"a":1}`) {
			t.Fatalf("asked is %s", got)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(asked, `{"`), `"`)
		answer := `"inputResponses":{"` + name + `":{"role":"assistant","model":"m","content":{"type":"text","text":"hi"}}},"requestState":` + state + `,`
		_, got = c.call(modernRequest("5", "tools/call", answer+ask), modernHead("tools/call", "ask"))
		if !strings.Contains(got, `"id":5,`) || !strings.Contains(got, `"text":"hi"`) {
			t.Errorf("answered: %s", got)
		}
		if _, got = c.call(modernRequest("6", "tools/call", answer+ask), modernHead("tools/call", "ask")); !strings.Contains(got, "STATE_OVER") {
			t.Errorf("answered again: %s", got)
		}
		if _, got = w.agent("bob").call(modernRequest("7", "tools/call", answer+ask), modernHead("tools/call", "ask")); !strings.Contains(got, "STATE_UNKNOWN") {
			t.Errorf("answered by another: %s", got)
		}
	})
}

func TestLegacyClientsReachModernServers(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		w.modernOnly()
		c := w.session("alice", "2025-06-18") // which checks the version
		if _, got := c.call(`{"jsonrpc":"2.0","id":1,"method":"ping"}`); got != `{"jsonrpc":"2.0","id":1,"result":{}}` {
			t.Errorf("ping: %s", got)
		}
		if _, got := c.call(`{"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"debug"}}`); !strings.Contains(got, `"result":{}`) {
			t.Errorf("level: %s", got)
		}
		_, got := c.call(tool("3", "echo", `{"n":1e400}`))
		if got != `{"jsonrpc":"2.0","id":3,"result":{"content":[],"structuredContent":{"state":"","got":null}}}` {
			t.Errorf("echo: %s", got)
		}
		sent := w.server.messages(`"echo"`)
		if len(sent) != 1 || !strings.Contains(sent[0], `{"n":1e400}`) || !strings.Contains(sent[0], `logLevel":"debug"`) || !strings.Contains(sent[0], `"progressToken":3`) {
			t.Errorf("the server got %q", sent)
		}
		if _, got := c.call(`{"jsonrpc":"2.0","id":4,"method":"resources/read","params":{"uri":"a:b"}}`); !strings.Contains(got, errorCode(-32002)) {
			t.Errorf("no resource: %s", got)
		}

		stream := c.post(tool("5", "ask", `{}`))
		for range 2 {
			ask := stream.must().data
			said := `{"role":"assistant","model":"m","content":{"type":"text","text":"hi"}}`
			if strings.Contains(ask, "elicitation/create") {
				said = `{"action":"decline"}`
			}
			answer := answerTo(t, ask, said)
			if status, got := w.session("bob", "2025-06-18").call(answer); status != 202 || w.last("").code != "ANSWER_UNASKED" {
				t.Errorf("answered by another: %d %s", status, got)
			}
			if status, got := c.call(answer); status != 202 {
				t.Errorf("answered: %d %s", status, got)
			}
		}
		if got := stream.last(); !strings.Contains(got, `"id":5,`) || !strings.Contains(got, `"state":"s1"`) || !strings.Contains(got, `"u":{"action":"decline"}`) || !strings.Contains(got, `"text":"hi"`) {
			t.Errorf("the end is %s", got)
		}
		if e := w.last("tools/call"); e.status != policy.StatusOK {
			t.Errorf("on record: %+v", e)
		}
	})
}

// TestASessionThatTheServerForgets is greeted once more: what only reads is sent again, and of the rest nobody knows what
// became of it.
func TestASessionThatTheServerForgets(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		c.call(`{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"error"}}`)
		w.server.judge = func(string) bool { return true } // it is greeted with what is on record from before
		w.server.forget()
		if _, got := c.call(list("tools/list", "")); !strings.Contains(got, `"name":"echo"`) {
			t.Errorf("a list: %s", got)
		}
		for what, want := range map[string]int{`"initialize"`: 2, `notifications/initialized`: 2, `logging/setLevel`: 2, `tools/list`: 2} {
			if got := len(w.server.messages(what)); got != want {
				t.Errorf("the server got %d %s, want %d", got, what, want)
			}
		}
		w.server.forget()
		if _, got := c.call(tool("2", "echo", "{}")); !strings.Contains(got, "UPSTREAM_FAILED") || !strings.Contains(got, `"retry":"unknown"`) {
			t.Errorf("a call: %s", got)
		}
		if n := len(w.server.messages("tools/call")); n != 1 {
			t.Errorf("the server got %d calls", n)
		}
		synctest.Wait()
		if _, got := c.call(tool("3", "echo", "{}")); !strings.Contains(got, `"got":{}`) {
			t.Errorf("the next call: %s", got)
		}
	})
}
