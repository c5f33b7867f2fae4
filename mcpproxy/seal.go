package mcpproxy

import (
	"bytes"
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
// drawn when the process starts, so that what was sealed before is worth nothing after. A mark in front tells strings of
// other keys apart: to bring one back that was good until a restart is nobody's fault.
type sealer struct {
	aead   cipher.AEAD
	mark   [4]byte
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
	s := &sealer{aead: aead, random: random}
	if _, err := io.ReadFull(random, s.mark[:]); err != nil {
		return nil, fmt.Errorf("drawing a mark: %w", err)
	}
	return s, nil
}

// serial names one sealed string. It is random: a count would tell agents of each other.
type serial [12]byte

// seal returns a JSON string.
func (s *sealer) seal(text, purpose []byte) (sealed []byte, id serial, err error) {
	if _, err := io.ReadFull(s.random, id[:]); err != nil {
		return nil, id, fmt.Errorf("drawing a nonce: %w", err)
	}
	box := s.aead.Seal(append(s.mark[:len(s.mark):len(s.mark)], id[:]...), id[:], text, purpose)
	sealed = make([]byte, 0, base64.RawURLEncoding.EncodedLen(len(box))+2)
	sealed = append(sealed, '"')
	sealed = base64.RawURLEncoding.AppendEncode(sealed, box)
	return append(sealed, '"'), id, nil
}

// open returns what seal has sealed for the same purpose; false for any other JSON value.
func (s *sealer) open(sealed, purpose []byte) (text []byte, id serial, ok bool) {
	box, ours := s.unpack(sealed)
	if !ours {
		return nil, id, false
	}
	copy(id[:], box)
	text, err := s.aead.Open(nil, id[:], box[len(id):], purpose)
	return text, id, err == nil
}

// other reports whether a JSON value looks like what a sealer of another process has sealed.
func (s *sealer) other(sealed []byte) bool {
	box, ours := s.unpack(sealed)
	return box != nil && !ours
}

// unpack returns what stands behind the mark, or nil for what no sealer makes, and whether the mark is this one's.
func (s *sealer) unpack(sealed []byte) (box []byte, ours bool) {
	quoted, ok := wire.Unquote(sealed)
	if !ok {
		return nil, false
	}
	// Without Strict the last character could be another one, and one seal would have several names.
	box, err := base64.RawURLEncoding.Strict().DecodeString(string(quoted))
	if least := len(s.mark) + len(serial{}) + s.aead.Overhead(); err != nil || len(box) < least {
		return nil, false
	}
	return box[len(s.mark):], bytes.Equal(box[:len(s.mark)], s.mark[:])
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
