package upstream

import (
	"bytes"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// ident is an id or a progress token as it was written. It refers to itself and must not be copied.
type ident struct {
	raw []byte
	buf [40]byte
}

func (id *ident) set(raw []byte) { id.raw = append(id.buf[:0], raw...) }

// is reports whether raw says the same, in whatever spelling.
func (id *ident) is(raw []byte) bool {
	if bytes.Equal(raw, id.raw) {
		return true
	}
	var a, b [64]byte
	return len(raw) > 0 && bytes.Equal(keyOf(raw, a[:0]), keyOf(id.raw, b[:0]))
}

// keyOf returns the value of a raw JSON string or integer in its one canonical spelling. That is raw itself where it has
// no escapes, and made in buf elsewhere. A string that has no meaning as text stays as it is.
func keyOf(raw, buf []byte) []byte {
	if string(raw) == "-0" {
		return raw[1:]
	}
	text, ok := wire.Unquote(raw)
	if !ok || len(text) == len(raw)-2 {
		return raw
	}
	return wire.AppendQuote(buf, text)
}

// appendCancellation appends the message that ends a request (2025-11-25, basic/utilities/cancellation).
func appendCancellation(dst, id []byte, reason string) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`...)
	dst = append(dst, id...)
	if reason != "" {
		dst = wire.AppendQuote(append(dst, `,"reason":`...), reason)
	}
	return append(dst, "}}"...)
}

// isMethod reports whether a message is of a method.
func isMethod(f *wire.Frame, name string) bool {
	m, ok := f.Text(wire.Method)
	return ok && string(m) == name
}

// Methods that a transport treats differently from others.
const (
	methodInitialize = "initialize"
	methodSubscribe  = "subscriptions/listen"
	methodCancelled  = "notifications/cancelled"
	methodProgress   = "notifications/progress"
)

// keySubscription is the member of _meta that names a subscription (2026-07-28, basic/patterns/subscriptions).
const keySubscription = "io.modelcontextprotocol/subscriptionId"
