package audit

import (
	"sync/atomic"
	"time"
)

// spaceEvery is how long an answer about free space is believed.
const spaceEvery = 100 * time.Millisecond

// space watches the file system of the journal, so that it stops taking calls while there is room to end those that
// have begun. Badger, which maps its files, dies of a full disk.
type space struct {
	files   Files
	dir     string
	reserve uint64       // bytes
	asked   atomic.Int64 // Unix nanoseconds
	low     atomic.Bool
}

// check reports whether less than the reserve is left. An error of the file system counts as yes.
func (s *space) check(now time.Time) bool {
	at, last := now.UnixNano(), s.asked.Load()
	if time.Duration(at-last).Abs() < spaceEvery || !s.asked.CompareAndSwap(last, at) {
		return s.low.Load()
	}
	free, err := s.files.Free(s.dir)
	low := err != nil || free < s.reserve
	s.low.Store(low)
	return low
}
