package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/admin"
)

func (a *app) results() *cobra.Command {
	c := &cobra.Command{Use: "results", Short: "Decide about results that guardrails hold", Args: noArgs, RunE: needsCommand}
	c.AddCommand(a.resultsList(), a.resultsShow(), a.resultsRelease(), a.resultsDiscard())
	return c
}

func (a *app) resultsList() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the results that wait, and those that are released and not fetched yet",
		Args:  args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withOrders(c.Context(), func(ctx context.Context, api admin.API) error {
				all, err := api.HeldResults(ctx)
				if err != nil {
					return err
				}
				if format == formatJSON {
					return json.NewEncoder(a.out).Encode(all)
				}
				rows := [][]string{{"REF", "SINCE", "STATE", "AGENT", "CALL", "FOUND"}}
				for _, h := range all {
					rows = append(rows, []string{h.Ref, h.Since.Format(time.RFC3339), h.State, h.Agent, h.Target, h.Found})
				}
				table(a.out, rows)
				return nil
			})
		},
	}
	formatFlag(c, &format)
	return c
}

func (a *app) resultsShow() *cobra.Command {
	var format, reason string
	var content bool
	c := &cobra.Command{
		Use:   "show REF",
		Short: "Show what a result is held for, and with --content the result",
		Long:  "Show what a result is held for, and with --content the result itself, as JSON. Who looks at a result says why; it is on\nrecord.",
		Args:  args(1, "the reference of a result"),
		RunE: func(c *cobra.Command, given []string) error {
			if content != (reason != "") {
				return usage(`to look at the result, say why, for the record: --content --reason "..."`, "--content and --reason go together")
			}
			return a.withOrders(c.Context(), func(ctx context.Context, api admin.API) error {
				if content {
					result, err := api.ReadResult(ctx, given[0], admin.Order{By: username(), Reason: reason})
					if err != nil {
						return err
					}
					_, err = fmt.Fprintf(a.out, "%s\n", result)
					return err
				}
				return a.showHeld(ctx, api, given[0], format)
			})
		},
	}
	c.Flags().BoolVar(&content, "content", false, "print the result")
	c.Flags().StringVar(&reason, "reason", "", "why, for the record")
	formatFlag(c, &format)
	return c
}

func (a *app) showHeld(ctx context.Context, api admin.API, ref, format string) error {
	all, err := api.HeldResults(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(h admin.HeldResult) bool { return h.Ref == ref })
	switch {
	case i < 0:
		return &because{ref + ": no result is held under this reference", admin.ErrNotFound}
	case format == formatJSON:
		return json.NewEncoder(a.out).Encode(all[i])
	}
	h := &all[i]
	table(a.out, [][]string{
		{"ref", h.Ref},
		{"state", h.State},
		{"agent", h.Agent},
		{"connection", h.Connection},
		{"call", h.Method + " " + h.Target},
		{"since", h.Since.Format(time.RFC3339)},
		{"until", h.Until.Format(time.RFC3339)},
		{"size", strconv.Itoa(h.Bytes) + " bytes"},
		{"found", h.Found},
		{"rule", h.Rule},
	})
	return nil
}

// decision is a command that decides about a held result.
func (a *app) decision(use, short string, decide func(context.Context, admin.API, string, admin.Order) error) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   use + " REF --reason TEXT",
		Short: short,
		Args:  args(1, "the reference of a result"),
		RunE: func(c *cobra.Command, given []string) error {
			return a.withOrders(c.Context(), func(ctx context.Context, api admin.API) error {
				return decide(ctx, api, given[0], admin.Order{By: username(), Reason: reason})
			})
		},
	}
	wantReason(c, &reason)
	return c
}

func (a *app) resultsRelease() *cobra.Command {
	return a.decision("release", "Let the agent have a result, once, when it sends the same call again",
		func(ctx context.Context, api admin.API, ref string, o admin.Order) error {
			err := api.ReleaseResult(ctx, ref, o)
			if err == nil {
				fmt.Fprintf(a.words, "%s is released; the agent gets it when it sends the same call again\n", ref)
			}
			return err
		})
}

func (a *app) resultsDiscard() *cobra.Command {
	return a.decision("discard", "Throw a result away; if the agent sends the call again, it is made again",
		func(ctx context.Context, api admin.API, ref string, o admin.Order) error {
			err := api.DiscardResult(ctx, ref, o)
			if err == nil {
				fmt.Fprintf(a.words, "%s is discarded\n", ref)
			}
			return err
		})
}
