package mcpproxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBatchesAreAnsweredMemberByMember(t *testing.T) {
	note := `{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`, i)
	}
	cases := map[string]struct {
		version string
		body    string
		status  int
		want    string // the answers in order, or a part of the refusal
	}{
		"calls": {
			"2025-03-26", "[" + tool("1", "echo", `{"a":1}`) + "\n,\t" + tool(`"2"`, "error", "{}") + "]", 200,
			`[{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"got":{"a":1}}}},{"jsonrpc":"2.0","id":"2","error":{"code":-32000,"message":"no"}}]`,
		},
		"call and notification": {
			"2025-03-26", "[" + note + "," + tool("1", "echo", `{}`) + "]", 200,
			`[{"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"got":{}}}}]`,
		},
		"notifications alone": {"2025-03-26", "[" + note + "," + note + "]", 202, ""},
		"empty":               {"2025-03-26", "[]", 400, `"code":-32600`},
		"101 members":         {"2025-03-26", "[" + strings.Join(many, ",") + "]", 400, `"code":-32600`},
		"100 members":         {"2025-03-26", "[" + strings.Join(many[1:], ",") + "]", 200, `"id":100`},
		"initialize inside":   {"2025-03-26", "[" + strings.Replace(hello, "2025-11-25", "2025-03-26", 1) + "]", 200, "initialized already"},
		"the same id twice":   {"2025-03-26", "[" + tool("1", "echo", "{}") + "," + tool("1", "echo", "{}") + "]", 200, `"result"`},
		"a batch inside":      {"2025-03-26", "[[" + tool("1", "echo", "{}") + "]]", 200, `"code":-32600`},
		"no message inside":   {"2025-03-26", `[7]`, 200, `"code":-32600`},
		"cut off":             {"2025-03-26", `[` + tool("1", "echo", "{}"), 400, `"code":-32700`},
		"not JSON":            {"2025-03-26", `[1,]`, 400, `"code":-32700`},
		"of 2024-11-05":       {"2024-11-05", "[" + tool("1", "echo", "{}") + "]", 400, "no batches"},
		"of 2025-06-18":       {"2025-06-18", "[" + tool("1", "echo", "{}") + "]", 400, "no batches"},
		"of the later era": {
			"2025-03-26", "[" + modernTool("1", "echo", "{}") + "]", 200, `"code":-32020`,
		},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				c := w.session("alice", x.version)
				status, got := c.call(x.body)
				if status != x.status || !strings.Contains(got, x.want) {
					t.Errorf("got %d %s", status, got)
				}
				if strings.HasPrefix(x.want, "[") && got != x.want {
					t.Error(cmp.Diff(got, x.want))
				}
				if name == "a batch inside" && len(w.server.messages("tools/call")) > 0 {
					t.Error("the inner batch was sent")
				}
				if n := len(w.server.messages(`"initialize"`)); n != 1 {
					t.Errorf("the server was greeted %d times", n)
				}
			})
		})
	}
}

func TestBatchMembersAreJudgedByThemselves(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-03-26")
		w.gate.check = refusing("tools/list")
		status, got := c.call("[" + tool("1", "echo", "{}") + `,{"jsonrpc":"2.0","id":2,"method":"tools/list"}]`)
		if status != 200 || !strings.Contains(got, `"id":1,"result"`) || !strings.Contains(got, `"id":2,"error":{"code":403`) {
			t.Errorf("got %d %s", status, got)
		}
		if n := len(w.server.messages("tools/list")); n > 0 {
			t.Error("the refused member was sent")
		}
	})
}

func TestBatchWithASessionOfAnother(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		alice, bob := w.session("alice", "2025-03-26"), w.session("bob", "2025-06-18")
		for name, session := range map[string]string{"foreign": alice.session, "none": ""} {
			c := *bob
			c.session = session
			r := c.must(http.MethodPost, "["+tool("1", "echo", "{}")+"]")
			if got := r.last(); r.status != 400 || !strings.Contains(got, "no batches") {
				t.Errorf("%s: %d %s", name, r.status, got)
			}
		}
	})
}
