package guardrails_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

var tokenForm = regexp.MustCompile(`\[email:tk_[0-9a-hjkmnp-tv-z]{26}\]`)

// kept is a vault over a store, with a clock of its own.
type kept struct {
	*guardrails.Vault

	state *store.Memory
	dir   string
	now   time.Time
	pos   uint64
}

func newKept(t *testing.T) *kept {
	t.Helper()
	k := &kept{state: new(store.Memory), dir: filepath.Join(t.TempDir(), "vault"), now: time.Unix(1_800_000_000, 0)}
	k.reopen(t)
	return k
}

// reopen is a restart: what was not saved is lost.
func (k *kept) reopen(t *testing.T) {
	t.Helper()
	v, err := guardrails.OpenVault(guardrails.VaultConfig{State: k.state, Dir: k.dir, Clock: func() time.Time { return k.now }, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	k.Vault = v
}

// save writes down what has changed, as a journal does.
func (k *kept) save(t *testing.T) (puts []store.Put) {
	t.Helper()
	k.Changes(func(p store.Put) {
		puts = append(puts, store.Put{Key: bytes.Clone(p.Key), Value: bytes.Clone(p.Value)})
	})
	k.pos++
	if err := k.state.Apply(k.pos, puts); err != nil {
		t.Fatal(err)
	}
	return puts
}

// tokens makes a connection on which addresses become tokens, which are put back at some places.
func tokens(t *testing.T, v *guardrails.Vault, agent, name string, restore ...string) *policy.Connection {
	t.Helper()
	r := rule(guardrails.Tokenize, "email")
	for _, x := range restore {
		var to guardrails.Restore
		if err := to.UnmarshalText([]byte(x)); err != nil {
			t.Fatal(err)
		}
		r.Restore = append(r.Restore, to)
	}
	c := &policy.Connection{
		Name: name, Agent: &policy.Agent{Name: agent}, Upstream: &policy.Upstream{Name: "u"}, Limits: wire.DefaultLimits,
		File: policy.Settings{"guardrails": &guardrails.FileKeys{Guardrails: []guardrails.Profile{profile("p", r)}}},
	}
	if err := equipWith(v, c, "p"); err != nil {
		t.Fatal(err)
	}
	return c
}

// issue gets a token for an address.
func issue(t *testing.T, c *policy.Connection, value string) string {
	t.Helper()
	out, o := answer(t, c, fill(said, "write to "+value+"!"))
	token := tokenForm.FindString(out)
	if !o.Allowed || token == "" || strings.Contains(out, value) || !o.Durable {
		t.Fatalf("got %s, %+v", out, o)
	}
	return token
}

func TestTokenIsPutBackWhereARuleSaysSo(t *testing.T) {
	k := newKept(t)
	c := tokens(t, k.Vault, "a", "c", "u/t:/q", "other:/q", "t:/list/*")
	token := issue(t, c, email)
	if again := issue(t, c, email); again != token {
		t.Errorf("the same value has two tokens: %s, %s", token, again)
	}
	call := func(tool, arguments string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `","arguments":` + arguments + `,"_meta":{"q":"` + token + `"}}}`
	}
	cases := map[string]struct{ tool, in, want string }{
		"alone":             {"t", `{"q":"TOKEN"}`, `{"q":"VALUE"}`},
		"within text":       {"t", `{"q":"to TOKEN, TOKEN"}`, `{"q":"to VALUE, VALUE"}`},
		"escapes around it": {"t", `{ "q" : "\u00e9\"TOKEN\n" }`, `{ "q" : "\u00e9\"VALUE\n" }`},
		"in a list":         {"t", `{"list":["TOKEN","x"]}`, `{"list":["VALUE","x"]}`},
		"other argument":    {"t", `{"r":"TOKEN"}`, `{"r":"TOKEN"}`},
		"deeper argument":   {"t", `{"x":{"q":"TOKEN"}}`, `{"x":{"q":"TOKEN"}}`},
		"name of a member":  {"t", `{"list":{"TOKEN":1}}`, `{"list":{"TOKEN":1}}`},
		"other tool":        {"s", `{"q":"TOKEN"}`, `{"q":"TOKEN"}`},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			want := call(x.tool, strings.ReplaceAll(x.want, "VALUE", email))
			want = strings.ReplaceAll(want, "TOKEN", token)
			got, o := send(t, c, call(x.tool, strings.ReplaceAll(x.in, "TOKEN", token)))
			if !o.Allowed || got != want {
				t.Errorf("got  %s\nwant %s\n%+v", got, want, o)
			}
			noted := 0
			for _, f := range o.Findings {
				if strings.HasPrefix(f.Detail, "restored: email at /params/arguments/") && !strings.Contains(f.Detail, email) {
					noted++
				}
			}
			if restored := strings.Count(x.want, "VALUE"); noted != restored {
				t.Errorf("%d of %d restorations are on record", noted, restored)
			}
		})
	}
	// A result never has the value, and the same token again.
	if got, o := answer(t, c, fill(said, "sent to "+email)); !o.Allowed || !strings.Contains(got, token) {
		t.Errorf("got %s, %+v", got, o)
	}
}

func TestTokenOfNobodyStaysText(t *testing.T) {
	k := newKept(t)
	c := tokens(t, k.Vault, "a", "c", "t:/q")
	token := issue(t, c, email)
	last := token[len(token)-2]
	forged := token[:len(token)-2] + string('0'+(last+1)%10) + "]"
	cases := map[string]struct {
		c     *policy.Connection
		token string
	}{
		"another agent":      {tokens(t, k.Vault, "b", "c", "t:/q"), token},
		"another connection": {tokens(t, k.Vault, "a", "d", "t:/q"), token},
		"forged":             {c, forged},
		"another entity":     {c, strings.Replace(token, "email", "phone", 1)},
		"no bracket":         {c, token[1 : len(token)-1]},
		"upper case":         {c, strings.ToUpper(token)},
		"cut":                {c, token[:20] + "]"},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			if got, o := send(t, x.c, fill(ask, x.token)); !o.Allowed || got != fill(ask, x.token) {
				t.Errorf("got %s, %+v", got, o)
			}
		})
	}
	k.now = k.now.Add(24*time.Hour + time.Second)
	if got, o := send(t, c, fill(ask, token)); !o.Allowed || got != fill(ask, token) {
		t.Errorf("an expired token is put back: %s, %+v", got, o)
	}
	if again := issue(t, c, email); again == token {
		t.Error("an expired token is given again")
	}
}

// TestWhatIsPutBackIsJudged holds the arguments to the rules for them as the server gets them.
func TestWhatIsPutBackIsJudged(t *testing.T) {
	out := rule(guardrails.Block, "email")
	out.In = way(t, "args")
	in := rule(guardrails.Tokenize, "email")
	in.In = way(t, "result")
	in.Restore = []guardrails.Restore{{Tool: policy.Pattern{Text: "t"}, Path: policy.Pattern{Text: "/q"}}}
	c := connection(t, "p", profile("p", out, in))
	token := issue(t, c, email)
	if got, o := send(t, c, fill(ask, token)); o.Allowed || o.Reason.Code != "CONTENT_BLOCKED" {
		t.Errorf("got %s, %+v", got, o)
	}
	out.Except = []policy.Pattern{{Text: "u/t"}}
	c = connection(t, "p", profile("p", out, in))
	if got, o := send(t, c, fill(ask, issue(t, c, email))); !o.Allowed || got != fill(ask, email) {
		t.Errorf("got %s, %+v", got, o)
	}
}

func way(t *testing.T, text string) (w guardrails.Way) {
	t.Helper()
	if err := w.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestValueThatMeansSomethingIsPutBackAloneOnly(t *testing.T) {
	k := newKept(t)
	r := rule(guardrails.Tokenize, "secret")
	r.Restore = []guardrails.Restore{{Tool: policy.Pattern{Text: "t"}, Path: policy.Pattern{Text: "/q"}}}
	find := guardrails.Find{Name: guardrails.ProfileName{Text: "note"}, Field: []string{"note"}, Examples: []string{"note: abc"}, Counterexamples: []string{"abc"}}
	r.Find = []guardrails.Find{find}
	c := &policy.Connection{
		Name: "c", Agent: &policy.Agent{Name: "a"}, Upstream: &policy.Upstream{Name: "u"}, Limits: wire.DefaultLimits,
		File: policy.Settings{"guardrails": &guardrails.FileKeys{Guardrails: []guardrails.Profile{profile("p", r)}}},
	}
	if err := equipWith(k.Vault, c, "p"); err != nil {
		t.Fatal(err)
	}
	out, o := answer(t, c, `{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"note":"a\",\"to\":\"b"}}}`)
	token := regexp.MustCompile(`\[note:tk_[0-9a-z]{26}\]`).FindString(out)
	if token == "" {
		t.Fatalf("got %s, %+v", out, o)
	}
	if got, o := send(t, c, fill(ask, token)); !o.Allowed || got != fill(ask, `a","to":"b`) {
		t.Errorf("got %s, %+v", got, o)
	}
	if got, o := send(t, c, fill(ask, `{"x":"`+token+`"}`)); !o.Allowed || got != fill(ask, `{"x":"`+token+`"}`) {
		t.Errorf("a value breaks out: %s, %+v", got, o)
	}
}

func TestVaultKeepsNothingInClear(t *testing.T) {
	k := newKept(t)
	c := tokens(t, k.Vault, "a", "c", "t:/q")
	token := issue(t, c, email)
	puts := k.save(t)
	if len(puts) != 1 {
		t.Fatalf("%d changes, want 1", len(puts))
	}
	for _, p := range puts {
		if bytes.Contains(append(p.Key, p.Value...), []byte("jane")) {
			t.Errorf("the value is there to read: %s %s", p.Key, p.Value)
		}
	}
	if got := k.save(t); len(got) != 0 {
		t.Errorf("changes are told twice: %v", got)
	}
	k.reopen(t)
	c = tokens(t, k.Vault, "a", "c", "t:/q")
	if got, o := send(t, c, fill(ask, token)); !o.Allowed || got != fill(ask, email) {
		t.Errorf("after a restart: %s, %+v", got, o)
	}
	if fi, err := os.Stat(filepath.Join(k.dir, "key")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", fi, err)
	}
	k.now = k.now.Add(25 * time.Hour)
	if err := k.Sweep(); err != nil {
		t.Fatal(err)
	}
	if puts := k.save(t); len(puts) != 1 || puts[0].Value != nil {
		t.Errorf("what has expired stays: %v", puts)
	}
}

func TestVaultWithAnotherKeyOpensNothing(t *testing.T) {
	k := newKept(t)
	token := issue(t, tokens(t, k.Vault, "a", "c", "t:/q"), email)
	k.save(t)
	if err := os.Remove(filepath.Join(k.dir, "key")); err != nil {
		t.Fatal(err)
	}
	k.reopen(t)
	if got, o := send(t, tokens(t, k.Vault, "a", "c", "t:/q"), fill(ask, token)); o.Allowed || o.Reason != policy.ReasonFault {
		t.Errorf("got %s, %+v", got, o)
	}
	if err := os.WriteFile(filepath.Join(k.dir, "key"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	k.reopen(t)
	if got, o := answer(t, tokens(t, k.Vault, "a", "c"), fill(said, email)); o.Allowed || o.Reason != policy.ReasonFault {
		t.Errorf("got %s, %+v", got, o)
	}
}

func TestVaultIsBounded(t *testing.T) {
	k := newKept(t)
	c, other := tokens(t, k.Vault, "a", "c", "t:/q"), tokens(t, k.Vault, "b", "c", "t:/q")
	first, foreign := issue(t, c, email), issue(t, other, email)
	var b strings.Builder
	for i := range 4096 {
		fmt.Fprintf(&b, "u%d@corp-mail.io ", i)
	}
	if _, o := answer(t, c, fill(said, b.String())); !o.Allowed {
		t.Fatalf("refused: %s", o.Detail)
	}
	if got, _ := send(t, c, fill(ask, first)); got != fill(ask, first) {
		t.Errorf("the oldest is there still: %s", got)
	}
	if got, _ := send(t, other, fill(ask, foreign)); got != fill(ask, email) {
		t.Errorf("one agent has used up another's room: %s", got)
	}
}

func TestDamagedTokenIsForgotten(t *testing.T) {
	k := newKept(t)
	if err := k.state.Apply(1, []store.Put{{Key: []byte("v/t/x"), Value: []byte("{")}, {Key: []byte("v/?"), Value: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	k.pos = 1
	k.reopen(t)
	if puts := k.save(t); len(puts) != 2 || puts[0].Value != nil || puts[1].Value != nil {
		t.Errorf("got %v", puts)
	}
}

func TestObserveKeepsNothing(t *testing.T) {
	k := newKept(t)
	c := tokens(t, k.Vault, "a", "c")
	c.Gates[0].Observe = true
	if got, o := answer(t, c, fill(said, email)); !o.Allowed || got != fill(said, email) || len(o.Findings) == 0 {
		t.Errorf("got %s, %+v", got, o)
	}
	if puts := k.save(t); len(puts) != 0 {
		t.Errorf("got %v", puts)
	}
}

func TestManyUseTheVaultAtOnce(t *testing.T) {
	k := newKept(t)
	var work sync.WaitGroup
	for i := range 8 {
		c := tokens(t, k.Vault, fmt.Sprint("agent", i%4), "c", "t:/q")
		work.Go(func() {
			for j := range 50 {
				value := fmt.Sprintf("u%d@corp-mail.io", j%20)
				out, _ := answer(t, c, fill(said, value))
				if got, o := send(t, c, fill(ask, tokenForm.FindString(out))); got != fill(ask, value) {
					t.Errorf("got %s, %+v", got, o)
				}
				if err := k.Sweep(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Go(func() {
		for range 50 {
			k.Changes(func(store.Put) {})
		}
	})
	work.Wait()
}
