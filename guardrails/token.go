package guardrails

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/hopgate/hopgate/guardrails/detect"
)

// How long tokens can be put back.
const (
	keepDefault = 24 * time.Hour
	keepLeast   = time.Minute
	keepMost    = 90 * 24 * time.Hour
)

// Bounds of the vault.
const (
	maxTokens = 4096    // of one agent on one connection; the oldest go first
	maxSealed = 4 << 10 // bytes of a value
)

const (
	tokenPrefix  = prefix + "t/"
	tokenMark    = ":tk_"
	tokenEntropy = 16 // of randomness: nobody comes upon one by trying
)

var tokenLetters = letters.EncodedLen(tokenEntropy)

type (
	digest [sha256.Size]byte
	link   struct{ agent, connection string }
)

// token is what a token stands for, and whose it is. Its form in the store is JSON.
type token struct {
	Agent      string      `json:"agent"`
	Connection string      `json:"connection"`
	Entity     string      `json:"entity"`
	Kind       detect.Kind `json:"kind"`
	Until      int64       `json:"until"` // Unix time
	Same       []byte      `json:"same"`  // keyed digest of the value, to give it the same token again
	Sealed     []byte      `json:"sealed"`
}

func (t *token) encode() []byte {
	b, _ := json.Marshal(t) // of strings, bytes and numbers there is nothing that cannot be written
	return b
}

// bound is what a seal is bound to.
func (t *token) bound(id string) []byte {
	return joined([]byte(id), []byte(t.Agent), []byte(t.Connection), []byte(t.Entity))
}

// loadToken takes a token of the state in. It reports false for what makes no sense, and for one that has expired.
func (v *Vault) loadToken(id string, value []byte) bool {
	t := new(token)
	if json.Unmarshal(value, t) != nil || len(id) != tokenLetters || len(t.Same) != len(digest{}) || t.Until <= v.Clock().Unix() {
		return false
	}
	v.tokens[id], v.same[digest(t.Same)] = t, id
	l := link{t.Agent, t.Connection}
	v.links[l] = append(v.links[l], id)
	return true
}

// arrange puts what was loaded in order.
func (v *Vault) arrange() {
	for _, ids := range v.links {
		slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(v.tokens[a].Until, v.tokens[b].Until) })
	}
}

// tokenize returns a token for what is cut out: [email:tk_3x9...]. The same value has the same one as long as it lives.
func (t *trim) tokenize(k *keys, c *cut, name string, value []byte) ([]byte, error) {
	if len(value) > maxSealed {
		return nil, errUncuttable
	}
	id, err := t.g.vault.keep(k, &token{
		Agent: t.c.Agent.Name, Connection: t.c.Connection.Name, Entity: c.entity, Kind: c.kind,
		Until: t.g.vault.Clock().Add(c.rule.keep).Unix(),
	}, value)
	if err != nil {
		return nil, fmt.Errorf("keeping what is cut out: %w", err)
	}
	t.kept = true
	return append(append(append(append([]byte{'['}, name...), tokenMark...), id...), ']'), nil
}

// keep seals a value and returns the id of its token.
func (v *Vault) keep(k *keys, t *token, value []byte) (id string, err error) {
	same := digest(sum(k.hashing, []byte("token"), []byte(t.Agent), []byte(t.Connection), []byte(t.Entity), value))
	v.mu.Lock()
	defer v.mu.Unlock()
	if id, ok := v.same[same]; ok && v.tokens[id].Until > v.Clock().Unix() {
		v.tokens[id].Until = max(v.tokens[id].Until, t.Until)
		v.changed[tokenPrefix+id] = struct{}{}
		return id, nil
	}
	var b [tokenEntropy]byte
	if _, err := io.ReadFull(v.Random, b[:]); err != nil {
		return "", fmt.Errorf("drawing a token: %w", err)
	}
	id = letters.EncodeToString(b[:])
	t.Same, t.Sealed = same[:], k.sealing.Seal(nil, nil, value, t.bound(id))
	l := link{t.Agent, t.Connection}
	if ids := v.links[l]; len(ids) >= maxTokens {
		v.forget(ids[0])
	}
	v.tokens[id], v.same[same] = t, id
	v.links[l] = append(v.links[l], id)
	v.changed[tokenPrefix+id] = struct{}{}
	return id, nil
}

// forget lets go of a token. The mutex is held.
func (v *Vault) forget(id string) {
	t := v.tokens[id]
	l := link{t.Agent, t.Connection}
	if ids := slices.DeleteFunc(v.links[l], func(x string) bool { return x == id }); len(ids) > 0 {
		v.links[l] = ids
	} else {
		delete(v.links, l)
	}
	delete(v.same, digest(t.Same))
	delete(v.tokens, id)
	v.changed[tokenPrefix+id] = struct{}{}
}

// split reads the inside of a token.
func split(inside []byte) (name, id string, ok bool) {
	before, after, ok := bytes.Cut(inside, []byte(tokenMark))
	return string(before), string(after), ok && len(after) == tokenLetters
}

// live reports whether the inside of a placeholder is a token that stands for something.
func (v *Vault) live(inside []byte) bool {
	name, id, ok := split(inside)
	if !ok {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.tokens[id]
	return t != nil && nameOf(t.Entity) == name && t.Until > v.Clock().Unix()
}

var errSealed = errors.New("a value in the vault cannot be opened")

// find returns a copy of what is known of a token. It is nil unless the token is this agent's on this connection.
func (v *Vault) find(name, id string, l link) *token {
	v.mu.Lock()
	defer v.mu.Unlock()
	t := v.tokens[id]
	if t == nil || (link{t.Agent, t.Connection}) != l || nameOf(t.Entity) != name || t.Until <= v.Clock().Unix() {
		return nil
	}
	out := *t
	return &out
}

// open returns the value of a token.
func (v *Vault) open(id string, t *token) ([]byte, error) {
	k, err := v.need()
	if err != nil {
		return nil, err
	}
	value, err := k.sealing.Open(nil, nil, t.Sealed, t.bound(id))
	if err != nil {
		return nil, errSealed
	}
	return value, nil
}
