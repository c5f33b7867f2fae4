package mcpproxy

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// sealer makes opaque strings of what servers give agents to carry and to bring back. A string says nothing, and can be
// opened only where it is brought back by the one whom it was made for, for the purpose that it was made for. Its key is
// drawn when the process starts, so that what was sealed before is worth nothing after.
type sealer struct {
	aead   cipher.AEAD
	random io.Reader
}

// newSealer draws the key.
func newSealer(random io.Reader) (*sealer, error) {
	var key [32]byte
	if _, err := io.ReadFull(random, key[:]); err != nil {
		return nil, fmt.Errorf("drawing a key: %w", err)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("making a sealer: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("making a sealer: %w", err)
	}
	return &sealer{aead, random}, nil
}

// serial names one sealed string. It is random: a count would tell agents of each other.
type serial [12]byte

// seal returns a JSON string.
func (s *sealer) seal(text, purpose []byte) (sealed []byte, id serial, err error) {
	if _, err := io.ReadFull(s.random, id[:]); err != nil {
		return nil, id, fmt.Errorf("drawing a nonce: %w", err)
	}
	box := s.aead.Seal(id[:], id[:], text, purpose)
	sealed = make([]byte, 0, base64.RawURLEncoding.EncodedLen(len(box))+2)
	sealed = append(sealed, '"')
	sealed = base64.RawURLEncoding.AppendEncode(sealed, box)
	return append(sealed, '"'), id, nil
}

// open returns what seal has sealed for the same purpose; false for any other JSON value.
func (s *sealer) open(sealed, purpose []byte) (text []byte, id serial, ok bool) {
	quoted, ok := wire.Unquote(sealed)
	if !ok {
		return nil, id, false
	}
	// Without Strict the last character could be another one, and one seal would have several names.
	box, err := base64.RawURLEncoding.Strict().DecodeString(string(quoted))
	if err != nil || len(box) < len(id) {
		return nil, id, false
	}
	copy(id[:], box)
	text, err = s.aead.Open(nil, id[:], box[len(id):], purpose)
	return text, id, err == nil
}

// purpose joins what a seal is bound to, so that no two lists of fields are joined to the same.
func purpose(fields ...string) []byte {
	var b []byte
	for _, f := range fields {
		b = binary.AppendUvarint(b, uint64(len(f)))
		b = append(b, f...)
	}
	return b
}
