package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// echoYAML is a configuration of one agent that may call everything of rawecho, over HTTP and stdio.
func echoYAML(upstream string) string {
	return `version: 1
listen: { mcp: { addr: "127.0.0.1:0", ws: true } }
agents: { tester: key, here: local }
upstreams: { up: ` + upstream + ` }
connections:
  all: { from: "*", to: up, tools: ["*"], methods: ["*"] }
`
}

// forms are values that parsers and printers like to change, each as it is written.
var forms = map[string]string{
	"integer beyond 2^64": "12345678901234567890", "1.0": "1.0", "exponent": "1E+2", "negative zero": "-0", "huge": "1e400", "tiny": "1e-400",
	"long fraction": "0.1000000000000000055511151231257827", "escapes": `"\u00e9\/"`, "line separator": "\"\u2028\"", "lone surrogate": `"\ud800"`,
	"NUL": `"a\u0000b"`, "empty": `""`, "null": "null", "HTML": `"<a>&'"`, "order": `{"z":1,"a":2,"10":3,"9":4}`, "__proto__": `{"__proto__":{"x":1}}`,
	"nesting of 200": strings.Repeat("[", 200) + strings.Repeat("]", 200), "spaces": "{ \"a\" :\t1 , \"b\":[ ] }", "emoji": `"😀"`,
}

// params are whole params objects.
var params = map[string]string{
	"no arguments":   `{"name":"echo"}`,
	"arguments null": `{"name":"echo","arguments":null}`,
	"unknown param":  `{"name":"echo","arguments":{},"x-param":{"a":1.0}}`,
	"unknown _meta":  `{"name":"echo","arguments":{},"_meta":{"com.example/x":{"n":1.0},"progressToken":9007199254740993}}`,
}

// conversation is a session of a test with the echo server.
type conversation struct {
	t   *testing.T
	ask func(request string) string // returns the answer
}

// eachTransport runs a test over each transport of agents, with an upstream over each transport of servers.
func eachTransport(t *testing.T, test func(c conversation)) {
	t.Helper()
	for _, up := range ways {
		for _, front := range fronts {
			t.Run(front+" to "+up, func(t *testing.T) {
				t.Parallel()
				h := newHopgate(t, echoYAML(echoOver(t, up)))
				var key string
				if front != "stdio" {
					key = h.key("tester")
					h.serve()
				}
				if front != "http" {
					c := h.line(front, "up", key)
					c.greet("2025-11-25")
					test(conversation{t, c.ask})
					return
				}
				a := h.agent("up", key)
				a.greet("2025-11-25")
				test(conversation{t, func(request string) string { return a.post(request, nil).last() }})
			})
		}
	}
}

// echoOver is the echo server in a configuration, by the way that it is reached.
func echoOver(t *testing.T, way string) string {
	t.Helper()
	if way == "stdio" {
		return `{ command: ["` + program(t, "rawecho") + `"] }`
	}
	base := strings.TrimSuffix(rawEcho(t), "/mcp")
	return map[string]string{
		"http": `{ url: "` + base + `/mcp" }`, "sse": `{ url: "` + base + `/sse", transport: sse }`,
		"ws": `{ url: "ws` + strings.TrimPrefix(base, "http") + `/ws" }`,
	}[way]
}

func TestNothingIsLostOnTheWay(t *testing.T) {
	eachTransport(t, func(c conversation) {
		cases := map[string]string{}
		for name, v := range forms {
			cases[name] = `{"name":"echo","arguments":{"v":` + v + `}}`
		}
		maps.Copy(cases, params)
		for name, params := range cases {
			request := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":` + params + `}`
			if got := echoed(c.t, c.ask(request)); got != request {
				c.t.Errorf("%s: the server got\n%.300s, want\n%.300s", name, got, request)
			}
		}
	})
}

// echoed is the request that the server received.
func echoed(t *testing.T, answer string) string {
	t.Helper()
	var m struct {
		Result struct{ Content []struct{ Text string } }
	}
	if err := json.Unmarshal([]byte(strings.ReplaceAll(answer, "1e400", "0")), &m); err != nil || len(m.Result.Content) == 0 {
		t.Errorf("no echo in %.300s", answer)
		return ""
	}
	raw, err := base64.StdEncoding.DecodeString(m.Result.Content[0].Text)
	if err != nil {
		t.Error(err)
	}
	return string(raw)
}

func TestResultsComeBackByteForByte(t *testing.T) {
	eachTransport(t, func(c conversation) {
		got := c.ask(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo"}}`)
		for _, want := range []string{
			`"big":12345678901234567890`, `"frac":1.0`, `"exp":1E+2`, `"neg0":-0`, `"small":1e-400`, `"huge":1e400`,
			`"long":0.1000000000000000055511151231257827`, `"esc":"\u00e9\/\u2028"`, `"z":1,"a":2`, `"lone":"\ud800"`, `"x-unknown":{"keep":true}`,
		} {
			if !strings.Contains(got, want) {
				c.t.Errorf("%s is lost in %s", want, got)
			}
		}
		list := c.ask(`{"jsonrpc":"2.0","id":8,"method":"tools/list"}`)
		for _, want := range []string{`"x-vendor":{"n":1.0}`, `"x-list":1`} {
			if !strings.Contains(list, want) {
				c.t.Errorf("%s is lost in %s", want, list)
			}
		}
		if got := c.ask(`{"jsonrpc":"2.0","id":9,"method":"logging/setLevel","params":{"level":"x"}}`); got != `{"jsonrpc":"2.0","id":9,"result":{}}` {
			c.t.Errorf("got %s", got)
		}
	})
}

func TestIDsKeepTheirBytesOrAreRefused(t *testing.T) {
	eachTransport(t, func(c conversation) {
		for id, kept := range map[string]bool{
			`"7"`: true, "0": true, "9007199254740993": true, "-1": true, `""`: true, `"\u0041"`: true,
			"1.0": false, "1.5": false, "1e400": false, "null": false, "{}": false, "true": false, "[1]": false,
		} {
			got := c.ask(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"echo"}}`, id))
			if kept != strings.Contains(got, `"id":`+id+`,"result"`) || kept == strings.Contains(got, `"code":-32600`) {
				c.t.Errorf("id %s: got %.200s", id, got)
			}
		}
	})
}
