package admin

import (
	"context"
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
	// Logout forgets the token of an upstream, on record, and has the one who gave it revoke it. Where there is none it is
	// ErrNotFound.
	Logout(ctx context.Context, upstream string, o Order) (Logout, error)
}

// Logout is what became of a token that was forgotten.
type Logout struct {
	Revoked bool   `json:"revoked"`       // by the authorization server
	Why     string `json:"why,omitempty"` // not
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
