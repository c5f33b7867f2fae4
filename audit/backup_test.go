package audit_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hopgate/hopgate/audit"
)

// restored puts a backup of p into a new place.
func (p *place) restored(t *testing.T) *place {
	t.Helper()
	to := filepath.Join(t.TempDir(), "backup")
	if _, err := audit.Backup(t.Context(), p.dir, to); err != nil {
		t.Fatal(err)
	}
	r := newPlace(t)
	r.config.Anchor = filepath.Join(t.TempDir(), "anchor")
	if _, err := audit.Restore(t.Context(), to, r.dir); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestABackupIsRestoredAsARollback(t *testing.T) {
	p := anchoredPlace(t)
	p.config.SegmentSize = 4000
	j := p.open(t)
	j.AttachMarks(marks(`1`))
	busy(t, j, 40)
	want := state(t, j.State())
	mustClose(t, j)

	r := p.restored(t)
	r.config.Anchor = p.config.Anchor // which fits to the last byte: what came after it, nobody knows
	wantRollback(t, r, "put back from a backup", "1")
	j = r.open(t)
	if got := state(t, j.State()); !maps.Equal(got, want) {
		t.Errorf("state is %v, want %v", got, want)
	}
	if err := j.AcceptRollback(t.Context(), "x", func(json.RawMessage) error { return nil }); err != nil {
		t.Fatal(err)
	}
	mustClose(t, j)
	wantNoRollback(t, r)
	r.wantSound(t)
}

// A backup of a journal that is written, rotated and signed all the time is sound, and holds what was durable before it
// began.
func TestABackupIsTakenWhileAProcessWrites(t *testing.T) {
	p := newPlace(t)
	p.config.SegmentSize, p.config.CheckpointRecords = 4000, 5
	j := p.open(t)
	stop := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				busy(t, j, 4)
			}
		}
	})
	for range 10 {
		busy(t, j, 1)
		before := p.verify(t).Records
		to := filepath.Join(t.TempDir(), "backup")
		v, err := audit.Backup(t.Context(), p.dir, to)
		if err != nil || v.Torn != nil || v.Records < before {
			t.Errorf("Backup = %+v, %v; want at least %d records", v, err, before)
		}
	}
	close(stop)
	work.Wait()
	j2 := p.restored(t).open(t)
	mustClose(t, j2)
	mustClose(t, j)
}

func TestBackupAndRestoreNeedRoomOfTheirOwn(t *testing.T) {
	p := written(t)
	full := t.TempDir()
	write(t, filepath.Join(full, "x"), nil)
	for name, f := range map[string]func() error{
		"backup":  func() error { _, err := audit.Backup(t.Context(), p.dir, full); return err },
		"restore": func() error { _, err := audit.Restore(t.Context(), p.dir, full); return err },
	} {
		if err := f(); !errors.Is(err, audit.ErrOccupied) {
			t.Errorf("%s over something = %v, want %v", name, err, audit.ErrOccupied)
		}
	}
	if _, err := audit.Backup(t.Context(), t.TempDir(), t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a backup of nothing = %v", err)
	}
}

func TestWhatIsDamagedIsNeitherBackedUpNorRestored(t *testing.T) {
	p := written(t)
	name := p.segments(t)[0]
	b := read(t, name)
	b[len(b)/2] ^= 1
	write(t, name, b)
	for name, f := range map[string]func(string) error{
		"backup":  func(to string) error { _, err := audit.Backup(t.Context(), p.dir, to); return err },
		"restore": func(to string) error { _, err := audit.Restore(t.Context(), p.dir, to); return err },
	} {
		to := t.TempDir()
		var damage *audit.Damage
		if err := f(to); !errors.As(err, &damage) {
			t.Errorf("%s = %v, want a damage", name, err)
		}
		if left, err := os.ReadDir(to); err != nil || len(left) > 0 {
			t.Errorf("%s leaves %v behind, %v", name, left, err)
		}
	}
}
