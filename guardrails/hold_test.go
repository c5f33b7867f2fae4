package guardrails_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// holding makes a connection on which results with addresses wait for a person.
func holding(t *testing.T, v *guardrails.Vault, agent string) *policy.Connection {
	t.Helper()
	r := rule(guardrails.Hold, "email")
	r.In = way(t, "result")
	c := &policy.Connection{
		Name: agent + "-u", Agent: &policy.Agent{Name: agent}, Upstream: &policy.Upstream{Name: "u"}, Limits: wire.DefaultLimits,
		File: policy.Settings{"guardrails": &guardrails.FileKeys{Guardrails: []guardrails.Profile{profile("p", r)}}},
	}
	if err := equipWith(v, c, "p"); err != nil {
		t.Fatal(err)
	}
	return c
}

// calls makes a call as the proxy does: decide, send unless a gate has the answer, review, settle. It returns what the
// agent gets, how often the server was called, and what is on record.
func calls(t *testing.T, c *policy.Connection, ref policy.Ref, arguments, result string) (got string, sent int, o policy.Outcome) {
	t.Helper()
	call := &policy.Call{Ref: ref, Agent: c.Agent, Connection: c, Upstream: "u", Method: "tools/call", Target: "t"}
	call.Frame = parse(t, wire.FromAgent, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":`+arguments+`}}`)
	_, o, settle := policy.Decide(t.Context(), call)
	if !o.Allowed {
		return "", 0, o
	}
	raw := result
	if o.Answer != nil {
		raw = `{"jsonrpc":"2.0","id":1,"result":` + string(o.Answer) + `}`
	} else {
		sent++
	}
	f, o := policy.Review(t.Context(), call, parse(t, wire.FromUpstream, raw), o)
	if err := settle(t.Context(), &o, &policy.Report{Status: policy.StatusOK, Unsent: sent == 0}); err != nil {
		t.Error(err)
	}
	if o.Allowed {
		got = string(f.Raw)
	}
	return got, sent, o
}

func recorded(guardrails.Held, []store.Put) error { return nil }

func TestHeldResultIsHandedOverOnceItIsReleased(t *testing.T) {
	k := newKept(t)
	c := holding(t, k.Vault, "a")
	result := fill(said, "write to "+email)
	got, sent, o := calls(t, c, 1, `{"a":1,"b":[2.0,"x"]}`, result)
	if got != "" || sent != 1 || o.Reason.Code != "RESULT_HELD" || strings.Contains(o.Detail, email) {
		t.Fatalf("got %s, %+v", got, o)
	}
	all := k.Held()
	if len(all) != 1 || all[0].State != guardrails.HeldWaiting || all[0].Agent != "a" || all[0].Target != "t" || !strings.HasPrefix(all[0].Found, "email by ") {
		t.Fatalf("held is %+v", all)
	}
	ref := all[0].Ref
	if got, sent, o := calls(t, c, 2, `{"a":1,"b":[2.0,"x"]}`, result); got != "" || sent != 0 || o.Reason.Code != "RESULT_WAITS" || !strings.Contains(o.Detail, ref) {
		t.Errorf("while it waits: %s, sent %d times, %+v", got, sent, o)
	}
	content, err := k.Read(ref, recorded)
	if err != nil || !bytes.Contains(content, []byte(email)) {
		t.Errorf("a person reads %s, %v", content, err)
	}
	if err := k.Release(ref, recorded); err != nil {
		t.Fatal(err)
	}
	if err := k.Release(ref, recorded); !errors.Is(err, guardrails.ErrReleased) {
		t.Errorf("twice: %v", err)
	}
	for name, arguments := range map[string]string{"another argument": `{"a":1,"b":[2.0,"y"]}`, "another number": `{"a":1,"b":[2,"x"]}`} {
		if _, sent, _ := calls(t, c, 3, arguments, fill(said, "x")); sent != 1 {
			t.Errorf("%s: the call is not made", name)
		}
	}
	if _, sent, _ := calls(t, holding(t, k.Vault, "b"), 4, `{"a":1,"b":[2.0,"x"]}`, fill(said, "x")); sent != 1 {
		t.Error("another agent's call is not made")
	}
	got, sent, o = calls(t, c, 5, `{ "b":[2.0,"\u0078"], "a":1 }`, fill(said, "another"))
	if got != result || sent != 0 {
		t.Fatalf("after the release: %s, sent %d times, %+v", got, sent, o)
	}
	if noted := o.Findings; len(noted) == 0 || !strings.Contains(noted[0].Detail, ref) {
		t.Errorf("it is not on record: %+v", noted)
	}
	if got, sent, _ = calls(t, c, 6, `{"a":1,"b":[2.0,"x"]}`, fill(said, "again")); sent != 1 || got != fill(said, "again") {
		t.Errorf("it is handed over twice: %s", got)
	}
	if files, _ := filepath.Glob(filepath.Join(k.dir, "held-*")); len(files) != 0 {
		t.Errorf("it is on the disk still: %v", files)
	}
}

func TestReleasedResultGoesBackWhereTheCallIsRefusedLater(t *testing.T) {
	k := newKept(t)
	c := holding(t, k.Vault, "a")
	calls(t, c, 1, `{}`, fill(said, email))
	if err := k.Release(k.Held()[0].Ref, recorded); err != nil {
		t.Fatal(err)
	}
	later := *c
	later.Gates = append(later.Gates[:1:1], policy.Named{Name: "later", Gate: refusing{}})
	if _, _, o := calls(t, &later, 2, `{}`, ""); o.Allowed || o.Gate != "later" {
		t.Fatalf("got %+v", o)
	}
	if got, sent, _ := calls(t, c, 3, `{}`, ""); sent != 0 || got != fill(said, email) {
		t.Errorf("the result is gone: %s", got)
	}
}

type refusing struct{}

func (refusing) Check(_ context.Context, _ *policy.Call) (policy.Verdict, error) {
	return policy.Refuse(&policy.Reason{Code: "LATER"}, policy.Pos{}, ""), nil
}

func TestDiscardedResultIsGone(t *testing.T) {
	k := newKept(t)
	c := holding(t, k.Vault, "a")
	calls(t, c, 1, `{}`, fill(said, email))
	ref := k.Held()[0].Ref
	failing := func(guardrails.Held, []store.Put) error { return errors.New("no record") }
	if err := k.Discard(ref, failing); err == nil || len(k.Held()) != 1 {
		t.Errorf("it is discarded off the record: %v", err)
	}
	if err := k.Release(ref, failing); err == nil || k.Held()[0].State != guardrails.HeldWaiting {
		t.Errorf("it is released off the record: %v", err)
	}
	if err := k.Discard(ref, recorded); err != nil || len(k.Held()) != 0 {
		t.Errorf("%v, %v", err, k.Held())
	}
	for _, err := range []error{k.Discard(ref, recorded), k.Release(ref, recorded)} {
		if !errors.Is(err, guardrails.ErrNotHeld) {
			t.Errorf("got %v", err)
		}
	}
	if _, sent, o := calls(t, c, 2, `{}`, fill(said, email)); sent != 1 || o.Reason.Code != "RESULT_HELD" {
		t.Errorf("got %+v", o)
	}
}

func TestWhatCannotBeHeldIsWithheld(t *testing.T) {
	c := holding(t, newVault(), "a")
	for name, m := range map[string]string{
		"an error":          `{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"` + email + `"}}`,
		"a request in it":   `{"jsonrpc":"2.0","id":1,"result":{"inputRequests":{},"x":"` + email + `"}}`,
		"a state to resume": `{"jsonrpc":"2.0","id":1,"result":{"requestState":"x","x":"` + email + `"}}`,
	} {
		if _, o := answer(t, c, m); o.Allowed || o.Reason.Code != "RESULT_WITHHELD" {
			t.Errorf("%s: %+v", name, o)
		}
	}
	if _, o := tell(t, c, fill(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"FOUND"}}`, email)); o.Allowed || o.Reason.Code != "CONTENT_BLOCKED" {
		t.Errorf("a notification: %+v", o)
	}
}

func TestHoldingIsBounded(t *testing.T) {
	k := newKept(t)
	c := holding(t, k.Vault, "a")
	for i := range 33 {
		_, _, o := calls(t, c, policy.Ref(i+1), fmt.Sprintf(`{"i":%d}`, i), fill(said, email))
		if want := map[bool]string{true: "RESULT_HELD", false: "RESULT_WITHHELD"}[i < 32]; o.Reason.Code != want {
			t.Fatalf("%d: %+v", i, o)
		}
	}
	k.now = k.now.Add(24 * time.Hour)
	if len(k.Held()) != 0 {
		t.Error("what has expired is shown")
	}
	if err := k.Sweep(); err != nil {
		t.Fatal(err)
	}
	if files, _ := filepath.Glob(filepath.Join(k.dir, "held-*")); len(files) != 0 {
		t.Errorf("what has expired is on the disk: %v", files)
	}
	if _, _, o := calls(t, c, 40, `{}`, fill(said, email)); o.Reason.Code != "RESULT_HELD" {
		t.Errorf("%+v", o)
	}
}

// TestCrashNeitherShowsNorRepeatsAHeldResult kills the process, so to speak, between any two writes.
func TestCrashNeitherShowsNorRepeatsAHeldResult(t *testing.T) {
	k := newKept(t)
	c := holding(t, k.Vault, "a")
	calls(t, c, 1, `{}`, fill(said, email))
	files, _ := filepath.Glob(filepath.Join(k.dir, "*"))
	for _, f := range files {
		if b, _ := os.ReadFile(f); bytes.Contains(b, []byte("jane")) {
			t.Errorf("%s has it in clear", f)
		}
	}
	// Before the record of the call: nothing is held, and the file goes.
	k.reopen(t)
	if files, _ := filepath.Glob(filepath.Join(k.dir, "held-*")); len(files) != 0 || len(k.Held()) != 0 {
		t.Errorf("held without a record: %v", files)
	}
	// After it, and after the release, it is there.
	c = holding(t, k.Vault, "a")
	calls(t, c, 2, `{}`, fill(said, email))
	for _, p := range k.save(t) {
		if bytes.Contains(p.Value, []byte("jane")) {
			t.Errorf("the state has it in clear: %s", p.Value)
		}
	}
	k.reopen(t)
	released := func(_ guardrails.Held, puts []store.Put) error {
		k.pos++
		return k.state.Apply(k.pos, puts)
	}
	if err := k.Release(k.Held()[0].Ref, released); err != nil {
		t.Fatal(err)
	}
	k.reopen(t)
	c = holding(t, k.Vault, "a")
	// While it is handed over: it may have been.
	call := &policy.Call{Ref: 3, Agent: c.Agent, Connection: c, Upstream: "u", Method: "tools/call", Target: "t", Frame: parse(t, wire.FromAgent, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{}}}`)}
	if _, o, _ := policy.Decide(t.Context(), call); !o.Allowed || o.Answer == nil {
		t.Fatalf("got %+v", o)
	}
	k.save(t)
	k.reopen(t)
	if files, _ := filepath.Glob(filepath.Join(k.dir, "held-*")); len(files) != 0 || len(k.Held()) != 0 {
		t.Errorf("it can be handed over twice: %v", files)
	}
}

func TestRolledBackStateHandsNothingOver(t *testing.T) {
	k := newKept(t)
	k.Doubt(func() bool { return true })
	c := holding(t, k.Vault, "a")
	calls(t, c, 1, `{}`, fill(said, email))
	if err := k.Release(k.Held()[0].Ref, recorded); err != nil {
		t.Fatal(err)
	}
	if _, sent, o := calls(t, c, 2, `{}`, ""); sent != 0 || o.Allowed || o.Reason.Code != "RESULT_WAITS" {
		t.Errorf("got %+v", o)
	}
}

func TestOneOfManyGetsAReleasedResult(t *testing.T) {
	k := newKept(t)
	c := holding(t, k.Vault, "a")
	calls(t, c, 1, `{}`, fill(said, email))
	if err := k.Release(k.Held()[0].Ref, recorded); err != nil {
		t.Fatal(err)
	}
	var given atomic.Int32
	var work sync.WaitGroup
	for i := range 16 {
		work.Go(func() {
			if got, sent, _ := calls(t, c, policy.Ref(i+2), `{}`, fill(said, "new")); sent == 0 && got == fill(said, email) {
				given.Add(1)
			}
			k.Changes(func(store.Put) {})
		})
	}
	work.Wait()
	if given.Load() != 1 {
		t.Errorf("%d got it", given.Load())
	}
}
