package mcpproxy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/policy"
)

const lapsed = "granted until the configuration changed"

// only is a gate that lets calls of some tools pass.
type only []string

func (o only) Check(_ context.Context, c *policy.Call) (policy.Verdict, error) {
	for _, name := range o {
		if c.Method != "tools/call" || c.Target == name {
			return policy.Pass, nil
		}
	}
	return policy.Refuse(&policy.Reason{Code: "TOOL", Answer: policy.AnswerUnknown, Severity: policy.Medium}, policy.Pos{}, "scope"), nil
}

// granting is a configuration whose connections grant some tools.
func (w *world) granting(revision string, tools ...string) *mcpproxy.Policy {
	return w.policy(revision, func(p *mcpproxy.Policy) {
		for _, c := range p.Connections {
			c.Gates = []policy.Named{{Name: "scope", Gate: only(tools)}}
		}
	})
}

// TestWhatWasGrantedUntilJustNowSaysNothing has an operator take tools and a connection away.
func TestWhatWasGrantedUntilJustNowSaysNothing(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.agent("alice")
		ask := func(name, want string) {
			t.Helper()
			c.call(input("1", name, "{}", ""), modernHead("tools/call", name))
			if e := w.last("tools/call"); e.allowed || e.detail != want {
				t.Errorf("%s: on record is %+v, want %q", name, e, want)
			}
		}
		w.proxy.SetPolicy(w.granting("r2", "a", "b"))
		w.proxy.SetPolicy(w.granting("r3", "a"))
		w.proxy.SetPolicy(w.granting("r4", "none"))
		ask("a", "scope; "+lapsed)
		ask("b", "scope; "+lapsed)
		time.Sleep(10*time.Minute - time.Second)
		ask("a", "scope; "+lapsed)
		time.Sleep(time.Second)
		ask("a", "scope")
		w.proxy.SetPolicy(w.granting("r5", "a"))
		ask("b", "scope")
		w.proxy.SetPolicy(w.policy("r6", func(p *mcpproxy.Policy) { clear(p.Connections) }))
		for i, want := range []string{lapsed, ""} {
			c.must("POST", tool("1", "a", "{}")).all()
			if all := w.journal.find(""); len(all) != i+1 || all[i].code != "NO_CONNECTION" || all[i].detail != want {
				t.Errorf("on record is %+v", all[i])
			}
			time.Sleep(10 * time.Minute)
		}
	})
}

// TestAWrongNameInAURLSaysNothing has one agent mistake a name, and another try names out. Both get the same answer as
// where there is such an upstream.
func TestAWrongNameInAURLSaysNothing(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		ask := func(key, upstream string) (code, body string) {
			c := w.agent(key)
			c.upstream = upstream
			r := c.must("POST", tool("1", "a", "{}"))
			all := w.journal.find("")
			e := all[len(all)-1]
			return e.code, strings.ReplaceAll(fmt.Sprint(r.status, r.all()), e.ref.String(), "REF")
		}
		_, there := ask("bob", "other")
		for i, x := range []struct{ upstream, code string }{
			{"x1", "NO_UPSTREAM"}, {"x1", "NO_UPSTREAM"}, {"x2", "NO_UPSTREAM"}, {"x3", "NO_UPSTREAM"}, {"x4", "NO_CONNECTION"}, {"x1", "NO_UPSTREAM"}, {"other", "NO_CONNECTION"},
		} {
			if code, got := ask("bob", x.upstream); code != x.code || got != there {
				t.Errorf("%d, %s: %s, want %s; told %s, want %s", i, x.upstream, code, x.code, got, there)
			}
		}
		if code, _ := ask("alice", "x4"); code != "NO_UPSTREAM" {
			t.Errorf("another agent: %s", code)
		}
		time.Sleep(time.Hour)
		if code, _ := ask("bob", "x4"); code != "NO_UPSTREAM" {
			t.Errorf("an hour later: %s", code)
		}
	})
}
