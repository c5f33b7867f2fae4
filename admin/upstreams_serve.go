package admin

import "net/http"

// accept is an order to accept definitions, on the wire.
type accept struct {
	Definitions []Acceptance `json:"definitions"`
	Order
}

func (h *handlers) upstreams(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/upstreams", func(w http.ResponseWriter, r *http.Request) {
		v, err := h.api.Upstreams(r.Context())
		h.answer(w, v, err)
	})
	mux.HandleFunc("GET /v1/upstreams/{name}/tools", func(w http.ResponseWriter, r *http.Request) {
		v, err := h.api.Tools(r.Context(), r.PathValue("name"))
		h.answer(w, v, err)
	})
	mux.HandleFunc("GET /v1/upstreams/{name}/definitions", func(w http.ResponseWriter, r *http.Request) {
		v, err := h.api.Definitions(r.Context(), r.PathValue("name"))
		h.answer(w, v, err)
	})
	mux.HandleFunc("POST /v1/upstreams/{name}/accept", func(w http.ResponseWriter, r *http.Request) {
		o, err := document[accept](w, r)
		if err == nil {
			err = h.api.Accept(r.Context(), r.PathValue("name"), o.Definitions, o.Order)
		}
		h.answer(w, struct{}{}, err)
	})
}
