package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/rs/zerolog"
)

// maxDocument bounds what an operator sends: arguments of a call are the largest of it.
const maxDocument = 16 << 20

// route answers one request. Where there is an error, the value is not looked at.
type route = func(*http.Request) (any, error)

// handler is the API on the wire.
func handler(api API, log zerolog.Logger) http.Handler {
	h := &handlers{api, log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/audit/tail", h.tail)
	for path, ask := range questions(api) {
		mux.HandleFunc("GET "+path, h.answering(ask))
	}
	for path, order := range orders(api) {
		mux.HandleFunc("POST "+path, h.answering(order))
	}
	return mux
}

// questions change nothing.
func questions(api API) map[string]route {
	return map[string]route{
		"/v1/status":            func(r *http.Request) (any, error) { return api.Status(r.Context()) },
		"/v1/agents":            func(r *http.Request) (any, error) { return api.Agents(r.Context()) },
		"/v1/audit":             func(r *http.Request) (any, error) { return search(r, api) },
		"/v1/audit/calls/{ref}": func(r *http.Request) (any, error) { return api.Show(r.Context(), r.PathValue("ref")) },
		"/v1/connections":       func(r *http.Request) (any, error) { return api.Connections(r.Context()) },
		"/v1/limits":            func(r *http.Request) (any, error) { return api.Limits(r.Context()) },
		"/v1/trust":             func(r *http.Request) (any, error) { return api.Scores(r.Context()) },
		"/v1/trust/agents/{name}": func(r *http.Request) (any, error) {
			return api.Score(r.Context(), Party{Name: r.PathValue("name")})
		},
		"/v1/trust/upstreams/{name}": func(r *http.Request) (any, error) {
			return api.Score(r.Context(), Party{Name: r.PathValue("name"), Upstream: true})
		},
		"/v1/upstreams":                    func(r *http.Request) (any, error) { return api.Upstreams(r.Context()) },
		"/v1/upstreams/{name}/tools":       func(r *http.Request) (any, error) { return api.Tools(r.Context(), r.PathValue("name")) },
		"/v1/upstreams/{name}/definitions": func(r *http.Request) (any, error) { return api.Definitions(r.Context(), r.PathValue("name")) },
		"/v1/results":                      func(r *http.Request) (any, error) { return api.HeldResults(r.Context()) },
	}
}

// orders change something, or take more than fits into an address.
func orders(api API) map[string]route {
	return map[string]route{
		"/v1/reload": func(r *http.Request) (any, error) { return done(api.Reload(r.Context())) },
		"/v1/state/accept-rollback": func(r *http.Request) (any, error) {
			return done(api.AcceptRollback(r.Context(), r.FormValue("reason")))
		},
		"/v1/agents/{name}/keys": lasting("ttl", func(r *http.Request, ttl time.Duration) (any, error) {
			return api.AddKey(r.Context(), r.PathValue("name"), ttl)
		}),
		"/v1/agents/{name}/rotate": lasting("overlap", func(r *http.Request, overlap time.Duration) (any, error) {
			return api.Rotate(r.Context(), r.PathValue("name"), overlap)
		}),
		"/v1/agents/{name}/revoke": func(r *http.Request) (any, error) {
			n, err := api.Revoke(r.Context(), r.PathValue("name"), r.FormValue("key"))
			return count{n}, err
		},
		"/v1/agents/{name}/untaint": func(r *http.Request) (any, error) { return done(api.Untaint(r.Context(), r.PathValue("name"))) },
		"/v1/explain":               told(func(r *http.Request, q Question) (any, error) { return api.Explain(r.Context(), q) }),
		"/v1/trust/adjust": told(func(r *http.Request, o order) (any, error) {
			return api.Adjust(r.Context(), o.Party, o.Adjustment, o.Order)
		}),
		"/v1/trust/quarantine": told(func(r *http.Request, o order) (any, error) {
			return done(api.Quarantine(r.Context(), o.Party, o.Order))
		}),
		"/v1/trust/release": told(func(r *http.Request, o order) (any, error) { return done(api.Release(r.Context(), o.Party, o.Order)) }),
		"/v1/upstreams/{name}/accept": told(func(r *http.Request, o accept) (any, error) {
			return done(api.Accept(r.Context(), r.PathValue("name"), o.Definitions, o.Order))
		}),
		"/v1/upstreams/{name}/login": told(func(r *http.Request, o loginOrder) (any, error) {
			return api.BeginLogin(r.Context(), r.PathValue("name"), o.Redirect)
		}),
		"/v1/upstreams/{name}/login/finish": told(func(r *http.Request, o loginOrder) (any, error) {
			return done(api.FinishLogin(r.Context(), r.PathValue("name"), o.Answer, o.By))
		}),
		"/v1/upstreams/{name}/logout": told(func(r *http.Request, o Order) (any, error) {
			return api.Logout(r.Context(), r.PathValue("name"), o)
		}),
		"/v1/results/{ref}/read": told(func(r *http.Request, o Order) (any, error) { return api.ReadResult(r.Context(), r.PathValue("ref"), o) }),
		"/v1/results/{ref}/release": told(func(r *http.Request, o Order) (any, error) {
			return done(api.ReleaseResult(r.Context(), r.PathValue("ref"), o))
		}),
		"/v1/results/{ref}/discard": told(func(r *http.Request, o Order) (any, error) {
			return done(api.DiscardResult(r.Context(), r.PathValue("ref"), o))
		}),
	}
}

// order is an order about trust, on the wire.
type order struct {
	Party
	Adjustment
	Order
}

// accept is an order to accept definitions, on the wire.
type accept struct {
	Definitions []Acceptance `json:"definitions"`
	Order
}

// loginOrder is an order to begin or finish a login, on the wire.
type loginOrder struct {
	Redirect string     `json:"redirect,omitempty"`
	Answer   url.Values `json:"answer,omitempty"`
	By       string     `json:"by,omitempty"`
}

// count is how many keys were revoked.
type count struct {
	Count int `json:"count"`
}

// done is the answer to an order that has nothing to tell.
func done(err error) (any, error) { return struct{}{}, err }

// told makes a route of what takes a document. A member that nobody knows is an error: it would be an order that is not
// obeyed.
func told[T any](do func(*http.Request, T) (any, error)) route {
	return func(r *http.Request) (any, error) {
		var v T
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil {
			return nil, invalid(err)
		}
		return do(r, v)
	}
}

// lasting makes a route of what takes a time, which may be left out.
func lasting(name string, do func(*http.Request, time.Duration) (any, error)) route {
	return func(r *http.Request) (any, error) {
		d, err := formed(r, name, time.ParseDuration)
		if err != nil {
			return nil, err
		}
		return do(r, d)
	}
}

func search(r *http.Request, api API) (any, error) {
	q := Query{
		Agent: r.FormValue("agent"), Connection: r.FormValue("connection"), Target: r.FormValue("target"),
		Reason: r.FormValue("reason"), Decision: r.FormValue("decision"), Ref: r.FormValue("ref"),
	}
	var errs [3]error
	q.Since, errs[0] = formed(r, "since", moment)
	q.Until, errs[1] = formed(r, "until", moment)
	q.Limit, errs[2] = formed(r, "limit", strconv.Atoi)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return api.Search(r.Context(), q)
}

func moment(s string) (time.Time, error) { return time.Parse(time.RFC3339Nano, s) }

// formed reads a value of the form; the zero value where it is left out.
func formed[T any](r *http.Request, name string, parse func(string) (T, error)) (v T, err error) {
	if s := r.FormValue(name); s != "" {
		v, err = parse(s)
	}
	return v, invalid(err)
}

func invalid(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(ErrInvalid, err)
}

type handlers struct {
	api API
	log zerolog.Logger
}

// failure is an error on the wire.
type failure struct {
	Error string `json:"error"`
}

func (h *handlers) answering(ask route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxDocument)
		v, err := ask(r)
		h.answer(w, v, err)
	}
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

// tail streams records, one a line. An error after the first record ends the stream without its last line.
func (h *handlers) tail(w http.ResponseWriter, r *http.Request) {
	n, err := formed(r, "n", strconv.Atoi)
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
