package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
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

func handler(api API, log zerolog.Logger) http.Handler {
	mux := http.NewServeMux()
	h := &handlers{api, log}
	mux.HandleFunc("GET /v1/status", h.status)
	mux.HandleFunc("POST /v1/reload", h.reload)
	mux.HandleFunc("GET /v1/agents", h.agents)
	mux.HandleFunc("POST /v1/agents/{name}/keys", h.addKey)
	mux.HandleFunc("POST /v1/agents/{name}/rotate", h.rotate)
	mux.HandleFunc("POST /v1/agents/{name}/revoke", h.revoke)
	mux.HandleFunc("POST /v1/agents/{name}/untaint", h.untaint)
	mux.HandleFunc("GET /v1/audit", h.search)
	mux.HandleFunc("GET /v1/audit/tail", h.tail)
	mux.HandleFunc("GET /v1/audit/calls/{ref}", h.show)
	mux.HandleFunc("POST /v1/state/accept-rollback", h.acceptRollback)
	h.health(mux)
	h.upstreams(mux)
	h.logins(mux)
	h.results(mux)
	return mux
}

type handlers struct {
	api API
	log zerolog.Logger
}

// failure is an error on the wire.
type failure struct {
	Error string `json:"error"`
}

func (h *handlers) answer(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	switch {
	case errors.Is(err, ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, ErrInvalid):
		status = http.StatusBadRequest
	case err != nil:
		status = http.StatusInternalServerError
	}
	if err != nil {
		v = failure{err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		h.log.Debug().Err(err).Msg("an operator did not take an answer")
	}
}

func (h *handlers) status(w http.ResponseWriter, r *http.Request) {
	v, err := h.api.Status(r.Context())
	h.answer(w, v, err)
}

func (h *handlers) reload(w http.ResponseWriter, r *http.Request) {
	h.answer(w, struct{}{}, h.api.Reload(r.Context()))
}

func (h *handlers) agents(w http.ResponseWriter, r *http.Request) {
	v, err := h.api.Agents(r.Context())
	h.answer(w, v, err)
}

func (h *handlers) addKey(w http.ResponseWriter, r *http.Request) {
	ttl, err := duration(r, "ttl")
	var v NewKey
	if err == nil {
		v, err = h.api.AddKey(r.Context(), r.PathValue("name"), ttl)
	}
	h.answer(w, v, err)
}

func (h *handlers) rotate(w http.ResponseWriter, r *http.Request) {
	overlap, err := duration(r, "overlap")
	var v NewKey
	if err == nil {
		v, err = h.api.Rotate(r.Context(), r.PathValue("name"), overlap)
	}
	h.answer(w, v, err)
}

// count is how many keys were revoked.
type count struct {
	Count int `json:"count"`
}

func (h *handlers) revoke(w http.ResponseWriter, r *http.Request) {
	n, err := h.api.Revoke(r.Context(), r.PathValue("name"), r.FormValue("key"))
	h.answer(w, count{n}, err)
}

func (h *handlers) untaint(w http.ResponseWriter, r *http.Request) {
	h.answer(w, struct{}{}, h.api.Untaint(r.Context(), r.PathValue("name")))
}

func (h *handlers) search(w http.ResponseWriter, r *http.Request) {
	q := Query{
		Agent: r.FormValue("agent"), Connection: r.FormValue("connection"), Target: r.FormValue("target"),
		Reason: r.FormValue("reason"), Decision: r.FormValue("decision"), Ref: r.FormValue("ref"),
	}
	var err error
	q.Since, err = moment(r, "since")
	if err == nil {
		q.Until, err = moment(r, "until")
	}
	if err == nil {
		q.Limit, err = number(r, "limit")
	}
	var v []json.RawMessage
	if err == nil {
		v, err = h.api.Search(r.Context(), q)
	}
	h.answer(w, v, err)
}

func (h *handlers) show(w http.ResponseWriter, r *http.Request) {
	v, err := h.api.Show(r.Context(), r.PathValue("ref"))
	h.answer(w, v, err)
}

// tail streams records, one a line. An error after the first record ends the stream without its last line.
func (h *handlers) tail(w http.ResponseWriter, r *http.Request) {
	n, err := number(r, "n")
	if err != nil {
		h.answer(w, nil, err)
		return
	}
	c := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/x-ndjson")
	for record, err := range h.api.Tail(r.Context(), n, r.FormValue("follow") == "true") {
		if err != nil {
			h.log.Warn().Err(err).Msg("reading the journal for an operator")
			panic(http.ErrAbortHandler) // so that the client sees a broken stream, not a short one
		}
		if _, err := w.Write(append(record, '\n')); err != nil || c.Flush() != nil {
			return
		}
	}
}

func duration(r *http.Request, name string) (time.Duration, error) {
	s := r.FormValue(name)
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	return d, invalid(err)
}

func moment(r *http.Request, name string) (time.Time, error) {
	s := r.FormValue(name)
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, invalid(err)
}

func number(r *http.Request, name string) (int, error) {
	s := r.FormValue(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	return n, invalid(err)
}

func invalid(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(ErrInvalid, err)
}
