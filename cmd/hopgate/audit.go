package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/store"
)

func (a *app) audit() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "Read and verify the record of all decisions", Args: noArgs, RunE: needsCommand}
	c.AddCommand(a.auditTail(), a.auditSearch(), a.auditShow(), a.auditVerify())
	return c
}

// withRecords runs f on the records of the state directory.
func (a *app) withRecords(ctx context.Context, f func(context.Context, admin.API) error) error {
	if _, err := a.records(); err != nil {
		return err
	}
	return a.withAPI(ctx, nil, a.ours, f)
}

// ours checks that a state belongs to the configuration, where there is one. Where there is none, and no flag names the
// state, it says which one is meant: who is in the wrong directory would not know.
func (a *app) ours(ctx context.Context, api admin.API) error {
	if _, err := os.Stat(a.config); err != nil {
		return a.noteState() // a state can be read without
	}
	return a.bound(ctx, api)
}

// noteState tells which state a command is about that has no configuration.
func (a *app) noteState() error {
	if a.state != "" {
		return nil
	}
	at, err := a.place(nil)
	if err == nil {
		fmt.Fprintf(a.words, "hopgate: note: there is no %s; this is about the state in %s\n", a.config, at.dir)
	}
	return err
}

// records says in which directory the records are. Reading makes none.
func (a *app) records() (place, error) {
	at, err := a.place(nil)
	if err != nil {
		return at, err
	}
	if _, err := os.Stat(at.dir); err != nil {
		return at, &coded{exitOther, fmt.Errorf("there are no records in %s: %w", at.dir, errors.Unwrap(err)), "hopgate serve and hopgate stdio make them; where they are elsewhere: --state, or --config"}
	}
	return at, nil
}

func (a *app) auditTail() *cobra.Command {
	var n int
	var follow bool
	var format string
	c := &cobra.Command{
		Use:   "tail",
		Short: "Show the last records, and with -f every new one",
		Args:  args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if at, err := a.records(); err == nil && follow && !store.Held(at.dir) {
				return nobody(at.dir, "start one: hopgate serve") // and to wait here would keep one from starting
			}
			return a.withRecords(c.Context(), func(ctx context.Context, api admin.API) error {
				for raw, err := range api.Tail(ctx, n, follow) {
					if err != nil {
						return errors.Join(ctx.Err(), err)
					}
					if err := a.printRecord(raw, format); err != nil {
						return err
					}
				}
				return ctx.Err()
			})
		},
	}
	c.Flags().IntVarP(&n, "lines", "n", 20, "how many records")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "wait for more")
	formatFlag(c, &format)
	return c
}

func (a *app) auditSearch() *cobra.Command {
	var q admin.Query
	var since, until, format string
	c := &cobra.Command{
		Use:   "search",
		Short: "Find records, newest first",
		Args:  args(0, "no arguments but flags"),
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if q.Since, err = moment("--since", since); err != nil {
				return err
			}
			if q.Until, err = moment("--until", until); err != nil {
				return err
			}
			var codes []string
			if q.Reason != "" {
				if codes, err = a.codesOf(q.Reason); err != nil {
					return err
				}
			}
			switch {
			case q.Decision != "" && q.Decision != audit.DecisionAllow && q.Decision != audit.DecisionDeny:
				return usage("it is "+audit.DecisionAllow+" or "+audit.DecisionDeny, "--decision %q is no decision", q.Decision)
			case q.Limit < 1:
				return usage("it is 1 or more", "--limit %d finds nothing", q.Limit)
			case !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until):
				return usage("durations count back from now: --since 2h --until 1h", "--since is not before --until, so nothing can be found")
			}
			return a.withRecords(c.Context(), func(ctx context.Context, api admin.API) error {
				more := q
				more.Limit++ // so that what is left out is known
				all, err := searchAny(ctx, api, more, codes)
				if err != nil {
					return err
				}
				if err := a.printRecords(all[:min(len(all), q.Limit)], format); err != nil {
					return err
				}
				a.noteSearch(&q, len(all))
				return nil
			})
		},
	}
	f := c.Flags()
	f.StringVar(&q.Agent, "agent", "", "name of the agent")
	f.StringVar(&q.Connection, "connection", "", "name of the connection")
	f.StringVar(&q.Target, "target", "", "tool, prompt or URI")
	f.StringVar(&q.Reason, "reason", "", "code of a refusal, as on record or as agents are told, or of a finding that refused nothing")
	f.StringVar(&q.Decision, "decision", "", "allow or deny")
	f.StringVar(&since, "since", "", "from this time on: RFC 3339, or a duration before now such as 2h")
	f.StringVar(&until, "until", "", "before this time, likewise")
	f.IntVar(&q.Limit, "limit", 100, "how many records at most")
	formatFlag(c, &format)
	return c
}

// noteSearch tells what a search leaves unsaid: that there is more, or that a name may be misspelt. Records outlive the
// names of a configuration, so that one which is not declared is no mistake.
func (a *app) noteSearch(q *admin.Query, found int) {
	if found > q.Limit {
		fmt.Fprintf(a.words, "hopgate: note: these are the newest %d; there are more: --limit\n", q.Limit)
	}
	if found > 0 {
		return
	}
	file, err := a.load()
	if err != nil {
		return // records can be read without
	}
	agents, connections := make([]string, len(file.Agents)), make([]string, len(file.Connections))
	for i, x := range file.Agents {
		agents[i] = x.Name
	}
	for i, x := range file.Connections {
		connections[i] = x.Name
	}
	a.noteName(file, "agent", q.Agent, agents)
	a.noteName(file, "connection", q.Connection, connections)
}

// noteName tells of a name that a configuration does not declare.
func (a *app) noteName(file *configs.File, what, name string, declared []string) {
	if name == "" || slices.Contains(declared, name) {
		return
	}
	hint := ""
	if near := policy.Nearest(name, declared); near != "" {
		hint = "; did you mean " + near + "?"
	}
	fmt.Fprintf(a.words, "hopgate: note: no record was found, and %s declares no %s %q%s\n", file.Path, what, name, hint)
}

func moment(flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	d, err := configs.ParseDuration(s)
	if err != nil {
		return time.Time{}, usage("write a time like 2026-11-23T09:00:00Z, or a duration like 2h", "%s %q is no time", flag, s)
	}
	return time.Now().Add(-d), nil
}

func (a *app) auditShow() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "show REF",
		Short: "Show all records of one call, in all its rounds",
		Args:  args(1, "the ref of a call"),
		RunE: func(c *cobra.Command, given []string) error {
			return a.withRecords(c.Context(), func(ctx context.Context, api admin.API) error {
				all, err := api.Show(ctx, given[0])
				if err != nil {
					return err
				}
				return a.printRecords(all, format)
			})
		},
	}
	formatFlag(c, &format)
	return c
}

func (a *app) printRecords(all []json.RawMessage, format string) error {
	for _, raw := range all {
		if err := a.printRecord(raw, format); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printRecord(raw json.RawMessage, format string) error {
	if format == formatJSON {
		_, err := fmt.Fprintf(a.out, "%s\n", raw)
		return err
	}
	var r audit.Record
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("reading a record: %w", err)
	}
	_, err := io.WriteString(a.out, recordLine(&r))
	return err
}

// recordLine is a record for people. Everything in it that an agent can choose is quoted, so that no record can draw on a
// terminal.
func recordLine(r *audit.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-7s", r.Time.Local().Format("2006-01-02 15:04:05.000"), r.Kind)
	put := func(format string, args ...any) { fmt.Fprintf(&b, "  "+format, args...) }
	if r.Ref != "" {
		put("%s", r.Ref)
	}
	if r.First != "" {
		put("round of %s", r.First)
	}
	if r.Decision == audit.DecisionDeny {
		put("DENY %s", r.Reason)
	}
	switch {
	case r.Upstream != "" && (r.Agent != "" || r.Kind != audit.KindEvent):
		put("%s → %s", cmp.Or(r.Agent, "nobody"), printable(r.Upstream))
	case r.Upstream != "": // what operators and servers do
		put("%s", printable(r.Upstream))
	case r.Agent != "":
		put("%s", r.Agent)
	}
	if r.Method != "" {
		put("%s", printable(r.Method))
	}
	if r.Target != "" {
		put("%s", printable(r.Target))
	}
	switch {
	case r.Status == audit.StatusUnknown: // a crash has hidden how long it took, too
		put("%s", r.Status)
	case r.Status != "":
		put("%s in %s", r.Status, time.Duration(r.TookUS)*time.Microsecond)
	}
	if r.Count > 0 {
		put("%d refusals", r.Count)
	}
	switch {
	case r.Charged != "":
		put("charged %s", r.Charged)
	case r.Reserved != "":
		put("reserved %s", r.Reserved)
	}
	if r.Event != "" {
		put("%s", r.Event)
	}
	if r.Detail != "" {
		put("(%s)", printable(r.Detail))
	}
	if r.Rule != "" {
		put("[%s]", r.Rule)
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		put("found %s", cmp.Or(f.Reason, f.Gate))
		if f.Detail != "" {
			put("(%s)", printable(f.Detail))
		}
	}
	b.WriteByte('\n')
	return b.String()
}

// printable quotes text that holds anything but plain characters.
func printable(s string) string {
	q := fmt.Sprintf("%+q", s)
	if q == `"`+s+`"` && !strings.Contains(s, " ") {
		return s
	}
	return q
}

func (a *app) auditVerify() *cobra.Command {
	var keyFile, format string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Check the journal from its first byte to its last; needs no running process",
		Args:  args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			at, err := a.records()
			if err != nil {
				return err
			}
			key := ""
			if keyFile != "" {
				raw, err := os.ReadFile(keyFile)
				if err != nil {
					return &coded{exitOther, fmt.Errorf("reading the public key: %w", err), "leave --key out for the one beside the journal"}
				}
				key = string(raw)
			}
			v, err := audit.Verify(c.Context(), at.dir, key)
			if err != nil {
				return err
			}
			return a.verified(&v, format)
		},
	}
	c.Flags().StringVar(&keyFile, "key", "", "public key from a place that can be trusted (default: the one beside the journal)")
	formatFlag(c, &format)
	return c
}

// verified shows what a verification has found.
func (a *app) verified(v *audit.Verification, format string) error {
	if format == formatJSON {
		if err := json.NewEncoder(a.out).Encode(v); err != nil {
			return err
		}
	} else {
		a.verifiedText(v)
	}
	if v.Damage != nil {
		return silent(exitVerify)
	}
	return nil
}

func (a *app) verifiedText(v *audit.Verification) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(a.out, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("journal", "%s, %s", v.Stream, count(v.Segments, "segment"))
	row("records", "%d, %s … %s", v.Records, when(v.From, "-"), when(v.To, "-"))
	if v.Pruned > 0 {
		row("pruned", "%d, their time had come", v.Pruned)
	}
	row("chain", "%s", v.Chain)
	row("checkpoints", "%d signed, covering %d records; %d newer ones are not signed yet", v.Checkpoints, v.Signed, v.Unsigned())
	switch {
	case v.Damage != nil:
		row("DAMAGED", "%s", v.Damage)
	case v.Torn != nil && v.Writing:
		row("result", "ok; the end is being written")
	case v.Torn != nil:
		row("result", "ok up to a torn end, which the next start repairs: %s", v.Torn)
	default:
		row("result", "ok")
	}
}
