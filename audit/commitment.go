package audit

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	stdhash "hash"
	"sync"

	"github.com/hopgate/hopgate/policy"
)

// What a commitment is of. The label goes into its key, so that equal arguments and results do not look equal.
var (
	labelArgs   = []byte("args")
	labelResult = []byte("result")
)

// sealer makes commitments of content. A commitment is HMAC-SHA256(k, content), where
// k = HMAC-SHA256(commitment key, label || reference of the call, big endian). A bare hash would give short content away
// to whoever tries all of it; with a key for each call, one can be shown to be true without opening the others.
type sealer struct {
	key  [sha256.Size]byte
	pool sync.Pool // of *mac
}

func newSealer(key [sha256.Size]byte) *sealer {
	return &sealer{key: key, pool: sync.Pool{New: func() any { return &mac{h: sha256.New()} }}}
}

// seal returns the commitment of content as text, and nothing where there is none. It allocates the text alone.
func (s *sealer) seal(label []byte, ref policy.Ref, content []byte) string {
	if len(content) == 0 {
		return ""
	}
	m, ok := s.pool.Get().(*mac)
	if !ok {
		panic("the pool of MACs holds something else")
	}
	defer s.pool.Put(m)
	m.ref = binary.BigEndian.AppendUint64(m.ref[:0], uint64(ref))
	m.sum(&s.key, label, m.ref)
	k := m.out
	m.sum(&k, content, nil)
	return string(base64.RawURLEncoding.AppendEncode(m.text[:0], m.out[:]))
}

// mac computes HMAC-SHA256 (RFC 2104) again and again under new keys. crypto/hmac allocates for each key.
type mac struct {
	h    stdhash.Hash
	pad  [sha256.BlockSize]byte
	out  [sha256.Size]byte
	ref  []byte
	text [64]byte
}

// sum leaves the code of a and b together in out.
func (m *mac) sum(key *[sha256.Size]byte, a, b []byte) {
	m.keyed(key, 0x36)
	_, _ = m.h.Write(a) // a hash returns no error
	_, _ = m.h.Write(b)
	m.h.Sum(m.out[:0])
	m.keyed(key, 0x5c)
	_, _ = m.h.Write(m.out[:])
	m.h.Sum(m.out[:0])
}

// keyed starts the hash over with the key, padded and masked.
func (m *mac) keyed(key *[sha256.Size]byte, mask byte) {
	for i := range m.pad {
		m.pad[i] = mask
		if i < len(key) {
			m.pad[i] ^= key[i]
		}
	}
	m.h.Reset()
	_, _ = m.h.Write(m.pad[:])
}
