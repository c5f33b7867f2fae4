package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

// Server serves the API on a Unix socket. Whoever can open the socket and is Known is the operator: its folder and the
// socket itself are the owner's alone.
type Server struct {
	http *http.Server
	done chan error
}

// Known returns an error unless the process at the other end may be talked to. Both ends ask: modes of files can be
// changed behind the back of both, and folders for sockets can be swept away and made anew by others.
type Known func(*net.UnixConn) error

// guarded hands out connections from processes that are known, and closes the others.
type guarded struct {
	*net.UnixListener
	known Known
	log   zerolog.Logger
}

func (g guarded) Accept() (net.Conn, error) {
	for {
		c, err := g.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if err = g.known(c); err == nil {
			return c, nil
		}
		g.log.Warn().Err(err).Msg("somebody who is no operator has come to the admin socket")
		_ = c.Close() // nothing was said
	}
}

// Serve answers operators on a socket that is the owner's alone. The caller ends it with Close, and removes its name then.
func Serve(l *net.UnixListener, known Known, api API, log zerolog.Logger) *Server {
	s := &Server{
		http: &http.Server{Handler: handler(api, log), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10},
		done: make(chan error, 1),
	}
	go func() { s.done <- s.http.Serve(guarded{l, known, log}) }()
	return s
}

// Close ends all requests and waits for them.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
