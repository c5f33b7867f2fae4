package guardrails

import (
	"crypto/subtle"
	"fmt"
)

// Print is a keyed hash of a value, by which a suppression knows it again. It holds for one state directory.
type Print string

const printLetters = 16 // 80 bits

// UnmarshalText reads a hash.
func (p *Print) UnmarshalText(text []byte) error {
	if b, err := letters.DecodeString(string(text)); err != nil || len(b) != printLetters*5/8 {
		return fmt.Errorf("%q is not a hash that `hopgate scan` prints", text)
	}
	*p = Print(text)
	return nil
}

// SchemaPattern is the form of a hash.
func (*Print) SchemaPattern() string { return `^[0-9a-hjkmnp-tv-z]{16}$` }

// SchemaTitle says what messages call a value.
func (*Print) SchemaTitle() string { return "a hash that `hopgate scan` prints" }

// Print returns the keyed hash of a value.
func (v *Vault) Print(value []byte) (Print, error) {
	k, err := v.need()
	if err != nil {
		return "", err
	}
	return Print(letters.EncodeToString(sum(k.printing, value))[:printLetters]), nil
}

// is reports whether a hash is that of a value. It is not where the key cannot be read.
func (v *Vault) is(p Print, value []byte) bool {
	if v == nil {
		return false
	}
	own, err := v.Print(value)
	return err == nil && subtle.ConstantTimeCompare([]byte(own), []byte(p)) == 1
}
