package guardrails

import (
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// Bounds of held results, each of which may have the size of a message. Where there are more, results are withheld.
const (
	maxHeld    = 32  // of one agent on one connection
	maxAllHeld = 512 // of all
)

const (
	heldPrefix = prefix + "h/"
	heldFile   = "held-" // and the reference: the sealed result
)

// HeldState is how far a held result is.
type HeldState string

// States of a held result.
const (
	HeldWaiting  HeldState = "waiting"  // for a person
	HeldReleased HeldState = "released" // the agent gets it when it calls again
	heldTaken    HeldState = "taken"    // a call is handing it over; after a crash it counts as handed over
)

// Held is what is known of a held result. It holds nothing of the result. Its form in the store is JSON.
type Held struct {
	Ref        string    `json:"ref"` // of the call that it is the result of
	Agent      string    `json:"agent"`
	Connection string    `json:"connection"`
	Method     string    `json:"method"`
	Target     string    `json:"target"` // tool, prompt or URI
	State      HeldState `json:"state"`
	Since      int64     `json:"since"` // Unix time
	Until      int64     `json:"until"` // Unix time
	Keep       int64     `json:"keep"`  // seconds from a release on
	Size       int       `json:"size"`  // of the result, in bytes
	Found      string    `json:"found"` // what and where, for which it is held
	Rule       string    `json:"rule"`
	Call       []byte    `json:"call"` // keyed digest of who calls what with which arguments
}

// held is an entry of the vault.
type held struct {
	Held

	sealed []byte     // where the vault has no directory
	to     policy.Ref // the call that it is handed over to; 0 for none
}

func (h *Held) encode() []byte {
	b, _ := json.Marshal(h) // of strings, bytes and numbers there is nothing that cannot be written
	return b
}

// bound is what a seal is bound to.
func (h *Held) bound() []byte {
	return joined([]byte("held"), []byte(h.Ref), []byte(h.Agent), []byte(h.Connection), []byte(h.Method), []byte(h.Target), h.Call)
}

// Errors of what is done with held results.
var (
	ErrNotHeld  = errors.New("no result is held under this reference")
	ErrReleased = errors.New("the result is released already")
	errRoom     = errors.New("there is no room to hold another result")
)

// loadHeld takes a held result of the state in. One that was being handed over may have been, so it is gone.
func (v *Vault) loadHeld(ref string, value []byte) bool {
	h := new(held)
	if json.Unmarshal(value, &h.Held) != nil || h.Ref != ref || h.State != HeldWaiting && h.State != HeldReleased || h.Until <= v.Clock().Unix() {
		return false
	}
	if _, err := os.Stat(filepath.Join(v.Dir, heldFile+ref)); err != nil {
		return false
	}
	v.held[ref] = h
	v.holds.Add(1)
	return true
}

// tidy removes files that no entry speaks of: a process was killed between the one and the other.
func (v *Vault) tidy() error {
	all, err := os.ReadDir(v.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the vault: %w", err)
	}
	for _, f := range all {
		ref, result := strings.CutPrefix(f.Name(), heldFile)
		if result && v.held[ref] == nil || strings.HasPrefix(f.Name(), young) {
			if err := os.Remove(filepath.Join(v.Dir, f.Name())); err != nil {
				return fmt.Errorf("tidying the vault: %w", err)
			}
		}
	}
	return nil
}

// hold seals a result and keeps it until a person has decided. It is durable with the record of the call; the sealed result
// is on the disk before.
func (v *Vault) hold(h *held, result []byte) error {
	k, err := v.need()
	if err != nil {
		return err
	}
	if !v.room(h) {
		return errRoom
	}
	sealed := k.sealing.Seal(nil, nil, result, h.bound())
	if v.Dir == "" {
		h.sealed = sealed
	} else if err := v.write(heldFile+h.Ref, sealed); err != nil {
		return fmt.Errorf("holding a result: %w", err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.held[h.Ref] = h
	v.holds.Add(1)
	v.changed[heldPrefix+h.Ref] = struct{}{}
	return nil
}

func (v *Vault) room(h *held) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	own := 0
	for _, x := range v.held {
		if x.Agent == h.Agent && x.Connection == h.Connection {
			own++
		}
	}
	return own < maxHeld && len(v.held) < maxAllHeld
}

// claim looks for the held result of a call. Where it is released, the call has it from now on, and waits is false.
func (v *Vault) claim(agent, connection string, call []byte, to policy.Ref) (h *Held, waits bool) {
	now := v.Clock().Unix()
	v.mu.Lock()
	defer v.mu.Unlock()
	var found *held
	for _, x := range v.held {
		if x.Agent == agent && x.Connection == connection && x.Until > now && hmac.Equal(x.Call, call) && (found == nil || x.State == HeldReleased) {
			found = x // of several that were called at once, one that is released
		}
	}
	if found == nil {
		return nil, false
	}
	waits = found.State != HeldReleased || v.old != nil && v.old()
	if !waits && to != 0 {
		found.State, found.to = heldTaken, to
		v.changed[heldPrefix+found.Ref] = struct{}{}
	}
	out := found.Held
	return &out, waits
}

// unclaim lets another call have the result, because this one was not made.
func (v *Vault) unclaim(ref string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if h := v.held[ref]; h != nil && h.State == heldTaken {
		h.State, h.to = HeldReleased, 0
		v.changed[heldPrefix+ref] = struct{}{}
	}
}

// handing reports whether a call is having a held result handed over.
func (v *Vault) handing(to policy.Ref) bool {
	if v == nil || to == 0 || v.holds.Load() == 0 {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, h := range v.held {
		if h.to == to {
			return true
		}
	}
	return false
}

// content opens a held result.
func (v *Vault) content(ref string) ([]byte, error) {
	v.mu.Lock()
	h := v.held[ref]
	v.mu.Unlock()
	if h == nil {
		return nil, ErrNotHeld
	}
	k, err := v.need()
	if err != nil {
		return nil, err
	}
	sealed := h.sealed
	if v.Dir != "" {
		if sealed, err = os.ReadFile(filepath.Join(v.Dir, heldFile+ref)); err != nil {
			return nil, fmt.Errorf("reading a held result: %w", err)
		}
	}
	out, err := k.sealing.Open(nil, nil, sealed, h.bound())
	if err != nil {
		return nil, errSealed
	}
	return out, nil
}

// drop lets go of a held result.
func (v *Vault) drop(ref string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.held[ref] == nil {
		return nil
	}
	delete(v.held, ref)
	v.holds.Add(-1)
	v.changed[heldPrefix+ref] = struct{}{}
	if v.Dir == "" {
		return nil
	}
	if err := os.Remove(filepath.Join(v.Dir, heldFile+ref)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing a held result: %w", err)
	}
	return nil
}

// Doubt hands no held result over while old says that the state may be older than what was done since: it could be one that
// the agent has had. It is called before the first call, and old from many goroutines.
func (v *Vault) Doubt(old func() bool) { v.old = old }

// Held returns what is known of all held results, the oldest first.
func (v *Vault) Held() []Held {
	now := v.Clock().Unix()
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []Held
	for _, h := range v.held {
		if h.Until > now && h.State != heldTaken {
			all = append(all, h.Held)
		}
	}
	slices.SortFunc(all, func(a, b Held) int {
		if a.Since != b.Since {
			return int(a.Since - b.Since)
		}
		return strings.Compare(a.Ref, b.Ref)
	})
	return all
}

// Record puts what is done with a held result on record, with the change of state that it means. It returns when both are
// durable; after an error nothing is done.
type Record func(h Held, puts []store.Put) error

// Read opens a held result for a person.
func (v *Vault) Read(ref string, record Record) ([]byte, error) {
	v.orders.Lock()
	defer v.orders.Unlock()
	h, err := v.waiting(ref)
	if err != nil {
		return nil, err
	}
	result, err := v.content(ref)
	if err != nil {
		return nil, err
	}
	return result, record(h, nil)
}

// Release lets the agent have a held result, once, when it sends the same call again before its time is over.
func (v *Vault) Release(ref string, record Record) error {
	v.orders.Lock()
	defer v.orders.Unlock()
	h, err := v.waiting(ref)
	if err != nil {
		return err
	}
	if h.State == HeldReleased {
		return ErrReleased
	}
	h.State, h.Until = HeldReleased, v.Clock().Unix()+h.Keep
	if err := record(h, []store.Put{{Key: []byte(heldPrefix + ref), Value: h.encode()}}); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if x := v.held[ref]; x != nil {
		x.State, x.Until = h.State, h.Until
	}
	v.changed[heldPrefix+ref] = struct{}{} // it may have gone meanwhile
	return nil
}

// Discard throws a held result away. If the agent sends the call again, it is made again.
func (v *Vault) Discard(ref string, record Record) error {
	v.orders.Lock()
	defer v.orders.Unlock()
	h, err := v.waiting(ref)
	if err != nil {
		return err
	}
	if err := record(h, []store.Put{{Key: []byte(heldPrefix + ref)}}); err != nil {
		return err
	}
	return v.drop(ref)
}

// waiting returns a held result about which something can be decided.
func (v *Vault) waiting(ref string) (Held, error) {
	now := v.Clock().Unix()
	v.mu.Lock()
	defer v.mu.Unlock()
	h := v.held[ref]
	if h == nil || h.Until <= now || h.State == heldTaken {
		return Held{}, ErrNotHeld
	}
	return h.Held, nil
}

// expired are the references of held results whose time is over. The mutex is held.
func (v *Vault) expired(now int64) (refs []string) {
	for ref, h := range v.held {
		if h.Until <= now && h.State != heldTaken {
			refs = append(refs, ref)
		}
	}
	return refs
}

// seconds are those of a duration.
func seconds(d time.Duration) int64 { return int64(d / time.Second) }
