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
	"github.com/hopgate/hopgate/quota"
)

func (a *app) spend() *cobra.Command {
	var format string
	var all bool
	c := &cobra.Command{
		Use:   "spend",
		Short: "Show what is used and left of every cap on money",
		Args:  args(0, "no arguments but flags"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withJudge(c.Context(), func(ctx context.Context, api admin.API) error {
				limits, err := api.Limits(ctx)
				if err != nil {
					return err
				}
				if !all {
					limits = slices.DeleteFunc(limits, func(l admin.Limit) bool { return !isMoney(&l) })
				}
				if format == formatJSON {
					return json.NewEncoder(a.out).Encode(limits)
				}
				table(a.out, limitRows(limits))
				if len(limits) == 0 {
					fmt.Fprintln(a.words, "Nothing has a cap on money; all limits there are: hopgate spend --all")
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all limits, not those on money alone")
	formatFlag(c, &format)
	return c
}

func isMoney(l *admin.Limit) bool { return l.Kind == quota.KindSpend.String() }

func limitRows(limits []admin.Limit) [][]string {
	rows := [][]string{{"WHOSE", "LIMIT", "USED", "RESERVED", "LEFT", "RESETS"}}
	for i := range limits {
		l := &limits[i]
		rows = append(rows, []string{l.Place, l.Text, amount(l, l.Used), amount(l, l.Reserved), amount(l, l.Left), resets(l)})
	}
	return rows
}

func resets(l *admin.Limit) string {
	switch {
	case l.Resets.IsZero():
		return "with the calls under way"
	case l.Kind == quota.KindRate.String() && l.Used == 0:
		return "-"
	}
	return l.Resets.Format(time.DateTime + " -07:00") // in the zone of the window, whose name does not come from a process
}

// amount writes a number in the unit of its limit.
func amount(l *admin.Limit, n int64) string {
	switch {
	case isMoney(l) && n < 0:
		return "-" + quota.Price{Nanos: -n, Currency: quota.Code(l.Unit)}.String()
	case isMoney(l):
		return quota.Price{Nanos: n, Currency: quota.Code(l.Unit)}.String()
	case l.Unit == "bytes":
		return size(n)
	}
	return strconv.FormatInt(n, 10)
}

// size writes a number of bytes, to a tenth of a unit.
func size(n int64) string {
	const step = 1024
	units := []string{"B", "KiB", "MiB", "GiB"}
	tenths := n * 10
	for len(units) > 1 && tenths >= step*10 {
		tenths, units = tenths/step, units[1:]
	}
	if tenths%10 == 0 {
		return fmt.Sprintf("%d%s", tenths/10, units[0])
	}
	return fmt.Sprintf("%d.%d%s", tenths/10, tenths%10, units[0])
}
