package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// isolationYAML lets two agents do the same at one upstream.
func isolationYAML(upstream string) string {
	return `version: 1
listen: { mcp: "127.0.0.1:0" }
agents: { ann: key, bob: key }
upstreams: { up: ` + upstream + ` }
connections:
  all: { from: "*", to: up, tools: [report, ask, task], resources: ["x:*"], sampling: allow }
`
}

// whose returns what the arguments of a call say of whom it is for.
func whose(a *asked) string {
	var m struct {
		Params struct {
			Arguments struct{ Of string }
			TaskID    string
			URI       string
		}
	}
	_ = json.Unmarshal([]byte(a.raw), &m) // it came as a message
	return m.Params.Arguments.Of + strings.TrimPrefix(m.Params.TaskID, "task-") + strings.TrimPrefix(m.Params.URI, "x:")
}

func mineLog(mine string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":%q}}`, mine)
}

func mineProgress(token string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1}}`, token)
}

func mineQuestion(mine string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":"q-%s","method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`, mine)
}

func mineAnswer(mine string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":"q-%[1]s","result":{"role":"assistant","content":{"type":"text","text":"x"},"model":"%[1]s"}}`, mine)
}

// TestNothingReachesTheWrongAgent interleaves 1,000 calls of two agents under the same ids, with progress, logs, questions,
// resources and tasks.
func TestNothingReachesTheWrongAgent(t *testing.T) {
	t.Parallel()
	for _, up := range upstreams {
		t.Run("to "+up, func(t *testing.T) {
			t.Parallel()
			rec := newRecorder(t)
			rec.tools["report"] = func(a *asked) {
				a.send(mineProgress(a.token))
				a.send(mineLog(whose(a)))
				a.text(whose(a))
			}
			rec.tools["ask"] = func(a *asked) { a.send(mineQuestion(whose(a))); a.text(whose(a)) }
			rec.tools["task"] = func(a *asked) {
				a.result(fmt.Sprintf(`"task":{"taskId":"task-%s","status":"working","createdAt":"2026-01-01T00:00:00Z","ttl":1000}`, whose(a)))
			}
			rec.methods["tasks/result"] = func(a *asked) { a.text(whose(a)) }
			rec.methods["resources/read"] = func(a *asked) { a.result(fmt.Sprintf(`"contents":[{"uri":"x:%[1]s","text":%[1]q}]`, whose(a))) }
			h := newHopgate(t, isolationYAML(rec.upstream(up)))
			keys := map[string]string{"ann": h.key("ann"), "bob": h.key("bob")}
			h.serve()
			workers := 8
			if up == "stdio" {
				workers = 1 // of two calls of one session, a child does not say which one a question is about
			}
			var work sync.WaitGroup
			for name, key := range keys {
				a := h.agent("up", key)
				a.greet("2025-11-25")
				for worker := range workers {
					work.Go(func() {
						for k := worker; k < 500; k += workers {
							if err := a.does(k, fmt.Sprintf("%s-%d", name, k)); err != nil {
								t.Errorf("%s, call %d: %v", name, k, err)
							}
						}
					})
				}
			}
			work.Wait()
			for _, m := range rec.got() { // the answers to the server's questions
				if rest, ok := strings.CutPrefix(m.id, `"q-`); ok && m.raw != mineAnswer(strings.TrimSuffix(rest, `"`)) {
					t.Errorf("the upstream is answered with %s", m.raw)
				}
			}
			h.refusedOnly("ann")
			h.refusedOnly("bob")
			h.verify()
		})
	}
}

// does makes a call that is mine, of the kind that its number says, and wants what is mine for it, in this order.
func (a *agent) does(k int, mine string) error {
	call := func(name, more string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":{"of":%q}%s}}`, k, name, mine, more)
	}
	text := fmt.Sprintf(`"text":%q`, mine)
	switch k % 4 {
	case 0:
		return a.gets(call("report", fmt.Sprintf(`,"_meta":{"progressToken":%d}`, k)), mineProgress(fmt.Sprint(k)), mineLog(mine), text)
	case 1:
		if err := a.gets(call("ask", ""), mineQuestion(mine), text); err != nil {
			return err
		}
		return a.gets(mineAnswer(mine))
	case 2:
		return a.gets(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"resources/read","params":{"uri":"x:%s"}}`, k, mine), text)
	default:
		if err := a.gets(call("task", `,"task":{"ttl":1000}`), `"taskId":"task-`+mine+`"`); err != nil {
			return err
		}
		return a.gets(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tasks/result","params":{"taskId":"task-%s"}}`, k, mine), text)
	}
}

// gets posts a message and wants these messages for it, and no other.
func (a *agent) gets(body string, want ...string) error {
	x := a.post(body, nil)
	if len(x.frames) != len(want) {
		return fmt.Errorf("got %d %q, want %q", x.status, x.frames, want)
	}
	for i := range want {
		if !strings.Contains(x.frames[i], want[i]) {
			return fmt.Errorf("got %s, want %s", x.frames[i], want[i])
		}
	}
	return nil
}
