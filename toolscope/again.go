package toolscope

import (
	"bytes"
	"sync/atomic"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope/pin"
)

// What a list is found to say holds for the next one that is the same to the byte, as long as nothing has changed of what
// it is judged by: the connection's rules, of which each gate has its own answers, the tools that are known of the
// upstream, and the definitions that are pinned. A list of several pages is read anew each time.

// basis is a list and what it is judged by. It is compared.
type basis struct {
	mark  *wire.Mark
	tools *map[string]*definition // of the shelf: another one takes its place when something changes
	pins  uint64                  // generation of the book
	mode  PinMode
}

// basisOf returns what a list would be judged by now; false where its answers are not kept.
func basisOf(r *wire.Frame, s *shelf, pins *pin.Book, mode PinMode) (basis, bool) {
	return basis{r.Mark, s.tools.Load(), pins.Generation(), mode}, r.Mark != nil
}

// answers are kept of one list at a time: of the one that came last. The zero value holds none.
type answers[T any] struct{ last atomic.Pointer[answered[T]] }

type answered[T any] struct {
	basis
	value T
}

func (a *answers[T]) of(b *basis) (value T, ok bool) {
	if x := a.last.Load(); x != nil && x.basis == *b {
		return x.value, true
	}
	return value, false
}

func (a *answers[T]) keep(b basis, value T) { a.last.Store(&answered[T]{b, value}) }

// cuts are what of a list is not shown: parts of the array.
type cuts struct {
	parts    []wire.Span
	findings []policy.Finding
}

// maxCut bounds the memory of one answer, in parts.
const maxCut = 4096

// edits leave out what is not shown of an array that begins at a byte.
func (s *cuts) edits(at int32) wire.Edits {
	if len(s.parts) == 0 {
		return nil
	}
	all := make(wire.Edits, len(s.parts))
	for i, part := range s.parts {
		all[i].At = part
	}
	return all.Shift(at)
}

// leaves reports whether an array is another one without what is not shown.
func (s *cuts) leaves(came, went []byte) bool {
	at := int32(0)
	for _, part := range s.parts {
		var same bool
		if went, same = bytes.CutPrefix(went, came[at:part.Lo]); !same {
			return false
		}
		at = part.Hi
	}
	return bytes.Equal(went, came[at:])
}
