package identity_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/trust/identity"
)

// book is a recorder over a store in memory.
type book struct {
	store.Memory
	events []string
	broken bool
}

func (b *book) Event(_ context.Context, name string, fields map[string]string, puts []store.Put) error {
	if b.broken {
		return errors.New("the disk is full")
	}
	b.events = append(b.events, strings.TrimSpace(name+" "+fields["agent"]))
	return b.Apply(b.Position()+1, puts)
}

// world is a registry, what it is recorded in, and the time.
type world struct {
	*identity.Registry
	book book
	mu   sync.Mutex
	now  time.Time
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	w.reopen(tb)
	return w
}

func (w *world) reopen(tb testing.TB) {
	tb.Helper()
	r, err := identity.Open(&w.book, &w.book, w.clock, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	w.Registry = r
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) add(tb testing.TB, agent string, ttl time.Duration) (string, identity.Credential) {
	tb.Helper()
	key, c, err := w.Add(tb.Context(), agent, ttl)
	if err != nil {
		tb.Fatal(err)
	}
	return key, c
}

// wants checks what a key is good for, before and after a restart.
func (w *world) wants(t *testing.T, key, agent, id string, want error) {
	t.Helper()
	for range 2 {
		gotAgent, gotID, err := w.Verify(key)
		if gotAgent != agent || gotID != id || !errors.Is(err, want) {
			t.Errorf("Verify = %q, %q, %v, want %q, %q, %v", gotAgent, gotID, err, agent, id, want)
		}
		if id != "" {
			if err := w.Check(id); !errors.Is(err, want) {
				t.Errorf("Check(%s) = %v, want %v", id, err, want)
			}
		}
		w.reopen(t)
	}
}

func TestAKeyNamesItsAgent(t *testing.T) {
	w := newWorld(t)
	k1, c1 := w.add(t, "ci-bot", 0)
	k2, c2 := w.add(t, "ci-bot", time.Hour)
	k3, c3 := w.add(t, "writer", 0)
	w.wants(t, k1, "ci-bot", c1.ID, nil)
	w.wants(t, k2, "ci-bot", c2.ID, nil)
	w.wants(t, k3, "writer", c3.ID, nil)
	if diff := cmp.Diff([]string{"key added ci-bot", "key added ci-bot", "key added writer"}, w.book.events); diff != "" {
		t.Error(diff)
	}
	if got := w.List("writer"); len(got) != 1 || got[0].ID != c3.ID || !got[0].Created.Equal(w.now) {
		t.Errorf("List = %+v", got)
	}
	if got := len(w.List("")); got != 3 {
		t.Errorf("List of all has %d credentials, want 3", got)
	}
}

func TestKeysHaveTheDocumentedForm(t *testing.T) {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	w := newWorld(t)
	seen := map[string]bool{}
	for range 50 {
		key, _ := w.add(t, "a", 0)
		secret, sum := key[4:47], 0
		for _, c := range key[47:] {
			sum = sum*62 + strings.IndexRune(digits, c)
		}
		if len(key) != 53 || key[:4] != "hga_" || strings.Trim(key[4:], digits) != "" || uint32(sum) != crc32.ChecksumIEEE([]byte(secret)) || seen[key] {
			t.Errorf("key %q", key)
		}
		seen[key] = true
	}
}

func TestTheKeyIsNowhere(t *testing.T) {
	w := newWorld(t)
	key, c := w.add(t, "ci-bot", 0)
	hash := sha256.Sum256([]byte(key))
	for item, err := range w.book.Scan(nil, nil, false) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(item.Value), key[4:20]) || !strings.Contains(string(item.Value), hex.EncodeToString(hash[:])) {
			t.Errorf("%s holds the key, or not its hash", item.Key)
		}
		if want := "k/" + c.ID; string(item.Key) != want {
			t.Errorf("the credential lies under %q, want %q", item.Key, want)
		}
	}
	if s := fmt.Sprintf("%+v", w.List("")); strings.Contains(s, key[4:]) {
		t.Error("List shows the key")
	}
}

func TestWhatIsNoKeyIsMalformed(t *testing.T) {
	w := newWorld(t)
	key, _ := w.add(t, "ci-bot", 0)
	for name, s := range map[string]string{
		"empty":          "",
		"prefix":         "hga_",
		"too short":      key[:52],
		"too long":       key + "0",
		"other prefix":   "hgb_" + key[4:],
		"upper prefix":   "HGA_" + key[4:],
		"not base 62":    key[:10] + "-" + key[11:],
		"not ASCII":      key[:10] + "\xff" + key[11:],
		"bad sum":        key[:47] + "000000",
		"sum too large":  key[:47] + "zzzzzz",
		"one typo":       key[:20] + string("01"[strings.Count(key[20:21], "0")]) + key[21:],
		"white space":    key[:52] + " ",
		"case folded":    strings.ToLower(key),
		"nul at the end": key[:52] + "\x00",
	} {
		if agent, id, err := w.Verify(s); agent != "" || id != "" || !errors.Is(err, identity.ErrMalformed) {
			t.Errorf("%s: %q, %q, %v, want %v", name, agent, id, err, identity.ErrMalformed)
		}
	}
	other := newWorld(t)
	stranger, _ := other.add(t, "ci-bot", 0)
	w.wants(t, stranger, "", "", identity.ErrUnknown)
}

// What cannot be recorded does not give rights, and does not keep them.
func TestWithoutARecordNothingIsGranted(t *testing.T) {
	w := newWorld(t)
	key, c := w.add(t, "ci-bot", 0)
	w.book.broken = true
	if key, _, err := w.Add(t.Context(), "ci-bot", 0); err == nil || key != "" {
		t.Errorf("Add = %q, %v", key, err)
	}
	if key, _, err := w.Rotate(t.Context(), "ci-bot", 0); err == nil || key != "" {
		t.Errorf("Rotate = %q, %v", key, err)
	}
	if got := w.List("ci-bot"); len(got) != 1 || !got[0].Expires.IsZero() {
		t.Errorf("List = %+v, want the first key, unchanged", got)
	}
	if n, err := w.Revoke(t.Context(), "ci-bot", c.ID); n != 1 || err == nil {
		t.Errorf("Revoke = %d, %v, want a revocation that is not on record", n, err)
	}
	if _, _, err := w.Verify(key); !errors.Is(err, identity.ErrRevoked) {
		t.Errorf("Verify = %v, want %v", err, identity.ErrRevoked)
	}
	w.book.broken = false
	if n, err := w.Revoke(t.Context(), "ci-bot", c.ID); n != 0 || err != nil {
		t.Errorf("Revoke again = %d, %v", n, err)
	}
	w.wants(t, key, "", c.ID, identity.ErrRevoked) // after a restart, too
}

func TestBadRequestsAddNothing(t *testing.T) {
	w := newWorld(t)
	if _, _, err := w.Add(t.Context(), "", 0); err == nil {
		t.Error("a key for nobody")
	}
	if _, _, err := w.Add(t.Context(), "a", -1); err == nil {
		t.Error("a key that expired before it was made")
	}
	r, err := identity.Open(&w.book, &w.book, w.clock, io.LimitReader(rand.Reader, 20))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Add(t.Context(), "a", 0); err == nil {
		t.Error("a key without randomness")
	}
	if len(w.book.events) != 0 || len(w.List("")) != 0 {
		t.Errorf("events %v, credentials %v", w.book.events, w.List(""))
	}
}

func TestAChangeWakesWhoWaits(t *testing.T) {
	w := newWorld(t)
	_, c := w.add(t, "ci-bot", 0)
	changed := w.Changed()
	ended := make(chan error)
	go func() {
		for {
			if err := w.Check(c.ID); err != nil {
				ended <- err
				return
			}
			<-changed
			changed = w.Changed()
		}
	}()
	w.add(t, "writer", 0) // wakes too, and changes nothing for it
	if _, err := w.Revoke(t.Context(), "ci-bot", ""); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, identity.ErrRevoked) {
		t.Errorf("the session ended with %v, want %v", err, identity.ErrRevoked)
	}
	if err := w.Check("nothing"); !errors.Is(err, identity.ErrUnknown) {
		t.Errorf("Check = %v, want %v", err, identity.ErrUnknown)
	}
}

func TestLastUseIsKept(t *testing.T) {
	w := newWorld(t)
	key, c := w.add(t, "ci-bot", 0)
	if got := w.List("")[0].Used; !got.IsZero() {
		t.Errorf("a new key was used at %v", got)
	}
	w.pass(time.Minute)
	if _, _, err := w.Verify(key); err != nil {
		t.Fatal(err)
	}
	want := w.now
	for range 3 {
		if err := w.Save(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.reopen(t)
	if err := w.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.List("")[0].Used; !got.Equal(want) {
		t.Errorf("used %v, want %v", got, want)
	}
	if diff := cmp.Diff([]string{"key added ci-bot", "key use saved"}, w.book.events); diff != "" {
		t.Errorf("only what changed is saved:\n%s", diff)
	}
	// A use between is not lost by a change of the credential.
	w.pass(time.Minute)
	if _, _, err := w.Verify(key); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Revoke(t.Context(), "ci-bot", c.ID); err != nil {
		t.Fatal(err)
	}
	w.reopen(t)
	if got := w.List("")[0].Used; !got.Equal(w.now) {
		t.Errorf("used %v, want %v", got, w.now)
	}
}

func TestOpenRefusesWhatItDoesNotUnderstand(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for name, v := range map[string]string{
		"no JSON":         `x`,
		"no agent":        `{"id":"k1","hash":"` + hash + `"}`,
		"other id":        `{"id":"k2","agent":"a","hash":"` + hash + `"}`,
		"short hash":      `{"id":"k1","agent":"a","hash":"ab"}`,
		"long hash":       `{"id":"k1","agent":"a","hash":"` + hash + `ab"}`,
		"no hash":         `{"id":"k1","agent":"a"}`,
		"a later version": `{"id":"k1","agent":"a","hash":"` + hash + `","suspended":true}`,
	} {
		w := newWorld(t)
		if err := w.book.Apply(1, []store.Put{{Key: []byte("k/k1"), Value: []byte(v)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := identity.Open(&w.book, &w.book, w.clock, rand.Reader); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	w := newWorld(t)
	if err := w.book.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.Open(&w.book, &w.book, w.clock, rand.Reader); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Open over a store that fails = %v", err)
	}
}

func TestVerifyDoesNotAllocate(t *testing.T) {
	w := newWorld(t)
	key, c := w.add(t, "ci-bot", 0)
	stranger, _ := newWorld(t).add(t, "x", 0)
	for name, f := range map[string]func(){
		"good":    func() { _, _, _ = w.Verify(key) },
		"unknown": func() { _, _, _ = w.Verify(stranger) },
		"garbage": func() { _, _, _ = w.Verify("hga_nonsense") },
		"check":   func() { _ = w.Check(c.ID) },
	} {
		if got := testing.AllocsPerRun(100, f); got != 0 {
			t.Errorf("%s: %v allocations, want 0", name, got)
		}
	}
}

// Verifiers and changes at once, for the race detector.
func TestConcurrentUse(t *testing.T) {
	w := newWorld(t)
	key, c := w.add(t, "ci-bot", 0)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for w.Check(c.ID) == nil {
				_, _, _ = w.Verify(key)
				_ = w.List("ci-bot")
				_ = w.Save(t.Context())
			}
		})
	}
	for range 20 {
		w.add(t, "ci-bot", 0)
	}
	if _, err := w.Revoke(t.Context(), "ci-bot", ""); err != nil {
		t.Fatal(err)
	}
	group.Wait()
}

// FuzzVerify holds the reader of keys to accepting exactly the keys that were made.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	key, _ := w.add(f, "ci-bot", 0)
	f.Add(key)
	f.Add(key[:47] + "zzzzzz")
	f.Add("hga_" + strings.Repeat("0", 49))
	f.Fuzz(func(t *testing.T, s string) {
		agent, id, err := w.Verify(s)
		switch {
		case s == key:
			if err != nil || agent != "ci-bot" {
				t.Errorf("the key itself: %q, %v", agent, err)
			}
		case err == nil || agent != "" || id != "":
			t.Errorf("%q passes for %q, %q", s, agent, id)
		case !errors.Is(err, identity.ErrMalformed) && !errors.Is(err, identity.ErrUnknown):
			t.Errorf("%q: %v", s, err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	key, _ := w.add(b, "ci-bot", 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := w.Verify(key); err != nil {
			b.Fatal(err)
		}
	}
}
