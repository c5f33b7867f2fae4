package audit

import (
	"slices"
	"strconv"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// entry is a record on its way into the journal, with the changes of state that become true with it. Entries are
// reused.
type entry struct {
	rec           []byte // JSON without sequence number and time
	seqAt, timeAt int    // where those go
	puts          []store.Put

	ref    policy.Ref // of the call that the record opens or closes, else 0
	opens  bool
	closes bool
	open   openCall

	wait bool // someone waits until it is durable
}

// openCall is what the journal remembers of a call that has begun, for the case that its end is never told.
type openCall struct{ agent, connection, upstream string }

// appendTo appends the complete record.
func (e *entry) appendTo(dst []byte, seq uint64, now *stamp) []byte {
	dst = slices.Grow(dst, len(e.rec)+20+len(now.text))
	dst = append(dst, e.rec[:e.seqAt]...)
	dst = strconv.AppendUint(dst, seq, 10)
	dst = append(dst, e.rec[e.seqAt:e.timeAt]...)
	dst = append(dst, now.text[:]...)
	return append(dst, e.rec[e.timeAt:]...)
}

// clear makes an entry as new, but for its buffers.
func (e *entry) clear() *entry {
	clear(e.puts)
	*e = entry{rec: e.rec[:0], puts: e.puts[:0]}
	return e
}

// size estimates the bytes that the entry adds to a frame.
func (e *entry) size() int {
	n := len(e.rec) + 64
	for i := range e.puts {
		n += len(e.puts[i].Key) + len(e.puts[i].Value) + 16
	}
	return n
}
