package audit_test

import (
	"testing"

	"github.com/hopgate/hopgate/store"
)

// counting is a store that counts how often a key is written.
type counting struct {
	*store.Memory
	key string
	n   int
}

func (c *counting) Apply(pos uint64, puts []store.Put) error {
	for i := range puts {
		if string(puts[i].Key) == c.key {
			c.n++
		}
	}
	return c.Memory.Apply(pos, puts)
}

func TestAKeyThatChangesOftenIsWrittenOnce(t *testing.T) {
	p := newPlace(t)
	c := &counting{Memory: p.store, key: "q/busy"}
	p.config.State = func(bool) (store.Engine, error) { p.store.Reopen(); return c, nil }
	j := p.open(t)
	key := []byte(c.key)
	all := []store.Put{{Key: key, Value: []byte("old")}, {Key: key}, {Key: key, Value: []byte{}}, {Key: key, Value: []byte("new")}}
	if err := j.Event(t.Context(), "counted", nil, all); err != nil {
		t.Fatal(err)
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := j.State().Get(key); err != nil || string(got) != "new" {
		t.Errorf("the key has %q, %v; want the last value", got, err)
	}
	if c.n != 1 {
		t.Errorf("the key was written %d times for %d changes of one batch, want once", c.n, len(all))
	}
	mustClose(t, j)
	if p.open(t); p.wiped != 0 {
		t.Error("state and digest do not agree")
	}
}
