package wire

import (
	"encoding/binary"
	"hash/maphash"
)

// nameSet finds a name that stands twice in one object. The names of all open objects lie on one stack; a small object
// is searched from end to end, a large one through a hash table with a random seed. It allocates only to grow.
type nameSet struct {
	stack   []name
	peak    int     // longest that stack has been since reset
	decoded []byte  // texts of escaped names; names point into it
	table   []entry // of a power of two; at most half of it is occupied
	used    int     // entries of this round
	round   uint32  // tells the entries that count from those of earlier messages
	serial  uint32  // of the object opened last
}

// name is one member's name. head and length settle nearly every comparison.
type name struct {
	head   uint64 // first eight bytes
	text   []byte
	object uint32
}

// entry points at a name of the stack. One whose name has left the stack meanwhile equals nothing that is looked for.
type entry struct{ round, index uint32 }

// nameMark is an open object.
type nameMark struct {
	base   int
	object uint32
}

// maxIdle bounds the memory of a set that nobody uses, in names that were open at once: some 1 MB.
const maxIdle = 1 << 14

// linear is how many names an object may have before the table pays.
const linear = 12

// reset forgets the message, so that a pooled scanner keeps none of its bytes alive.
func (n *nameSet) reset() {
	if n.peak > maxIdle {
		*n = nameSet{}
		return
	}
	clear(n.stack[:n.peak])
	n.stack, n.peak, n.decoded, n.serial = n.stack[:0], 0, n.decoded[:0], 0
	n.newRound()
}

// newRound empties the table.
func (n *nameSet) newRound() {
	n.used = 0
	if n.round++; n.round == 0 {
		clear(n.table)
		n.round = 1
	}
}

func (n *nameSet) open() nameMark {
	n.serial++
	return nameMark{len(n.stack), n.serial}
}

func (n *nameSet) close(m nameMark) { n.stack = n.stack[:m.base] }

// add puts a name on the stack; it reports false where the object has that name already.
func (n *nameSet) add(m nameMark, text []byte) bool {
	k := name{head: head(text), text: text, object: m.object}
	count := len(n.stack) - m.base
	if count <= linear {
		for i := range n.stack[m.base:] {
			if n.stack[m.base+i].equal(&k) {
				return false
			}
		}
	}
	n.stack = append(n.stack, k)
	n.peak = max(n.peak, len(n.stack))
	switch {
	case count < linear:
		return true
	case count == linear:
		for i := m.base; i < len(n.stack); i++ {
			n.insert(i)
		}
		return true
	default:
		return n.insert(len(n.stack) - 1)
	}
}

func (k *name) equal(o *name) bool {
	return k.head == o.head && len(k.text) == len(o.text) && k.object == o.object && string(k.text) == string(o.text)
}

var seed = maphash.MakeSeed()

// insert puts the name at an index of the stack into the table; false where an equal name is there.
func (n *nameSet) insert(index int) bool {
	if 2*(n.used+1) > len(n.table) {
		n.rebuild()
	}
	k, mask := &n.stack[index], len(n.table)-1
	for h := n.hash(k) & mask; ; h = (h + 1) & mask {
		e := &n.table[h]
		if e.round != n.round {
			*e = entry{n.round, uint32(index)} // fits: at most Limits.Keys
			n.used++
			return true
		}
		if i := int(e.index); i < len(n.stack) && n.stack[i].equal(k) {
			return i == index // a rebuild may have put it there just now
		}
	}
}

// rebuild empties the table of closed objects' names, and makes a larger one where that is not enough.
func (n *nameSet) rebuild() {
	length := max(256, len(n.table))
	for length < 4*len(n.stack) {
		length *= 2
	}
	if length > len(n.table) {
		n.table = make([]entry, length)
	}
	n.newRound()
	for i := range len(n.stack) - 1 {
		n.insert(i)
	}
}

func (n *nameSet) hash(k *name) int {
	return int((maphash.Bytes(seed, k.text) ^ uint64(k.object)*0x9e3779b97f4a7c15) >> 1) // shifted to be positive
}

// decode returns the text of an escaped name, in which a lone surrogate stands as U+FFFD: two names that some parser
// reads alike are alike.
func (n *nameSet) decode(quoted []byte) []byte {
	at := len(n.decoded)
	n.decoded, _ = unescape(n.decoded, quoted)
	return n.decoded[at:len(n.decoded):len(n.decoded)]
}

func head(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	var x uint64
	for i, c := range b {
		x |= uint64(c) << (8 * i)
	}
	return x
}
