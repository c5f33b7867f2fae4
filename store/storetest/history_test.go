package storetest_test

import (
	"errors"
	"testing"

	"github.com/hopgate/hopgate/store/storetest"
)

func TestAHistoryIsExplainedOrNot(t *testing.T) {
	done := func() error { return nil }
	lost := func() error { return errors.New("lost") }
	sees := func(v string) func() (string, error) { return func() (string, error) { return v, nil } }
	for name, c := range map[string]struct {
		do   func(h *storetest.History) error
		want bool
	}{
		"a read of what was written": {func(h *storetest.History) error {
			return errors.Join(h.Write(0, "a", done), h.Read(0, sees("a")))
		}, true},
		"a read of what was there before": {func(h *storetest.History) error {
			return errors.Join(h.Write(0, "a", done), h.Write(0, "b", done), h.Read(0, sees("a")))
		}, false},
		"half of a write": {func(h *storetest.History) error {
			return errors.Join(h.WriteAll(storetest.Values{"a", "a", "a"}, done),
				h.ReadAll(func() (storetest.Values, error) { return storetest.Values{"a", "", "a"}, nil }))
		}, false},
		"a failed write comes late": {func(h *storetest.History) error {
			_ = h.Write(0, "a", lost)
			return errors.Join(h.Read(0, sees("")), h.Read(0, sees("a")), h.Read(1, sees("")))
		}, true},
		"and does not go again": {func(h *storetest.History) error {
			_ = h.Write(0, "a", lost)
			return errors.Join(h.Read(0, sees("a")), h.Read(0, sees("")))
		}, false},
		"a failed read says nothing": {func(h *storetest.History) error {
			_ = h.Read(0, func() (string, error) { return "x", errors.New("failed") })
			return nil
		}, true},
	} {
		h := new(storetest.History)
		if err := c.do(h); err != nil {
			t.Fatal(err)
		}
		if err := h.Explain(); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
