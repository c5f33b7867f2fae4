package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/policy"
)

// reasons are all for which a call is refused on record.
func (a *app) reasons() []*policy.Reason {
	all := mcpproxy.Reasons()
	for _, g := range a.options().Gates {
		all = append(all, g.Reasons...)
	}
	return all
}

// codesOf returns the codes of the reasons that somebody means: that with the code itself, and all that tell agents so, for
// an agent knows no other code.
func (a *app) codesOf(said string) ([]string, error) {
	var codes, known []string
	said = strings.ToUpper(said)
	for _, r := range a.reasons() {
		known = append(known, r.Code, r.Answer.Code)
		if r.Code == said || r.Answer.Code == said {
			codes = append(codes, r.Code)
		}
	}
	if len(codes) > 0 {
		slices.Sort(codes)
		return slices.Compact(codes), nil
	}
	hint := "all are in docs/reasons.md"
	if near := policy.Nearest(said, known); near != "" {
		hint = "did you mean " + near + "?"
	}
	return nil, usage(hint, "--reason %q is the code of no refusal", said)
}

// searchAny is Search for records with any of some reasons; with none where that does not matter.
func searchAny(ctx context.Context, api admin.API, q admin.Query, codes []string) ([]json.RawMessage, error) {
	if len(codes) == 0 {
		return api.Search(ctx, q)
	}
	type record struct {
		seq uint64
		raw json.RawMessage
	}
	var found []record
	for _, q.Reason = range codes {
		some, err := api.Search(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, raw := range some {
			var r struct {
				Seq uint64 `json:"seq"`
			}
			if err := json.Unmarshal(raw, &r); err != nil {
				return nil, fmt.Errorf("reading a record: %w", err)
			}
			found = append(found, record{r.Seq, raw})
		}
	}
	slices.SortFunc(found, func(x, y record) int { return cmp.Compare(y.seq, x.seq) })
	var all []json.RawMessage
	for _, r := range found[:min(len(found), q.Limit)] {
		all = append(all, r.raw)
	}
	return all, nil
}
