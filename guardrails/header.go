package guardrails

import (
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// beside looks at the headers that go on beside a message, which itself may pass. Nothing can be cut out of a header, so
// what a rule acts on refuses the call.
func (g *gate) beside(c *policy.Call, v policy.Verdict) policy.Verdict {
	raw := []byte{'{'}
	for i := range c.Headers {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = wire.AppendQuote(raw, headerPrefix+c.Headers[i].Name)
		raw = wire.AppendQuote(append(raw, ':'), c.Headers[i].Text)
	}
	raw = append(raw, '}')
	s := newScan(g.vault)
	defer s.free()
	s.look(g.engine, raw)
	s.head = true
	s.decide(g, c, policy.ToUpstream)
	if s.any(acts) {
		return s.refuse(&sent, "", acts)
	}
	v.Findings = append(v.Findings, s.notes()...)
	return v
}

const headerPrefix = "Mcp-Param-"
