package toolscope_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hopgate/hopgate/policy"
	"github.com/hopgate/hopgate/toolscope"
)

// rules are conditions, each with arguments that satisfy it where anything does.
var rules = map[string]string{
	"":                                  `{}`,
	"args.n <= 5":                       `{"n":5,"owner":"acme"}`,
	`has(args.owner) && args.n > 1`:     `{"n":5,"owner":"acme"}`,
	`tool.task == "read"`:               `{}`,
	`tool.name != "get_a"`:              `{}`,
	`agent.name == "nobody"`:            `{}`,
	"1 > 2":                             `{}`,
	"args.n == 5 && 1 > 2":              `{"n":5}`,
	`args.typo == 1`:                    `{"typo":1}`,
	`tool.name == "get_b" || args.flag`: `{"flag":true}`,
	"1 / 0 == 1":                        `{}`,
}

// witness satisfies all rules at once, as far as they can be.
const witness = `{"n":5,"owner":"acme","typo":1,"flag":true}`

var names = []string{"get_a", "get_b", "list_a", "create_a", "rm", "Get_a", "get_and_set", "other"}

const (
	schemaOpen   = `{"type":"object"}`
	schemaClosed = `{"type":"object","properties":{"n":{"type":"integer"},"owner":{"type":"string"}}}`
)

// TestListedIfAndOnlyIfGranted draws policies and lists. For each tool that is listed there are arguments with which it
// may be called; a tool that is not listed is unknown, whatever the arguments are.
func TestListedIfAndOnlyIfGranted(t *testing.T) {
	patterns := rapid.SampledFrom([]string{"*", "get_*", "*_a", "get_a", "create_*", "rm", "*e*", "none"})
	cond := rapid.SampledFrom(slices.Sorted(maps.Keys(rules)))
	rapid.Check(t, func(rt *rapid.T) {
		var cfg toolscope.Config
		if rapid.Bool().Draw(rt, "with tools") {
			cfg.Tools = tools()
			for i := range rapid.IntRange(0, 4).Draw(rt, "entries") {
				cfg.Tools = append(cfg.Tools, tools(patterns.Draw(rt, fmt.Sprint("tool", i))+"?"+cond.Draw(rt, fmt.Sprint("rule", i)))...)
			}
		}
		if rapid.Bool().Draw(rt, "with tasks") {
			cfg.Tasks = tasks(rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"read", "write", "unclassified"}), 0, 3, rapid.ID).Draw(rt, "tasks")...)
		}
		cfg.Deny = pats(rapid.SliceOfN(patterns, 0, 2).Draw(rt, "deny")...)
		if rapid.IntRange(0, 2).Draw(rt, "with when") == 0 {
			cfg.When = expr(cond.Draw(rt, "when"))
		}
		if rapid.IntRange(0, 9).Draw(rt, "with methods") == 0 {
			cfg.Methods = pats("tools/list")
		}
		l := connect(t, cfg)
		var elements []string
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 1, 6).Draw(rt, "list") {
			schema := rapid.SampledFrom([]string{schemaOpen, schemaClosed}).Draw(rt, "schema")
			elements = append(elements, `{"name":"`+name+`","inputSchema":`+schema+`}`)
		}
		list := "[" + strings.Join(elements, ",") + "]"
		l.learn(t, list)
		shown, _ := l.result(t, "tools/list", `{"tools":`+list+`}`)
		some := false
		for _, name := range names {
			if !strings.Contains(list, `"`+name+`"`) {
				continue
			}
			listed := strings.Contains(shown, `"name":"`+name+`"`)
			some = some || listed
			if why := l.unlike(t, name, listed); why != "" {
				rt.Fatalf("%s, listed %v: %s\nlist  %s\nshown %s\npolicy %+v", name, listed, why, list, shown, cfg)
			}
		}
		capabilities, _ := l.result(t, "initialize", `{"capabilities":{"tools":{"listChanged":true}}}`)
		if some && !strings.Contains(capabilities, "tools") {
			rt.Fatalf("tools are listed and not declared\nshown %s\npolicy %+v", shown, cfg)
		}
	})
}

// unlike says in what calls of a tool differ from what a list says of it.
func (l *link) unlike(tb testing.TB, tool string, listed bool) string {
	tb.Helper()
	allowed := false
	candidates := []string{witness}
	for _, args := range rules {
		candidates = append(candidates, args)
	}
	for _, args := range candidates {
		c := l.message(tb, request("tools/call", `{"name":"`+tool+`","arguments":`+args+`}`), policy.ToUpstream)
		_, out, _ := policy.Decide(tb.Context(), c)
		allowed = allowed || out.Allowed
		unknown := !out.Allowed && (out.Reason.Answer == policy.AnswerUnknown || out.Reason.Code == "METHOD_NOT_GRANTED")
		if unknown == listed {
			return fmt.Sprintf("a call with %s is answered with %v", args, out.Reason)
		}
	}
	if allowed != listed {
		return "no call is allowed"
	}
	return ""
}

// TestURIsAreListedIfAndOnlyIfReadable draws patterns and URIs.
func TestURIsAreListedIfAndOnlyIfReadable(t *testing.T) {
	part := rapid.SampledFrom([]string{"file:", "FILE:", "//", "/", "a", "b", "%61", "%2e", "..", ".", "%2f", "@", "*", "?", "host", "\\", "%"})
	rapid.Check(t, func(rt *rapid.T) {
		pattern := strings.Join(rapid.SliceOfN(part, 1, 6).Draw(rt, "pattern"), "")
		uri := strings.Join(rapid.SliceOfN(part, 1, 7).Draw(rt, "uri"), "")
		l, err := tryConnect(toolscope.NewCatalog(), toolscope.Config{Resources: pats(pattern)})
		if err != nil {
			return // no URI can match
		}
		_, code := l.agentSends(t, request("resources/read", `{"uri":`+quote(uri)+`}`))
		in := `{"resources":[{"uri":` + quote(uri) + `}]}`
		shown, _ := l.result(t, "resources/list", in)
		if (shown == in) != (code == "") {
			rt.Fatalf("pattern %q, URI %q: read %q, list %s", pattern, uri, code, shown)
		}
		if code == "" && !(policy.Pattern{Text: pattern}).Match(uri) {
			rt.Fatalf("pattern %q does not match %q", pattern, uri)
		}
	})
}
