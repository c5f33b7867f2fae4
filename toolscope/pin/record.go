package pin

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"strings"
)

// Keys of the state: a head for each upstream, and an item for each definition. Names are hashed, because URIs may be
// longer than a key.
const (
	prefix     = "p/"
	headPrefix = prefix + "h/"
	itemPrefix = prefix + "i/"
)

func headKey(upstream string) string { return headPrefix + upstream }

// slot is a definition's place on its shelf.
type slot struct {
	kind Kind
	hash [16]byte
}

func slotOf(id ID) slot {
	sum := sha256.Sum256([]byte(id.Name))
	s := slot{kind: id.Kind}
	copy(s.hash[:], sum[:])
	return s
}

func (s slot) key(upstream string) string {
	return itemPrefix + upstream + "/" + string(rune(s.kind)) + hex.EncodeToString(s.hash[:])
}

// slotIn reads the upstream and the slot out of a key.
func slotIn(key string) (upstream string, s slot, ok bool) {
	rest, ok := strings.CutPrefix(key, itemPrefix)
	upstream, own, found := strings.Cut(rest, "/")
	if !ok || !found || len(own) != 1+2*len(s.hash) {
		return "", s, false
	}
	s.kind = Kind(own[0])
	_, err := hex.Decode(s.hash[:], []byte(own[1:]))
	return upstream, s, err == nil && kinds[s.kind] != ""
}

// head is what is kept of an upstream as a whole: until when its definitions of each kind are pinned as they come.
type head struct {
	open map[Kind]int64 // Unix time at which the first list began; 0 when it has ended
	bad  bool           // it cannot be read: nothing is pinned any more
}

const version = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal appends the sum of a key and of what stands behind start, so that a value under another key is damage.
func seal(dst []byte, start int, key string) []byte {
	return binary.BigEndian.AppendUint32(dst, crc32.Update(crc32.Checksum([]byte(key), castagnoli), castagnoli, dst[start:]))
}

var errRecord = errors.New("the record is damaged")

// unseal cuts off the sum and checks it, and the version.
func unseal(value []byte, key string) ([]byte, error) {
	if len(value) < 5 || value[0] != version {
		return nil, errRecord
	}
	body := value[: len(value)-4 : len(value)-4]
	if !bytes.Equal(seal(body, 0, key), value) {
		return nil, errRecord
	}
	return body[1:], nil
}

// inOrder are the kinds as a head writes them.
var inOrder = [...]Kind{Tool, Prompt, Template, Instructions}

func (h *head) append(dst []byte, key string) []byte {
	start := len(dst)
	dst = append(dst, version)
	for _, k := range inOrder {
		began, known := h.open[k]
		if !known {
			began = -1
		}
		dst = binary.AppendVarint(dst, began)
	}
	return seal(dst, start, key)
}

func readHead(value []byte, key string) (*head, error) {
	rest, err := unseal(value, key)
	if err != nil {
		return nil, err
	}
	h := &head{open: map[Kind]int64{}}
	for _, k := range inOrder {
		began, n := binary.Varint(rest)
		if n <= 0 {
			return nil, errRecord
		}
		rest = rest[n:]
		if began >= 0 {
			h.open[k] = began
		}
	}
	if len(rest) > 0 {
		return nil, errRecord
	}
	return h, nil
}

func (i *Item) append(dst []byte, key string) []byte {
	start := len(dst)
	dst = append(dst, version)
	for _, text := range [...]string{i.ID.Name, i.Shadows, i.By} {
		dst = appendBytes(dst, []byte(text))
	}
	dst = binary.AppendUvarint(dst, i.Times)
	dst = binary.AppendVarint(dst, i.Since)
	dst = binary.AppendVarint(dst, i.Changed)
	dst = appendBytes(dst, i.Pinned)
	dst = appendBytes(dst, i.Seen)
	return seal(dst, start, key)
}

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func readItem(value []byte, key string, kind Kind) (*Item, error) {
	rest, err := unseal(value, key)
	if err != nil {
		return nil, err
	}
	d := decoder{rest: rest}
	i := &Item{ID: ID{kind, string(d.bytes())}, Shadows: string(d.bytes()), By: string(d.bytes())}
	i.Times, i.Since, i.Changed = d.number(), d.signed(), d.signed()
	i.Pinned, i.Seen = bytes.Clone(d.bytes()), bytes.Clone(d.bytes())
	if d.bad || len(d.rest) > 0 {
		return nil, errRecord
	}
	i.digest = Sum(i.Pinned)
	return i, nil
}

// decoder reads an encoding. What is wrong shows at the end.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) number() uint64 {
	x, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return x
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

// bytes returns nil for none.
func (d *decoder) bytes() []byte {
	n := d.number()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	if n == 0 {
		return nil
	}
	return b
}
