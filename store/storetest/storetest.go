// Package storetest says what every store.Engine does, as tests. It knows no engine; each brings itself.
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hopgate/hopgate/store"
)

// Opener opens an engine over a place. The same place opened again after Close holds the same state.
type Opener func(place string) (store.Engine, error)

// Run holds an engine to the contract.
func Run(t *testing.T, open Opener) {
	t.Helper()
	s := suite{open}
	t.Run("get returns what was put", s.getReturnsPut)
	t.Run("a nil value deletes, an empty stays", s.nilDeletes)
	t.Run("the last change of a key wins", s.lastWins)
	t.Run("arguments are not kept", s.argumentsNotKept)
	t.Run("the position never goes backwards", s.positionForwards)
	t.Run("an impossible change changes nothing", s.impossibleChange)
	t.Run("a scan is ordered and bounded", s.scanOrdered)
	t.Run("a scan sees one moment", s.scanSeesOneMoment)
	t.Run("a scan can be left", s.scanCanBeLeft)
	t.Run("reads go on beside writes", s.readsBesideWrites)
	t.Run("a large change is applied whole", s.largeChange)
	t.Run("state and position survive close", s.survivesClose)
	t.Run("a closed engine says so", s.closedSaysSo)
	t.Run("any history equals that of a plain map", s.equalsModel)
	t.Run("one order explains what concurrent callers see", s.linearizable)
	t.Run("faults before and after a change are survived", s.survivesFaults)
}

type suite struct{ opener Opener }

func (s suite) open(t *testing.T, place string) store.Engine {
	t.Helper()
	e, err := s.opener(place)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() }) // a second time where the test has closed it
	return e
}

func mustApply(t *testing.T, e store.Engine, pos uint64, puts ...store.Put) {
	t.Helper()
	if err := e.Apply(pos, puts); err != nil {
		t.Fatalf("Apply(%d): %v", pos, err)
	}
}

func put(key, value string) store.Put { return store.Put{Key: []byte(key), Value: []byte(value)} }
func del(key string) store.Put        { return store.Put{Key: []byte(key)} }

// collect returns the items of a scan as key=value.
func collect(t *testing.T, items iter.Seq2[store.Item, error]) []string {
	t.Helper()
	var got []string
	for item, err := range items {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s=%s", item.Key, item.Value))
	}
	return got
}

func wantGet(t *testing.T, e store.Engine, key string, want []byte) {
	t.Helper()
	got, err := e.Get([]byte(key))
	if err != nil || !bytes.Equal(got, want) || (got == nil) != (want == nil) {
		t.Errorf("Get(%q) = %q, %v, want %q", key, got, err, want)
	}
}

func (s suite) getReturnsPut(t *testing.T) {
	e := s.open(t, t.TempDir())
	wantGet(t, e, "a", nil)
	if got := e.Position(); got != 0 {
		t.Errorf("Position of a new engine = %d, want 0", got)
	}
	mustApply(t, e, 3, put("a", "1"), put("b", "2"))
	wantGet(t, e, "a", []byte("1"))
	wantGet(t, e, "b", []byte("2"))
	if got := e.Position(); got != 3 {
		t.Errorf("Position = %d, want 3", got)
	}
}

func (s suite) nilDeletes(t *testing.T) {
	e := s.open(t, t.TempDir())
	mustApply(t, e, 1, put("a", "1"), put("b", ""))
	mustApply(t, e, 2, del("a"), del("never there"))
	wantGet(t, e, "a", nil)
	wantGet(t, e, "b", []byte{})
	if diff := cmp.Diff([]string{"b="}, collect(t, e.Scan(nil, nil, false))); diff != "" {
		t.Error(diff)
	}
}

func (s suite) lastWins(t *testing.T) {
	e := s.open(t, t.TempDir())
	mustApply(t, e, 1, put("a", "1"), del("a"), put("a", "2"), put("b", "1"), del("b"))
	wantGet(t, e, "a", []byte("2"))
	wantGet(t, e, "b", nil)
}

func (s suite) argumentsNotKept(t *testing.T) {
	e := s.open(t, t.TempDir())
	p := put("a", "1")
	mustApply(t, e, 1, p)
	p.Key[0], p.Value[0] = 'x', 'x'
	got, err := e.Get([]byte("a"))
	if err != nil || string(got) != "1" {
		t.Fatalf("Get = %q, %v, want 1", got, err)
	}
	got[0] = 'y'
	wantGet(t, e, "a", []byte("1"))
}

func (s suite) positionForwards(t *testing.T) {
	e := s.open(t, t.TempDir())
	mustApply(t, e, 5, put("a", "1"))
	if err := e.Apply(4, []store.Put{put("a", "2")}); !errors.Is(err, store.ErrBackwards) {
		t.Errorf("Apply(4) after 5 = %v, want %v", err, store.ErrBackwards)
	}
	wantGet(t, e, "a", []byte("1"))
	mustApply(t, e, 5, put("a", "3")) // applying again is allowed
	wantGet(t, e, "a", []byte("3"))
}

func (s suite) impossibleChange(t *testing.T) {
	e := s.open(t, t.TempDir())
	for name, bad := range map[string]store.Put{
		"no key":          {Value: []byte("v")},
		"reserved key":    put("\x00position", "v"),
		"key too long":    put(strings.Repeat("k", store.MaxKey+1), "v"),
		"value too large": put("k", strings.Repeat("v", store.MaxValue+1)),
	} {
		if err := e.Apply(1, []store.Put{put("a", "1"), bad}); err == nil {
			t.Errorf("%s: applied", name)
		}
	}
	wantGet(t, e, "a", nil)
	if got := e.Position(); got != 0 {
		t.Errorf("Position = %d, want 0", got)
	}
	longest := strings.Repeat("\xff", store.MaxKey)
	mustApply(t, e, 1, put(longest, strings.Repeat("v", store.MaxValue)))
	if got := len(collect(t, e.Scan(nil, nil, true))); got != 1 {
		t.Errorf("a reverse scan found %d items, want the one with the longest key", got)
	}
}

func (s suite) scanOrdered(t *testing.T) {
	e := s.open(t, t.TempDir())
	mustApply(t, e, 1, put("b/2", "2"), put("c", "3"), put("b/1", "1"), put("a", "0"), put("b/\xff", "f"))
	for name, c := range map[string]struct {
		prefix, after string
		reverse       bool
		want          []string
	}{
		"all":                     {want: []string{"a=0", "b/1=1", "b/2=2", "b/\xff=f", "c=3"}},
		"all in reverse":          {reverse: true, want: []string{"c=3", "b/\xff=f", "b/2=2", "b/1=1", "a=0"}},
		"prefix":                  {prefix: "b/", want: []string{"b/1=1", "b/2=2", "b/\xff=f"}},
		"prefix in reverse":       {prefix: "b/", reverse: true, want: []string{"b/\xff=f", "b/2=2", "b/1=1"}},
		"after":                   {prefix: "b/", after: "b/1", want: []string{"b/2=2", "b/\xff=f"}},
		"after in reverse":        {prefix: "b/", after: "b/2", reverse: true, want: []string{"b/1=1"}},
		"after an absent key":     {prefix: "b/", after: "b/11", want: []string{"b/2=2", "b/\xff=f"}},
		"after before the prefix": {prefix: "b/", after: "a", want: []string{"b/1=1", "b/2=2", "b/\xff=f"}},
		"after behind the prefix": {prefix: "b/", after: "c", want: nil},
		"behind, in reverse":      {prefix: "b/", after: "c", reverse: true, want: []string{"b/\xff=f", "b/2=2", "b/1=1"}},
		"before, in reverse":      {prefix: "b/", after: "a", reverse: true, want: nil},
		"no such prefix":          {prefix: "bb", want: nil},
	} {
		var after []byte
		if c.after != "" {
			after = []byte(c.after)
		}
		if diff := cmp.Diff(c.want, collect(t, e.Scan([]byte(c.prefix), after, c.reverse))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func (s suite) scanSeesOneMoment(t *testing.T) {
	e := s.open(t, t.TempDir())
	mustApply(t, e, 1, put("a", "1"), put("b", "1"))
	var got []string
	for item, err := range e.Scan(nil, nil, false) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s=%s", item.Key, item.Value))
		if len(got) == 1 {
			mustApply(t, e, 2, put("b", "2"), put("c", "2"))
		}
	}
	if diff := cmp.Diff([]string{"a=1", "b=1"}, got); diff != "" {
		t.Error(diff)
	}
}

func (s suite) scanCanBeLeft(t *testing.T) {
	e := s.open(t, t.TempDir())
	mustApply(t, e, 1, put("a", "1"), put("b", "1"))
	for range e.Scan(nil, nil, false) {
		break
	}
	if err := e.Close(); err != nil { // would wait for ever for a scan that is still counted
		t.Error(err)
	}
}

func (s suite) readsBesideWrites(t *testing.T) {
	e := s.open(t, t.TempDir())
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				sum := map[string]int{}
				for item, err := range e.Scan([]byte("k"), nil, false) {
					if err != nil {
						t.Error(err)
						return
					}
					sum[string(item.Value)]++
				}
				if len(sum) > 1 {
					t.Errorf("a scan saw two moments: %v", sum)
					return
				}
			}
		})
	}
	for i := range uint64(50) {
		v := fmt.Sprint(i)
		mustApply(t, e, i, put("k1", v), put("k2", v), put("k3", v))
	}
	close(stop)
	readers.Wait()
}

func (s suite) largeChange(t *testing.T) {
	e := s.open(t, t.TempDir())
	var puts []store.Put
	for i := range 30_000 {
		puts = append(puts, put(fmt.Sprintf("n/%05d", i), "v"))
	}
	for i := range 8 {
		puts = append(puts, put(fmt.Sprintf("v/%d", i), strings.Repeat("v", store.MaxValue)))
	}
	mustApply(t, e, 9, puts...)
	n := 0
	for _, err := range e.Scan(nil, nil, false) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != len(puts) || e.Position() != 9 {
		t.Errorf("%d keys at position %d, want %d at 9", n, e.Position(), len(puts))
	}
}

func (s suite) survivesClose(t *testing.T) {
	place := t.TempDir()
	e := s.open(t, place)
	mustApply(t, e, 7, put("a", "1"), put("b", "2"), del("b"))
	for range 2 {
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = s.open(t, place)
		if got := e.Position(); got != 7 {
			t.Errorf("Position = %d, want 7", got)
		}
		if diff := cmp.Diff([]string{"a=1"}, collect(t, e.Scan(nil, nil, false))); diff != "" {
			t.Error(diff)
		}
	}
}

func (s suite) closedSaysSo(t *testing.T) {
	e := s.open(t, t.TempDir())
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Fatalf("closing twice: %v", err)
	}
	if err := e.Apply(1, []store.Put{put("a", "1")}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Apply = %v, want %v", err, store.ErrClosed)
	}
	if _, err := e.Get([]byte("a")); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Get = %v, want %v", err, store.ErrClosed)
	}
	n := 0
	for _, err := range e.Scan(nil, nil, false) {
		if n++; !errors.Is(err, store.ErrClosed) {
			t.Errorf("Scan = %v, want %v", err, store.ErrClosed)
		}
	}
	if n != 1 {
		t.Errorf("Scan yielded %d times, want once, with the error", n)
	}
}

// equalsModel applies random changes, reopens now and then, and compares scans with a plain map.
func (s suite) equalsModel(t *testing.T) {
	place, e := t.TempDir(), store.Engine(nil)
	key := rapid.SliceOfN(rapid.SampledFrom([]byte{1, 'a', 'b', 0xff}), 1, 3)
	change := rapid.Custom(func(t *rapid.T) store.Put {
		p := store.Put{Key: key.Draw(t, "key")}
		if rapid.Bool().Draw(t, "set") {
			p.Value = rapid.SliceOfN(rapid.Byte(), 0, 4).Draw(t, "value")
		}
		return p
	})
	e = s.open(t, place)
	model, pos := map[string]string{}, uint64(0)
	rapid.Check(t, func(rt *rapid.T) {
		puts := rapid.SliceOfN(change, 0, 20).Draw(rt, "puts")
		pos += rapid.Uint64Range(0, 2).Draw(rt, "step")
		mustApply(t, e, pos, puts...)
		for _, p := range puts {
			if p.Value == nil {
				delete(model, string(p.Key))
			} else {
				model[string(p.Key)] = string(p.Value)
			}
		}
		if rapid.IntRange(0, 30).Draw(rt, "reopen") == 0 {
			if err := e.Close(); err != nil {
				rt.Fatal(err)
			}
			e = s.open(t, place)
		}
		prefix, reverse := rapid.SliceOfN(rapid.SampledFrom([]byte{1, 'a', 'b', 0xff}), 0, 2).Draw(rt, "prefix"), rapid.Bool().Draw(rt, "reverse")
		var want []string
		for _, k := range slices.Sorted(maps.Keys(model)) {
			if strings.HasPrefix(k, string(prefix)) {
				want = append(want, fmt.Sprintf("%s=%s", k, model[k]))
			}
		}
		if reverse {
			slices.Reverse(want)
		}
		if diff := cmp.Diff(want, collect(t, e.Scan(prefix, nil, reverse))); diff != "" || e.Position() != pos {
			rt.Fatalf("position %d, want %d; scan (-want +got):\n%s", e.Position(), pos, diff)
		}
	})
}
