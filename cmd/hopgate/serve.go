package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log" //nolint:depguard // net/http wants one
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/hopgate/hopgate/admin"
	"github.com/hopgate/hopgate/cmd/hopgate/relay"
	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/mcpproxy/ingress"
	"github.com/hopgate/hopgate/store"
)

// drainTime is how long running calls may take when the process is asked to end.
const drainTime = 10 * time.Second

func (a *app) serve() *cobra.Command {
	var alone bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve agents over streamable HTTP at /mcp/{upstream}, and those of hopgate stdio",
		Long: "Serve agents over streamable HTTP at /mcp/{upstream}, over HTTP with SSE at /sse/{upstream}, over WebSocket at\n" +
			"/ws/{upstream} where listen.mcp.ws says so, and those of hopgate stdio, which relays to the process that owns the\n" +
			"state. A daemon that hopgate stdio has started makes room.",
		Args: args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.hosting(c.Context(), false, 0, a.takeOver(), func(ctx context.Context, e *engine, h *host) error {
				front := &front{engine: e, failed: make(chan error, 1)}
				e.prepare = front.follow
				defer front.close()
				if !alone {
					e.onReady = func(*configs.File) error { return h.open(ctx) }
				}
				return a.run(ctx, e, front.failed)
			})
		},
	}
	c.Flags().BoolVar(&alone, "no-daemon", false, "take no front-ends: hopgate stdio is refused while this runs")
	return c
}

var errWindows = errors.New("agents are served on Linux and macOS; on Windows only commands that serve nobody work")

// own opens the state that the configuration belongs to and hands the engine to f. Where another process owns the state,
// it is asked to make room, if vacate is not nil.
func (a *app) own(ctx context.Context, vacate vacate, f func(context.Context, *engine) error) (err error) {
	if runtime.GOOS == "windows" {
		return errWindows
	}
	log, err := a.log()
	if err != nil {
		return err
	}
	file, problem := a.load()
	if problem == nil {
		a.warn(file)
		a.warnEnded(file)
	} else if _, err := a.places(); err != nil {
		return problem
	}
	at, err := a.place(file)
	if err != nil {
		return errors.Join(problem, err)
	}
	if _, err := os.Stat(at.dir); problem != nil && errors.Is(err, os.ErrNotExist) {
		return problem // nothing was ever in force
	}
	if _, err := os.Stat(a.config); problem != nil && errors.Is(err, os.ErrNotExist) && store.Held(at.dir) {
		return problem // who stands in a wrong directory must not be told to stop that process, nor a daemon make room
	}
	e, err := a.openState(ctx, at, log, keepOf(file))
	for errors.Is(err, store.ErrLocked) && vacate != nil && vacate(ctx, at.dir) {
		e, err = a.openState(ctx, at, log, keepOf(file))
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	e.file, e.problem = file, problem
	return f(ctx, e)
}

// run serves until ctx ends, or something that must not fail does.
func (a *app) run(ctx context.Context, e *engine, failed <-chan error) error {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGHUP) // before anybody learns that there is a process to tell
	defer signal.Stop(told)
	if err := e.serve(ctx, e.file, e.problem); err != nil {
		return err
	}
	if err := a.publish(e.dir); err != nil {
		return err
	}
	socket := a.socket(e.dir, socketAdmin)
	l, err := relay.Listen(socket) // whoever hears that we are ready may ask something at once
	if err != nil {
		return fmt.Errorf("opening the admin socket: %w", err)
	}
	if e.onReady != nil {
		if err := e.onReady(e.file); err != nil {
			return errors.Join(err, l.Close(), os.Remove(socket))
		}
	}
	desk := admin.Serve(l, relay.Ours, desk{e}, e.log)
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = errors.Join(desk.Close(ctx), os.Remove(socket)) // an operator who still listens is cut off
	}()
	if err := e.watch(ctx, told); err != nil {
		return err
	}
	e.log.Info().Msg("ready")
	select {
	case <-ctx.Done():
		e.log.Info().Msg("ending")
		return nil
	case err := <-failed:
		return err
	}
}

// front is the listener for agents. It follows the configuration: hosts, origins and certificates at once, another address
// by moving there. Calls on the old address may finish.
type front struct {
	*engine
	failed chan error

	handler atomic.Pointer[ingress.HTTP]
	cert    atomic.Pointer[tls.Certificate]

	mu      sync.Mutex // guards what follows
	addr    string     // as configured
	bound   net.Addr   // in use
	tls     bool
	server  *ingress.Server
	lasting *ingress.Lasting // connections of the server
	work    sync.WaitGroup
}

// follow prepares for a configuration. What it returns puts it in force or gives it up, and cannot fail.
func (f *front) follow(file *configs.File) (finish func(inForce bool), err error) {
	want := file.Listen.MCP
	f.mu.Lock()
	lasting := f.lasting
	if f.server == nil || f.addr != want.Addr {
		lasting = ingress.NewLasting()
	}
	f.mu.Unlock()
	h, err := ingress.NewHTTP(ingress.Config{
		Handler: f.proxy, Clock: time.Now, Lasting: lasting, WS: want.WS, Base: base(&want), Hosts: hosts(&want), Origins: want.Origins,
	})
	if err != nil {
		return nil, err
	}
	var cert tls.Certificate
	if want.TLS != nil {
		if cert, err = tls.LoadX509KeyPair(want.TLS.Cert, want.TLS.Key); err != nil {
			return nil, fmt.Errorf("reading the certificate of the listener: %w", err)
		}
	}
	var l net.Listener
	switch f.mu.Lock(); {
	case f.server == nil, f.addr != want.Addr:
		l, err = new(net.ListenConfig).Listen(context.Background(), "tcp", want.Addr)
	case f.tls != (want.TLS != nil):
		err = errors.New("TLS was switched on or off on the address in use: restart, or choose another address")
	}
	f.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("listening for agents: %w", err)
	}
	return func(inForce bool) {
		if !inForce {
			if l != nil {
				_ = l.Close() // nobody was served on it
			}
			return
		}
		f.handler.Store(h)
		f.cert.Store(&cert)
		if l != nil {
			f.move(l, lasting, &want, file)
		}
		if !want.WS {
			lasting.Cut(ingress.OverWS)
		}
	}, nil
}

// base is the path under which clients reach the listener.
func base(l *configs.Listener) string {
	u, err := url.Parse(l.URL)
	if err != nil {
		return "" // the configuration is checked
	}
	return u.EscapedPath()
}

// hosts are the names that requests may be sent to, beside loopback names.
func hosts(l *configs.Listener) []string {
	all := slices.Clone(l.Hosts)
	if u, err := url.Parse(l.URL); err == nil && u.Hostname() != "" {
		all = append(all, u.Hostname())
	}
	if host, _, err := net.SplitHostPort(l.Addr); err == nil && host != "" {
		all = append(all, host)
	}
	return all
}

// move begins to serve on a listener, and ends on the one before.
func (f *front) move(l net.Listener, lasting *ingress.Lasting, want *configs.Listener, file *configs.File) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bound = l.Addr()
	scheme := "http"
	if want.TLS != nil {
		scheme = "https"
		l = tls.NewListener(l, &tls.Config{
			MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.cert.Load(), nil },
		})
	}
	next := ingress.NewServer(context.Background(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.handler.Load().ServeHTTP(w, r)
	}), time.Now, descriptors())
	next.ErrorLog = log.New(ingress.Complaints(f.log, time.Now), "", 0) // strangers cause them as they like
	old, carried := f.server, f.lasting
	f.server, f.lasting, f.addr, f.tls = next, lasting, want.Addr, want.TLS != nil
	f.work.Go(func() {
		if err := next.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			f.failed <- fmt.Errorf("serving agents: %w", err)
		}
	})
	if old != nil {
		f.work.Go(func() { drain(old, carried) })
	}
	for _, u := range file.Upstreams {
		f.log.Info().Str("url", fmt.Sprintf("%s://%s/mcp/%s", scheme, f.bound, u.Name)).Msg("serving")
	}
}

// close ends the listener. Running calls may finish.
func (f *front) close() {
	f.mu.Lock()
	server, lasting := f.server, f.lasting
	f.mu.Unlock()
	if server != nil {
		drain(server, lasting)
	}
	f.work.Wait()
}

// drain ends a listener: what carries no call at once, the rest when the calls have their answers, or after drainTime.
func drain(s *ingress.Server, l *ingress.Lasting) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	var leaving sync.WaitGroup
	defer leaving.Wait()
	leaving.Go(func() { l.Leave(ctx) })
	if s.Shutdown(ctx) != nil {
		_ = s.Close() // nothing is left to do for those who did not end in time
	}
}
