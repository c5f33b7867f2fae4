//go:build unix

package mcpproxy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/policy"
)

// brief is a timeout of a call, in which a child that runs can be written to.
const brief = time.Second

// TestLateAnswerIsNotRecordedForTheNextCallOfItsID has a child answer a call that was given up, while another one of the
// same id is under way.
func TestLateAnswerIsNotRecordedForTheNextCallOfItsID(t *testing.T) {
	cases := map[string]struct {
		giveUp func(p *process)
		status policy.Status
	}{
		"after a timeout": {func(p *process) {
			p.timeout("r2", brief)
			p.say(tool("1", "hold", "{}"))
			p.hear("UPSTREAM_TIMEOUT")
			p.timeout("r3", 20*time.Second)
		}, policy.StatusTimeout},
		"after a cancellation": {func(p *process) {
			p.say(tool("1", "hold", "{}"), cancelled("1"))
			p.until("the cancelled call ends", func() bool {
				all := p.w.journal.find("tools/call")
				return len(all) > 0 && all[0].ends == 1
			})
		}, policy.StatusCancelled},
		"after a cancellation of the later era": {func(p *process) {
			p.say(modernTool("1", "hold", "{}"), cancelled("1"))
			p.until("the cancelled call ends", func() bool {
				all := p.w.journal.find("tools/call")
				return len(all) > 0 && all[0].ends == 1
			})
		}, policy.StatusCancelled},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			var server *upstream.Server
			p := stdio(t, func(w *world) *upstream.Server {
				server = w.child()
				return server
			})
			p.initialize("2025-11-25")
			x.giveUp(p)
			p.say(tool("1", "ask", "{}"))
			ask := p.hear("sampling/createMessage")
			p.say(tool("2", "release", "{}"))
			p.hear(`"id":2,"result"`)
			p.until("the late answer comes", func() bool { return server.Counts().Stray == 1 })
			p.say(answerTo(t, ask, `{"role":"assistant","content":{"type":"text","text":"its own"},"model":"m"}`))
			if got := p.hear(`"id":1,"result"`); !strings.Contains(got, "its own") {
				t.Errorf("got %s", got)
			}
			var got []policy.Status
			for _, e := range p.w.journal.find("tools/call") {
				got = append(got, e.status)
			}
			if want := []policy.Status{x.status, policy.StatusOK, policy.StatusOK}; !slices.Equal(got, want) {
				t.Errorf("on record is %v, want %v", got, want)
			}
		})
	}
}

// TestCancellationOfAnIDThatIsOwed reaches the call that has the id, and not the one before.
func TestCancellationOfAnIDThatIsOwed(t *testing.T) {
	p := stdio(t, (*world).child)
	p.initialize("2025-11-25")
	p.timeout("r2", brief)
	p.say(tool("1", "hold", "{}"))
	p.hear("UPSTREAM_TIMEOUT")
	p.timeout("r3", 20*time.Second)
	p.say(tool("1", "hold", "{}"), cancelled("1"), tool("2", "told", "{}"))
	got := p.hear(`"id":2,"result"`)
	for _, want := range []string{`{"requestId":1,"reason":"no answer awaited"}`, `{"requestId":"hopgate-alias-1"}`} {
		if strings.Count(got, want) != 1 {
			t.Errorf("the server was told %s, want %s", got, want)
		}
	}
}

// timeout puts a policy in force by which calls have so much time.
func (p *process) timeout(revision string, d time.Duration) {
	p.w.timeout = d
	p.w.proxy.SetPolicy(p.w.local(revision))
}

// until waits for what must come.
func (p *process) until(what string, come func() bool) {
	p.w.t.Helper()
	for end := time.Now().Add(15 * time.Second); !come(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.w.t.Fatalf("in vain: %s", what)
		}
	}
}
