package toolscope_test

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope"
)

// granting grants a little of everything.
var granting = toolscope.Config{
	Tools: tools("get_*", "set_*?args.n < 5", "never_*?1 == 2"), Deny: pats("get_secret"), Prompts: pats("greet*"),
	Resources: pats("file:///docs/*"),
}

func TestListsAreCutToWhatIsGranted(t *testing.T) {
	cases := map[string]struct{ method, in, want string }{
		"order and bytes stay": {
			"tools/list",
			`{ "x":1e400,"tools": [ {"name":"get_b","y":-0} , {"name":"rm"},{"name":"get_\u0061"},{"name":"set_x"} ], "nextCursor":"" }`,
			`{ "x":1e400,"tools": [ {"name":"get_b","y":-0},{"name":"get_\u0061"},{"name":"set_x"} ], "nextCursor":"" }`,
		},
		"nothing granted":    {"tools/list", `{"tools":[{"name":"rm"},{"name":"get_secret"},{"name":"never_x"}],"nextCursor":"c"}`, `{"tools":[],"nextCursor":"c"}`},
		"nothing there":      {"tools/list", `{"tools":[]}`, `{"tools":[]}`},
		"no list":            {"tools/list", `{"other":1}`, `{"other":1}`},
		"no tools":           {"tools/list", `{"tools":["get_x",null,7,[],{},{"title":"get_x"},{"name":7},{"name":""},{"name":"get_y"}]}`, `{"tools":[{"name":"get_y"}]}`},
		"strange names":      {"tools/list", `{"tools":[{"name":"get_\u0000"},{"name":"get_\ud800"},{"name":"get_` + strings.Repeat("n", 128) + `"},{"name":"get_y"}]}`, `{"tools":[{"name":"get_y"}]}`},
		"twice":              {"tools/list", `{"tools":[{"name":"get_x","a":1},{"name":"get_y"},{"name":"get_\u0078","a":2},{"name":"get_z"}]}`, `{"tools":[{"name":"get_y"},{"name":"get_z"}]}`},
		"alike":              {"tools/list", `{"tools":[{"name":"get_x"},{"name":"get_y"},{"name":"get_X"},{"name":"g\u0435t_x"}]}`, `{"tools":[{"name":"get_y"}]}`},
		"alike and twice":    {"tools/list", `{"tools":[{"name":"get_x"},{"name":"get_X"},{"name":"get_x"},{"name":"get_y"}]}`, `{"tools":[{"name":"get_y"}]}`},
		"alike, not tools":   {"resources/list", `{"resources":[{"uri":"file:///docs/a"},{"uri":"file:///docs/A"}]}`, `{"resources":[{"uri":"file:///docs/a"},{"uri":"file:///docs/A"}]}`},
		"prompts":            {"prompts/list", `{"prompts":[{"name":"greet"},{"name":"other"},{"name":"greet_all"}]}`, `{"prompts":[{"name":"greet"},{"name":"greet_all"}]}`},
		"resources":          {"resources/list", `{"resources":[{"uri":"file:///docs/a","name":"a"},{"uri":"file:///etc/a","name":"b"},{"uri":"file:///docs/../etc","name":"c"},{"name":"d"}]}`, `{"resources":[{"uri":"file:///docs/a","name":"a"}]}`},
		"templates":          {"resources/templates/list", `{"resourceTemplates":[{"uriTemplate":"file:///docs/{x}"},{"uriTemplate":"file:///{+x}"},{"uriTemplate":"http://{x}"}]}`, `{"resourceTemplates":[{"uriTemplate":"file:///docs/{x}"},{"uriTemplate":"file:///{+x}"}]}`},
		"cache scope":        {"tools/list", `{"tools":[],"cacheScope":"public","ttlMs":3600000}`, `{"tools":[],"cacheScope":"private","ttlMs":60000}`},
		"cache scope stays":  {"tools/list", `{"tools":[],"cacheScope":"private","ttlMs":5000}`, `{"tools":[],"cacheScope":"private","ttlMs":5000}`},
		"strange caching":    {"prompts/list", `{"cacheScope":null,"ttlMs":1e9,"prompts":[]}`, `{"cacheScope":"private","ttlMs":0,"prompts":[]}`},
		"negative time":      {"prompts/list", `{"ttlMs":-1}`, `{"ttlMs":0}`},
		"endless time":       {"prompts/list", `{"ttlMs":99999999999999999999999}`, `{"ttlMs":60000}`},
		"no time":            {"prompts/list", `{"ttlMs":"9"}`, `{"ttlMs":0}`},
		"what was read":      {"resources/read", `{"contents":[{"uri":"file:///etc/x","text":"x"}],"cacheScope":"public","ttlMs":3600000}`, `{"contents":[{"uri":"file:///etc/x","text":"x"}],"cacheScope":"private","ttlMs":3600000}`},
		"completion":         {"completion/complete", `{"completion":{"values":["a"]}}`, `{"completion":{"values":["a"]}}`},
		"result of a tool":   {"tools/call", `{"content":[],"tools":[{"name":"rm"}]}`, `{"content":[],"tools":[{"name":"rm"}]}`},
		"escaped and spaced": {"tools/list", "{\"t\\u006fols\" :\n[ {\"n\\u0061me\":\"rm\"} ]}", "{\"t\\u006fols\" :\n[  ]}"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got, code := connect(t, granting).result(t, c.method, c.in); got != c.want {
				t.Errorf("got  %s %s\nwant %s", got, code, c.want)
			}
		})
	}
}

// TestResultsThatSayNoScopeArePrivate is about 2026-07-28, in which what says no scope may be taken for public.
func TestResultsThatSayNoScopeArePrivate(t *testing.T) {
	const private = `"cacheScope":"private"`
	l := connect(t, everything)
	cases := map[string]struct{ in, want string }{
		"none":            {`{"x":1e400,"ttlMs":0}`, `{` + private + `,"x":1e400,"ttlMs":0}`},
		"nothing":         {`{ }`, `{` + private + ` }`},
		"complete":        {`{"resultType":"complete"}`, `{` + private + `,"resultType":"complete"}`},
		"strange":         {`{"resultType":7}`, `{` + private + `,"resultType":7}`},
		"public":          {`{"cacheScope":"public"}`, `{` + private + `}`},
		"private":         {`{"ttlMs":0,"cacheScope":"private"}`, `{"ttlMs":0,"cacheScope":"private"}`},
		"not to be kept":  {`{"resultType":"input_required","inputRequests":{}}`, `{"resultType":"input_required","inputRequests":{}}`},
		"with other cuts": {`{"tools":["no tool",{"name":"a"}],"ttlMs":70000}`, ""},
	}
	for _, method := range []string{"server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read", "tools/call"} {
		c := l.message(t, request(method, `{"uri":"x:y","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}`), policy.ToUpstream)
		for name, x := range cases {
			switch {
			case name == "with other cuts" && method == "tools/list":
				x.want = `{` + private + `,"tools":[{"name":"a"}],"ttlMs":60000}`
			case name == "with other cuts":
				continue
			case method == "tools/call" && name != "public":
				x.want = x.in
			}
			shown, out := policy.Review(t.Context(), c, parse(t, answer(x.in), wire.FromUpstream), policy.Outcome{Allowed: true})
			if got := string(shown.Get(wire.Result)); out.Fault != nil || got != x.want {
				t.Errorf("%s, %s: got %s, want %s (%v)", method, name, got, x.want, out.Fault)
			}
		}
	}
}

func TestAListThatIsNoneIsRefused(t *testing.T) {
	l := connect(t, granting)
	for method, member := range map[string]string{
		"tools/list": "tools", "prompts/list": "prompts", "resources/list": "resources", "resources/templates/list": "resourceTemplates",
	} {
		for _, value := range []string{`{"a":{"name":"rm"}}`, `null`, `"rm"`, `1`} {
			if got, code := l.result(t, method, `{"`+member+`":`+value+`}`); code != "LIST_MALFORMED" {
				t.Errorf("%s %s: got %s %q", method, value, got, code)
			}
		}
	}
}

func TestErrorsOfTheUpstreamPass(t *testing.T) {
	l := connect(t, toolscope.Config{})
	f := parse(t, `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}`, wire.FromUpstream)
	v, err := l.screen(t.Context(), l.message(t, request("tools/list", "{}"), policy.ToUpstream), f)
	if err != nil || v.Effect != policy.Allow || v.Rewrite != nil {
		t.Errorf("got %+v %v", v, err)
	}
}

func TestMethodsThatAreLeftOutLeaveNothingToList(t *testing.T) {
	cfg := everything
	cfg.Methods = pats("*/list")
	l := connect(t, cfg)
	for method, in := range map[string]string{
		"tools/list":     `{"tools":[{"name":"a"}]}`,
		"prompts/list":   `{"prompts":[{"name":"a"}]}`,
		"resources/list": `{"resources":[{"uri":"a:b"}]}`,
	} {
		if got, code := l.result(t, method, in); !strings.HasSuffix(got, ":[]}") {
			t.Errorf("%s: got %s %s", method, got, code)
		}
	}
}

func TestResultsAskOnlyWhatIsAllowed(t *testing.T) {
	all := `{"a":{"method":"sampling/createMessage","params":{}},"b":{"method":"elicitation/create","params":{"message":"m","requestedSchema":{}}},"c":{"method":"roots/list"}}`
	cases := map[string]struct {
		cfg  toolscope.Config
		in   string
		want string
	}{
		"all allowed":        {everything, all, ""},
		"sampling denied":    {toolscope.Config{Elicitation: toolscope.Elicitation{Word: toolscope.Allow}, Roots: toolscope.Roots{Word: toolscope.Allow}}, all, "SAMPLING_NOT_ALLOWED"},
		"elicitation denied": {toolscope.Config{Sampling: toolscope.Sampling{Word: toolscope.Allow}, Roots: toolscope.Roots{Word: toolscope.Allow}}, all, "ELICITATION_NOT_ALLOWED"},
		"roots denied":       {toolscope.Config{Sampling: toolscope.Sampling{Word: toolscope.Allow}, Elicitation: toolscope.Elicitation{Word: toolscope.Allow}}, all, "ROOTS_NOT_ALLOWED"},
		"nothing asked":      {toolscope.Config{}, `{}`, ""},
		"another method":     {everything, `{"a":{"method":"tools/call"}}`, "INPUT_REQUEST_INVALID"},
		"no method":          {everything, `{"a":{}}`, "INPUT_REQUEST_INVALID"},
		"no request":         {everything, `{"a":7}`, "INPUT_REQUEST_INVALID"},
		"a list":             {everything, `[{"method":"roots/list"}]`, "INPUT_REQUEST_INVALID"},
		"null":               {everything, `null`, "INPUT_REQUEST_INVALID"},
		"escaped":            {toolscope.Config{}, `{"a":{"m\u0065thod":"roots\/list"}}`, "ROOTS_NOT_ALLOWED"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := c.cfg
			cfg.Tools = tools("*")
			l := connect(t, cfg)
			for _, method := range []string{"tools/call", "prompts/get", "resources/read", "tasks/get"} {
				if _, code := l.result(t, method, `{"resultType":"input_required","inputRequests":`+c.in+`}`); code != c.want {
					t.Errorf("%s: got %q, want %q", method, code, c.want)
				}
			}
			if _, code := l.serverSends(t, notification("notifications/tasks", `{"taskId":"1","inputRequests":`+c.in+`}`)); code != c.want {
				t.Errorf("a task: got %q, want %q", code, c.want)
			}
		})
	}
}

func TestClientsDeclareOnlyWhatIsAllowed(t *testing.T) {
	cases := map[string]struct {
		cfg      toolscope.Config
		in, want string
	}{
		"all denied":    {toolscope.Config{}, `{"roots":{"listChanged":true},"sampling":{},"elicitation":{"form":{}}}`, `{}`},
		"one allowed":   {toolscope.Config{Elicitation: toolscope.Elicitation{Word: toolscope.Allow}}, `{"roots":{}, "elicitation":{"form":{}} ,"sampling":{}}`, `{"elicitation":{"form":{}}}`},
		"others stay":   {toolscope.Config{}, `{ "experimental":{"x":1.0}, "sampling":{}, "extensions":{} }`, `{ "experimental":{"x":1.0}, "extensions":{} }`},
		"escaped":       {toolscope.Config{}, `{"s\u0061mpling":{},"r\u006f\u006fts":{}}`, `{}`},
		"all allowed":   {everything, `{"roots":{},"sampling":{},"elicitation":{}}`, `{"roots":{},"sampling":{},"elicitation":{}}`},
		"nothing":       {toolscope.Config{}, `{}`, `{}`},
		"not an object": {toolscope.Config{}, `["sampling"]`, `["sampling"]`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := c.cfg
			cfg.Tools = tools("*")
			l := connect(t, cfg)
			initialize := func(s string) string {
				return request("initialize", `{"x":1e400,"capabilities":`+s+`,"clientInfo":{}}`)
			}
			if sent, code := l.agentSends(t, initialize(c.in)); sent != initialize(c.want) {
				t.Errorf("initialize: got %q %s", code, sent)
			}
			for _, method := range []string{"tools/call", "tools/list", "server/discover"} {
				modern := func(s string) string {
					return request(method, `{"name":"t","_meta":{"io.modelcontextprotocol/clientCapabilities":`+s+`,"a":1}}`)
				}
				if sent, code := l.agentSends(t, modern(c.in)); sent != modern(c.want) {
					t.Errorf("%s: got %q %s", method, code, sent)
				}
			}
		})
	}
}

func TestServersDeclareOnlyWhatIsGranted(t *testing.T) {
	const full = `{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"completions":{},"logging":{},"tasks":{},"extensions":{"io.modelcontextprotocol/tasks":{},"x/y":{}},"experimental":{}}`
	cases := map[string]struct {
		cfg      toolscope.Config
		in, want string
	}{
		"all granted":       {everything, full, full},
		"nothing granted":   {toolscope.Config{}, full, `{"logging":{},"extensions":{"x/y":{}},"experimental":{}}`},
		"tools only":        {toolscope.Config{Tools: tools("a")}, full, `{"tools":{"listChanged":true},"logging":{},"tasks":{},"extensions":{"io.modelcontextprotocol/tasks":{},"x/y":{}},"experimental":{}}`},
		"prompts only":      {toolscope.Config{Prompts: pats("a")}, full, `{"prompts":{"listChanged":true},"completions":{},"logging":{},"extensions":{"x/y":{}},"experimental":{}}`},
		"methods":           {toolscope.Config{Tools: tools("*"), Prompts: pats("*"), Methods: pats("tools/*")}, full, `{"tools":{"listChanged":true},"extensions":{"x/y":{}},"experimental":{}}`},
		"changes added":     {everything, `{"tools":{},"prompts":{"x":1},"resources":{"listChanged":false}}`, `{"tools":{"listChanged":true},"prompts":{"listChanged":true,"x":1},"resources":{"listChanged":true}}`},
		"escaped spelling":  {toolscope.Config{}, `{"t\u006fols":{}}`, `{}`},
		"strange values":    {everything, `{"tools":true,"prompts":null}`, `{"tools":true,"prompts":null}`},
		"all tools denied":  {toolscope.Config{Tools: tools("a", "b"), Deny: pats("b", "a*")}, `{"tools":{}}`, `{}`},
		"deny everything":   {toolscope.Config{Tools: tools("a*"), Deny: pats("*")}, `{"tools":{}}`, `{}`},
		"no tool satisfies": {toolscope.Config{Tools: tools("get_x"), Tasks: tasks("write")}, `{"tools":{}}`, `{}`},
		"never":             {toolscope.Config{Tools: tools("a*?1 == 2")}, `{"tools":{}}`, `{}`},
		"never at all":      {toolscope.Config{Tasks: tasks("read"), When: expr("false")}, `{"tools":{}}`, `{}`},
		"empty tasks":       {toolscope.Config{Tools: tools("*"), Tasks: tasks()}, `{"tools":{}}`, `{}`},
		"of a task":         {toolscope.Config{Tasks: tasks("write")}, `{"tools":{}}`, `{"tools":{"listChanged":true}}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := connect(t, c.cfg)
			for method, wrap := range map[string]func(string) string{
				"initialize":      func(s string) string { return `{"protocolVersion":"2025-11-25", "capabilities": ` + s + `,"x":1}` },
				"server/discover": func(s string) string { return `{"supportedVersions":["2026-07-28"],"capabilities":` + s + `}` },
			} {
				if got, code := l.result(t, method, wrap(c.in)); got != wrap(c.want) {
					t.Errorf("%s: got %q %s", method, code, got)
				}
			}
		})
	}
	l := connect(t, everything)
	if got, _ := l.result(t, "server/discover", `{"ttlMs":3600000,"cacheScope":"public"}`); got != `{"ttlMs":60000,"cacheScope":"private"}` {
		t.Errorf("discover: got %s", got)
	}
}

func TestSubscriptionsAreCutToWhatIsGranted(t *testing.T) {
	cfg := toolscope.Config{Tools: tools("*"), Resources: pats("file:///docs/*")}
	cases := map[string]struct {
		cfg      toolscope.Config
		in, want string
	}{
		"all granted": {everything, `{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":false,"resourceSubscriptions":["a:b"],"taskIds":["1"]}`, `{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":false,"resourceSubscriptions":["a:b"],"taskIds":["1"]}`},
		"some": {
			cfg, `{"toolsListChanged":true, "promptsListChanged":true,"resourceSubscriptions":["file:///etc/a", "file:///docs/a","file:///docs/../b"],"x":{}}`,
			`{"toolsListChanged":true,"resourceSubscriptions":["file:///docs/a"],"x":{}}`,
		},
		"none":           {toolscope.Config{}, `{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["a:b"],"taskIds":[]}`, `{"resourceSubscriptions":[]}`},
		"lists left out": {toolscope.Config{Tools: tools("*"), Methods: pats("subscriptions/listen", "tools/call")}, `{"toolsListChanged":true}`, `{}`},
		"nothing":        {toolscope.Config{}, `{}`, `{}`},
		"list":           {everything, `[]`, ""},
		"null":           {everything, `null`, ""},
		"not a boolean":  {everything, `{"toolsListChanged":1}`, ""},
		"not a list":     {everything, `{"resourceSubscriptions":"a:b"}`, ""},
		"not a URI":      {everything, `{"resourceSubscriptions":["a:b",7]}`, ""},
		"not an id":      {everything, `{"taskIds":[7]}`, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			listen := func(s string) string {
				return request("subscriptions/listen", `{"a":1,"notifications":`+s+`,"_meta":{"io.modelcontextprotocol/clientCapabilities":{}}}`)
			}
			sent, code := connect(t, c.cfg).agentSends(t, listen(c.in))
			switch {
			case c.want == "" && code != "INVALID_PARAMS":
				t.Errorf("got %q %s", code, sent)
			case c.want != "" && sent != listen(c.want):
				t.Errorf("got  %q %s\nwant %s", code, sent, listen(c.want))
			}
		})
	}
	if _, code := connect(t, everything).agentSends(t, request("subscriptions/listen", `{}`)); code != "INVALID_PARAMS" {
		t.Errorf("without a filter: got %q", code)
	}
}

func TestCompletionsAreGivenForWhatIsGranted(t *testing.T) {
	l := connect(t, granting)
	for ref, want := range map[string]string{
		`{"type":"ref/prompt","name":"greet_x"}`:              "",
		`{"type":"ref/prompt","name":"other"}`:                "PROMPT_NOT_ALLOWED",
		`{"type":"ref/prompt"}`:                               "INVALID_NAME",
		`{"type":"ref/prompt","name":7}`:                      "INVALID_NAME",
		`{"type":"ref/resource","uri":"file:///docs/{x}"}`:    "",
		`{"type":"ref/resource","uri":"file:///docs/a"}`:      "",
		`{"type":"ref/resource","uri":"file:///etc/{x}"}`:     "RESOURCE_NOT_ALLOWED",
		`{"type":"ref/resource","uri":"file:///docs/../{x}"}`: "RESOURCE_NOT_ALLOWED",
		`{"type":"ref/resource","uri":"file:///etc/a"}`:       "RESOURCE_NOT_ALLOWED",
		`{"type":"ref/resource"}`:                             "INVALID_URI",
		`{"type":"ref/other","name":"greet"}`:                 "INVALID_PARAMS",
		`{"name":"greet"}`:                                    "INVALID_PARAMS",
		`"greet"`:                                             "INVALID_PARAMS",
		`{"type":"ref\/prompt","n\u0061me":"gr\u0065et"}`:     "",
	} {
		c := l.message(t, request("completion/complete", `{"ref":`+ref+`}`), policy.ToUpstream)
		_, out, _ := policy.Decide(t.Context(), c)
		got := ""
		if !out.Allowed {
			got = out.Reason.Code
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", ref, got, want)
		}
	}
}
