package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/quota"
	"github.com/hopgate/hopgate/toolscope"
	"github.com/hopgate/hopgate/toolscope/pin"
	"github.com/hopgate/hopgate/trust"
)

// app is one run of the command. stdout is data, stderr is words.
type app struct {
	in    io.Reader
	out   io.Writer
	words io.Writer
	logs  io.Writer // of long-running commands; nil: with the words
	env   func(string) (string, bool)

	catalog *toolscope.Catalog // what upstreams offer; gates read it, and the proxy feeds it

	release              string        // of this program
	patience             time.Duration // to find an owner of the state, or to start one
	config, state, level string        // flags
	begun                bool          // arguments and flags are in order, and a command runs
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "hopgate",
		Short: "A zero-trust proxy for the Model Context Protocol",
		Long: "Hopgate stands between agents and MCP servers. It judges every message against the connection that the configuration\n" +
			"grants, records every decision, and forwards what may pass byte for byte.",
		SilenceErrors: true, SilenceUsage: true,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },

		PersistentPreRun: func(*cobra.Command, []string) { a.begun = true },
	}
	f := root.PersistentFlags()
	f.StringVar(&a.config, "config", "hopgate.yaml", "configuration file")
	f.StringVar(&a.state, "state", "", "state directory (default: store of the configuration, else the platform's)")
	f.StringVar(&a.level, "log-level", "info", "least severe log messages on stderr: debug, info, warn or error")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("see: "+c.CommandPath()+" --help", "%w", err)
	})
	root.AddCommand(
		a.serve(), a.stdio(), a.stop(), a.daemon(), a.check(), a.test(), a.explainCall(), a.scan(), a.schema(), a.agents(), a.audit(), a.trust(), a.results(), a.connections(), a.upstreams(), a.spend(), a.status(), a.stateOf(), a.initialize(), a.demo(), a.version(),
		exitCodes(),
	)
	return root
}

// noArgs is for commands that are only a group of others.
func noArgs(c *cobra.Command, got []string) error {
	if len(got) == 0 {
		return nil
	}
	hint := "see: " + c.CommandPath() + " --help"
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(got[0]); len(near) > 0 {
		hint = "did you mean " + near[0] + "?"
	}
	return usage(hint, "%s has no command %q", c.CommandPath(), got[0])
}

// args checks the number of arguments, and says what is wanted.
func args(n int, what string) cobra.PositionalArgs { return someArgs(n, n, what) }

// someArgs is args for a number that is not fixed.
func someArgs(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, got []string) error {
		if len(got) < least || len(got) > most {
			return usage("see: "+c.CommandPath()+" --help", "%s wants %s", c.CommandPath(), what)
		}
		return nil
	}
}

// log makes the logger of a long-running command. Lines are for people where stderr is a terminal.
func (a *app) log() (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(a.level)
	if err != nil || a.level == "" {
		return zerolog.Nop(), usage("use debug, info, warn or error", "%q is no log level", a.level)
	}
	w := a.words
	if a.logs != nil {
		w = a.logs
	}
	if isTerminal(w) {
		w = zerolog.ConsoleWriter{Out: a.words, TimeFormat: time.TimeOnly} // which quotes what is not plain
	} else {
		w = plainLines{w}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger(), nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	fi, err := f.Stat()
	return err == nil && fi.Mode()&os.ModeCharDevice != 0
}

// options is what a configuration of this program may contain and where its references look. Its gates judge calls that
// nobody makes: they count nothing, and trust all agents.
func (a *app) options() configs.Options {
	return configs.Options{Gates: mcpproxy.Gates(imagined(a.catalog)), Env: a.env, ReadFile: os.ReadFile}
}

// imagined is the memory of gates for questions about calls that nobody makes.
func imagined(catalog *toolscope.Catalog) mcpproxy.Memory {
	limits, _ := quota.Open(nil, time.Now, nil) // without a store there is nothing to fail
	return mcpproxy.Memory{Catalog: catalog, Pins: pin.Assume(), Scores: trust.Assume(configs.BestScore), Limits: limits, Vault: forgetful(), Said: guardrails.NewBook()}
}

// forgetful is a vault of which nothing outlives the process.
func forgetful() *guardrails.Vault {
	v, _ := guardrails.OpenVault(guardrails.VaultConfig{Clock: time.Now, Random: rand.Reader}) // without a state there is nothing to fail
	return v
}

// load reads the configuration.
func (a *app) load() (*configs.File, error) { return configs.Load(a.config, a.options()) }

// warn tells of what is odd in a configuration that is sound.
func (a *app) warn(file *configs.File) {
	_ = file.Warnings.Render(a.words, isTerminal(a.words)) // nobody to tell of a terminal that is gone
}

// warnEnded tells of suppressions whose last day has passed: what they were for is dealt with again.
func (a *app) warnEnded(file *configs.File) {
	var ended policy.Complaints
	for _, x := range guardrails.Suppressions(file.Connections, time.Now()) {
		if x.Ended {
			ended = append(ended, policy.Complaint{
				At: x.At, Text: fmt.Sprintf("the suppression of %s has ended on %s", x.Rule.Text, x.Until.Format(time.DateOnly)),
				Hint: fmt.Sprintf("ask %s whether it is still wanted: then give it a later day, else remove it", x.Owner),
			})
		}
	}
	_ = file.Warn(configs.CodeLapsed, ended).Render(a.words, isTerminal(a.words)) // nobody to tell of a terminal that is gone
}

// place is where the state is.
type place struct {
	dir    string
	anchor string // file outside dir by which an older copy of dir is found out
}

// place says where the state is. file is nil where the configuration was not read, or is not sound.
func (a *app) place(file *configs.File) (at place, err error) {
	if file == nil {
		if file, err = a.places(); err != nil {
			return at, err
		}
	}
	if at.dir, err = a.stateDir(file.Store); err != nil {
		return at, err
	}
	if at.anchor = file.Audit.Anchor; at.anchor == "" {
		at.anchor = at.dir + ".anchor"
	}
	at.anchor, err = filepath.Abs(at.anchor)
	return at, err
}

// places reads the sections of the configuration that say where the state is, and no others. A configuration that is not
// sound elsewhere does not stand in the way: its records can still be read, and what was last in force is in there too.
func (a *app) places() (*configs.File, error) {
	data, err := os.ReadFile(a.config)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var text strings.Builder
	wanted := false
	for line := range strings.Lines(string(data)) {
		if strings.Trim(line[:1], " #\t\r\n") != "" { // not indented: another section begins
			wanted = strings.HasPrefix(line, "store:") || strings.HasPrefix(line, "audit:")
		}
		if wanted {
			text.WriteString(strings.TrimSuffix(line, "\n"))
		}
		text.WriteByte('\n') // what is left stays on its line
	}
	text.WriteString("version: 1\n")
	return configs.Parse(a.config, []byte(text.String()), a.options())
}

// stateDir says where the state is: what the flag says, else the configuration, else the platform.
func (a *app) stateDir(configured string) (string, error) {
	dir := a.state
	switch {
	case dir == "" && configured != "":
		dir = configured
	case dir == "":
		var err error
		if dir, err = a.platformState(); err != nil {
			return "", err
		}
	case configured != "" && !samePath(dir, configured):
		return "", usage("remove one of the two", "--state says %s, store in the configuration says %s", dir, configured)
	}
	return filepath.Abs(dir)
}

func samePath(a, b string) bool {
	x, errA := filepath.Abs(a)
	y, errB := filepath.Abs(b)
	return errA == nil && errB == nil && x == y
}

func (a *app) platformState() (string, error) {
	if dir, ok := a.env("XDG_STATE_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "hopgate"), nil
	}
	home, ok := a.env("HOME")
	switch {
	case !ok || home == "":
		return "", usage("set HOME, or use --state", "there is no home directory to keep state in")
	case runtime.GOOS == "darwin":
		return filepath.Join(home, "Library", "Application Support", "hopgate"), nil
	}
	return filepath.Join(home, ".local", "state", "hopgate"), nil
}

// find returns the index of the one that somebody has named, or an error that says what there is.
func find[T any](all []T, what, name string, nameOf func(T) string) (int, error) {
	known := make([]string, len(all))
	for i, x := range all {
		if known[i] = nameOf(x); known[i] == name {
			return i, nil
		}
	}
	hint := "there is none"
	if near := policy.Nearest(name, known); near != "" {
		hint = "did you mean " + near + "?"
	} else if len(known) > 0 {
		hint = "there are: " + strings.Join(slices.Compact(known), ", ") // a connection is there for each of its pairs
	}
	return -1, &coded{exitOther, fmt.Errorf("there is no %s %q", what, name), hint}
}

// count is a number of things, in words.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// dash is what a table shows of a text that may be empty.
func dash(s string) string { return cmp.Or(s, "-") }

// table writes rows with columns under each other.
func table(w io.Writer, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	for _, r := range rows {
		for i, cell := range r {
			if i < len(r)-1 {
				fmt.Fprintf(w, "%-*s  ", width[i], cell)
				continue
			}
			fmt.Fprintln(w, cell)
		}
	}
}
