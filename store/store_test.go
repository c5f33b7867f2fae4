package store_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/store/storetest"
)

func open(t *testing.T, dir string) *store.DB {
	t.Helper()
	db, err := store.Open(dir, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestMemoryKeepsTheContract(t *testing.T) {
	models := map[string]*store.Memory{}
	storetest.Run(t, func(place string) (store.Engine, error) {
		m := models[place]
		if m == nil {
			m = new(store.Memory)
			models[place] = m
		}
		m.Reopen()
		return m, nil
	})
}

func TestBadgerKeepsTheContract(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	storetest.Run(t, func(place string) (store.Engine, error) { return store.Open(place, zerolog.Nop()) })
}

func TestOpenKeepsOthersOut(t *testing.T) {
	dir := t.TempDir() // with a mode for all to read
	open(t, dir)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the store's directory has mode %v, want 0700", info.Mode())
	}
}

func TestOpenRemovesEmptyLogFiles(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir)
	if err := db.Apply(1, []store.Put{{Key: []byte("k"), Value: []byte("v")}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"09999.mem", "009999.vlog"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := open(t, dir).Get([]byte("k")); err != nil || string(got) != "v" {
		t.Errorf("Get = %q, %v, want v", got, err)
	}
}

// written makes a store of several tables and a write-ahead log, all closed and complete, and returns its directory.
func written(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	pos := uint64(0)
	for range 3 {
		db := open(t, dir)
		for range 20 {
			pos++
			p := store.Put{Key: fmt.Appendf(nil, "k/%05d", pos), Value: []byte(strings.Repeat("v", 600))}
			if err := db.Apply(pos, []store.Put{p}); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Whatever byte is damaged, opening ends in an error that a rebuild may cure or in state that was true once; it never
// ends the process.
func TestOpenTellsDamage(t *testing.T) {
	base := written(t)
	names, err := filepath.Glob(filepath.Join(base, "*"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for _, name := range names {
		whole, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		end := len(strings.TrimRight(string(whole), "\x00"))
		for i := 0; i < end; i += max(1, end/40) {
			dir := filepath.Join(t.TempDir(), "db")
			if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
				t.Fatal(err)
			}
			b := append([]byte(nil), whole...)
			b[i] ^= 0x40
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), b, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := store.Open(dir, zerolog.Nop())
			if err != nil {
				if damaged++; !errors.Is(err, store.ErrDamaged) {
					t.Errorf("%s, byte %d: %v, want %v", filepath.Base(name), i, err, store.ErrDamaged)
				}
				continue
			}
			n := uint64(0)
			for item, err := range db.Scan(nil, nil, false) {
				if err != nil || strings.Trim(string(item.Value), "v") != "" {
					t.Fatalf("%s, byte %d: a scan yields %q, %v", filepath.Base(name), i, item.Key, err)
				}
				n++
			}
			if n != db.Position() {
				t.Errorf("%s, byte %d: %d keys at position %d", filepath.Base(name), i, n, db.Position())
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if damaged < 100 {
		t.Errorf("only %d damages were told", damaged)
	}
}

func TestWipeMakesRoomForARebuild(t *testing.T) {
	dir := written(t)
	if err := os.WriteFile(filepath.Join(dir, "MANIFEST"), []byte("no manifest"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(dir, zerolog.Nop()); !errors.Is(err, store.ErrDamaged) {
		t.Fatalf("Open = %v, want %v", err, store.ErrDamaged)
	}
	if err := store.Wipe(dir); err != nil {
		t.Fatal(err)
	}
	if got := open(t, dir).Position(); got != 0 {
		t.Errorf("Position = %d, want 0", got)
	}
}

func TestLockHasOneOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if store.Held(dir) {
		t.Error("a directory that does not exist is held")
	}
	first, err := store.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the state directory: %v, %v, want mode 0700", info.Mode(), err)
	}
	_, err = store.Lock(dir)
	if !errors.Is(err, store.ErrLocked) || !strings.HasSuffix(err.Error(), fmt.Sprintf("by process %d", os.Getpid())) {
		t.Errorf("second Lock = %v, want %v by this process", err, store.ErrLocked)
	}
	if !store.Held(dir) {
		t.Error("a locked directory is not held")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if store.Held(dir) {
		t.Error("an unlocked directory is held")
	}
	again, err := store.Lock(dir)
	if err != nil {
		t.Fatalf("Lock after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestALockFileThatIsRemovedMakesNoSecondOwner(t *testing.T) {
	dir := t.TempDir()
	first, err := store.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	if second, err := store.Lock(dir); !errors.Is(err, store.ErrLocked) {
		t.Errorf("second Lock = %v, %v, want %v", second, err, store.ErrLocked)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	again, err := store.Lock(dir)
	if err != nil {
		t.Fatalf("Lock after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestLockRefusesADirectoryThatOthersWrite(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if o, err := store.Lock(dir); err == nil {
		_ = o.Close()
		t.Error("locked")
	}
}
