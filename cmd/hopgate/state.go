package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/store"
)

func (a *app) stateOf() *cobra.Command {
	c := &cobra.Command{Use: "state", Short: "Check, back up and recover what is kept between runs", Args: noArgs, RunE: needsCommand}
	c.AddCommand(a.stateCheck(), a.stateBackup(), a.stateRestore(), a.stateRecover(), a.stateAccept())
	return c
}

// stateReport is what is known of a state directory.
type stateReport struct {
	Journal  audit.Verification `json:"journal"`
	Rollback *audit.Rollback    `json:"rollback,omitempty"`
	Anchor   string             `json:"anchor"` // file
	Ballast  int64              `json:"ballast"`
}

func (a *app) stateCheck() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "check",
		Short: "Verify the journal, and hold it against the anchor outside the state directory",
		Long: "Verify the journal from its first byte to its last, and hold it against the anchor outside the state directory. Nothing\n" +
			"is changed, and a process may be at work. The exit code is 20 where the journal is damaged or was rolled back.",
		Args: args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) (err error) {
			at, err := a.records()
			if err != nil {
				return err
			}
			r := stateReport{Anchor: at.anchor}
			if r.Journal, err = audit.Verify(c.Context(), at.dir, ""); err != nil {
				return err
			}
			if r.Journal.Damage == nil {
				if r.Rollback, err = audit.CheckAnchor(at.dir, r.Anchor); err != nil {
					return err
				}
			}
			if info, err := os.Stat(filepath.Join(at.dir, audit.Ballast)); err == nil {
				r.Ballast = info.Size()
			}
			return a.showState(&r, format)
		},
	}
	formatFlag(c, &format)
	return c
}

func (a *app) showState(r *stateReport, format string) error {
	if format == formatJSON {
		if err := json.NewEncoder(a.out).Encode(r); err != nil {
			return err
		}
	} else {
		a.verifiedText(&r.Journal)
		ballast := "none; it is made when there is room"
		if r.Ballast > 0 {
			ballast = fmt.Sprintf("%d MiB", r.Ballast>>20)
		}
		fmt.Fprintf(a.out, "%-12s %s\n", "ballast", ballast)
		_, err := os.Stat(r.Anchor)
		switch {
		case r.Rollback != nil:
			fmt.Fprintf(a.out, "%-12s %s\n", "ROLLED BACK", r.Rollback.Why)
		case err != nil:
			fmt.Fprintf(a.out, "%-12s none yet in %s\n", "anchor", r.Anchor)
		case r.Journal.Damage == nil:
			fmt.Fprintf(a.out, "%-12s ok, in %s\n", "anchor", r.Anchor)
		}
	}
	if r.Journal.Damage != nil || r.Rollback != nil {
		return silent(exitVerify)
	}
	return nil
}

func (a *app) stateBackup() *cobra.Command {
	return &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy the journal, of which all state is part, to an empty directory; a process may be at work",
		Long: "Copy the journal, of which all state is part, and its keys to an empty directory. A process may be at work. The copy is\n" +
			"verified. It holds the signing key: keep it as you keep the state.",
		Args: args(1, "a directory"),
		RunE: func(c *cobra.Command, given []string) error {
			at, err := a.records()
			if err != nil {
				return err
			}
			v, err := audit.Backup(c.Context(), at.dir, given[0])
			if err != nil {
				return damaged(err)
			}
			fmt.Fprintf(a.words, "%s copied to %s\n", count(int(v.Records), "record"), given[0]) // far below 2^63
			return nil
		},
	}
}

func (a *app) stateRestore() *cobra.Command {
	return &cobra.Command{
		Use:   "restore DIR",
		Short: "Put a backup into a state directory that is empty",
		Long: "Put a backup into a state directory that is empty. Nobody knows what was spent since the backup, so connections with a\n" +
			"spend cap stay closed until hopgate state accept-rollback.",
		Args: args(1, "a directory"),
		RunE: func(c *cobra.Command, given []string) (err error) {
			at, err := a.place(nil)
			if err != nil {
				return err
			}
			dir := at.dir
			owner, err := store.Lock(dir)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, owner.Close()) }()
			v, err := audit.Restore(c.Context(), given[0], dir)
			if errors.Is(err, audit.ErrOccupied) {
				return &coded{exitOther, fmt.Errorf("%s: %w", dir, err), "move it away, or use another --state"}
			}
			if err != nil {
				return damaged(err)
			}
			fmt.Fprintf(a.words, "%s restored to %s\n", count(int(v.Records), "record"), dir) // far below 2^63
			fmt.Fprintln(a.words, "Connections with a spend cap stay closed until: hopgate state accept-rollback --reason TEXT")
			return nil
		},
	}
}

// damaged gives damage the exit code that it has elsewhere.
func damaged(err error) error {
	if isDamage(err) {
		return &coded{exitVerify, err, ""}
	}
	return err
}

func (a *app) stateRecover() *cobra.Command {
	return &cobra.Command{
		Use:   "recover",
		Short: "Release the ballast, so that there is space again on a disk that is full",
		Args:  args(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			at, err := a.records()
			if err != nil {
				return err
			}
			dir := at.dir
			freed, err := audit.Recover(dir)
			if err != nil {
				return err
			}
			if freed == 0 {
				return &coded{exitOther, fmt.Errorf("there is no ballast in %s", dir), "make space on its disk; a start that finds room makes ballast"}
			}
			fmt.Fprintf(a.words, "%d MiB released in %s\n", freed>>20, dir)
			fmt.Fprintln(a.words, "Make space on its disk now; a start that finds room makes the ballast anew.")
			return nil
		},
	}
}

func (a *app) stateAccept() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "accept-rollback",
		Short: "Let spend go on after a restore or a rollback, from the counters that the anchor knows",
		Args:  args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			err := a.withRecords(c.Context(), func(ctx context.Context, api admin.API) error { return api.AcceptRollback(ctx, reason) })
			if err == nil {
				fmt.Fprintln(a.words, "The state counts again, from what it and the anchor say, whichever is worse.")
			}
			return err
		},
	}
	wantReason(c, &reason)
	return c
}

// AcceptRollback implements admin.API.
func (d desk) AcceptRollback(ctx context.Context, reason string) error {
	err := d.journal.AcceptRollback(ctx, reason, d.remind)
	if errors.Is(err, audit.ErrNoRollback) {
		return &because{err.Error(), admin.ErrInvalid}
	}
	return err
}
