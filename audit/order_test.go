package audit_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

// TestRecordsOfOneCallerKeepTheirOrder has several callers, each of which makes one call after another: whether they write
// themselves or leave that to the journal's goroutine changes as they meet.
func TestRecordsOfOneCallerKeepTheirOrder(t *testing.T) {
	const callers, calls = 4, 50
	j := newPlace(t).open(t)
	result := aResult(t)
	var work sync.WaitGroup
	for n := range callers {
		work.Go(func() {
			for i := range calls {
				c := aCall(t, policy.Ref(n*calls+i+1))
				if err := j.Begin(t.Context(), c, &policy.Outcome{Allowed: true}); err != nil {
					t.Error(err)
					return
				}
				j.End(c, &policy.Outcome{Allowed: true}, result)
			}
		})
	}
	work.Wait()
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := brief(all(t, j))
	for n := range callers {
		at := -1
		for i := range calls {
			ref := policy.Ref(n*calls + i + 1).String()
			for _, want := range []string{"intent " + ref, "outcome ok " + ref} {
				next := slices.Index(got, want)
				if next <= at {
					t.Fatalf("%q comes at %d, behind %d", want, next, at)
				}
				at = next
			}
		}
	}
}

// broken is a ledger that panics.
type broken struct{}

func (broken) Changes(func(store.Put)) { panic("broken") }

func TestAPanicInTheMiddleOfABatchEndsTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newPlace(t).openBubble(t)
		synctest.Wait() // nobody else writes
		j.Attach(broken{})
		func() {
			defer func() {
				if v := recover(); !strings.Contains(fmt.Sprint(v), "broken") {
					t.Errorf("the caller survives with %v", v)
				}
			}()
			_ = j.Begin(t.Context(), aCall(t, 1), &policy.Outcome{Allowed: true})
		}()
		if err := j.Begin(t.Context(), aCall(t, 2), &policy.Outcome{Allowed: true}); !errors.Is(err, audit.ErrFailed) {
			t.Errorf("then comes %v", err)
		}
		if err := j.Close(); !errors.Is(err, audit.ErrFailed) {
			t.Error(err)
		}
	})
}
