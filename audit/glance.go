package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/store"
)

// Keys of the journal's own in the store. All others are live state.
var (
	bodyPrefix  = []byte("a/") // first sequence number: the records of a block
	indexPrefix = []byte("i/") // field, hash of a value, time, first sequence number: the block has a record with it
	ownPrefix   = []byte("j/")
	digestKey   = []byte("j/digest") // see digest
)

// glance is what the journal itself needs to know of a record. The slices point into it.
type glance struct {
	seq                                  uint64
	time                                 time.Time
	kind, ref, agent, connection, target []byte
	upstream, reason, event, first       []byte
	findings                             []byte // JSON
}

// reasons are the codes of a record: that of its refusal, and those of its findings, which refused nothing.
func (g *glance) reasons(yield func([]byte) bool) {
	if len(g.reason) > 0 && !yield(g.reason) {
		return
	}
	for _, f := range wire.Elements(g.findings) {
		code, _ := wire.Lookup(f, "reason")
		if text, ok := wire.Unquote(code.Value); ok && !yield(text) {
			return
		}
	}
}

// glanceAt reads a record that is JSON. It fails where the members that every record has are not as they are written.
func glanceAt(rec []byte) (g glance, err error) {
	var seq, at []byte
	for e := range wire.Entries(rec) {
		switch string(e.Name) {
		case `"agent"`:
			g.agent, _ = wire.Unquote(e.Value)
		case `"connection"`:
			g.connection, _ = wire.Unquote(e.Value)
		case `"event"`:
			g.event, _ = wire.Unquote(e.Value)
		case `"findings"`:
			g.findings = e.Value
		case `"first"`:
			g.first, _ = wire.Unquote(e.Value)
		case `"kind"`:
			g.kind, _ = wire.Unquote(e.Value)
		case `"reason"`:
			g.reason, _ = wire.Unquote(e.Value)
		case `"ref"`:
			g.ref, _ = wire.Unquote(e.Value)
		case `"seq"`:
			seq = e.Value
		case `"target"`:
			g.target, _ = wire.Unquote(e.Value)
		case `"time"`:
			at, _ = wire.Unquote(e.Value)
		case `"upstream"`:
			g.upstream, _ = wire.Unquote(e.Value)
		}
	}
	var errSeq, errTime error
	g.seq, errSeq = strconv.ParseUint(string(seq), 10, 64)
	g.time, errTime = time.Parse(time.RFC3339Nano, string(at))
	if errSeq != nil || errTime != nil || len(g.kind) == 0 {
		return g, errors.New("a record lacks its number, its time or its kind")
	}
	return g, nil
}

// digest is the exclusive or of the hashes of all live state. The store keeps it beside the state, changed in the same
// transaction. Badger reads a damaged block, and a write-ahead log that lost its end, as keys that are not there, and
// says nothing; then state and digest do not agree.
type digest hash

// toggle adds a key and its value, or takes them out again.
func (d *digest) toggle(key, value []byte) {
	if value == nil {
		return
	}
	h := sha256.New()
	_, _ = h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(key)))) // a hash returns no error; at most store.MaxKey
	_, _ = h.Write(key)
	_, _ = h.Write(value)
	sum := h.Sum(nil)
	for i := range d {
		d[i] ^= sum[i]
	}
}

// readDigest returns the digest that a store keeps.
func readDigest(r store.Reader) (d digest, err error) {
	b, err := r.Get(digestKey)
	if err != nil || b == nil {
		return d, err
	}
	if copy(d[:], b) != len(b) {
		return d, fmt.Errorf("%w: the digest has %d bytes", store.ErrDamaged, len(b))
	}
	return d, nil
}
