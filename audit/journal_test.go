package audit_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		crashChild(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

func TestACallLeavesIntentAndOutcome(t *testing.T) {
	p := newPlace(t)
	j := p.open(t)
	c := aCall(t, 1)
	begin(t, j, c)
	j.End(c, &policy.Outcome{Allowed: true}, aResult(t))
	got, err := j.Show(t.Context(), c.Ref.String())
	if err != nil {
		t.Fatal(err)
	}
	want := []audit.Record{
		{
			Seq: 0, Kind: audit.KindIntent, Ref: "0000-0000-0001", Agent: "ci-bot", Key: "k1", Connection: "ci-bot -> files",
			Upstream: "files", Revision: "5f1d", Method: "tools/call", Target: "read_file", Task: "read",
			Direction: "to-upstream", Decision: "allow", Transport: "http", Protocol: "2025-11-25", Client: "inspector",
			Remote: "192.0.2.7:5123", Session: "d1gest", Args: commitment(t, p, "args", c.Ref, `{"path":"/secret"}`),
			BytesIn: int64(len(c.Frame.Raw)),
		},
		{
			Seq: 1, Kind: audit.KindOutcome, Ref: "0000-0000-0001", Agent: "ci-bot", Connection: "ci-bot -> files",
			Upstream: "files", Decision: "allow", Status: "ok", TookUS: 1500, Notifications: 2, BytesOut: 79,
			Result: commitment(t, p, "result", c.Ref, `{"content":[{"type":"text","text":"secret"}]}`),
		},
	}
	for i := range got {
		if got[i].Time.IsZero() {
			t.Errorf("record %d has no time", i)
		}
		got[i].Time = time.Time{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// commitment computes what a record says of content, from the description of it.
func commitment(t *testing.T, p *place, label string, ref policy.Ref, content string) string {
	t.Helper()
	key, err := hex.DecodeString(strings.TrimSpace(string(read(t, p.file("commitment.key")))))
	if err != nil {
		t.Fatal(err)
	}
	inner := hmac.New(sha256.New, key)
	inner.Write(binary.BigEndian.AppendUint64([]byte(label), uint64(ref)))
	outer := hmac.New(sha256.New, inner.Sum(nil))
	outer.Write([]byte(content))
	return base64.RawURLEncoding.EncodeToString(outer.Sum(nil))
}

func TestNoContentIsInTheJournal(t *testing.T) {
	p := newPlace(t)
	j := p.open(t)
	busy(t, j, 20)
	mustClose(t, j)
	for _, name := range p.segments(t) {
		if b := string(read(t, name)); strings.Contains(b, "secret") || !strings.Contains(b, "read_file") {
			t.Errorf("%s holds content, or nothing", name)
		}
	}
}

func TestARefusalSaysWhyAndWhere(t *testing.T) {
	j := newPlace(t).open(t)
	c := aCall(t, 2)
	c.Target = "delete\x1b[2J" + strings.Repeat("x", 200)
	out := policy.Outcome{
		Gate: "scope", Reason: denied, Detail: "tool", At: policy.Pos{File: "hopgate.yaml", Line: 7, Col: 3},
		Findings: []policy.Finding{{Gate: "size", Reason: garbage, Detail: "arguments", At: policy.Pos{File: "f", Line: 1, Col: 2}}},
		Fault:    errors.New("what the record must not hold"),
	}
	if err := j.Begin(t.Context(), c, &out); err != nil {
		t.Fatal(err)
	}
	got := all(t, j)[0]
	want := `delete\x1b[2J` + strings.Repeat("x", 112) + "…"
	if got.Target != want || len(got.Target) != 128 {
		t.Errorf("target is %q, want %q", got.Target, want)
	}
	got.Target, got.Time = "", time.Time{}
	if diff := cmp.Diff(audit.Record{
		Kind: audit.KindRefusal, Ref: "0000-0000-0002", Agent: "ci-bot", Key: "k1", Connection: "ci-bot -> files",
		Upstream: "files", Revision: "5f1d", Method: "tools/call", Task: "read", Direction: "to-upstream", Decision: "deny",
		Reason: "TOOL_NOT_ALLOWED", Gate: "scope", Detail: "tool", Rule: "hopgate.yaml:7:3",
		Findings:  []audit.Finding{{Gate: "size", Reason: "NOT_JSON", Detail: "arguments", Rule: "f:1:2"}},
		Transport: "http", Protocol: "2025-11-25", Client: "inspector", Remote: "192.0.2.7:5123", Session: "d1gest",
		BytesIn: int64(len(c.Frame.Raw)),
	}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnAllowedCallOfNobodyIsNotRecorded(t *testing.T) {
	j := newPlace(t).open(t)
	for name, c := range map[string]*policy.Call{"nobody": {Connection: link}, "no connection": {Agent: bot}} {
		if err := j.Begin(t.Context(), c, &policy.Outcome{Allowed: true}); err == nil {
			t.Errorf("%s: recorded", name)
		}
	}
}

func TestAnEventCarriesState(t *testing.T) {
	p := newPlace(t)
	j := p.open(t)
	if err := j.Event(t.Context(), "key added", map[string]string{"agent": "ci-bot", "key": "k9", "expires": "never"},
		[]store.Put{put("k/k9", "active")}); err != nil {
		t.Fatal(err)
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"k/k9": "active"}, state(t, j.State())); diff != "" {
		t.Error(diff)
	}
	got := all(t, j)[0]
	got.Time = time.Time{}
	if diff := cmp.Diff(audit.Record{
		Kind: audit.KindEvent, Event: "key added", Agent: "ci-bot", Key: "k9", Fields: map[string]string{"expires": "never"},
	}, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnEventThatCannotBeAppliedIsRefused(t *testing.T) {
	j := newPlace(t).open(t)
	for name, c := range map[string]struct {
		event  string
		fields map[string]string
		puts   []store.Put
	}{
		"no name":         {event: ""},
		"strange field":   {event: "e", fields: map[string]string{"a b": "c"}},
		"key of an index": {event: "e", puts: []store.Put{put("i/x", "v")}},
		"key of a body":   {event: "e", puts: []store.Put{put("a/x", "v")}},
		"key too long":    {event: "e", puts: []store.Put{put(strings.Repeat("k", store.MaxKey+1), "v")}},
		"too much":        {event: "e", puts: []store.Put{put("k1", strings.Repeat("v", store.MaxValue)), put("k2", strings.Repeat("v", store.MaxValue)), put("k3", "v")}},
	} {
		if err := j.Event(t.Context(), c.event, c.fields, c.puts); err == nil {
			t.Errorf("%s: recorded", name)
		}
	}
	if got := all(t, j); len(got) != 0 {
		t.Errorf("the journal holds %v", got)
	}
}

func TestSearchFindsByEveryField(t *testing.T) {
	j := newPlace(t).open(t)
	var times []time.Time
	for i := range 8 {
		c := aCall(t, policy.Ref(i))
		c.Target = fmt.Sprintf("tool%d", i%2)
		if i%4 == 3 {
			c.Agent = &policy.Agent{Name: "other"}
			c.Connection = &policy.Connection{Name: "other -> files"}
		}
		if i%2 == 0 {
			begin(t, j, c)
		} else {
			refuse(t, j, c, denied)
		}
		if err := j.Flush(t.Context()); err != nil { // so that each record has a time of its own
			t.Fatal(err)
		}
	}
	records := all(t, j)
	for _, r := range records {
		times = append(times, r.Time)
	}
	for name, c := range map[string]struct {
		query audit.Query
		want  []uint64
	}{
		"all":            {audit.Query{}, []uint64{7, 6, 5, 4, 3, 2, 1, 0}},
		"limit":          {audit.Query{Limit: 2}, []uint64{7, 6}},
		"agent":          {audit.Query{Agent: "other"}, []uint64{7, 3}},
		"nobody":         {audit.Query{Agent: "nobody"}, nil},
		"connection":     {audit.Query{Connection: "other -> files"}, []uint64{7, 3}},
		"target":         {audit.Query{Target: "tool1"}, []uint64{7, 5, 3, 1}},
		"reason":         {audit.Query{Reason: "TOOL_NOT_ALLOWED"}, []uint64{7, 5, 3, 1}},
		"decision":       {audit.Query{Decision: "allow"}, []uint64{6, 4, 2, 0}},
		"two fields":     {audit.Query{Agent: "ci-bot", Target: "tool1", Limit: 1}, []uint64{5}},
		"ref":            {audit.Query{Ref: "0000-0000-0004"}, []uint64{4}},
		"ref as typed":   {audit.Query{Ref: " oooooooooooI "}, []uint64{1}},
		"since":          {audit.Query{Since: times[6]}, []uint64{7, 6}},
		"until":          {audit.Query{Until: times[2]}, []uint64{1, 0}},
		"since to until": {audit.Query{Since: times[2], Until: times[5], Agent: "ci-bot"}, []uint64{4, 2}},
	} {
		got, err := j.Search(t.Context(), c.query)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var seqs []uint64
		for _, r := range got {
			seqs = append(seqs, r.Seq)
		}
		if diff := cmp.Diff(c.want, seqs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := j.Search(t.Context(), audit.Query{Ref: "not a ref"}); err == nil {
		t.Error("a search for no reference found something")
	}
}

func TestTailFollows(t *testing.T) {
	j := newPlace(t).open(t)
	for i := range 5 {
		begin(t, j, aCall(t, policy.Ref(i)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	for r, err := range j.Tail(ctx, 2, true) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Ref)
		switch len(got) {
		case 2:
			begin(t, j, aCall(t, 31))
		case 3:
			cancel()
		}
	}
	cancel()
	if diff := cmp.Diff([]string{"0000-0000-0003", "0000-0000-0004", "0000-0000-000Z"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCloseEndsTail(t *testing.T) {
	j := newPlace(t).open(t)
	begin(t, j, aCall(t, 1))
	for _, err := range j.Tail(t.Context(), 1, true) {
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, j) // the next step finds the journal closed and ends
	}
}

func TestAClosedJournalTakesNothing(t *testing.T) {
	p := newPlace(t)
	j := p.open(t)
	mustClose(t, j)
	if err := j.Begin(t.Context(), aCall(t, 1), &policy.Outcome{Allowed: true}); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("Begin = %v, want %v", err, audit.ErrClosed)
	}
	if err := j.Flush(t.Context()); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("Flush = %v, want %v", err, audit.ErrClosed)
	}
	if got := p.wantSound(t).Records; got != 0 {
		t.Errorf("%d records, want 0", got)
	}
}

// Appenders, readers, rotation and Close at once: every record that was acknowledged is there, once, in a sound journal.
func TestConcurrentAppenders(t *testing.T) {
	p := newPlace(t)
	p.config.SegmentSize = 20_000
	p.config.CheckpointRecords = 50
	j := p.open(t)
	const callers, calls = 8, 40
	var group sync.WaitGroup
	for g := range callers {
		group.Go(func() {
			for i := range calls {
				c := aCall(t, policy.Ref(g*calls+i+1))
				if err := j.Begin(t.Context(), c, &policy.Outcome{Allowed: true}); err != nil {
					t.Error(err)
				}
				if i%8 == 0 {
					event(t, j, "changed", put(fmt.Sprintf("k/%d", g), fmt.Sprint(i)))
				}
				j.End(c, &policy.Outcome{Allowed: true}, aResult(t))
			}
		})
	}
	group.Go(func() {
		for range 20 {
			if _, err := j.Search(t.Context(), audit.Query{Agent: "ci-bot"}); err != nil {
				t.Error(err)
			}
			if v, err := audit.Verify(t.Context(), p.dir, ""); err != nil || v.Damage != nil {
				t.Errorf("verifying while others write: %v, %v", err, v.Damage)
			}
		}
	})
	group.Wait()
	seen := map[string]int{}
	for i, r := range all(t, j) {
		seen[r.Ref]++
		if r.Seq != uint64(i) {
			t.Fatalf("record %d has number %d", i, r.Seq)
		}
	}
	for ref := range callers * calls {
		if got := seen[policy.Ref(ref+1).String()]; got != 2 {
			t.Errorf("call %d has %d records, want 2", ref+1, got)
		}
	}
	mustClose(t, j)
	v := p.wantSound(t)
	if v.Segments < 3 || v.Checkpoints < 2 || v.Unsigned() != 0 {
		t.Errorf("%d segments, %d checkpoints, %d unsigned; want some, some and 0", v.Segments, v.Checkpoints, v.Unsigned())
	}
}

func TestARecordThatNobodyWaitsForIsWrittenSoon(t *testing.T) {
	p := newPlace(t)
	synctest.Test(t, func(t *testing.T) {
		j := p.openBubble(t)
		defer mustClose(t, j)
		before := len(read(t, p.segments(t)[0]))
		refuse(t, j, aCall(t, 1), &policy.Reason{Code: "RATE_LIMITED"})
		synctest.Wait()
		if got := len(read(t, p.segments(t)[0])); got != before {
			t.Error("a refusal did not wait for company")
		}
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		if got := len(read(t, p.segments(t)[0])); got == before {
			t.Error("a refusal was not written after 50 ms")
		}
	})
}

func TestCheckpointsAreSignedInTime(t *testing.T) {
	p := newPlace(t)
	synctest.Test(t, func(t *testing.T) {
		j := p.openBubble(t)
		defer mustClose(t, j)
		begin(t, j, aCall(t, 1))
		if got := p.verify(t); got.Signed != 0 || got.Unsigned() != 1 {
			t.Errorf("at once %d records are signed and %d not, want 0 and 1", got.Signed, got.Unsigned())
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if got := p.verify(t); got.Signed != 1 || got.Unsigned() != 0 {
			t.Errorf("after a minute %d records are signed and %d not, want 1 and 0", got.Signed, got.Unsigned())
		}
	})
}

// The root in a checkpoint is that of RFC 6962 over the records, computed here by a library of other hands.
func TestTheTreeIsThatOfRFC6962(t *testing.T) {
	p := newPlace(t)
	p.config.SegmentSize = 3000
	j := p.open(t)
	for i := range 37 {
		begin(t, j, aCall(t, policy.Ref(i)))
	}
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range at {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	for i, r := range all(t, j) {
		b, err := r.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		more, err := tlog.StoredHashes(int64(i), b, reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	want, err := tlog.TreeHash(37, reader)
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, j)
	if got := p.wantSound(t); got.Root != want.String() || got.Signed != 37 {
		t.Errorf("root %s of %d, want %s of 37", got.Root, got.Signed, want)
	}
}
