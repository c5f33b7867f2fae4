package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sort"
	"time"

	"github.com/hopgate/hopgate/store"
)

// The store keeps records in blocks: those that were written close together. A key costs Badger more than the bytes
// behind it, and the records of a busy second share most of what they are found by. What a block holds stays in the
// journal alone, and the store says where: Badger writes each byte several times until it lies where it stays.
const (
	blockBytes = 64 << 10    // a block ends with the frame that fills it
	blockSpan  = time.Second // and no two of its frames are further apart
)

// Indexed fields.
const (
	byTime       byte = 'n' // of all records; the hash is zero
	byAgent      byte = 'a'
	byConnection byte = 'c'
	byTarget     byte = 't'
	byReason     byte = 'r'
	byRef        byte = 'f'
	byRefs       byte = 'g' // of a block with many references, which are the value; the hash is zero
)

// Each call has a reference of its own, so in a busy second they are most of the keys that there are. Where a block has
// many, they share one.
const (
	fewRefs  = 16      // that each have a key
	mostRefs = 1 << 14 // that share one, far below store.MaxValue; no block of ours has more
)

// indexKeySize is the length of a row's key: prefix, field and hash, time, first sequence number.
const indexKeySize = 2 + 9 + 8 + 8

// term is a field and the hash of a value. Eight bytes keep keys short and of one length; whoever follows a row looks at
// the records.
type term [9]byte

func termOf[T []byte | string](field byte, value T) (t term) {
	t[0] = field
	if field != byTime && field != byRefs {
		h := sha256.Sum256([]byte(value))
		copy(t[1:], h[:])
	}
	return t
}

// block collects frames that follow on one another.
type block struct {
	extent
	from, to time.Time
	terms    map[term]struct{}
	last     [3][]byte // agent, connection and target that were taken last; most records have the same, and are not hashed
	refs     []term    // any order, some more than once
}

// blocks turns the records of frames into changes of the store, or into their removal.
type blocks struct {
	puts  []store.Put
	arena []byte // keys and extents
	open  block
}

// add takes the frame that follows on those before. It keeps nothing of it.
func (b *blocks) add(f *frame) error {
	o, begun := &b.open, false
	for g, err := range f.glances() {
		if err != nil {
			return err
		}
		if !begun && o.full(f, g.time) { // the records of a frame have one time
			b.shut()
		}
		begun = true
		o.take(f, g)
	}
	if begun {
		o.stretch(f)
	}
	return nil
}

// shut ends the block. Its rows bear its latest time.
func (b *blocks) shut() {
	if b.open.empty() {
		return
	}
	start := len(b.arena)
	b.arena = b.open.append(b.arena)
	b.rows(&b.open, b.arena[start:len(b.arena):len(b.arena)], []byte{})
	b.open.clear()
}

// rows adds the changes that a block means: a body, and an entry for each term.
func (b *blocks) rows(o *block, body, empty []byte) {
	start := len(b.arena)
	b.arena = appendBodyKey(b.arena, o.first)
	b.puts = append(b.puts, store.Put{Key: b.arena[start:], Value: body})
	for t := range o.terms {
		b.row(o, t, empty)
	}
	slices.SortFunc(o.refs, func(x, y term) int { return bytes.Compare(x[:], y[:]) })
	o.refs = slices.Compact(o.refs)
	if n := len(o.refs); n <= fewRefs || n > mostRefs {
		for _, t := range o.refs {
			b.row(o, t, empty)
		}
		return
	}
	packed := empty
	if body != nil {
		start := len(b.arena)
		for i := range o.refs {
			b.arena = append(b.arena, o.refs[i][1:]...)
		}
		packed = b.arena[start:len(b.arena):len(b.arena)]
	}
	b.row(o, termOf(byRefs, ""), packed)
}

// row adds the change of one entry of the index.
func (b *blocks) row(o *block, t term, value []byte) {
	start := len(b.arena)
	b.arena = append(append(b.arena, indexPrefix...), t[:]...)
	b.arena = binary.BigEndian.AppendUint64(appendTime(b.arena, o.to), o.first)
	b.puts = append(b.puts, store.Put{Key: b.arena[start:], Value: value})
}

// packs reports whether the references of a block, sorted, are among others that of a term.
func packs(refs []byte, t term) bool {
	const size = len(t) - 1
	n := len(refs) / size
	i := sort.Search(n, func(i int) bool { return bytes.Compare(refs[i*size:(i+1)*size], t[1:]) >= 0 })
	return i < n && bytes.Equal(refs[i*size:(i+1)*size], t[1:])
}

// remove adds the changes that take a block out again.
func (b *blocks) remove(dir string, body []byte) error {
	e, err := readExtent(body)
	if err != nil {
		return err
	}
	var o block
	for f, err := range e.frames(dir) {
		if err != nil {
			return err
		}
		for g, err := range f.glances() {
			if err != nil {
				return err
			}
			o.take(f, g)
		}
	}
	b.rows(&o, nil, nil)
	return nil
}

// stretch makes the block reach to the end of a frame, over those before it that change state alone.
func (o *block) stretch(f *frame) {
	o.size = f.off + int64(len(f.bytes())) - o.off
	o.records += uint64(f.records)
	copy(o.after[:], f.buf[len(f.buf)-sha256.Size:])
}

func (o *block) empty() bool { return len(o.terms) == 0 }

// full reports whether a frame with records of that time is one too many.
func (o *block) full(f *frame, at time.Time) bool {
	return !o.empty() && (o.size >= blockBytes || o.segment != f.segment || at.Sub(o.from) > blockSpan || o.to.Sub(at) > blockSpan)
}

// take takes what a record of a frame is found by.
func (o *block) take(f *frame, g *glance) {
	if o.terms == nil {
		o.terms = map[term]struct{}{}
	}
	if o.empty() {
		o.extent = extent{segment: f.segment, first: g.seq, off: f.off}
		copy(o.before[:], f.buf)
		o.from, o.to = g.time, g.time
		o.terms[termOf(byTime, "")] = struct{}{}
	}
	if g.time.Before(o.from) {
		o.from = g.time
	}
	if g.time.After(o.to) {
		o.to = g.time
	}
	for i, t := range [len(o.last)]struct {
		field byte
		value []byte
	}{{byAgent, g.agent}, {byConnection, g.connection}, {byTarget, g.target}} {
		if len(t.value) > 0 && !bytes.Equal(t.value, o.last[i]) {
			o.terms[termOf(t.field, t.value)] = struct{}{}
			o.last[i] = append(o.last[i][:0], t.value...)
		}
	}
	for _, ref := range [...][]byte{g.ref, g.first} {
		if len(ref) > 0 {
			o.refs = append(o.refs, termOf(byRef, ref))
		}
	}
	for code := range g.reasons {
		o.terms[termOf(byReason, code)] = struct{}{}
	}
}

// clear makes a block empty.
func (o *block) clear() {
	clear(o.terms)
	o.refs = o.refs[:0]
	for i := range o.last {
		o.last[i] = o.last[i][:0]
	}
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
