package audit_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// place is a state directory and a store in memory that outlives the journal over it.
type place struct {
	dir    string
	store  *store.Memory
	wiped  int // times that the store was rebuilt
	config audit.Config
}

func newPlace(tb testing.TB) *place {
	tb.Helper()
	p := &place{dir: tb.TempDir(), store: new(store.Memory)}
	p.config = audit.Config{
		Dir: p.dir, Clock: ticking(), Random: bytes.NewReader(bytes.Repeat([]byte("random! "), 100)), Log: zerolog.Nop(),
		State: func(wipe bool) (store.Engine, error) {
			if wipe {
				p.store = new(store.Memory)
				p.wiped++
			}
			p.store.Reopen()
			return p.store, nil
		},
	}
	return p
}

// ticking is a clock that goes on by a millisecond each time it is looked at.
func ticking() func() time.Time {
	var mu sync.Mutex
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		at = at.Add(time.Millisecond)
		return at
	}
}

// file returns the name of a file of the journal.
func (p *place) file(name string) string { return filepath.Join(p.dir, "journal", name) }

// segments returns the names of the segments, in order.
func (p *place) segments(tb testing.TB) []string {
	tb.Helper()
	names, err := filepath.Glob(p.file("*.seg"))
	if err != nil {
		tb.Fatal(err)
	}
	return names
}

func (p *place) open(tb testing.TB) *audit.Journal {
	tb.Helper()
	j, err := audit.Open(tb.Context(), p.config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = j.Close() }) // a second time where the test has closed it
	return j
}

// openBubble opens the journal in a bubble of synctest, on the bubble's clock.
func (p *place) openBubble(t *testing.T) *audit.Journal {
	t.Helper()
	p.config.Clock = time.Now
	j, err := audit.Open(t.Context(), p.config)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func mustClose(tb testing.TB, j *audit.Journal) {
	tb.Helper()
	if err := j.Close(); err != nil {
		tb.Fatal(err)
	}
}

// verify returns what Verify finds, and the damage alone where there is any.
func (p *place) verify(tb testing.TB) audit.Verification {
	tb.Helper()
	v, err := audit.Verify(tb.Context(), p.dir, "")
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func (p *place) wantSound(tb testing.TB) audit.Verification {
	tb.Helper()
	v := p.verify(tb)
	if v.Damage != nil || v.Torn != nil {
		tb.Fatalf("the journal is not sound: %v, %v", v.Damage, v.Torn)
	}
	return v
}

// copyOf returns a place with the same journal and the same state, as they are between two writes: what has been
// acknowledged may have made a new segment necessary, which is written while nobody waits.
func (p *place) copyOf(tb testing.TB) *place {
	tb.Helper()
	p.store.Reopen()
	for {
		c, before := newPlace(tb), p.listing(tb)
		err := os.CopyFS(filepath.Join(c.dir, "journal"), os.DirFS(filepath.Join(p.dir, "journal")))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			tb.Fatal(err)
		}
		var puts []store.Put
		for item, err := range p.store.Scan(nil, nil, false) {
			if err != nil {
				tb.Fatal(err)
			}
			puts = append(puts, store.Put(item))
		}
		if p.listing(tb) != before || strings.Contains(before, ".tmp ") {
			continue
		}
		if err != nil {
			tb.Fatal(err)
		}
		if err := c.store.Apply(p.store.Position(), puts); err != nil {
			tb.Fatal(err)
		}
		return c
	}
}

// listing says what there is: files with their sizes and times, and how far the store has come.
func (p *place) listing(tb testing.TB) string {
	tb.Helper()
	files, err := os.ReadDir(filepath.Join(p.dir, "journal"))
	if err != nil {
		tb.Fatal(err)
	}
	var text strings.Builder
	fmt.Fprintln(&text, "store", p.store.Position())
	for _, f := range files {
		info, err := f.Info()
		if errors.Is(err, os.ErrNotExist) {
			return p.listing(tb)
		}
		if err != nil {
			tb.Fatal(err)
		}
		fmt.Fprintln(&text, f.Name(), info.Size(), info.ModTime())
	}
	return text.String()
}

// state returns the live state, without the journal's own keys.
func state(tb testing.TB, r store.Reader) map[string]string {
	tb.Helper()
	got := map[string]string{}
	for item, err := range r.Scan(nil, nil, false) {
		if err != nil {
			tb.Fatal(err)
		}
		if k := string(item.Key[:2]); k != "a/" && k != "i/" && k != "j/" {
			got[string(item.Key)] = string(item.Value)
		}
	}
	return got
}

var (
	bot  = &policy.Agent{Name: "ci-bot"}
	link = &policy.Connection{Name: "ci-bot -> files", Agent: bot, Revision: "5f1d"}

	denied  = &policy.Reason{Code: "TOOL_NOT_ALLOWED", Severity: policy.Low}
	garbage = &policy.Reason{Code: "NOT_JSON", Severity: policy.Info}
)

func frame(tb testing.TB, raw string, from wire.Side) *wire.Frame {
	tb.Helper()
	f := new(wire.Frame)
	if err := wire.Parse(f, []byte(raw), from, &wire.DefaultLimits); err != nil {
		tb.Fatal(err)
	}
	return f
}

// aCall is a call of a tool by an agent that has a connection.
func aCall(tb testing.TB, ref policy.Ref) *policy.Call {
	tb.Helper()
	return &policy.Call{
		Ref: ref, Agent: bot, Connection: link, Upstream: "files", Method: "tools/call", Target: "read_file", Task: "read",
		Frame: frame(tb, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"/secret"}}}`, wire.FromAgent),
		Origin: policy.Origin{
			Transport: "http", Protocol: "2025-11-25", Remote: "192.0.2.7:5123", Client: "inspector", Key: "k1", Session: "d1gest",
		},
	}
}

func aResult(tb testing.TB) *policy.Report {
	tb.Helper()
	return &policy.Report{
		Status: policy.StatusOK, Took: 1500 * time.Microsecond, Notifications: 2,
		Result: frame(tb, `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"secret"}]}}`, wire.FromUpstream),
	}
}

func begin(tb testing.TB, j *audit.Journal, c *policy.Call) {
	tb.Helper()
	if err := j.Begin(tb.Context(), c, &policy.Outcome{Allowed: true}); err != nil {
		tb.Fatalf("Begin: %v", err)
	}
}

func refuse(tb testing.TB, j *audit.Journal, c *policy.Call, r *policy.Reason) {
	tb.Helper()
	if err := j.Begin(tb.Context(), c, &policy.Outcome{Gate: "scope", Reason: r, At: policy.Pos{File: "hopgate.yaml", Line: 7, Col: 3}}); err != nil {
		tb.Fatalf("Begin: %v", err)
	}
}

func event(tb testing.TB, j *audit.Journal, name string, puts ...store.Put) {
	tb.Helper()
	if err := j.Event(tb.Context(), name, nil, puts); err != nil {
		tb.Fatalf("Event: %v", err)
	}
}

func put(key, value string) store.Put { return store.Put{Key: []byte(key), Value: []byte(value)} }

func del(key string) store.Put { return store.Put{Key: []byte(key)} }

// all returns every record, the oldest first.
func all(tb testing.TB, j *audit.Journal) []audit.Record {
	tb.Helper()
	var got []audit.Record
	for r, err := range j.Tail(tb.Context(), 1<<30, false) {
		if err != nil {
			tb.Fatal(err)
		}
		got = append(got, r)
	}
	return got
}

// brief returns records as kind, event or status, and reference.
func brief(records []audit.Record) []string {
	var got []string
	for _, r := range records {
		parts := []string{string(r.Kind), r.Event, r.Status, r.Reason, r.Ref}
		if r.Count > 0 {
			parts = append(parts, fmt.Sprintf("x%d", r.Count))
		}
		parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
		got = append(got, strings.Join(parts, " "))
	}
	return got
}

// busy writes n calls of all kinds, and changes of state.
func busy(tb testing.TB, j *audit.Journal, n int) {
	tb.Helper()
	for i := range n {
		c := aCall(tb, policy.Ref(1000+i))
		switch i % 4 {
		case 0, 1:
			begin(tb, j, c)
			j.End(c, &policy.Outcome{Allowed: true}, aResult(tb))
		case 2:
			refuse(tb, j, c, denied)
		case 3:
			event(tb, j, "changed", put(fmt.Sprintf("k/%d", i%12), fmt.Sprint(i)), del(fmt.Sprintf("k/%d", (i+4)%12)))
		}
	}
	if err := j.Flush(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

func read(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func write(tb testing.TB, name string, b []byte) {
	tb.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// unblanked reads a segment without the zeros at its end.
func unblanked(tb testing.TB, name string) []byte {
	tb.Helper()
	b := read(tb, name)
	at := frames(tb, b)
	return b[:at[len(at)-1]]
}

// frames returns where the frames of a segment begin, its end last. It knows the format from its description alone.
func frames(tb testing.TB, seg []byte) []int {
	tb.Helper()
	starts := []int{bytes.Index(seg, []byte("HgF\x01"))}
	for at := starts[0]; len(bytes.Trim(seg[at:], "\x00")) > 0; {
		if !bytes.HasPrefix(seg[at:], []byte("HgF\x01")) {
			tb.Fatalf("no frame begins at byte %d", at)
		}
		at += 20 + int(uint32(seg[at+4])<<24|uint32(seg[at+5])<<16|uint32(seg[at+6])<<8|uint32(seg[at+7])) + 32
		starts = append(starts, at)
	}
	return starts
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// rechain makes a journal that was changed follow from byte to byte again, as anybody can who may write to the file: the
// chain has no key.
func (p *place) rechain(tb testing.TB) {
	tb.Helper()
	var chain [32]byte
	for i, name := range p.segments(tb) {
		b := read(tb, name)
		at := frames(tb, b)
		if i > 0 {
			copy(b[44:], chain[:])
		}
		chain = sha256.Sum256(b[:at[0]])
		for f := range len(at) - 1 {
			end := at[f+1] - 32
			chain = sha256.Sum256(slices.Concat(chain[:], b[at[f]:end]))
			copy(b[end:], chain[:])
		}
		write(tb, name, b)
	}
}
