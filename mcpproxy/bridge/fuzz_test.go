package bridge_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/bridge"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

var seeds = []string{
	`{}`, `[]`, `null`, `7`, `"s"`, `{"_meta":null}`, `{"_meta":{}}`, `{ "_meta" : [ ] , "a":1e400 }`, `{"\u005fmeta":{"progressToken":1}}`,
	`{"resultType":"input_required","requestState":7,"inputRequests":{"a":{"method":"roots/list"},"b":null}}`, `{"resultType":"input_required","inputRequests":[]}`,
	`{"code":-32002,"message":"m"}`, `{"code":-32602,"message":"m","data":{"uri":null}}`, `{"inputResponses":[],"requestState":"1","task":{}}`,
	`{"_meta":{"io.modelcontextprotocol/logLevel":7,"io.modelcontextprotocol/clientInfo":[]}}`, `{"resultType" :"x", "ttlMs":1 ,"cacheScope":2}`,
	`{"level":"debug","progressToken":"hopgate-1"}`, `{"\ud800":"\udc00"}`,
}

// FuzzTranslations puts what both sides may say, params, results, errors and notifications of any shape, through both bridges. Whatever it
// is, there is no panic, every message is one that the other side can read, answers have the id of the request, and what no
// era defines keeps its bytes.
func FuzzTranslations(f *testing.F) {
	for i, s := range seeds {
		f.Add(s, seeds[(i+7)%len(seeds)])
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, params, said string) {
		mark := `"zz mark":[ 1.0 ]`
		if params = strings.TrimSpace(params); strings.HasPrefix(params, "{") && !strings.Contains(params, `mark`) {
			rest := strings.TrimSpace(params[1:])
			if rest != "}" {
				rest = "," + rest
			}
			params = "{" + mark + rest
		}
		send := `{"jsonrpc":"2.0","id":"f","method":"prompts/get","params":` + params + `}`
		sent := new(wire.Frame)
		if wire.Parse(sent, []byte(send), wire.FromAgent, &wire.DefaultLimits) != nil {
			return
		}
		for _, kind := range []string{`"id":ID,"result":`, `"id":ID,"error":`, `"method":"notifications/message","params":`, `"method":"notifications/progress","params":`} {
			act := func(q *wire.Frame, s *flow) {
				if q.String(wire.Method) == "server/discover" {
					s.result(discovered)
					return
				}
				s.say(strings.Replace(`{"jsonrpc":"2.0",`+kind+said+`}`, "ID", s.id, 1))
				s.result(`{"zz end":1.0}`)
			}
			p := newPeer(t, act)
			through(t, &caller{t, bridge.NewToLegacy(p.config())}, sent)
			l, _ := p.open(t.Context())
			b, ok, err := bridge.NewToModern(t.Context(), p.config(), l, frame(t, hello))
			if !ok || err != nil {
				t.Fatal(err)
			}
			through(t, &caller{t, b}, sent)
			for _, m := range p.messages("prompts/get") {
				if strings.Contains(params, mark) && !strings.Contains(m, mark) {
					t.Errorf("the server got %s of %s", m, params)
				}
			}
		}
	})
}

// through sends a request and takes what comes back, until it is answered or asked something.
func through(t *testing.T, c *caller, f *wire.Frame) {
	t.Helper()
	defer c.close()
	s, err := c.Send(t.Context(), &upstream.Outgoing{Frame: f})
	if err != nil {
		return
	}
	defer s.Close()
	for {
		in, err := s.Next(t.Context())
		if err != nil {
			return
		}
		var again wire.Frame
		if err := wire.Parse(&again, bytes.Clone(in.Frame.Raw), wire.FromUpstream, &wire.DefaultLimits); err != nil {
			t.Errorf("the client gets %s: %v", in.Frame.Raw, err)
		}
		switch {
		case in.Frame.Kind == wire.KindRequest:
			return
		case in.Frame.Response() && string(in.Frame.Get(wire.ID)) != `"f"`:
			t.Errorf("the answer has another id: %s", in.Frame.Raw)
		}
	}
}
