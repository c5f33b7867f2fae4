package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/store"
)

// Exit codes are part of the interface; scripts rely on them.
const (
	exitOther       = 1
	exitUsage       = 2
	exitConfig      = 3
	exitTests       = 4
	exitDenied      = 5
	exitUnreachable = 8
	exitLocked      = 9
	exitVerify      = 20
	exitInterrupted = 130
)

// exits is what people are told of the exit codes.
var exits = []struct {
	code    int
	meaning string
}{
	{0, "done; for explain: the call would be allowed"},
	{exitOther, "something else went wrong"},
	{exitUsage, "the command line is wrong"},
	{exitConfig, "the configuration is not sound, not in force, or not the one that the state belongs to"},
	{exitTests, "tests of the configuration fail"},
	{exitDenied, "explain: the call would be refused"},
	{exitUnreachable, "no process serves the state, or it does not answer"},
	{exitLocked, "another process owns the state"},
	{exitVerify, "the journal is damaged, or was rolled back"},
	{exitInterrupted, "interrupted"},
}

// exitCodes is a help topic: it has no Run.
func exitCodes() *cobra.Command {
	var text strings.Builder
	text.WriteString("Exit codes are stable; scripts can rely on them.\n")
	for _, x := range exits {
		fmt.Fprintf(&text, "\n%5d  %s", x.code, x.meaning)
	}
	return &cobra.Command{Use: "exit", Short: "Exit codes", Long: text.String()}
}

// coded is an error with an exit code and, for people, a way out.
type coded struct {
	code int
	err  error
	hint string
}

func (e *coded) Error() string { return e.err.Error() }
func (e *coded) Unwrap() error { return e.err }

func usage(hint, format string, args ...any) error {
	return &coded{exitUsage, fmt.Errorf(format, args...), hint}
}

// silent ends the process with a code when everything has been said.
func silent(code int) error { return &coded{code, errSilent, ""} }

var errSilent = errors.New("")

// explain tells people of an error and returns the exit code for it.
func (a *app) explain(err error) int {
	var c *coded
	var d configs.Diagnostics
	var failed *failedTests
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &failed):
		_ = failed.Render(a.words, isTerminal(a.words)) // likewise
		return exitTests
	case errors.Is(err, errSilent) && errors.As(err, &c):
		return c.code
	case errors.As(err, &d):
		_ = d.Render(a.words, isTerminal(a.words)) // nobody to tell of a terminal that is gone
		return exitConfig
	case errors.As(err, &c):
		complain(a.words, c.err, c.hint)
		return c.code
	case errors.Is(err, store.ErrLocked):
		complain(a.words, err, "one process owns a state directory at a time; stop that one, or use another --state")
		return exitLocked
	case errors.Is(err, audit.ErrSpace):
		complain(a.words, err, "make room; where there is no other way: hopgate state recover")
		return exitOther
	case isDamage(err):
		complain(a.words, err, "see all of it: hopgate state check\n"+
			"nothing mends it: move the state directory away, and put a backup in its place: hopgate state restore DIR")
		return exitVerify
	case errors.Is(err, audit.ErrAnchor):
		complain(a.words, err, "audit: anchor: FILE in the configuration puts it elsewhere; it must be writable, and outlive the state directory")
		return exitConfig
	case errors.Is(err, admin.ErrUnreachable):
		complain(a.words, err, "the process that owns the state directory is starting, stopping or stuck; try again")
		return exitUnreachable
	case errors.Is(err, fs.ErrPermission):
		complain(a.words, err, "run this as the user to whom that belongs, or name another place: --state, --config, store in the configuration")
		return exitOther
	}
	complain(a.words, err, "")
	return exitOther
}

// isDamage reports whether a journal is not as it was written.
func isDamage(err error) bool {
	_, damage := errors.AsType[*audit.Damage](err)
	return damage || errors.Is(err, audit.ErrRollback)
}

// complain writes an error and a way out, each on lines of its own.
func complain(w io.Writer, err error, hint string) {
	fmt.Fprintln(w, "hopgate: error:", err)
	for line := range strings.Lines(hint) {
		fmt.Fprintln(w, "hopgate: hint:", strings.TrimSuffix(line, "\n"))
	}
}
