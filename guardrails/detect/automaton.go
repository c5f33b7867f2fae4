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
	trie, ends, err := a.trie(literals)
	if err != nil {
		return nil, err
	}
	a.link(trie, ends)
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

// node is one row of the tree of literals.
type node [256]uint16

// trie returns the tree of literals in breadth-first order, and which literals end in which node.
func (a *automaton) trie(literals []string) ([]node, [][]uint16, error) {
	tree := make([]node, 1, 1024)
	ends := make([][]uint16, 1, 1024)
	for i, l := range literals {
		s := uint16(0)
		for j := range len(l) {
			c := a.class[l[j]]
			if tree[s][c] == 0 {
				if len(tree) >= maxStates-1 {
					return nil, nil, errTooManyLiterals
				}
				tree[s][c] = uint16(len(tree))
				tree, ends = append(tree, node{}), append(ends, nil)
			}
			s = tree[s][c]
		}
		ends[s] = append(ends[s], uint16(i))
	}
	order := make([]uint16, 1, len(tree))
	renamed := make([]uint16, len(tree))
	for k := 0; k < len(order); k++ {
		for c := range 1 << a.bits {
			if t := tree[order[k]][c]; t != 0 {
				renamed[t] = uint16(len(order))
				order = append(order, t)
			}
		}
	}
	sorted := make([]node, len(tree))
	sortedEnds := make([][]uint16, len(tree))
	for k, old := range order {
		for c, t := range tree[old][:1<<a.bits] {
			sorted[k][c] = renamed[t]
		}
		sortedEnds[k] = ends[old]
	}
	return sorted, sortedEnds, nil
}

// link completes the tree to an automaton: every state gets its failure's transitions and outputs.
func (a *automaton) link(tree []node, ends [][]uint16) {
	fail := make([]uint16, len(tree))
	for s := range tree {
		for c := range 1 << a.bits {
			t := tree[s][c]
			switch {
			case t == 0 && s != 0:
				tree[s][c] = tree[fail[s]][c]
			case t != 0 && s != 0:
				fail[t] = tree[fail[s]][c]
			}
		}
		if s != 0 {
			ends[s] = append(ends[s], ends[fail[s]]...)
		}
	}
	a.next = make([]uint16, len(tree)<<a.bits)
	a.from = make([]uint16, len(tree)+1)
	for s := range tree {
		for c, t := range tree[s][:1<<a.bits] {
			if len(ends[t]) > 0 {
				t |= hasOutput
			}
			a.next[s<<a.bits|c] = t
		}
		a.out = append(a.out, ends[s]...)
		a.from[s+1] = uint16(len(a.out))
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
