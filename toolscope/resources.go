package toolscope

import (
	"strings"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// resource judges a message that is about one resource.
func (s *scope) resource(c *policy.Call) (policy.Verdict, error) {
	raw, ok := c.Frame.Text(wire.ParamsURI)
	switch {
	case !ok || len(raw) > maxURI:
		return policy.Refuse(reasonURI, s.at, "params.uri"), nil
	case string(raw) != c.Target:
		return policy.Verdict{}, errMismatch
	}
	at, ok, flaw := s.uri(c.Target)
	if flaw != "" {
		return policy.Refuse(reasonURI, s.at, "params.uri: "+flaw), nil
	}
	if ok {
		c.Passed("resource", at, "")
	}
	return s.permit(ok, reasonResource, at, ""), nil
}

// uri reports whether the connection grants a URI, and by which pattern. A flaw says why there is nothing to decide.
func (s *scope) uri(raw string) (at policy.Pos, granted bool, flaw string) {
	normal, err := normalize(raw)
	if err != nil {
		return policy.Pos{}, false, err.Error()
	}
	for i := range s.resources {
		if r := &s.resources[i]; r.raw.match(raw) && r.normal.match(normal) {
			return r.at, true, ""
		}
	}
	return policy.Pos{}, false, ""
}

// template reports whether a URI template (RFC 6570) may produce a URI that the connection grants: what it says before
// its first expression must be the beginning of one. That is generous, because a template grants nothing; each URI that is
// made of it is judged when it is read. A template without expressions is a URI.
func (s *scope) template(text string) (policy.Pos, bool) {
	prefix, _, expression := strings.Cut(text, "{")
	if !expression {
		at, ok, _ := s.uri(text) // a URI that cannot be judged is not granted
		return at, ok
	}
	if colon, _ := scheme(prefix); colon >= 0 {
		// The letter stands for what the expression becomes, so that file:///a/.{ext} has no dot segment.
		if _, err := normalize(prefix + "x"); err != nil {
			return policy.Pos{}, false
		}
	}
	for i := range s.resources {
		if r := &s.resources[i]; r.raw.reaches(prefix) {
			return r.at, true
		}
	}
	return policy.Pos{}, false
}
