// Command hopgate is a zero-trust proxy for the Model Context Protocol. This package is flags, wiring and exit codes.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/mcpproxy/upstream/sandbox"
	"github.com/hopgate/hopgate/toolscope"
)

func main() {
	if sandbox.Enter() != nil { // this process was to become a server's program
		os.Exit(126)
	}
	os.Exit(run(version(), attachTime, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main as the program of a release, with its surroundings passed in. An owner of the state is found or started
// within patience.
func run(release string, patience time.Duration, args []string, in io.Reader, out, words io.Writer) int {
	// Clients close our stderr before they are done with us. Then a log line is lost, and not the record of their calls.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: in, out: out, words: words, env: os.LookupEnv, release: release, patience: patience, catalog: toolscope.NewCatalog()}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(words)
	command, err := root.ExecuteContextC(ctx)
	var c *coded
	if err != nil && !a.begun && !errors.As(err, &c) {
		err = usage("see: hopgate --help", "%w", err) // cobra's own: it never came to run a command
	}
	return a.explain(seeList(command, err))
}

// seeList names the command that lists what there is, where one stands beside a command that was given a name of nothing.
func seeList(c *cobra.Command, err error) error {
	var told *coded
	if !errors.Is(err, admin.ErrNotFound) || errors.As(err, &told) || c.Parent() == nil {
		return err
	}
	for _, beside := range c.Parent().Commands() {
		if beside.Name() == "list" {
			return &coded{exitOther, err, "see: " + beside.CommandPath()}
		}
	}
	return err
}
