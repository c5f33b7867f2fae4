package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/cmd/hopgate/relay"
	"github.com/hopgate/hopgate/store"
)

func (a *app) status() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "status",
		Short: "Tell what the running process has in force",
		Long: "Tell what the process that owns the state has in force. The exit code is 3 where that is not the configuration on disk,\n" +
			"20 where the state was rolled back, 1 where the journal lets no call through, and 8 where no process runs.",
		Args: args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			at, err := a.place(nil)
			if err != nil {
				return err
			}
			if !store.Held(at.dir) {
				return nobody(at.dir, "start one: hopgate serve")
			}
			s, err := admin.NewClient(a.socket(at.dir, socketAdmin), relay.Ours).Status(c.Context())
			if err != nil {
				return err
			}
			if _, err := os.Stat(a.config); err != nil {
				if err := a.noteState(); err != nil {
					return err
				}
			} else if !samePath(s.Config, a.config) {
				return foreign(s.State, s.Config)
			}
			return a.showStatus(&s, format)
		},
	}
	formatFlag(c, &format)
	return c
}

// nobody says that no process is at work, or that this user cannot tell.
func nobody(dir, hint string) error {
	if err := readable(dir); errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("looking for the process that owns the state: %w", err)
	}
	return &coded{exitUnreachable, fmt.Errorf("no process owns the state in %s", dir), hint}
}

// idleSuppressions are those that nobody misses, or should not.
func idleSuppressions(all []admin.Suppression) (rows [][]string) {
	for _, x := range all {
		switch what := x.Rule + " at " + x.At + ", of " + x.Owner; {
		case x.Ended:
			rows = append(rows, []string{"SUPPRESSION ENDED", what + ", on " + x.Until.Format(time.DateOnly)})
		case x.Used == 0:
			rows = append(rows, []string{"suppression unused", what + ", since the configuration is in force"})
		}
	}
	return rows
}

func (a *app) showStatus(s *admin.Status, format string) error {
	if format == formatJSON {
		if err := json.NewEncoder(a.out).Encode(s); err != nil {
			return err
		}
	} else {
		rows := [][]string{
			{"version", s.Version},
			{"process", fmt.Sprintf("%d, since %s", s.PID, when(s.Started, "-"))},
			{"state", s.State},
			{"anchor", s.Anchor},
			{"configuration", s.Config + ", revision " + s.Revision},
			{"listening on", cmp.Or(s.Listen, "nothing but its sockets")},
		}
		rows = append(rows, []string{"journal", cmp.Or(s.Journal, "ok")})
		if s.Rollback != "" {
			rows = append(rows, []string{"ROLLED BACK", s.Rollback})
		}
		for i := range s.Failing {
			f := &s.Failing[i]
			rows = append(rows, []string{"UPSTREAM FAILS", f.Upstream + ", last at " + when(f.At, "-") + ": " + whyFailing(f)})
		}
		for _, w := range s.Withheld {
			rows = append(rows, []string{"WITHHELD", fmt.Sprintf("%s of %s; see: hopgate upstreams diff %[2]s, and accept", count(w.Definitions, "definition"), w.Upstream)})
		}
		if len(s.Quarantined) > 0 {
			rows = append(rows, []string{"QUARANTINED", names(s.Quarantined, admin.Party.String)})
		}
		for _, t := range s.Tainted {
			rows = append(rows, []string{"TAINTED", t.Agent + ", until " + when(t.Until, "-") + ", due to " + t.Ref + " on " + t.Connection})
		}
		if len(s.Observe) > 0 {
			rows = append(rows, []string{"OBSERVED ONLY", strings.Join(s.Observe, ", ")})
		}
		table(a.out, append(rows, idleSuppressions(s.Suppressions)...))
	}
	switch {
	case s.Journal != "":
		return &coded{exitOther, fmt.Errorf("the journal lets no call through: %s", s.Journal), "see the log of the process; where the disk is full, make room, or first: hopgate state recover"}
	case s.Rollback != "":
		return &coded{exitVerify, fmt.Errorf("the state may be older than what was done under it: %s", s.Rollback), "see: hopgate state check, and accept-rollback"}
	case s.LastGood == "":
		return nil
	}
	return &coded{exitConfig, fmt.Errorf("the configuration on disk is not in force:\n%s", s.LastGood), "correct it; see: hopgate check"}
}
