package main

import (
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/mcpproxy"
	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/upstream/oauth"
	"github.com/hopgate/hopgate/mcpproxy/upstream/sandbox"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// server is an upstream in use and what it was made from. One that is reached as before survives a reload, and so do its
// children and connections.
type server struct {
	*upstream.Server
	client *oauth.Client // nil where the server wants no token
	digest [32]byte
	limits wire.Limits
}

// compile makes the proxy's policy of a configuration. The caller holds the mutex.
func (e *engine) compile(file *configs.File) (map[string]*server, *mcpproxy.Policy, error) {
	next := map[string]*server{}
	p := &mcpproxy.Policy{
		Revision: configs.ShortRevision(file.Revision), Agents: map[string]mcpproxy.Principal{}, Limits: file.Limits,
		IdleSession: file.Sessions.Idle, LongSession: file.Sessions.Lifetime,
		Upstreams: map[string]*upstream.Server{},
	}
	for _, u := range file.Upstreams {
		s := e.servers[u.Name]
		if s == nil || s.digest != u.Digest() || s.limits != file.Limits {
			var err error
			if s, err = e.reach(u, file); err != nil {
				return nil, nil, errors.Join(err, e.discard(next))
			}
		}
		next[u.Name] = s
		p.Upstreams[u.Name] = s.Server
	}
	for _, a := range file.Agents {
		p.Agents[a.Name] = mcpproxy.Principal{Agent: a.Agent, Local: a.Auth == configs.AuthLocal}
	}
	p.Connections = mcpproxy.Ways(file.Connections)
	return next, p, nil
}

// reach makes an upstream that is reached as the configuration says.
func (e *engine) reach(u *configs.Upstream, file *configs.File) (*server, error) {
	client, err := e.client(u)
	if err != nil {
		return nil, err
	}
	c := e.upstream(u, file)
	if client != nil {
		c.Tokens = client
	}
	made, err := upstream.New(c)
	if err != nil {
		return nil, err
	}
	return &server{made, client, u.Digest(), file.Limits}, nil
}

// Close ends what the upstream has open, and waits for it.
func (s *server) Close() error {
	err := s.Server.Close()
	if s.client != nil {
		s.client.Close()
	}
	return err
}

func (e *engine) upstream(u *configs.Upstream, file *configs.File) upstream.Config {
	c := upstream.Config{
		Name: u.Name, URL: u.URL, SSE: u.SSE, Networks: u.Networks, Header: http.Header{}, Command: u.Command, Environ: os.Environ(), Dir: u.Dir,
		Veil: e.memory.Said.Veil, Limits: file.Limits, Log: e.log, Clock: time.Now, Rules: sandbox.Rules{Digest: u.SHA256, Limits: sandbox.Limits(u.Rlimits)},
	}
	c.Timeouts.Dial = u.Health.Timeout
	c.Breaker = upstream.Breaker{Failures: u.Health.Failures, Delay: u.Health.Delay}
	if s := u.Sandbox; s != nil {
		c.Rules.Files = &sandbox.Files{Read: s.Read, Write: s.Write, Net: s.Net}
	}
	for _, h := range u.Headers {
		c.Header.Set(h.Name, h.Value.Reveal())
	}
	for _, v := range u.Env {
		c.Env = append(c.Env, v.Name+"="+v.Value.Reveal())
	}
	return c
}

// discard closes servers that were made for a configuration that did not come into force.
func (e *engine) discard(next map[string]*server) error {
	var errs []error
	for name, s := range next {
		if e.servers[name] != s {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// retire closes servers that the configuration now in force does not use.
func (e *engine) retire(next map[string]*server) {
	for name, s := range e.servers {
		if next[name] != s {
			e.work.Go(func() {
				if err := s.Close(); err != nil {
					e.log.Warn().Err(err).Str("upstream", name).Msg("an upstream did not end cleanly")
				}
			})
		}
	}
}
