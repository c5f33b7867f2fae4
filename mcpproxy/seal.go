package mcpproxy

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// sealer makes opaque strings of what servers give agents to carry and to bring back. A string says nothing, and can be
// opened only where it is brought back by the one whom it was made for, for the purpose that it was made for. Each process
// seals under a key of its own, because nonces are random and one key is good for so many of them. The key is made of the
// one that is kept between processes and a mark, which is drawn when the process starts and stands in front of the string.
type sealer struct {
	kept   []byte
	aead   cipher.AEAD
	mark   mark
	random io.Reader
}

type mark [4]byte

// SealKeySize is the length of the key that is kept between processes.
const SealKeySize = 32

// newSealer draws what is drawn for each process, and the key where none is kept.
func newSealer(random io.Reader, kept []byte) (*sealer, error) {
	if kept == nil {
		kept = make([]byte, SealKeySize)
		if _, err := io.ReadFull(random, kept); err != nil {
			return nil, fmt.Errorf("drawing a key: %w", err)
		}
	}
	if len(kept) != SealKeySize {
		return nil, fmt.Errorf("making a sealer: the key has %d bytes, not %d", len(kept), SealKeySize)
	}
	s := &sealer{kept: kept, random: random}
	if _, err := io.ReadFull(random, s.mark[:]); err != nil {
		return nil, fmt.Errorf("drawing a mark: %w", err)
	}
	var err error
	s.aead, err = s.under(s.mark)
	return s, err
}

// under makes the cipher of the process with a mark.
func (s *sealer) under(m mark) (cipher.AEAD, error) {
	key, err := hkdf.Expand(sha256.New, s.kept, "hopgate seal "+string(m[:]), SealKeySize)
	if err != nil {
		return nil, fmt.Errorf("making a sealer: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making a sealer: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("making a sealer: %w", err)
	}
	return aead, nil
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

// open returns what seal has sealed for the same purpose, in this process or an earlier one; false for any other JSON value.
func (s *sealer) open(sealed, purpose []byte) (text []byte, id serial, ok bool) {
	box, m := s.unpack(sealed)
	if box == nil {
		return nil, id, false
	}
	aead := s.aead
	if m != s.mark {
		var err error
		if aead, err = s.under(m); err != nil {
			return nil, id, false
		}
	}
	copy(id[:], box)
	text, err := aead.Open(nil, id[:], box[len(id):], purpose)
	return text, id, err == nil
}

// claim is what becomes of a string that an agent brings back.
type claim uint8

const (
	claimForged  claim = iota // nobody has sealed it
	claimForeign              // it was given to another agent
	claimStrayed              // it was given to this agent, for something else
	claimRightful
)

// owned is a kind of string and whom and what for one of it is sealed.
type owned struct {
	kind  string
	agent string
	bound []byte // see purpose
}

// front stands before the text in what is sealed: whose it is, and what for. Both are inside and not what the seal is made
// for, so that one who is wrong can be told from one who makes strings up.
func (o *owned) front() []byte {
	who, what := sha256.Sum256([]byte(o.agent)), sha256.Sum256(o.bound)
	return append(who[:], what[:]...)
}

func (s *sealer) sealFor(o *owned, text []byte) (sealed []byte, id serial, err error) {
	return s.seal(append(o.front(), text...), purpose(o.kind))
}

// openFor returns the text of what is rightful.
func (s *sealer) openFor(o *owned, sealed []byte) (text []byte, id serial, c claim) {
	text, id, ok := s.open(sealed, purpose(o.kind))
	want := o.front()
	switch {
	case !ok || len(text) < len(want):
		return nil, id, claimForged
	case !bytes.Equal(text[:sha256.Size], want[:sha256.Size]):
		return nil, id, claimForeign
	case !bytes.Equal(text[sha256.Size:len(want)], want[sha256.Size:]):
		return nil, id, claimStrayed
	}
	return text[len(want):], id, claimRightful
}

// other reports whether a JSON value looks like what a sealer of another process has sealed.
func (s *sealer) other(sealed []byte) bool {
	box, m := s.unpack(sealed)
	return box != nil && m != s.mark
}

// unpack returns what stands behind the mark, or nil for what no sealer makes.
func (s *sealer) unpack(sealed []byte) (box []byte, m mark) {
	quoted, ok := wire.Unquote(sealed)
	if !ok {
		return nil, m
	}
	// Without Strict the last character could be another one, and one seal would have several names.
	box, err := base64.RawURLEncoding.Strict().DecodeString(string(quoted))
	if least := len(s.mark) + len(serial{}) + s.aead.Overhead(); err != nil || len(box) < least {
		return nil, m
	}
	return box[copy(m[:], box):], m
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
