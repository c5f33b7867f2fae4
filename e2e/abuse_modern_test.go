package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
)

const modernMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

// modernCall calls a tool in the era of 2026-07-28.
func modernCall(args string) string {
	return `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"run","arguments":` + args + `,` + modernMeta + `}}`
}

// modernHead sets the headers that go with a message, and then others.
func modernHead(method, name string, edits ...func(*http.Request)) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Set("Mcp-Protocol-Version", "2026-07-28")
		r.Header.Set("Mcp-Method", method)
		if name != "" {
			r.Header.Set("Mcp-Name", name)
		}
		for _, edit := range edits {
			edit(r)
		}
	}
}

func without(name string) func(*http.Request) { return func(r *http.Request) { r.Header.Del(name) } }

func encoded(s string) string {
	return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(s)) + "?="
}

// modernAbuses are rows M71 to M82, and what other rows mean in this era.
func modernAbuses() map[string]abuse {
	head := func(edits ...func(*http.Request)) func(*http.Request) {
		return modernHead("tools/call", "run", edits...)
	}
	mismatch := func(edits ...func(*http.Request)) abuse {
		return abuse{send: modernCall("{}"), on: "http", edit: head(edits...), status: 400, code: -32020, id: "7", reason: "HEADER_MISMATCH"}
	}
	fine := func(edits ...func(*http.Request)) abuse {
		return abuse{send: modernCall("{}"), on: "http", edit: head(edits...), status: 200, id: "7", passes: true}
	}
	request := func(method, name, params string, a abuse) abuse {
		a.send = fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q,"params":{%s%s}}`, method, params, modernMeta)
		a.edit, a.id = modernHead(method, name), "7"
		return a
	}
	m := map[string]abuse{
		"M71 right":                  fine(),
		"M71 no method":              mismatch(without("Mcp-Method")),
		"M71 no name":                mismatch(without("Mcp-Name")),
		"M71 other method":           mismatch(set("Mcp-Method", "tools/list")),
		"M71 method in other case":   mismatch(set("Mcp-Method", "Tools/Call")),
		"M71 other name":             mismatch(set("Mcp-Name", "rm")),
		"M71 name in other case":     mismatch(set("Mcp-Name", "RUN")),
		"M72 encoded, equal":         fine(set("Mcp-Name", encoded("run"))),
		"M72 encoded, different":     mismatch(set("Mcp-Name", encoded("rm"))),
		"M72 encoded, broken":        mismatch(set("Mcp-Name", "=?base64?!?=")),
		"M74 body 2026, header 2025": mismatch(set("Mcp-Protocol-Version", "2025-11-25")),
		"M74 body 2026, no header":   mismatch(without("Mcp-Protocol-Version")),
		"M74 body 2025, header 2026": {send: goodCall, on: "http", edit: head(), status: 400, code: -32602, id: "7", reason: "META_MISSING"},
		"M74 no capabilities": {
			send: strings.Replace(modernCall("{}"), `,"io.modelcontextprotocol/clientCapabilities":{}`, "", 1), edit: head(),
			status: 400, code: -32602, id: "7", reason: "META_MISSING",
		},
		"M75 version to come": {
			send: strings.Replace(modernCall("{}"), "2026-07-28", "2999-01-01", 1), edit: head(set("Mcp-Protocol-Version", "2999-01-01")),
			status: 400, code: -32022, id: "7", reason: "UNSUPPORTED_VERSION",
		},
		"M75 legacy version in _meta": {
			send: strings.Replace(modernCall("{}"), "2026-07-28", "2025-11-25", 1), edit: head(set("Mcp-Protocol-Version", "2025-11-25")),
			status: 400, code: -32022, id: "7", reason: "UNSUPPORTED_VERSION",
		},
		"M82 session header":        fine(set("Mcp-Session-Id", "nobody's")),
		"M77 answer":                {send: `{"jsonrpc":"2.0","id":7,"result":{}}`, on: "http", edit: head(), status: 400, code: -32600, id: "-", reason: "SESSION_MISSING"},
		"19 unknown method":         request("tools/destroy", "", "", abuse{status: 404, code: -32601, reason: "METHOD_NOT_ALLOWED"}),
		"29 forbidden tool":         request("tools/call", "rm", `"name":"rm",`, abuse{status: 200, code: -32602, reason: "TOOL_NOT_ALLOWED"}),
		"43 call without id":        {send: strings.Replace(modernCall("{}"), `"id":7,`, "", 1), on: "http", edit: head(), status: 202, reason: "NO_EFFECT"},
		"43 call without an id":     {send: strings.Replace(modernCall("{}"), `"id":7,`, "", 1), on: "stdio", reason: "METHOD_NOT_ALLOWED"},
		"45 sampling":               request("sampling/createMessage", "", "", abuse{status: 404, code: -32601, reason: "METHOD_NOT_ALLOWED"}),
		"61 Accept anything":        {send: modernCall("{}"), on: "http", edit: head(set("Accept", "*/*")), status: 406, code: -32600, id: "-", reason: "NOT_ACCEPTABLE"},
		"1 not JSON":                {send: "hello", on: "http", edit: head(), status: 400, code: -32700, id: "-", reason: "NOT_JSON"},
		"5 batch":                   {send: "[" + modernCall("{}") + "]", on: "http", edit: head(), status: 400, code: -32600, id: "-", reason: "BATCH"},
		"48 cancelled over HTTP":    {send: `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7,` + modernMeta + `}}`, on: "http", edit: modernHead("notifications/cancelled", ""), status: 202, reason: "NO_EFFECT"},
		"M78 forged state":          request("tools/call", "run", `"name":"run","requestState":"forged",`, abuse{status: 200, code: -32602, reason: "STATE_FORGED"}),
		"M80 input nobody can give": request("tools/call", "input", `"name":"input",`, abuse{status: 200, reason: "ELICITATION_NOT_ALLOWED", passes: true}),
	}
	maps.Copy(m, paramAbuses())
	for _, header := range []string{"Mcp-Name", "Mcp-Method", "Mcp-Protocol-Version"} {
		m["M73 two headers "+header] = abuse{
			send: modernCall("{}"), on: "http", status: 400, code: -32020, id: "-", reason: "DUPLICATE_HEADER",
			edit: head(func(r *http.Request) { r.Header.Add(header, r.Header.Get(header)) }),
		}
	}
	for _, method := range []string{"ping", "initialize", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"} {
		m["M76 "+method] = request(method, "", "", abuse{status: 404, code: -32601, reason: "METHOD_REMOVED"})
	}
	return m
}

// paramAbuses are about a tool of which the argument region is mirrored into a header.
func paramAbuses() map[string]abuse {
	zone := func(args, reason string, edits ...func(*http.Request)) abuse {
		a := abuse{
			send: strings.Replace(modernCall(args), `"run"`, `"zone"`, 1), on: "http", edit: modernHead("tools/call", "zone", edits...),
			status: 200, id: "7", reason: reason, passes: reason == "",
		}
		if !a.passes {
			a.status, a.code = 400, -32020
		}
		return a
	}
	return map[string]abuse{
		"M81 equal":          zone(`{"region":"eu"}`, "", set("Mcp-Param-Region", "eu")),
		"M81 missing":        zone(`{"region":"eu"}`, "HEADER_MISMATCH"),
		"M81 different":      zone(`{"region":"eu"}`, "HEADER_MISMATCH", set("Mcp-Param-Region", "us")),
		"M81 twice":          {send: modernCall("{}"), on: "http", edit: modernHead("tools/call", "run", set("Mcp-Param-X", "1", "1")), status: 400, code: -32020, id: "-", reason: "DUPLICATE_HEADER"},
		"M81 of no argument": zone(`{}`, "HEADER_MISMATCH", set("Mcp-Param-Region", "eu")),
		"M81 none":           zone(`{}`, ""),
		"M81 encoded":        zone(`{"region":"Zürich"}`, "", set("Mcp-Param-Region", encoded("Zürich"))),
		"M81 not ASCII":      zone(`{"region":"Zürich"}`, "HEADER_MISMATCH", set("Mcp-Param-Region", "Zürich")),
		"M81 of nothing, not ASCII": {
			send: modernCall("{}"), on: "http", edit: modernHead("tools/call", "run", set("Mcp-Param-X", "Zürich")),
			status: 400, code: -32020, id: "7", reason: "HEADER_MISMATCH",
		},
		"M81 of another tool": {send: modernCall("{}"), on: "http", edit: modernHead("tools/call", "run", set("Mcp-Param-Region", "eu")), status: 200, id: "7", passes: true},
	}
}

// modernEra is 2026-07-28.
func modernEra() era {
	return era{rows: modernAbuses(), mark: func(i int) (string, func(*http.Request)) {
		name := fmt.Sprintf("mark_%d", i)
		send := fmt.Sprintf(`{"jsonrpc":"2.0","id":%[1]q,"method":"tools/call","params":{"name":%[1]q,%[2]s}}`, name, modernMeta)
		return send, modernHead("tools/call", name)
	}}
}

func TestVersionsThatAreSupportedAreNamed(t *testing.T) {
	t.Parallel()
	rec := newRecorder(t)
	h := newHopgate(t, abuseYAML(rec.upstream("http")))
	key := h.key("a0")
	h.serve()
	row := modernAbuses()["M75 version to come"]
	x := h.agent("up", key).post(row.send, row.edit)
	var m struct {
		Error struct {
			Data struct {
				Supported []string
				Requested string
			}
		}
	}
	if err := json.Unmarshal([]byte(x.body), &m); err != nil {
		t.Fatal(err)
	}
	if d := m.Error.Data; len(d.Supported) == 0 || d.Requested != "2999-01-01" {
		t.Errorf("M75: got %s", x.body)
	}
	for _, method := range []string{"GET", "DELETE"} {
		s := h.agent("up", key).open(method, "", set("Mcp-Protocol-Version", "2026-07-28"))
		if got := s.status(); got != 405 {
			t.Errorf("%s in the later era: %d", method, got)
		}
	}
	h.refusedOnly("a0", "UNSUPPORTED_VERSION", "NO_STREAM", "NO_STREAM")
}
