package audit_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/store"
)

// written returns a closed journal of several segments and checkpoints.
func written(t *testing.T) *place {
	t.Helper()
	p := newPlace(t)
	p.config.SegmentSize, p.config.CheckpointRecords = 6000, 8
	synctest.Test(t, func(t *testing.T) {
		j := p.open(t)
		for range 5 {
			busy(t, j, 8)
			synctest.Wait() // where a signature is under way no other one begins
		}
		mustClose(t, j)
	})
	if v := p.wantSound(t); v.Segments < 3 || v.Checkpoints < 3 || v.Unsigned() != 0 {
		t.Fatalf("the journal to test with has %d segments, %d checkpoints, %d unsigned records", v.Segments, v.Checkpoints, v.Unsigned())
	}
	return p
}

func TestVerifySaysWhatThereIs(t *testing.T) {
	p := newPlace(t)
	j := p.open(t)
	busy(t, j, 10)
	v := p.verify(t)
	if v.Damage != nil || v.Torn != nil || v.Records != v.Unsigned() || v.Records == 0 {
		t.Errorf("before the first checkpoint: %+v", v)
	}
	mustClose(t, j)
	v = p.verify(t)
	last := all(t, p.open(t))
	if v.Records != uint64(len(last)) || v.Signed != v.Records || v.Checkpoints != 1 || v.Segments != 1 || v.Pruned != 0 ||
		!v.From.Equal(last[0].Time) || !v.To.Equal(last[len(last)-1].Time) || !strings.HasPrefix(v.Stream, "hopgate/") {
		t.Errorf("after Close: %+v", v)
	}
}

func TestVerifyFindsEveryChangedByte(t *testing.T) {
	p := written(t)
	names := p.segments(t)
	for _, name := range append(names, p.file("checkpoints"), p.file("key.pub")) {
		whole := read(t, name)
		step := max(1, len(whole)/300)
		for i := 0; i < len(whole); i += step {
			b := bytes.Clone(whole)
			b[i] ^= 1 << (i % 8)
			write(t, name, b)
			v, err := audit.Verify(t.Context(), p.dir, "")
			if err == nil && v.Damage == nil && v.Torn == nil {
				t.Errorf("byte %d of %s was changed, and nobody noticed", i, filepath.Base(name))
			}
		}
		write(t, name, whole)
	}
	p.wantSound(t)
}

func TestVerifyFindsFramesThatMoved(t *testing.T) {
	p := written(t)
	name := p.segments(t)[1]
	whole := read(t, name)
	at := frames(t, whole)
	cut := func(i int) []byte { return whole[at[i]:at[i+1]] }
	if len(at) < 6 {
		t.Fatalf("the segment has %d frames", len(at)-1)
	}
	for what, b := range map[string][]byte{
		"two swapped":     slices.Concat(whole[:at[2]], cut(3), cut(2), whole[at[4]:]),
		"one removed":     slices.Concat(whole[:at[2]], whole[at[3]:]),
		"one twice":       slices.Concat(whole[:at[3]], cut(2), whole[at[3]:]),
		"one from before": slices.Concat(whole[:at[4]], cut(1), whole[at[4]:]),
		"last removed":    whole[:at[len(at)-2]],
		"snapshot gone":   slices.Concat(whole[:at[0]], whole[at[1]:]),
		"a byte inserted": slices.Concat(whole[:at[2]+9], []byte{0}, whole[at[2]+9:]),
		"a byte removed":  slices.Concat(whole[:at[2]+9], whole[at[2]+10:]),
		"zeros appended":  append(bytes.Clone(whole), make([]byte, 100)...),
	} {
		write(t, name, b)
		if v := p.verify(t); v.Damage == nil {
			t.Errorf("%s: not found", what)
		}
	}
}

func TestVerifyFindsMissingFiles(t *testing.T) {
	p := written(t)
	names := p.segments(t)
	for _, name := range names {
		whole := read(t, name)
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		if v := p.verify(t); v.Damage == nil {
			t.Errorf("%s is missing: not found", filepath.Base(name))
		}
		write(t, name, whole)
	}
	whole := read(t, names[1])
	write(t, p.file("00000000000000099999.seg"), whole)
	if v := p.verify(t); v.Damage == nil {
		t.Error("a segment under a second name: not found")
	}
	if err := os.Remove(p.file("00000000000000099999.seg")); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if v := p.verify(t); v.Damage == nil {
		t.Error("all segments are missing: not found")
	}
}

// Whoever rewrites the whole journal with keys of their own does not have the public key that was kept elsewhere.
func TestVerifyHoldsTheJournalAgainstATrustedKey(t *testing.T) {
	p, forged := written(t), newPlace(t)
	trusted := strings.TrimSpace(string(read(t, p.file("key.pub"))))
	forged.config.Random = bytes.NewReader(bytes.Repeat([]byte("other"), 100))
	j := forged.open(t)
	busy(t, j, 40)
	mustClose(t, j)
	forged.wantSound(t)
	if v, err := audit.Verify(t.Context(), forged.dir, trusted); err == nil && v.Damage == nil {
		t.Error("a forged journal is sound")
	}
	if v, err := audit.Verify(t.Context(), p.dir, trusted); err != nil || v.Damage != nil {
		t.Errorf("the true one is not: %v, %v", err, v.Damage)
	}
	if _, err := audit.Verify(t.Context(), p.dir, "no key"); err == nil {
		t.Error("no key verifies")
	}
}

// The chain has no key, so the end that nobody has signed can be written by anybody; Verify says how long it is. What a
// checkpoint covers cannot go.
func TestVerifyTellsSignedFromUnsigned(t *testing.T) {
	p := newPlace(t)
	j := p.open(t)
	busy(t, j, 10)
	mustClose(t, j)
	signed := p.verify(t).Records
	j = p.open(t)
	busy(t, j, 10)
	if v := p.verify(t); v.Signed != signed || v.Unsigned() == 0 || v.Damage != nil {
		t.Errorf("%d signed, %d not, %v; want %d signed", v.Signed, v.Unsigned(), v.Damage, signed)
	}
	mustClose(t, j)
	name := p.segments(t)[0]
	whole := read(t, name)
	at := frames(t, whole)
	write(t, name, whole[:at[len(at)-2]])
	if v := p.verify(t); v.Damage == nil {
		t.Error("the end of what was signed was cut off: not found")
	}
	write(t, name, whole)
	b := read(t, p.file("checkpoints"))
	write(t, p.file("checkpoints"), b[:len(b)/2])
	if v := p.verify(t); v.Damage != nil || v.Unsigned() == 0 {
		t.Errorf("without the last checkpoint: %v, %d unsigned; want some", v.Damage, v.Unsigned())
	}
}

func TestVerifyTellsATornEndFromDamage(t *testing.T) {
	p := newPlace(t)
	p.config.CheckpointRecords = 1 << 30
	j := p.open(t)
	busy(t, j, 4)
	live := p.copyOf(t) // as if the process had been killed here
	name := live.segments(t)[0]
	whole, blank := unblanked(t, name), make([]byte, 5000)
	at := frames(t, whole)
	start := at[len(at)-2]
	for end := start; end <= len(whole); end++ {
		for _, zeros := range [][]byte{nil, blank[:1], blank} {
			write(t, name, slices.Concat(whole[:end], zeros))
			v, last := live.verify(t), bytes.TrimRight(whole[start:end], "\x00")
			if torn := len(last) > 0 && len(last) < len(bytes.TrimRight(whole[start:], "\x00")); v.Damage != nil || torn != (v.Torn != nil) {
				t.Fatalf("%d of %d bytes of the last frame, and %d zeros: %v, %v", end-start, len(whole)-start, len(zeros), v.Damage, v.Torn)
			}
			if v.Torn != nil && (v.Torn.Offset != int64(start) || v.Torn.Bytes != int64(len(last)) || v.Writing) {
				t.Fatalf("torn at %d, %d bytes, want %d and %d", v.Torn.Offset, v.Torn.Bytes, start, len(last))
			}
		}
	}
	owner, err := store.Lock(live.dir)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, whole[:len(whole)-1])
	if v := live.verify(t); !v.Writing {
		t.Error("the end of a journal that is in use is not being written")
	}
	if err := owner.Close(); err != nil {
		t.Error(err)
	}
}

// Zeros end the last segment while it is written, and nothing else: not a segment before it, and not with anything behind.
func TestZerosAreNoEndBeforeSomething(t *testing.T) {
	p := written(t)
	segs, blank := p.segments(t), make([]byte, 1000)
	first, last := read(t, segs[0]), read(t, segs[len(segs)-1])
	write(t, segs[len(segs)-1], slices.Concat(last, blank))
	p.wantSound(t)
	write(t, segs[len(segs)-1], slices.Concat(last, blank, last[frames(t, last)[0]:]))
	if v := p.verify(t); v.Damage == nil && v.Torn == nil {
		t.Error("frames behind zeros: not found")
	}
	write(t, segs[len(segs)-1], last)
	write(t, segs[0], slices.Concat(first, blank))
	if v := p.verify(t); v.Damage == nil {
		t.Error("zeros before another segment: not found")
	}
}

func TestVerifyNeedsOnlyTheJournal(t *testing.T) {
	p := written(t)
	dir := t.TempDir()
	for _, name := range append(p.segments(t), p.file("checkpoints")) {
		write(t, filepath.Join(dir, filepath.Base(name)), read(t, name))
	}
	if v, err := audit.Verify(t.Context(), dir, strings.TrimSpace(string(read(t, p.file("key.pub"))))); err != nil || v.Damage != nil || v.Records == 0 {
		t.Errorf("Verify = %+v, %v", v, err)
	}
	if _, err := audit.Verify(t.Context(), t.TempDir(), ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Verify of nothing = %v, want %v", err, fs.ErrNotExist)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := audit.Verify(ctx, p.dir, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("Verify = %v, want %v", err, context.Canceled)
	}
}

// pruned returns a journal whose first segments are gone because their time had come. Its store is up to date.
func pruned(t *testing.T) *place {
	t.Helper()
	p := newPlace(t)
	p.config.SegmentSize, p.config.CheckpointRecords, p.config.Keep = 6000, 8, time.Hour
	synctest.Test(t, func(t *testing.T) {
		j := p.openBubble(t)
		before := len(p.segments(t))
		for range 5 {
			busy(t, j, 20)
			time.Sleep(20 * time.Minute)
			synctest.Wait()
			p.wantSound(t)
		}
		want := state(t, j.State())
		oldest := all(t, j)[0]
		mustClose(t, j)
		if v := p.wantSound(t); v.Pruned == 0 || before != 1 || oldest.Seq != v.Pruned {
			t.Fatalf("%d records are pruned, and the first that is found is %d", v.Pruned, oldest.Seq)
		}
		p.config.Clock = ticking()
		if got := state(t, reopened(t, p)); !maps.Equal(got, want) {
			t.Errorf("state is %v, want %v", got, want)
		}
	})
	return p
}

func reopened(t *testing.T, p *place) store.Reader {
	t.Helper()
	p.store.Reopen()
	return p.store
}

func TestPruningIsVouchedFor(t *testing.T) {
	p := pruned(t)
	v := p.wantSound(t)
	names := p.segments(t)
	whole := read(t, names[0])
	if err := os.Remove(names[0]); err != nil {
		t.Fatal(err)
	}
	if p.verify(t).Damage == nil {
		t.Error("one more segment is gone: not found")
	}
	write(t, names[0], whole)
	key := read(t, p.file("key.pub"))
	if err := os.Remove(p.file("key.pub")); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Verify(t.Context(), p.dir, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Verify without a key = %v, want %v", err, fs.ErrNotExist)
	}
	write(t, p.file("key.pub"), key)
	// The store is rebuilt from what is left.
	want := state(t, reopened(t, p))
	p.store, p.config.Keep = &store.Memory{}, 0 // nor does more go
	j := p.open(t)
	if got := state(t, j.State()); !maps.Equal(got, want) || p.wiped != 1 {
		t.Errorf("after a rebuild state is %v, want %v", got, want)
	}
	if got := all(t, j)[0].Seq; got != v.Pruned {
		t.Errorf("the first record is %d, want %d", got, v.Pruned)
	}
}

func TestAnUnexplainedGapAtTheStartIsDamage(t *testing.T) {
	p := written(t)
	if err := os.Remove(p.segments(t)[0]); err != nil {
		t.Fatal(err)
	}
	if v := p.verify(t); v.Damage == nil || v.Damage.Seq == 0 {
		t.Errorf("Verify found %v", v.Damage)
	}
}

// Whoever may write can make the chain whole again, and is found out by what is signed.
func TestVerifyFindsARewrittenJournal(t *testing.T) {
	p := written(t)
	name := last(p.segments(t)) // a header behind it would hold another edge of the tree
	b := read(t, name)
	write(t, name, bytes.Replace(b, []byte("read_file"), []byte("evil_tool"), 1))
	p.rechain(t)
	if v := p.verify(t); v.Damage == nil || v.Damage.Segment != "checkpoints" {
		t.Errorf("Verify found %v, want a checkpoint that does not fit", v.Damage)
	}

	p = pruned(t)
	name = p.segments(t)[0]
	b = read(t, name)
	b[43] ^= 1 // the time at which the first segment was begun, in the header that a record vouches for
	write(t, name, b)
	write(t, p.file("checkpoints"), nil)
	p.rechain(t)
	if v := p.verify(t); v.Damage == nil || v.Damage.Segment == "checkpoints" {
		t.Errorf("Verify found %v, want a start that the record of pruning does not vouch for", v.Damage)
	}
}
