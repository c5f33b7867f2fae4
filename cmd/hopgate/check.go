package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/mcpproxy"
)

func (a *app) check() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check the configuration and run its tests",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, given []string) error {
			if len(given) == 1 {
				a.config = given[0]
			}
			file, err := a.load()
			if err != nil {
				return err
			}
			a.warn(file)
			if err := a.runTests(c.Context(), file); err != nil {
				return err
			}
			fmt.Fprintf(a.words, "%s is sound: %s, %s, %s, %s passed; revision %s\n", file.Path,
				count(len(file.Agents), "agent"), count(len(file.Upstreams), "upstream"), count(len(file.Connections), "connection"),
				count(len(file.Tests), "test"), configs.ShortRevision(file.Revision))
			return nil
		},
	}
}

func (a *app) test() *cobra.Command {
	return &cobra.Command{
		Use:   "test",
		Short: "Run the tests in the configuration",
		Args:  args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			file, err := a.load()
			if err != nil {
				return err
			}
			if err := a.runTests(c.Context(), file); err != nil {
				return err
			}
			fmt.Fprintln(a.words, count(len(file.Tests), "test"), "passed")
			return nil
		},
	}
}

// runTests runs the tests of a configuration and shows those that fail.
func (a *app) runTests(ctx context.Context, file *configs.File) error {
	failures := file.RunTests(ctx)
	if len(failures) == 0 {
		return nil
	}
	_ = file.Diagnostics(failures).Render(a.words, isTerminal(a.words)) // nobody to tell of a terminal that is gone
	return &coded{exitTests, fmt.Errorf("%d of %s failed", len(failures), count(len(file.Tests), "test")), ""}
}

func (a *app) explainCall() *cobra.Command {
	var arguments, at, method string
	c := &cobra.Command{
		Use:   "explain AGENT UPSTREAM/TOOL",
		Short: "Tell what would happen to a call, gate by gate",
		Long: "Tell what would happen to a call, gate by gate, with the lines of the configuration that decide. The gates are the ones\n" +
			"that judge real calls. Nothing is sent and nothing is used up. The exit code is 5 where the call would be refused.",
		Args: args(2, "an agent and UPSTREAM/TOOL"),
		RunE: func(c *cobra.Command, given []string) error {
			file, err := a.load()
			if err != nil {
				return err
			}
			upstream, target, _ := strings.Cut(given[1], "/")
			q := configs.Question{Agent: given[0], Upstream: upstream, Method: method, Target: target, Time: time.Now()}
			if at != "" {
				if q.Time, err = time.Parse(time.RFC3339, at); err != nil {
					return usage("write it like 2026-11-23T09:00:00+01:00", "--at %q is no time", at)
				}
			}
			if arguments != "" {
				if !json.Valid([]byte(arguments)) {
					return usage(`write an object, such as '{"path": "/tmp"}'`, "--args is not JSON")
				}
				q.Args = []byte(arguments)
			}
			x := file.Explain(c.Context(), q)
			if err := x.Render(a.out, isTerminal(a.out)); err != nil {
				return err
			}
			if !x.Outcome.Allowed {
				return silent(exitDenied)
			}
			return nil
		},
	}
	c.Flags().StringVar(&arguments, "args", "", "arguments of the call, as a JSON object")
	c.Flags().StringVar(&at, "at", "", "time of the call, RFC 3339 (default: now)")
	c.Flags().StringVar(&method, "method", "tools/call", "method; for others than tools/call, what follows UPSTREAM/ is a prompt or a URI")
	return c
}

func (a *app) schema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration",
		Args:  args(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			s, err := configs.Schema(mcpproxy.Gates(imagined(a.catalog)))
			if err != nil {
				return err
			}
			_, err = a.out.Write(s)
			return err
		},
	}
}
