package toolscope

import (
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// modelArgument is the argument that names a model where the connection does not say which do.
const modelArgument = "model"

// model reports whether a raw value names a model that the connection grants, and where it says so. A list has to name
// such alone. at is where models are listed if it does not.
func (s *scope) model(raw []byte) (at policy.Pos, ok bool) {
	if len(s.models) > 0 {
		at = s.models[0].At
	}
	if len(raw) > 0 && raw[0] == '[' {
		for _, e := range wire.Elements(raw) {
			if where, ok := s.model(e); !ok {
				return where, false
			}
		}
		return at, true
	}
	name, ok := wire.Unquote(raw)
	if !ok {
		return at, false
	}
	if found, ok := match(s.models, string(name)); ok {
		return found, true
	}
	return at, false
}

// hints returns the edits that leave out of an upstream's preferences the models that the connection does not grant; false
// where it prefers none but those.
func (s *scope) hints(params []byte) (edits wire.Edits, at policy.Pos, ok bool) {
	preferences, _ := wire.Lookup(params, "modelPreferences")
	list, has := wire.Lookup(preferences.Value, "hints")
	if s.models == nil || !has {
		return nil, at, true
	}
	if list.Value[0] != '[' {
		return nil, s.at, false
	}
	var cut cutter
	some := false
	for place, hint := range wire.Elements(list.Value) {
		keep := true
		if e, named := wire.Lookup(hint, "name"); named || hint[0] != '{' {
			at, keep = s.model(e.Value)
		}
		some = some || keep
		cut.part(place, keep)
	}
	if len(cut.parts) > 0 && !some {
		return nil, at, false
	}
	return cut.done().Shift(preferences.ValueAt.Lo + list.ValueAt.Lo), at, true
}

// names judges the arguments of a tool call that name models.
func (s *scope) names(c *policy.Call) policy.Verdict {
	if s.models == nil {
		return policy.Pass
	}
	arguments := c.Frame.Get(wire.ParamsArguments)
	for _, name := range s.modelArgs {
		e, has := wire.Lookup(arguments, name)
		if !has {
			continue
		}
		at, ok := s.model(e.Value)
		if !ok {
			return policy.Refuse(reasonModel, at, "an argument")
		}
		c.Passed("model", at, "")
	}
	return policy.Pass
}
