package quota

import (
	"strconv"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// The place of a payment in _meta of a request (x402 version 1 and 2, transport for MCP), and the signed amounts in it:
// of EIP-3009 authorizations, and of Permit2.
const metaPayment = "x402/payment"

var (
	signedAmount  = Pointer{Text: "/payload/authorization/value", steps: []string{"payload", "authorization", "value"}}
	permitAmount  = Pointer{Text: "/payload/permit2Authorization/permitted/amount", steps: []string{"payload", "permit2Authorization", "permitted", "amount"}}
	paymentAmount = [...]*Pointer{&signedAmount, &permitAmount}
)

// millionth is what the smallest unit of a token of 6 decimals is worth, in billionths.
const millionth = nano / 1_000_000

// payment returns the amount that a call pays by itself, in billionths of a US dollar: what is signed, not what is said
// beside it. It reports false where there is a payment of which no amount can be read.
func payment(f *wire.Frame) (paid int64, ok bool) {
	e, found := wire.Lookup(f.Get(wire.ParamsMeta), metaPayment)
	if !found {
		return 0, true
	}
	for _, p := range paymentAmount {
		raw := p.find(e.Value)
		if raw == nil {
			continue
		}
		if text, ok := wire.Unquote(raw); ok {
			raw = text
		}
		n, err := strconv.ParseUint(string(raw), 10, 63)
		return scale(int64(n), millionth, 1), err == nil && n > 0
	}
	return 0, false
}
