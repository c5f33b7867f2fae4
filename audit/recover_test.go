package audit_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

func TestOpenAgainContinues(t *testing.T) {
	p := newPlace(t)
	p.config.SegmentSize = 4000
	want := map[string]string{}
	for range 4 {
		j := p.open(t)
		busy(t, j, 12)
		want = state(t, j.State())
		mustClose(t, j)
	}
	j := p.open(t)
	if got := state(t, j.State()); !maps.Equal(got, want) {
		t.Errorf("state is %v, want %v", got, want)
	}
	for i, r := range all(t, j) {
		if r.Seq != uint64(i) {
			t.Fatalf("record %d has number %d", i, r.Seq)
		}
	}
	if p.wiped != 0 {
		t.Errorf("the store was rebuilt %d times", p.wiped)
	}
}

// A process is killed while it writes the last frame: whatever part of it is there, the journal opens, has all frames
// before it, says on record what it cut, and goes on.
func TestATornEndIsRepaired(t *testing.T) {
	p := newPlace(t)
	j := p.open(t)
	busy(t, j, 4)
	killed := p.copyOf(t)
	event(t, j, "last", put("k/last", "1"))
	mustClose(t, j)
	whole := read(t, p.segments(t)[0])
	name := killed.segments(t)[0]
	before := read(t, name)
	for end := len(before) + 1; end < len(whole); end++ {
		c := killed.copyOf(t)
		write(t, c.segments(t)[0], whole[:end])
		j := c.open(t)
		got := all(t, j)
		if r := got[len(got)-1]; r.Event != "journal repaired" || r.Fields["file"] != filepath.Base(name) {
			t.Fatalf("%d bytes of the last frame: the last record is %+v", end-len(before), r)
		}
		mustClose(t, j)
		if v := c.wantSound(t); v.Records != uint64(len(got)) {
			t.Fatalf("%d bytes of the last frame: %d records, want %d", end-len(before), v.Records, len(got))
		}
	}
}

func TestATornCheckpointIsRepaired(t *testing.T) {
	p := written(t)
	b := read(t, p.file("checkpoints"))
	for _, end := range []int{len(b) - 1, len(b) - 30, len(b) - 140} {
		c := p.copyOf(t)
		write(t, c.file("checkpoints"), b[:end])
		if v := c.verify(t); v.Torn == nil || v.Torn.Segment != "checkpoints" {
			t.Errorf("%d bytes of %d: torn %v", end, len(b), v.Torn)
		}
		mustClose(t, c.open(t))
		c.wantSound(t)
	}
}

func TestACallWithoutAnEndIsUnknown(t *testing.T) {
	for name, size := range map[string]int64{"in one segment": 1 << 20, "carried by a snapshot": 3000} {
		p := newPlace(t)
		p.config.SegmentSize = size
		j := p.open(t)
		begin(t, j, aCall(t, 77))
		begin(t, j, aCall(t, 78))
		j.End(aCall(t, 78), &policy.Outcome{Allowed: true}, aResult(t))
		busy(t, j, 30)
		killed := p.copyOf(t)
		mustClose(t, j)
		for range 2 { // the second time nothing is open
			j := killed.open(t)
			got, err := j.Show(t.Context(), policy.Ref(77).String())
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"intent 0000-0000-002D", "outcome unknown 0000-0000-002D"}
			if diff := cmp.Diff(want, brief(got)); diff != "" || got[1].Agent != "ci-bot" || got[1].Connection != "ci-bot -> files" || got[1].Upstream != "files" {
				t.Errorf("%s: %+v\n%s", name, got, diff)
			}
			mustClose(t, j)
		}
		killed.wantSound(t)
	}
}

func TestTheStoreIsBroughtUpToTheJournal(t *testing.T) {
	p := newPlace(t)
	p.config.SegmentSize = 5000
	j := p.open(t)
	busy(t, j, 20)
	behind := p.copyOf(t).store
	busy(t, j, 20)
	want := state(t, j.State())
	mustClose(t, j)
	records := uint64(len(all(t, p.open(t))))

	without := func(key string) *store.Memory { // what Badger does to a damaged block: the keys are not there
		c := p.copyOf(t)
		if err := c.store.Apply(c.store.Position(), []store.Put{del(key)}); err != nil {
			t.Fatal(err)
		}
		return c.store
	}
	// A power failure undoes that blocks of a segment were taken out, and the segment is gone.
	stale := p.copyOf(t).store
	oldest, newest := "", ""
	for item, err := range p.store.Scan([]byte("a/"), nil, false) {
		if newest = string(item.Key); oldest == "" {
			oldest = newest
			body := bytes.Clone(item.Value)
			copy(body, "\xff\xff\xff") // another segment
			if err := stale.Apply(stale.Position(), []store.Put{{Key: item.Key, Value: body}}); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		store   *store.Memory
		rebuilt int
	}{
		"behind":                  {behind, 0},
		"empty":                   {new(store.Memory), 0},
		"a key of state is gone":  {without(sortedKeys(want)[0]), 1},
		"the digest is gone":      {without("j/digest"), 1},
		"the oldest records gone": {without(oldest), 1},
		"recent records are gone": {without(newest), 1},
		"a segment is gone":       {stale, 1},
	} {
		q := p.copyOf(t)
		q.store = c.store
		j := q.open(t)
		if got := state(t, j.State()); !maps.Equal(got, want) {
			t.Errorf("%s: state is %v, want %v", name, got, want)
		}
		got := all(t, j)
		if c.rebuilt > 0 && got[len(got)-1].Event != "state rebuilt" {
			t.Errorf("%s: the last record is %+v", name, got[len(got)-1])
		}
		if uint64(len(got)) != records+uint64(c.rebuilt) || q.wiped != c.rebuilt {
			t.Errorf("%s: %d records, rebuilt %d times; want %d and %d", name, len(got), q.wiped, records+uint64(c.rebuilt), c.rebuilt)
		}
		mustClose(t, j)
		if mustClose(t, q.open(t)); q.wiped != c.rebuilt {
			t.Errorf("%s: what was rebuilt is rebuilt again", name)
		}
	}
}

func TestAnEngineThatIsDamagedIsRebuilt(t *testing.T) {
	p := newPlace(t)
	p.config.State, p.config.SegmentSize = nil, 5000 // Badger
	j := p.open(t)
	busy(t, j, 30)
	want := state(t, j.State())
	mustClose(t, j)
	tables, err := filepath.Glob(filepath.Join(p.dir, "badger", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	b := read(t, tables[0])
	b[len(b)/2] ^= 1
	write(t, tables[0], b)
	if _, err := store.Open(filepath.Join(p.dir, "badger"), zerolog.Nop()); !errors.Is(err, store.ErrDamaged) {
		t.Fatalf("store.Open = %v, want %v", err, store.ErrDamaged)
	}
	j = p.open(t)
	if got := state(t, j.State()); !maps.Equal(got, want) {
		t.Errorf("state is %v, want %v", got, want)
	}
	got := all(t, j)
	if r := got[len(got)-1]; r.Event != "state rebuilt" {
		t.Errorf("the last record is %+v", r)
	}
}

func TestOpenRefusesWhatIsNotWhatItWas(t *testing.T) {
	for name, c := range map[string]struct {
		segment     func(b []byte, at []int) []byte // changes the last
		files       func(p *place) error
		store       bool // whether it is new
		checkpoints bool // whether they are new
		damage      bool // rather than a rollback
	}{
		"the last acknowledged frame is gone": {
			segment: func(b []byte, at []int) []byte { return b[:at[len(at)-2]] },
		},
		"a bit in it is flipped": {
			segment: func(b []byte, _ []int) []byte { b[len(b)-50] ^= 1; return b },
		},
		"only the store knows": {
			segment:     func(b []byte, at []int) []byte { return b[:at[1]] },
			checkpoints: true,
		},
		"only the checkpoint knows": {
			segment: func(b []byte, at []int) []byte { return b[:at[1]] },
			store:   true,
		},
		"all segments are gone": {
			files: func(p *place) error { return removeAll(p.file("*.seg")) },
		},
		"a bit in the middle is flipped": {
			segment: func(b []byte, at []int) []byte { b[at[2]+30] ^= 1; return b },
			damage:  true,
		},
		"a chain in the middle is changed": {
			segment: func(b []byte, at []int) []byte { b[at[2]-1] ^= 1; return b },
			damage:  true,
		},
		"the chain before the last frame is changed": {
			segment: func(b []byte, at []int) []byte { b[at[len(at)-2]-1] ^= 1; return b },
			damage:  true,
		},
		"a frame is missing": {
			segment: func(b []byte, at []int) []byte { return slices.Concat(b[:at[2]], b[at[3]:]) },
			damage:  true,
		},
		"the checkpoints are gone": {
			files:  func(p *place) error { return os.Remove(p.file("checkpoints")) },
			damage: true,
		},
		"the last checkpoint is forged": {
			files: func(p *place) error {
				b, err := os.ReadFile(p.file("checkpoints"))
				b[len(b)-20] ^= 1
				return errors.Join(err, os.WriteFile(p.file("checkpoints"), b, 0o600))
			},
			damage: true,
		},
	} {
		p := newPlace(t)
		p.config.SegmentSize = 9000
		j := p.open(t)
		busy(t, j, 40)
		mustClose(t, j)
		if c.segment != nil {
			b := read(t, last(p.segments(t)))
			write(t, last(p.segments(t)), c.segment(b, frames(t, b)))
		}
		if c.files != nil {
			if err := c.files(p); err != nil {
				t.Fatal(err)
			}
		}
		if c.store {
			p.store = new(store.Memory)
		}
		if c.checkpoints {
			write(t, p.file("checkpoints"), nil)
		}
		wantRefused(t, name, p, c.damage)
	}
}

func wantRefused(t *testing.T, name string, p *place, wantDamage bool) {
	t.Helper()
	j, err := audit.Open(t.Context(), p.config)
	switch damage := (*audit.Damage)(nil); {
	case err == nil:
		t.Errorf("%s: opened", name)
		mustClose(t, j)
	case wantDamage && !errors.As(err, &damage) && !errors.Is(err, os.ErrNotExist), !wantDamage && !errors.Is(err, audit.ErrRollback):
		t.Errorf("%s: %v", name, err)
	}
}

// Whoever can write puts other records in the place of ours, as many and well chained, and removes the store.
func TestOpenRefusesRecordsThatWereNotSigned(t *testing.T) {
	p, other := newPlace(t), newPlace(t) // they draw the same keys
	other.config.Clock()                 // another time, so other records
	for _, x := range []*place{p, other} {
		j := x.open(t)
		busy(t, j, 20)
		mustClose(t, j)
	}
	write(t, p.segments(t)[0], read(t, other.segments(t)[0]))
	p.store = new(store.Memory)
	wantRefused(t, "other records", p, true)
}

func removeAll(pattern string) error {
	names, err := filepath.Glob(pattern)
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

func last(names []string) string { return names[len(names)-1] }

func TestOpenNeedsTheKeysOfAJournal(t *testing.T) {
	p := written(t)
	for _, key := range []string{"key.pub", "signing.key", "commitment.key"} {
		whole := read(t, p.file(key))
		if err := os.Remove(p.file(key)); err != nil {
			t.Fatal(err)
		}
		if j, err := audit.Open(t.Context(), p.config); err == nil {
			mustClose(t, j)
			t.Errorf("opened without %s", key)
		}
		write(t, p.file(key), whole[:len(whole)/2])
		if j, err := audit.Open(t.Context(), p.config); err == nil {
			mustClose(t, j)
			t.Errorf("opened with half of %s", key)
		}
		write(t, p.file(key), whole)
	}
	other := written(t)
	write(t, p.file("signing.key"), read(t, other.file("signing.key"))) // the same: both are drawn from one source
	mustClose(t, p.open(t))
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	p := written(t)
	names, err := filepath.Glob(p.file("*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", filepath.Base(name), info.Mode())
		}
	}
	if info, err := os.Stat(filepath.Join(p.dir, "journal")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, want 0700", info.Mode())
	}
}
