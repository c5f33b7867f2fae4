package detect

import "errors"

// automaton finds many literals in one pass, whatever their case: Aho-Corasick as a dense table of 16-bit states over
// classes of bytes, 64 of them where the literals are ASCII. States are numbered in order of depth, so that the rows a clean text visits stay in
// the first-level cache.
type automaton struct {
	class [256]uint8
	next  []uint16 // state<<bits|class; the top bit says that the target state has output
	bits  uint8
	from  []uint16 // outputs of state s are out[from[s]:from[s+1]]
	out   []uint16
	size  []uint8 // length of each literal
	warm  int     // longest literal less one: how far a stream must look back
}

const (
	hasOutput = 1 << 15
	maxStates = hasOutput
	asciiBits = 6
	// streamMin is the text length from which four interleaved streams pay for their overlap.
	streamMin = 512
)

// hit is one literal found: its number and the offset after its last byte.
type hit struct {
	end int32
	lit uint16
}

// hits holds what the streams found. The four slices, one after the other, are in order of offset.
type hits [4][]hit

var errTooManyLiterals = errors.New("too many literals for one automaton")

// newAutomaton builds the table. Literals are at most 255 bytes; ASCII case is folded.
func newAutomaton(literals []string) (*automaton, error) {
	a := &automaton{size: make([]uint8, len(literals))}
	if err := a.classes(literals); err != nil {
		return nil, err
	}
	t, err := a.trie(literals)
	if err != nil {
		return nil, err
	}
	a.link(t)
	return a, nil
}

// classes numbers the bytes that occur; class 0 is every other byte.
func (a *automaton) classes(literals []string) error {
	n := 0
	for i, l := range literals {
		if l == "" || len(l) > 255 {
			return errors.New("a literal has between 1 and 255 bytes")
		}
		a.size[i] = uint8(len(l))
		a.warm = max(a.warm, len(l)-1)
		for j := range len(l) {
			b := lower(l[j])
			if a.class[b] != 0 {
				continue
			}
			n++
			a.class[b] = uint8(n)
		}
	}
	for b := byte('a'); b <= 'z'; b++ {
		a.class[b-'a'+'A'] = a.class[b]
	}
	a.bits = asciiBits
	for n >= 1<<a.bits {
		a.bits++
	}
	return nil
}

// tree is the tree of literals while it is built: rows of transitions, and which literals end where.
type tree struct {
	next []uint16
	ends [][]uint16
}

// trie returns the tree in breadth-first order.
func (a *automaton) trie(literals []string) (tree, error) {
	width := 1 << a.bits
	most := 1 // nodes, if no two literals begin alike
	for _, l := range literals {
		most += len(l)
	}
	most = min(most, maxStates)
	t := tree{make([]uint16, width, most*width), make([][]uint16, 1, most)}
	for i, l := range literals {
		s := 0
		for j := range len(l) {
			at := s<<a.bits | int(a.class[l[j]])
			if t.next[at] == 0 {
				if len(t.ends) >= maxStates-1 {
					return tree{}, errTooManyLiterals
				}
				t.next[at] = uint16(len(t.ends))
				t.next, t.ends = t.next[:len(t.next)+width], append(t.ends, nil)
			}
			s = int(t.next[at])
		}
		t.ends[s] = append(t.ends[s], uint16(i))
	}
	return t.sorted(a.bits), nil
}

// sorted numbers the nodes by depth.
func (t tree) sorted(bits uint8) tree {
	order := make([]uint16, 1, len(t.ends))
	out := tree{make([]uint16, len(t.next)), make([][]uint16, len(t.ends))}
	for k := 0; k < len(order); k++ {
		row := t.next[int(order[k])<<bits : (int(order[k])+1)<<bits]
		out.ends[k] = t.ends[order[k]]
		for c, next := range row {
			if next != 0 {
				out.next[k<<bits|c] = uint16(len(order))
				order = append(order, next)
			}
		}
	}
	return out
}

// link completes the tree to an automaton: every state gets its failure's transitions and outputs.
func (a *automaton) link(t tree) {
	width := 1 << a.bits
	fail := make([]uint16, len(t.ends))
	for s := 1; s < len(t.ends); s++ {
		// The root's row is complete as it is: what is missing leads back to the root.
		row, back := t.next[s*width:(s+1)*width], t.next[int(fail[s])*width:(int(fail[s])+1)*width]
		t.ends[s] = append(t.ends[s], t.ends[fail[s]]...)
		for c, next := range row {
			if next == 0 {
				row[c] = back[c]
			} else {
				fail[next] = back[c]
			}
		}
	}
	a.next, a.from = t.next, make([]uint16, len(t.ends)+1)
	for s := range t.ends {
		a.out = append(a.out, t.ends[s]...)
		a.from[s+1] = uint16(len(a.out))
	}
	for i, next := range a.next {
		if len(t.ends[next]) > 0 {
			a.next[i] |= hasOutput
		}
	}
}

// find appends every occurrence of every literal.
func (a *automaton) find(text []byte, h *hits) {
	for i := range h {
		h[i] = h[i][:0]
	}
	if len(text) < max(streamMin, 8*a.warm) {
		h[0] = a.one(text, 0, h[0])
		return
	}
	q := len(text) / 4
	w := min(a.warm, q)
	p3 := text[3*q : 4*q]
	p0, p1, p2 := text[:len(p3)], text[q:][:len(p3)], text[2*q:][:len(p3)]
	class, next, bits := &a.class, a.next, a.bits&15
	var s0, s1, s2, s3 uint16
	for i := range p3 {
		s0 = next[uint(s0&^hasOutput)<<bits|uint(class[p0[i]])]
		s1 = next[uint(s1&^hasOutput)<<bits|uint(class[p1[i]])]
		s2 = next[uint(s2&^hasOutput)<<bits|uint(class[p2[i]])]
		s3 = next[uint(s3&^hasOutput)<<bits|uint(class[p3[i]])]
		if (s0|s1|s2|s3)&hasOutput == 0 {
			continue
		}
		h[0] = a.emit(h[0], s0, i, 0)
		h[1] = a.emit(h[1], s1, i, q)
		h[2] = a.emit(h[2], s2, i, 2*q)
		h[3] = a.emit(h[3], s3, i, 3*q)
	}
	h[0] = a.tail(h[0], s0, text[:q+w], q, 0)
	h[1] = a.tail(h[1], s1, text[q:][:q+w], q, q)
	h[2] = a.tail(h[2], s2, text[2*q:][:q+w], q, 2*q)
	h[3] = a.rest(h[3], s3, text, 4*q)
}

// tail walks the overlap into the next quarter; only literals that begin before it count.
func (a *automaton) tail(h []hit, s uint16, p []byte, n, base int) []hit {
	for i := n; i < len(p); i++ {
		s = a.next[uint(s&^hasOutput)<<(a.bits&15)|uint(a.class[p[i]])]
		if s&hasOutput == 0 {
			continue
		}
		for _, l := range a.outputs(s) {
			if i+1-int(a.size[l]) < n {
				h = append(h, hit{int32(base + i + 1), l})
			}
		}
	}
	return h
}

func (a *automaton) rest(h []hit, s uint16, text []byte, at int) []hit {
	for i := at; i < len(text); i++ {
		s = a.next[uint(s&^hasOutput)<<(a.bits&15)|uint(a.class[text[i]])]
		h = a.emit(h, s, i, 0)
	}
	return h
}

func (a *automaton) one(text []byte, base int, h []hit) []hit {
	s := uint16(0)
	for i, b := range text {
		s = a.next[uint(s&^hasOutput)<<(a.bits&15)|uint(a.class[b])]
		if s&hasOutput != 0 {
			h = a.emit(h, s, i, base)
		}
	}
	return h
}

func (a *automaton) emit(h []hit, s uint16, i, base int) []hit {
	if s&hasOutput == 0 {
		return h
	}
	for _, l := range a.outputs(s) {
		h = append(h, hit{int32(base + i + 1), l})
	}
	return h
}

func (a *automaton) outputs(s uint16) []uint16 {
	s &^= hasOutput
	return a.out[a.from[s]:a.from[s+1]]
}
