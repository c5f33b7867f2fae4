package toolscope

import (
	"context"
	"strconv"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// maxTTL bounds how long a client may go on showing a list without asking again, in milliseconds, so that a policy that
// was tightened is soon seen.
const maxTTL = 60_000

// Screen says what is cut from a result; see [policy.Screen].
func (s *scope) Screen(_ context.Context, c *policy.Call, result *wire.Frame) (policy.Verdict, error) {
	switch {
	case c.Direction != policy.ToUpstream:
		return policy.Pass, nil
	case result.Kind != wire.KindResult:
		return s.needed(result), nil
	}
	v := s.questions(result.Get(wire.ResultInputRequests))
	if v.Effect != policy.Allow {
		return v, nil
	}
	asked := v.Rewrite.Shift(result.Span(wire.ResultInputRequests).Lo)
	v = policy.Pass
	switch c.Method {
	case "initialize", "server/discover":
		var held withholding
		v.Rewrite = append(s.offered(result), s.silenced(result, &held)...)
		v.Findings = held.findings()
		if c.Method == "server/discover" {
			v.Rewrite = append(v.Rewrite, ttl(result)...)
		}
	case "tools/list", "prompts/list", "resources/list", "resources/templates/list":
		if v = s.list(c.Method, result); v.Effect != policy.Allow {
			return v, nil
		}
		v.Rewrite = append(v.Rewrite, ttl(result)...)
	}
	v.Rewrite = append(append(v.Rewrite, asked...), private(c, result)...)
	return v, nil
}

// private returns the edit that keeps a result from caches that serve several agents: what one may see, another may not
// (MCP 2026-07-28, caching).
func private(c *policy.Call, r *wire.Frame) wire.Edits {
	if !r.Has(wire.ResultCacheScope) {
		if c.Frame.Has(wire.MetaProtocolVersion) && cacheable(c.Method, r) {
			return prepend(r.Get(wire.Result), `"cacheScope":"private"`).Shift(r.Span(wire.Result).Lo)
		}
		return nil
	}
	if scope, ok := r.Text(wire.ResultCacheScope); ok && string(scope) == "private" {
		return nil
	}
	return wire.Edits{{At: r.Span(wire.ResultCacheScope), New: []byte(`"private"`)}}
}

// cacheable reports whether a result is one that a cache may keep. Where it says nothing of its scope the schema of
// 2026-07-28 lets caches take it for public.
func cacheable(method string, r *wire.Frame) bool {
	switch method {
	case "server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read":
		kind, ok := r.Text(wire.ResultType)
		return !ok || string(kind) != "input_required"
	default:
		return false
	}
}

// prepend returns the edit that puts a member in front of those that an object has.
func prepend(object []byte, text string) wire.Edits {
	for range wire.Entries(object) { // there are others
		text += ","
		break
	}
	return wire.Edits{{At: wire.Span{Lo: 1, Hi: 1}, New: []byte(text)}}
}

// ttl returns the edit that bounds the time for which a result may be kept. What is no whole number above or at zero
// becomes zero.
func ttl(r *wire.Frame) wire.Edits {
	raw := r.Get(wire.ResultTTL)
	if raw == nil {
		return nil
	}
	n, err := strconv.ParseUint(string(raw), 10, 63)
	limited := uint64(maxTTL)
	switch {
	case err == nil && n <= maxTTL:
		return nil
	case err != nil && !isDigits(raw):
		limited = 0
	}
	return wire.Edits{{At: r.Span(wire.ResultTTL), New: strconv.AppendUint(nil, limited, 10)}}
}

func isDigits(raw []byte) bool {
	for _, c := range raw {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
