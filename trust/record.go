package trust

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"

	"github.com/hopgate/hopgate/policy"
)

// Bounds of a record.
const (
	causesMost  = 8
	codeMost    = 32 // bytes of the code of a cause
	blockedMost = 32 // minima; the oldest goes first
)

// record is all that is kept of one party.
type record struct {
	tally
	quarantined bool
	hammered    int64    // Unix time at which hammering last counted
	blocked     []uint64 // minima that the party has fallen below and not come back to, oldest first
	causes      []cause  // one for each code, the latest last
}

// cause is why a score has changed: all that happened with one code, as of the last time.
type cause struct {
	at     int64 // Unix time
	ref    policy.Ref
	code   string
	times  uint64
	effect int64 // points, together
}

// note adds a cause to those before it.
func (r *record) note(c cause) {
	c.code, c.times = c.code[:min(len(c.code), codeMost)], 1
	if i := slices.IndexFunc(r.causes, func(x cause) bool { return x.code == c.code }); i >= 0 {
		c.times += r.causes[i].times
		c.effect += r.causes[i].effect
		r.causes = slices.Delete(r.causes, i, i+1)
	} else if len(r.causes) == causesMost {
		r.causes = slices.Delete(r.causes, 0, 1)
	}
	r.causes = append(r.causes, c)
}

// block marks a minimum as fallen below, or as come back to. It reports whether that is news.
func (r *record) block(minimum uint64, below bool) bool {
	i := slices.Index(r.blocked, minimum)
	switch {
	case below == (i >= 0):
		return false
	case !below:
		r.blocked = slices.Delete(r.blocked, i, i+1)
		return true
	case len(r.blocked) == blockedMost:
		r.blocked = slices.Delete(r.blocked, 0, 1)
	}
	r.blocked = append(r.blocked, minimum)
	return true
}

// recordVersion is the version of the encoding.
const recordVersion = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// append encodes the record behind dst. The sum at the end covers the key, so that a value under another key is damage.
func (r *record) append(dst, key []byte) []byte {
	start := len(dst)
	dst = append(dst, recordVersion)
	flags := byte(0)
	if r.quarantined {
		flags = 1
	}
	dst = append(dst, flags)
	for _, x := range r.numbers() {
		dst = binary.AppendUvarint(dst, *x)
	}
	dst = binary.AppendVarint(dst, r.at)
	dst = binary.AppendVarint(dst, r.hammered)
	dst = binary.AppendUvarint(dst, uint64(len(r.blocked)))
	for _, x := range r.blocked {
		dst = binary.BigEndian.AppendUint64(dst, x)
	}
	dst = binary.AppendUvarint(dst, uint64(len(r.causes)))
	for i := range r.causes {
		dst = r.causes[i].append(dst)
	}
	return seal(dst, start, key)
}

// numbers are those of the tally without a sign, in the order of their encoding.
func (t *tally) numbers() [4 + 2*classes]*uint64 {
	return [...]*uint64{
		&t.start, &t.penalty, &t.credit, &t.allowed,
		&t.good[read], &t.good[write], &t.good[destructive], &t.bad[read], &t.bad[write], &t.bad[destructive],
	}
}

func (c *cause) append(dst []byte) []byte {
	dst = append(dst, byte(len(c.code)))
	dst = append(dst, c.code...)
	dst = binary.AppendVarint(dst, c.at)
	dst = binary.AppendUvarint(dst, uint64(c.ref))
	dst = binary.AppendUvarint(dst, c.times)
	return binary.AppendVarint(dst, c.effect)
}

// seal appends the sum of a key and of what stands behind start.
func seal(dst []byte, start int, key []byte) []byte {
	return binary.BigEndian.AppendUint32(dst, crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, dst[start:]))
}

// unseal cuts off the sum, and reports whether it is right.
func unseal(b, key []byte) (body []byte, ok bool) {
	if len(b) < 4 {
		return nil, false
	}
	body = b[: len(b)-4 : len(b)-4]
	return body, bytes.Equal(seal(body, 0, key), b)
}

var errRecord = errors.New("the record is damaged")

// readRecord reads what append wrote, and nothing else: each record has one encoding.
func readRecord(key, b []byte) (*record, error) {
	body, ok := unseal(b, key)
	if !ok {
		return nil, errRecord
	}
	d := decoder{rest: body}
	d.exactly(recordVersion)
	r := &record{quarantined: d.number(1) == 1}
	limits := [4 + 2*classes]uint64{most - 1, penaltyMost, creditMost, perDayMost * unit}
	for i, x := range r.numbers() {
		if i > 3 {
			limits[i] = eventsMost
		}
		*x = d.number(limits[i])
	}
	r.at, r.hammered = d.signed(), d.signed()
	for range d.number(blockedMost) {
		r.blocked = append(r.blocked, d.fixed())
	}
	for range d.number(causesMost) {
		r.causes = append(r.causes, d.cause())
	}
	if !d.end() || !bytes.Equal(r.append(nil, key), b) {
		return nil, errRecord
	}
	return r, nil
}

// decoder reads an encoding. What is wrong shows at the end.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) number(limit uint64) uint64 {
	x, n := binary.Uvarint(d.rest)
	if n <= 0 || x > limit {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return x
}

func (d *decoder) exactly(version byte) {
	if d.number(uint64(version)) != uint64(version) {
		d.bad = true
	}
}

func (d *decoder) signed() int64 {
	x, n := binary.Varint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return x
}

func (d *decoder) bytes(n int) []byte {
	if n > len(d.rest) {
		d.bad, d.rest = true, nil
		return make([]byte, n)
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) fixed() uint64 { return binary.BigEndian.Uint64(d.bytes(8)) }

func (d *decoder) cause() cause {
	return cause{
		code: string(d.bytes(int(d.number(codeMost)))), at: d.signed(), ref: policy.Ref(d.number(1<<60 - 1)),
		times: d.number(1 << 62), effect: d.signed(),
	}
}

func (d *decoder) end() bool { return !d.bad && len(d.rest) == 0 }
