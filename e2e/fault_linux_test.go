package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hopgate/hopgate/audit"
)

// fillDisk lets a file grow until about so many bytes are free.
func fillDisk(t *testing.T, name string, leave int64) {
	t.Helper()
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	must(t, err)
	defer file.Close()
	for {
		info, err := file.Stat()
		must(t, err)
		var s unix.Statfs_t
		must(t, unix.Statfs(filepath.Dir(name), &s))
		more := int64(s.Bavail)*s.Bsize - leave
		if more <= 0 {
			return
		}
		// It fails where the process has taken the room meanwhile.
		if err := unix.Fallocate(int(file.Fd()), 0, info.Size(), more); err != nil && !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
	}
}

// fillUntil keeps a disk filled, whatever the process on it removes meanwhile, until it says whether it has noticed.
func fillUntil(t *testing.T, name string, leave int64, noticed <-chan bool) bool {
	t.Helper()
	for {
		fillDisk(t, name, leave)
		select {
		case is := <-noticed:
			return is
		case <-time.After(time.Millisecond):
		}
	}
}

// TestACapHoldsOnAFullDisk fills a small disk under load. Calls are refused; a process that starts there says that the disk
// is full; with the ballast released it starts; and with space again it goes on. Badger maps its files, so it may end a
// process on a disk that is filled to the last byte.
func TestACapHoldsOnAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("hopgate", disk, "tmpfs", 0, "size=768m"); err != nil {
		t.Skipf("NOT TESTED: a full disk, because no small one can be mounted (%v); run it as root", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	f := newFaults(t, disk)
	f.reserve = 96 << 20
	f.keep = time.Second // the disk is small
	// Of a round this is what is spent while the disk fills, three times over: memory is fast, and so is the journal.
	f.limit = int64(f.rounds) * max(int64(f.callers)*400, 24_000) * mostCost
	filler := filepath.Join(disk, "filler")
	for round := range f.rounds {
		goal := f.limit / 10 * 3 * int64(round+1) / int64(f.rounds)
		w := f.start(t)
		if !w.until("ready") {
			err := w.end()
			t.Fatalf("a process does not start: %v\n%s", err, w.words())
		}
		for f.progress(t) < goal {
			time.Sleep(time.Millisecond) // it is another process that spends
		}
		full := make(chan bool, 1)
		go func() { full <- w.until("full") }()
		if !fillUntil(t, filler, f.reserve/2, full) { // pruning does not make up for so much at once
			err := w.end()
			t.Fatalf("on a full disk a process ends so: %v\n%s", err, w.words())
		}
		before := f.spent(t)
		fillDisk(t, filler, 0)
		_ = w.Process.Kill() // Badger may have ended it
		_ = w.end()
		// What was on record when the disk was full may still reach the upstream.
		if after := f.spent(t); after-before > int64(f.callers)*mostCost {
			t.Errorf("%d was spent on a full disk", after-before)
		}

		w = f.start(t)
		if err := w.end(); err == nil || !strings.Contains(w.words(), audit.ErrSpace.Error()) {
			t.Fatalf("a process starts on a full disk: %v\n%s", err, w.words())
		}
		if freed, err := audit.Recover(f.dir); err != nil || freed != f.reserve {
			t.Fatalf("Recover = %d, %v; want %d", freed, err, f.reserve)
		}
		w = f.start(t)
		if !w.until("ready") {
			err := w.end()
			t.Fatalf("a process does not start without the ballast: %v\n%s", err, w.words())
		}
		must(t, os.Remove(filler))
		_ = w.Process.Kill()
		if err := w.end(); err == nil {
			t.Log("a process has ended before it was killed")
		}
	}
	f.finish(t)
}
