package audit_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/hopgate/hopgate/audit"
)

// fault is what happens to one operation of a file system.
type fault int

const (
	noFault   fault = iota
	failOnce        // it fails; a write does half of its work
	powerLoss       // it and all that follow fail, and what was not synced may be gone
)

// faultyFiles is a real file system with one fault in it. It knows what would survive a power failure.
type faultyFiles struct {
	mu    sync.Mutex // guards all below
	count int        // operations so far
	at    int        // operation that meets the fault
	kind  fault
	dead  bool
	free  uint64
	bare  bool // there are no descriptors

	lacked int // operations that would have needed one

	sizes   map[string]*sizes
	renamed map[string]string // new name to old, since the last SyncDir
}

type sizes struct {
	written, synced int64
	over            []overwrite // since the last sync
}

// overwrite is what stood where something was written.
type overwrite struct {
	off    int64
	before []byte // less where the file ended
}

func newFaultyFiles(at int, kind fault) *faultyFiles {
	return &faultyFiles{at: at, kind: kind, free: 1 << 40, sizes: map[string]*sizes{}, renamed: map[string]string{}}
}

// step counts an operation and says what happens to it.
func (f *faultyFiles) step() error {
	return f.stepTo(false)
}

// stepTo is step, for an operation that needs a descriptor.
func (f *faultyFiles) stepTo(opens bool) error {
	if opens && f.bare {
		f.lacked++
		return &os.PathError{Op: "open", Path: "x", Err: syscall.EMFILE}
	}
	f.count++
	if f.dead || f.kind != noFault && f.count-1 == f.at {
		f.dead = f.kind == powerLoss
		return syscall.EIO
	}
	return nil
}

func (f *faultyFiles) Create(name string) (audit.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.stepTo(true); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	f.sizes[name] = &sizes{}
	return &faultyFile{fs: f, name: name, f: file}, nil
}

func (f *faultyFiles) Append(name string) (audit.File, error) { return f.open(name, os.O_APPEND) }
func (f *faultyFiles) Open(name string) (audit.File, error)   { return f.open(name, 0) }

func (f *faultyFiles) open(name string, how int) (audit.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.stepTo(true); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(name, os.O_RDWR|how, 0o600)
	if err != nil {
		return nil, err
	}
	if f.sizes[name] == nil {
		info, err := file.Stat()
		if err != nil {
			return nil, err
		}
		f.sizes[name] = &sizes{written: info.Size(), synced: info.Size()}
	}
	return &faultyFile{fs: f, name: name, f: file}, nil
}

func (f *faultyFiles) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step(); err != nil {
		return err
	}
	f.sizes[to] = f.sizes[from]
	delete(f.sizes, from)
	if _, err := os.Stat(to); errors.Is(err, os.ErrNotExist) {
		f.renamed[to] = from
	}
	return os.Rename(from, to)
}

func (f *faultyFiles) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step(); err != nil {
		return err
	}
	delete(f.sizes, name)
	return os.Remove(name)
}

func (f *faultyFiles) SyncDir(string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.stepTo(true); err != nil {
		return err
	}
	clear(f.renamed)
	return nil
}

func (f *faultyFiles) Spare(string, int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.bare {
		f.lacked++
		return syscall.EMFILE
	}
	return nil
}

func (f *faultyFiles) Free(string) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.free, nil
}

// unsynced returns the files of which something would not survive.
func (f *faultyFiles) unsynced() (names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, s := range f.sizes {
		if s.written != s.synced || len(s.over) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// loseUnsynced does what a power failure does: of what was not synced some, all or nothing stays, and of what was written over
// something else any of the sectors.
func (f *faultyFiles) loseUnsynced(t *testing.T, random *rand.Rand) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, s := range f.sizes {
		if lost := s.written - s.synced; lost > 0 {
			if err := os.Truncate(name, s.synced+random.Int64N(lost+1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, s := range f.sizes {
		for _, o := range slices.Backward(s.over) {
			o.lose(t, name, random)
		}
	}
	for to, from := range f.renamed {
		if random.IntN(2) == 0 {
			if err := os.Rename(to, from); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// lose puts back what stood in some of the sectors.
func (o *overwrite) lose(t *testing.T, name string, random *rand.Rand) {
	t.Helper()
	const sector = 512
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	most := random.IntN(3) // none, some, all
	for at := int64(0); at < int64(len(o.before)); {
		end := min(int64(len(o.before)), (o.off+at)/sector*sector+sector-o.off)
		if most == 2 || most == 1 && random.IntN(2) == 0 {
			if _, err := f.WriteAt(o.before[at:end], o.off+at); err != nil {
				t.Fatal(err)
			}
		}
		at = end
	}
}

type faultyFile struct {
	fs   *faultyFiles
	name string
	f    *os.File
}

func (f *faultyFile) Write(b []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	fault := f.fs.step()
	if fault != nil {
		b = b[:len(b)/2]
	}
	n, err := f.f.Write(b)
	f.fs.sizes[f.name].written += int64(n)
	return n, errors.Join(fault, err)
}

func (f *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	fault := f.fs.step()
	if fault != nil {
		b = b[:len(b)/2]
	}
	s := f.fs.sizes[f.name]
	before := make([]byte, max(0, min(int64(len(b)), s.written-off)))
	if _, err := f.f.ReadAt(before, off); err != nil {
		return 0, err
	}
	n, err := f.f.WriteAt(b, off)
	s.over = append(s.over, overwrite{off: off, before: before})
	s.written = max(s.written, off+int64(n))
	return n, errors.Join(fault, err)
}

func (f *faultyFile) SyncData() error { return f.Sync() }

func (f *faultyFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step(); err != nil {
		return err
	}
	if s := f.fs.sizes[f.name]; s != nil {
		s.synced, s.over = s.written, nil
	}
	return nil
}

func (f *faultyFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.step(); err != nil {
		return err
	}
	f.fs.sizes[f.name].written = size
	f.fs.sizes[f.name].synced = min(f.fs.sizes[f.name].synced, size)
	return f.f.Truncate(size)
}

func (f *faultyFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return errors.Join(f.fs.step(), f.f.Close())
}

func (f *faultyFile) Linked() error {
	ours, err := f.f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(f.name)
	if err == nil && !os.SameFile(ours, there) {
		err = os.ErrNotExist
	}
	return err
}
