package mcpproxy

import (
	"bytes"
	"encoding/binary"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// maxPages bounds a listing. A server whose pages never end is cut off there, so that no client turns them for ever.
const maxPages = 1000

// paged are the methods whose results have cursors (2025-11-25, server/utilities/pagination; tasks).
var paged = map[string]bool{
	"tools/list": true, "prompts/list": true, "resources/list": true, "resources/templates/list": true, "tasks/list": true,
}

// cursorOf binds a cursor to the agent, the connection and the list that it was made for.
func cursorOf(c *policy.Call) *owned {
	return &owned{"cursor", c.Agent.Name, purpose(c.Upstream, c.Connection.Name, c.Method)}
}

// openCursor puts the server's own cursor in the place of the one that the agent brings back. A cursor is opaque to
// clients, so one that was not given to this agent for this list was made up or taken from another.
func (x *exchange) openCursor() *policy.Reason {
	sealed := x.frame.Get(wire.ParamsCursor)
	if sealed == nil {
		return nil
	}
	text, _, c := x.g.p.seals.openFor(cursorOf(&x.call), sealed)
	switch said, ok := wire.Unquote(sealed); {
	case c == claimForeign:
		return reasonCursorForeign
	case c == claimForged && ok && len(said) > 0 && !x.before(sealed):
		return reasonCursorForged
	case c != claimRightful || len(text) < 2: // what is no text, or empty, is a client's mistake
		return reasonCursor
	}
	x.page = int(binary.BigEndian.Uint16(text))
	return x.replace(wire.Edits{{At: x.frame.Span(wire.ParamsCursor), New: text[2:]}})
}

// sealCursor returns the edits that hand the next cursor to the agent sealed. Where the listing would go round in a
// circle, or on for ever, the cursor is left out, which ends it.
func (x *exchange) sealCursor(result *wire.Frame) (wire.Edits, error) {
	next := result.Get(wire.ResultNextCursor)
	if len(next) == 0 || next[0] != '"' {
		return nil, nil // what is no string is no cursor, and is not taken back
	}
	if page := x.page + 1; page >= maxPages || sameText(next, x.frame.Get(wire.ParamsCursor)) {
		x.g.p.Log.Warn().Stringer("ref", x.call.Ref).Str("upstream", x.call.Upstream).Int("page", page).Msg("a listing that does not end was cut off")
		return without(result, wire.Result, "nextCursor"), nil
	}
	text := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(next)), uint16(x.page+1)) // fits: below maxPages
	sealed, _, err := x.g.p.seals.sealFor(cursorOf(&x.call), append(text, next...))
	return wire.Edits{{At: result.Span(wire.ResultNextCursor), New: sealed}}, err
}

// sameText reports whether two raw JSON strings say the same, however they are spelled.
func sameText(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	s, ok := wire.Unquote(a)
	t, also := wire.Unquote(b)
	return ok && also && bytes.Equal(s, t)
}

// without returns the edits that leave members out of an object of a frame.
func without(f *wire.Frame, object wire.Member, names ...string) wire.Edits {
	var parts []wire.Span
	var keep []bool
	for e := range wire.Entries(f.Get(object)) {
		name, _ := wire.Unquote(e.Name)
		stays := true
		for _, n := range names {
			stays = stays && string(name) != n
		}
		parts, keep = append(parts, e.At), append(keep, stays)
	}
	return wire.Cut(parts, keep).Shift(f.Span(object).Lo)
}
