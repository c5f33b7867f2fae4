package audit

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
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
	key  pads
	pool sync.Pool // of *mac
}

func newSealer(key [sha256.Size]byte) *sealer {
	s := &sealer{pool: sync.Pool{New: func() any { return &mac{h: sha256.New()} }}}
	s.key.set(&key)
	return s
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
	m.key.set(&m.out)
	m.sum(&m.key, content, nil)
	return string(base64.RawURLEncoding.AppendEncode(m.text[:0], m.out[:]))
}

// pads are a key as HMAC (RFC 2104) hashes it before the content, and before the hash of that.
type pads struct{ inner, outer [sha256.BlockSize]byte }

// padding are the pads of a key of zeros.
var padding = pads{
	inner: [sha256.BlockSize]byte(bytes.Repeat([]byte{0x36}, sha256.BlockSize)),
	outer: [sha256.BlockSize]byte(bytes.Repeat([]byte{0x5c}, sha256.BlockSize)),
}

func (p *pads) set(key *[sha256.Size]byte) {
	*p = padding
	subtle.XORBytes(p.inner[:], p.inner[:], key[:])
	subtle.XORBytes(p.outer[:], p.outer[:], key[:])
}

// mac computes HMAC-SHA256 again and again under new keys. crypto/hmac allocates for each key.
type mac struct {
	h    stdhash.Hash
	key  pads
	out  [sha256.Size]byte
	ref  []byte
	text [64]byte
}

// sum leaves the code of a and b together in out.
func (m *mac) sum(key *pads, a, b []byte) {
	m.h.Reset()
	_, _ = m.h.Write(key.inner[:]) // a hash returns no error
	_, _ = m.h.Write(a)
	_, _ = m.h.Write(b)
	m.h.Sum(m.out[:0])
	m.h.Reset()
	_, _ = m.h.Write(key.outer[:])
	_, _ = m.h.Write(m.out[:])
	m.h.Sum(m.out[:0])
}
