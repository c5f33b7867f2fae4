package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/configs"
)

// defaultOverlap is how long old keys work after a rotation, so that a running agent has time to take the new one.
const defaultOverlap = 24 * time.Hour

func (a *app) agents() *cobra.Command {
	c := &cobra.Command{Use: "agents", Short: "Manage the keys of agents", Args: noArgs, RunE: needsCommand}
	c.AddCommand(a.agentsAdd(), a.agentsList(), a.agentsShow(), a.agentsRotate(), a.agentsRevoke(), a.agentsUntaint())
	return c
}

// needsCommand answers a command that is only a group of others.
func needsCommand(c *cobra.Command, _ []string) error {
	return usage("see: "+c.CommandPath()+" --help", "%s wants a command", c.CommandPath())
}

// withAgents loads the configuration, which declares the agents, and runs f.
func (a *app) withAgents(ctx context.Context, f func(context.Context, admin.API) error) error {
	file, err := a.load()
	if err != nil {
		return err
	}
	return a.withAPI(ctx, file, a.bound, f)
}

// bound checks that the state belongs to the configuration that declares the agents.
func (a *app) bound(ctx context.Context, api admin.API) error {
	s, err := api.Status(ctx)
	if err != nil {
		return err
	}
	if !samePath(s.Config, a.config) {
		return foreign(s.State, s.Config)
	}
	return nil
}

func (a *app) agentsAdd() *cobra.Command {
	var ttl string
	c := &cobra.Command{
		Use:   "add AGENT",
		Short: "Make a key for a declared agent; the key alone goes to stdout, once",
		Args:  args(1, "an agent"),
		RunE: func(c *cobra.Command, given []string) error {
			d, err := span("--ttl", ttl)
			if err != nil {
				return err
			}
			return a.withAgents(c.Context(), func(ctx context.Context, api admin.API) error {
				k, err := api.AddKey(ctx, given[0], d)
				if err != nil {
					return err
				}
				return a.show(given[0], k)
			})
		},
	}
	c.Flags().StringVar(&ttl, "ttl", "", "how long the key is good, such as 90d (default: until it is revoked)")
	return c
}

func (a *app) agentsRotate() *cobra.Command {
	var overlap string
	c := &cobra.Command{
		Use:   "rotate AGENT",
		Short: "Make a new key; the old ones work for a while",
		Args:  args(1, "an agent"),
		RunE: func(c *cobra.Command, given []string) error {
			d, err := span("--overlap", overlap)
			if err != nil {
				return err
			}
			return a.withAgents(c.Context(), func(ctx context.Context, api admin.API) error {
				k, err := api.Rotate(ctx, given[0], d)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.words, "Old keys of %s work until %s.\n", given[0], time.Now().Add(d).Format(time.RFC3339))
				return a.show(given[0], k)
			})
		},
	}
	c.Flags().StringVar(&overlap, "overlap", defaultOverlap.String(), "how long old keys still work")
	return c
}

// show gives a new key away: the only time that anybody sees it.
func (a *app) show(agent string, k admin.NewKey) error {
	expires := "does not expire"
	if !k.Details.Expires.IsZero() {
		expires = "expires " + k.Details.Expires.Format(time.RFC3339)
	}
	fmt.Fprintf(a.words, "New key %s of %s, shown once; it %s:\n", k.Details.ID, agent, expires)
	_, err := fmt.Fprintln(a.out, k.Key)
	return err
}

func (a *app) agentsList() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "list",
		Short: "List agents and how many keys they have",
		Args:  args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withAgents(c.Context(), func(ctx context.Context, api admin.API) error {
				all, err := api.Agents(ctx)
				if err != nil {
					return err
				}
				if format == formatJSON {
					return json.NewEncoder(a.out).Encode(all)
				}
				rows := [][]string{{"AGENT", "AUTH", "CONNECTIONS", "ACTIVE KEYS", "LAST USED"}}
				for i := range all {
					rows = append(rows, agentRow(&all[i]))
				}
				table(a.out, rows)
				return nil
			})
		},
	}
	formatFlag(c, &format)
	return c
}

func agentRow(x *admin.Agent) []string {
	if x.Auth == string(configs.AuthLocal) && len(x.Keys) == 0 { // the user of the operating system speaks for it, and not a key
		return []string{x.Name, x.Auth, fmt.Sprint(len(x.Connections)), "-", "-"}
	}
	active, used := 0, time.Time{}
	for _, k := range x.Keys {
		if k.State == "active" {
			active++
		}
		if k.Used.After(used) {
			used = k.Used
		}
	}
	return []string{x.Name, cmp.Or(x.Auth, "undeclared"), fmt.Sprint(len(x.Connections)), fmt.Sprint(active), when(used, "never")}
}

func (a *app) agentsShow() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "show AGENT",
		Short: "Show an agent's connections and keys",
		Args:  args(1, "an agent"),
		RunE: func(c *cobra.Command, given []string) error {
			return a.withAgents(c.Context(), func(ctx context.Context, api admin.API) error {
				all, err := api.Agents(ctx)
				if err != nil {
					return err
				}
				i, err := find(all, "agent", given[0], func(x admin.Agent) string { return x.Name })
				if err != nil {
					return err
				}
				return a.showAgent(&all[i], format)
			})
		},
	}
	formatFlag(c, &format)
	return c
}

func (a *app) showAgent(x *admin.Agent, format string) error {
	if format == formatJSON {
		return json.NewEncoder(a.out).Encode(x)
	}
	fmt.Fprintf(a.out, "agent        %s\nauth         %s\nconnections  %s\n", x.Name, x.Auth, names(x.Connections, func(s string) string { return s }))
	if len(x.Keys) == 0 {
		return nil
	}
	fmt.Fprintln(a.out)
	rows := [][]string{{"KEY", "STATE", "CREATED", "EXPIRES", "LAST USED"}}
	for _, k := range x.Keys {
		rows = append(rows, []string{k.ID, k.State, when(k.Created, ""), when(k.Expires, "never"), when(k.Used, "never")})
	}
	table(a.out, rows)
	return nil
}

func (a *app) agentsRevoke() *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:   "revoke AGENT",
		Short: "End all keys of an agent, or one; what is open under them ends within a second",
		Args:  args(1, "an agent"),
		RunE: func(c *cobra.Command, given []string) error {
			return a.withAgents(c.Context(), func(ctx context.Context, api admin.API) error {
				n, err := api.Revoke(ctx, given[0], key)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.words, "%s of %s revoked\n", count(n, "key"), given[0])
				return nil
			})
		},
	}
	c.Flags().StringVar(&key, "key", "", "id of the key (default: all)")
	return c
}

func (a *app) agentsUntaint() *cobra.Command {
	return &cobra.Command{
		Use:   "untaint AGENT",
		Short: "Let an agent act again that was told injected instructions",
		Args:  args(1, "an agent"),
		RunE: func(c *cobra.Command, given []string) error {
			return a.withOrders(c.Context(), func(ctx context.Context, api admin.API) error {
				err := api.Untaint(ctx, given[0])
				if errors.Is(err, admin.ErrNotFound) {
					return &coded{exitOther, err, "see who is: hopgate status"}
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(a.words, "%s may act again\n", given[0])
				return nil
			})
		},
	}
}

// span reads a duration from a flag.
func span(flag, s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := configs.ParseDuration(s)
	if err != nil {
		return 0, usage("write it like 90d, 24h or 15m", "%s: %w", flag, err)
	}
	return d, nil
}

func when(t time.Time, never string) string {
	if t.IsZero() {
		return never
	}
	return t.Local().Format(time.DateTime)
}

const (
	formatText = "text"
	formatJSON = "json"
)

// wantReason gives a command, which says already what it does, the flag that says why.
func wantReason(c *cobra.Command, reason *string) {
	c.Flags().StringVar(reason, "reason", "", "why, for the record")
	do := c.RunE
	c.RunE = func(c *cobra.Command, given []string) error {
		if *reason == "" {
			return usage(`say why, for the record: --reason "..."`, "--reason is missing")
		}
		return do(c, given)
	}
}

func formatFlag(c *cobra.Command, format *string) {
	c.Flags().StringVarP(format, "output", "o", formatText, "text or json")
	c.PreRunE = func(*cobra.Command, []string) error {
		if *format != formatText && *format != formatJSON {
			return usage("use text or json", "-o %s is no format", *format)
		}
		return nil
	}
}
