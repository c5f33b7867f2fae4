package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/admin"
)

func (a *app) connections() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "connections [NAME]",
		Short: "Show how connections do: calls, refusals, how long calls take, trust and spend",
		Long: "Show how connections do: calls, errors, refusals and how long calls take in the last hour; trust against the score\n" +
			"that is needed, and spend against the cap that is nearest. With a name, all of it about that connection. Where no\n" +
			"process runs nothing has been counted; trust and limits are then those of the state.",
		Args: someArgs(0, 1, "one connection at most"),
		RunE: func(c *cobra.Command, given []string) error {
			return a.withJudge(c.Context(), func(ctx context.Context, api admin.API) error {
				all, err := api.Connections(ctx)
				if err != nil {
					return err
				}
				if len(given) == 1 {
					if _, err := find(all, "connection", given[0], func(c admin.Connection) string { return c.Name }); err != nil {
						return err
					}
					all = slices.DeleteFunc(all, func(c admin.Connection) bool { return c.Name != given[0] }) // one for each pair
				}
				return a.showConnections(all, len(given) == 1, format)
			})
		},
	}
	formatFlag(c, &format)
	return c
}

func (a *app) showConnections(all []admin.Connection, each bool, format string) error {
	if format == formatJSON {
		return json.NewEncoder(a.out).Encode(all)
	}
	if each {
		for i := range all {
			if i > 0 {
				fmt.Fprintln(a.out)
			}
			a.showConnection(&all[i])
		}
	} else {
		rows := [][]string{{"NAME", "FROM", "TO", "CALLS/H", "ERRORS", "DENIED", "P50", "P95", "TRUST", "SPEND", "STATE"}}
		for i := range all {
			rows = append(rows, connectionRow(&all[i]))
		}
		table(a.out, rows)
	}
	if len(all) > 0 && !all[0].Counted {
		fmt.Fprintln(a.words, "No process runs, so no calls are counted; trust and limits are those of the state.")
	}
	return nil
}

func connectionRow(c *admin.Connection) []string {
	h := &c.Hour
	return []string{
		c.Name, c.Agent, c.Upstream, number(h.Calls), number(h.Errors), number(h.Denied), took(h.P50), took(h.P95), trustOf(c), nearest(c.Limits),
		flagged(c),
	}
}

// flagged is a state, with flags where the upstream has given no usable answer lately, and where the connection only
// observes.
func flagged(c *admin.Connection) string {
	state := c.State
	if c.Failing != nil {
		state += ", upstream fails: " + whyFailing(c.Failing)
	}
	if c.Observe {
		state += ", OBSERVED ONLY"
	}
	return state
}

// whyFailing is the reason, with what it came from where that is known.
func whyFailing(f *admin.Failing) string {
	if f.Cause == "" {
		return f.Reason
	}
	return f.Reason + " (" + visible(f.Cause) + ")"
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// took writes how long calls take. It is known to a quarter, so two digits do.
func took(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Microsecond).String()
}

// trustOf holds a score against the highest that all of a connection needs.
func trustOf(c *admin.Connection) string {
	for _, n := range c.Needs {
		if n.Part == "" {
			if n.Held && c.Score >= n.From { // in a state that was rolled back, for one
				return fmt.Sprintf("not known, needs %d", n.Min)
			}
			if n.Held {
				return fmt.Sprintf("%d < %d", c.Score, n.From)
			}
			return fmt.Sprintf("%d ≥ %d", c.Score, n.Min)
		}
	}
	return strconv.Itoa(c.Score)
}

// nearest is the cap on money of which the least part is left.
func nearest(limits []admin.Limit) string {
	var least *admin.Limit
	part := func(l *admin.Limit) float64 { return float64(l.Left) / max(float64(l.Max), 1) }
	for i := range limits {
		if l := &limits[i]; isMoney(l) && (least == nil || part(l) < part(least)) {
			least = l
		}
	}
	if least == nil {
		return "-"
	}
	return amount(least, least.Used+least.Reserved) + " of " + least.Text
}

// showConnection writes all about one.
func (a *app) showConnection(c *admin.Connection) {
	table(a.out, [][]string{
		{"connection", fmt.Sprintf("%s  (%s → %s)", c.Name, c.Agent, c.Upstream)},
		{"state", flagged(c)},
		{"trust", trustOf(c)},
		{"last message", when(c.Last, "-")},
	})
	fmt.Fprintln(a.out)
	rows := [][]string{{"", "CALLS", "ERRORS", "TOOL ERRORS", "DENIED", "OBSERVED", "P50", "P95"}}
	for _, w := range []struct {
		name string
		*admin.Window
	}{{"last hour", &c.Hour}, {"in all", &c.Total}} {
		rows = append(rows, []string{
			w.name, number(w.Calls), number(w.Errors), number(w.ToolErrors), number(w.Denied), number(w.Observed), took(w.P50), took(w.P95),
		})
	}
	table(a.out, rows)
	if len(c.Total.Reasons) > 0 {
		fmt.Fprintln(a.out)
		rows := [][]string{{"REASON", "LAST HOUR", "IN ALL"}}
		for _, code := range slices.Sorted(maps.Keys(c.Total.Reasons)) {
			rows = append(rows, []string{code, number(c.Hour.Reasons[code]), number(c.Total.Reasons[code])})
		}
		table(a.out, rows)
	}
	if len(c.Needs) > 0 {
		fmt.Fprintln(a.out)
		table(a.out, needRows(c.Needs))
	}
	if len(c.Limits) > 0 {
		fmt.Fprintln(a.out)
		table(a.out, limitRows(c.Limits))
	}
}
