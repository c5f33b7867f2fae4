package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/admin"
)

// loginTime is how long a person has to log in.
const loginTime = 10 * time.Minute

func (a *app) upstreamsLogin() *cobra.Command {
	var quiet bool
	c := &cobra.Command{
		Use:   "login NAME",
		Short: "Log in at an upstream with auth: authorization_code, in a browser",
		Long: "Log in at an upstream with auth: authorization_code. The address is printed, and opened in a browser; when that comes back\n" +
			"to this machine, the token is kept, sealed, by the process that owns the state. It serves all agents of the upstream.",
		Args: args(1, "an upstream"),
		RunE: func(c *cobra.Command, given []string) error {
			return a.withOrders(c.Context(), func(ctx context.Context, api admin.API) error {
				return a.login(ctx, api, given[0], !quiet)
			})
		},
	}
	c.Flags().BoolVar(&quiet, "no-browser", false, "print the address, and open no browser")
	return c
}

// login lets a person log in, and waits for the browser to come back.
func (a *app) login(ctx context.Context, api admin.API, name string, browser bool) error {
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for the browser: %w", err)
	}
	finished := make(chan error, 1)
	s := &http.Server{ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 64 << 10, Handler: a.returning(ctx, api, name, l.Addr().String(), finished)}
	defer func() { _ = s.Close() }() // nobody else comes
	go func() { _ = s.Serve(l) }()   // it ends with Close
	began, err := api.BeginLogin(ctx, name, "http://"+l.Addr().String()+callback)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.words, "Open this address, of %s:\n%s\n", visible(began.Issuer), visible(began.Address))
	if browser {
		open(ctx, began.Address)
	}
	select {
	case err := <-finished:
		if err == nil {
			fmt.Fprintf(a.words, "upstream %s: logged in\n", name)
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("waiting for the browser: %w", context.Cause(ctx))
	}
}

const callback = "/callback"

// returning takes what the browser brings back. Only the one that knows the state ends the login; others may come by.
func (a *app) returning(ctx context.Context, api admin.API, name, host string, finished chan<- error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != callback || r.Host != host || r.Method != http.MethodGet {
			http.NotFound(w, r)
			return
		}
		answer, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil || answer.Get("state") == "" {
			http.NotFound(w, r)
			return
		}
		err = api.FinishLogin(ctx, name, answer, username())
		text := "Logged in. You can close this page."
		if err != nil {
			text = "Not logged in; hopgate says why."
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Referrer-Policy", "no-referrer")
		fmt.Fprintln(w, text)
		_ = http.NewResponseController(w).Flush() // a browser that is gone reads nothing
		select {
		case finished <- err:
		default:
		}
	})
}

// open opens an address in a browser, if there is one. The address was printed.
func open(ctx context.Context, address string) {
	program := map[string]string{"darwin": "open", "windows": "explorer"}[runtime.GOOS]
	_ = exec.CommandContext(ctx, cmp.Or(program, "xdg-open"), address).Start() //nolint:gosec // an https URL that was checked, and no shell reads it
}

func (a *app) upstreamsLogout() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "logout NAME --reason TEXT",
		Short: "Forget the token of an upstream, and have it revoked",
		Long: "Forget the token of an upstream. The authorization server is then asked to revoke it (RFC 7009), where it says that it does\n" +
			"that; where it does not, or fails, the token is forgotten here all the same.",
		Args: args(1, "an upstream"),
		RunE: func(c *cobra.Command, given []string) error {
			return a.withOrders(c.Context(), func(ctx context.Context, api admin.API) error {
				done, err := api.Logout(ctx, given[0], admin.Order{By: username(), Reason: reason})
				switch {
				case err != nil:
				case done.Revoked:
					fmt.Fprintf(a.words, "upstream %s: its token is forgotten here and revoked at the authorization server\n", given[0])
				default:
					fmt.Fprintf(a.words, "upstream %s: its token is forgotten here, but not revoked: %s\n", given[0], visible(done.Why))
				}
				return err
			})
		},
	}
	wantReason(c, &reason)
	return c
}
