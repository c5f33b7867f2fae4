package e2e

import (
	"fmt"
	"net/http"
	"strings"
)

// planted is a place of the protocol in which something is hidden that may not pass: FOUND in what the agent or the
// server says. Twice it goes that way, once with something harmless.
type planted struct {
	on    string // the only front that can carry it; empty: both
	send  string // of the agent; empty: a call of the tool say
	edit  func(found string) func(*http.Request)
	reply string   // of the agent, to what the server asks: a message in each line
	says  []string // of the server: what it sends on the stream of the request, ID being the id
	away  bool     // the server says it on the stream of no request
	find  string   // what is planted, where it is not the secret
	seals bool     // what is harmless does not show on the other side: Hopgate seals it, or it comes later

	at   string // pointer that is on record
	cuts bool   // it is taken out, and the rest passes
}

// What is planted, put together so that no file of the project looks like one that leaks it.
var (
	plantedSecret = "AKIA" + "Q3EGR7TZ5KXWN2PV"
	plantedCard   = "4111" + "1111" + "1111" + "1111"
)

const everywhereRules = `version: 1
listen: { mcp: "127.0.0.1:0" }
refusals: 100000/min
agents: { a0: key, a1: key, a2: key, a3: key, a4: key, a5: key, a6: key, a7: key, b0: local, b1: local, b2: local, b3: local, b4: local, b5: local, b6: local, b7: local }
guardrails: { all: [{ find: [secret, pii, injection, hidden], in: both, do: block }] }
upstreams: { up: `

func everywhereYAML(upstream string) string {
	return everywhereRules + upstream + ` }
connections:
  all: { from: "*", to: up, guard: all, tools: ["*"], prompts: ["*"], resources: ["*"], sampling: allow, elicitation: { urls: x.example }, roots: allow }
`
}

const sayCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"say","arguments":{},"_meta":{"progressToken":"tok"}}}`

// result is an answer with members.
func resulting(members string) []string {
	return []string{`{"jsonrpc":"2.0","id":ID,"result":{` + members + `}}`}
}

func failure(members string) []string {
	return []string{`{"jsonrpc":"2.0","id":ID,"error":{` + members + `}}`}
}

// before is what a server says before its answer.
func before(message string) []string {
	return append([]string{message}, resulting(`"content":[]`)...)
}

func request(method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q,"params":{%s}}`, method, params)
}

func note(method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":%q,"params":{%s}}`, method, params)
}

// sentPlants are the places in what an agent sends.
func sentPlants() map[string]planted {
	asks := func(method, params, reply, at string, first ...string) planted {
		reply = strings.Join(append(first, `{"jsonrpc":"2.0","id":"q",`+reply+`}`), "\n")
		return planted{reply: reply, at: at, says: before(`{"jsonrpc":"2.0","id":"q","method":"` + method + `","params":{` + params + `}}`)}
	}
	const sampling, eliciting = `"maxTokens":9,"messages":[]`, `"message":"m","requestedSchema":{"type":"object","properties":{"q":{"type":"string"}}}`
	return map[string]planted{
		"argument":            {send: request("tools/call", `"name":"run","arguments":{"q":"FOUND"}`), at: "/params/arguments/q"},
		"argument, deep":      {send: request("tools/call", `"name":"run","arguments":{"a":[{"b":[["x",{"q":"see FOUND"}]]}]}`), at: "/params/arguments/a/0/b/0/1/q"},
		"number":              {send: request("tools/call", `"name":"run","arguments":{"card":FOUND}`), find: plantedCard, at: "/params/arguments/card"},
		"number, written 1e2": {send: request("tools/call", `"name":"run","arguments":{"card":FOUND.0e0}`), find: plantedCard, at: "/params/arguments/card"},
		"name of an argument": {send: request("tools/call", `"name":"run","arguments":{"FOUND":1}`), at: "/params/arguments/[aws-access-key]"},
		"name of a tool":      {send: request("tools/call", `"name":"FOUND","arguments":{}`), at: "/params/name"},
		"id":                  {send: `{"jsonrpc":"2.0","id":"FOUND","method":"tools/call","params":{"name":"run","arguments":{}}}`, at: "/id"},
		"meta":                {send: request("tools/call", `"name":"run","arguments":{},"_meta":{"x/y":"FOUND"}`), at: "/params/_meta/x~1y"},
		"progress token":      {send: request("tools/call", `"name":"run","arguments":{},"_meta":{"progressToken":"FOUND"}`), at: "/params/_meta/progressToken"},
		"unknown parameter":   {send: request("tools/call", `"name":"run","arguments":{},"later":{"x":["FOUND"]}`), at: "/params/later/x/0"},
		"uri":                 {send: request("resources/read", `"uri":"file:///x?of=FOUND"`), at: "/params/uri"},
		"subscription":        {send: request("resources/subscribe", `"uri":"file:///x?of=FOUND"`), at: "/params/uri"},
		"name of a prompt":    {send: request("prompts/get", `"name":"FOUND"`), at: "/params/name"},
		"prompt argument":     {send: request("prompts/get", `"name":"p","arguments":{"q":"FOUND"}`), at: "/params/arguments/q"},
		"completion value":    {send: request("completion/complete", `"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"q","value":"FOUND"}`), at: "/params/argument/value"},
		"completion context":  {send: request("completion/complete", `"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"q","value":"x"},"context":{"arguments":{"o":"FOUND"}}`), at: "/params/context/arguments/o"},
		"log level":           {send: request("logging/setLevel", `"level":"FOUND"`), at: "/params/level"},
		"ping":                {send: request("ping", `"_meta":{"x":"FOUND"}`), at: "/params/_meta/x"},
		"roots changed":       {send: note("notifications/roots/list_changed", `"_meta":{"x":"FOUND"}`), at: "/params/_meta/x"},
		"sampling answer":     asks("sampling/createMessage", sampling, `"result":{"role":"assistant","model":"m","content":{"type":"text","text":"FOUND"}}`, "/result/content/text"),
		"sampling model":      asks("sampling/createMessage", sampling, `"result":{"role":"assistant","model":"FOUND","content":{"type":"text","text":"x"}}`, "/result/model"),
		"elicitation answer":  asks("elicitation/create", eliciting, `"result":{"action":"accept","content":{"q":"FOUND"}}`, "/result/content/q"),
		"roots":               asks("roots/list", "", `"result":{"roots":[{"uri":"file:///home/FOUND","name":"home"}]}`, "/result/roots/0/uri"),
		"error":               asks("roots/list", "", `"error":{"code":1,"message":"FOUND"}`, "/error/message"),
		"error data":          asks("roots/list", "", `"error":{"code":1,"message":"m","data":{"x":["FOUND"]}}`, "/error/data/x/0"),
		"progress of an answer": asks("sampling/createMessage", sampling+`,"_meta":{"progressToken":"pt"}`,
			`"result":{"role":"assistant","model":"m","content":{"type":"text","text":"x"}}`, "/params/message",
			note("notifications/progress", `"progressToken":"pt","progress":1,"message":"FOUND"`)),
	}
}

// shownPlants are the places in what a server sends.
func shownPlants() map[string]planted {
	said := func(at, members string) planted { return planted{says: resulting(members), at: at} }
	to := func(send, at, members string) planted { return planted{send: send, says: resulting(members), at: at} }
	cut := func(send, at, members string) planted {
		return planted{send: send, says: resulting(members), at: at, cuts: true}
	}
	return map[string]planted{
		"text":              said("/result/content/0/text", `"content":[{"type":"text","text":"FOUND"}]`),
		"second block":      said("/result/content/1/text", `"content":[{"type":"text","text":"a"},{"type":"text","text":"line\n\"FOUND\" \u00e9"}]`),
		"error result":      said("/result/content/0/text", `"isError":true,"content":[{"type":"text","text":"FOUND"}]`),
		"structured":        said("/result/structuredContent/rows/0/b", `"content":[],"structuredContent":{"rows":[{"a":1,"b":"FOUND"}]}`),
		"structured name":   said("/result/structuredContent/[aws-access-key]", `"content":[],"structuredContent":{"FOUND":null}`),
		"structured number": {says: resulting(`"content":[],"structuredContent":{"card":FOUND}`), find: plantedCard, at: "/result/structuredContent/card"},
		"resource text":     said("/result/content/0/resource/text", `"content":[{"type":"resource","resource":{"uri":"file:///x","text":"FOUND"}}]`),
		"resource blob":     said("/result/content/0/resource/blob", `"content":[{"type":"resource","resource":{"uri":"file:///x","blob":"BLOB"}}]`),
		"resource uri":      said("/result/content/0/resource/uri", `"content":[{"type":"resource","resource":{"uri":"file:///FOUND","text":"x"}}]`),
		"link":              said("/result/content/0/uri", `"content":[{"type":"resource_link","uri":"file:///x?of=FOUND","name":"n"}]`),
		"link description":  said("/result/content/0/description", `"content":[{"type":"resource_link","uri":"file:///x","name":"n","description":"FOUND"}]`),
		"image":             said("/result/content/0/data", `"content":[{"type":"image","mimeType":"image/png","data":"BLOB"}]`),
		"image type":        said("/result/content/0/mimeType", `"content":[{"type":"image","mimeType":"FOUND","data":"AAAA"}]`),
		"annotations":       said("/result/content/0/annotations/x", `"content":[{"type":"text","text":"x","annotations":{"x":"FOUND"}}]`),
		"block meta":        said("/result/content/0/_meta/k", `"content":[{"type":"text","text":"x","_meta":{"k":"FOUND"}}]`),
		"meta":              said("/result/_meta/k/0", `"content":[],"_meta":{"k":["FOUND"]}`),
		"unknown member":    said("/result/later/k", `"content":[],"later":{"k":"FOUND"}`),
		"prompt":            to(request("prompts/get", `"name":"p"`), "/result/messages/0/content/text", `"messages":[{"role":"user","content":{"type":"text","text":"FOUND"}}]`),
		"prompt, described": to(request("prompts/get", `"name":"p"`), "/result/description", `"description":"FOUND","messages":[]`),
		"resource read":     to(request("resources/read", `"uri":"file:///x"`), "/result/contents/0/text", `"contents":[{"uri":"file:///x","text":"FOUND"}]`),
		"resource read, blob": to(request("resources/read", `"uri":"file:///x"`), "/result/contents/0/blob",
			`"contents":[{"uri":"file:///x","blob":"BLOB"}]`),
		"completion":       to(request("completion/complete", `"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"q","value":"x"}`), "/result/completion/values/1", `"completion":{"values":["a","FOUND"]}`),
		"next cursor":      {send: request("tools/list", ""), at: "/result/nextCursor", says: resulting(`"tools":[],"nextCursor":"FOUND"`), seals: true},
		"ping":             to(request("ping", ""), "/result/_meta/x", `"_meta":{"x":"FOUND"}`),
		"tool":             cut(request("tools/list", ""), "/result/tools/1/description", `"tools":[{"name":"good","inputSchema":{"type":"object"}},{"name":"bad","description":"FOUND","inputSchema":{"type":"object"}}]`),
		"tool name":        cut(request("tools/list", ""), "/result/tools/1/name", `"tools":[{"name":"good","inputSchema":{"type":"object"}},{"name":"bad FOUND","inputSchema":{"type":"object"}}]`),
		"tool title":       cut(request("tools/list", ""), "/result/tools/1/annotations/title", `"tools":[{"name":"good","inputSchema":{"type":"object"}},{"name":"bad","annotations":{"title":"FOUND"},"inputSchema":{"type":"object"}}]`),
		"schema default":   cut(request("tools/list", ""), "/result/tools/1/inputSchema/properties/x/default", `"tools":[{"name":"good","inputSchema":{"type":"object"}},{"name":"bad","inputSchema":{"type":"object","properties":{"x":{"default":"FOUND"}}}}]`),
		"parameter name":   cut(request("tools/list", ""), "/result/tools/1/inputSchema/properties/[aws-access-key]", `"tools":[{"name":"good","inputSchema":{"type":"object"}},{"name":"bad","inputSchema":{"type":"object","properties":{"FOUND":{}}}}]`),
		"output schema":    cut(request("tools/list", ""), "/result/tools/1/outputSchema/description", `"tools":[{"name":"good","inputSchema":{"type":"object"}},{"name":"bad","inputSchema":{"type":"object"},"outputSchema":{"type":"object","description":"FOUND"}}]`),
		"prompt defined":   cut(request("prompts/list", ""), "/result/prompts/1/arguments/0/description", `"prompts":[{"name":"good"},{"name":"bad","arguments":[{"name":"x","description":"FOUND"}]}]`),
		"resource defined": cut(request("resources/list", ""), "/result/resources/1/description", `"resources":[{"uri":"file:///good","name":"n"},{"uri":"file:///x","name":"n","description":"FOUND"}]`),
		"template":         cut(request("resources/templates/list", ""), "/result/resourceTemplates/1/uriTemplate", `"resourceTemplates":[{"uriTemplate":"file:///good/{x}","name":"n"},{"uriTemplate":"file:///FOUND/{x}","name":"n"}]`),
		"error":            {says: failure(`"code":-32000,"message":"FOUND"`), at: "/error/message"},
		"error data":       {says: failure(`"code":-32000,"message":"m","data":{"trace":["FOUND"]}`), at: "/error/data/trace/0"},
	}
}

// unaskedPlants are the places in what a server sends of its own accord.
func unaskedPlants() map[string]planted {
	told := func(at, message string) planted { return planted{says: before(message), at: at} }
	asks := func(at, method, params string) planted {
		return planted{
			says: before(`{"jsonrpc":"2.0","id":"q","method":"` + method + `","params":{` + params + `}}`), at: at,
			reply: `{"jsonrpc":"2.0","id":"q","error":{"code":1,"message":"no"}}`,
		}
	}
	return map[string]planted{
		"log":             told("/params/data/msg", note("notifications/message", `"level":"info","data":{"msg":"FOUND"}`)),
		"log, text":       told("/params/data", note("notifications/message", `"level":"info","data":"FOUND"`)),
		"logger":          told("/params/logger", note("notifications/message", `"level":"info","logger":"FOUND","data":1`)),
		"log, unasked":    {says: []string{note("notifications/message", `"level":"info","data":"FOUND"`)}, away: true, at: "/params/data"},
		"progress":        told("/params/message", note("notifications/progress", `"progressToken":"tok","progress":1,"message":"FOUND"`)),
		"progress meta":   told("/params/_meta/x", note("notifications/progress", `"progressToken":"tok","progress":1,"_meta":{"x":"FOUND"}`)),
		"update":          told("/params/uri", note("notifications/resources/updated", `"uri":"file:///x?of=FOUND"`)),
		"update, unasked": {says: []string{note("notifications/resources/updated", `"uri":"file:///x?of=FOUND"`)}, away: true, at: "/params/uri"},
		"changed list":    {seals: true, says: []string{note("notifications/tools/list_changed", `"_meta":{"x":"FOUND"}`)}, away: true, at: "/params/_meta/x"},
		"id of a request": {says: before(`{"jsonrpc":"2.0","id":"FOUND","method":"roots/list"}`), at: "/id", reply: `{"jsonrpc":"2.0","id":"FOUND","error":{"code":1,"message":"no"}}`},
		"system prompt":   asks("/params/systemPrompt", "sampling/createMessage", `"maxTokens":9,"systemPrompt":"FOUND","messages":[]`),
		"sampling":        asks("/params/messages/0/content/text", "sampling/createMessage", `"maxTokens":9,"messages":[{"role":"user","content":{"type":"text","text":"FOUND"}}]`),
		"stop sequence":   asks("/params/stopSequences/0", "sampling/createMessage", `"maxTokens":9,"stopSequences":["FOUND"],"messages":[]`),
		"elicitation":     asks("/params/message", "elicitation/create", `"message":"FOUND","requestedSchema":{"type":"object","properties":{}}`),
		"elicited field":  asks("/params/requestedSchema/properties/x/description", "elicitation/create", `"message":"m","requestedSchema":{"type":"object","properties":{"x":{"type":"string","description":"FOUND"}}}`),
		"elicitation url": asks("/params/url", "elicitation/create", `"mode":"url","message":"m","url":"https://x.example/?q=FOUND","elicitationId":"e"`),
		"roots":           asks("/params/_meta/x", "roots/list", `"_meta":{"x":"FOUND"}`),
	}
}

// modernPlants are the places that only 2026-07-28 has.
func modernPlants() map[string]planted {
	call := func(params string) string { return request("tools/call", `"name":"say",`+params+`,`+modernMeta) }
	head := func(edits ...func(string) func(*http.Request)) func(string) func(*http.Request) {
		return func(found string) func(*http.Request) {
			return func(r *http.Request) {
				modernHead("tools/call", "say")(r)
				for _, e := range edits {
					e(found)(r)
				}
			}
		}
	}
	param := func(name string) func(string) func(*http.Request) {
		return func(found string) func(*http.Request) { return set(name, found) }
	}
	coded := func(name string) func(string) func(*http.Request) {
		return func(found string) func(*http.Request) { return set(name, encoded(found)) }
	}
	asked := func(inner string) []string {
		return resulting(`"resultType":"input_required","requestState":"s","inputRequests":{"k":{` + inner + `}}`)
	}
	said := func(at string, says []string) planted {
		return planted{send: strings.Replace(call(`"arguments":{}`), `{}}}`, `{"elicitation":{},"sampling":{},"roots":{}}}}`, 1), edit: head(), says: says, at: at}
	}
	state := said("/result/requestState", resulting(`"resultType":"input_required","requestState":"FOUND","inputRequests":{}`))
	state.seals = true
	named := func(found string) func(*http.Request) { return set("Mcp-Name", found) }
	uri := func(found string) func(*http.Request) { return modernHead("resources/read", "file:///"+found) }
	return map[string]planted{
		"argument":        {send: call(`"arguments":{"q":"FOUND"}`), edit: head(), at: "/params/arguments/q"},
		"input response":  {send: call(`"arguments":{},"inputResponses":{"k":{"action":"accept","content":{"q":"FOUND"}}}`), edit: head(), at: "/params/inputResponses/k/content/q"},
		"input name":      {send: call(`"arguments":{},"inputResponses":{"FOUND":{"action":"decline"}}`), edit: head(), at: "/params/inputResponses/[aws-access-key]"},
		"client":          {send: strings.Replace(call(`"arguments":{}`), `"_meta":{`, `"_meta":{"io.modelcontextprotocol/clientInfo":{"name":"FOUND","version":"1"},`, 1), edit: head(), at: "/params/_meta/io.modelcontextprotocol~1clientInfo/name"},
		"tool":            {send: strings.Replace(call(`"arguments":{}`), `"say"`, `"FOUND"`, 1), edit: head(named), at: "/params/name"},
		"resource":        {send: request("resources/read", `"uri":"file:///FOUND",`+modernMeta), edit: uri, at: "/params/uri"},
		"header":          {on: "http", send: call(`"arguments":{}`), edit: head(param("Mcp-Param-Zone")), at: "header Mcp-Param-Zone"},
		"header, encoded": {on: "http", seals: true, send: call(`"arguments":{}`), edit: head(coded("Mcp-Param-Zone")), at: "header Mcp-Param-Zone"},
		"text":            said("/result/content/0/text", resulting(`"resultType":"complete","content":[{"type":"text","text":"FOUND"}]`)),
		"elicitation":     said("/result/inputRequests/k/params/message", asked(`"method":"elicitation/create","params":{"message":"FOUND","requestedSchema":{"type":"object"}}`)),
		"sampling":        said("/result/inputRequests/k/params/systemPrompt", asked(`"method":"sampling/createMessage","params":{"maxTokens":1,"messages":[],"systemPrompt":"FOUND"}`)),
		"state":           state,
		"discovery": {
			send: request("server/discover", modernMeta), edit: func(string) func(*http.Request) { return modernHead("server/discover", "") }, at: "/result/instructions",
			says: resulting(`"resultType":"complete","supportedVersions":["2026-07-28"],"ttlMs":0,"cacheScope":"private","instructions":"FOUND",` + recorderCapabilities),
		},
	}
}
