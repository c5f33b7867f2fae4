package mcpproxy_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// kept is what outlives a process: its key, and what the journal has written down of its rounds.
type kept struct {
	t      *testing.T
	key    []byte
	state  store.Memory
	rounds *mcpproxy.Rounds
}

// process runs a test in a process of its own. What it has changed is kept as the journal would.
func (k *kept) process(test func(w *world, v *conversation)) {
	k.t.Helper()
	var err error
	if k.rounds, err = mcpproxy.OpenRounds(&k.state); err != nil {
		k.t.Fatal(err)
	}
	bubble(k.t, func(w *world) { test(w, converse(w, `"own"`)) }, func(c *mcpproxy.Config) { c.Rounds, c.SealKey = k.rounds, k.key })
	k.save()
}

func (k *kept) save() {
	k.t.Helper()
	persist(k.t, &k.state, k.rounds)
}

func newKept(t *testing.T) *kept {
	t.Helper()
	return &kept{t: t, key: bytes.Repeat([]byte{7}, mcpproxy.SealKeySize)}
}

// TestACallGoesOnAfterARestart asks in one process and answers in the next: it is the same call, and its retry counts once.
func TestACallGoesOnAfterARestart(t *testing.T) {
	k := newKept(t)
	var state, next string
	var first policy.Ref
	k.process(func(w *world, _ *conversation) {
		state, _ = w.agent("alice").say("t", `{"a":1}`, "")
		first = w.last("tools/call").ref
	})
	k.process(func(w *world, v *conversation) {
		var answer string
		if next, answer = w.agent("alice").say("t", `{"a":1}`, withState(state)); next == "" {
			t.Fatalf("got %s", answer)
		}
		if e := w.last("tools/call"); !e.allowed || e.first != first || !slices.Equal(v.rounds, []int{1}) {
			t.Errorf("on record is %+v, of rounds %v; want round 1 of %v", e, v.rounds, first)
		}
		if all := w.server.messages("tools/call"); len(all) != 1 || !strings.Contains(all[0], `"requestState":"own"`) {
			t.Errorf("the server got %s", all)
		}
	})
	k.process(func(w *world, v *conversation) {
		alice := w.agent("alice")
		refused := func(c *client, name, arguments, state, code string) {
			t.Helper()
			if _, got := c.say(name, arguments, withState(state)); !strings.Contains(got, errorCode(-32602)) || w.last("tools/call").code != code {
				t.Errorf("got %s, want %s", got, code)
			}
		}
		refused(alice, "t", `{"a":1}`, state, "STATE_OVER")  // it was taken before the restart
		refused(alice, "t", `{"a":2}`, next, "STATE_FORGED") // it belongs to another call
		refused(w.agent("bob"), "t", `{"a":1}`, next, "STATE_FOREIGN")
		if _, got := alice.say("t", `{"a":1}`, withState(next)); strings.Contains(got, `"error"`) || !slices.Equal(v.rounds, []int{2}) {
			t.Errorf("got %s in rounds %v", got, v.rounds)
		}
		refused(alice, "t", `{"a":1}`, next, "STATE_OVER")
	})
}

// TestACursorOutlivesAProcess for its owner. Under another key nobody can say whose it was: who brings it back soon is not
// blamed.
func TestACursorOutlivesAProcess(t *testing.T) {
	k := newKept(t)
	var sealed string
	paged := func(w *world) {
		w.answering("tools/list", func(f *wire.Frame) string {
			return `{"tools":[],"nextCursor":"own","got":` + or(f.Get(wire.ParamsCursor), "0") + `}`
		})
	}
	refused := func(w *world, agent, code string) {
		_, got := w.session(agent, "2025-11-25").call(list("tools/list", sealed))
		if !strings.Contains(got, errorCode(-32602)) || strings.Contains(got, "CURSOR_FO") || w.last("tools/list").code != code {
			t.Errorf("%s got %s, on record is %+v, want %s", agent, got, w.last("tools/list"), code)
		}
	}
	k.process(func(w *world, _ *conversation) {
		paged(w)
		_, got := w.session("alice", "2025-11-25").call(list("tools/list", ""))
		sealed = result(t, got, wire.ResultNextCursor)
	})
	k.process(func(w *world, _ *conversation) {
		paged(w)
		if _, got := w.session("alice", "2025-11-25").call(list("tools/list", sealed)); !strings.Contains(got, `"got":"own"`) {
			t.Errorf("its owner got %s", got)
		}
		refused(w, "bob", "CURSOR_FOREIGN")
	})
	k.key = bytes.Repeat([]byte{8}, mcpproxy.SealKeySize)
	k.process(func(w *world, _ *conversation) {
		paged(w)
		refused(w, "alice", "CURSOR_UNKNOWN")
		time.Sleep(time.Hour)
		refused(w, "alice", "CURSOR_FORGED")
	})
}

// TestARetryIsOverBeforeItIsSent looks at what is written down with the record that comes before a retry is sent.
func TestARetryIsOverBeforeItIsSent(t *testing.T) {
	k := newKept(t)
	var state string
	k.process(func(w *world, _ *conversation) { state, _ = w.agent("alice").say("t", `{}`, "") })
	k.process(func(w *world, v *conversation) {
		w.answering("tools/call", func(*wire.Frame) string {
			k.save() // the intent is durable when the server hears of the call; then the process is killed
			return `{"content":[]}`
		})
		w.agent("alice").say("t", `{}`, withState(state))
		if len(v.rounds) != 1 {
			t.Errorf("%d calls were judged", len(v.rounds))
		}
	})
	k.process(func(w *world, _ *conversation) {
		w.agent("alice").say("t", `{}`, withState(state))
		if e := w.last("tools/call"); e.code != "STATE_OVER" || e.allowed {
			t.Errorf("on record is %+v", e)
		}
	})
}

func TestAnotherKeyOpensNoState(t *testing.T) {
	k := newKept(t)
	var state string
	k.process(func(w *world, _ *conversation) { state, _ = w.agent("alice").say("t", `{}`, "") })
	k.key = bytes.Repeat([]byte{8}, mcpproxy.SealKeySize)
	k.process(func(w *world, _ *conversation) {
		w.agent("alice").say("t", `{}`, withState(state))
		if e := w.last("tools/call"); e.code != "STATE_OVER" || e.allowed {
			t.Errorf("on record is %+v", e)
		}
	})
}

func TestARoundIsNotKeptForEver(t *testing.T) {
	k := newKept(t)
	var state string
	k.process(func(w *world, _ *conversation) { state, _ = w.agent("alice").say("t", `{}`, "") })
	k.process(func(w *world, _ *conversation) {
		time.Sleep(2 * time.Hour)
		w.agent("alice").say("t", `{}`, withState(state))
		if e := w.last("tools/call"); e.code != "STATE_OVER" || e.allowed {
			t.Errorf("on record is %+v", e)
		}
	})
}

func TestRoundsThatMakeNoSenseAreDamage(t *testing.T) {
	damaged(t, "n/", map[string][]byte{
		"another kind":    {3},
		"cut":             append([]byte{2}, make([]byte, 31)...),
		"the round of no": append([]byte{2}, make([]byte, 32)...),
	}, func(state store.Reader) error {
		_, err := mcpproxy.OpenRounds(state)
		return err
	})
}
