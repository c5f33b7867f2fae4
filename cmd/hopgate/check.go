package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/mcpproxy"
)

func (a *app) check() *cobra.Command {
	var elsewhere bool
	c := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check the configuration and run its tests",
		Long: "Check the configuration and run its tests. What the configuration names and this machine does not have is a warning, because\n" +
			"the file may be meant for another one: programs, folders, certificates, paths of sandboxes, and a place for the state. So\n" +
			"is a file of a secret that others may read. Nothing is started and nobody is called.",
		Args: someArgs(0, 1, "one file at most"),
		RunE: func(c *cobra.Command, given []string) error {
			if len(given) == 1 {
				a.config = given[0]
			}
			file, err := a.load()
			if err != nil {
				return err
			}
			a.warn(file)
			a.warnEnded(file)
			if !elsewhere {
				a.warnMachine(file)
			}
			if err := a.runTests(c.Context(), file); err != nil {
				return err
			}
			fmt.Fprintf(a.words, "%s is sound: %s, %s, %s, %s passed; revision %s\n", file.Path,
				count(len(file.Agents), "agent"), count(len(file.Upstreams), "upstream"), count(len(file.Connections), "connection"),
				count(len(file.Tests), "test"), configs.ShortRevision(file.Revision))
			return nil
		},
	}
	c.Flags().BoolVar(&elsewhere, "elsewhere", false, "the file is for another machine: do not look at this one")
	return c
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
	var arguments, at, format string
	var score int
	var q admin.Question
	c := &cobra.Command{
		Use:   "explain AGENT UPSTREAM/TOOL",
		Short: "Tell what would happen to a call, gate by gate, and what is left of its limits",
		Long: "Tell what would happen to a call, gate by gate, with the lines of the configuration that decide, and what is left of\n" +
			"each limit. The gates are the ones that judge real calls: those of the process that owns the state, or where none runs\n" +
			"those of the configuration on disk over the state. Nothing is sent and nothing is used up. The exit code is 5 where the\n" +
			"call would be refused.",
		Args: args(2, "an agent and UPSTREAM/TOOL"),
		RunE: func(c *cobra.Command, given []string) error {
			q.Agent = given[0]
			q.Upstream, q.Target, _ = strings.Cut(given[1], "/")
			if q.Target == "" && q.Method == "tools/call" {
				return usage("write "+q.Upstream+"/TOOL, or ask for another --method, such as tools/list", "%q names no tool", given[1])
			}
			if err := asked(&q, at, arguments); err != nil {
				return err
			}
			if c.Flags().Changed("trust") {
				if score < 0 || score > configs.BestScore {
					return usage("a score is 0 to 999", "--trust %d is no score", score)
				}
				q.Score = &score
			}
			q.Colour = isTerminal(a.out)
			return a.withJudge(c.Context(), func(ctx context.Context, api admin.API) error {
				x, err := api.Explain(ctx, q)
				if err != nil {
					return err
				}
				return a.showExplanation(&x, format)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&arguments, "args", "", "arguments of the call, as a JSON object")
	f.StringVar(&at, "at", "", "time of the call, RFC 3339 (default: now)")
	f.StringVar(&q.Method, "method", "tools/call", "method; for others than tools/call, what follows UPSTREAM/ is a prompt or a URI")
	f.IntVar(&score, "trust", 0, "score that the agent is taken to have, 0 to 999 (default: the one it has)")
	formatFlag(c, &format)
	return c
}

// asked reads what else is asked about a call.
func asked(q *admin.Question, at, arguments string) (err error) {
	q.Time = time.Now()
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
	return nil
}

func (a *app) showExplanation(x *admin.Explanation, format string) error {
	var err error
	if format == formatJSON {
		x.Text = ""
		err = json.NewEncoder(a.out).Encode(x)
	} else {
		_, err = io.WriteString(a.out, x.Text)
	}
	if err != nil {
		return err
	}
	if source, err := os.ReadFile(a.config); err == nil && fmt.Sprintf("%x", sha256.Sum256(source)) != x.Revision {
		fmt.Fprintln(a.words, "hopgate: note: the process was asked, and the file on disk is not what it has in force; see: hopgate status")
	}
	if !x.Allowed {
		return silent(exitDenied)
	}
	return nil
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
