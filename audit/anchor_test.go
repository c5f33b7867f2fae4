package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/store"
)

// anchoredPlace is a place whose journal has an anchor.
func anchoredPlace(tb testing.TB) *place {
	tb.Helper()
	p := newPlace(tb)
	p.config.Anchor = filepath.Join(tb.TempDir(), "elsewhere", "anchor")
	return p
}

// A first anchor that cannot be written is no anchor: the start fails, and says what the file is for.
func TestAFirstAnchorMustBeWritten(t *testing.T) {
	p := anchoredPlace(t)
	if err := os.MkdirAll(p.config.Anchor+".tmp", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(t.Context(), p.config); !errors.Is(err, audit.ErrAnchor) {
		t.Errorf("got %v", err)
	}
}

// olderCopy returns a copy of the state directory that has the anchor of the original.
func (p *place) olderCopy(tb testing.TB) *place {
	tb.Helper()
	c := p.copyOf(tb)
	c.config.Anchor, c.config.SegmentSize, c.config.Clock = p.config.Anchor, p.config.SegmentSize, p.config.Clock
	return c
}

// crashCopy returns the state and the anchor as a crash would leave them now.
func (p *place) crashCopy(tb testing.TB) *place {
	tb.Helper()
	anchor := read(tb, p.config.Anchor) // first: the journal is never behind it
	c := p.olderCopy(tb)
	c.config.Anchor = filepath.Join(tb.TempDir(), "anchor")
	write(tb, c.config.Anchor, anchor)
	return c
}

// marks are a source of marks.
func marks(text string) func() (json.RawMessage, error) {
	return func() (json.RawMessage, error) { return json.RawMessage(text), nil }
}

// wantRollback opens a place, looks why it is rolled back, and leaves it so.
func wantRollback(t *testing.T, p *place, why, marks string) {
	t.Helper()
	checked, err := audit.CheckAnchor(p.dir, p.config.Anchor)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Errorf("CheckAnchor: %v", err)
	}
	j := p.open(t)
	got := j.RolledBack()
	if got == nil || !strings.Contains(got.Why, why) || string(got.Marks) != marks {
		t.Errorf("rolled back: %+v; want %q with marks %q", got, why, marks)
	}
	if err == nil && (checked == nil || got != nil && checked.Why != got.Why) {
		t.Errorf("CheckAnchor says %+v, Open %+v", checked, got)
	}
	mustClose(t, j)
}

func wantNoRollback(t *testing.T, p *place) {
	t.Helper()
	if r, err := audit.CheckAnchor(p.dir, p.config.Anchor); err != nil || r != nil {
		t.Errorf("CheckAnchor = %+v, %v", r, err)
	}
	j := p.open(t)
	if r := j.RolledBack(); r != nil {
		t.Errorf("rolled back: %+v", r)
	}
	mustClose(t, j)
}

func TestTheAnchorFollowsTheJournal(t *testing.T) {
	for name, size := range map[string]int64{"one segment": 1 << 20, "many": 3000} {
		t.Run(name, func(t *testing.T) {
			p := anchoredPlace(t)
			p.config.SegmentSize, p.config.CheckpointRecords = size, 7
			for range 4 {
				wantNoRollbackYet(t, p)
				j := p.open(t)
				busy(t, j, 12)
				mustClose(t, j)
			}
			// A crash loses nothing that the anchor knows of.
			j := p.open(t)
			busy(t, j, 30)
			crashed := p.crashCopy(t)
			wantNoRollback(t, crashed)
			mustClose(t, j)
			if info, err := os.Stat(p.config.Anchor); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the anchor: %v, %v", info.Mode(), err)
			}
		})
	}
}

// wantNoRollbackYet is for a place that may have no journal yet.
func wantNoRollbackYet(t *testing.T, p *place) {
	t.Helper()
	if _, err := os.Stat(p.config.Anchor); err == nil {
		wantNoRollback(t, p)
	}
}

func TestWhatIsOlderThanTheAnchorIsFound(t *testing.T) {
	const known = `{"a":1}`
	for name, c := range map[string]struct {
		why, marks string
		spoil      func(t *testing.T, p, old *place) *place
	}{
		"an older copy of the state directory": {"shorter", known, func(_ *testing.T, _, old *place) *place { return old }},
		"an older copy that has grown since": {"not the one", known, func(t *testing.T, _, old *place) *place {
			t.Helper()
			anchor := old.config.Anchor
			old.config.Anchor = filepath.Join(t.TempDir(), "none")
			j := old.open(t)
			busy(t, j, 60)
			mustClose(t, j)
			old.config.Anchor = anchor
			return old
		}},
		"the state directory is new": {"another journal", known, func(t *testing.T, p, _ *place) *place {
			t.Helper()
			empty := newPlace(t)
			empty.config.Anchor = p.config.Anchor
			empty.config.Random = bytes.NewReader(bytes.Repeat([]byte("another "), 100))
			return empty
		}},
		"the anchor is missing": {"missing", "", func(t *testing.T, p, _ *place) *place {
			t.Helper()
			return p.without(t, p.config.Anchor)
		}},
		"the anchor is empty": {"cut short", "", func(t *testing.T, p, _ *place) *place {
			t.Helper()
			write(t, p.config.Anchor, nil)
			return p
		}},
		"the anchor is a directory": {"cannot be read", "", func(t *testing.T, p, _ *place) *place {
			t.Helper()
			p.without(t, p.config.Anchor)
			if err := os.Mkdir(p.config.Anchor, 0o700); err != nil {
				t.Fatal(err)
			}
			return p
		}},
		"the journal is configured without": {"none is configured", "", func(_ *testing.T, p, _ *place) *place {
			p.config.Anchor = ""
			return p
		}},
		"a change of state was taken out, and all chained anew": {"not the one", known, func(t *testing.T, p, _ *place) *place {
			t.Helper()
			name := last(p.segments(t))
			b := read(t, name)
			i := bytes.Index(b, []byte("spent42"))
			copy(b[i:], "spent00")
			write(t, name, b)
			p.rechain(t)
			p.store = new(store.Memory)
			return p
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := anchoredPlace(t)
			j := p.open(t)
			j.AttachMarks(marks(known))
			busy(t, j, 12)
			old := p.olderCopy(t)
			event(t, j, "changed", put("q/x", "spent42"))
			busy(t, j, 12)
			mustClose(t, j)
			p = c.spoil(t, p, old)
			for range 2 { // and again, as long as nobody accepts it
				wantRollback(t, p, c.why, c.marks)
			}
		})
	}
}

// without removes a file.
func (p *place) without(t *testing.T, name string) *place {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNoByteOfTheAnchorCanBeChanged(t *testing.T) {
	p := anchoredPlace(t)
	j := p.open(t)
	j.AttachMarks(marks(`[{"key":"q/x","used":42}]`))
	busy(t, j, 12)
	mustClose(t, j)
	whole := read(t, p.config.Anchor)
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 1 << (i % 8)
		write(t, p.config.Anchor, b)
		if r, err := audit.CheckAnchor(p.dir, p.config.Anchor); err != nil || r == nil {
			t.Errorf("byte %d, %q for %q: %+v, %v", i, b[i], whole[i], r, err)
		}
		write(t, p.config.Anchor, whole[:i])
		if r, err := audit.CheckAnchor(p.dir, p.config.Anchor); err != nil || r == nil {
			t.Errorf("the first %d bytes: %+v, %v", i, r, err)
		}
	}
}

func TestARollbackStandsUntilItIsAccepted(t *testing.T) {
	p := anchoredPlace(t)
	j := p.open(t)
	j.AttachMarks(marks(`"high"`))
	busy(t, j, 12)
	old := p.olderCopy(t)
	busy(t, j, 12)
	mustClose(t, j)
	before := read(t, p.config.Anchor)
	if err := j.AcceptRollback(t.Context(), "x", nil); !errors.Is(err, audit.ErrNoRollback) {
		t.Errorf("accepting what is no rollback = %v, want %v", err, audit.ErrNoRollback)
	}

	j = old.open(t)
	j.AttachMarks(marks(`"low"`))
	busy(t, j, 12)
	ledger := new(tally)
	j.Attach(ledger)
	refuses := func(json.RawMessage) error { return errors.New("refused") }
	if err := j.AcceptRollback(t.Context(), "", refuses); err == nil || j.RolledBack() == nil {
		t.Errorf("without a reason: accepted (%v)", err)
	}
	if err := j.AcceptRollback(t.Context(), "x", refuses); err == nil || j.RolledBack() == nil {
		t.Errorf("without raised counters: accepted (%v)", err)
	}
	mustClose(t, j)
	if !bytes.Equal(read(t, p.config.Anchor), before) {
		t.Error("the anchor was written though it says more than the journal")
	}

	j = old.open(t)
	j.Attach(ledger)
	var raised string
	if err := j.AcceptRollback(t.Context(), "the disk was replaced", raise(ledger, &raised)); err != nil || j.RolledBack() != nil {
		t.Fatalf("accepting: %v, then %+v", err, j.RolledBack())
	}
	if raised != `"high"` {
		t.Errorf("raised by %s", raised)
	}
	crashed := old.crashCopy(t)
	wantNoRollback(t, crashed)
	crashed.store.Reopen()
	if got := state(t, crashed.store)["q/raised"]; got != `"high"` {
		t.Errorf("after a crash the counters are %q", got)
	}
	got := all(t, j)
	r := got[len(got)-1]
	if r.Event != "rollback accepted" || r.Detail != "the disk was replaced" || r.Fields["why"] == "" || r.Fields["anchored"] == "" {
		t.Errorf("on record is %+v", r)
	}
	mustClose(t, j)
	wantRollback(t, p, "the journal is", `"high"`) // the other copy is the old one now
}

func TestAClosedJournalAcceptsNothing(t *testing.T) {
	p := anchoredPlace(t)
	mustClose(t, p.open(t))
	j := p.without(t, p.config.Anchor).open(t)
	mustClose(t, j)
	if err := j.AcceptRollback(t.Context(), "x", nil); !errors.Is(err, audit.ErrClosed) || j.RolledBack() == nil {
		t.Errorf("accepted (%v)", err)
	}
}

// raise is what brings a ledger up to marks.
func raise(ledger *tally, to *string) func(json.RawMessage) error {
	return func(m json.RawMessage) error {
		ledger.set("q/raised", m)
		*to = string(m)
		return nil
	}
}

func TestMarksStayWhereNobodyMakesNewOnes(t *testing.T) {
	p := anchoredPlace(t)
	j := p.open(t)
	j.AttachMarks(marks(`"kept"`))
	busy(t, j, 4)
	mustClose(t, j)
	for range 2 {
		j := p.open(t)
		busy(t, j, 4)
		mustClose(t, j)
	}
	if b := read(t, p.config.Anchor); !bytes.HasSuffix(b, []byte("\n\n"+`"kept"`)) {
		t.Errorf("the anchor is %q", b)
	}
}

func TestMarksThatCannotBeMadeEndTheJournal(t *testing.T) {
	p := anchoredPlace(t)
	j := p.open(t)
	j.AttachMarks(func() (json.RawMessage, error) { return nil, errors.New("no marks") })
	busy(t, j, 4)
	if err := j.Close(); !errors.Is(err, audit.ErrFailed) {
		t.Errorf("Close = %v, want %v", err, audit.ErrFailed)
	}
}

func TestTheAnchorLiesElsewhere(t *testing.T) {
	p := newPlace(t)
	for _, inside := range []string{"anchor", "journal/anchor", "a/../b", "."} {
		p.config.Anchor = p.dir + "/" + inside
		if j, err := audit.Open(t.Context(), p.config); err == nil {
			mustClose(t, j)
			t.Errorf("the anchor may be at %s", inside)
		}
	}
	p.config.Anchor = p.dir + ".anchor"
	mustClose(t, p.open(t))
	_ = os.Remove(p.config.Anchor)
}

func FuzzAnchor(f *testing.F) {
	p := anchoredPlace(f)
	j := p.open(f)
	j.AttachMarks(marks(`{"a":1}`))
	busy(f, j, 4)
	mustClose(f, j)
	whole := read(f, p.config.Anchor)
	f.Add(whole)
	f.Add([]byte("a\n1\nb\n\n— a b\n\n"))
	f.Add(fmt.Appendf(nil, "%s\n", whole))
	path := filepath.Join(f.TempDir(), "anchor")
	f.Fuzz(func(t *testing.T, b []byte) {
		write(t, path, b)
		r, err := audit.CheckAnchor(p.dir, path)
		if err != nil || (r == nil) != bytes.Equal(b, whole) {
			t.Errorf("CheckAnchor = %+v, %v", r, err)
		}
		if r != nil && len(r.Marks) > 0 && !json.Valid(r.Marks) {
			t.Errorf("marks %q", r.Marks)
		}
	})
}
