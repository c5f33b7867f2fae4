package mcpproxy

import (
	"crypto/sha256"
	"slices"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// A server of 2026-07-28 asks by answering a call with input_required; the client calls again with the answers and the
// server's state (SEP-2322, multi round-trip requests). Such a retry is charged nothing, so it must be one: the state is
// sealed for the agent, the connection and the call that it belongs to, counts once, and not for ever.

// asks are the methods whose results may ask for input.
var asks = map[string]bool{"tools/call": true, "prompts/get": true, "resources/read": true}

// stateOf binds a state to the agent, the connection and the call that it was made for, whatever is answered. The digest is
// made where there is a state: most calls have none, and large arguments.
func (x *exchange) stateOf() *owned {
	c, arguments := &x.call, sha256.Sum256(x.frame.Get(wire.ParamsArguments))
	return &owned{"state", c.Agent.Name, purpose(c.Upstream, c.Connection.Name, c.Method, c.Target, string(arguments[:]))}
}

// before reports whether a string that does not open may have been sealed under a key that is lost, as it is where a state
// was restored: the agent cannot know. Later than any answer may come, it is made up.
func (x *exchange) before(sealed []byte) bool {
	return x.call.Time.Before(x.g.p.started.Add(roundTime)) && x.g.p.seals.other(sealed)
}

// openState puts the server's own state in the place of the one that the agent brings back, and makes the call a round
// of the call that began it. Answers that come without a state are part of a new call: they are judged as what it says, and
// it is charged. Conformance wants them to reach the server, which may know what they answer.
func (x *exchange) openState() *policy.Reason {
	sealed := x.frame.Get(wire.ParamsRequestState)
	if sealed == nil {
		return nil
	}
	text, id, c := x.g.p.seals.openFor(x.stateOf(), sealed)
	switch {
	case c == claimForeign:
		return reasonStateForeign
	case c == claimForged && x.before(sealed):
		return reasonStateOver
	case c != claimRightful:
		return reasonStateForged
	}
	r, ok := x.g.p.Rounds.take(x.call.Agent.Name, id, x.call.Time)
	if !ok {
		return reasonStateOver
	}
	x.round, x.call.First, x.call.Round = &r, r.first, r.no
	if len(text) == 0 { // the server had none
		return x.replace(without(&x.frame, wire.Params, "requestState"))
	}
	return x.replace(wire.Edits{{At: x.frame.Span(wire.ParamsRequestState), New: text}})
}

// unused lets the retry come again, where this one was not sent.
func (x *exchange) unused() {
	if x.round != nil {
		x.g.p.Rounds.add(*x.round)
	}
}

// sealState returns the edits that hand the server's state to the agent sealed. A server that asks without a state gets
// one from us, which goes no further: without it nobody could tell an answer from one that nobody asked for.
func (x *exchange) sealState(result *wire.Frame) (wire.Edits, error) {
	state := result.Get(wire.ResultRequestState)
	if state == nil && (!x.modern || !result.Has(wire.ResultInputRequests)) {
		return nil, nil // the earlier era has no such results, so nothing is added to one
	}
	if state != nil && state[0] != '"' {
		return nil, errState
	}
	sealed, id, err := x.g.p.seals.sealFor(x.stateOf(), state)
	if err != nil {
		return nil, err
	}
	r := round{slot: slot{agent: x.call.Agent.Name}, id: id, no: x.call.Round + 1, first: x.call.First, until: x.g.p.Clock().Add(roundTime)}
	if r.no == 1 {
		r.first = x.call.Ref
	}
	x.g.p.Rounds.add(r)
	if state != nil {
		return wire.Edits{{At: result.Span(wire.ResultRequestState), New: sealed}}, nil
	}
	at := result.Span(wire.Result).Lo + 1
	return wire.Edits{{At: wire.Span{Lo: at, Hi: at}, New: slices.Concat([]byte(`"requestState":`), sealed, []byte(`,`))}}, nil
}

// inputs are the requests that a result may hold, and the capability that a client must have declared for each.
var inputs = map[string]string{"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}

// undeclared returns a capability that the client lacks for what a result asks of it, or nothing.
func (x *exchange) undeclared(result *wire.Frame) string {
	declared := x.frame.Get(wire.MetaClientCapabilities)
	for e := range wire.Entries(result.Get(wire.ResultInputRequests)) {
		method, _ := wire.Lookup(e.Value, "method")
		name, _ := wire.Unquote(method.Value)
		need := inputs[string(name)]
		if _, ok := wire.Lookup(declared, need); need != "" && !ok {
			return need
		}
	}
	return ""
}
