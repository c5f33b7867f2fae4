package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/store"
)

// HeldResults implements admin.API.
func (d desk) HeldResults(context.Context) ([]admin.HeldResult, error) {
	all := []admin.HeldResult{}
	for _, h := range d.memory.Vault.Held() {
		all = append(all, admin.HeldResult{
			Ref: h.Ref, Agent: h.Agent, Connection: h.Connection, Method: h.Method, Target: h.Target, State: string(h.State),
			Since: time.Unix(h.Since, 0).UTC(), Until: time.Unix(h.Until, 0).UTC(), Bytes: h.Size, Found: h.Found, Rule: h.Rule,
		})
	}
	return all, nil
}

// ReadResult implements admin.API.
func (d desk) ReadResult(ctx context.Context, ref string, o admin.Order) (result json.RawMessage, err error) {
	if err := sensible(o); err != nil {
		return nil, err
	}
	result, err = d.memory.Vault.Read(ref, d.decided(ctx, "held result read", o))
	return result, decidable(ref, err)
}

// ReleaseResult implements admin.API.
func (d desk) ReleaseResult(ctx context.Context, ref string, o admin.Order) error {
	if err := sensible(o); err != nil {
		return err
	}
	return decidable(ref, d.memory.Vault.Release(ref, d.decided(ctx, "held result released", o)))
}

// DiscardResult implements admin.API.
func (d desk) DiscardResult(ctx context.Context, ref string, o admin.Order) error {
	if err := sensible(o); err != nil {
		return err
	}
	return decidable(ref, d.memory.Vault.Discard(ref, d.decided(ctx, "held result discarded", o)))
}

// decided puts on record who has decided about a held result, and why, whether or not the operator still waits.
func (d desk) decided(ctx context.Context, event string, o admin.Order) guardrails.Record {
	return func(h guardrails.Held, puts []store.Put) error {
		facts := map[string]string{"detail": o.Reason, "by": o.By, "result": h.Ref, "agent": h.Agent, "connection": h.Connection, "target": h.Target}
		return d.journal.Event(context.WithoutCancel(ctx), event, facts, puts)
	}
}

// decidable says why nothing can be decided.
func decidable(ref string, err error) error {
	switch {
	case errors.Is(err, guardrails.ErrNotHeld):
		return &because{fmt.Sprintf("%s: %v", ref, err), admin.ErrNotFound}
	case errors.Is(err, guardrails.ErrReleased):
		return &because{fmt.Sprintf("%s: %v", ref, err), admin.ErrInvalid}
	}
	return err
}
