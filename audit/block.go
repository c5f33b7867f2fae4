package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"iter"
	"time"

	"github.com/hopgate/hopgate/store"
)

// The store keeps records in blocks: those that were written close together. A key costs Badger more than the bytes
// behind it, and the records of a busy second share most of what they are found by.
const (
	blockBytes = 64 << 10    // a block ends when it has this many
	blockSpan  = time.Second // and no two of its records are further apart
)

// Indexed fields.
const (
	byTime       byte = 'n' // of all records; the hash is zero
	byAgent      byte = 'a'
	byConnection byte = 'c'
	byTarget     byte = 't'
	byReason     byte = 'r'
	byRef        byte = 'f'
)

// indexKeySize is the length of a row's key: prefix, field and hash, time, first sequence number.
const indexKeySize = 2 + 9 + 8 + 8

// term is a field and the hash of a value. Eight bytes keep keys short and of one length; whoever follows a row looks at
// the records.
type term [9]byte

func termOf[T []byte | string](field byte, value T) (t term) {
	t[0] = field
	if field != byTime {
		h := sha256.Sum256([]byte(value))
		copy(t[1:], h[:])
	}
	return t
}

// block collects records.
type block struct {
	first    uint64
	start    int // of the body in the arena
	from, to time.Time
	terms    map[term]struct{}
}

// blocks turns records into changes of the store, or into their removal.
type blocks struct {
	puts   []store.Put
	arena  []byte // keys and bodies
	open   block
	remove bool
}

// add takes the record that follows on those before.
func (b *blocks) add(rec []byte) error {
	g, err := glanceAt(rec)
	if err != nil {
		return err
	}
	o := &b.open
	if len(o.terms) > 0 && (len(b.arena)-o.start >= blockBytes ||
		g.time.Sub(o.from) > blockSpan || o.to.Sub(g.time) > blockSpan) {
		b.shut()
	}
	if o.terms == nil {
		o.terms = map[term]struct{}{}
	}
	if len(o.terms) == 0 {
		o.first, o.start, o.from, o.to = g.seq, len(b.arena), g.time, g.time
	}
	if g.time.Before(o.from) {
		o.from = g.time
	}
	if g.time.After(o.to) {
		o.to = g.time
	}
	b.arena = binary.BigEndian.AppendUint32(b.arena, uint32(len(rec))) // bounded by maxPayload
	b.arena = append(b.arena, rec...)
	o.terms[termOf(byTime, "")] = struct{}{}
	for _, f := range [...]struct {
		field byte
		value []byte
	}{{byAgent, g.agent}, {byConnection, g.connection}, {byTarget, g.target}, {byRef, g.ref}, {byRef, g.first}} {
		if len(f.value) > 0 {
			o.terms[termOf(f.field, f.value)] = struct{}{}
		}
	}
	for code := range g.reasons {
		o.terms[termOf(byReason, code)] = struct{}{}
	}
	return nil
}

// shut ends the block. Its rows bear its latest time.
func (b *blocks) shut() {
	o := &b.open
	if len(o.terms) == 0 {
		return
	}
	end := len(b.arena)
	body, empty := b.arena[o.start:end:end], []byte{}
	if b.remove {
		body, empty = nil, nil
	}
	b.arena = appendBodyKey(b.arena, o.first)
	b.puts = append(b.puts, store.Put{Key: b.arena[end:], Value: body})
	for t := range o.terms {
		start := len(b.arena)
		b.arena = append(append(b.arena, indexPrefix...), t[:]...)
		b.arena = binary.BigEndian.AppendUint64(appendTime(b.arena, o.to), o.first)
		b.puts = append(b.puts, store.Put{Key: b.arena[start:], Value: empty})
	}
	clear(o.terms)
}

// clear forgets what was applied. No block is open.
func (b *blocks) clear() {
	clear(b.puts)
	b.puts, b.arena = b.puts[:0], b.arena[:0]
}

func appendBodyKey(dst []byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, bodyPrefix...), seq)
}

// appendTime appends a time so that byte order is the order of times, those before 1970 included.
func appendTime(dst []byte, at time.Time) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(at.UnixNano())^1<<63)
}

// firstOf returns the sequence number that ends a key.
func firstOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

// timeOf returns the time in a row's key.
func timeOf(key []byte) time.Time {
	return time.Unix(0, int64(binary.BigEndian.Uint64(key[len(key)-16:])^1<<63)).UTC()
}

// split yields the records of a block's body in order. A body that is not what shut has written yields an error.
func split(body []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for len(body) > 0 {
			if len(body) < 4 || uint64(binary.BigEndian.Uint32(body)) > uint64(len(body)-4) {
				yield(nil, errors.New("a block of records is malformed"))
				return
			}
			end := 4 + int(binary.BigEndian.Uint32(body))
			if !yield(body[4:end:end], nil) {
				return
			}
			body = body[end:]
		}
	}
}
