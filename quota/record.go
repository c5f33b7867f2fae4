package quota

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"
	"time"
)

// A stored account is a version, the number of meters and the meters, the number of windows and the windows, and the
// CRC-32C of all that and of the key. Numbers are varints in their shortest form, texts have their length before them.
// What is used is stored, what is held is not.
//
// A stored account of version 2 has behind each window what the one before it has used; it is written where that is
// anything.
const (
	recordVersion = 1
	recordPast    = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errCorrupt = errors.New("not a sound record")

// append appends the account as it is stored. Counters that nothing has used are left out.
func (a *account) append(b []byte) []byte {
	start := len(b)
	slices.SortFunc(a.meters, func(x, y *meter) int { return strings.Compare(x.unit, y.unit) })
	slices.SortFunc(a.windows, func(x, y *window) int { return x.compare(&y.windowKey) })
	version := byte(recordVersion)
	if count(a.windows, (*window).remembers) > 0 {
		version = recordPast
	}
	b = append(b, version)
	b = binary.AppendUvarint(b, uint64(count(a.meters, (*meter).used)))
	for _, m := range a.meters {
		if m.used() {
			b = appendText(b, m.unit)
			for _, n := range [...]int64{m.tat, m.step, m.depth} {
				b = binary.AppendUvarint(b, uint64(n))
			}
		}
	}
	b = binary.AppendUvarint(b, uint64(count(a.windows, (*window).begun)))
	for _, w := range a.windows {
		if w.begun() {
			b = append(b, byte(w.kind), byte(w.per))
			b = appendText(appendText(b, w.zoneName), string(w.currency))
			b = binary.AppendUvarint(b, uint64(w.id))
			b = append(binary.AppendUvarint(b, uint64(w.used)), w.told)
			if version == recordPast {
				b = binary.AppendUvarint(b, uint64(w.past))
			}
		}
	}
	return binary.BigEndian.AppendUint32(b, sum(a.key, b[start:]))
}

func (m *meter) used() bool   { return m.tat != 0 }
func (w *window) begun() bool { return w.id != 0 }

func (w *window) remembers() bool { return w.past != 0 }

func count[T any](all []T, which func(T) bool) (n int) {
	for _, x := range all {
		if which(x) {
			n++
		}
	}
	return n
}

// sum covers the key too, so that a record under a wrong key is found out.
func sum(key string, b []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(key), castagnoli), castagnoli, b)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// parseAccount reads what append wrote, and nothing else: it refuses whatever append would write otherwise.
func parseAccount(key string, b []byte) (*account, error) {
	if len(b) < 5 || binary.BigEndian.Uint32(b[len(b)-4:]) != sum(key, b[:len(b)-4]) {
		return nil, errCorrupt
	}
	a := &account{key: key}
	r := reader{rest: b[:len(b)-4]}
	version := r.byte()
	if version != recordVersion && version != recordPast {
		return nil, fmt.Errorf("%w: unknown version", errCorrupt)
	}
	for range r.count() {
		a.meters = append(a.meters, &meter{account: a, unit: r.text(), tat: r.number(), step: r.number(), depth: r.number()})
	}
	for range r.count() {
		w := &window{account: a}
		w.kind, w.per = Kind(r.byte()), period(r.byte())
		w.zoneName, w.currency = r.text(), Code(r.text())
		w.id, w.used, w.told = r.number(), r.number(), r.byte()
		if version == recordPast {
			w.past = r.number()
		}
		if w.kind < KindQuota || w.kind > KindSpend || w.per < daily || w.per > monthly || w.id > maxWindow {
			return nil, errCorrupt
		}
		zone, err := time.LoadLocation(w.zoneName)
		if err != nil {
			return nil, fmt.Errorf("%w: unknown zone", errCorrupt)
		}
		w.zone = zone
		a.windows = append(a.windows, w)
	}
	if r.bad || len(r.rest) > 0 || !bytes.Equal(a.append(nil), b) {
		return nil, errCorrupt
	}
	return a, nil
}

// maxWindow bounds the numbers of windows: the days until clocks are no longer believed, and some.
const maxWindow = 200_000

// reader reads the parts of a record; what is not there makes it bad.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c
}

func (r *reader) number() int64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > math.MaxInt64 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return int64(n)
}

func (r *reader) count() int64 {
	n := r.number()
	if n > int64(len(r.rest)) { // each has a byte at least
		r.bad, r.rest = true, nil
		return 0
	}
	return n
}

func (r *reader) text() string {
	n := r.number()
	if n > int64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}
