package wire

import (
	"bytes"
	"slices"
	"sync"
)

// Known is a result that was accepted, by which others are known that say the same to the byte, but for the id: of those
// nothing needs to be read twice. Bytes are compared with bytes, because of a digest a peer could try to find two. A Known
// never changes, and any goroutine may use it.
type Known struct {
	Mark  *Mark // of all that are known by it
	frame Frame // without Raw
	rest  []byte
	depth int
}

// Mark stands for the bytes of a message but for its id: frames that have the same mark say the same, to the byte. What was
// found out about one of them holds for the others, as far as it is about bytes. A nil Mark is none.
type Mark struct {
	most int // bytes of a message that is kept in made

	mu   sync.Mutex // guards made
	made []*Known   // what was made of such messages last
}

// maxMade is how much is kept of what was made of one message: agents may be shown different parts of it.
const maxMade = 2

// Remember makes a Known of a frame that is a result. It copies the bytes.
func Remember(f *Frame) *Known {
	id := f.Span(ID)
	k := &Known{Mark: &Mark{most: len(f.Raw)}, frame: *f, rest: slices.Concat(f.Raw[:id.Lo], f.Raw[id.Hi:]), depth: depthOf(f.Raw)}
	k.frame.Raw, k.frame.Mark = nil, nil
	return k
}

// Size is how many bytes a Known holds, and those that its mark may come to hold.
func (k *Known) Size() int { return (1 + maxMade) * (len(k.rest) + maxID) }

// Is reports whether a frame says the same.
func (k *Known) Is(f *Frame) bool {
	id := f.Span(ID)
	return f.Kind == k.frame.Kind && f.From == k.frame.From && id.Lo == k.frame.Span(ID).Lo && k.same(f.Raw, int(id.Hi-id.Lo))
}

// same reports whether bytes are those of k with an id of so many bytes in its place.
func (k *Known) same(raw []byte, id int) bool {
	at := int(k.frame.Span(ID).Lo)
	return len(raw) == len(k.rest)+id && bytes.Equal(raw[at+id:], k.rest[at:]) && bytes.Equal(raw[:at], k.rest[:at])
}

// Read reads a message into f as [Parse] does, if it says the same. Where it reports false f is as it was, and whether the
// message is to be accepted is for Parse to say.
func (k *Known) Read(f *Frame, raw []byte, from Side, lim *Limits) bool {
	at, size := int(k.frame.Span(ID).Lo), len(raw)-len(k.rest)
	if from != k.frame.From || size < 1 || size > maxID || !k.within(len(raw), lim) || !k.same(raw, size) || !isID(raw, at, at+size) {
		return false
	}
	*f = k.frame
	f.Raw, f.Mark = raw, k.Mark
	old := k.frame.Span(ID)
	by := int32(size) - (old.Hi - old.Lo) // the id is short
	for m := range f.spans {
		if s := &f.spans[m]; s.Lo >= old.Hi {
			s.Lo, s.Hi = s.Lo+by, s.Hi+by
		}
	}
	f.spans[ID].Hi = old.Hi + by
	return true
}

// within reports whether limits let it pass with this length.
func (k *Known) within(size int, lim *Limits) bool {
	keys := lim.Keys
	if k.frame.From == FromUpstream && lim.UpstreamKeys > 0 {
		keys = lim.UpstreamKeys
	}
	return size <= lim.Frame && k.frame.Keys <= keys && k.depth <= lim.Depth
}

// isID reports whether the bytes from lo to hi are one value, and it may be an id.
func isID(raw []byte, lo, hi int) bool {
	end, p := lo, NotJSON
	switch c := raw[lo]; {
	case c == '"':
		end, _, p = lexString(raw, lo)
	case c == '-' || c-'0' <= 9:
		end, p = lexNumber(raw, lo)
	}
	return p == nil && end == hi && legalID(raw[lo:hi])
}

// depthOf counts the containers inside each other in a message that was accepted.
func depthOf(raw []byte) (most int) {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			end, _, _ := lexString(raw, i) // it was accepted
			i = end - 1
		case '{', '[':
			depth++
			most = max(most, depth)
		case '}', ']':
			depth--
		}
	}
	return most
}

// Parse is [Parse] for what was made of a message that has the mark. That is mostly the same as the last time, and known
// again. The frame has no mark.
func (m *Mark) Parse(f *Frame, raw []byte, from Side, lim *Limits) error {
	if m == nil || len(raw) > m.most {
		return Parse(f, raw, from, lim)
	}
	m.mu.Lock()
	made := m.made
	m.mu.Unlock()
	for _, k := range made {
		if k.Read(f, raw, from, lim) {
			f.Mark = nil
			return nil
		}
	}
	if err := Parse(f, raw, from, lim); err != nil {
		return err
	}
	if f.Kind == KindResult {
		made = append([]*Known{Remember(f)}, made[:min(len(made), maxMade-1)]...)
		m.mu.Lock()
		m.made = made // of two at once one is kept
		m.mu.Unlock()
	}
	return nil
}
