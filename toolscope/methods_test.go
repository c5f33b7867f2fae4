package toolscope_test

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope"
)

// everything is a connection that grants all that can be granted.
var everything = toolscope.Config{
	Tools: tools("*"), Resources: pats("*"), Prompts: pats("*"), Sampling: toolscope.Sampling{Word: toolscope.Allow}, Elicitation: toolscope.Elicitation{Word: toolscope.Allow}, Roots: toolscope.Roots{Word: toolscope.Allow},
}

// form is how a message is sent.
type form struct {
	agent, server bool // who may send it
	note          bool
	params        string
}

// defined are the methods of all revisions, written down once more from the schemas of the protocol.
var defined = map[string]form{
	"initialize":               {agent: true, params: `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}`},
	"ping":                     {agent: true, server: true},
	"server/discover":          {agent: true},
	"tools/list":               {agent: true},
	"tools/call":               {agent: true, params: `{"name":"get_x"}`},
	"prompts/list":             {agent: true},
	"prompts/get":              {agent: true, params: `{"name":"p"}`},
	"resources/list":           {agent: true},
	"resources/templates/list": {agent: true},
	"resources/read":           {agent: true, params: `{"uri":"file:///a"}`},
	"resources/subscribe":      {agent: true, params: `{"uri":"file:///a"}`},
	"resources/unsubscribe":    {agent: true, params: `{"uri":"file:///a"}`},
	"subscriptions/listen":     {agent: true, params: `{"notifications":{}}`},
	"completion/complete":      {agent: true, params: `{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":""}}`},
	"logging/setLevel":         {agent: true, params: `{"level":"info"}`},
	"tasks/get":                {agent: true, server: true, params: `{"taskId":"1"}`},
	"tasks/result":             {agent: true, server: true, params: `{"taskId":"1"}`},
	"tasks/list":               {agent: true, server: true},
	"tasks/cancel":             {agent: true, server: true, params: `{"taskId":"1"}`},
	"tasks/update":             {agent: true, params: `{"taskId":"1","inputResponses":{}}`},

	"sampling/createMessage": {server: true},
	"elicitation/create":     {server: true, params: `{"message":"m","requestedSchema":{}}`},
	"roots/list":             {server: true},

	"notifications/initialized":                {agent: true, note: true},
	"notifications/cancelled":                  {agent: true, server: true, note: true, params: `{"requestId":1}`},
	"notifications/progress":                   {agent: true, server: true, note: true, params: `{"progressToken":1,"progress":1}`},
	"notifications/roots/list_changed":         {agent: true, note: true},
	"notifications/message":                    {server: true, note: true},
	"notifications/tools/list_changed":         {server: true, note: true},
	"notifications/prompts/list_changed":       {server: true, note: true},
	"notifications/resources/list_changed":     {server: true, note: true},
	"notifications/resources/updated":          {server: true, note: true, params: `{"uri":"file:///a"}`},
	"notifications/elicitation/complete":       {server: true, note: true},
	"notifications/tasks/status":               {agent: true, server: true, note: true, params: `{"taskId":"1"}`},
	"notifications/tasks":                      {server: true, note: true, params: `{"taskId":"1"}`},
	"notifications/subscriptions/acknowledged": {server: true, note: true},
}

func (f form) write(method string) string {
	params := f.params
	if params == "" {
		params = "{}"
	}
	if f.note {
		return notification(method, params)
	}
	return request(method, params)
}

func TestEachMethodPassesFromItsOwnEndOnly(t *testing.T) {
	l := connect(t, everything)
	for method, f := range defined {
		for d, may := range map[policy.Direction]bool{policy.ToUpstream: f.agent, policy.ToAgent: f.server} {
			want := "METHOD_NOT_ALLOWED"
			if may {
				want = ""
			}
			raw := f.write(method)
			sent, code := l.decide(t, raw, d)
			if code != want {
				t.Errorf("%s %s: got %q, want %q", method, d, code, want)
			}
			if method == "elicitation/create" {
				sent = strings.Replace(sent, "up asks: ", "", 1)
			}
			if code == "" && sent != raw {
				t.Errorf("%s %s: sent as %s", method, d, sent)
			}
			f := f
			f.note = !f.note
			if _, code := l.decide(t, f.write(method), d); code != "METHOD_NOT_ALLOWED" {
				t.Errorf("%s %s with and without id changed: got %q", method, d, code)
			}
		}
	}
}

func TestUnknownMethodsPassOnlyWhereAPatternNamesThem(t *testing.T) {
	cases := map[string]struct {
		methods []policy.Pattern
		method  string
		want    string
	}{
		"no methods":           {nil, "vendor/x", "METHOD_NOT_ALLOWED"},
		"no pattern":           {pats(), "vendor/x", "METHOD_NOT_ALLOWED"},
		"another pattern":      {pats("tools/*"), "vendor/x", "METHOD_NOT_ALLOWED"},
		"a pattern":            {pats("tools/*", "vendor/*"), "vendor/x", ""},
		"the name":             {pats("vendor/x"), "vendor/x", ""},
		"other case":           {pats("vendor/x"), "vendor/X", "METHOD_NOT_ALLOWED"},
		"known in other case":  {nil, "Tools/call", "METHOD_NOT_ALLOWED"},
		"rpc namespace":        {nil, "rpc.discover", "METHOD_NOT_ALLOWED"},
		"empty list of tools":  {pats("tools/call"), "tools/list", "METHOD_NOT_GRANTED"},
		"session needs it":     {pats("tools/call"), "ping", ""},
		"initialize":           {pats(), "initialize", ""},
		"discover":             {pats(), "server/discover", ""},
		"listed":               {pats("tools/*"), "tools/list", ""},
		"goes with another":    {pats("resources/subscribe"), "resources/unsubscribe", ""},
		"not with another one": {pats("resources/read"), "resources/unsubscribe", "METHOD_NOT_GRANTED"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := everything
			cfg.Methods = c.methods
			l := connect(t, cfg)
			if _, code := l.agentSends(t, request(c.method, `{"uri":"file:///a"}`)); code != c.want {
				t.Errorf("got %q, want %q", code, c.want)
			}
		})
	}
}

func TestNotificationsGoWithTheRequestTheyBelongTo(t *testing.T) {
	cfg := everything
	cfg.Methods = pats("tools/list", "tools/call", "resources/subscribe", "vendor/*")
	l := connect(t, cfg)
	for method, want := range map[string]string{
		"notifications/tools/list_changed":     "",
		"notifications/prompts/list_changed":   "METHOD_NOT_GRANTED",
		"notifications/resources/list_changed": "METHOD_NOT_GRANTED",
		"notifications/resources/updated":      "",
		"notifications/message":                "METHOD_NOT_GRANTED",
		"notifications/progress":               "",
		"notifications/cancelled":              "",
		"vendor/told":                          "",
	} {
		if _, code := l.serverSends(t, notification(method, `{"uri":"file:///a"}`)); code != want {
			t.Errorf("%s: got %q, want %q", method, code, want)
		}
	}
}

func TestServersAskOnlyWhatIsAllowed(t *testing.T) {
	denied := map[string]string{
		"sampling/createMessage": "SAMPLING_NOT_ALLOWED",
		"elicitation/create":     "ELICITATION_NOT_ALLOWED",
		"roots/list":             "ROOTS_NOT_ALLOWED",
	}
	allow := map[string]toolscope.Config{
		"sampling/createMessage": {Sampling: toolscope.Sampling{Word: toolscope.Allow}},
		"elicitation/create":     {Elicitation: toolscope.Elicitation{Word: toolscope.Allow}},
		"roots/list":             {Roots: toolscope.Roots{Word: toolscope.Allow}, Methods: pats("tools/*")}, // its own key decides, not methods
	}
	const form = `{"message":"m","requestedSchema":{}}`
	none := connect(t, toolscope.Config{})
	for method, reason := range denied {
		if _, code := none.serverSends(t, request(method, form)); code != reason {
			t.Errorf("%s by default: got %q, want %q", method, code, reason)
		}
		l := connect(t, allow[method])
		for other, reason := range denied {
			want := reason
			if other == method {
				want = ""
			}
			if _, code := l.serverSends(t, request(other, form)); code != want {
				t.Errorf("%s where %s is allowed: got %q, want %q", other, method, code, want)
			}
			c := l.message(t, answer("{}"), policy.ToUpstream)
			c.Method = other
			if _, out, _ := policy.Decide(t.Context(), c); out.Allowed != (want == "") {
				t.Errorf("answer to %s where %s is allowed: %+v", other, method, out)
			}
		}
	}
}

func TestAnswersToNothingAreRefused(t *testing.T) {
	cfg := everything
	cfg.Methods = pats("vendor/*")
	l := connect(t, cfg)
	for method, want := range map[string]bool{
		"": false, "ping": true, "tools/call": false, "notifications/message": false, "vendor/ask": true, "other/ask": false,
		"tasks/get": false,
	} {
		for _, raw := range []string{answer("{}"), `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}`} {
			c := l.message(t, raw, policy.ToUpstream)
			c.Method = method
			_, out, _ := policy.Decide(t.Context(), c)
			if out.Allowed != want || out.Fault != nil {
				t.Errorf("answer to %q: %+v", method, out)
			}
		}
	}
	c := l.message(t, answer("{}"), policy.ToAgent)
	c.Method = "ping"
	if _, out, _ := policy.Decide(t.Context(), c); out.Allowed {
		t.Error("an upstream's answer passed as a call")
	}
	l = connect(t, everything)
	for method, want := range map[string]bool{"tasks/get": true, "roots/list": true, "tools/call": false, "notifications/message": false} {
		c = l.message(t, answer("{}"), policy.ToUpstream)
		c.Method = method
		if _, out, _ := policy.Decide(t.Context(), c); out.Allowed != want {
			t.Errorf("answer to %s where all is granted: %+v", method, out)
		}
	}
}

func TestWithoutGrantsTheRestOfTheProtocolIsClosed(t *testing.T) {
	l := connect(t, toolscope.Config{})
	for method, want := range map[string]string{
		"tasks/get": "METHOD_NOT_GRANTED", "tasks/update": "METHOD_NOT_GRANTED", "tools/call": "TOOL_NOT_ALLOWED",
		"prompts/get": "PROMPT_NOT_ALLOWED", "resources/read": "RESOURCE_NOT_ALLOWED", "resources/subscribe": "RESOURCE_NOT_ALLOWED",
		"completion/complete": "PROMPT_NOT_ALLOWED", "tools/list": "", "prompts/list": "", "ping": "", "initialize": "",
		"subscriptions/listen": "", "notifications/roots/list_changed": "ROOTS_NOT_ALLOWED",
		"notifications/tasks/status": "METHOD_NOT_GRANTED", "notifications/initialized": "",
	} {
		if _, code := l.agentSends(t, defined[method].write(method)); code != want {
			t.Errorf("%s: got %q, want %q", method, code, want)
		}
	}
	for method, want := range map[string]string{
		"notifications/tools/list_changed": "METHOD_NOT_GRANTED", "notifications/prompts/list_changed": "METHOD_NOT_GRANTED",
		"notifications/resources/list_changed": "METHOD_NOT_GRANTED", "notifications/resources/updated": "RESOURCE_NOT_ALLOWED",
		"notifications/tasks": "METHOD_NOT_GRANTED", "notifications/elicitation/complete": "ELICITATION_NOT_ALLOWED",
		"notifications/message": "", "tasks/get": "METHOD_NOT_GRANTED", "ping": "",
	} {
		if _, code := l.serverSends(t, defined[method].write(method)); code != want {
			t.Errorf("%s: got %q, want %q", method, code, want)
		}
	}
}

func TestACallThatIsNotItsMessageIsAFault(t *testing.T) {
	l := connect(t, everything)
	for name, spoil := range map[string]func(*policy.Call){
		"method": func(c *policy.Call) { c.Method = "tools/list" },
		"target": func(c *policy.Call) { c.Target = "get_y" },
	} {
		for _, raw := range []string{
			request("tools/call", `{"name":"get_x"}`), request("prompts/get", `{"name":"p"}`), request("resources/read", `{"uri":"a:b"}`),
		} {
			c := l.message(t, raw, policy.ToUpstream)
			spoil(c)
			if _, out, _ := policy.Decide(t.Context(), c); out.Allowed || out.Reason != policy.ReasonFault || out.Fault == nil {
				t.Errorf("%s of %s: %+v", name, raw, out)
			}
		}
	}
}

// TestObserveLetsPassWhatIsNotGrantedAndNothingElse is what mode observe is for: to see what a policy would refuse, not to
// open the protocol.
func TestObserveLetsPassWhatIsNotGrantedAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		send string
		code string // that no mode lets pass; empty where observe does
	}{
		"a tool that is not granted":     {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop","arguments":{}}}`, ""},
		"a call without an id":           {`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"get_x","arguments":{}}}`, "METHOD_NOT_ALLOWED"},
		"a notification of the server":   {`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`, "METHOD_NOT_ALLOWED"},
		"a request of the server":        {`{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`, "METHOD_NOT_ALLOWED"},
		"a name that is no text":         {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7,"arguments":{}}}`, "INVALID_NAME"},
		"a method that does not exist":   {`{"jsonrpc":"2.0","id":1,"method":"tools/destroy"}`, "METHOD_NOT_ALLOWED"},
		"a URI that reads in two ways":   {`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a/../b"}}`, "INVALID_URI"},
		"a resource that is not granted": {`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///b"}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := connect(t, toolscope.Config{Tools: tools("get_x"), Resources: pats("file:///a")})
			l.Gates[0].Observe = true
			if _, code := l.agentSends(t, c.send); code != c.code {
				t.Errorf("got %q, want %q", code, c.code)
			}
		})
	}
}
