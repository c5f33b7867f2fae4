package quota

import (
	"bytes"
	"strconv"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// The place of a payment in _meta of a request (x402 version 1 and 2, transport for MCP), and of what is signed in it.
const (
	metaPayment   = "x402/payment"
	signedPayload = "payload"
	signature     = "signature"
)

// signedAmounts are the places of the amount in a payload, by the member that a scheme has for it: EIP-3009 and Permit2.
var signedAmounts = map[string][]string{
	"authorization":        {"value"},
	"permit2Authorization": {"permitted", "amount"},
}

// millionth is what the smallest unit of a token of 6 decimals is worth, in billionths.
const millionth = nano / 1_000_000

// payment returns the amount that a call pays by itself, in billionths of a US dollar: what is signed, not what is said
// beside it. It reports false where there is a payment of which not exactly one amount can be read: of two, or of one and
// something unknown, the server takes which it likes.
func payment(f *wire.Frame) (paid int64, ok bool) {
	whole, ok := plainly(f.Get(wire.ParamsMeta), metaPayment)
	if whole == nil {
		return 0, ok
	}
	payload, _ := plainly(whole, signedPayload)
	var amount []byte
	for e := range wire.Entries(payload) {
		name, _ := wire.Unquote(e.Name)
		steps, known := signedAmounts[string(name)]
		switch {
		case known && amount == nil:
			if amount = e.Value; !inside(&amount, steps) {
				return 0, false
			}
		case string(name) != signature:
			return 0, false
		}
	}
	if text, ok := wire.Unquote(amount); ok {
		amount = text
	}
	n, err := strconv.ParseUint(string(amount), 10, 63)
	return scale(int64(n), millionth, 1), err == nil && n > 0
}

// inside replaces an object by what is in it at the end of some steps, and reports whether there is anything.
func inside(raw *[]byte, steps []string) bool {
	for _, step := range steps {
		*raw, _ = plainly(*raw, step)
	}
	return *raw != nil
}

// plainly returns what stands under a name in an object, or nil where nothing does. It reports false, and returns nil, where
// another name is the same but for the case of its letters: there are readers that take the last of the two.
func plainly(object []byte, name string) (value []byte, ok bool) {
	for e := range wire.Entries(object) {
		text, _ := wire.Unquote(e.Name)
		switch {
		case string(text) == name:
			value = e.Value
		case bytes.EqualFold(text, []byte(name)):
			return nil, false
		}
	}
	return value, true
}
