package e2e

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/quota"
)

// faults is a series of processes that spend from one cap, and are killed.
type faults struct {
	dir, ledger string
	limit       int64
	callers     int
	rounds      int
	reserve     int64
	keep        time.Duration // of records
}

// newFaults sizes a series. HOPGATE_FAULT_ROUNDS says how many kills there are (3); the full form has 200, and 64
// callers. What can stay unused is less than a hundredth of the cap: what each caller has reserved at each kill, and at
// the end what is less than the next call reserves. In the full form records are kept for a second: what a round must
// rebuild then does not grow with the rounds before, and pruning is killed too.
func newFaults(t *testing.T, dir string) *faults {
	t.Helper()
	f := &faults{dir: filepath.Join(dir, "state"), ledger: filepath.Join(t.TempDir(), "ledger"), callers: 8, rounds: 3}
	if n, err := strconv.Atoi(os.Getenv("HOPGATE_FAULT_ROUNDS")); err == nil && n > 0 {
		f.callers, f.rounds, f.keep = 64, n, time.Second
	}
	f.limit = (int64(f.rounds)*int64(f.callers) + 1) * 100 * mostCost
	return f
}

// spent is the sum of what the upstream has charged.
func (f *faults) spent(t *testing.T) (sum int64) {
	t.Helper()
	b, err := os.ReadFile(f.ledger)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for ; len(b) >= 8; b = b[8:] {
		sum += int64(binary.BigEndian.Uint64(b))
	}
	return sum
}

// progress is about what was spent, at the price of a look at the size of the ledger.
func (f *faults) progress(t *testing.T) int64 {
	t.Helper()
	info, err := os.Stat(f.ledger)
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	must(t, err)
	return info.Size() / 8 * mostCost / 2
}

// worker is one process.
type worker struct {
	*exec.Cmd
	said      chan string // lines; closed at the end
	out, errs bytes.Buffer
}

// words returns what an ended process has written.
func (w *worker) words() string { return w.out.String() + w.errs.String() }

func (f *faults) start(t *testing.T) *worker {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &worker{Cmd: exec.CommandContext(t.Context(), exe, "-test.run=^TestFaultChild$", "-test.timeout=10m"), said: make(chan string, 64)}
	w.Env = append(os.Environ(), faultDir+"="+f.dir, faultLedger+"="+f.ledger, faultCap+"="+fmt.Sprint(f.limit),
		faultCallers+"="+fmt.Sprint(f.callers), faultReserve+"="+fmt.Sprint(f.reserve),
		faultKeep+"="+fmt.Sprint(int64(f.keep)))
	w.Stderr = &w.errs
	out, err := w.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.said)
		for lines := bufio.NewScanner(io.TeeReader(out, &w.out)); lines.Scan(); {
			w.said <- lines.Text()
		}
	}()
	return w
}

// until waits for a line and reports whether it came before the process ended.
func (w *worker) until(line string) bool {
	for said := range w.said {
		if said == line {
			return true
		}
	}
	return false
}

// end waits for the process and returns whether it has failed.
func (w *worker) end() error {
	for range w.said { // to the end of its output
	}
	return w.Wait()
}

// kill ends the process once it has spent so much, or at any moment of its start.
func (f *faults) kill(t *testing.T, w *worker, goal int64, early bool) {
	t.Helper()
	if early {
		time.Sleep(time.Duration(rand.Int64N(int64(60 * time.Millisecond)))) // a crash comes at any time
	} else {
		if !w.until("ready") {
			err := w.end()
			t.Fatalf("a process does not start: %v\n%s", err, w.words())
		}
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ended := false; !ended && f.progress(t) < goal; {
			select {
			case _, more := <-w.said:
				ended = !more
			case <-tick.C:
			}
		}
	}
	_ = w.Process.Kill() // it may have used up what there is
	if err := w.end(); err == nil && !early {
		t.Log("a process has ended before it was killed")
	} else if text := w.words(); strings.Contains(text, "FAIL") {
		t.Fatalf("a process has failed: %v\n%s", err, text)
	}
}

// finish lets a process use up the rest, and holds the ledger against the cap.
func (f *faults) finish(t *testing.T) {
	t.Helper()
	w := f.start(t)
	if err := w.end(); err != nil {
		t.Fatalf("the last process: %v\n%s", err, w.words())
	}
	f.wantCap(t)
	v, err := audit.Verify(t.Context(), f.dir, "")
	if err != nil || v.Damage != nil || v.Torn != nil || v.Unsigned() != 0 {
		t.Errorf("Verify = %+v, %v", v, err)
	}
}

func (f *faults) wantCap(t *testing.T) {
	t.Helper()
	sum := f.spent(t)
	t.Logf("%d of %d spent: %.2f %%, after %d kills of %d callers", sum, f.limit, 100*float64(sum)/float64(f.limit), f.rounds, f.callers)
	if sum > f.limit {
		t.Errorf("%d was spent under a cap of %d", sum, f.limit)
	}
	if sum < f.limit/100*99 {
		t.Errorf("%d of %d could be spent, less than 99 %%", sum, f.limit)
	}
}

// TestACapHoldsWhateverIsKilledAndLost kills processes under load, and spoils what Badger holds after every kill: the sum
// of what the upstream has charged is never above the cap, and nearly all of it can be used.
func TestACapHoldsWhateverIsKilledAndLost(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, dir string){
		"killed": func(*testing.T, string) {},
		"and a bit flipped in every file of Badger": func(t *testing.T, dir string) {
			t.Helper()
			for _, name := range matches(t, dir, "badger/*") {
				flip(t, name)
			}
		},
		"and the logs of Badger deleted": func(t *testing.T, dir string) {
			t.Helper()
			for _, name := range append(matches(t, dir, "badger/*.mem"), matches(t, dir, "badger/*.vlog")...) {
				must(t, os.Remove(name))
			}
		},
		"and Badger deleted": func(t *testing.T, dir string) {
			t.Helper()
			must(t, os.RemoveAll(filepath.Join(dir, "badger")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFaults(t, t.TempDir())
			for round := range f.rounds {
				goal := f.limit / 10 * 9 * int64(round+1) / int64(f.rounds)
				f.kill(t, f.start(t), goal, round%4 == 3)
				spoil(t, f.dir)
			}
			f.finish(t)
		})
	}
}

func matches(tb testing.TB, dir, pattern string) []string {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	must(tb, err)
	return names
}

// flip turns one bit over in the part of a file that holds something.
func flip(t *testing.T, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	end := len(bytes.TrimRight(b, "\x00"))
	if end == 0 {
		return
	}
	at := rand.IntN(end)
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	must(t, err)
	_, err = file.WriteAt([]byte{b[at] ^ 1<<rand.IntN(8)}, int64(at))
	must(t, errors.Join(err, file.Close()))
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// halve leaves the first half of some files' bytes. The last file alone may hold no more than a crash takes.
func halve(t *testing.T, names []string) {
	t.Helper()
	sizes := make([]int64, len(names))
	left := int64(0)
	for i, name := range names {
		info, err := os.Stat(name)
		must(t, err)
		sizes[i] = info.Size()
		left += info.Size()
	}
	left /= 2
	for i, name := range names {
		if left > 0 {
			must(t, os.Truncate(name, min(left, sizes[i])))
		} else {
			must(t, os.Remove(name))
		}
		left -= sizes[i]
	}
}

// A journal that was cut is not opened.
func TestAJournalThatIsCutIsNotOpened(t *testing.T) {
	f := newFaults(t, t.TempDir())
	f.kill(t, f.start(t), f.limit/2, false)
	halve(t, matches(t, f.dir, "journal/*.seg"))
	before := f.spent(t)
	w := f.start(t)
	if err := w.end(); err == nil || !strings.Contains(w.words(), audit.ErrRollback.Error()) {
		t.Errorf("a process works with half a journal: %v\n%s", err, w.words())
	}
	if got := f.spent(t); got != before {
		t.Errorf("%d was spent with half a journal", got-before)
	}
}

// An older copy of the whole state directory is found out by the anchor, spends nothing, and when an operator accepts
// it goes on from what the anchor knows.
func TestAnOlderStateIsFoundOutAndHeld(t *testing.T) {
	f := newFaults(t, t.TempDir())
	f.kill(t, f.start(t), f.limit/4, false)
	older := filepath.Join(t.TempDir(), "older")
	must(t, os.CopyFS(older, os.DirFS(f.dir)))

	// It goes on, and ends in good order: the anchor knows all.
	ledger, err := os.OpenFile(f.ledger, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	defer ledger.Close()
	cfg := often(audit.Config{Dir: f.dir, Anchor: f.dir + ".anchor"})
	a, err := openAccount(t.Context(), cfg, f.limit)
	must(t, err)
	for f.spent(t) < f.limit/2 {
		for range 50 {
			must(t, a.call(t.Context(), ledger))
		}
	}
	must(t, a.journal.Close())

	must(t, os.RemoveAll(f.dir))
	must(t, os.CopyFS(f.dir, os.DirFS(older)))
	w := f.start(t)
	if err := w.end(); err == nil || !strings.Contains(w.words(), "rolled back: the journal is") {
		t.Fatalf("a process works with an older state: %v\n%s", err, w.words())
	}

	a, err = openAccount(t.Context(), cfg, f.limit)
	must(t, err)
	must(t, a.journal.AcceptRollback(t.Context(), "a test", func(raw json.RawMessage) error {
		var marks []quota.Mark
		return errors.Join(json.Unmarshal(raw, &marks), a.book.Raise(marks))
	}))
	must(t, a.journal.Close())
	f.finish(t)
}
