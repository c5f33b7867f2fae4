package audit_test

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// slowFiles is a file system whose syncs of the last segment wait for a gate and may fail behind it.
type slowFiles struct {
	*faultyFiles
	gate  atomic.Pointer[chan error] // nil for none
	syncs atomic.Int64
}

func (f *slowFiles) Open(name string) (audit.File, error) {
	file, err := f.faultyFiles.Open(name)
	return &slowFile{file, f}, err
}

type slowFile struct {
	audit.File
	fs *slowFiles
}

func (f *slowFile) SyncData() error {
	f.fs.syncs.Add(1)
	if gate := f.fs.gate.Load(); gate != nil {
		if err := <-*gate; err != nil {
			return err
		}
	}
	return f.File.SyncData()
}

// queue has a call wait for its sync, and then others for the next. It returns what ends the syncs, and what the callers
// are told.
func queue(t *testing.T, others int, next func(j *audit.Journal, i int) error) (p *place, j *audit.Journal, files *slowFiles, gate, told chan error) {
	t.Helper()
	files = &slowFiles{faultyFiles: newFaultyFiles(0, noFault)}
	p = newPlace(t)
	p.config.Files = files
	j = p.openBubble(t)
	synctest.Wait()
	gate, told = make(chan error), make(chan error, 1+others)
	files.gate.Store(&gate)
	files.syncs.Store(0)
	for i := range 1 + others {
		go func() { told <- next(j, i) }()
		if i == 0 {
			synctest.Wait()
		}
	}
	synctest.Wait()
	return p, j, files, gate, told
}

func TestABatchIsCollectedWhileTheOneBeforeIsSynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const others = 100
		p, j, files, gate, told := queue(t, others, func(j *audit.Journal, i int) error {
			return j.Begin(t.Context(), aCall(t, policy.Ref(i+1)), &policy.Outcome{Allowed: true})
		})
		if len(told) > 0 {
			t.Errorf("before any sync has ended, a caller is told %v", <-told)
		}
		gate <- nil
		synctest.Wait()
		if len(told) != 1 {
			t.Errorf("behind the first sync %d callers are told, want the one who came before it", len(told))
		}
		gate <- nil
		for range 1 + others {
			if err := <-told; err != nil {
				t.Error(err)
			}
		}
		if got := files.syncs.Load(); got != 2 {
			t.Errorf("there were %d syncs, want 2", got)
		}
		files.gate.Store(nil)
		mustClose(t, j)
		if v := p.wantSound(t); v.Records < 1+others {
			t.Errorf("there are %d records", v.Records)
		}
	})
}

func TestAFailedSyncIsToldToThoseWhoCameDuringIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const others = 10
		_, j, files, gate, told := queue(t, others, func(j *audit.Journal, i int) error {
			return j.Begin(t.Context(), aCall(t, policy.Ref(i+1)), &policy.Outcome{Allowed: true})
		})
		gate <- syscall.EIO
		for range 1 + others {
			if err := <-told; !errors.Is(err, audit.ErrFailed) {
				t.Errorf("a caller is told %v, want %v", err, audit.ErrFailed)
			}
		}
		if got := files.syncs.Load(); got != 1 {
			t.Errorf("after a sync that failed there were %d more", got-1)
		}
		if err := j.Close(); !errors.Is(err, audit.ErrFailed) {
			t.Error(err)
		}
	})
}

// A batch is full, others wait for room in the next, and the journal ends: who has come before is still let in.
func TestWhoWaitsForRoomAtTheEndIsLetIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const others = 12
		value := make([]byte, 200<<10) // two fill a batch
		p, j, files, gate, told := queue(t, others, func(j *audit.Journal, i int) error {
			return j.Event(t.Context(), "large", nil, []store.Put{{Key: []byte{'k', byte('a' + i)}, Value: value}})
		})
		closed := make(chan error, 1)
		go func() { closed <- j.Close() }()
		synctest.Wait()
		if err := j.Event(t.Context(), "late", nil, nil); !errors.Is(err, audit.ErrClosed) {
			t.Errorf("who comes behind the end is told %v, want %v", err, audit.ErrClosed)
		}
		files.gate.Store(nil)
		close(gate)
		for range 1 + others {
			if err := <-told; err != nil {
				t.Error(err)
			}
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if v := p.wantSound(t); v.Records < 1+others {
			t.Errorf("there are %d records, want those of all who had come", v.Records)
		}
	})
}
