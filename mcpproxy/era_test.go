package mcpproxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// modern is a request of 2026-07-28; more goes into its params.
func modern(method, more string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{`+metaModern+`%s}}`, method, "1", more)
}

// TestModernRequests goes through the rules of 2026-07-28 over HTTP. What breaks one does not reach the server.
func TestModernRequests(t *testing.T) {
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"`
	call := modernTool("1", "echo", "{}")
	named := func(name string) []func(*http.Request) {
		return []func(*http.Request){modernHead("tools/call", name)}
	}
	with := func(more ...func(*http.Request)) []func(*http.Request) {
		return append([]func(*http.Request){modernHead("tools/call", "echo")}, more...)
	}
	drop := func(name string) func(*http.Request) { return func(r *http.Request) { delete(r.Header, name) } }
	cases := map[string]struct {
		body   string
		head   []func(*http.Request)
		status int
		want   string
	}{
		"sound":                   {call, with(), 200, `"result"`},
		"with a session":          {call, with(header("Mcp-Session-Id", "whatever")), 200, `"result"`},
		"name in Base64":          {call, named("=?base64?ZWNobw==?="), 200, `"result"`},
		"other name in Base64":    {call, named("=?base64?ZWNobzI=?="), 400, errorCode(-32020)},
		"broken Base64":           {call, named("=?base64?Z?="), 400, errorCode(-32020)},
		"other name":              {call, named("echo2"), 400, errorCode(-32020)},
		"name in other case":      {call, named("Echo"), 400, errorCode(-32020)},
		"no name":                 {call, with(drop("Mcp-Name")), 400, errorCode(-32020)},
		"two names":               {call, with(func(r *http.Request) { r.Header["Mcp-Name"] = []string{"echo", "echo"} }), 400, errorCode(-32020)},
		"no method":               {call, with(drop("Mcp-Method")), 400, errorCode(-32020)},
		"other method":            {call, with(header("Mcp-Method", "tools/list")), 400, errorCode(-32020)},
		"method in other case":    {call, with(header("Mcp-Method", "Tools/Call")), 400, errorCode(-32020)},
		"no version header":       {call, with(drop("Mcp-Protocol-Version")), 400, errorCode(-32020)},
		"legacy version header":   {call, with(header("Mcp-Protocol-Version", "2025-11-25")), 400, errorCode(-32020)},
		"legacy body":             {tool("1", "echo", "{}"), with(), 400, errorCode(-32602)},
		"legacy body, no method":  {tool("1", "echo", "{}"), with(drop("Mcp-Method")), 400, errorCode(-32020)},
		"legacy initialize":       {hello, []func(*http.Request){modernHead("initialize", "")}, 400, errorCode(-32020)},
		"no capabilities":         {`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{` + meta + `}}}`, []func(*http.Request){modernHead("tools/list", "")}, 400, errorCode(-32602)},
		"capabilities no object":  {`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{` + meta + `,"io.modelcontextprotocol/clientCapabilities":[]}}}`, []func(*http.Request){modernHead("tools/list", "")}, 400, errorCode(-32602)},
		"version of the future":   {strings.Replace(modern("tools/list", ""), "2026-07-28", "2999-01-01", 1), []func(*http.Request){modernHead("tools/list", ""), header("Mcp-Protocol-Version", "2999-01-01")}, 400, errorCode(-32022)},
		"legacy version in both":  {strings.Replace(modern("tools/list", ""), "2026-07-28", "2025-06-18", 1), []func(*http.Request){modernHead("tools/list", ""), header("Mcp-Protocol-Version", "2025-06-18")}, 400, errorCode(-32022)},
		"version no string":       {strings.Replace(modern("tools/list", ""), `"2026-07-28"`, "7", 1), []func(*http.Request){modernHead("tools/list", "")}, 400, errorCode(-32602)},
		"initialize":              {modern("initialize", ""), []func(*http.Request){modernHead("initialize", "")}, 404, errorCode(-32601)},
		"ping":                    {modern("ping", ""), []func(*http.Request){modernHead("ping", "")}, 404, errorCode(-32601)},
		"logging/setLevel":        {modern("logging/setLevel", ""), []func(*http.Request){modernHead("logging/setLevel", "")}, 404, errorCode(-32601)},
		"resources/subscribe":     {modern("resources/subscribe", ""), []func(*http.Request){modernHead("resources/subscribe", "")}, 404, errorCode(-32601)},
		"resources/unsubscribe":   {modern("resources/unsubscribe", ""), []func(*http.Request){modernHead("resources/unsubscribe", "")}, 404, errorCode(-32601)},
		"resource":                {modern("resources/read", `,"uri":"file:///x"`), []func(*http.Request){modernHead("resources/read", "file:///x")}, 200, `"result"`},
		"other resource":          {modern("resources/read", `,"uri":"file:///x"`), []func(*http.Request){modernHead("resources/read", "file:///y")}, 400, errorCode(-32020)},
		"task":                    {modern("tasks/get", `,"taskId":"t"`), []func(*http.Request){modernHead("tasks/get", "t")}, 200, "There is no such task."},
		"other task":              {modern("tasks/cancel", `,"taskId":"t"`), []func(*http.Request){modernHead("tasks/cancel", "u")}, 400, errorCode(-32020)},
		"an answer":               {`{"jsonrpc":"2.0","id":"ask-1","result":{}}`, with(), 400, `"error"`},
		"notification":            {`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, []func(*http.Request){modernHead("notifications/cancelled", "")}, 202, ""},
		"a call without an id":    {strings.Replace(call, `"id":1,`, "", 1), with(), 202, ""},
		"a batch":                 {"[" + call + "]", with(), 400, "no batches"},
		"parameter":               {modernTool("1", "mirrored", `{"a":{"b":"x"}}`), append(named("mirrored"), header("Mcp-Param-B", "x")), 200, `"result"`},
		"parameter in Base64":     {modernTool("1", "mirrored", `{"a":{"b":"x"}}`), append(named("mirrored"), header("Mcp-Param-B", "=?base64?eA==?=")), 200, `"result"`},
		"other parameter":         {modernTool("1", "mirrored", `{"a":{"b":"x"}}`), append(named("mirrored"), header("Mcp-Param-B", "y")), 400, errorCode(-32020)},
		"no parameter":            {modernTool("1", "mirrored", `{"a":{"b":"x"}}`), named("mirrored"), 400, errorCode(-32020)},
		"parameter of nothing":    {modernTool("1", "mirrored", `{"a":{}}`), append(named("mirrored"), header("Mcp-Param-B", "x")), 400, errorCode(-32020)},
		"parameter null":          {modernTool("1", "mirrored", `{"a":{"b":null}}`), named("mirrored"), 200, `"result"`},
		"parameter of an integer": {modernTool("1", "mirrored", `{"a":{"b":7}}`), append(named("mirrored"), header("Mcp-Param-B", "7")), 200, `"result"`},
		"two parameters": {
			modernTool("1", "mirrored", `{"a":{"b":"x"}}`),
			append(named("mirrored"), func(r *http.Request) { r.Header["Mcp-Param-B"] = []string{"x", "x"} }), 400, errorCode(-32020),
		},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				w.catalog.params = []mcpproxy.HeaderParam{{Name: "B", Path: []string{"a", "b"}}}
				status, got := w.agent("alice").call(x.body, x.head...)
				if status != x.status || !strings.Contains(got, x.want) {
					t.Errorf("got %d %s", status, got)
				}
				if sent := len(w.server.messages("")) > 0; sent != (x.status == 200 && name != "task") {
					t.Errorf("the server got %s", w.server.messages(""))
				}
			})
		})
	}
}

func TestModernHeadersAreMadeAnew(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		w.catalog.params = []mcpproxy.HeaderParam{{Name: "B", Path: []string{"a", "b"}}}
		var got http.Header
		w.server.intrude = wiretap(&got)
		status, _ := w.agent("alice").call(
			modernTool("1", "mirrored", `{"a":{"b":"x"}}`), modernHead("tools/call", "=?base64?bWlycm9yZWQ=?="), header("Mcp-Param-B", "=?base64?eA==?="),
			header("Mcp-Param-Unknown", "kept"), header("Mcp-Session-Id", "mine"), header("Cookie", "c"), header("X-Forwarded-For", "1.2.3.4"),
		)
		if status != 200 {
			t.Errorf("status %d", status)
		}
		for name, want := range map[string]string{
			"Mcp-Method": "tools/call", "Mcp-Name": "mirrored", "Mcp-Param-B": "x", "Mcp-Param-Unknown": "kept", "Mcp-Protocol-Version": "2026-07-28",
			"Mcp-Session-Id": "", "Authorization": "", "Cookie": "", "X-Forwarded-For": "",
		} {
			if got.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, got.Get(name), want)
			}
		}
	})
}

func TestEndpointServesBothEras(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		if status, got := c.call(modernTool("1", "echo", "{}"), modernHead("tools/call", "echo")); status != 200 || !strings.Contains(got, "result") {
			t.Errorf("later era: %d %s", status, got)
		}
		if status, got := c.call(tool("1", "echo", "{}")); status != 200 || !strings.Contains(got, "result") {
			t.Errorf("earlier era: %d %s", status, got)
		}
		all := w.journal.find("tools/call")
		if len(all) != 2 || all[0].origin.Protocol != "2026-07-28" || all[0].origin.Session != "" || all[1].origin.Session == "" {
			t.Errorf("on record is %+v", all)
		}
	})
}

// TestServerThatRefusesAVersionThatItKnows has a server refuse once, and say that it supports what it was asked for. That is
// for the agent to ask again, and no server of the earlier era.
func TestServerThatRefusesAVersionThatItKnows(t *testing.T) {
	for _, method := range []string{"server/discover", "tools/list"} {
		t.Run(method, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				refused := false
				w.server.intrude = func(out http.ResponseWriter, _ *http.Request, f *wire.Frame) bool {
					if refused || f.String(wire.Method) != method {
						return false
					}
					refused = true
					out.Header().Set("Content-Type", "application/json")
					out.WriteHeader(http.StatusBadRequest)
					fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32022,"message":"no","data":{"supported":["2026-07-28"],"requested":"2026-07-28"}}}`, f.Get(wire.ID))
					return true
				}
				c := w.agent("alice")
				if status, got := c.call(modern(method, ""), modernHead(method, "")); status != 400 || !strings.Contains(got, `"supported":["2026-07-28"]`) {
					t.Errorf("first: %d %s", status, got)
				}
				if status, got := c.call(modern(method, ""), modernHead(method, "")); status != 200 || !strings.Contains(got, `"result"`) {
					t.Errorf("second: %d %s", status, got)
				}
				if got := w.server.messages(`"initialize"`); len(got) > 0 {
					t.Errorf("the server was greeted: %s", got)
				}
			})
		})
	}
}
