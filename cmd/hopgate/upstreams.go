package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/toolscope/pin"
)

func (a *app) upstreams() *cobra.Command {
	c := &cobra.Command{Use: "upstreams", Short: "Show upstreams, log in there, and decide on definitions that have changed", Args: noArgs, RunE: needsCommand}
	c.AddCommand(a.upstreamsList(), a.upstreamsShow(), a.upstreamsTools(), a.upstreamsDiff(), a.upstreamsAccept(), a.upstreamsLogin(), a.upstreamsLogout())
	return c
}

func (a *app) upstreamsList() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "list",
		Short: "List upstreams: how they answer, and how many of their definitions are withheld",
		Args:  args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withJudge(c.Context(), func(ctx context.Context, api admin.API) error {
				all, err := api.Upstreams(ctx)
				if err != nil {
					return err
				}
				if format == formatJSON {
					return json.NewEncoder(a.out).Encode(all)
				}
				rows := [][]string{{"NAME", "KIND", "ADDRESS", "PROTOCOL", "PIN", "PINNED", "WITHHELD", "AGENTS", "STATE"}}
				for i := range all {
					u := &all[i]
					rows = append(rows, []string{
						u.Name, u.Kind, visible(u.Address), dash(u.Protocol), u.Pin, strconv.Itoa(u.Pinned), strconv.Itoa(u.Withheld),
						strconv.Itoa(len(u.Agents)), answering(u),
					})
				}
				table(a.out, rows)
				return nil
			})
		},
	}
	formatFlag(c, &format)
	return c
}

// answering says how an upstream did when it was last asked.
func answering(u *admin.Upstream) string {
	switch {
	case !u.Counted:
		return "no process runs"
	case u.Answered.IsZero() && u.Failed.IsZero():
		return "not asked yet"
	case u.Breaker != nil:
		return fmt.Sprintf("paused after %s, next try %s", count(u.Breaker.Failures, "failure"), u.Breaker.Next.Format(time.TimeOnly))
	case u.Failed.After(u.Answered):
		return "fails: " + whyFailing(&admin.Failing{Reason: u.Reason, Cause: u.Cause})
	}
	return "answers"
}

func (a *app) upstreamsShow() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Show an upstream: how it answers, who may reach it, and what of it is withheld",
		Args:  args(1, "an upstream"),
		RunE: func(c *cobra.Command, given []string) error {
			return a.withJudge(c.Context(), func(ctx context.Context, api admin.API) error {
				all, err := api.Upstreams(ctx)
				if err != nil {
					return err
				}
				i, err := find(all, "upstream", given[0], func(u admin.Upstream) string { return u.Name })
				if err != nil {
					return err
				}
				if format == formatJSON {
					return json.NewEncoder(a.out).Encode(all[i])
				}
				definitions, err := api.Definitions(ctx, given[0])
				if err != nil {
					return err
				}
				a.showUpstream(&all[i], definitions)
				return nil
			})
		},
	}
	formatFlag(c, &format)
	return c
}

func (a *app) showUpstream(u *admin.Upstream, definitions []admin.Definition) {
	rows := [][]string{
		{"upstream", fmt.Sprintf("%s  (%s, %s)", u.Name, u.Kind, visible(u.Address))},
		{"state", answering(u)},
		{"last answer", when(u.Answered, "-")},
		{"last failure", when(u.Failed, "-")},
		{"protocol", dash(u.Protocol)},
		{"token", tokenOf(u)},
		{"pin", fmt.Sprintf("%s, %d pinned, %d withheld", u.Pin, u.Pinned, u.Withheld)},
		{"agents", dash(strings.Join(u.Agents, ", "))},
	}
	if u.Failed.IsZero() {
		rows = slices.Delete(rows, 3, 4)
	} else {
		rows[3][1] += "  " + whyFailing(&admin.Failing{Reason: u.Reason, Cause: u.Cause})
	}
	table(a.out, rows)
	rows = [][]string{{"DEFINITION", "CONDITION", "SINCE", "CHANGED", "SHOWN TO"}}
	for i := range definitions {
		x := &definitions[i]
		if x.Condition == pin.Pinned.String() && !x.Gone {
			continue
		}
		rows = append(rows, []string{visible(x.ID), conditionOf(x), when(x.Since, "-"), when(x.Changed, "-"), dash(x.By)})
	}
	if len(rows) > 1 {
		fmt.Fprintln(a.out)
		table(a.out, rows)
	}
}

// tokenOf says whether there is a token to call an upstream with.
func tokenOf(u *admin.Upstream) string {
	t := u.Token
	switch {
	case t == nil:
		return "-"
	case t.Got.IsZero() && t.Renewable:
		return "none yet"
	case t.Got.IsZero():
		return "none: hopgate upstreams login " + u.Name
	}
	text := "of " + visible(t.Issuer) + ", got " + when(t.Got, "-") + ", expires " + when(t.Expires, "unknown")
	if t.Renewable {
		text += ", renewed by itself"
	}
	return text
}

func conditionOf(x *admin.Definition) string {
	text := x.Condition
	if x.Shadows != "" {
		text += ", like " + visible(x.Shadows)
	}
	if x.Gone {
		text += ", gone"
	}
	return text
}

func (a *app) upstreamsTools() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "tools NAME",
		Short: "List the tools of an upstream, whether their definitions are relied on, and who may call them",
		Long: "List the tools of an upstream, whether their definitions are relied on, and which agents may call them, unless arguments\n" +
			"or limits stand against it. Known are those that are pinned, and those that were listed since the process began.",
		Args: args(1, "an upstream"),
		RunE: func(c *cobra.Command, given []string) error {
			return a.withJudge(c.Context(), func(ctx context.Context, api admin.API) error {
				all, err := api.Tools(ctx, given[0])
				if err != nil {
					return err
				}
				if format == formatJSON {
					return json.NewEncoder(a.out).Encode(all)
				}
				rows := [][]string{{"TOOL", "TASK", "PIN", "AGENTS", "DENIED"}}
				for i := range all {
					t := &all[i]
					var denied []string
					for _, agent := range slices.Sorted(maps.Keys(t.Denied)) {
						denied = append(denied, agent+" "+t.Denied[agent])
					}
					rows = append(rows, []string{
						visible(t.Name), t.Task, dash(t.Pin), dash(strings.Join(t.Agents, ", ")), dash(strings.Join(denied, ", ")),
					})
				}
				table(a.out, rows)
				return nil
			})
		},
	}
	formatFlag(c, &format)
	return c
}

func (a *app) upstreamsDiff() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "diff [NAME]",
		Short: "Show the definitions that are withheld, and what has changed in them",
		Args:  someArgs(0, 1, "one upstream at most"),
		RunE: func(c *cobra.Command, given []string) error {
			return a.withJudge(c.Context(), func(ctx context.Context, api admin.API) error {
				found, err := waiting(ctx, api, given)
				if err != nil {
					return err
				}
				if format == formatJSON {
					return json.NewEncoder(a.out).Encode(found)
				}
				for _, name := range slices.Sorted(maps.Keys(found)) {
					a.showWithheld(name, found[name])
				}
				if len(found) == 0 {
					fmt.Fprintln(a.words, "No definition is withheld.")
				}
				return nil
			})
		},
	}
	formatFlag(c, &format)
	return c
}

// waiting are the definitions that are withheld, of some upstreams or where none is named of all.
func waiting(ctx context.Context, api admin.API, names []string) (map[string][]admin.Definition, error) {
	if len(names) == 0 {
		all, err := api.Upstreams(ctx)
		if err != nil {
			return nil, err
		}
		for i := range all {
			names = append(names, all[i].Name)
		}
	}
	found := map[string][]admin.Definition{}
	for _, name := range names {
		all, err := api.Definitions(ctx, name)
		if err != nil {
			return nil, err
		}
		if all = withheld(all); len(all) > 0 {
			found[name] = all
		}
	}
	return found, nil
}

func withheld(all []admin.Definition) []admin.Definition {
	return slices.DeleteFunc(all, func(x admin.Definition) bool { return x.Condition == pin.Pinned.String() })
}

// showWithheld writes what is withheld of an upstream, and how to let it in.
func (a *app) showWithheld(upstream string, all []admin.Definition) {
	var items []string
	for i := range all {
		x := &all[i]
		a.showChanges(upstream, x)
		if x.Digest != "" && x.Digest != x.Waiting {
			fmt.Fprintf(a.out, "  to keep what was pinned: %s@%s\n", visible(x.ID), x.Digest)
		}
		if x.Waiting != "" {
			fmt.Fprintf(a.out, "  to accept what is shown: %s@%s\n", visible(x.ID), x.Waiting)
			items = append(items, shellWord(x.ID+"@"+x.Waiting))
		}
		fmt.Fprintln(a.out)
	}
	if len(items) > 0 && len(items) <= 4 {
		fmt.Fprintf(a.out, "hopgate upstreams accept %s %s --reason TEXT\n", upstream, strings.Join(items, " "))
	}
}

// showChanges writes what has changed in one definition.
func (a *app) showChanges(upstream string, x *admin.Definition) {
	fmt.Fprintf(a.out, "%s  %s  %s\n", upstream, visible(x.ID), conditionOf(x))
	for _, line := range changes(x.Pinned, x.Seen) {
		fmt.Fprintln(a.out, "  "+visible(line))
	}
}

// shellWord quotes what a shell would read otherwise.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.:/@", r)
	}
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(visible(s), "'", `'\''`) + "'"
}

func (a *app) upstreamsAccept() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "accept NAME [ITEM...] --reason TEXT",
		Short: "Accept definitions that are withheld, as they were last seen",
		Long: "Accept definitions that are withheld: those that are named, or all of the upstream. What is accepted is shown first, and\n" +
			"nothing else is accepted: where an upstream changes a definition meanwhile, it stays withheld. An ITEM is a tool, or\n" +
			"prompt:NAME, template:URI, instructions: or tool:NAME, and may have @DIGEST behind it, as diff shows it: then nothing\n" +
			"but that definition is accepted. With the digest of the pinned definition, that one is kept.",
		Args: someArgs(1, math.MaxInt, "an upstream"),
		RunE: func(c *cobra.Command, given []string) error {
			return a.withOrders(c.Context(), func(ctx context.Context, api admin.API) error {
				all, err := api.Definitions(ctx, given[0])
				if err != nil {
					return err
				}
				chosen, shown, err := choose(withheld(all), given[1:])
				if err != nil {
					return err
				}
				for i := range shown {
					a.showChanges(given[0], &shown[i])
				}
				err = api.Accept(ctx, given[0], chosen, admin.Order{By: username(), Reason: reason})
				if err == nil {
					fmt.Fprintf(a.words, "%s of upstream %s: accepted\n", count(len(chosen), "definition"), given[0])
				}
				return err
			})
		},
	}
	wantReason(c, &reason)
	return c
}

// choose returns what is to be accepted, and of that what nobody has named by its digest, to be shown.
func choose(all []admin.Definition, items []string) (chosen []admin.Acceptance, shown []admin.Definition, err error) {
	if len(items) == 0 {
		for i := range all {
			if all[i].Waiting != "" {
				items = append(items, all[i].ID)
			}
		}
	}
	if len(items) == 0 {
		return nil, nil, fmt.Errorf("nothing is withheld that could be accepted")
	}
	for _, item := range items {
		i := slices.IndexFunc(all, func(x admin.Definition) bool { return x.ID == item })
		if i >= 0 {
			chosen = append(chosen, admin.Acceptance{ID: item, Digest: all[i].Waiting})
			shown = append(shown, all[i])
			continue
		}
		at := strings.LastIndexByte(item, '@')
		if at < 0 {
			return nil, nil, fmt.Errorf("%s: it is not withheld; see hopgate upstreams diff", visible(item))
		}
		chosen = append(chosen, admin.Acceptance{ID: item[:at], Digest: item[at+1:]})
	}
	return chosen, shown, nil
}
