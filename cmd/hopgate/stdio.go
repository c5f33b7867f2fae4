package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/cmd/hopgate/relay"
	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/mcpproxy/ingress"
)

// keyVariable is where a process on stdio finds the agent's key. A flag would show it to everybody on the machine.
const keyVariable = "HOPGATE_KEY"

func (a *app) stdio() *cobra.Command {
	var to, as string
	var alone bool
	var idle time.Duration
	c := &cobra.Command{
		Use:   "stdio --to UPSTREAM [--as AGENT]",
		Short: "Serve one agent over stdin and stdout, as IDEs start MCP servers",
		Long: "Serve one agent over stdin and stdout. Without " + keyVariable + " in the environment, the agent is one that the\n" +
			"configuration declares with auth: local, that is, the user who starts the process speaks for it.\n\n" +
			"One process owns the state, however many agents there are. This one relays to it: to hopgate serve where that runs,\n" +
			"else to a daemon, which it starts where there is none. hopgate status shows that process, hopgate stop ends the\n" +
			"daemon; see docs/daemon.md.",
		Args: args(0, "no arguments but flags"),
		RunE: func(c *cobra.Command, _ []string) error {
			if to == "" {
				return usage("see: hopgate stdio --help", "--to is missing")
			}
			key, _ := a.env(keyVariable)
			in, undo := polled(a.in, a.out, a.words)
			defer undo()
			a.in = in
			if alone {
				return a.serveAlone(c.Context(), &ingress.Peer{
					Transport: ingress.OverStdio, Remote: username(), Upstream: to, As: as, Credential: ingress.Credential(key), Local: key == "",
				})
			}
			return a.relay(c.Context(), &relay.Hello{Upstream: to, Agent: as, Key: key}, idle)
		},
	}
	c.Flags().StringVar(&to, "to", "", "upstream that the agent talks to")
	c.Flags().StringVar(&as, "as", "", "agent, where the configuration declares several with auth: local")
	c.Flags().BoolVar(&alone, "no-daemon", false, "own the state in this process, and serve nobody else; for containers")
	idleFlag(c, &idle)
	return c
}

// serveAlone serves one peer in this very process. At the end of ctx calls that are under way may finish, within drainTime.
func (a *app) serveAlone(ctx context.Context, peer *ingress.Peer) error {
	return a.own(ctx, nil, func(ctx context.Context, e *engine) error {
		ctx, leave := context.WithCancel(ctx)
		defer leave()
		serving, stop := context.WithCancel(context.WithoutCancel(ctx))
		defer stop()
		served := make(chan error, 1)
		over := make(chan struct{})
		e.onReady = func(file *configs.File) error {
			if err := choice(file, peer); err != nil {
				return err
			}
			go func() {
				defer close(over)
				s := ingress.Stdio{Handler: e.proxy, In: a.in, Out: a.out, Leaving: ctx.Done()}
				served <- s.Serve(serving, peer)
			}()
			return nil
		}
		err := a.run(ctx, e, served)
		if err != nil || ctx.Err() == nil {
			return err
		}
		last := time.NewTimer(drainTime)
		defer last.Stop()
		select {
		case <-over:
			return nil
		case <-last.C:
		}
		stop()
		<-over
		return nil
	})
}

// relay connects stdin and stdout with the process that owns the state.
func (a *app) relay(ctx context.Context, h *relay.Hello, idle time.Duration) error {
	if runtime.GOOS == "windows" {
		return errWindows
	}
	log, err := a.log()
	if err != nil {
		return err
	}
	at, err := a.place(nil)
	if err != nil {
		return err
	}
	f := finder{app: a, idle: idle, log: log, hello: *h, dir: at.dir}
	f.hello.Protocol, f.hello.Order, f.hello.Version = relay.Protocol, relay.OrderServe, a.release
	if f.hello.Config, err = filepath.Abs(a.config); err != nil {
		return err
	}
	if f.hello.Dir, err = os.Getwd(); err != nil {
		return fmt.Errorf("asking for the working directory, which servers are started in: %w", err)
	}
	r := relay.Relay{In: a.in, Out: a.out, Attach: f.attach, Clock: time.Now, Log: log}
	err = r.Run(ctx)
	if refused, ok := errors.AsType[*relay.Refusal](err); ok {
		fmt.Fprint(a.words, refused.Words)
		return silent(refused.Code)
	}
	return err
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
