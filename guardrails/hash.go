package guardrails

import (
	"bytes"
	"crypto/subtle"

	"github.com/hopgate/hopgate/policy"
)

// HashScope is within what equal values get equal hashes. The zero HashScope is one connection.
type HashScope uint8

// Scopes of hashes.
const (
	ScopeConnection HashScope = iota
	ScopeAgent
	ScopeUpstream
	ScopeAll
)

var scopeNames = []string{"connection", "agent", "upstream", "all"}

// UnmarshalText reads a scope.
func (s *HashScope) UnmarshalText(text []byte) error {
	i, err := oneOf(text, scopeNames)
	*s = HashScope(i)
	return err
}

// SchemaEnum returns the values that there are.
func (*HashScope) SchemaEnum() []string { return scopeNames }

// of returns whose hashes those of a call are.
func (s HashScope) of(c *policy.Call) string {
	switch s {
	case ScopeConnection:
		return c.Connection.Name
	case ScopeAgent:
		return c.Agent.Name
	case ScopeUpstream:
		return c.Upstream
	default:
		return ""
	}
}

// Letters of a hash: those that tell values apart, 60 bits, and those by which it is known to be ours, 20 bits.
const (
	hashLetters  = 12
	checkLetters = 4
)

// hash appends what stands for a value: [email#5m1n0c9r7q2vx4kd]. Nobody who has not the key can find the value by trying,
// nor tell whether the same value has stood in another scope.
func (k *keys) hash(dst []byte, c *policy.Call, s HashScope, name string, value []byte) []byte {
	d := letters.EncodeToString(sum(k.hashing, []byte(scopeNames[s]), []byte(s.of(c)), []byte(name), value))[:hashLetters]
	dst = append(append(append(dst, '['), name...), '#')
	dst = append(dst, d...)
	return append(append(dst, k.proof(name, d)...), ']')
}

// proof is the end of a hash, which only we can write: otherwise a secret could be passed off as one.
func (k *keys) proof(name, hash string) string {
	return letters.EncodeToString(sum(k.checking, []byte(name), []byte(hash)))[:checkLetters]
}

// hashed reports whether the inside of a placeholder is a hash of ours.
func (k *keys) hashed(inside []byte) bool {
	name, text, ok := bytes.Cut(inside, []byte("#"))
	if !ok || len(text) != hashLetters+checkLetters {
		return false
	}
	want := k.proof(string(name), string(text[:hashLetters]))
	return subtle.ConstantTimeCompare([]byte(want), text[hashLetters:]) == 1
}

// wrote reports whether text[start:end] is what the vault has put in the place of a value, with its brackets or without.
func (v *Vault) wrote(text []byte, start, end int) bool {
	inside, ok := bracketed(text, start, end)
	if !ok {
		return false
	}
	if v.live(inside) {
		return true
	}
	k, err := v.made()
	return err == nil && k != nil && k.hashed(inside)
}
