package trust_test

import (
	"bytes"
	"testing"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
	"github.com/hopgate/hopgate/trust"
)

var fuzzKey = []byte("t/a/bot")

// stored is the record of an agent that has done some of everything.
func stored(tb testing.TB) []byte {
	tb.Helper()
	w := newWorld(tb)
	w.build(tb, need(900, 3))
	w.ask(tb, w.call("write"))
	w.pass(day)
	w.succeed("write", 10)
	w.fail("delete", 2)
	w.violate(policy.High, 2)
	w.violate(policy.Critical, 1)
	w.save(tb)
	b, err := w.state.Get(fuzzKey)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// FuzzRecord reads any bytes as a record, with a sum that is right so that the rest is reached. What is accepted is
// written as it was read, and can be reckoned with.
func FuzzRecord(f *testing.F) {
	whole := stored(f)
	f.Add(whole[:len(whole)-4])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		value := trust.TestOnlySeal(fuzzKey, body)
		again, ok := trust.TestOnlyRead(fuzzKey, value)
		if !ok {
			return
		}
		if !bytes.Equal(again, value) {
			t.Fatalf("%x is read, and written as %x", value, again)
		}
		w := newWorld(t)
		w.spoil(t, string(fuzzKey), value)
		w.build(t, need(500, 3))
		w.ask(t, w.call("write"))
		w.violate(policy.Low, 1)
		w.succeed("write", 1)
		w.fail("read", 1)
		if s := w.score(); s < 0 || s > 999 {
			t.Errorf("the score is %d", s)
		}
		x := w.explain(t, 700)
		_ = x.Text() // it must not panic
		w.save(t)
	})
}

func TestEveryFlippedBitIsDamage(t *testing.T) {
	whole := stored(t)
	if again, ok := trust.TestOnlyRead(fuzzKey, whole); !ok || !bytes.Equal(again, whole) {
		t.Fatalf("what was stored is read as %x, %v", again, ok)
	}
	if len(whole) > 200 {
		t.Errorf("the record has %d bytes", len(whole))
	}
	for i := range 8 * len(whole) {
		b := bytes.Clone(whole)
		b[i/8] ^= 1 << (i % 8)
		if _, ok := trust.TestOnlyRead(fuzzKey, b); ok {
			t.Errorf("with bit %d flipped it is read", i)
		}
	}
	for i := range whole {
		if _, ok := trust.TestOnlyRead(fuzzKey, whole[:i]); ok {
			t.Errorf("cut to %d bytes it is read", i)
		}
	}
}

// FuzzRules reads any bytes as parameters, with a sum that is right. What is accepted is written as it was read.
func FuzzRules(f *testing.F) {
	w := newWorld(f)
	w.Register(params(f, func(s *trust.Section) { s.Start = read[trust.StartScore](f, "1") }), nil, nil)
	w.Changes(func(p store.Put) {
		if string(p.Key) == "t/rules" {
			f.Add(bytes.Clone(p.Value[:len(p.Value)-4]))
		}
	})
	f.Add([]byte("010\xca\x0000000000000")) // a number with a zero too many
	f.Fuzz(func(t *testing.T, body []byte) {
		value := trust.TestOnlySeal([]byte("t/rules"), body)
		if again, ok := trust.TestOnlyReadRules(value); ok && !bytes.Equal(again, value) {
			t.Fatalf("%x is read, and written as %x", value, again)
		}
	})
}
