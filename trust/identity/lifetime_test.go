package identity_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/trust/identity"
)

func TestKeysExpire(t *testing.T) {
	w := newWorld(t)
	key, c := w.add(t, "ci-bot", time.Hour)
	w.pass(time.Hour - 1)
	w.wants(t, key, "ci-bot", c.ID, nil)
	w.pass(1)
	w.wants(t, key, "", c.ID, identity.ErrExpired)
	w.pass(-time.Hour)
	w.wants(t, key, "ci-bot", c.ID, nil)
}

func TestRotationOverlaps(t *testing.T) {
	w := newWorld(t)
	short, cShort := w.add(t, "ci-bot", time.Minute)
	old, cOld := w.add(t, "ci-bot", 0)
	other, cOther := w.add(t, "writer", 0)
	key, c, err := w.Rotate(t.Context(), "ci-bot", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	w.wants(t, key, "ci-bot", c.ID, nil)
	w.wants(t, old, "ci-bot", cOld.ID, nil)
	w.pass(time.Minute)
	w.wants(t, short, "", cShort.ID, identity.ErrExpired) // as before, not later
	w.pass(time.Hour)
	w.wants(t, old, "", cOld.ID, identity.ErrExpired)
	w.wants(t, key, "ci-bot", c.ID, nil)
	w.wants(t, other, "writer", cOther.ID, nil)
}

func TestRotationKeepsTheLifetime(t *testing.T) {
	w := newWorld(t)
	old, cOld := w.add(t, "ci-bot", 24*time.Hour)
	w.pass(time.Hour)
	_, c, err := w.Rotate(t.Context(), "ci-bot", 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Expires.Sub(c.Created); got != 24*time.Hour {
		t.Errorf("the new key lives for %v, want a day", got)
	}
	w.wants(t, old, "", cOld.ID, identity.ErrExpired)
}

func TestRotationNeedsAKey(t *testing.T) {
	w := newWorld(t)
	if _, _, err := w.Rotate(t.Context(), "ci-bot", 0); !errors.Is(err, identity.ErrNoKey) {
		t.Errorf("Rotate = %v, want %v", err, identity.ErrNoKey)
	}
	w.add(t, "ci-bot", time.Hour)
	if _, _, err := w.Rotate(t.Context(), "ci-bot", -1); err == nil {
		t.Error("a negative overlap is accepted")
	}
	w.pass(time.Hour)
	if _, _, err := w.Rotate(t.Context(), "ci-bot", 0); !errors.Is(err, identity.ErrNoKey) {
		t.Errorf("Rotate of an expired key = %v, want %v", err, identity.ErrNoKey)
	}
}

func TestRevocationIsForGood(t *testing.T) {
	w := newWorld(t)
	k1, c1 := w.add(t, "ci-bot", time.Hour)
	k2, c2 := w.add(t, "ci-bot", 0)
	k3, c3 := w.add(t, "writer", 0)
	if n, err := w.Revoke(t.Context(), "ci-bot", c1.ID); n != 1 || err != nil {
		t.Errorf("Revoke = %d, %v", n, err)
	}
	w.wants(t, k1, "", c1.ID, identity.ErrRevoked)
	w.wants(t, k2, "ci-bot", c2.ID, nil)
	w.pass(2 * time.Hour) // revoked stays revoked, also when it would have expired
	w.wants(t, k1, "", c1.ID, identity.ErrRevoked)
	if n, err := w.Revoke(t.Context(), "ci-bot", ""); n != 1 || err != nil {
		t.Errorf("Revoke of all = %d, %v, want the one that was left", n, err)
	}
	w.wants(t, k2, "", c2.ID, identity.ErrRevoked)
	w.wants(t, k3, "writer", c3.ID, nil)
	if n, err := w.Revoke(t.Context(), "ci-bot", ""); n != 0 || err != nil {
		t.Errorf("Revoke again = %d, %v, want nothing to do", n, err)
	}
	for _, id := range []string{c3.ID, "nothing", ""} {
		agent := "ci-bot"
		if id == "" {
			agent = "nobody"
		}
		if _, err := w.Revoke(t.Context(), agent, id); !errors.Is(err, identity.ErrNoKey) {
			t.Errorf("Revoke(%s, %q) = %v, want %v", agent, id, err, identity.ErrNoKey)
		}
	}
	want := []string{"key added ci-bot", "key added ci-bot", "key added writer", "key revoked ci-bot", "key revoked ci-bot"}
	if diff := cmp.Diff(want, w.book.events); diff != "" {
		t.Error(diff)
	}
}
