package mcpproxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// answering makes the fake server answer requests of a method with what f returns.
func (w *world) answering(method string, f func(f *wire.Frame) string) {
	w.server.mu.Lock()
	defer w.server.mu.Unlock()
	w.server.intrude = func(rw http.ResponseWriter, _ *http.Request, q *wire.Frame) bool {
		if q.Kind != wire.KindRequest || q.String(wire.Method) != method {
			return false
		}
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"jsonrpc":"2.0","id":%s,"result":%s}`, q.Get(wire.ID), f(q))
		return true
	}
}

// result reads one member of an answer, raw.
func result(t *testing.T, answer string, m wire.Member) string {
	t.Helper()
	var f wire.Frame
	if err := wire.Parse(&f, []byte(answer), wire.FromUpstream, &wire.DefaultLimits); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	return string(f.Get(m))
}

// list asks for a page. The cursor is raw JSON.
func list(method, cursor string) string {
	params := ""
	if cursor != "" {
		params = `,"params":{"cursor":` + cursor + `}`
	}
	return `{"jsonrpc":"2.0","id":"list","method":"` + method + `"` + params + `}`
}

func TestCursorsComeBackToTheByte(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		c := w.session("alice", "2025-11-25")
		for _, own := range []string{`"2"`, `""`, `"\u0032 \ud800\/"`} {
			w.answering("tools/list", func(f *wire.Frame) string {
				if f.Has(wire.ParamsCursor) {
					return `{"tools":[],"got":` + string(f.Get(wire.ParamsCursor)) + `}`
				}
				return `{"tools":[], "nextCursor" : ` + own + ` }`
			})
			_, first := c.call(list("tools/list", ""))
			sealed := result(t, first, wire.ResultNextCursor)
			if want := `{"tools":[], "nextCursor" : ` + sealed + ` }`; result(t, first, wire.Result) != want || sealed == own {
				t.Errorf("got %s", first)
			}
			if _, got := c.call(list("tools/list", sealed)); !strings.Contains(got, `"got":`+own+`}`) {
				t.Errorf("got %s, want the cursor %s", got, own)
			}
		}
	})
}

func TestCursorsAreBound(t *testing.T) {
	bubble(t, func(w *world) {
		t := w.t
		alice, bob, other := w.session("alice", "2025-11-25"), w.session("bob", "2025-11-25"), w.agent("alice")
		other.upstream = "other"
		other.initialize("2025-11-25")
		w.answering("tools/list", func(*wire.Frame) string { return `{"tools":[],"nextCursor":"own"}` })
		_, first := alice.call(list("tools/list", ""))
		sealed := result(t, first, wire.ResultNextCursor)
		flipped := sealed[:9] + map[bool]string{true: "B", false: "A"}[sealed[9] == 'A'] + sealed[10:]
		cases := map[string]struct {
			c                    *client
			method, cursor, code string
		}{
			"another agent":     {bob, "tools/list", sealed, "CURSOR_FOREIGN"},
			"another upstream":  {other, "tools/list", sealed, "CURSOR_UNKNOWN"},
			"another list":      {alice, "prompts/list", sealed, "CURSOR_UNKNOWN"},
			"the server's own":  {alice, "tools/list", `"own"`, "CURSOR_FORGED"},
			"nothing":           {alice, "tools/list", `""`, "CURSOR_UNKNOWN"},
			"a path":            {alice, "tools/list", `"../../evil"`, "CURSOR_FORGED"},
			"a number":          {alice, "tools/list", "7", "CURSOR_UNKNOWN"},
			"null":              {alice, "tools/list", "null", "CURSOR_UNKNOWN"},
			"an object":         {alice, "tools/list", "{}", "CURSOR_UNKNOWN"},
			"changed":           {alice, "tools/list", flipped, "CURSOR_FORGED"},
			"cut":               {alice, "tools/list", sealed[:12] + `"`, "CURSOR_FORGED"},
			"continued":         {alice, "tools/list", sealed[:len(sealed)-1] + `A"`, "CURSOR_FORGED"},
			"not Base64":        {alice, "tools/list", `"\ud800"`, "CURSOR_UNKNOWN"},
			"resources, forged": {alice, "resources/list", `"x"`, "CURSOR_FORGED"},
			"templates, forged": {alice, "resources/templates/list", `"x"`, "CURSOR_FORGED"},
			"tasks, forged":     {alice, "tasks/list", `"x"`, "CURSOR_FORGED"},
		}
		before := len(w.server.messages(`"list"`))
		for name, x := range cases {
			if _, got := x.c.call(list(x.method, x.cursor)); !strings.Contains(got, errorCode(-32602)) {
				t.Errorf("%s: got %s", name, got)
			}
			if e := w.last(x.method); e.code != x.code || e.allowed {
				t.Errorf("%s: on record is %+v", name, e)
			}
		}
		if got := w.server.messages(`"list"`); len(got) != before {
			t.Errorf("the server got %s", got)
		}
		if status, _ := alice.call(list("tools/list", sealed)); status != 200 {
			t.Errorf("its own cursor: status %d", status)
		}
	})
}

// TestListingsEnd has servers whose listing never does.
func TestListingsEnd(t *testing.T) {
	pages := 0
	cases := map[string]struct {
		next func(f *wire.Frame) string
		want int
	}{
		"the same cursor":         {func(*wire.Frame) string { return `"x"` }, 2},
		"the same, spelled anew":  {func(f *wire.Frame) string { return map[bool]string{true: `"x"`, false: `"\u0078"`}[pages%2 == 0] }, 2},
		"always another cursor":   {func(*wire.Frame) string { return fmt.Sprintf(`"%d"`, pages) }, 1000},
		"two cursors in a circle": {func(*wire.Frame) string { return fmt.Sprintf(`"%d"`, pages%2) }, 1000},
	}
	for name, x := range cases {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				t := w.t
				pages = 0
				c := w.session("alice", "2025-11-25")
				w.answering("tools/list", func(f *wire.Frame) string {
					pages++
					return `{"tools":[],"nextCursor":` + x.next(f) + `,"x":1}`
				})
				cursor := ""
				for pages <= x.want {
					_, got := c.call(list("tools/list", cursor))
					if cursor = result(t, got, wire.ResultNextCursor); cursor == "" {
						if want := `{"tools":[],"x":1}`; result(t, got, wire.Result) != want {
							t.Errorf("the last page is %s", got)
						}
						break
					}
				}
				if pages != x.want {
					t.Errorf("%d pages, want %d", pages, x.want)
				}
			})
		})
	}
}
