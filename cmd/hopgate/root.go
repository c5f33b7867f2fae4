package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/toolscope"
)

// app is one run of the command. stdout is data, stderr is words.
type app struct {
	in    io.Reader
	out   io.Writer
	words io.Writer
	env   func(string) (string, bool)

	config, state, level string // flags
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "hopgate",
		Short: "A zero-trust proxy for the Model Context Protocol",
		Long: "Hopgate stands between agents and MCP servers. It judges every message against the connection that the configuration\n" +
			"grants, records every decision, and forwards what may pass byte for byte.",
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f := root.PersistentFlags()
	f.StringVar(&a.config, "config", "hopgate.yaml", "configuration file")
	f.StringVar(&a.state, "state", "", "state directory (default: store of the configuration, else the platform's)")
	f.StringVar(&a.level, "log-level", "info", "least severe log messages on stderr: debug, info, warn or error")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("see: "+c.CommandPath()+" --help", "%w", err)
	})
	root.AddCommand(
		a.serve(), a.stdio(), a.check(), a.test(), a.explainCall(), a.schema(), a.agents(), a.audit(), a.initialize(), a.demo(), a.version(),
	)
	return root
}

// args checks the number of arguments, and says what is wanted.
func args(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, got []string) error {
		if len(got) != n {
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
	if isTerminal(w) {
		w = zerolog.ConsoleWriter{Out: a.words, TimeFormat: time.TimeOnly}
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

// options is what a configuration of this program may contain and where its references look.
func (a *app) options(cat *toolscope.Catalog) configs.Options {
	return configs.Options{Gates: mcpproxy.Gates(cat), Env: a.env, ReadFile: os.ReadFile}
}

// load reads the configuration for a command that serves nobody.
func (a *app) load() (*configs.File, error) {
	file, err := configs.Load(a.config, a.options(toolscope.NewCatalog()))
	if err != nil {
		return nil, err
	}
	_ = file.Warnings.Render(a.words, isTerminal(a.words)) // nobody to tell of a terminal that is gone
	return file, nil
}

// stateDir says where the state is: what the flag says, else the configuration, else the platform.
func (a *app) stateDir(file *configs.File) (string, error) {
	configured := ""
	if file != nil {
		configured = file.Store
	}
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
		line := ""
		for i, cell := range r {
			if i < len(r)-1 {
				cell = fmt.Sprintf("%-*s  ", width[i], cell)
			}
			line += cell
		}
		fmt.Fprintln(w, line)
	}
}
