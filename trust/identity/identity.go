// Package identity says who calls: it issues the API keys of agents, verifies them, rotates and revokes them.
//
// A key is shown once, when it is made; what is kept is its SHA-256. Every change is on record before it counts, except
// that a revocation counts at once. A credential is never deleted: that it is revoked is a state of its own, so that no
// lost or resurrected entry of a store makes it good again.
//
// The package does not know which agents the configuration declares, and not what an agent may do.
package identity

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/store"
)

// Why a credential is not accepted. The difference is for the record; the one who presented it is told nothing of it.
var (
	ErrMalformed = errors.New("the key is malformed")
	ErrUnknown   = errors.New("the key is unknown")
	ErrExpired   = errors.New("the key has expired")
	ErrRevoked   = errors.New("the key was revoked")
)

// ErrNoKey says that an agent has no credential of the kind that was asked for.
var ErrNoKey = errors.New("the agent has no such key")

// Recorder puts changes on record. An error means that the change may not be durable.
type Recorder interface {
	// Event records what happened together with the changes of state that it means, and returns when both are durable.
	Event(ctx context.Context, name string, fields map[string]string, puts []store.Put) error
}

// Reader reads the state that was recorded.
type Reader interface {
	// Scan yields the keys that begin with prefix in order. An error ends it.
	Scan(prefix, after []byte, reverse bool) iter.Seq2[store.Item, error]
}

// Credential is what is known of a key. It does not hold the key.
type Credential struct {
	ID      string    `json:"id"`
	Agent   string    `json:"agent"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`   // zero: never
	Revoked time.Time `json:"revoked,omitzero"`   // zero: it was not
	Used    time.Time `json:"last_used,omitzero"` // zero: never; to the second, and after a crash as of the last Save
}

// Check says why the credential is not accepted at a moment, or nil.
func (c *Credential) Check(now time.Time) error {
	switch {
	case !c.Revoked.IsZero():
		return ErrRevoked
	case !c.Expires.IsZero() && !now.Before(c.Expires):
		return ErrExpired
	}
	return nil
}

// keyPrefix is where credentials lie in the store, by their id.
const keyPrefix = "k/"

// stored is a credential in the store.
type stored struct {
	Credential
	Hash string `json:"hash"` // SHA-256 of the key, hexadecimal
}

// holder is a credential in memory. All but used is immutable; a change makes another holder.
type holder struct {
	cred Credential // without Used
	hash digest
	used *atomic.Int64 // Unix seconds, 0 for never; shared by all holders of the credential
}

// credential returns what is known now.
func (h *holder) credential() Credential {
	c := h.cred
	if s := h.used.Load(); s != 0 {
		c.Used = time.Unix(s, 0).UTC()
	}
	return c
}

func (h *holder) put() (store.Put, error) {
	v, err := json.Marshal(stored{h.credential(), hex.EncodeToString(h.hash[:])})
	return store.Put{Key: []byte(keyPrefix + h.cred.ID), Value: v}, err
}

// table is all credentials. It is immutable.
type table struct {
	byHash map[digest]*holder
	byID   map[string]*holder
}

// with returns a table in which some holders replace those of the same credentials.
func (t *table) with(changed ...*holder) *table {
	next := &table{maps.Clone(t.byHash), maps.Clone(t.byID)}
	for _, h := range changed {
		next.byHash[h.hash], next.byID[h.cred.ID] = h, h
	}
	return next
}

// Registry holds the credentials of all agents. It is safe for concurrent use; Verify and Check take no lock.
type Registry struct {
	rec    Recorder
	clock  func() time.Time
	random io.Reader

	table   atomic.Pointer[table]
	changed atomic.Pointer[chan struct{}] // closed at the next change

	mu         sync.Mutex        // held while credentials change; guards all below
	saved      map[string]int64  // last uses on record, by id
	unrecorded map[string]string // agents of revocations that count and are not on record, by id
}

// Open reads the credentials. clock is the wall clock; random is the source of keys.
func Open(rec Recorder, db Reader, clock func() time.Time, random io.Reader) (*Registry, error) {
	r := &Registry{rec: rec, clock: clock, random: random, saved: map[string]int64{}, unrecorded: map[string]string{}}
	t := &table{map[digest]*holder{}, map[string]*holder{}}
	for item, err := range db.Scan([]byte(keyPrefix), nil, false) {
		if err != nil {
			return nil, fmt.Errorf("reading credentials: %w", err)
		}
		h, err := read(item)
		if err != nil {
			return nil, fmt.Errorf("reading credential %q: %w", item.Key[len(keyPrefix):], err)
		}
		t.byHash[h.hash], t.byID[h.cred.ID] = h, h
		r.saved[h.cred.ID] = h.used.Load()
	}
	r.table.Store(t)
	changed := make(chan struct{})
	r.changed.Store(&changed)
	return r, nil
}

// read reads a credential. A member that it does not know may be one that takes rights away, so it is an error.
func read(item store.Item) (*holder, error) {
	var s stored
	d := json.NewDecoder(strings.NewReader(string(item.Value)))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return nil, err
	}
	h := &holder{cred: s.Credential, used: new(atomic.Int64)}
	hash, err := hex.DecodeString(s.Hash)
	if err != nil || copy(h.hash[:], hash) != len(h.hash) || len(hash) != len(h.hash) ||
		s.Agent == "" || s.ID != string(item.Key[len(keyPrefix):]) {
		return nil, errors.New("it is malformed")
	}
	if !s.Used.IsZero() {
		h.used.Store(s.Used.Unix())
	}
	h.cred.Used = time.Time{}
	return h, nil
}

// Verify returns whose key was presented, and the key's id. On error there is no agent; the id is there where the key is
// known, for the record. Verify does not allocate.
//
// A hash of the key is looked up, in time that depends on the hash and on no secret: who could measure it would learn
// about hashes, and would have to find a key for one of them.
func (r *Registry) Verify(presented string) (agent, id string, err error) {
	var h *holder
	if len(presented) == keySize {
		h = r.table.Load().byHash[hashOf(presented)]
	}
	if h == nil {
		// The form matters of what is not known: to look at each key that comes costs more than to look it up.
		if !wellFormed(presented) {
			return "", "", ErrMalformed
		}
		return "", "", ErrUnknown
	}
	now := r.clock()
	if err := h.cred.Check(now); err != nil {
		return "", h.cred.ID, err
	}
	if s := now.Unix(); s > h.used.Load() {
		h.used.Store(s) // two at once may set it back by a second; it is not evidence
	}
	return h.cred.Agent, h.cred.ID, nil
}

// Check says why the credential with an id is not accepted any more, or nil. It does not allocate.
func (r *Registry) Check(id string) error {
	h := r.table.Load().byID[id]
	if h == nil {
		return ErrUnknown
	}
	return h.cred.Check(r.clock())
}

// Changed returns a channel that is closed at the next change of any credential. Whoever holds sessions takes the
// channel, then asks Check for each credential in use, and waits for the channel, or a second at most, because keys also
// expire.
func (r *Registry) Changed() <-chan struct{} { return *r.changed.Load() }

// List returns the credentials of an agent, or of all where agent is empty, by agent and then from the oldest.
func (r *Registry) List(agent string) []Credential {
	var list []Credential
	for _, h := range r.table.Load().byID {
		if agent == "" || h.cred.Agent == agent {
			list = append(list, h.credential())
		}
	}
	slices.SortFunc(list, compare)
	return list
}

func compare(a, b Credential) int {
	if c := strings.Compare(a.Agent, b.Agent); c != 0 {
		return c
	}
	if c := a.Created.Compare(b.Created); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}
