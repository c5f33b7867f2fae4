package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// offered are the tools of an upstream, as it pages them. Two have one name, and two have names that look alike: nobody can
// tell which one of them is meant.
var offered = [][]string{
	{"read_file", "read_secret", "Read_file"}, {}, {"write_file", "write_config", "delete"}, {"list", "list_all", "search"}, {"twin", "twin"}, {"read_\\u0066ast"},
}

// paged makes a recorder list its tools over several pages, and know no other.
func paged(rec *recorder) {
	rec.methods["tools/call"] = func(a *asked) {
		if !slices.Contains(slices.Concat(offered...), strings.Replace(a.name, "fast", `\u0066ast`, 1)) {
			a.send(`{"jsonrpc":"2.0","id":` + a.id + `,"error":{"code":-32602,"message":"no such tool"}}`)
			return
		}
		a.text("done")
	}
	rec.methods["tools/list"] = func(a *asked) {
		var m struct{ Params struct{ Cursor string } }
		_ = json.Unmarshal([]byte(a.raw), &m) // no cursor is the first page
		page := 0
		if _, err := fmt.Sscanf(m.Params.Cursor, "page-%d", &page); err != nil && m.Params.Cursor != "" {
			a.send(`{"jsonrpc":"2.0","id":` + a.id + `,"error":{"code":-32602,"message":"no such page"}}`)
			return
		}
		var tools []string
		for _, name := range offered[page] {
			tools = append(tools, `{"name":"`+name+`","inputSchema":{"type":"object","properties":{"n":{"type":"integer"}}}}`)
		}
		more := ""
		if page+1 < len(offered) {
			more = fmt.Sprintf(`,"nextCursor":"page-%d"`, page+1)
		}
		a.result(`"tools":[` + strings.Join(tools, ",") + `]` + more)
	}
}

// shown follows the pages to the end.
func shown(t *testing.T, ask func(method, params string) string) (names []string) {
	t.Helper()
	cursor := ""
	for range 2 * len(offered) {
		var m struct {
			Result struct {
				Tools      []struct{ Name string }
				NextCursor *string
			}
		}
		got := ask("tools/list", cursor)
		if err := json.Unmarshal([]byte(got), &m); err != nil {
			t.Fatalf("%v in %s", err, got)
		}
		for _, x := range m.Result.Tools {
			names = append(names, x.Name)
		}
		if m.Result.NextCursor == nil {
			return names
		}
		cursor = fmt.Sprintf(`"cursor":%q`, *m.Result.NextCursor)
	}
	t.Fatal("the list has no end")
	return nil
}

func TestListedIsWhatCanBeCalled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		upstream, connection string
		want                 []string
	}{
		"patterns":   {"", `tools: ["read_*", list], deny: [read_secret]`, []string{"list", "read_fast"}},
		"tasks":      {`, tasks: { reading: ["read_*", search], writing: ["write_*"] }`, `tasks: [writing, unclassified]`, []string{"delete", "list", "list_all", "write_config", "write_file"}},
		"conditions": {"", `tools: [{ name: "write_*", when: args.n < 5 }, { name: delete, when: 'false' }, "list*"], when: "tool.name != 'write_config'"`, []string{"list", "list_all", "write_file"}},
	} {
		for _, up := range upstreams {
			t.Run(name+" to "+up, func(t *testing.T) {
				t.Parallel()
				rec := newRecorder(t)
				paged(rec)
				way := strings.TrimSuffix(rec.upstream(up), " }") + c.upstream + " }"
				h := newHopgate(t, `version: 1
listen: { mcp: "127.0.0.1:0" }
agents: { ann: key }
upstreams: { up: `+way+` }
connections:
  all: { from: ann, to: up, `+c.connection+` }
`)
				key := h.key("ann")
				h.serve()
				session := h.agent("up", key)
				session.greet("2025-11-25")
				for era, ask := range map[string]func(method, params string) string{
					"legacy": func(method, params string) string {
						return session.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s}}`, method, params), nil).last()
					},
					"modern": func(method, params string) string {
						return h.agent("up", key).modern("1", method, "{"+params+"}").last()
					},
				} {
					checkListed(t, era, ask, c.want)
				}
			})
		}
	}
}

// checkListed compares what is listed with what is wanted and with what can be called.
func checkListed(t *testing.T, era string, ask func(method, params string) string, want []string) {
	t.Helper()
	names := shown(t, ask)
	if slices.Sort(names); !slices.Equal(names, want) {
		t.Errorf("%s: listed are %v, want %v", era, names, want)
	}
	callable := map[string]bool{}
	for _, name := range append(slices.Concat(offered...), "nothing", "read_", "LIST") {
		got := ask("tools/call", fmt.Sprintf(`"name":"%s","arguments":{"n":1}`, name))
		switch name = strings.ReplaceAll(name, `\u0066`, "f"); {
		case strings.Contains(got, "done"):
			callable[name] = true
		case !strings.Contains(got, `"code":-32602`):
			t.Errorf("%s: %s is answered with %s", era, name, got)
		}
	}
	if got := slices.Sorted(maps.Keys(callable)); !slices.Equal(got, want) {
		t.Errorf("%s: callable are %v, want %v", era, got, want)
	}
}
