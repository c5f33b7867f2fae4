package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/configs"
)

func (a *app) trust() *cobra.Command {
	c := &cobra.Command{Use: "trust", Short: "Show and change how far agents and upstreams are trusted", Args: noArgs, RunE: needsCommand}
	c.AddCommand(a.trustList(), a.trustShow(), a.trustAdjust(), a.trustQuarantine(), a.trustRelease())
	return c
}

func (a *app) trustList() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the scores of agents and upstreams",
		Args:  args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withJudge(c.Context(), func(ctx context.Context, api admin.API) error {
				all, err := api.Scores(ctx)
				if err != nil {
					return err
				}
				if format == formatJSON {
					return json.NewEncoder(a.out).Encode(all)
				}
				rows := [][]string{{"PARTY", "SCORE", "CONDITION", "NEEDS"}}
				for i := range all {
					s := &all[i]
					rows = append(rows, []string{s.String(), strconv.Itoa(s.Score), s.Condition, needed(s.Needs)})
				}
				table(a.out, rows)
				return nil
			})
		},
	}
	formatFlag(c, &format)
	return c
}

// needed says how many of the scores that an agent needs it has not.
func needed(needs []admin.Need) string {
	held := 0
	for _, n := range needs {
		if n.Held {
			held++
		}
	}
	switch {
	case len(needs) == 0:
		return "-"
	case held == 0:
		return fmt.Sprintf("%d, all met", len(needs))
	}
	return fmt.Sprintf("%d, not met %d", len(needs), held)
}

func (a *app) trustShow() *cobra.Command {
	var format string
	var upstream bool
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a score, how it came about, and what would raise it",
		Args:  args(1, "an agent, or with --upstream an upstream"),
		RunE: func(c *cobra.Command, given []string) error {
			return a.withJudge(c.Context(), func(ctx context.Context, api admin.API) error {
				s, err := api.Score(ctx, admin.Party{Name: given[0], Upstream: upstream})
				if err != nil {
					return err
				}
				if format == formatJSON {
					s.Text = ""
					return json.NewEncoder(a.out).Encode(s)
				}
				if _, err := io.WriteString(a.out, s.Text); err != nil {
					return err
				}
				if len(s.Needs) > 0 {
					fmt.Fprintln(a.out)
					table(a.out, needRows(s.Needs))
				}
				return nil
			})
		},
	}
	upstreamFlag(c, &upstream)
	formatFlag(c, &format)
	return c
}

func needRows(needs []admin.Need) [][]string {
	rows := [][]string{{"CONNECTION", "PART", "NEEDS", "LET IN FROM", "NOW", "RULE"}}
	for _, n := range needs {
		now := "met"
		if n.Held {
			now = "kept out"
		}
		rows = append(rows, []string{n.Connection, cmp.Or(n.Part, "all"), strconv.Itoa(n.Min), strconv.Itoa(n.From), now, n.Rule})
	}
	return rows
}

func upstreamFlag(c *cobra.Command, upstream *bool) {
	c.Flags().BoolVar(upstream, "upstream", false, "NAME is an upstream")
}

// order is a command that changes how far somebody is trusted.
func (a *app) order(use, short string, obey func(context.Context, admin.API, admin.Party, admin.Order) error) *cobra.Command {
	var reason string
	var upstream bool
	c := &cobra.Command{
		Use:   use + " NAME --reason TEXT",
		Short: short,
		Args:  args(1, "an agent, or with --upstream an upstream"),
		RunE: func(c *cobra.Command, given []string) error {
			p, o := admin.Party{Name: given[0], Upstream: upstream}, admin.Order{By: username(), Reason: reason}
			return a.withOrders(c.Context(), func(ctx context.Context, api admin.API) error { return obey(ctx, api, p, o) })
		},
	}
	wantReason(c, &reason)
	upstreamFlag(c, &upstream)
	return c
}

func (a *app) trustAdjust() *cobra.Command {
	var to, by int
	c := a.order("adjust", "Bring a score to a value, or some points up or down; it ends no quarantine",
		func(ctx context.Context, api admin.API, p admin.Party, o admin.Order) error {
			change := admin.Adjustment{By: by}
			if to >= 0 {
				change = admin.Adjustment{To: &to}
			}
			done, err := api.Adjust(ctx, p, change, o)
			if err == nil {
				fmt.Fprintf(a.words, "%s: %d before, %d now\n", p, done.Before, done.After)
			}
			return err
		})
	c.Use = "adjust NAME (--to SCORE | --by POINTS) --reason TEXT"
	c.Flags().IntVar(&to, "to", -1, "score to reach, 0 to 999")
	c.Flags().IntVar(&by, "by", 0, "points to add; below 0 to take away")
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if c.Flags().Changed("to") == c.Flags().Changed("by") {
			return usage("see: "+c.CommandPath()+" --help", "give one of --to and --by")
		}
		if c.Flags().Changed("to") && (to < 0 || to > configs.BestScore) {
			return usage("a score is 0 to 999", "--to %d is no score to reach", to)
		}
		return nil
	}
	return c
}

func (a *app) trustQuarantine() *cobra.Command {
	return a.order("quarantine", "Refuse everything of an agent, or to an upstream, until it is released",
		func(ctx context.Context, api admin.API, p admin.Party, o admin.Order) error {
			err := api.Quarantine(ctx, p, o)
			if err == nil {
				fmt.Fprintf(a.words, "%s is in quarantine; to end it: hopgate trust release\n", p)
			}
			return err
		})
}

func (a *app) trustRelease() *cobra.Command {
	return a.order("release", "End a quarantine; the score is what violations have left of it",
		func(ctx context.Context, api admin.API, p admin.Party, o admin.Order) error {
			err := api.Release(ctx, p, o)
			if err == nil {
				fmt.Fprintf(a.words, "%s is in quarantine no more; its score: hopgate trust show %s\n", p, p.Name)
			}
			return err
		})
}
