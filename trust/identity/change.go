package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hopgate/hopgate/store"
)

// Names of the events on record.
const (
	eventAdded   = "key added"
	eventRotated = "key rotated"
	eventRevoked = "key revoked"
	eventUsed    = "key use saved"
)

// Add makes a key for an agent that expires after ttl, or never where ttl is 0. The key is in no place but the answer.
func (r *Registry) Add(ctx context.Context, agent string, ttl time.Duration) (key string, c Credential, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key, h, err := r.draw(agent, ttl)
	if err != nil {
		return "", c, fmt.Errorf("adding a key: %w", err)
	}
	if err := r.record(ctx, eventAdded, h.fields(), h); err != nil {
		return "", c, fmt.Errorf("adding a key: %w", err)
	}
	r.publish(h)
	return key, h.credential(), nil
}

// Rotate makes a new key for an agent, with the lifetime of the longest-lived of the active ones, which themselves expire
// after overlap at the latest. An agent without an active key has nothing to rotate: ErrNoKey.
func (r *Registry) Rotate(ctx context.Context, agent string, overlap time.Duration) (key string, c Credential, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if overlap < 0 {
		return "", c, errors.New("rotating a key: the overlap is negative")
	}
	now := r.clock().UTC()
	old := r.active(agent, now)
	if len(old) == 0 {
		return "", c, fmt.Errorf("rotating a key: %w", ErrNoKey)
	}
	key, h, err := r.draw(agent, longest(old))
	if err != nil {
		return "", c, fmt.Errorf("rotating a key: %w", err)
	}
	end, ids := now.Add(overlap), make([]string, len(old))
	for i, o := range old {
		if ids[i] = o.cred.ID; o.cred.Expires.IsZero() || o.cred.Expires.After(end) {
			next := *o
			next.cred.Expires = end
			old[i] = &next
		}
	}
	fields := h.fields()
	fields["replaces"], fields["until"] = strings.Join(ids, " "), end.Format(time.RFC3339)
	changed := append(old, h)
	if err := r.record(ctx, eventRotated, fields, changed...); err != nil {
		return "", c, fmt.Errorf("rotating a key: %w", err)
	}
	r.publish(changed...)
	return key, h.credential(), nil
}

// Revoke ends a key of an agent, or all its keys where id is empty, and returns how many it has ended. Keys count as
// revoked when Revoke returns, even with an error, which says that this is not on record and lasts until a restart; call
// it again. An agent without such a key gets ErrNoKey; a key that was revoked before stays so, and is not counted.
func (r *Registry) Revoke(ctx context.Context, agent, id string) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, known := r.clock().UTC(), false
	var changed []*holder
	for _, h := range r.table.Load().byID {
		if h.cred.Agent != agent || id != "" && h.cred.ID != id {
			continue
		}
		known = true
		if h.cred.Revoked.IsZero() {
			next := *h
			next.cred.Revoked = now
			changed = append(changed, &next)
		}
	}
	if !known {
		return 0, fmt.Errorf("revoking: %w", ErrNoKey)
	}
	return len(changed), r.revoke(ctx, agent, changed)
}

// revoke makes revocations count, and puts them on record together with those of the agent that an earlier failure left
// off it.
func (r *Registry) revoke(ctx context.Context, agent string, changed []*holder) error {
	for _, h := range changed {
		r.unrecorded[h.cred.ID] = agent
	}
	r.publish(changed...)
	var due []*holder
	var ids []string
	for id, of := range r.unrecorded {
		if of == agent {
			due, ids = append(due, r.table.Load().byID[id]), append(ids, id)
		}
	}
	if len(due) == 0 {
		return nil
	}
	slices.Sort(ids)
	fields := map[string]string{"agent": agent, "keys": strings.Join(ids, " ")}
	if len(ids) == 1 {
		fields = map[string]string{"agent": agent, "key": ids[0]}
	}
	if err := r.record(ctx, eventRevoked, fields, due...); err != nil {
		return fmt.Errorf("revoking: the keys are refused from now on, but not after a restart: %w", err)
	}
	for _, id := range ids {
		delete(r.unrecorded, id)
	}
	return nil
}

// Save records when keys were last used, where that has changed since it was last recorded. Call it now and then, and at
// the end.
func (r *Registry) Save(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var changed []*holder
	for id, h := range r.table.Load().byID {
		if h.used.Load() != r.saved[id] {
			changed = append(changed, h)
		}
	}
	for some := range slices.Chunk(changed, saveAtOnce) {
		if err := r.record(ctx, eventUsed, map[string]string{"count": strconv.Itoa(len(some))}, some...); err != nil {
			return fmt.Errorf("saving when keys were used: %w", err)
		}
	}
	return nil
}

// saveAtOnce keeps one record far below what a journal takes.
const saveAtOnce = 1000

// active returns the holders of an agent's credentials that are accepted, from the oldest.
func (r *Registry) active(agent string, now time.Time) []*holder {
	var list []*holder
	for _, h := range r.table.Load().byID {
		if h.cred.Agent == agent && h.cred.Check(now) == nil {
			list = append(list, h)
		}
	}
	slices.SortFunc(list, func(a, b *holder) int { return compare(a.cred, b.cred) })
	return list
}

// longest returns the longest lifetime of credentials, 0 where one never expires.
func longest(list []*holder) (ttl time.Duration) {
	for _, h := range list {
		if h.cred.Expires.IsZero() {
			return 0
		}
		ttl = max(ttl, h.cred.Expires.Sub(h.cred.Created))
	}
	return ttl
}

// draw makes a key and its credential.
func (r *Registry) draw(agent string, ttl time.Duration) (key string, h *holder, err error) {
	if agent == "" || ttl < 0 {
		return "", nil, errors.New("the agent has no name, or the time to live is negative")
	}
	now := r.clock().UTC()
	h = &holder{cred: Credential{Agent: agent, Created: now}, used: new(atomic.Int64)}
	if ttl > 0 {
		h.cred.Expires = now.Add(ttl)
	}
	for taken := true; taken; _, taken = r.table.Load().byID[h.cred.ID] {
		if h.cred.ID, err = newID(r.random); err != nil {
			return "", nil, err
		}
	}
	if key, err = newKey(r.random); err != nil {
		return "", nil, err
	}
	h.hash = hashOf(key)
	return key, h, nil
}

// fields returns what a record says of a credential.
func (h *holder) fields() map[string]string {
	f := map[string]string{"agent": h.cred.Agent, "key": h.cred.ID}
	if !h.cred.Expires.IsZero() {
		f["expires"] = h.cred.Expires.Format(time.RFC3339)
	}
	return f
}

// record makes credentials durable as they are in changed.
func (r *Registry) record(ctx context.Context, event string, fields map[string]string, changed ...*holder) error {
	puts := make([]store.Put, len(changed))
	used := make([]int64, len(changed))
	for i, h := range changed {
		used[i] = h.used.Load() // a use from now on is saved another time
		var err error
		if puts[i], err = h.put(); err != nil {
			return err
		}
	}
	if err := r.rec.Event(ctx, event, fields, puts); err != nil {
		return err
	}
	for i, h := range changed {
		r.saved[h.cred.ID] = used[i]
	}
	return nil
}

// publish makes changes count and tells who waits for them. The lock is held.
func (r *Registry) publish(changed ...*holder) {
	r.table.Store(r.table.Load().with(changed...))
	next := make(chan struct{})
	close(*r.changed.Swap(&next))
}
