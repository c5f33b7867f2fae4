package wire

import (
	"fmt"
	"slices"
)

// Edit replaces the bytes of a span.
type Edit struct {
	At  Span
	New []byte
}

// Edits are replacements in one message. They must not overlap.
type Edits []Edit

// Splice appends src to dst with the edits in place. It returns an error, and dst as it was, where edits overlap or lie
// outside src; nothing may be sent then. All bytes outside the edits stay as they are. A nil dst is made as long as needed.
func (e Edits) Splice(dst, src []byte) ([]byte, error) {
	if !slices.IsSortedFunc(e, byPlace) {
		e = slices.SortedFunc(slices.Values(e), byPlace)
	}
	out, at := dst, int32(0)
	if dst == nil {
		out = make([]byte, 0, e.length(src))
	}
	for _, x := range e {
		if x.At.Lo < at || x.At.Hi < x.At.Lo || int(x.At.Hi) > len(src) {
			return dst, fmt.Errorf("splicing at byte %d: edits overlap or leave the message", x.At.Lo)
		}
		out = append(out, src[at:x.At.Lo]...)
		out = append(out, x.New...)
		at = x.At.Hi
	}
	return append(out, src[at:]...), nil
}

// length is that of src with the edits in place; 0 where they cannot be made.
func (e Edits) length(src []byte) int {
	n := len(src)
	for _, x := range e {
		n += len(x.New) - max(0, int(x.At.Hi)-int(x.At.Lo))
	}
	return max(0, n)
}

func byPlace(a, b Edit) int { return int(a.At.Lo) - int(b.At.Lo) }

// Shift moves edits made in a part of a message to their place in the whole.
func (e Edits) Shift(by int32) Edits {
	for i := range e {
		e[i].At.Lo += by
		e[i].At.Hi += by
	}
	return e
}

// Cut returns the edits that leave out elements of an array, or members of an object, and the commas between them.
// parts are the places of all of them in order, keep tells which stay; both refer to the same value.
func Cut(parts []Span, keep []bool) Edits {
	var edits Edits
	kept := false // whether anything before this part stays
	for i := 0; i < len(parts); i++ {
		if keep[i] {
			kept = true
			continue
		}
		j := i // the run of parts to leave out ends at j
		for j+1 < len(parts) && !keep[j+1] {
			j++
		}
		switch {
		case kept: // the comma before the run goes with it
			edits = append(edits, Edit{At: Span{parts[i-1].Hi, parts[j].Hi}})
		case j+1 < len(parts): // the comma behind it goes
			edits = append(edits, Edit{At: Span{parts[i].Lo, parts[j+1].Lo}})
		default:
			edits = append(edits, Edit{At: Span{parts[i].Lo, parts[j].Hi}})
		}
		i = j
	}
	return edits
}
