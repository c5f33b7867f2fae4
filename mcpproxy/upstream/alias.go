package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// A conversation of one client has its client's ids, to the byte. A server may still answer a request that was given up,
// however late; were its id that of another request by then, the answer would be taken for that one's. So a request whose id
// is owed an answer goes under an alias.

// maxOwed bounds the ids that a hub remembers. A server that obeys a cancellation never answers, so that many may be owed
// for good. Where there are so many, every request goes under an alias: those need not be remembered, because none is used
// twice.
const maxOwed = 256

// aliasPrefix is what aliases begin with, as keyOf has them. A request whose own id begins so goes under an alias too, and
// so no id of a client is ever an alias.
const aliasPrefix = `"hopgate-alias-`

// name decides by which id the server gets to know a request. The hub's mutex is held.
func (h *hub) name(k *call) error {
	var buf [64]byte
	if h.shared {
		h.serial++
		k.key, k.renamed = strconv.FormatUint(h.serial, 10), true
		return nil
	}
	id := keyOf(k.id.raw, buf[:0])
	reserved := bytes.HasPrefix(id, []byte(aliasPrefix))
	switch {
	case h.aliased[string(id)] != nil, !reserved && h.byID[string(id)] != nil:
		return fmt.Errorf("%w: a request with this id is under way", ErrInvalid)
	case !reserved && !h.owed[string(id)] && len(h.owed) < maxOwed:
		k.key = string(id)
		return nil
	}
	h.serial++
	k.key, k.renamed = aliasPrefix+strconv.FormatUint(h.serial, 10)+`"`, true
	if h.aliased == nil {
		h.aliased = map[string]*call{}
	}
	h.aliased[string(id)] = k
	return nil
}

// unname lets the client use the id of an alias again. The hub's mutex is held.
func (h *hub) unname(k *call) {
	if h.aliased == nil || !k.renamed {
		return
	}
	var buf [64]byte
	delete(h.aliased, string(keyOf(k.id.raw, buf[:0])))
}

// owe notes that a request is given up that the server may still answer. The hub's mutex is held.
func (h *hub) owe(k *call) {
	if k.renamed || h.byID[k.key] != k {
		return
	}
	if h.owed == nil {
		h.owed = map[string]bool{}
	}
	h.owed[k.key] = true // those that were under way before there were maxOwed come on top
}

// paid notes that an answer has come that nobody waits for. The hub's mutex is held.
func (h *hub) paid(id []byte) {
	if len(h.owed) > 0 {
		var buf [64]byte
		delete(h.owed, string(keyOf(id, buf[:0])))
	}
}

// alias returns the request under way that has an id and goes under an alias. The hub's mutex is held.
func (h *hub) alias(id []byte) *call {
	if len(h.aliased) == 0 {
		return nil
	}
	return h.find(h.aliased, id)
}

// names are the edits that make the names in a request, or in its cancellation, those that the server knows it by. own is
// memory for them.
func (k *call) names(edits wire.Edits, f *wire.Frame, own []byte) (wire.Edits, []byte) {
	if k == nil || !k.renamed {
		return edits, own
	}
	own = append(own[:0], k.key...)
	if f.Kind != wire.KindRequest {
		return append(edits, wire.Edit{At: f.Span(wire.ParamsRequestID), New: own}), own
	}
	edits = append(edits, wire.Edit{At: f.Span(wire.ID), New: own})
	if k.talk.shared && f.Has(wire.MetaProgressToken) {
		edits = append(edits, wire.Edit{At: f.Span(wire.MetaProgressToken), New: own})
	}
	return edits, own
}

// unsent reports whether an error says that the server has not got all of a message, and cannot answer it.
func unsent(err error) bool {
	return errors.Is(err, ErrInvalid) || errors.Is(err, ErrUnavailable)
}
