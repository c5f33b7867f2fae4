package main

import (
	"context"
	"fmt"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// keyVariable is where a process on stdio finds the agent's key. A flag would show it to everybody on the machine.
const keyVariable = "HOPGATE_KEY"

func (a *app) stdio() *cobra.Command {
	var to, as string
	c := &cobra.Command{
		Use:   "stdio --to UPSTREAM [--as AGENT]",
		Short: "Serve one agent over stdin and stdout, as IDEs start MCP servers",
		Long: "Serve one agent over stdin and stdout. Without " + keyVariable + " in the environment, the agent is one that the\n" +
			"configuration declares with auth: local, that is, the user who starts the process speaks for it.",
		Args: args(0, "no arguments but flags"),
		RunE: func(c *cobra.Command, _ []string) error {
			if to == "" {
				return usage("see: hopgate stdio --help", "--to is missing")
			}
			return a.own(c.Context(), func(ctx context.Context, e *engine) error {
				ctx, stop := context.WithCancel(ctx)
				defer stop()
				peer := &ingress.Peer{Transport: "stdio", Remote: username(), Upstream: to, As: as}
				if key, ok := a.env(keyVariable); ok && key != "" {
					peer.Credential = ingress.Credential(key)
				} else {
					peer.Local = true
				}
				served := make(chan error, 1)
				e.onReady = func(file *configs.File) error {
					if err := choice(file, peer); err != nil {
						return err
					}
					go func() {
						s := ingress.Stdio{Handler: e.proxy, In: a.in, Out: a.out}
						served <- s.Serve(ctx, peer)
					}()
					return nil
				}
				return a.run(ctx, e, served)
			})
		},
	}
	c.Flags().StringVar(&to, "to", "", "upstream that the agent talks to")
	c.Flags().StringVar(&as, "as", "", "agent, where the configuration declares several with auth: local")
	return c
}

// choice checks what the flags name, so that a typing error is told as one.
func choice(file *configs.File, p *ingress.Peer) error {
	if file.Upstream(p.Upstream) == nil {
		return usage("declared are: "+names(file.Upstreams, func(u *configs.Upstream) string { return u.Name }), "%s declares no upstream %q", file.Path, p.Upstream)
	}
	if !p.Local {
		return nil
	}
	var local []*configs.Agent
	for _, x := range file.Agents {
		if x.Auth == configs.AuthLocal && (p.As == "" || p.As == x.Name) {
			local = append(local, x)
		}
	}
	switch {
	case len(local) == 1:
		return nil
	case len(local) > 1:
		return usage("name one with --as: "+names(local, func(a *configs.Agent) string { return a.Name }), "%s declares several agents with auth: local", file.Path)
	case p.As != "":
		return usage("", "%s declares no agent %q with auth: local", file.Path, p.As)
	}
	return usage("declare one, or set "+keyVariable, "%s declares no agent with auth: local", file.Path)
}

func names[T any](all []T, name func(T) string) string {
	var s []string
	for _, x := range all {
		s = append(s, name(x))
	}
	return strings.Join(s, ", ")
}

// username says for the record who started the process.
func username() string {
	u, err := user.Current()
	if err != nil {
		return "unknown"
	}
	return fmt.Sprintf("%s(%s)", u.Username, u.Uid)
}
