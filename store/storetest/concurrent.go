package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/hopgate/hopgate/store"
)

// linearizable has one caller write beside several that read.
func (s suite) linearizable(t *testing.T) {
	e := s.open(t, t.TempDir())
	var h History
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for i := range 60 {
				if err := h.Read(i%Keys, func() (string, error) {
					v, err := e.Get([]byte(keyOf(i % Keys)))
					return string(v), err
				}); err != nil {
					t.Error(err)
				}
				if err := h.ReadAll(func() (Values, error) { return readAll(e) }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range uint64(60) {
		v := Values{fmt.Sprint(i), fmt.Sprint(i + 1000), fmt.Sprint(i + 2000)}
		if i%7 == 0 {
			v[1] = ""
		}
		if err := h.WriteAll(v, func() error { return e.Apply(i, v.puts()) }); err != nil {
			t.Error(err)
		}
	}
	readers.Wait()
	if err := h.Explain(); err != nil {
		t.Error(err)
	}
}

func keyOf(i int) string { return fmt.Sprintf("l/%d", i) }

func (v *Values) puts() (puts []store.Put) {
	for i, text := range v {
		p := store.Put{Key: []byte(keyOf(i))}
		if text != "" {
			p.Value = []byte(text)
		}
		puts = append(puts, p)
	}
	return puts
}

func readAll(e store.Reader) (v Values, err error) {
	for item, err := range e.Scan([]byte("l/"), nil, false) {
		if err != nil {
			return v, err
		}
		v[item.Key[2]-'0'] = string(item.Value)
	}
	return v, nil
}

// survivesFaults has Apply fail before or after it has done its work, and reopens the engine now and then. Who applies again
// what lies behind the position, as the journal does, has the state of a plain map.
func (s suite) survivesFaults(t *testing.T) {
	place, model := t.TempDir(), Values{}
	e, pos := s.open(t, place), uint64(0)
	rapid.Check(t, func(rt *rapid.T) {
		i, fault := rapid.IntRange(0, Keys-1).Draw(rt, "key"), Fault(rapid.IntRange(0, int(After)).Draw(rt, "fault"))
		model[i] = rapid.StringMatching("[ab]{0,2}").Draw(rt, "value")
		f := &Faulty{Engine: e, Next: func() Fault { return fault }}
		pos++
		if err := f.Apply(pos, model.puts()); (err != nil) != (fault != NoFault) || err != nil && !errors.Is(err, errInjected) {
			rt.Fatalf("Apply = %v, with fault %d", err, fault)
		}
		if rapid.IntRange(0, 9).Draw(rt, "reopen") == 0 {
			if err := e.Close(); err != nil {
				rt.Fatal(err)
			}
			e = s.open(t, place)
		}
		if (e.Position() == pos) != (fault != Before) {
			rt.Fatalf("position %d after fault %d at %d", e.Position(), fault, pos)
		}
		if fault == Before {
			mustApply(t, e, pos, model.puts()...)
		}
		if got, err := readAll(e); err != nil || got != model {
			rt.Fatalf("the state is %q, %v; want %q", got, err, model)
		}
	})
}
