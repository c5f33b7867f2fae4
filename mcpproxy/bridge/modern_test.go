package bridge_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/bridge"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// settled is what every request of the session in these tests says of it.
const settled = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"sampling":{},"extensions":{}},"io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"}`

func TestRequestsOfASessionSayWhatItHasSettled(t *testing.T) {
	for name, c := range map[string]struct {
		send, gets string // all that the server gets; empty: nothing
		said, want string // an error where it begins with {"code"
	}{
		"numbers and unknown fields keep their bytes": {
			send: earlier(`"a\u0062"`, "tools/call", `{"name":"t","arguments":{"n":1e400,"k":12345678901234567890},"x":[1.0]}`),
			gets: earlier(`"a\u0062"`, "tools/call", `{"_meta":{`+settled+`},"name":"t","arguments":{"n":1e400,"k":12345678901234567890},"x":[1.0]}`),
			said: `{"resultType":"complete","content":[],"n":1E+2,"\u0061":[ 1.0 ]}`,
			want: `{"jsonrpc":"2.0","id":"a\u0062","result":{"content":[],"n":1E+2,"\u0061":[ 1.0 ]}}`,
		},
		"other _meta goes along": {
			send: earlier("1", "tools/call", `{"name":"t","_meta":{"progressToken":7,"a":1.0}}`),
			gets: earlier("1", "tools/call", `{"name":"t","_meta":{`+settled+`,"progressToken":7,"a":1.0}}`),
			said: `{"resultType":"complete","_meta":{"b":2.0}}`, want: `{"jsonrpc":"2.0","id":1,"result":{"_meta":{"b":2.0}}}`,
		},
		"a client cannot say what its session has not settled": {
			send: earlier("1", "tools/call", `{"name":"t","requestState":"s","inputResponses":{},"task":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"1","io.modelcontextprotocol/logLevel":"debug"}}`),
			gets: earlier("1", "tools/call", `{"name":"t","_meta":{`+settled+`}}`), said: `{}`, want: `{"jsonrpc":"2.0","id":1,"result":{}}`,
		},
		"no params": {
			send: `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, gets: earlier("1", "tools/list", `{"_meta":{`+settled+`}}`),
			said: `{"resultType":"complete","tools":[],"ttlMs":5,"cacheScope":"public"}`, want: `{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}`,
		},
		"a resource that is not there": {
			send: earlier("1", "resources/read", `{"uri":"a:b"}`), gets: earlier("1", "resources/read", `{"_meta":{`+settled+`},"uri":"a:b"}`),
			said: `{"code":-32602,"message":"none","data":{"uri":"a:b"}}`, want: `{"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"none","data":{"uri":"a:b"}}}`,
		},
		"a fault of the bridge is none of the client": {
			send: earlier("1", "tools/call", `{"name":"t"}`), gets: earlier("1", "tools/call", `{"_meta":{`+settled+`},"name":"t"}`),
			said: `{"code":-32020,"message":"m"}`, want: `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m"}}`,
		},
		"a task that nobody can follow": {
			send: earlier("1", "tools/call", `{"name":"t","task":{}}`), gets: earlier("1", "tools/call", `{"_meta":{`+settled+`},"name":"t"}`),
			said: `{"resultType":"task","taskId":"t","status":"working"}`,
			want: `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"The server has begun a task, which cannot be followed in a session. It may have done what was asked."}}`,
		},
		"ping":  {send: `{"jsonrpc":"2.0","id":1,"method":"ping"}`, want: `{"jsonrpc":"2.0","id":1,"result":{}}`},
		"tasks": {send: earlier("1", "tasks/list", "{}"), want: `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}`},
		"initialize": {
			send: hello, want: `{"jsonrpc":"2.0","id":"h","result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"extensions":{"x/y":{}}},"serverInfo":{"name":"new","version":"1"},"instructions":"Be kind."}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			modern(t, func(_ *peer, _ *wire.Frame, s *flow) {
				if strings.HasPrefix(c.said, `{"code"`) {
					s.failure(c.said)
					return
				}
				s.result(c.said)
			}, func(b *caller, p *peer) {
				t := b.t
				if got := b.last(c.send); got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
				sent := p.messages("")[1:] // after server/discover
				if c.gets == "" && len(sent) != 0 || c.gets != "" && (len(sent) != 1 || sent[0] != c.gets) {
					t.Errorf("the server got\n%q, want\n%q", sent, c.gets)
				}
			})
		})
	}
}

func TestTheLevelOfLogsGoesIntoEveryRequest(t *testing.T) {
	modern(t, func(_ *peer, _ *wire.Frame, s *flow) { s.result("{}") }, func(c *caller, p *peer) {
		t := c.t
		c.last(earlier("1", "tools/call", `{"name":"a"}`))
		if got := c.last(earlier("2", "logging/setLevel", `{"level":"warning"}`)); got != `{"jsonrpc":"2.0","id":2,"result":{}}` {
			t.Errorf("got %s", got)
		}
		c.last(earlier("3", "tools/call", `{"name":"a"}`))
		if got := p.messages(`logLevel":"warning"`); len(got) != 1 || len(p.messages("tools/call")) != 2 || len(p.messages("setLevel")) != 0 {
			t.Errorf("the server got %q", p.messages(""))
		}
	})
}

// TestWhatKnowsNoLaterEraGetsNoBridge also where it answers with a status, or claims other versions.
func TestWhatKnowsNoLaterEraGetsNoBridge(t *testing.T) {
	for name, c := range map[string]struct {
		act func(*wire.Frame, *flow)
		err bool
	}{
		"an error":        {act: func(_ *wire.Frame, s *flow) { s.failure(`{"code":-32601,"message":"m"}`) }},
		"a status":        {act: func(_ *wire.Frame, s *flow) { s.fail(&upstream.StatusError{Code: 404}) }},
		"other versions":  {act: func(_ *wire.Frame, s *flow) { s.result(`{"supportedVersions":["2025-11-25",7,null]}`) }},
		"no versions":     {act: func(_ *wire.Frame, s *flow) { s.result(`{}`) }},
		"turned away":     {act: func(_ *wire.Frame, s *flow) { s.fail(&upstream.StatusError{Code: 401}) }, err: true},
		"a broken server": {act: func(_ *wire.Frame, s *flow) { s.fail(&upstream.StatusError{Code: 500}) }, err: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, c.act)
			l, _ := p.open(t.Context())
			if _, ok, err := bridge.NewToModern(t.Context(), p.config(), l, frame(t, hello)); ok || (err != nil) != c.err {
				t.Errorf("got %v, %v", ok, err)
			}
		})
	}
}

// rounds is a server whose tools ask in their results: "ask" once, "ever" without end, "odd" by a method that asks nobody.
func rounds(_ *peer, f *wire.Frame, s *flow) {
	answers := f.Get(wire.ParamsInputResponses)
	switch name := f.String(wire.ParamsName); {
	case name == "odd":
		s.result(`{"resultType":"input_required","inputRequests":{"a":{"method":"tools/call"}}}`)
	case name == "again" && answers == nil:
		s.result(`{"resultType":"input_required","requestState":"only"}`)
	case name == "ever", name == "ask" && answers == nil:
		s.result(`{"resultType":"input_required","requestState":"s\u0031","inputRequests":{"\u006d":{"method":"sampling/createMessage","params":{"maxTokens":1.0}},"u":{"method":"elicitation/create","params":{"message":"Who?"}}}}`)
	default:
		s.result(`{"resultType":"complete","state":` + string(f.Get(wire.ParamsRequestState)) + `,"got":` + string(answers) + `}`)
	}
}

// reply answers a question.
func (c *caller) reply(question, with string) {
	c.t.Helper()
	var f wire.Frame
	if err := wire.Parse(&f, []byte(question), wire.FromUpstream, &wire.DefaultLimits); err != nil || f.Kind != wire.KindRequest {
		c.t.Fatalf("it is no question: %s", question)
	}
	c.start(`{"jsonrpc":"2.0","id":` + string(f.Get(wire.ID)) + `,` + with + `}`)
}

func TestQuestionsInAResultAreAskedInTheSession(t *testing.T) {
	modern(t, rounds, func(c *caller, p *peer) {
		t := c.t
		s := c.start(earlier("5", "tools/call", `{"name":"ask"}`))
		model, user := next(t, s), next(t, s)
		has(t, model, `"method":"sampling/createMessage","params":{"maxTokens":1.0}`)
		has(t, user, `"method":"elicitation/create","params":{"message":"Who?"}`)
		c.reply(user, `"error":{"code":-1,"message":"away"}`) // which in the other era has one word: cancel
		c.reply(model, `"result":{"n":1e400}`)
		want := `{"jsonrpc":"2.0","id":5,"result":{"state":"s\u0031","got":{"\u006d":{"n":1e400},"u":{"action":"cancel"}}}}`
		if got := next(t, s); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		s.Close()
		for what, raw := range map[string]string{"once more": user, "that nobody asked": earlier(`"hopgate-99"`, "roots/list", "{}")} {
			f := frame(t, `{"jsonrpc":"2.0","id":`+string(frame(t, raw).Get(wire.ID))+`,"result":{}}`)
			if _, err := c.Send(t.Context(), &upstream.Outgoing{Frame: f}); !errors.Is(err, upstream.ErrInvalid) {
				t.Errorf("an answer %s: %v", what, err)
			}
		}
		if n := len(p.messages("tools/call")); n != 2 {
			t.Errorf("the server got %d requests", n)
		}
	})
}

func TestAClientThatCannotAnswerEndsTheCall(t *testing.T) {
	modern(t, rounds, func(c *caller, p *peer) {
		t := c.t
		s := c.start(earlier("5", "tools/call", `{"name":"ask"}`))
		defer s.Close()
		model, user := next(t, s), next(t, s)
		c.reply(model, `"error":{"code":-1,"message":"no"}`)
		c.reply(user, `"result":{"action":"accept"}`)
		has(t, next(t, s), `"id":5,"error":{"code":-32603`)
		if n := len(p.messages("tools/call")); n != 1 {
			t.Errorf("the server got %d requests", n)
		}
	})
}

func TestHostileRoundsEnd(t *testing.T) {
	modern(t, rounds, func(c *caller, p *peer) {
		t := c.t
		s := c.start(earlier("1", "tools/call", `{"name":"ever"}`))
		got := next(t, s)
		n := 0
		for ; !strings.HasPrefix(got, "error: "); n++ {
			c.reply(got, `"result":{"action":"accept"}`)
			got = next(t, s)
		}
		s.Close()
		if has(t, got, upstream.ErrProtocol.Error()); n != 20 || len(p.messages("tools/call")) != 11 {
			t.Errorf("%d questions, %d requests", n, len(p.messages("tools/call")))
		}
		has(t, c.last(earlier("2", "tools/call", `{"name":"odd"}`)), "error: "+upstream.ErrProtocol.Error())
		has(t, c.last(earlier("3", "tools/call", `{"name":"again"}`)), `"state":"only"`, `"got":{}`)
	})
}

// TestACancelledCallGoesIntoNoOtherRound also where its answers are there already.
func TestACancelledCallGoesIntoNoOtherRound(t *testing.T) {
	modern(t, rounds, func(c *caller, p *peer) {
		t := c.t
		s := c.start(earlier("5", "tools/call", `{"name":"ask"}`))
		defer s.Close()
		model, user := next(t, s), next(t, s)
		c.reply(model, `"result":{}`)
		c.reply(user, `"result":{}`)
		c.start(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5,"reason":"enough"}}`)
		if got := next(t, s); !strings.HasPrefix(got, "error: ") {
			t.Errorf("it goes on: %s", got)
		}
		if n := len(p.messages("tools/call")); n != 1 {
			t.Errorf("the server got %d requests", n)
		}
		c.start(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}`)
		has(t, fmt.Sprint(p.messages("cancelled")), "cancelled 5 enough")
	})
}

// TestManyCallsOfASessionThatAsk get their own answers.
func TestManyCallsOfASessionThatAsk(t *testing.T) {
	modern(t, func(_ *peer, f *wire.Frame, s *flow) {
		name := f.String(wire.ParamsName)
		if answers := f.Get(wire.ParamsInputResponses); answers != nil {
			s.result(`{"mine":"` + name + `","got":` + string(answers) + `}`)
			return
		}
		s.result(`{"resultType":"input_required","inputRequests":{"q":{"method":"elicitation/create","params":{"message":"` + name + `"}}}}`)
	}, func(c *caller, _ *peer) {
		t := c.t
		var work sync.WaitGroup
		for i := range 100 {
			work.Go(func() {
				name := fmt.Sprint("n", i)
				s := c.start(earlier(fmt.Sprint(i), "tools/call", `{"name":"`+name+`"}`))
				defer s.Close()
				ask := next(t, s)
				has(t, ask, `"message":"`+name+`"`)
				c.reply(ask, `"result":{"of":`+fmt.Sprint(i)+`}`)
				has(t, next(t, s), fmt.Sprintf(`"id":%d,`, i), `"mine":"`+name+`"`, fmt.Sprintf(`"got":{"q":{"of":%d}}`, i))
			})
		}
		work.Wait()
	})
}
