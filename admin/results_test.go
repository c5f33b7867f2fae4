package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/admin"
)

func (d *desk) HeldResults(context.Context) ([]admin.HeldResult, error) {
	return []admin.HeldResult{{Ref: "AB12-CD34-EF56", Agent: "ci", State: "waiting", Bytes: 7}}, nil
}

func (d *desk) ReadResult(_ context.Context, ref string, o admin.Order) (json.RawMessage, error) {
	if o.Reason == "" {
		return nil, admin.ErrInvalid
	}
	return json.RawMessage(`{"ref":"` + ref + `","n":1e2}`), nil
}

func (d *desk) ReleaseResult(_ context.Context, ref string, o admin.Order) error {
	if o.By != "me" || ref != "AB12-CD34-EF56" {
		return admin.ErrNotFound
	}
	return nil
}

func (d *desk) DiscardResult(_ context.Context, ref string, o admin.Order) error {
	if o.Reason != "spam" {
		return admin.ErrInvalid
	}
	return nil
}

func TestHeldResultsAreDecidedAbout(t *testing.T) {
	d := &desk{}
	c := connect(t, d)
	all, err := c.HeldResults(t.Context())
	want, _ := d.HeldResults(t.Context())
	if diff := cmp.Diff(want, all); err != nil || diff != "" {
		t.Errorf("%v: %s", err, diff)
	}
	const ref = "AB12-CD34-EF56"
	if got, err := c.ReadResult(t.Context(), ref, admin.Order{By: "me", Reason: "why"}); err != nil || string(got) != `{"ref":"AB12-CD34-EF56","n":1e2}` {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := c.ReadResult(t.Context(), ref, admin.Order{By: "me"}); !errors.Is(err, admin.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if err := c.ReleaseResult(t.Context(), ref, admin.Order{By: "me", Reason: "x"}); err != nil {
		t.Error(err)
	}
	if err := c.ReleaseResult(t.Context(), "a/b", admin.Order{By: "me", Reason: "x"}); !errors.Is(err, admin.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := c.DiscardResult(t.Context(), ref, admin.Order{Reason: "x"}); !errors.Is(err, admin.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}
