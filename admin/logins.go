package admin

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Logins are how persons log Hopgate in at the servers that want that. An upstream that wants none is ErrInvalid.
type Logins interface {
	// BeginLogin returns the address that a person is to open, and whose it is. The browser comes back to redirect, on the
	// person's machine. A login under way is given up.
	BeginLogin(ctx context.Context, upstream, redirect string) (Login, error)
	// FinishLogin ends it with what the browser has brought back, on record.
	FinishLogin(ctx context.Context, upstream string, answer url.Values, by string) error
	// Logout forgets the token of an upstream, on record. Where there is none it is ErrNotFound.
	Logout(ctx context.Context, upstream string, o Order) error
}

// Login is one that a person has to do.
type Login struct {
	Address string `json:"address"`
	Issuer  string `json:"issuer"` // of the tokens
}

// Token is what is known of the token for an upstream.
type Token struct {
	Issuer    string    `json:"issuer,omitempty"` // empty where nobody has said yet
	Got       time.Time `json:"got,omitzero"`     // zero where there is none
	Expires   time.Time `json:"expires,omitzero"` // zero where that is not known
	Renewable bool      `json:"renewable"`        // without a person
}

// loginOrder is an order to begin or finish a login, on the wire.
type loginOrder struct {
	Redirect string     `json:"redirect,omitempty"`
	Answer   url.Values `json:"answer,omitempty"`
	By       string     `json:"by,omitempty"`
}

func (h *handlers) logins(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/upstreams/{name}/login", func(w http.ResponseWriter, r *http.Request) {
		o, err := document[loginOrder](w, r)
		var v Login
		if err == nil {
			v, err = h.api.BeginLogin(r.Context(), r.PathValue("name"), o.Redirect)
		}
		h.answer(w, v, err)
	})
	mux.HandleFunc("POST /v1/upstreams/{name}/login/finish", func(w http.ResponseWriter, r *http.Request) {
		o, err := document[loginOrder](w, r)
		if err == nil {
			err = h.api.FinishLogin(r.Context(), r.PathValue("name"), o.Answer, o.By)
		}
		h.answer(w, struct{}{}, err)
	})
	mux.HandleFunc("POST /v1/upstreams/{name}/logout", func(w http.ResponseWriter, r *http.Request) {
		o, err := document[Order](w, r)
		if err == nil {
			err = h.api.Logout(r.Context(), r.PathValue("name"), o)
		}
		h.answer(w, struct{}{}, err)
	})
}

// BeginLogin implements API.
func (c *Client) BeginLogin(ctx context.Context, upstream, redirect string) (Login, error) {
	return tell[Login](ctx, c, "/v1/upstreams/"+url.PathEscape(upstream)+"/login", loginOrder{Redirect: redirect})
}

// FinishLogin implements API.
func (c *Client) FinishLogin(ctx context.Context, upstream string, answer url.Values, by string) error {
	_, err := tell[struct{}](ctx, c, "/v1/upstreams/"+url.PathEscape(upstream)+"/login/finish", loginOrder{Answer: answer, By: by})
	return err
}

// Logout implements API.
func (c *Client) Logout(ctx context.Context, upstream string, o Order) error {
	_, err := tell[struct{}](ctx, c, "/v1/upstreams/"+url.PathEscape(upstream)+"/logout", o)
	return err
}
