package quota

import (
	"bytes"
	"math"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func sample(tb testing.TB) *account {
	tb.Helper()
	prague, err := time.LoadLocation("Europe/Prague")
	if err != nil {
		tb.Fatal(err)
	}
	a := &account{key: "q/a/bot"}
	m := a.findMeter("min")
	m.tat, m.step, m.depth = 1_800_000_000_000_000_000, 1_000_000_000, 20_000_000_000
	a.findMeter("day") // never used, so not stored
	w := a.findWindow(windowKey{KindSpend, monthly, "Europe/Prague", "USD"}, prague)
	w.id, w.used, w.held, w.told, w.past = 24310, 41_500_000_000, 2_000_000_000, 1, 50_000_000_000
	w = a.findWindow(windowKey{KindQuota, daily, "UTC", ""}, time.UTC)
	w.id, w.used = 20780, 17
	return a
}

func TestRecordsAreSmallAndRead(t *testing.T) {
	t.Parallel()
	b := sample(t).append(nil)
	if len(b) > 80 {
		t.Errorf("a record has %d bytes", len(b))
	}
	a, err := parseAccount("q/a/bot", b)
	if err != nil {
		t.Fatal(err)
	}
	if got := a.append(nil); !bytes.Equal(got, b) {
		t.Errorf("got %x, want %x", got, b)
	}
	if w := a.windows[1]; w.used != 41_500_000_000 || w.held != 0 || w.past != 50_000_000_000 || w.zone.String() != "Europe/Prague" {
		t.Errorf("got %+v; what was held must be charged", w)
	}
	if _, err := parseAccount("q/a/other", b); err == nil {
		t.Error("the record is read under another key")
	}
}

func TestEveryChangedBitIsFound(t *testing.T) {
	t.Parallel()
	b := sample(t).append(nil)
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			if _, err := parseAccount("q/a/bot", b); err == nil {
				t.Errorf("bit %d of byte %d may change", bit, i)
			}
			b[i] ^= 1 << bit
		}
		if _, err := parseAccount("q/a/bot", b[:i]); err == nil {
			t.Errorf("%d bytes are enough", i)
		}
	}
}

func TestRecordsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*window){
		"a window of a rate": func(w *window) { w.kind = KindRate }, "an unknown kind": func(w *window) { w.kind = KindSpend + 1 },
		"no period": func(w *window) { w.per = 0 }, "an unknown period": func(w *window) { w.per = monthly + 1 },
		"a far window": func(w *window) { w.id = maxWindow + 1 }, "an unknown zone": func(w *window) { w.zoneName = "Mars/Olympus" },
		"a negative amount": func(w *window) { w.used = -1 },
	} {
		a := sample(t)
		change(a.windows[0])
		if _, err := parseAccount(a.key, a.append(nil)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

// FuzzRecord gives the parser bytes with a right checksum, so that its own checks are what refuses.
func FuzzRecord(f *testing.F) {
	b := sample(f).append(nil)
	f.Add(b[:len(b)-4])
	f.Add([]byte{1, 0, 0})
	f.Add([]byte{2, 0, 0})
	f.Add([]byte{1, 0x80, 0, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		const key = "q/x"
		record := append(bytes.Clone(body), 0, 0, 0, 0)
		s := sum(key, body)
		for i := range 4 {
			record[len(body)+i] = byte(s >> (24 - 8*i))
		}
		a, err := parseAccount(key, record)
		if err == nil && !bytes.Equal(a.append(nil), record) {
			t.Errorf("%x is written as %x", record, a.append(nil))
		}
	})
}

func TestScaleIsExactAndRoundsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.Int64Range(0, math.MaxInt64).Draw(t, "a")
		mul := rapid.Int64Range(0, math.MaxInt64).Draw(t, "mul")
		div := rapid.Int64Range(1, math.MaxInt64).Draw(t, "div")
		want := new(big.Int).Mul(big.NewInt(a), big.NewInt(mul))
		want.Add(want, big.NewInt(div-1)).Div(want, big.NewInt(div))
		if !want.IsInt64() {
			want.SetInt64(math.MaxInt64)
		}
		if got := scale(a, mul, div); got != want.Int64() {
			t.Errorf("%d*%d/%d: got %d, want %v", a, mul, div, got, want)
		}
	})
	if got := add(math.MaxInt64-1, 2); got != math.MaxInt64 {
		t.Errorf("an amount that does not fit is %d", got)
	}
}
