package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/policy"
)

// maxLine bounds a line of records, in bytes.
const maxLine = 64 << 20

func (a *app) scan() *cobra.Command {
	var profile, rule string
	var records, toAgent, hashes bool
	c := &cobra.Command{
		Use:   "scan [FILE|-]",
		Short: "Show what the guardrails find in a text, or explain one of their rules",
		Long: "Show what the guardrails find in a text, and what a profile would do about it. JSON is taken apart like a message; other\n" +
			"text is one piece. Values are masked. The exit code is 5 where the profile would block.\n\n" +
			"With --ndjson the input is lines of {\"id\", \"text\"} and the output lines of {\"id\", \"findings\"} with byte offsets.",
		Args: someArgs(0, 1, "one file at most"),
		RunE: func(c *cobra.Command, given []string) error {
			all, err := a.profiles(c.Flags().Changed("config"))
			if err != nil {
				return err
			}
			if rule != "" {
				return a.explainRule(all, rule)
			}
			in, err := a.input(given)
			if err != nil {
				return err
			}
			defer in.Close()
			if records {
				return unlessStopped(c.Context(), func() error { return a.scanRecords(all, in) })
			}
			way := policy.ToUpstream
			if toAgent {
				way = policy.ToAgent
			}
			var vault *guardrails.Vault
			if hashes {
				if vault, err = a.vault(); err != nil {
					return err
				}
			}
			return unlessStopped(c.Context(), func() error { return a.scanText(all, profile, way, in, vault) })
		},
	}
	c.Flags().StringVar(&profile, "profile", "strict", "profile of guardrails: light, strict, or one of the configuration")
	c.Flags().StringVar(&rule, "explain", "", "print a rule, or those that find what a profile names so, with examples")
	c.Flags().BoolVar(&records, "ndjson", false, "read and write records")
	c.Flags().BoolVar(&hashes, "hash", false, "print the keyed hash of each value, for a suppression")
	c.Flags().BoolVar(&toAgent, "result", false, "judge the text as one on its way to the agent")
	return c
}

// unlessStopped runs f, which reads and keeps nothing, for as long as nobody wants the process to end. Then it runs on until
// the process has: a read that waits for input cannot be told to end.
func unlessStopped(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// profiles are those of the configuration and the built-in ones. A configuration that nobody has named need not be there.
func (a *app) profiles(named bool) (*guardrails.Profiles, error) {
	var keys *guardrails.FileKeys
	if _, err := os.Stat(a.config); errors.Is(err, os.ErrNotExist) && !named {
		return guardrails.Compile(nil, nil)
	}
	file, err := a.load()
	if err != nil {
		return nil, err
	}
	if len(file.Connections) > 0 {
		keys = policy.Setting[guardrails.FileKeys](file.Connections[0].File, guardrails.Name)
	}
	return guardrails.Compile(keys, file.Own)
}

// vault is that of the state: hashes hold for one.
func (a *app) vault() (*guardrails.Vault, error) {
	at, err := a.place(nil)
	if err != nil {
		return nil, err
	}
	return guardrails.OpenVault(guardrails.VaultConfig{Dir: vaultDir(at.dir), Clock: time.Now, Random: rand.Reader})
}

func vaultDir(state string) string { return filepath.Join(state, "vault") }

// input opens what is to be scanned.
func (a *app) input(given []string) (io.ReadCloser, error) {
	if len(given) == 0 || given[0] == "-" {
		return io.NopCloser(a.in), nil
	}
	f, err := os.Open(given[0])
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (a *app) scanText(all *guardrails.Profiles, profile string, way policy.Direction, in io.Reader, vault *guardrails.Vault) error {
	text, err := io.ReadAll(io.LimitReader(in, maxLine+1))
	switch {
	case err != nil:
		return fmt.Errorf("reading the text: %w", err)
	case len(text) > maxLine:
		return usage("cut it into smaller ones", "the text is larger than %d MiB", maxLine>>20)
	}
	found, err := all.Show(profile, way, text, vault)
	if err != nil {
		return usage("profiles: "+strings.Join(all.Names(), ", "), "%w", err)
	}
	rows := [][]string{{"WHERE", "BYTES", "WHAT", "RULE", "SURE", "VALUE", "DONE"}}
	if vault != nil {
		rows[0] = append(rows[0], "HASH")
	}
	blocked := false
	for _, f := range found {
		rule := f.Rule
		if f.Via != 0 {
			rule += " in " + f.Via.String()
		}
		blocked = blocked || f.Do == guardrails.Block
		rows = append(rows, []string{dash(f.Pointer), fmt.Sprintf("%d-%d", f.At.Lo, f.At.Hi), f.Name, rule, fmt.Sprintf("%d%%", f.Confidence), f.Masked, dash(f.Do.String())})
		if vault != nil {
			rows[len(rows)-1] = append(rows[len(rows)-1], string(f.Print))
		}
	}
	if len(found) == 0 {
		fmt.Fprintln(a.words, "nothing found")
		return nil
	}
	table(a.out, rows)
	if blocked {
		return silent(exitDenied)
	}
	return nil
}

// record is a line to scan, and what comes of it.
type record struct {
	ID       json.RawMessage `json:"id"`
	Text     string          `json:"text,omitempty"`
	Findings []recordFinding `json:"findings"`
	Unread   bool            `json:"unread,omitempty"` // a part was not looked at: it was over the bounds
}

type recordFinding struct {
	Kind       string `json:"kind"`
	Entity     string `json:"entity"`
	Rule       string `json:"rule"`
	Start      int    `json:"start"`
	End        int    `json:"end"`
	Confidence uint8  `json:"confidence"`
}

func (a *app) scanRecords(all *guardrails.Profiles, in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	out := bufio.NewWriter(a.out)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	scratch := detect.NewScratch()
	for n := 1; lines.Scan(); n++ {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil || r.ID == nil {
			return usage(`write one {"id": ..., "text": ...} on each line`, "line %d is no record", n)
		}
		r.Findings = []recordFinding{}
		all.Plain(scratch, []byte(r.Text), func(f detect.Finding) {
			kind := f.Kind
			switch kind {
			case detect.Unread:
				r.Unread = true
				return
			case detect.Hidden: // text that people do not see is there for a model
				kind = detect.Injection
			default:
			}
			r.Findings = append(r.Findings, recordFinding{kind.String(), f.Entity, f.Rule, f.Start, f.End, f.Confidence})
		})
		r.Text = ""
		if err := enc.Encode(&r); err != nil {
			return fmt.Errorf("writing a record: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading records: %w", err)
	}
	return out.Flush()
}

// explainRule prints the rule of a name, or all that find what people call by it.
func (a *app) explainRule(all *guardrails.Profiles, name string) error {
	known := false
	for _, r := range all.Rules() {
		if r.Name != name && r.Entity != name {
			continue
		}
		known = true
		fmt.Fprintf(a.out, "%s: %s (%s, %s)\n", r.Name, r.Summary, r.Kind, r.Entity)
		for _, x := range r.Examples {
			fmt.Fprintf(a.out, "  finds      %q\n", x)
		}
		for _, x := range r.Counterexamples {
			fmt.Fprintf(a.out, "  passes by  %q\n", x)
		}
	}
	if !known {
		return usage("`hopgate scan FILE` names the rules that find something", "no rule is named %q", name)
	}
	return nil
}
