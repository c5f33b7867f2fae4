package mcpproxy

import (
	"errors"
	"fmt"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

var errState = errors.New("a requestState that is no string")

// openHandles puts back what servers have given the agent to carry, and a version that can be negotiated in the place of
// one that cannot, before the call is judged: what is judged is what is sent.
func (x *exchange) openHandles() *policy.Reason {
	switch {
	case x.starts:
		return x.offerVersion()
	case paged[x.call.Method]:
		return x.openCursor()
	case byTask[x.call.Method]:
		return x.ownTask()
	case x.listener != nil:
		return x.ownTasks()
	case asks[x.call.Method]:
		return x.openState()
	}
	return nil
}

// sealHandles seals what the agent is to carry, when the result has been judged.
func (x *exchange) sealHandles(result *wire.Frame) *wire.Frame {
	var edits wire.Edits
	var err error
	switch {
	case result.Kind != wire.KindResult:
		return result
	case paged[x.call.Method]:
		edits, err = x.sealCursor(result)
		if x.call.Method == "tasks/list" {
			edits = append(edits, x.ownedTasks(result)...)
		}
	case asks[x.call.Method]:
		x.learnTask(result)
		if x.modern { // the earlier era says it once, in initialize, and has no error for it
			x.lacks = x.undeclared(result)
		}
		if x.lacks != "" {
			x.withhold(policy.Denied("protocol", reasonCapability, x.lacks))
			return result
		}
		edits, err = x.sealState(result)
	}
	if err == nil && len(edits) > 0 {
		result, err = splice(result, edits, &x.call.Connection.Limits)
	}
	switch {
	case errors.Is(err, errState):
		x.withhold(policy.Denied("protocol", reasonServerProtocol, err.Error()))
	case err != nil:
		x.withhold(policy.Denied("protocol", reasonBroken, ""))
		x.out.Fault = err
	}
	return result
}

// replace puts edits into the message before it is judged.
func (x *exchange) replace(edits wire.Edits) *policy.Reason {
	f, err := splice(&x.frame, edits, x.g.limits())
	if err != nil {
		x.g.p.Log.Error().Err(err).Stringer("ref", x.call.Ref).Msg("a message could not be rewritten")
		return policy.ReasonFault
	}
	x.frame = *f
	return nil
}

// splice makes a frame of another one and edits. What our own edits add to its length counts against no limit.
func splice(f *wire.Frame, edits wire.Edits, limits *wire.Limits) (*wire.Frame, error) {
	raw, err := edits.Splice(make([]byte, 0, len(f.Raw)+128), f.Raw)
	if err != nil {
		return nil, err
	}
	roomy := *limits
	roomy.Frame += max(0, len(raw)-len(f.Raw))
	out := new(wire.Frame)
	if err := wire.Parse(out, raw, f.From, &roomy); err != nil {
		return nil, fmt.Errorf("reading a rewritten message: %w", err)
	}
	return out, nil
}
