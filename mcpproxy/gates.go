package mcpproxy

import (
	"github.com/hopgate/hopgate/guardrails"
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/quota"
	"github.com/hopgate/hopgate/toolscope"
	"github.com/hopgate/hopgate/toolscope/pin"
	"github.com/hopgate/hopgate/trust"
)

// Memory is what gates remember between calls. All of it is required.
type Memory struct {
	Catalog *toolscope.Catalog // what upstreams offer
	Pins    *pin.Book          // which definitions of theirs may be relied on
	Scores  *trust.Book
	Limits  *quota.Book
	Vault   *guardrails.Vault
	Said    *guardrails.Book
}

// Gates are the gates in the order in which a call meets them. Adding one is a line here.
func Gates(m Memory) []policy.Spec {
	return []policy.Spec{
		quota.Refusals(m.Limits),          // whoever hammers is asked nothing else
		trust.Spec(m.Scores),              // how far
		toolscope.Spec(m.Catalog, m.Pins), // which
		trust.Parts(m.Scores),             // how far, for tools and tasks: behind which, so that it tells of none that is not granted
		quota.Hours(m.Limits),             // how much
		quota.Size(m.Limits),
		quota.Rate(m.Limits),
		guardrails.Spec(m.Vault, m.Said), // saying what; after the rate, because looking is what an attacker would make us pay for
		quota.Spend(m.Limits),            // what reserves comes last: it needs the fewest refunds
	}
}

// Learning lets the proxy feed what gates remember of upstreams.
func Learning(m Memory) Catalog { return learning{m.Catalog, m.Pins} }

type learning struct {
	cat  *toolscope.Catalog
	pins *pin.Book
}

func (l learning) Learn(c *policy.Call, result *wire.Frame) error {
	return toolscope.Learn(l.cat, l.pins, c, result)
}

func (l learning) Shown(c *policy.Call, came, went *wire.Frame) { toolscope.Shown(c, came, went) }

func (l learning) HeaderParams(upstream, tool string) []HeaderParam {
	found := l.cat.HeaderParams(upstream, tool)
	if found == nil {
		return nil
	}
	params := make([]HeaderParam, len(found))
	for i, p := range found {
		params[i] = HeaderParam{Name: p.Header, Path: p.Path}
	}
	return params
}
