package audit_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/store/storetest"
)

// journaled is a journal with the store under it, as an engine: every change goes through the journal.
type journaled struct {
	*audit.Journal
	mu  sync.Mutex // guards pos
	pos uint64
}

// positionKey holds the caller's position. The contract's own keys begin otherwise.
var positionKey = []byte("~position")

func openJournaled(ctx context.Context, p *place) (store.Engine, error) {
	j, err := audit.Open(ctx, p.config)
	if err != nil {
		return nil, err
	}
	raw, err := j.State().Get(positionKey)
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	e := &journaled{Journal: j}
	if raw != nil {
		e.pos = binary.BigEndian.Uint64(raw)
	}
	return e, nil
}

func (e *journaled) Position() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pos
}

func (e *journaled) Get(key []byte) ([]byte, error) { return e.State().Get(key) }

// Apply makes several records of changes that are too many for one. The position comes with the last.
func (e *journaled) Apply(pos uint64, puts []store.Put) error {
	if pos < e.Position() {
		return store.ErrBackwards
	}
	for i := range puts {
		if err := puts[i].Check(); err != nil {
			return err
		}
	}
	ctx := context.Background()
	puts = append(slices.Clip(puts), store.Put{Key: positionKey, Value: binary.BigEndian.AppendUint64(nil, pos)})
	for len(puts) > 0 {
		n, size := 0, 0
		for n < len(puts) && (n == 0 || size+len(puts[n].Value) < 400<<10) && n < 5000 {
			size += len(puts[n].Value)
			n++
		}
		if err := e.Event(ctx, "applied", nil, puts[:n]); err != nil {
			return closed(err)
		}
		puts = puts[n:]
	}
	if err := e.Flush(ctx); err != nil {
		return closed(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pos = pos
	return nil
}

func closed(err error) error {
	if errors.Is(err, audit.ErrClosed) {
		return store.ErrClosed
	}
	return err
}

// Scan leaves out what is the journal's own.
func (e *journaled) Scan(prefix, after []byte, reverse bool) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		for item, err := range e.State().Scan(prefix, after, reverse) {
			if err == nil && (bytes.Equal(item.Key, positionKey) || len(item.Key) > 1 && bytes.Contains([]byte("a/ i/ j/"), item.Key[:2])) {
				continue
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

func TestTheJournalAndBadgerKeepTheContract(t *testing.T) {
	if testing.Short() {
		t.Skip("syncs each of some thousand changes")
	}
	t.Parallel()
	storetest.Run(t, func(dir string) (store.Engine, error) {
		p := newPlace(t)
		p.config.Dir, p.config.State = dir, nil
		return openJournaled(context.Background(), p)
	})
}

// Callers write and read beside each other while the store fails, before or after it has applied, and the journal is
// opened again: one order explains all that they saw, and what was acknowledged stays.
func TestOneOrderExplainsWhatCallersSee(t *testing.T) {
	t.Parallel()
	failed := 0
	for seed := range uint64(6) {
		p := newPlace(t)
		random := rand.New(rand.NewPCG(seed, 1))
		p.config.State = faultyStore(p, random)
		h, numbers := new(storetest.History), 0
		for range 4 {
			j := p.open(t)
			var callers sync.WaitGroup
			for caller := range 4 {
				key := caller % storetest.Keys
				numbers++
				prefix := fmt.Sprintf("%d.", numbers)
				callers.Go(func() { turns(t, j, h, key, prefix) })
			}
			callers.Wait()
			switch err := j.Close(); {
			case errors.Is(err, audit.ErrFailed):
				failed++
			case err != nil:
				t.Fatal(err)
			}
		}
		if err := h.Explain(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	if failed == 0 {
		t.Error("no journal has failed")
	}
}

// faultyStore opens a store whose next change but some fails.
func faultyStore(p *place, random *rand.Rand) func(bool) (store.Engine, error) {
	open := p.config.State
	return func(wipe bool) (store.Engine, error) {
		e, err := open(wipe)
		left, fault := 3+random.IntN(10), cmp.Or(storetest.Fault(random.IntN(3)), storetest.After)
		return &storetest.Faulty{Engine: e, Next: func() storetest.Fault {
			if left--; left == 0 {
				return fault
			}
			return storetest.NoFault
		}}, err
	}
}

// turns writes and reads one key by turns, until the journal fails.
func turns(t *testing.T, j *audit.Journal, h *storetest.History, key int, prefix string) {
	t.Helper()
	name := fmt.Sprintf("l/%d", key)
	for i := range 12 {
		value := prefix + fmt.Sprint(i)
		if err := h.Write(key, value, func() error {
			return errors.Join(j.Event(t.Context(), "changed", nil, []store.Put{put(name, value)}), j.Flush(t.Context()))
		}); err != nil {
			return
		}
		if err := h.Read(key, func() (string, error) {
			v, err := j.State().Get([]byte(name))
			return string(v), err
		}); err != nil {
			t.Error(err)
		}
	}
}
