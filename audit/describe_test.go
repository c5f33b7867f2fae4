package audit_test

import (
	"math"
	"testing"

	"github.com/hopgate/hopgate/policy"
)

func TestAmountsAreWrittenInDecimals(t *testing.T) {
	amounts := map[int64]string{
		0: "0 USD", 1: "0.000000001 USD", 10: "0.00000001 USD", 250_000_000: "0.25 USD", 1e9: "1 USD", 10e9: "10 USD",
		1_000_000_100: "1.0000001 USD", math.MaxInt64: "9223372036.854775807 USD",
	}
	j := newPlace(t).open(t)
	for nanos := range amounts {
		o := &policy.Outcome{Allowed: true, Facts: policy.Facts{Reserved: nanos, Currency: "USD"}}
		if err := j.Begin(t.Context(), aCall(t, policy.Ref(nanos+1)&math.MaxInt64), o); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, r := range all(t, j) {
		got[r.Reserved] = true
	}
	for nanos, want := range amounts {
		if !got[want] {
			t.Errorf("%d billionths are not written as %q, but among %v", nanos, want, sortedKeys(got))
		}
	}
}
