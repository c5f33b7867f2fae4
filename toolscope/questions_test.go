package toolscope_test

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope"
)

// asking allows everything that an upstream may ask for, within bounds.
func asking() toolscope.Config {
	at := policy.Pos{File: "t.yaml", Line: 70, Col: 1}
	return toolscope.Config{
		Tools: tools("*"), Deny: pats("rm"), Models: pats("claude-*", "small"),
		Sampling:    toolscope.Sampling{At: at},
		Elicitation: toolscope.Elicitation{Fields: pats("issue_key"), URLs: hosts("login.example.com", "*.corp.example", "alt.example:8443"), At: at},
		Roots:       toolscope.Roots{Only: pats("file:///srv/*"), At: at},
	}
}

func hosts(texts ...string) []toolscope.Host {
	var all []toolscope.Host
	for _, text := range texts {
		var h toolscope.Host
		if err := h.UnmarshalText([]byte(text)); err != nil {
			panic(err)
		}
		all = append(all, h)
	}
	return all
}

// TestQuestionsOfServers holds what an upstream asks to the connection, both as a request and inside a result. want is what
// the agent gets; where it is empty, a reason.
func TestQuestionsOfServers(t *testing.T) {
	cases := map[string]struct{ method, params, want, code string }{
		"sampling": {"sampling/createMessage", `{"messages":[],"maxTokens":100}`, `{"messages":[],"maxTokens":100}`, ""},
		"context": {
			"sampling/createMessage", `{"includeContext":"allServers","maxTokens":1}`, `{"includeContext":"none","maxTokens":1}`, "",
		},
		"no context":         {"sampling/createMessage", `{"includeContext":"none","maxTokens":1}`, `{"includeContext":"none","maxTokens":1}`, ""},
		"strange context":    {"sampling/createMessage", `{"maxTokens":1,"includeContext":{"a":1}}`, `{"maxTokens":1,"includeContext":"none"}`, ""},
		"granted tool":       {"sampling/createMessage", `{"tools":[{"name":"get"}],"maxTokens":1}`, `{"tools":[{"name":"get"}],"maxTokens":1}`, ""},
		"denied tool":        {"sampling/createMessage", `{"tools":[{"name":"get"},{"name":"rm"}],"maxTokens":1}`, "", "SAMPLING_TOOL_NOT_ALLOWED"},
		"nameless tool":      {"sampling/createMessage", `{"tools":[{}],"maxTokens":1}`, "", "SAMPLING_TOOL_NOT_ALLOWED"},
		"tools are no array": {"sampling/createMessage", `{"tools":{"a":{"name":"rm"}},"maxTokens":1}`, "", "SAMPLING_TOOL_NOT_ALLOWED"},
		"hints": {
			"sampling/createMessage", `{"maxTokens":1,"modelPreferences":{"hints":[{"name":"gpt"},{"name":"claude-3"},{"x":1}],"y":1.0}}`,
			`{"maxTokens":1,"modelPreferences":{"hints":[{"name":"claude-3"},{"x":1}],"y":1.0}}`, "",
		},
		"no hint stays":   {"sampling/createMessage", `{"maxTokens":1,"modelPreferences":{"hints":[{"name":"gpt"}]}}`, "", "MODEL_NOT_ALLOWED"},
		"hints, no array": {"sampling/createMessage", `{"maxTokens":1,"modelPreferences":{"hints":{"name":"claude-3"}}}`, "", "MODEL_NOT_ALLOWED"},
		"empty hints": {
			"sampling/createMessage", `{"maxTokens":1,"modelPreferences":{"hints":[]}}`, `{"maxTokens":1,"modelPreferences":{"hints":[]}}`, "",
		},
		"form": {
			"elicitation/create", `{"message":"Where?","requestedSchema":{"type":"object","properties":{"city":{"type":"string"}}}}`,
			`{"message":"up asks: Where?","requestedSchema":{"type":"object","properties":{"city":{"type":"string"}}}}`, "",
		},
		"form by name": {
			"elicitation/create", `{"mode":"form","message":"\u0041","requestedSchema":{}}`, `{"mode":"form","message":"up asks: \u0041","requestedSchema":{}}`, "",
		},
		"named field":          {"elicitation/create", field(`"issue_key":{}`), strings.Replace(field(`"issue_key":{}`), `"m"`, `"up asks: m"`, 1), ""},
		"harmless words":       {"elicitation/create", field(`"monkey":{},"keyboard":{},"spinner":{}`), strings.Replace(field(`"monkey":{},"keyboard":{},"spinner":{}`), `"m"`, `"up asks: m"`, 1), ""},
		"password":             {"elicitation/create", field(`"password":{}`), "", "ELICITATION_ASKS_SECRET"},
		"second field":         {"elicitation/create", field(`"a":{},"userPassword":{}`), "", "ELICITATION_ASKS_SECRET"},
		"token":                {"elicitation/create", field(`"gh_token":{}`), "", "ELICITATION_ASKS_SECRET"},
		"capitals":             {"elicitation/create", field(`"API-KEY":{}`), "", "ELICITATION_ASKS_SECRET"},
		"joined":               {"elicitation/create", field(`"apikey":{}`), "", "ELICITATION_ASKS_SECRET"},
		"camel":                {"elicitation/create", field(`"sshKey2":{}`), "", "ELICITATION_ASKS_SECRET"},
		"card":                 {"elicitation/create", field(`"cardNumber":{}`), "", "ELICITATION_ASKS_SECRET"},
		"pin":                  {"elicitation/create", field(`"pin":{}`), "", "ELICITATION_ASKS_SECRET"},
		"spaced out":           {"elicitation/create", field(`"pass_word":{}`), "", "ELICITATION_ASKS_SECRET"},
		"other letters":        {"elicitation/create", field(`"p\u0430ssword":{}`), "", "ELICITATION_ASKS_SECRET"},
		"half a character":     {"elicitation/create", field(`"\ud800":{}`), "", "ELICITATION_ASKS_SECRET"},
		"title":                {"elicitation/create", field(`"a":{"title":"Your API key"}`), "", "ELICITATION_ASKS_SECRET"},
		"format":               {"elicitation/create", field(`"a":{"format":"password"}`), "", "ELICITATION_ASKS_SECRET"},
		"write only":           {"elicitation/create", field(`"a":{"writeOnly":true}`), "", "ELICITATION_ASKS_SECRET"},
		"nested":               {"elicitation/create", field(`"a":{"type":"object","properties":{"secret":{}}}`), "", "ELICITATION_ASKS_SECRET"},
		"in a choice":          {"elicitation/create", `{"message":"m","requestedSchema":{"anyOf":[{"properties":{"secret":{}}}]}}`, "", "ELICITATION_ASKS_SECRET"},
		"full stops":           {"elicitation/create", field(`"a":{"title":"Pass-phrase:"}`), "", "ELICITATION_ASKS_SECRET"},
		"digits":               {"elicitation/create", field(`"p4ssw0rd":{}`), "", "ELICITATION_ASKS_SECRET"},
		"cyrillic":             {"elicitation/create", field(`"a":{"title":"Ваш пароль"}`), "", "ELICITATION_ASKS_SECRET"},
		"chinese":              {"elicitation/create", field(`"a":{"title":"请输入密码"}`), "", "ELICITATION_ASKS_SECRET"},
		"japanese":             {"elicitation/create", field(`"a":{"description":"パスワードを入力"}`), "", "ELICITATION_ASKS_SECRET"},
		"korean":               {"elicitation/create", field(`"a":{"description":"비밀번호를 입력"}`), "", "ELICITATION_ASKS_SECRET"},
		"swedish":              {"elicitation/create", field(`"a":{"title":"L\u00f6senord"}`), "", "ELICITATION_ASKS_SECRET"},
		"description":          {"elicitation/create", field(`"a":{"description":"Type your GitHub passwords here."}`), "", "ELICITATION_ASKS_SECRET"},
		"two words":            {"elicitation/create", field(`"a":{"description":"the card number on it"}`), "", "ELICITATION_ASKS_SECRET"},
		"shouted":              {"elicitation/create", field(`"a":{"description":"the PIN"}`), "", "ELICITATION_ASKS_SECRET"},
		"unreadable title":     {"elicitation/create", field(`"a":{"title":"password\ud800"}`), "", "ELICITATION_ASKS_SECRET"},
		"message":              {"elicitation/create", strings.Replace(field(`"a":{"type":"string"}`), `"m"`, `"Your passw\u043erd?"`, 1), "", "ELICITATION_ASKS_SECRET"},
		"message in pieces":    {"elicitation/create", strings.Replace(field(`"a":{"type":"string"}`), `"m"`, `"Your pass-word?"`, 1), "", "ELICITATION_ASKS_SECRET"},
		"title of the form":    {"elicitation/create", `{"message":"m","requestedSchema":{"title":"API key","properties":{"a":{}}}}`, "", "ELICITATION_ASKS_SECRET"},
		"message, in a choice": {"elicitation/create", `{"message":"Your password?","requestedSchema":{"anyOf":[{"properties":{"a":{}}}]}}`, "", "ELICITATION_ASKS_SECRET"},
		"yes or no": {
			"elicitation/create", strings.Replace(field(`"a":{"type":"boolean","description":"forget the password"},"b":{"enum":["x"]}`), `"m"`, `"Reset the password?"`, 1),
			strings.Replace(field(`"a":{"type":"boolean","description":"forget the password"},"b":{"enum":["x"]}`), `"m"`, `"up asks: Reset the password?"`, 1), "",
		},
		"granted field, though": {
			"elicitation/create", strings.Replace(field(`"issue_key":{"description":"no password"}`), `"m"`, `"no password"`, 1),
			strings.Replace(field(`"issue_key":{"description":"no password"}`), `"m"`, `"up asks: no password"`, 1), "",
		},
		"harmless sentences": {
			"elicitation/create", strings.Replace(field(`"a":{"description":"the secretary who pins a key card"}`), `"m"`, `"Pass me a token, or a spin."`, 1),
			strings.Replace(field(`"a":{"description":"the secretary who pins a key card"}`), `"m"`, `"up asks: Pass me a token, or a spin."`, 1), "",
		},
		"no message":        {"elicitation/create", `{"requestedSchema":{}}`, "", "INPUT_REQUEST_INVALID"},
		"no schema":         {"elicitation/create", `{"message":"m"}`, "", "INPUT_REQUEST_INVALID"},
		"another mode":      {"elicitation/create", `{"mode":"fax","message":"m","requestedSchema":{}}`, "", "INPUT_REQUEST_INVALID"},
		"mode of no string": {"elicitation/create", `{"mode":null,"message":"m","requestedSchema":{}}`, "", "INPUT_REQUEST_INVALID"},
		"url":               {"elicitation/create", link2("https://login.example.com/a?b=c"), strings.Replace(link2("https://login.example.com/a?b=c"), `"m"`, `"up asks: m"`, 1), ""},
		"url, its port":     {"elicitation/create", link2("https://LOGIN.example.com:443"), strings.Replace(link2("https://LOGIN.example.com:443"), `"m"`, `"up asks: m"`, 1), ""},
		"url below":         {"elicitation/create", link2("https://a.b.corp.example/"), strings.Replace(link2("https://a.b.corp.example/"), `"m"`, `"up asks: m"`, 1), ""},
		"url, other port":   {"elicitation/create", link2("https://alt.example:8443/"), strings.Replace(link2("https://alt.example:8443/"), `"m"`, `"up asks: m"`, 1), ""},
		"url, wrong port":   {"elicitation/create", link2("https://login.example.com:8443/"), "", "ELICITATION_URL_NOT_ALLOWED"},
		"url, other host":   {"elicitation/create", link2("https://evil.example/"), "", "ELICITATION_URL_NOT_ALLOWED"},
		"url, host itself":  {"elicitation/create", link2("https://corp.example/"), "", "ELICITATION_URL_NOT_ALLOWED"},
		"url, beside":       {"elicitation/create", link2("https://evilcorp.example/"), "", "ELICITATION_URL_NOT_ALLOWED"},
		"url, disguised":    {"elicitation/create", link2("https://xn--80ak6aa92e.corp.example/"), "", "ELICITATION_URL_NOT_ALLOWED"},
		"url, http":         {"elicitation/create", link2("http://login.example.com/"), "", "ELICITATION_URL_NOT_ALLOWED"},
		"url, user":         {"elicitation/create", link2("https://login.example.com@evil.example/"), "", "ELICITATION_URL_NOT_ALLOWED"},
		"url, backslash":    {"elicitation/create", link2(`https://evil.example\\@login.example.com/`), "", "ELICITATION_URL_NOT_ALLOWED"},
		"url, letters":      {"elicitation/create", link2("https://login.examp\u043be.com/"), "", "ELICITATION_URL_NOT_ALLOWED"},
		"url, none":         {"elicitation/create", `{"mode":"url","message":"m"}`, "", "INPUT_REQUEST_INVALID"},
		"url, script":       {"elicitation/create", link2("javascript:alert(1)"), "", "ELICITATION_URL_NOT_ALLOWED"},
	}
	l := connect(t, asking())
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			want := ""
			if c.code == "" {
				want = request(c.method, c.want)
			}
			if sent, code := l.serverSends(t, request(c.method, c.params)); sent != want || code != c.code {
				t.Errorf("as a request: got  %s %s\nwant %s %s", sent, code, want, c.code)
			}
			result := func(params string) string {
				return `{"inputRequests": { "a":{"method":"roots/list"}, "b":{"method":"` + c.method + `", "params":` + params + `}},"resultType":"input_required"}`
			}
			if want = ""; c.code == "" {
				want = result(c.want)
			}
			if shown, code := l.result(t, "tools/call", result(c.params)); shown != want || code != c.code {
				t.Errorf("in a result: got  %s %s\nwant %s %s", shown, code, want, c.code)
			}
		})
	}
}

func field(properties string) string {
	return `{"message":"m","requestedSchema":{"type":"object","properties":{` + properties + `}}}`
}

func link2(url string) string {
	return `{"mode":"url","message":"m","elicitationId":"1","url":"` + url + `"}`
}

// TestAnswersOfAgents holds what an agent answers to the connection, both as an answer and inside a request.
func TestAnswersOfAgents(t *testing.T) {
	say := asking()
	say.Roots.Only, say.Roots.Say = nil, []toolscope.Root{"file:///a", "file:///b"}
	cases := map[string]struct {
		cfg                    toolscope.Config
		method, in, want, code string
	}{
		"model":         {asking(), "sampling/createMessage", `{"role":"assistant","model":"claude-4"}`, `{"role":"assistant","model":"claude-4"}`, ""},
		"another model": {asking(), "sampling/createMessage", `{"role":"assistant","model":"gpt"}`, "", "MODEL_NOT_ALLOWED"},
		"strange model": {asking(), "sampling/createMessage", `{"role":"assistant","model":7}`, "", "MODEL_NOT_ALLOWED"},
		"user":          {asking(), "elicitation/create", `{"action":"accept","content":{"password":"x"}}`, `{"action":"accept","content":{"password":"x"}}`, ""},
		"roots": {
			asking(), "roots/list", `{"roots":[{"uri":"file:///home/me"},{"uri":"file:///srv/a","name":"x"},{"uri":"file:///srv/../etc"},{}],"y":1.0}`,
			`{"roots":[{"uri":"file:///srv/a","name":"x"}],"y":1.0}`, "",
		},
		"roots, no array":  {asking(), "roots/list", `{"roots":"file:///home"}`, `{"roots":[]}`, ""},
		"roots said":       {say, "roots/list", `{"roots":[{"uri":"file:///home/me"}]}`, `{"roots":[{"uri":"file:///a"},{"uri":"file:///b"}]}`, ""},
		"nothing allowed":  {toolscope.Config{Tools: tools("*")}, "roots/list", `{"roots":[]}`, "", "ROOTS_NOT_ALLOWED"},
		"no model allowed": {toolscope.Config{Tools: tools("*")}, "sampling/createMessage", `{"model":"m"}`, "", "SAMPLING_NOT_ALLOWED"},
		"no user to ask":   {toolscope.Config{Tools: tools("*")}, "elicitation/create", `{"action":"cancel"}`, "", "ELICITATION_NOT_ALLOWED"},
		"every model":      {everything, "sampling/createMessage", `{"model":"m"}`, `{"model":"m"}`, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := connect(t, c.cfg)
			m := l.message(t, answer(c.in), policy.ToUpstream)
			m.Method = c.method
			send, out, _ := policy.Decide(t.Context(), m)
			if out.Fault != nil {
				t.Fatal(out.Fault)
			}
			if code := codeOf(out); code != c.code || code == "" && string(send.Frame.Get(wire.Result)) != c.want {
				t.Errorf("as an answer: got %s %q, want %s %q", send.Frame.Raw, code, c.want, c.code)
			}
			retry := func(r string) string {
				return request("tools/call", `{"name":"get","inputResponses":{"k":`+r+`},"requestState":"s"}`)
			}
			want := ""
			if c.code == "" {
				want = retry(c.want)
			}
			if sent, code := l.agentSends(t, retry(c.in)); sent != want || code != c.code {
				t.Errorf("in a request: got %s %q, want %s %q", sent, code, want, c.code)
			}
		})
	}
	l := connect(t, say)
	m := l.message(t, answer(`{"x":1}`), policy.ToUpstream)
	m.Method = "roots/list"
	if send, _, _ := policy.Decide(t.Context(), m); string(send.Frame.Get(wire.Result)) != `{"roots":[{"uri":"file:///a"},{"uri":"file:///b"}],"x":1}` {
		t.Errorf("roots said where the agent says none: %s", send.Frame.Raw)
	}
}

func codeOf(out policy.Outcome) string {
	if out.Allowed {
		return ""
	}
	return out.Reason.Code
}

func TestErrorsSendUsersOnlyWhereTheyMayGo(t *testing.T) {
	cases := map[string]struct {
		cfg            toolscope.Config
		in, want, code string
	}{
		"allowed":    {asking(), `{"elicitations":[` + link2("https://login.example.com/") + `]}`, `"up asks: m"`, ""},
		"second":     {asking(), `{"elicitations":[` + link2("https://login.example.com/") + `,` + link2("https://evil.example/") + `]}`, "", "ELICITATION_URL_NOT_ALLOWED"},
		"denied":     {toolscope.Config{}, `{"elicitations":[]}`, "", "ELICITATION_NOT_ALLOWED"},
		"no address": {asking(), `{}`, "", "INPUT_REQUEST_INVALID"},
		"not a list": {asking(), `{"elicitations":{"a":1}}`, "", "INPUT_REQUEST_INVALID"},
	}
	for name, c := range cases {
		l := connect(t, c.cfg)
		f := parse(t, `{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"no","data":`+c.in+`}}`, wire.FromUpstream)
		shown, out := policy.Review(t.Context(), l.message(t, request("ping", "{}"), policy.ToUpstream), f, policy.Outcome{Allowed: true})
		if code := codeOf(out); code != c.code || !strings.Contains(string(shown.Raw), c.want) {
			t.Errorf("%s: got %s %q, want %q", name, shown.Raw, code, c.code)
		}
	}
}

func TestModelsInArguments(t *testing.T) {
	cases := map[string]struct {
		names      []string
		args, want string
	}{
		"none named":   {nil, `{"x":1}`, ""},
		"granted":      {nil, `{"model":"claude-4"}`, ""},
		"another":      {nil, `{"model":"gpt"}`, "MODEL_NOT_ALLOWED"},
		"no string":    {nil, `{"model":{"name":"small"}}`, "MODEL_NOT_ALLOWED"},
		"several":      {nil, `{"model":["small","claude-1"]}`, ""},
		"one of them":  {nil, `{"model":["small","gpt"]}`, "MODEL_NOT_ALLOWED"},
		"other name":   {[]string{"engine", "llm"}, `{"model":"gpt","llm":"small"}`, ""},
		"other, no":    {[]string{"engine", "llm"}, `{"llm":"gpt"}`, "MODEL_NOT_ALLOWED"},
		"escaped name": {nil, `{"mod\u0065l":"gpt"}`, "MODEL_NOT_ALLOWED"},
	}
	for name, c := range cases {
		cfg := asking()
		cfg.ModelArgs = c.names
		if code := connect(t, cfg).call(t, "get", c.args); code != c.want {
			t.Errorf("%s: got %q, want %q", name, code, c.want)
		}
	}
	if code := connect(t, everything).call(t, "get", `{"model":"gpt"}`); code != "" {
		t.Errorf("without models: %q", code)
	}
}

func TestPartsOfCapabilities(t *testing.T) {
	forms := asking()
	forms.Elicitation.URLs = nil
	none := asking()
	none.Tools = nil
	cases := map[string]struct {
		cfg      toolscope.Config
		in, want string
	}{
		"context":     {asking(), `{"sampling":{"context":{},"tools":{}}}`, `{"sampling":{"tools":{}}}`},
		"no tools":    {none, `{"sampling":{"tools":{}}}`, `{"sampling":{}}`},
		"with hosts":  {asking(), `{"elicitation":{"url":{},"form":{}}}`, `{"elicitation":{"url":{},"form":{}}}`},
		"without":     {forms, `{"elicitation":{"url":{},"form":{}}}`, `{"elicitation":{"form":{}}}`},
		"url alone":   {forms, `{"elicitation":{"url":{}},"roots":{}}`, `{"roots":{}}`},
		"mode unsaid": {forms, `{"elicitation":{}}`, `{"elicitation":{}}`},
	}
	for name, c := range cases {
		in := func(s string) string { return request("initialize", `{"capabilities":`+s+`}`) }
		if sent, code := connect(t, c.cfg).agentSends(t, in(c.in)); sent != in(c.want) {
			t.Errorf("%s: got %s %q, want %s", name, sent, code, c.want)
		}
	}
}

func TestQuestionsAreReadFromYAML(t *testing.T) {
	for text, want := range map[string]bool{
		"example.com": true, "*.example.com": true, "example.com:8443": true, "xn--a.example": true, "": false, "*": false, "*.": false,
		"https://example.com": false, "a/b": false, "a b": false, "user@host": false, "*.*.example": false, "ex\u00e4mple.com": false,
	} {
		if err := new(toolscope.Host).UnmarshalText([]byte(text)); (err == nil) != want {
			t.Errorf("host %q: %v", text, err)
		}
	}
	for text, want := range map[string]bool{"file:///srv": true, "file:///": true, "/srv": false, "file://host/a": false, "file:///a/../b": false, "https://a/": false} {
		if err := new(toolscope.Root).UnmarshalText([]byte(text)); (err == nil) != want {
			t.Errorf("root %q: %v", text, err)
		}
	}
}
