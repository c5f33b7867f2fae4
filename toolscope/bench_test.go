package toolscope_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope"
)

const plainCall = `{"name":"get_weather","arguments":{"location":"Seattle, WA","units":"metric","days":3},"_meta":{"progressToken":12}}`

// hundred is a list of a hundred tools, half of which benchConfig grants.
func hundred() string {
	var b strings.Builder
	for i := range 100 {
		name := "get_thing"
		if i%2 == 1 {
			name = "delete_thing"
		}
		fmt.Fprintf(&b, `{"name":"%s_%d","description":"Does something with thing %d, and says so.","inputSchema":{"type":"object","properties":{"location":{"type":"string"},"days":{"type":"integer"}},"required":["location"]}},`, name, i, i)
	}
	return `{"tools":[` + strings.TrimSuffix(b.String(), ",") + `],"nextCursor":"c"}`
}

var (
	benchConfig = toolscope.Config{Tools: tools("list_*", "search_*", "get_*"), Deny: pats("get_secret*"), Tasks: tasks("read")}
	benchWhen   = toolscope.Config{Tools: tools("list_*", "search_*", "get_*?args.days <= 5"), Deny: pats("get_secret*"), Tasks: tasks("read")}
)

func BenchmarkCheck(b *testing.B) {
	for name, cfg := range map[string]toolscope.Config{"plain": benchConfig, "when": benchWhen} {
		b.Run(name, func(b *testing.B) {
			l := connect(b, cfg)
			l.cat.Learn("up", parse(b, answer(hundred()), wire.FromUpstream))
			c := l.message(b, request("tools/call", plainCall), policy.ToUpstream)
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if v, err := l.check(ctx, c); err != nil || v.Effect != policy.Allow {
					b.Fatal(v, err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	l := connect(b, toolscope.Config{Resources: pats("http://*", "file:///srv/docs/*")})
	c := l.message(b, request("resources/read", `{"uri":"file:///srv/docs/guides/start.md"}`), policy.ToUpstream)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if v, err := l.check(ctx, c); err != nil || v.Effect != policy.Allow {
			b.Fatal(v, err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	for name, cfg := range map[string]toolscope.Config{"plain": benchConfig, "when": benchWhen} {
		b.Run(name, func(b *testing.B) {
			l := connect(b, cfg)
			f := parse(b, answer(hundred()), wire.FromUpstream)
			l.cat.Learn("up", f)
			c := l.message(b, request("tools/list", "{}"), policy.ToUpstream)
			ctx := b.Context()
			b.ReportAllocs()
			b.SetBytes(int64(len(f.Raw)))
			for b.Loop() {
				if v, err := l.screen(ctx, c, f); err != nil || len(v.Rewrite) != 50 {
					b.Fatal(v, err)
				}
			}
		})
	}
}

func BenchmarkLearn(b *testing.B) {
	cat := toolscope.NewCatalog()
	f := parse(b, answer(hundred()), wire.FromUpstream)
	b.ReportAllocs()
	b.SetBytes(int64(len(f.Raw)))
	for b.Loop() {
		cat.Learn("up", f)
	}
}

func BenchmarkTypecheck(b *testing.B) {
	l := connect(b, benchWhen)
	c := l.message(b, request("tools/call", plainCall), policy.ToUpstream)
	ctx := b.Context()
	var lists [2]*wire.Frame
	for i, kind := range []string{"integer", "number"} {
		lists[i] = parse(b, answer(`{"tools":[{"name":"get_weather","inputSchema":{"type":"object","properties":{"days":{"type":"`+kind+`"}}}}]}`), wire.FromUpstream)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.cat.Learn("up", lists[i%2])
		if v, err := l.check(ctx, c); err != nil || v.Effect != policy.Allow {
			b.Fatal(v, err)
		}
	}
}
