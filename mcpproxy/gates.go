package mcpproxy

import (
	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope"
)

// Gates are the gates in the order in which a call meets them. Adding one is a line here.
func Gates(cat *toolscope.Catalog) []policy.Spec {
	return []policy.Spec{
		toolscope.Spec(cat), // which
	}
}

// Learning lets the proxy feed a catalog.
func Learning(cat *toolscope.Catalog) Catalog { return learning{cat} }

type learning struct{ cat *toolscope.Catalog }

func (l learning) Learn(upstream string, result *wire.Frame) { l.cat.Learn(upstream, result) }

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
