package admin

import (
	"encoding/json"
	"errors"
	"net/http"
)

// maxDocument bounds what an operator sends: arguments of a call are the largest of it.
const maxDocument = 16 << 20

// order is an order on the wire.
type order struct {
	Party
	Adjustment
	Order
}

func (h *handlers) health(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/connections", func(w http.ResponseWriter, r *http.Request) {
		v, err := h.api.Connections(r.Context())
		h.answer(w, v, err)
	})
	mux.HandleFunc("GET /v1/limits", func(w http.ResponseWriter, r *http.Request) {
		v, err := h.api.Limits(r.Context())
		h.answer(w, v, err)
	})
	mux.HandleFunc("POST /v1/explain", h.explain)
	mux.HandleFunc("GET /v1/trust", func(w http.ResponseWriter, r *http.Request) {
		v, err := h.api.Scores(r.Context())
		h.answer(w, v, err)
	})
	mux.HandleFunc("GET /v1/trust/{kind}/{name}", h.score)
	mux.HandleFunc("POST /v1/trust/adjust", h.adjust)
	mux.HandleFunc("POST /v1/trust/quarantine", h.quarantine)
	mux.HandleFunc("POST /v1/trust/release", h.release)
}

func (h *handlers) explain(w http.ResponseWriter, r *http.Request) {
	q, err := document[Question](w, r)
	var v Explanation
	if err == nil {
		v, err = h.api.Explain(r.Context(), q)
	}
	h.answer(w, v, err)
}

func (h *handlers) score(w http.ResponseWriter, r *http.Request) {
	p := Party{Name: r.PathValue("name")}
	switch r.PathValue("kind") {
	case "agents":
	case "upstreams":
		p.Upstream = true
	default:
		http.NotFound(w, r)
		return
	}
	v, err := h.api.Score(r.Context(), p)
	h.answer(w, v, err)
}

func (h *handlers) adjust(w http.ResponseWriter, r *http.Request) {
	o, err := document[order](w, r)
	var v Adjusted
	if err == nil {
		v, err = h.api.Adjust(r.Context(), o.Party, o.Adjustment, o.Order)
	}
	h.answer(w, v, err)
}

func (h *handlers) quarantine(w http.ResponseWriter, r *http.Request) {
	o, err := document[order](w, r)
	if err == nil {
		err = h.api.Quarantine(r.Context(), o.Party, o.Order)
	}
	h.answer(w, struct{}{}, err)
}

func (h *handlers) release(w http.ResponseWriter, r *http.Request) {
	o, err := document[order](w, r)
	if err == nil {
		err = h.api.Release(r.Context(), o.Party, o.Order)
	}
	h.answer(w, struct{}{}, err)
}

// document reads what a request carries. A member that nobody knows is an error: it would be an order that is not obeyed.
func document[T any](w http.ResponseWriter, r *http.Request) (v T, err error) {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxDocument))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, errors.Join(ErrInvalid, err)
	}
	return v, nil
}
