package mcpproxy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

func marked(t *testing.T, r *repeats, upstream, message string) *wire.Mark {
	t.Helper()
	var f wire.Frame
	limits := wire.DefaultLimits
	limits.Frame *= 2
	if err := wire.Parse(&f, []byte(message), wire.FromUpstream, &limits); err != nil {
		t.Fatal(err)
	}
	r.mark(upstream, &f)
	return f.Mark
}

func TestOnlyTheSameBytesAreARepeat(t *testing.T) {
	const list = `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]},"x":1}`
	cases := map[string]struct {
		upstream, message string
		same              bool
	}{
		"the same":            {"up", list, true},
		"another id":          {"up", strings.Replace(list, `1,`, `"some other id",`, 1), true},
		"another upstream":    {"other", list, false},
		"another tool":        {"up", strings.Replace(list, `"a"`, `"b"`, 1), false},
		"white space":         {"up", strings.Replace(list, `[{`, `[ {`, 1), false},
		"beside the result":   {"up", strings.Replace(list, `"x":1`, `"x":2`, 1), false},
		"id in another place": {"up", `{"id":1,"jsonrpc":"2.0","result":{"tools":[{"name":"a"}]},"x":1}`, false},
		"an error":            {"up", `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}`, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var r repeats
			first := marked(t, &r, "up", list)
			if got := marked(t, &r, c.upstream, c.message); (got == first) != c.same {
				t.Errorf("it is the same: %v, want %v", got == first, c.same)
			}
		})
	}
}

func TestTwoListsOfAnUpstreamAreKept(t *testing.T) {
	var r repeats
	list := func(i int) *wire.Mark {
		return marked(t, &r, "up", fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"result":{"tools":[%d]}}`, i))
	}
	one, two := list(1), list(2)
	if list(1) != one || list(2) != two {
		t.Error("of two lists that take turns one is forgotten")
	}
	three := list(3)
	if list(2) != two || list(3) != three || list(1) == one {
		t.Error("it is not the oldest that goes")
	}
}

func TestMemoryOfListsIsBounded(t *testing.T) {
	var r repeats
	pad := strings.Repeat("x", 3<<20)
	for i := range 40 {
		marked(t, &r, fmt.Sprint("up", i), `{"jsonrpc":"2.0","id":1,"result":{"tools":["`+pad+`"]}}`)
		held := 0
		for _, all := range r.of {
			for i := range all {
				held += all[i].Size()
			}
		}
		if held != r.size || held > maxAllRepeats {
			t.Fatalf("%d bytes are held, and %d counted", held, r.size)
		}
	}
	if marked(t, &r, "up", `{"jsonrpc":"2.0","id":1,"result":{"tools":["`+pad+pad+`"]}}`) != nil {
		t.Error("a list is marked that is too long to be kept")
	}
}
