package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/configs"
)

func (a *app) initialize() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Write a first configuration, and print what an IDE needs to use it",
		Args:  args(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			sample, err := fs.ReadFile(configs.Samples(), "minimal.yaml")
			if err != nil {
				return err
			}
			f, err := os.OpenFile(a.config, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if errors.Is(err, fs.ErrExist) {
				return usage("edit it, or name another with --config", "%s exists already", a.config)
			}
			if err != nil {
				return err
			}
			_, err = f.Write(untitled(sample))
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
			fmt.Fprintf(a.words, "Wrote %s. Check it with: hopgate check --config %[1]s\n", a.config)
			a.warnOfState()
			fmt.Fprintln(a.words, "For the configuration of an IDE or another MCP client:")
			return a.snippet()
		},
	}
}

// warnOfState tells where the new file would have no state of its own: whose the one there is, is known to nobody who does
// not open it, and what an IDE starts says so where few people look.
func (a *app) warnOfState() {
	dir, err := a.stateDir("")
	if err != nil {
		return // the next command says so, and init needs none
	}
	if _, err := os.Stat(dir); err == nil {
		fmt.Fprintf(a.words, "There is state in %s already. If it is another file's, write store: DIR into this one: each file has its own.\n", dir)
	}
}

// untitled is a sample without the comment on top, which is about the file in the repository.
func untitled(sample []byte) []byte {
	for bytes.HasPrefix(sample, []byte("#")) {
		_, sample, _ = bytes.Cut(sample, []byte("\n"))
	}
	return append([]byte("# An IDE on this machine and a file server, read only. The server sees the folder in which Hopgate is started.\n"), sample...)
}

// snippet prints the entry for MCP clients that start servers over stdio. IDEs start them from anywhere, so paths are
// absolute.
func (a *app) snippet() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	config, err := filepath.Abs(a.config)
	if err != nil {
		return err
	}
	type entry struct {
		Command string   `json:"command"`
		Args    []string `json:"args"`
	}
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{"mcpServers": map[string]entry{
		"files": {program, []string{"stdio", "--to", "files", "--config", config}},
	}})
}
