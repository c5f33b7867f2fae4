package mcpproxy

import (
	"errors"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// Limits of messages, as the keys of a configuration.
const (
	limitFrame = "limits.frame"
	limitDepth = "limits.depth"
	limitKeys  = "limits.upstream_keys"
)

// beyond returns the limit that an answer of an upstream is beyond which could not be read; empty for none.
func beyond(err error) string {
	if errors.Is(err, upstream.ErrTooLarge) {
		return limitFrame
	}
	fault, ok := errors.AsType[*wire.Fault](err)
	if !ok {
		return ""
	}
	switch fault.Problem {
	case wire.TooLarge:
		return limitFrame
	case wire.TooDeep:
		return limitDepth
	case wire.TooManyKeys:
		return limitKeys
	}
	return ""
}

// tighter returns the limit of a connection that an answer is beyond which those of the file let pass; empty for none.
func tighter(answer *wire.Frame, l *wire.Limits) string {
	switch {
	case len(answer.Raw) > l.Frame:
		return limitFrame
	case answer.Keys > l.UpstreamKeys && l.UpstreamKeys > 0:
		return limitKeys
	}
	return ""
}

// tooLarge is the refusal of an answer that is beyond a limit. Who is refused learns which: it is no policy, and on the
// first day it is the one who can raise it.
func tooLarge(limit, where string) policy.Outcome {
	out := policy.Denied("protocol", reasonLargeResult, "beyond "+limit+" of the "+where)
	out.Tell = "The limit is " + limit + " in the configuration of Hopgate."
	return out
}
