package audit

import (
	"crypto/sha256"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is the right edge of the Merkle tree over all records (RFC 6962 section 2.1): enough to add to it and to know its
// root, in 32 bytes for each bit that is set in its size.
type tree struct {
	size uint64
	edge []tlog.Hash // roots of the complete subtrees, the largest first
}

// add appends a leaf. Each 1 bit at the end of the old size is a complete subtree that the leaf completes to one of
// twice the size.
func (t *tree) add(leaf tlog.Hash) {
	for n := t.size; n&1 == 1; n >>= 1 {
		last := len(t.edge) - 1
		leaf = tlog.NodeHash(t.edge[last], leaf)
		t.edge = t.edge[:last]
	}
	t.edge = append(t.edge, leaf)
	t.size++
}

// set makes a tree a copy of another.
func (t *tree) set(from *tree) { t.size, t.edge = from.size, append(t.edge[:0], from.edge...) }

// root returns the hash of the whole tree.
func (t *tree) root() tlog.Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	h := t.edge[len(t.edge)-1]
	for _, left := range slices.Backward(t.edge[:len(t.edge)-1]) {
		h = tlog.NodeHash(left, h)
	}
	return h
}
