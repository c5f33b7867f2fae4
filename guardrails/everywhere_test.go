package guardrails_test

import (
	"testing"

	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/policy"
)

// toServer and toAgent are messages with something in every place that the protocol has.
var toServer = map[string]string{
	"argument":            `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"q":"FOUND"}}}`,
	"argument, deep":      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":[{"b":[["x",{"q":"see FOUND there"}]]}]}}}`,
	"name of an argument": `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"FOUND":1}}}`,
	"name of a tool":      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"FOUND","arguments":{}}}`,
	"id":                  `{"jsonrpc":"2.0","id":"FOUND","method":"tools/call","params":{"name":"t","arguments":{}}}`,
	"meta":                `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{},"_meta":{"x/y":"FOUND"}}}`,
	"client info":         `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"FOUND"}}}`,
	"resource":            `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///x?of=FOUND"}}`,
	"prompt argument":     `{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"p","arguments":{"q":"FOUND"}}}`,
	"completion":          `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"q","value":"FOUND"}}}`,
	"cursor":              `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"FOUND"}}`,
	"sampling answer":     `{"jsonrpc":"2.0","id":1,"result":{"role":"assistant","model":"m","content":{"type":"text","text":"FOUND"}}}`,
	"elicitation answer":  `{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{"email":"FOUND"}}}`,
	"roots":               `{"jsonrpc":"2.0","id":1,"result":{"roots":[{"uri":"file:///home/FOUND","name":"home"}]}}`,
	"input response":      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{},"inputResponses":{"k":{"action":"accept","content":{"q":"FOUND"}}}}}`,
	"error":               `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"FOUND"}}`,
	"error data":          `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":{"x":["FOUND"]}}}`,
	"progress":            `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"message":"FOUND"}}`,
	"cancellation":        `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"FOUND"}}`,
}

var unasked = map[string]string{
	"log":            `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":{"msg":"FOUND"}}}`,
	"progress":       `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"message":"FOUND"}}`,
	"sampling":       `{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"maxTokens":9,"systemPrompt":"FOUND","messages":[]}}`,
	"sampling, text": `{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"maxTokens":9,"messages":[{"role":"user","content":{"type":"text","text":"FOUND"}}]}}`,
	"elicitation":    `{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"FOUND","requestedSchema":{"type":"object","properties":{}}}}`,
	"elicited field": `{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"m","requestedSchema":{"type":"object","properties":{"x":{"type":"string","description":"FOUND"}}}}}`,
	"update":         `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:///x?of=FOUND"}}`,
}

var toAgent = map[string]string{
	"text":              `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"FOUND"}]}}`,
	"second block":      `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"a"},{"type":"text","text":"line\n\"FOUND\" \u00e9"}]}}`,
	"structured":        `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"rows":[{"a":1,"b":"FOUND"}]}}}`,
	"structured name":   `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"FOUND":null}}}`,
	"embedded resource": `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"resource","resource":{"uri":"file:///x","text":"FOUND"}}]}}`,
	"link":              `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"resource_link","uri":"file:///x?of=FOUND","name":"n"}]}}`,
	"link description":  `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"resource_link","uri":"file:///x","name":"n","description":"FOUND"}]}}`,
	"block meta":        `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"x","_meta":{"k":"FOUND"}}]}}`,
	"meta":              `{"jsonrpc":"2.0","id":1,"result":{"content":[],"_meta":{"k":["FOUND"]}}}`,
	"unknown member":    `{"jsonrpc":"2.0","id":1,"result":{"content":[],"later":{"k":"FOUND"}}}`,
	"instructions":      `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"},"instructions":"FOUND"}}`,
	"prompt":            `{"jsonrpc":"2.0","id":1,"result":{"description":"d","messages":[{"role":"user","content":{"type":"text","text":"FOUND"}}]}}`,
	"resource":          `{"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"file:///x","text":"FOUND"}]}}`,
	"completion":        `{"jsonrpc":"2.0","id":1,"result":{"completion":{"values":["a","FOUND"]}}}`,
	"error":             `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"FOUND"}}`,
	"error data":        `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"m","data":{"trace":["FOUND"]}}}`,
	"input request":     `{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":{"message":"FOUND"}}}}}`,
	"next cursor":       `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor":"FOUND"}}`,
}

// listed are definitions in lists: what is found takes the definition away, and nothing else.
var listed = map[string]string{
	"tool description": `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"good","inputSchema":{}},{"name":"bad","description":"FOUND","inputSchema":{}}]}}`,
	"schema default":   `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"bad","inputSchema":{"properties":{"x":{"default":"FOUND"}}}},{"name":"good","inputSchema":{}}]}}`,
	"parameter name":   `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"bad","inputSchema":{"properties":{"FOUND":{}}}},{"name":"good","inputSchema":{}}]}}`,
	"annotation":       `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"good","inputSchema":{}},{"name":"bad","annotations":{"title":"FOUND"},"inputSchema":{}}]}}`,
	"prompt argument":  `{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"good"},{"name":"bad","arguments":[{"name":"x","description":"FOUND"}]}]}}`,
	"resource":         `{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"file:///good","name":"good"},{"uri":"file:///x?of=FOUND","name":"n"}]}}`,
	"template":         `{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[{"uriTemplate":"file:///FOUND/{x}","name":"n"},{"uriTemplate":"file:///{x}","name":"good"}]}}`,
}

// judge is a way to put a message before the gate.
type judge func(testing.TB, *policy.Connection, string) (string, policy.Outcome)

func TestWhatIsPlantedIsFoundEverywhere(t *testing.T) {
	ways := map[string]struct {
		judge    judge
		messages map[string]string
	}{
		"to the server": {send, toServer}, "to the agent": {answer, toAgent}, "unasked": {tell, unasked},
	}
	finds := map[string]string{"secret": secret, "pii": email, "injection": override}
	for kind, text := range finds {
		c := connection(t, "all", profile("all", rule(guardrails.Block, "secret", "pii", "injection", "hidden")))
		for way, w := range ways {
			for place, message := range w.messages {
				t.Run(kind+" "+way+" "+place, func(t *testing.T) {
					if _, o := w.judge(t, c, fill(message, "x")); !o.Allowed {
						t.Fatalf("refused without cause: %s %s", o.Reason.Code, o.Detail)
					}
					if _, o := w.judge(t, c, fill(message, text)); o.Allowed {
						t.Errorf("not found: %s", message)
					}
				})
			}
		}
	}
}
