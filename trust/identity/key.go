package identity

import (
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"slices"
)

// A key is the prefix, 256 random bits in base 62, and the CRC-32 of those 43 characters in base 62. The prefix lets
// scanners for leaked secrets find keys; the checksum lets them, and us, tell a key from what only looks like one without
// asking anybody.
const (
	prefix     = "hga_"
	secretSize = 43
	sumSize    = 6
	keySize    = len(prefix) + secretSize + sumSize
	alphabet   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// digest is the SHA-256 of a key. A key has 256 random bits, so it needs no salt and no slow hash.
type digest = [sha256.Size]byte

// newKey draws a key.
func newKey(random io.Reader) (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("drawing a key: %w", err)
	}
	secret := base62(new(big.Int).SetBytes(b[:]), secretSize)
	sum := base62(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE(secret))), sumSize)
	return prefix + string(secret) + string(sum), nil
}

// base62 writes a number with leading zeros.
func base62(n *big.Int, size int) []byte {
	base, digit := big.NewInt(int64(len(alphabet))), new(big.Int)
	b := make([]byte, size)
	for i := range slices.Backward(b) {
		n.DivMod(n, base, digit)
		b[i] = alphabet[digit.Int64()]
	}
	return b
}

// wellFormed reports whether a text has the form and the checksum of a key. It does not allocate.
func wellFormed(s string) bool {
	if len(s) != keySize || s[:len(prefix)] != prefix {
		return false
	}
	want, sum := ^uint32(0), uint64(0)
	for i := len(prefix); i < len(s); i++ {
		v := valueOf(s[i])
		switch {
		case v < 0:
			return false
		case i < len(prefix)+secretSize:
			want = crc32.IEEETable[byte(want)^s[i]] ^ want>>8 // as crc32.ChecksumIEEE, which would allocate
		default:
			sum = sum*uint64(len(alphabet)) + uint64(v)
		}
	}
	return sum == uint64(^want)
}

// valueOf returns the value of a digit in base 62, or -1.
func valueOf(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 36
	}
	return -1
}

// hashOf returns the hash of a text of the length of a key. It does not allocate.
func hashOf(s string) digest {
	var b [keySize]byte
	copy(b[:], s)
	return sha256.Sum256(b[:])
}

// newID draws the name of a credential: eight characters that are not taken for each other when read aloud.
func newID(random io.Reader) (string, error) {
	const letters = "0123456789abcdefghjkmnpqrstvwxyz"
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("drawing an id: %w", err)
	}
	for i := range b {
		b[i] = letters[b[i]%byte(len(letters))] // 256 is a multiple of 32
	}
	return string(b[:]), nil
}
