package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// Search finds what reading all records one by one finds, whatever the clock did and however the store groups them.
func TestSearchEqualsReadingAll(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	p := newPlace(t)
	p.config.SegmentSize = 60_000
	p.config.Clock = restless()
	j := p.open(t)
	for i := range 600 {
		c := aCall(t, policy.Ref(i/2+1))
		c.Agent = &policy.Agent{Name: fmt.Sprintf("agent%d", random.IntN(4))}
		c.Connection = &policy.Connection{Name: fmt.Sprintf("link%d", random.IntN(3))}
		c.Target = fmt.Sprintf("tool%d", random.IntN(5))
		c.Origin.Client = strings.Repeat("c", 100) // so that blocks fill up
		switch random.IntN(3) {
		case 0:
			begin(t, j, c)
		case 1:
			passed := []policy.Finding{{Gate: "size", Reason: denied}, {Gate: "size"}, {Gate: "rate", Reason: policy.ReasonNoConnection}}
			if err := j.Begin(t.Context(), c, &policy.Outcome{Allowed: true, Findings: passed[:random.IntN(4)]}); err != nil {
				t.Fatal(err)
			}
		default:
			refuse(t, j, c, []*policy.Reason{denied, policy.ReasonNoConnection}[random.IntN(2)])
		}
	}
	wantSearchEqualsReadingAll(t, j, random)
	mustClose(t, j)
	p.store = new(store.Memory)
	wantSearchEqualsReadingAll(t, p.open(t), random)
}

// restless is a clock that mostly goes on, by up to a third of a second, and at times steps back.
func restless() func() time.Time {
	var mu sync.Mutex
	random, now := rand.New(rand.NewPCG(5, 6)), time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		if now = now.Add(time.Duration(random.IntN(300)) * time.Millisecond); random.IntN(20) == 0 {
			now = now.Add(-2 * time.Second)
		}
		return now
	}
}

func wantSearchEqualsReadingAll(t *testing.T, j *audit.Journal, random *rand.Rand) {
	t.Helper()
	records := all(t, j)
	pick := func(names ...string) string { return append(names, "", "")[random.IntN(len(names)+2)] }
	for range 300 {
		q := audit.Query{
			Agent: pick("agent0", "agent1", "nobody"), Connection: pick("link0", "link1"), Target: pick("tool0", "tool1"),
			Reason: pick("TOOL_NOT_ALLOWED", "NO_CONNECTION"), Decision: pick("allow", "deny"), Limit: 1000,
		}
		if random.IntN(3) == 0 {
			q.Ref = records[random.IntN(len(records))].Ref
		}
		if random.IntN(2) == 0 {
			q.Since = records[random.IntN(len(records))].Time
		}
		if random.IntN(2) == 0 {
			q.Until = records[random.IntN(len(records))].Time
		}
		got, err := j.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var want, found []uint64
		for _, r := range records {
			if matches(q, r) {
				want = append(want, r.Seq)
			}
		}
		for _, r := range got {
			found = append(found, r.Seq)
		}
		slices.Sort(found)
		if diff := cmp.Diff(want, found); diff != "" {
			t.Fatalf("%+v (-want +got):\n%s", q, diff)
		}
	}
	for _, r := range records {
		got, err := j.Show(t.Context(), r.Ref)
		if err != nil || !slices.ContainsFunc(got, func(x audit.Record) bool { return x.Seq == r.Seq }) {
			t.Fatalf("Show(%s) = %v, %v; record %d is not there", r.Ref, brief(got), err, r.Seq)
		}
	}
}

func matches(q audit.Query, r audit.Record) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	found := func(f audit.Finding) bool { return f.Reason == q.Reason }
	return is(q.Agent, r.Agent) && is(q.Connection, r.Connection) && is(q.Target, r.Target) &&
		(is(q.Reason, r.Reason) || slices.ContainsFunc(r.Findings, found)) &&
		is(q.Decision, r.Decision) && is(q.Ref, r.Ref) &&
		(q.Since.IsZero() || !r.Time.Before(q.Since)) && (q.Until.IsZero() || r.Time.Before(q.Until))
}

func TestTailReadsAnyLength(t *testing.T) {
	j := newPlace(t).open(t)
	for i := range 900 {
		refuse(t, j, aCall(t, policy.Ref(i)), denied)
	}
	for _, n := range []int{0, 1, 255, 256, 257, 899, 900, 5000, -1} {
		got, want := 0, max(0, min(n, 900))
		for r, err := range j.Tail(t.Context(), n, false) {
			if err != nil || r.Seq != uint64(900-want+got) {
				t.Fatalf("Tail(%d): record %d, %v, want %d", n, r.Seq, err, 900-want+got)
			}
			got++
		}
		if got != want {
			t.Errorf("Tail(%d) yields %d records, want %d", n, got, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for r, err := range j.Tail(ctx, 1, true) {
		t.Errorf("Tail after the end of its context yields %v, %v", r, err)
	}
}

// Whoever has the ref of any round of a call is shown all of them, also where they lie far apart.
func TestShowFindsAllRoundsOfACall(t *testing.T) {
	p := newPlace(t)
	j := p.open(t)
	for i, c := range []struct{ ref, first policy.Ref }{{1, 0}, {2, 0}, {3, 1}, {4, 2}, {5, 1}} {
		call := aCall(t, c.ref)
		call.First, call.Round = c.first, i
		begin(t, j, call)
		j.End(call, &policy.Outcome{Allowed: true}, aResult(t))
		busy(t, j, 100) // other blocks
	}
	for _, ref := range []policy.Ref{1, 3, 5} {
		found, err := j.Show(t.Context(), ref.String())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range found {
			if found[i].Kind == audit.KindIntent && (len(got) == 0 || got[len(got)-1] != found[i].Ref) {
				got = append(got, found[i].Ref)
			}
		}
		if want := []string{policy.Ref(1).String(), policy.Ref(3).String(), policy.Ref(5).String()}; !slices.Equal(got, want) {
			t.Errorf("of %s: %v, want %v", ref, got, want)
		}
	}
	mustClose(t, j)
}

// Records are read where they were written, and nothing else is taken for them.
func TestWhatWasWrittenIsReadAndNothingElse(t *testing.T) {
	for name, change := range map[string]func(name string) error{
		"a record is changed": func(name string) error {
			return os.WriteFile(name, bytes.ReplaceAll(read(t, name), []byte("to-find"), []byte("changed")), 0o600)
		},
		"the segment is cut":      func(name string) error { return os.Truncate(name, 1000) },
		"the segment is gone":     os.Remove,
		"another is in its place": func(name string) error { return os.WriteFile(name, make([]byte, 1<<20), 0o600) },
	} {
		p := newPlace(t)
		j := p.open(t)
		busy(t, j, 5)
		c := aCall(t, 45)
		c.Target = "to-find"
		begin(t, j, c)
		q := audit.Query{Target: c.Target}
		if found, err := j.Search(t.Context(), q); err != nil || len(found) != 1 {
			t.Fatalf("found %d records, error %v", len(found), err)
		}
		if err := change(p.segments(t)[0]); err != nil {
			t.Fatal(err)
		}
		if found, err := j.Search(t.Context(), q); err == nil || len(found) > 0 {
			t.Errorf("%s: found %d records, error %v", name, len(found), err)
		}
		for r, err := range j.Tail(t.Context(), 10, false) {
			if err == nil && (r.Target == "to-find" || r.Target == "changed") {
				t.Errorf("%s: the tail has %+v", name, r)
			}
		}
	}
}

// The calls of a busy second share a key by which their references are found, and it goes with them.
func TestABusySecondIsFoundByReference(t *testing.T) {
	p := newPlace(t)
	p.config.SegmentSize, p.config.Keep = 60_000, time.Hour
	const calls = 200
	synctest.Test(t, func(t *testing.T) {
		j := p.openBubble(t)
		for i := range calls {
			refuse(t, j, aCall(t, policy.Ref(i+1)), denied)
		}
		wantEachShown(t, j, calls)
		if bodies, rows := p.rows(t); rows > 10*bodies || bodies > calls/20 {
			t.Errorf("%d entries of the index for %d blocks of %d calls", rows, bodies, calls)
		}
		mustClose(t, j)
		p.store = new(store.Memory)
		j = p.openBubble(t)
		wantEachShown(t, j, calls)
		for range 3 {
			time.Sleep(time.Hour)
			event(t, j, "later")
		}
		if err := j.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if found, err := j.Show(t.Context(), policy.Ref(1).String()); err != nil || len(found) > 0 {
			t.Errorf("a call that was pruned is found: %v, %v", brief(found), err)
		}
		if bodies, rows := p.rows(t); rows > 3*bodies {
			t.Errorf("%d entries of the index for %d blocks of events", rows, bodies)
		}
		mustClose(t, j)
	})
}

func wantEachShown(t *testing.T, j *audit.Journal, calls int) {
	t.Helper()
	for i := range calls {
		ref := policy.Ref(i + 1).String()
		if found, err := j.Show(t.Context(), ref); err != nil || len(found) != 1 || found[0].Ref != ref {
			t.Fatalf("Show(%s) = %v, %v", ref, brief(found), err)
		}
	}
	if found, err := j.Show(t.Context(), policy.Ref(calls+1).String()); err != nil || len(found) > 0 {
		t.Errorf("a call that was not made is found: %v, %v", brief(found), err)
	}
}

// rows returns how many blocks and entries of the index the store has. An entry without a block fails the test.
func (p *place) rows(t *testing.T) (bodies, rows int) {
	t.Helper()
	known := map[string]bool{}
	for item, err := range p.store.Scan(nil, nil, false) { // bodies come first
		if err != nil {
			t.Fatal(err)
		}
		first := string(item.Key[max(0, len(item.Key)-8):])
		switch {
		case bytes.HasPrefix(item.Key, []byte("a/")):
			known[first] = true
		case !bytes.HasPrefix(item.Key, []byte("i/")):
		default:
			if rows++; !known[first] {
				t.Errorf("the entry %q leads to no block", item.Key)
			}
		}
	}
	return len(known), rows
}
