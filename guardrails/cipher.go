package guardrails

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// Cipher returns a cipher for what others keep sealed in the store, so that a state directory has one key. Each purpose has a
// key of its own, which says nothing of another one. Nonces are the cipher's business. A vault without a directory has another
// key each time.
func (v *Vault) Cipher(purpose string) (cipher.AEAD, error) {
	v.drawing.Lock()
	master, err := v.master()
	v.drawing.Unlock()
	if err != nil {
		return nil, fmt.Errorf("the key of the vault: %w", err)
	}
	key, err := hkdf.Key(sha256.New, master, nil, "hopgate vault v1 for "+purpose, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("deriving a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	sealing, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("making a cipher: %w", err)
	}
	return sealing, nil
}
