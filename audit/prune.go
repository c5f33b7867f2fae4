package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hopgate/hopgate/store"
)

// Events of the journal itself.
const (
	eventPruned  = "journal pruned"
	eventClosed  = "journal closed"
	eventTorn    = "journal repaired"
	eventRebuilt = "state rebuilt"

	eventAnchored = "journal anchored"
	eventRollback = "rollback found"
	eventAccepted = "rollback accepted"
)

// keepParts is into how many segments at least the time is cut for which records are kept: a segment goes only as a
// whole, so records stay up to a tenth longer.
const keepParts = 10

// prunedKey holds how many records were declared pruned. It is live state, so that an interrupted removal is completed.
var prunedKey = []byte("journal/pruned")

// prune removes the segments whose records have all been kept for long enough. It declares so first: the record holds
// the chain with which the first remaining segment begins, and vouches for those that are missing.
func (w *writer) prune(now time.Time) {
	if w.limits.keep > 0 {
		w.files.room()
	}
	n, err := w.over(now)
	if err != nil {
		_ = w.fail(fmt.Errorf("pruning the journal: %w", err))
		return
	}
	if n == 0 {
		return
	}
	first := w.segs[n].first
	f, _, raw, err := openSegment(w.dir, w.segs[n])
	if err != nil {
		_ = w.fail(fmt.Errorf("pruning the journal: %w", err))
		return
	}
	_ = f.Close() // read only
	chain := sha256.Sum256(raw)
	e := newEntry(w.entries)
	e.encode(&Record{Kind: KindEvent, Event: eventPruned, Fields: map[string]string{
		"chain": hex.EncodeToString(chain[:]), "first": strconv.FormatUint(first, 10),
	}})
	e.puts = append(e.puts, store.Put{Key: prunedKey, Value: binary.BigEndian.AppendUint64(nil, first)})
	w.enter(e)
	if w.commit() == nil {
		w.give(job{prune: w.segs[:n:n], until: first})
		w.segs = w.segs[n:]
	}
}

// over returns how many segments hold nothing that must still be kept. A header is read when its time comes: there may be
// thousands.
func (w *writer) over(now time.Time) (n int, err error) {
	for w.limits.keep > 0 && n < len(w.segs)-1 {
		next := &w.segs[n+1]
		if next.created.IsZero() {
			f, h, _, err := openSegment(w.dir, *next)
			if err != nil {
				return 0, err
			}
			_ = f.Close() // read only
			next.created = h.created
		}
		if now.Sub(next.created) <= w.limits.keep {
			break
		}
		n++
	}
	return n, nil
}

// readPruned reads what a record of pruning vouches for.
func readPruned(rec []byte) (first uint64, chain hash, err error) {
	r, err := readRecord(rec)
	if err != nil {
		return 0, chain, err
	}
	first, err = strconv.ParseUint(r.Fields["first"], 10, 64)
	if err != nil || !decodeHex(chain[:], r.Fields["chain"]) {
		return 0, chain, errors.New("a record of pruning is malformed")
	}
	return first, chain, nil
}
