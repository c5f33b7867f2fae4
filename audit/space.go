package audit

import (
	"sync/atomic"
	"time"
)

// spaceEvery is how long an answer about free space is believed.
const spaceEvery = 100 * time.Millisecond

// space watches the file system of the journal and the descriptors of the process, so that it stops taking calls while
// there is room to end those that have begun. Badger, which maps its files, dies of a full disk, and of a table that it
// cannot open.
type space struct {
	files   Files
	dir     string
	reserve uint64       // bytes
	asked   atomic.Int64 // Unix nanoseconds
	low     atomic.Bool
	bare    atomic.Bool // there are no descriptors
}

// check returns ErrSpace or ErrDescriptors where less than the reserve is left. An error of the file system counts so too.
func (s *space) check(now time.Time) error {
	at, last := now.UnixNano(), s.asked.Load()
	if time.Duration(at-last).Abs() >= spaceEvery && s.asked.CompareAndSwap(last, at) {
		free, err := s.files.Free(s.dir)
		s.low.Store(err != nil || free < s.reserve)
		s.bare.Store(s.files.Spare(s.dir, spareCalls) != nil)
	}
	switch {
	case s.low.Load():
		return ErrSpace
	case s.bare.Load():
		return ErrDescriptors
	}
	return nil
}
