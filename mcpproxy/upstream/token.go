package upstream

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Tokens are the bearer tokens by which a server knows us (RFC 6750). Methods are called from many goroutines.
type Tokens interface {
	// Token returns the token to call with: visible ASCII, without blanks. It may wait for one; the context bounds that.
	Token(ctx context.Context) (string, error)
	// Refused says that the server has turned a token away, which did not get it to act. Token returns another one then, if it
	// can get one.
	Refused(token string)
}

// token returns the token of the next request; empty where the server wants none.
func (e *endpoint) token(ctx context.Context) (string, error) {
	if e.tokens == nil {
		return "", nil
	}
	token, err := e.tokens.Token(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w: %w", ErrUnavailable, ErrCredential, err)
	case token == "", len(token) > maxToken, strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("%w: %w: it is no header value", ErrUnavailable, ErrCredential)
	}
	return token, nil
}

const maxToken = 16 << 10 // bytes

const authorization = "Authorization: Bearer "

func bearer(b []byte, token string) []byte {
	if token == "" {
		return b
	}
	b = append(b, authorization...)
	b = append(b, token...)
	return append(b, "\r\n"...)
}

// ask sends a request with a token and reads the head of the response; where that is 401, once more with another token.
func (e *endpoint) ask(ctx context.Context, x *exchange, request []byte, token string) error {
	if err := x.send(ctx, request); err != nil {
		return err
	}
	if err := x.receive(ctx); err != nil {
		return err
	}
	return e.askAgain(ctx, x, request, token)
}

// askAgain sends a request once more where the response to it is 401 and there is another token. Whoever is refused with 401
// was not heard, so that nothing is done twice. Where there is no other token, the response stays what it is.
func (e *endpoint) askAgain(ctx context.Context, x *exchange, request []byte, token string) error {
	if token == "" || request == nil || x.head.status != http.StatusUnauthorized {
		return nil
	}
	e.tokens.Refused(token)
	other, err := e.token(ctx)
	if err != nil || other == token {
		return nil //nolint:nilerr // the refusal says enough; whoever keeps the tokens has told why there is none
	}
	x.finish()
	// It stands behind the fixed headers, before anything that others could have written.
	request = bytes.Replace(request, bearer(nil, token), bearer(nil, other), 1)
	if err := x.send(ctx, request); err != nil {
		return err
	}
	if err := x.receive(ctx); err != nil {
		return err
	}
	if x.head.status == http.StatusUnauthorized {
		e.tokens.Refused(other)
	}
	return nil
}
